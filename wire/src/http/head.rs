//! The head of a request: what it asks for, and how long its body is.
//!
//! `httparse` splits the head and checks its letters; what is judged here is what the fields mean together. Where
//! RFC 9112 lets a server choose between repairing and refusing, it is refused: a repaired head is one that a proxy in
//! front may have read in another way.
//!
//! Source: RFC 9112 sections 3.2 (target and Host), 6.1 and 6.3 (length), 9.3 (connections).

use std::mem::MaybeUninit;

use super::lines::LINE_END;
use super::refusal::Refusal;
use super::request::{Body, Method, Request};
use super::target::Target;
use crate::limits::{HTTP_FIELD_COUNT_MAX as FIELD_COUNT_MAX, HTTP_TARGET_BYTES_MAX as TARGET_BYTES_MAX};

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// So many bytes.
    Known(u64),
    /// As long as its chunks go on.
    Chunked,
}

/// A head without its body.
#[derive(Debug)]
pub(super) struct Head<'a> {
    /// The request, with an empty body.
    pub request: Request<'a>,
    /// The length of the body that comes.
    pub length: Length,
    /// The client waits for leave to send it.
    pub wants_leave: bool,
}

impl<'a> Head<'a> {
    /// Reads `head`, from the first byte of the request line to the empty line, every line of which ends with CR and LF.
    pub(super) fn parse(head: &'a [u8]) -> Result<Head<'a>, Refusal> {
        let mut fields = [const { MaybeUninit::uninit() }; FIELD_COUNT_MAX];
        let mut parsed = httparse::Request::new(&mut []);
        match parsed.parse_with_uninit_headers(head, &mut fields) {
            Ok(httparse::Status::Complete(bytes)) if bytes == head.len() => {}
            Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLong),
            Err(httparse::Error::Version) if names_a_version(head) => return Err(Refusal::UnknownVersion),
            Ok(_) | Err(_) => return Err(Refusal::Malformed),
        }
        let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(Refusal::Malformed);
        };
        if target.len() > TARGET_BYTES_MAX {
            return Err(Refusal::TargetTooLong);
        }
        let method = Method::of(method);
        let (target, authority) = Target::split(target.as_bytes()).ok_or(Refusal::Malformed)?;
        if target.path == b"*" && method != Method::Options {
            return Err(Refusal::Malformed);
        }
        let request = Request {
            method,
            target,
            host: None,
            origin: None,
            authorization: None,
            accept: None,
            content_type: None,
            content_encoding: None,
            if_match: None,
            if_none_match: None,
            access_control_request_method: None,
            // To keep a connection of HTTP/1.0 would have to be said in the response; it is closed.
            is_keep_alive: minor >= 1,
            body: Body::Whole(b""),
        };
        let mut head = read_fields(parsed.headers, minor, request)?;
        // Whoever names a server in the target means that one, whatever the field says.
        head.request.host = authority.or(head.request.host);
        Ok(head)
    }
}

/// Whether the line that `head` begins with ends as one of HTTP does, in whatever version.
fn names_a_version(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == LINE_END[0]).next().unwrap_or(head);
    let mut words = line.split(|byte| *byte == b' ');
    let version = words.nth(2).and_then(|version| version.strip_prefix(b"HTTP/"));
    words.next().is_none()
        && version.is_some_and(|version| matches!(version, [a, b'.', b] if a.is_ascii_digit() && b.is_ascii_digit()))
}

/// Goes through the fields of a head.
fn read_fields<'a>(fields: &[httparse::Header<'a>], minor: u8, mut request: Request<'a>) -> Result<Head<'a>, Refusal> {
    let (mut length, mut is_chunked, mut wants_leave) = (None, false, false);
    for field in fields {
        let (name, value) = (field.name, field.value);
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let place = match name.len() {
            4 if is("host") => {
                if request.host.replace(value).is_some() {
                    return Err(Refusal::MissingHost);
                }
                continue;
            }
            6 if is("accept") => {
                // A list, and no more than a wish: the last line counts, which a program put behind its library's own.
                request.accept = Some(value);
                continue;
            }
            6 if is("expect") => {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(Refusal::UnknownExpectation);
                }
                // A client of HTTP/1.0 does not know what an interim response is.
                wants_leave = minor >= 1;
                continue;
            }
            10 if is("connection") => {
                let mut options = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                if options.any(|option| option.eq_ignore_ascii_case(b"close")) {
                    request.is_keep_alive = false;
                }
                continue;
            }
            14 if is("content-length") => {
                if length.replace(content_length(value)?).is_some() {
                    return Err(Refusal::AmbiguousLength);
                }
                continue;
            }
            17 if is("transfer-encoding") => {
                if is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Refusal::UnknownCoding);
                }
                is_chunked = true;
                continue;
            }
            6 if is("origin") => &mut request.origin,
            8 if is("if-match") => &mut request.if_match,
            12 if is("content-type") => &mut request.content_type,
            13 if is("authorization") => &mut request.authorization,
            13 if is("if-none-match") => &mut request.if_none_match,
            16 if is("content-encoding") => &mut request.content_encoding,
            29 if is("access-control-request-method") => &mut request.access_control_request_method,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err(Refusal::RepeatedField);
        }
    }
    if minor >= 1 && request.host.is_none() {
        return Err(Refusal::MissingHost);
    }
    let length = match (length, is_chunked) {
        (Some(_), true) => return Err(Refusal::AmbiguousLength),
        // A proxy of HTTP/1.0 may have passed on chunks without knowing what they are.
        (None, true) if minor == 0 => return Err(Refusal::AmbiguousLength),
        (None, true) => Length::Chunked,
        (length, false) => Length::Known(length.unwrap_or(0)),
    };
    Ok(Head { request, length, wants_leave })
}

