//! Requests of HTTP/1.1, cut from a stream of bytes.
//!
//! Heads are read by `httparse`; what this file adds is where a request ends: the end of the head, a length, or chunks.
//! Nothing is copied: what a [`Request`] names lies in the input.
//!
//! ```text
//! head ──no body──────────────────────▶ request
//!  ├─ Content-Length ──all there──────▶ request
//!  ├─ chunked ──last chunk there──────▶ request
//!  └─ wants leave (Expect) ───────────▶ Step::Continue, once, then as above
//! ```
//!
//! Invariants:
//! - a head is parsed when its end is there, not byte by byte, and chunks are scanned once;
//! - the same bytes give the same requests however they are split;
//! - after a [`Refusal`] nothing that follows can be understood: the connection is closed.
//!
//! Source: RFC 9112; sections 6.1 and 6.3 for what makes a request's length ambiguous, which is refused.

use memchr::{memchr, memmem};

use super::target::Target;
use crate::limits::{
    HTTP_CHUNK_DIGIT_COUNT_MAX as CHUNK_DIGIT_COUNT_MAX, HTTP_CHUNK_LINE_BYTES_MAX as CHUNK_LINE_BYTES_MAX,
    HTTP_EMPTY_BYTES_MAX as EMPTY_BYTES_MAX, HTTP_FIELD_COUNT_MAX as FIELD_COUNT_MAX,
    HTTP_HEAD_BYTES_MAX as HEAD_BYTES_MAX, HTTP_TARGET_BYTES_MAX as TARGET_BYTES_MAX,
};
use crate::number::INTEGER_TEXT_BYTES_MAX;

/// What a request may be at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest body, in bytes.
    pub body_bytes_max: u64,
}

/// What parsing came to.
#[derive(Debug)]
pub enum Step<'a> {
    /// A whole request.
    Request {
        /// Bytes of it.
        consumed: usize,
        /// What it says.
        request: Request<'a>,
    },
    /// The head is there, and the client waits for leave to send the body (`Expect: 100-continue`).
    Continue,
    /// More bytes are needed.
    Incomplete {
        /// How many at least.
        wanted_bytes: usize,
    },
    /// The request cannot be served, and nothing behind it.
    Refused(Refusal),
}

/// A request method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// PUT.
    Put,
    /// POST.
    Post,
    /// DELETE.
    Delete,
    /// OPTIONS.
    Options,
    /// Any other.
    Other,
}

/// A request with the headers that matter here.
#[derive(Debug)]
pub struct Request<'a> {
    /// What is to be done.
    pub method: Method,
    /// To what.
    pub target: Target<'a>,
    /// `Host`, which HTTP/1.1 demands.
    pub host: Option<&'a [u8]>,
    /// `Origin`.
    pub origin: Option<&'a [u8]>,
    /// `Authorization`.
    pub authorization: Option<&'a [u8]>,
    /// `Accept`.
    pub accept: Option<&'a [u8]>,
    /// `Content-Type`.
    pub content_type: Option<&'a [u8]>,
    /// `Content-Encoding`.
    pub content_encoding: Option<&'a [u8]>,
    /// `If-Match`.
    pub if_match: Option<&'a [u8]>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a [u8]>,
    /// `Access-Control-Request-Method`.
    pub access_control_request_method: Option<&'a [u8]>,
    /// Whether the connection goes on behind the response.
    pub is_keep_alive: bool,
    /// What was sent with it.
    pub body: Body<'a>,
}

/// The body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// As it lies in the input.
    Whole(&'a [u8]),
    /// In chunks: the bytes from the first chunk's size line to the end of the trailers, and the length of the contents.
    Chunked {
        /// The bytes.
        framed: &'a [u8],
        /// Length of what they carry.
        bytes: usize,
    },
}

impl<'a> Body<'a> {
    /// The length of the contents, in bytes.
    pub fn len(&self) -> usize {
        match self {
            Body::Whole(bytes) => bytes.len(),
            Body::Chunked { bytes, .. } => *bytes,
        }
    }

