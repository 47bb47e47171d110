//! Responses as a client reads them, for the load generator.
//!
//! A response is counted, not understood: [`head`] finds where its head ends, and of the fields only those that tell
//! how long the body is and whether there was anything. A field's name is compared only where its first letter fits.
//!
//! What a request was is not known here, so responses to HEAD, whose length is of a body that does not come, are not
//! for this reader.

use memchr::memchr;

use crate::limits::HTTP_HEAD_BYTES_MAX as HEAD_BYTES_MAX;

/// What the head of a response tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Length of the head.
    pub head_bytes: usize,
    /// Length of the body, as Content-Length says.
    pub body_bytes: usize,
    /// A field `X-Cache` that begins with `M`: the server had nothing.
    pub is_miss: bool,
}

/// Bytes of the status line up to the reason: `HTTP/1.1 200`.
const STATUS_BYTES: usize = 12;

/// Looks at the response that `input` begins with; `None` when its head is not all there.
///
/// # Errors
/// Text that says why the bytes are no response, or one without a Content-Length.
#[inline]
pub fn head(input: &[u8]) -> Result<Option<Head>, String> {
    let Some(start) = input.first_chunk::<STATUS_BYTES>() else { return Ok(None) };
    let status = status(start)?;
    let (mut position, mut body_bytes, mut is_miss) = (STATUS_BYTES, None, false);
    let mut is_status_line = true;
    while let Some(length) = memchr(b'\n', &input[position..]) {
        let line = &input[position..position + length];
        position += length + 1;
        match line {
            _ if is_status_line => is_status_line = false,
            [] | [b'\r'] => return ended(status, position, body_bytes, is_miss).map(Some),
            [b'C' | b'c', ..] => {
                if let Some(value) = value_of(line, b"content-length") {
                    body_bytes = Some(length_of(value)?);
                }
            }
            [b'X' | b'x', ..] => {
                if let Some(value) = value_of(line, b"x-cache") {
                    is_miss = value.starts_with(b"M");
                }
            }
            _ => {}
        }
    }
    if input.len() > HEAD_BYTES_MAX {
        return Err(format!("a head of more than {HEAD_BYTES_MAX} bytes"));
    }
    Ok(None)
}

/// The status code of a response that begins so.
fn status(start: &[u8; STATUS_BYTES]) -> Result<u16, String> {
    match start {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', _, b' ', code @ ..] if code.iter().all(u8::is_ascii_digit) => {
            Ok(code.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
        }
        _ => Err(format!("'{}' begins no response of HTTP/1", start.escape_ascii())),
    }
}

/// A whole head, whose body must have a known length: by a field, or because such a response has none.
fn ended(status: u16, head_bytes: usize, body_bytes: Option<usize>, is_miss: bool) -> Result<Head, String> {
    let body_bytes = match (status, body_bytes) {
        (100..=199 | 204 | 304, _) => 0,
        (_, Some(bytes)) => bytes,
        (_, None) => return Err(format!("a response of status {status} without Content-Length")),
    };
    Ok(Head { status, head_bytes, body_bytes, is_miss })
}

/// The value of the field on `line`, if it has this name, which is in lower case.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn length_of(value: &[u8]) -> Result<usize, String> {
    let length = value.iter().try_fold(0usize, |length, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        length.checked_mul(10)?.checked_add(digit as usize)
    });
    let length = length.filter(|_| !value.is_empty());
    length.ok_or_else(|| format!("'{}' is no Content-Length", value.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Manner, Response};

    #[test]
    fn heads_are_read_once_they_are_whole() {
        let cases = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", (200, 5, false)),
            ("HTTP/1.0 404 Not Found\r\ncontent-length:0\r\nDate: x\r\n\r\n", (404, 0, false)),
            ("HTTP/1.1 200 OK\r\nX-Cache: MISS\r\nContent-Type: a\r\nContent-Length: 17 \r\n\r\n", (200, 17, true)),
            ("HTTP/1.1 200 OK\r\nx-cache: HIT\r\nX-Cached: M\r\nCONTENT-LENGTH: 1\r\n\r\n", (200, 1, false)),
            ("HTTP/1.1 100 Continue\r\n\r\n", (100, 0, false)),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", (304, 0, false)),
            ("HTTP/1.1 204 \r\n\r\n", (204, 0, false)),
        ];
        for (text, (status, body_bytes, is_miss)) in cases {
            let head_bytes = text.find("\r\n\r\n").expect("each case has a head") + 4;
            let expected = Head { status, head_bytes, body_bytes, is_miss };
            for end in 0..text.len() {
                let whole = (end >= head_bytes).then_some(expected);
                assert_eq!(head(&text.as_bytes()[..end]), Ok(whole), "{end} bytes of {text:?}");
            }
            assert_eq!(head(text.as_bytes()), Ok(Some(expected)), "{text:?}");
        }
    }

    #[test]
    fn what_has_no_end_or_is_no_response_is_an_error() {
        let long = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(HEAD_BYTES_MAX));
        let cases = [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 2x0 OK\r\n\r\n",
            "-ERR unknown command\r\n",
            &long,
        ];
        for text in cases {
            assert!(head(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn our_own_responses_are_understood() {
        let manner = Manner { second: 0, is_head: false, closes: true };
        let mut out = Vec::new();
        Response::new(&mut out, manner, 200).field("X-Cache", b"MISS").body(b"hello");
        let expected = Head { status: 200, head_bytes: out.len() - 5, body_bytes: 5, is_miss: true };
        assert_eq!(head(&out), Ok(Some(expected)));
    }
}