/// A length of digits and nothing else; one past counting is as long as can be said.
fn content_length(value: &[u8]) -> Result<u64, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(if value.contains(&b',') { Refusal::AmbiguousLength } else { Refusal::Malformed });
    }
    let append = |length: u64, digit: &u8| length.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Ok(value.iter().fold(0, append))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(head: &str) -> Result<Head<'_>, Refusal> {
        Head::parse(head.as_bytes())
    }

    #[test]
    fn fields_are_found_whatever_their_case() {
        let head = parse(
            "PUT http://there:1/a?b HTTP/1.1\r\nHOST: here\r\norigin:o\r\nAuthorization: \t c d \t\r\naccept: e\r\n\
             Accept: f\r\ncontent-TYPE: g\r\nContent-Encoding: h\r\nIf-Match: i\r\nif-none-match: j\r\nX-Empty:\r\n\
             Access-Control-Request-Method: k\r\nContent-Length: 0012\r\nConnection: te, Close\r\n\r\n",
        );
        let head = head.expect("this is a head");
        let request = &head.request;
        let fields = [
            (request.host, "there:1"),
            (request.origin, "o"),
            (request.authorization, "c d"),
            (request.accept, "f"),
            (request.content_type, "g"),
            (request.content_encoding, "h"),
            (request.if_match, "i"),
            (request.if_none_match, "j"),
            (request.access_control_request_method, "k"),
        ];
        for (found, expected) in fields {
            assert_eq!(found.map(<[u8]>::escape_ascii).map(|text| text.to_string()).as_deref(), Some(expected));
        }
        assert_eq!((request.method, request.target.path), (Method::Put, &b"/a"[..]));
        assert_eq!((head.length, request.is_keep_alive, head.wants_leave), (Length::Known(12), false, false));
    }

    #[test]
    fn connections_go_on_unless_somebody_wants_them_closed() {
        let cases = [
            ("1.1", "", true),
            ("1.1", "Connection: keep-alive\r\n", true),
            ("1.1", "Connection: closed\r\n", true),
            ("1.1", "Connection: close\r\n", false),
            ("1.1", "Connection: CLOSE, keep-alive\r\n", false),
            ("1.1", "Connection: close\r\nConnection: keep-alive\r\n", false),
            ("1.0", "", false),
            ("1.0", "Connection: keep-alive\r\n", false),
        ];
        for (version, fields, is_keep_alive) in cases {
            let text = format!("GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
            assert_eq!(parse(&text).expect("these are heads").request.is_keep_alive, is_keep_alive, "{text:?}");
        }
    }

    #[test]
    fn a_body_has_one_length() {
        let cases = [
            ("", Ok(Length::Known(0))),
            ("Content-Length: 3\r\n", Ok(Length::Known(3))),
            ("Content-Length: 99999999999999999999999\r\n", Ok(Length::Known(u64::MAX))),
            ("Transfer-Encoding: Chunked\r\n", Ok(Length::Chunked)),
            ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", Err(Refusal::AmbiguousLength)),
            ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", Err(Refusal::AmbiguousLength)),
            ("Content-Length: 3\r\nContent-Length: 3\r\n", Err(Refusal::AmbiguousLength)),
            ("Content-Length: 3\r\ncontent-length: 4\r\n", Err(Refusal::AmbiguousLength)),
            ("Content-Length: 3, 3\r\n", Err(Refusal::AmbiguousLength)),
            ("Content-Length: 3,\r\n", Err(Refusal::AmbiguousLength)),
            ("Content-Length:\r\n", Err(Refusal::Malformed)),
            ("Content-Length: +3\r\n", Err(Refusal::Malformed)),
            ("Content-Length: -3\r\n", Err(Refusal::Malformed)),
            ("Content-Length: 0x3\r\n", Err(Refusal::Malformed)),
            ("Content-Length: 3 4\r\n", Err(Refusal::Malformed)),
            ("Content-Length: 3.0\r\n", Err(Refusal::Malformed)),
            ("Content-Length: \u{663}\r\n", Err(Refusal::Malformed)),
            ("Content-Length : 3\r\n", Err(Refusal::Malformed)),
            (" Content-Length: 3\r\n", Err(Refusal::Malformed)),
            ("Content-Length: 3\r\n folded: 4\r\n", Err(Refusal::Malformed)),
            ("A: b\r\n\tTransfer-Encoding: chunked\r\n", Err(Refusal::Malformed)),
            ("A: b\rContent-Length: 3\r\n", Err(Refusal::Malformed)),
            ("A: b\0\r\n", Err(Refusal::Malformed)),
            ("A\0: b\r\n", Err(Refusal::Malformed)),
            (": b\r\n", Err(Refusal::Malformed)),
            ("A\r\n", Err(Refusal::Malformed)),
            ("Transfer-Encoding: gzip, chunked\r\n", Err(Refusal::UnknownCoding)),
            ("Transfer-Encoding: chunked, identity\r\n", Err(Refusal::UnknownCoding)),
            ("Transfer-Encoding: chunked, chunked\r\n", Err(Refusal::UnknownCoding)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", Err(Refusal::UnknownCoding)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(Refusal::UnknownCoding)),
            ("Transfer-Encoding: identity\r\n", Err(Refusal::UnknownCoding)),
            ("Transfer-Encoding: xchunked\r\n", Err(Refusal::UnknownCoding)),
            ("Transfer-Encoding: \"chunked\"\r\n", Err(Refusal::UnknownCoding)),
            ("Transfer-Encoding:\r\n", Err(Refusal::UnknownCoding)),
            ("Transfer-Encoding: \x0bchunked\r\n", Err(Refusal::Malformed)),
            ("Transfer-Encoding : chunked\r\n", Err(Refusal::Malformed)),
            ("Transfer-Encoding\t: chunked\r\n", Err(Refusal::Malformed)),
        ];
        for (fields, expected) in cases {
            let text = format!("PUT / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            assert_eq!(parse(&text).map(|head| head.length), expected, "{text:?}");
        }
        let chunked = "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(parse(chunked).map(|head| head.length), Err(Refusal::AmbiguousLength));
    }

    #[test]
    fn what_is_no_head_is_refused() {
        let many_fields = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(FIELD_COUNT_MAX + 1));
        let long_target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(TARGET_BYTES_MAX));
        let cases = [
            ("GET / HTTP/1.1\r\n\r\n", Refusal::MissingHost),
            ("GET http://a/ HTTP/1.1\r\n\r\n", Refusal::MissingHost),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Refusal::MissingHost),
            ("GET / HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n", Refusal::MissingHost),
            ("GET / HTTP/1.1\r\nHost: a\r\nOrigin: b\r\nOrigin: c\r\n\r\n", Refusal::RepeatedField),
            ("GET / HTTP/1.1\r\nHost: a\r\nIf-Match: b\r\nIf-Match: c\r\n\r\n", Refusal::RepeatedField),
            ("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", Refusal::UnknownExpectation),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Refusal::UnknownVersion),
            ("GET / HTTP/0.9\r\n\r\n", Refusal::UnknownVersion),
            ("PRI * HTTP/2.0\r\n\r\n", Refusal::UnknownVersion),
            ("GET / HTTP/1.10\r\nHost: a\r\n\r\n", Refusal::Malformed),
            ("GET / http/1.1\r\nHost: a\r\n\r\n", Refusal::Malformed),
            ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Malformed),
            ("GET /a HTTP/1.1 \r\nHost: a\r\n\r\n", Refusal::Malformed),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Malformed),
            ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Malformed),
            ("GET /\r\n\r\n", Refusal::Malformed),
            ("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Malformed),
            ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Malformed),
            ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Malformed),
            ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Malformed),
            ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Malformed),
            (&many_fields, Refusal::HeadTooLong),
            (&long_target, Refusal::TargetTooLong),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).map(|head| head.length), Err(expected), "{text:.60?}");
        }
        parse("OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n").expect("a request about the server as a whole");
        parse("GET / HTTP/1.0\r\n\r\n").expect("HTTP/1.0 needs no Host");
    }
}