    /// Whether there are no contents.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The contents, piece by piece.
    pub fn pieces(self) -> impl Iterator<Item = &'a [u8]> {
        let (whole, mut framed) = match self {
            Body::Whole(bytes) => (Some(bytes), &b""[..]),
            Body::Chunked { framed, .. } => (None, framed),
        };
        // The chunks were checked when the request was cut.
        let chunks = std::iter::from_fn(move || {
            let line_end = memchr(b'\n', framed)? + 1;
            let bytes = chunk_bytes(&framed[..line_end]).ok().filter(|bytes| *bytes > 0)? as usize;
            let (chunk, rest) = framed[line_end..].split_at(bytes);
            framed = &rest[LINE_END.len()..];
            Some(chunk)
        });
        whole.into_iter().chain(chunks)
    }
}

/// Why a request cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400: the bytes are no request.
    Malformed,
    /// 400: both `Transfer-Encoding` and `Content-Length`, or two lengths: whoever is between may read another end.
    AmbiguousLength,
    /// 400: HTTP/1.1 without a `Host`, or with two.
    MissingHost,
    /// 413: the body is longer than this limit.
    BodyTooLong {
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// 414: the target is longer than allowed.
    TargetTooLong,
    /// 417: an expectation other than 100-continue.
    UnknownExpectation,
    /// 431: the head is too long, or has too many fields.
    HeadTooLong,
    /// 501: a transfer coding other than chunked.
    UnknownCoding,
    /// 505: neither HTTP/1.0 nor 1.1.
    UnknownVersion,
}

impl Refusal {
    /// The status code.
    pub fn status(self) -> u16 {
        match self {
            Refusal::Malformed | Refusal::AmbiguousLength | Refusal::MissingHost => 400,
            Refusal::BodyTooLong { .. } => 413,
            Refusal::TargetTooLong => 414,
            Refusal::UnknownExpectation => 417,
            Refusal::HeadTooLong => 431,
            Refusal::UnknownCoding => 501,
            Refusal::UnknownVersion => 505,
        }
    }

    /// What is wrong, in a sentence that names the limit.
    pub fn sentence(self) -> String {
        match self {
            Refusal::Malformed => "the request is not HTTP".to_owned(),
            Refusal::AmbiguousLength => "the length of the body is said twice".to_owned(),
            Refusal::MissingHost => "one Host field is needed".to_owned(),
            Refusal::BodyTooLong { limit_bytes } => format!("the body is longer than {limit_bytes} bytes"),
            Refusal::TargetTooLong => format!("the target is longer than {TARGET_BYTES_MAX} bytes"),
            Refusal::UnknownExpectation => "100-continue is the only expectation that can be met".to_owned(),
            Refusal::HeadTooLong => {
                format!("the head is longer than {HEAD_BYTES_MAX} bytes or has more than {FIELD_COUNT_MAX} fields")
            }
            Refusal::UnknownCoding => "chunked is the only transfer coding that can be read".to_owned(),
            Refusal::UnknownVersion => "HTTP/1.1 is spoken here".to_owned(),
        }
    }
}

/// Where a connection's stream stands between two calls.
#[derive(Debug, Default)]
pub struct RequestParser {
    /// Bytes in which no end of a head was found.
    searched_bytes: usize,
    /// Leave to send the body was given.
    has_continued: bool,
    /// Of a body in chunks: bytes behind the head that were scanned, and what they carry.
    scanned_bytes: usize,
    carried_bytes: usize,
}

/// What ends each line.
const LINE_END: &[u8; 2] = b"\r\n";

/// How long a body is.
enum Length {
    Known(u64),
    Chunked,
}

/// A head without its body.
struct Head<'a> {
    request: Request<'a>,
    length: Length,
    wants_leave: bool,
}

