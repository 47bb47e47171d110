//! Responses of HTTP/1.1, appended to a buffer.
//!
//! A response is written front to back, with its length known: status line, `Date`, the fields of the caller,
//! `Content-Length`, `Connection: close` where the connection ends, the body. To HEAD the same head is sent and no body.

use super::date::date;
use crate::number::Digits;

/// What of a request decides how its response is written; small, because it travels with the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// The second in which it came, since the epoch.
    pub second: u32,
    /// It was HEAD: the body is left out.
    pub is_head: bool,
    /// The connection ends behind the response.
    pub closes: bool,
}

/// A response that is being written.
#[derive(Debug)]
#[must_use]
pub struct Response<'o> {
    out: &'o mut Vec<u8>,
    manner: Manner,
}

/// What is before the digits of the body's length.
const LENGTH_NAME: &[u8] = b"Content-Length: ";

/// Bytes of a usual head.
const HEAD_BYTES: usize = 256;

impl<'o> Response<'o> {
    /// Begins a response: status line and `Date`.
    pub fn new(out: &'o mut Vec<u8>, manner: Manner, status: u16) -> Response<'o> {
        out.reserve(HEAD_BYTES);
        if status == 200 {
            out.extend_from_slice(b"HTTP/1.1 200 OK\r\nDate: ");
        } else {
            out.extend_from_slice(b"HTTP/1.1 ");
            out.extend_from_slice(Digits::of_u64(u64::from(status)).as_bytes());
            out.push(b' ');
            out.extend_from_slice(reason(status).as_bytes());
            out.extend_from_slice(b"\r\nDate: ");
        }
        out.extend_from_slice(&date(manner.second));
        out.extend_from_slice(b"\r\n");
        Response { out, manner }
    }

    /// Adds a field, whose value has no line end.
    pub fn field(self, name: &str, value: &[u8]) -> Response<'o> {
        debug_assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n')), "a field is one line");
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        self.out.extend_from_slice(value);
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Adds a field whose value is a number.
    pub fn number(self, name: &str, value: u64) -> Response<'o> {
        self.field(name, Digits::of_u64(value).as_bytes())
    }

    /// Adds fields that are written out already, each with its line end.
    pub fn lines(self, lines: &[u8]) -> Response<'o> {
        debug_assert!(lines.ends_with(b"\r\n"), "each field has its line end");
        self.out.extend_from_slice(lines);
        self
    }

    /// Ends it with what `write` appends, which is taken to have about `likely_bytes`: the closer, the cheaper.
    ///
    /// The length stands before the body and is known behind it. Room is left for as many digits as were likely; where
    /// it takes another number of them, the body is moved.
    pub fn body_with(self, likely_bytes: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let Manner { is_head, .. } = self.manner;
        let likely = Digits::of_u64(likely_bytes as u64);
        let digits_start = self.out.len() + LENGTH_NAME.len();
        let out = self.lines_of_length(likely.as_bytes()).end_head();
        let digits_end = digits_start + likely.as_bytes().len();
        let start = out.len();
        write(out);
        let length = Digits::of_u64((out.len() - start) as u64);
        let length = length.as_bytes();
        if is_head {
            out.truncate(start);
        }
        if length.len() == likely.as_bytes().len() {
            out[digits_start..digits_end].copy_from_slice(length);
        } else {
            out.splice(digits_start..digits_end, length.iter().copied());
        }
    }

    /// Ends it with `body`, and its length.
    pub fn body(self, body: &[u8]) {
        let Manner { is_head, .. } = self.manner;
        let out = self.lines_of_length(Digits::of_u64(body.len() as u64).as_bytes()).end_head();
        if !is_head {
            out.extend_from_slice(body);
        }
    }

    /// Ends it without a body (204, 304).
    pub fn end(self) {
        self.end_head();
    }

    fn lines_of_length(self, digits: &[u8]) -> Response<'o> {
        self.out.extend_from_slice(LENGTH_NAME);
        self.out.extend_from_slice(digits);
        self.out.extend_from_slice(b"\r\n");
        self
    }

    fn end_head(self) -> &'o mut Vec<u8> {
        if self.manner.closes {
            self.out.extend_from_slice(b"Connection: close\r\n");
        }
        self.out.extend_from_slice(b"\r\n");
        self.out
    }
}

/// The reason phrase of a status.
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_has_its_length_and_head_has_no_body() {
        let manner = Manner { second: 784_111_777, is_head: false, closes: false };
        let mut out = Vec::new();
        Response::new(&mut out, manner, 200).field("A", b"b").body(b"hello");
        let head = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nA: b\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), format!("{head}hello"));
        out.clear();
        Response::new(&mut out, Manner { is_head: true, ..manner }, 200).field("A", b"b").body(b"hello");
        assert_eq!(String::from_utf8_lossy(&out), head);
        for likely_bytes in [5, 9, 10, 0, 12_345] {
            for is_head in [false, true] {
                out.clear();
                let response = Response::new(&mut out, Manner { is_head, ..manner }, 200).lines(b"A: b\r\n");
                response.body_with(likely_bytes, |out| out.extend_from_slice(b"hello"));
                assert_eq!(String::from_utf8_lossy(&out), format!("{head}{}", if is_head { "" } else { "hello" }));
            }
        }
        out.clear();
        Response::new(&mut out, Manner { closes: true, ..manner }, 204).end();
        let text = String::from_utf8_lossy(&out).into_owned();
        assert!(text.starts_with("HTTP/1.1 204 No Content\r\n") && text.ends_with("\r\nConnection: close\r\n\r\n"));
    }
}