impl RequestParser {
    /// Looks at the request that `input` (not empty) begins with.
    pub fn parse<'a>(&mut self, input: &'a [u8], limits: &Limits) -> Step<'a> {
        let lead = input.iter().take(EMPTY_BYTES_MAX).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let rest = &input[lead..];
        let searched_bytes = self.searched_bytes.min(rest.len());
        let Some(end) = memmem::find(&rest[searched_bytes..], b"\r\n\r\n") else { return self.unended(rest) };
        let head_bytes = searched_bytes + end + 4;
        self.searched_bytes = searched_bytes + end;
        let head = match read_head(&rest[..head_bytes]) {
            Ok(head) => head,
            Err(refusal) => return Step::Refused(refusal),
        };
        let body = &rest[head_bytes..];
        let wants_leave = head.wants_leave && !self.has_continued && body.is_empty();
        let step = match head.length {
            Length::Known(bytes) if bytes > limits.body_bytes_max => {
                Step::Refused(Refusal::BodyTooLong { limit_bytes: limits.body_bytes_max })
            }
            Length::Known(bytes) if (body.len() as u64) < bytes => {
                Step::Incomplete { wanted_bytes: bytes as usize - body.len() }
            }
            Length::Known(bytes) => {
                let body = Body::Whole(&body[..bytes as usize]);
                let consumed = lead + head_bytes + bytes as usize;
                Step::Request { consumed, request: Request { body, ..head.request } }
            }
            Length::Chunked => self.chunked(body, lead + head_bytes, head.request, limits),
        };
        match step {
            Step::Incomplete { .. } if wants_leave => {
                self.has_continued = true;
                Step::Continue
            }
            Step::Request { .. } => {
                self.reset();
                step
            }
            _ => step,
        }
    }

    /// Forgets where the stream stands: the next input begins with a head.
    pub fn reset(&mut self) {
        *self = RequestParser::default();
    }

    /// A head whose end is not there.
    fn unended<'a>(&mut self, rest: &[u8]) -> Step<'a> {
        if rest.len() > HEAD_BYTES_MAX {
            let line = rest.split(|byte| *byte == b'\n').next().unwrap_or(rest);
            let is_target = line.len() > TARGET_BYTES_MAX;
            return Step::Refused(if is_target { Refusal::TargetTooLong } else { Refusal::HeadTooLong });
        }
        self.searched_bytes = rest.len().saturating_sub(3);
        Step::Incomplete { wanted_bytes: 1 }
    }

    /// A head that is there, and the chunks behind it.
    fn chunked<'a>(&mut self, framed: &'a [u8], head_bytes: usize, request: Request<'a>, limits: &Limits) -> Step<'a> {
        loop {
            let rest = &framed[self.scanned_bytes.min(framed.len())..];
            let Some(line_end) = memchr(b'\n', &rest[..rest.len().min(CHUNK_LINE_BYTES_MAX)]) else {
                if rest.len() >= CHUNK_LINE_BYTES_MAX {
                    return Step::Refused(Refusal::Malformed);
                }
                return Step::Incomplete { wanted_bytes: 1 };
            };
            let line_bytes = line_end + 1;
            let bytes = match chunk_bytes(&rest[..line_bytes]) {
                Ok(bytes) => bytes,
                Err(refusal) => return Step::Refused(refusal),
            };
            if bytes == 0 {
                return self.trailers(framed, line_bytes, head_bytes, request);
            }
            if self.carried_bytes as u64 + bytes > limits.body_bytes_max {
                return Step::Refused(Refusal::BodyTooLong { limit_bytes: limits.body_bytes_max });
            }
            let chunk_end = line_bytes + bytes as usize;
            let wanted_bytes = chunk_end + LINE_END.len();
            if rest.len() < wanted_bytes {
                return Step::Incomplete { wanted_bytes: wanted_bytes - rest.len() };
            }
            if rest[chunk_end..wanted_bytes] != *LINE_END {
                return Step::Refused(Refusal::Malformed);
            }
            self.scanned_bytes += wanted_bytes;
            self.carried_bytes += bytes as usize;
        }
    }

    /// What is behind the last chunk's size: trailers, which are passed over, and an empty line.
    fn trailers<'a>(
        &mut self,
        framed: &'a [u8],
        line_bytes: usize,
        head_bytes: usize,
        request: Request<'a>,
    ) -> Step<'a> {
        let start = self.scanned_bytes + line_bytes;
        let trailers = &framed[start..];
        let end = if trailers.starts_with(LINE_END) {
            Some(LINE_END.len())
        } else {
            memmem::find(trailers, b"\r\n\r\n").map(|end| end + 4)
        };
        match end {
            Some(end) => {
                let framed = &framed[..start + end];
                let body = Body::Chunked { framed, bytes: self.carried_bytes };
                Step::Request { consumed: head_bytes + framed.len(), request: Request { body, ..request } }
            }
            None if trailers.len() > HEAD_BYTES_MAX => Step::Refused(Refusal::HeadTooLong),
            None => Step::Incomplete { wanted_bytes: 1 },
        }
    }
}

/// The size that a chunk's first line, end included, says; extensions are passed over.
fn chunk_bytes(line: &[u8]) -> Result<u64, Refusal> {
    let line = line.strip_suffix(LINE_END).ok_or(Refusal::Malformed)?;
    let digits = line.split(|byte| *byte == b';').next().unwrap_or(line).trim_ascii_end();
    if digits.is_empty() || digits.len() > CHUNK_DIGIT_COUNT_MAX {
        return Err(Refusal::Malformed);
    }
    digits.iter().try_fold(0, |bytes, digit| {
        let digit = char::from(*digit).to_digit(16).ok_or(Refusal::Malformed)?;
        Ok(bytes << 4 | u64::from(digit))
    })
}

fn read_head(head: &[u8]) -> Result<Head<'_>, Refusal> {
    if head.len() > HEAD_BYTES_MAX {
        return Err(Refusal::HeadTooLong);
    }
    let mut fields = [httparse::EMPTY_HEADER; FIELD_COUNT_MAX];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Refusal::Malformed),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLong),
        Err(httparse::Error::Version) => return Err(Refusal::UnknownVersion),
        Err(_) => return Err(Refusal::Malformed),
    }
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(Refusal::Malformed);
    };
    if target.len() > TARGET_BYTES_MAX {
        return Err(Refusal::TargetTooLong);
    }
    let target = Target::parse(target.as_bytes()).ok_or(Refusal::Malformed)?;
    let request = Request {
        method: Method::of(method),
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
        is_keep_alive: minor >= 1,
        body: Body::Whole(b""),
    };
    read_fields(parsed.headers, minor, request)
}

/// Goes through the fields of a head.
fn read_fields<'a>(fields: &[httparse::Header<'a>], minor: u8, mut request: Request<'a>) -> Result<Head<'a>, Refusal> {
    let (mut length, mut is_chunked, mut wants_leave) = (None, false, false);
    for field in fields {
        let (name, value) = (field.name, field.value);
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let place = match name.len() {
            4 if is("host") => {
                if request.host.is_some() {
                    return Err(Refusal::MissingHost);
                }
                &mut request.host
            }
            6 if is("accept") => &mut request.accept,
            6 if is("origin") => &mut request.origin,
            6 if is("expect") => {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(Refusal::UnknownExpectation);
                }
                wants_leave = minor >= 1;
                continue;
            }
            8 if is("if-match") => &mut request.if_match,
            10 if is("connection") => {
                for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    if option.eq_ignore_ascii_case(b"close") {
                        request.is_keep_alive = false;
                    } else if option.eq_ignore_ascii_case(b"keep-alive") && minor == 0 {
                        request.is_keep_alive = true;
                    }
                }
                continue;
            }
            12 if is("content-type") => &mut request.content_type,
            13 if is("authorization") => &mut request.authorization,
            13 if is("if-none-match") => &mut request.if_none_match,
            14 if is("content-length") => {
                if length.replace(content_length(value)?).is_some() {
                    return Err(Refusal::AmbiguousLength);
                }
                continue;
            }
            16 if is("content-encoding") => &mut request.content_encoding,
            17 if is("transfer-encoding") => {
                if is_chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(Refusal::UnknownCoding);
                }
                is_chunked = true;
                continue;
            }
            29 if is("access-control-request-method") => &mut request.access_control_request_method,
            _ => continue,
        };
        *place = Some(value);
    }
    if minor >= 1 && request.host.is_none() {
        return Err(Refusal::MissingHost);
    }
    let length = match (length, is_chunked) {
        (Some(_), true) => return Err(Refusal::AmbiguousLength),
        // A proxy of HTTP/1.0 may not have understood the chunks.
        (None, true) if minor == 0 => return Err(Refusal::AmbiguousLength),
        (None, true) => Length::Chunked,
        (length, false) => Length::Known(length.unwrap_or(0)),
    };
    Ok(Head { request, length, wants_leave })
}

fn content_length(value: &[u8]) -> Result<u64, Refusal> {
    let is_number = !value.is_empty() && value.len() < INTEGER_TEXT_BYTES_MAX && value.iter().all(u8::is_ascii_digit);
    if !is_number {
        return Err(if value.contains(&b',') { Refusal::AmbiguousLength } else { Refusal::Malformed });
    }
    Ok(value.iter().fold(0, |length, digit| length * 10 + u64::from(digit - b'0')))
}

impl Method {
    fn of(name: &str) -> Method {
        match name {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "PUT" => Method::Put,
            "POST" => Method::Post,
            "DELETE" => Method::Delete,
            "OPTIONS" => Method::Options,
            _ => Method::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { body_bytes_max: 64 };

    fn refusal(input: &str) -> Option<Refusal> {
        match RequestParser::default().parse(input.as_bytes(), &LIMITS) {
            Step::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let put = |fields: &str, body: &str| format!("PUT / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}");
        let cases = [
            (put("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "abc"), Refusal::AmbiguousLength),
            (put("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), Refusal::AmbiguousLength),
            (put("Content-Length: 3, 3\r\n", "abc"), Refusal::AmbiguousLength),
            (put("Content-Length: +3\r\n", "abc"), Refusal::Malformed),
            (put("Content-Length: -3\r\n", "abc"), Refusal::Malformed),
            (put("Content-Length : 3\r\n", "abc"), Refusal::Malformed),
            (put("Content-Length: 3\r\n folded: 4\r\n", "abc"), Refusal::Malformed),
            (put("Transfer-Encoding: gzip, chunked\r\n", ""), Refusal::UnknownCoding),
            (put("Transfer-Encoding: chunked\r\n", "0x3\r\nabc\r\n"), Refusal::Malformed),
            (put("Transfer-Encoding: chunked\r\n", "3\nabc\r\n"), Refusal::Malformed),
            (put("Transfer-Encoding: chunked\r\n", "3\r\nabcd\r\n"), Refusal::Malformed),
            (put("Transfer-Encoding: chunked\r\n", "41\r\n"), Refusal::BodyTooLong { limit_bytes: 64 }),
            (put("Content-Length: 65\r\n", ""), Refusal::BodyTooLong { limit_bytes: 64 }),
            (put("Host: b\r\n", ""), Refusal::MissingHost),
            (put("Expect: tea\r\n", ""), Refusal::UnknownExpectation),
            ("GET / HTTP/1.1\r\n\r\n".to_owned(), Refusal::MissingHost),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(), Refusal::UnknownVersion),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), Refusal::Malformed),
            ("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(), Refusal::AmbiguousLength),
            (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(9000)), Refusal::TargetTooLong),
            (format!("GET / HTTP/1.1\r\nHost: a\r\n{}", "x".repeat(17_000)), Refusal::HeadTooLong),
            (put(&"A: b\r\n".repeat(80), ""), Refusal::HeadTooLong),
        ];
        for (input, expected) in cases {
            assert_eq!(refusal(&input), Some(expected), "{input:?}");
        }
    }

    #[test]
    fn the_same_bytes_in_pieces_are_the_same_requests() {
        let stream = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n\
            PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Type: a/b\r\n\r\nabcd\
            PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;e=f\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: u\r\n\r\n\
            \r\nDELETE /d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let whole = requests(stream, stream.len());
        assert_eq!(whole.len(), 4);
        assert!(whole[2].ends_with("abc0123456789"));
        for split in 1..stream.len() {
            assert_eq!(requests(stream, split), whole, "split at {split}");
        }
    }

    /// The requests of `stream`, of which the first `split` bytes come before the rest.
    fn requests(stream: &[u8], split: usize) -> Vec<String> {
        let (mut parser, mut found, mut position) = (RequestParser::default(), Vec::new(), 0);
        for end in [split, stream.len()] {
            while position < end {
                match parser.parse(&stream[position..end], &LIMITS) {
                    Step::Request { consumed, request } => {
                        let body: Vec<u8> = request.body.pieces().collect::<Vec<_>>().concat();
                        assert_eq!(body.len(), request.body.len());
                        let head = Request { body: Body::Whole(b""), ..request };
                        found.push(format!("{head:?} {}", body.escape_ascii()));
                        position += consumed;
                    }
                    Step::Incomplete { .. } => break,
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(position, stream.len());
        found
    }

    #[test]
    fn leave_to_send_is_given_once() {
        let head = b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
        let mut parser = RequestParser::default();
        assert!(matches!(parser.parse(head, &LIMITS), Step::Continue));
        assert!(matches!(parser.parse(head, &LIMITS), Step::Incomplete { wanted_bytes: 3 }));
        let whole = [&head[..], b"abc"].concat();
        assert!(matches!(parser.parse(&whole, &LIMITS), Step::Request { .. }));
    }
}
