//! Requests of HTTP/1.1, cut from a stream of bytes.
//!
//! What a head says is read in `head.rs`; what this file adds is where a request ends: the end of the head, a length, or
//! chunks. Nothing is copied: what a [`Request`] names lies in the input.
//!
//! ```text
//! head ──no body──────────────────────▶ request
//!  ├─ Content-Length ──all there──────▶ request
//!  ├─ chunked ──last chunk there──────▶ request
//!  └─ wants leave (Expect) ───────────▶ Step::Continue, once, then as above
//! ```
//!
//! Invariants:
//! - a head is parsed when its end is there, and once more when its body came later; nothing else is looked at twice;
//! - the same bytes give the same requests and the same refusal however they are split;
//! - after a [`Refusal`] nothing that follows can be understood: the connection is closed.
//!
//! Source: RFC 9112.

use super::chunks::{self, Chunks, Scan};
use super::head::{Head, Length};
use super::lines::{LINE_END, Lines, Section};
use super::refusal::Refusal;
use super::target::Target;
use crate::limits::HTTP_EMPTY_BYTES_MAX as EMPTY_BYTES_MAX;

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
        let (whole, framed) = match self {
            Body::Whole(bytes) => (Some(bytes), &b""[..]),
            Body::Chunked { framed, .. } => (None, framed),
        };
        whole.into_iter().chain(chunks::pieces(framed))
    }
}

/// Where a connection's stream stands between two calls.
#[derive(Debug, Default)]
pub struct RequestParser {
    stage: Stage,
    /// While a head comes: how far its lines were looked at.
    lines: Lines,
    /// Length of the head, once it is there, and of the empty lines before it.
    head_bytes: usize,
}

/// What is missing of a request.
#[derive(Debug, Default)]
enum Stage {
    /// The end of its head.
    #[default]
    Head,
    /// The end of a body of known length.
    Body { bytes: usize },
    /// The last chunk, and the trailers.
    Chunks { chunks: Chunks, body_bytes_max: u64 },
}

/// What of a body has come.
enum Arrived<'a> {
    /// All of it, and the bytes that it takes.
    Whole(Body<'a>, usize),
    /// Not so many bytes, at least.
    Part { wanted_bytes: usize },
}

impl RequestParser {
    /// Looks at the request that `input` (not empty) begins with; `limits` says from its head, which comes without its
    /// body, what it may be at most, if there is a body.
    ///
    /// Until the request is whole, refused or forgotten, `input` has to begin with the same bytes in each call.
    pub fn parse<'a>(&mut self, input: &'a [u8], limits: impl Fn(&Request<'a>) -> Limits) -> Step<'a> {
        self.step(input, limits).unwrap_or_else(Step::Refused)
    }

    /// Forgets where the stream stands: the next input begins with a head.
    pub fn reset(&mut self) {
        *self = RequestParser::default();
    }

    fn step<'a>(&mut self, input: &'a [u8], limits: impl Fn(&Request<'a>) -> Limits) -> Result<Step<'a>, Refusal> {
        let lead_bytes = lead_bytes(input);
        let (mut request, mut wants_leave) = (None, false);
        if matches!(self.stage, Stage::Head) {
            let rest = &input[lead_bytes..];
            match rest {
                [] | [b'\r'] => return Ok(Step::Incomplete { wanted_bytes: 1 }),
                // No method begins so. TLS does, and should not wait for an answer that never comes.
                [first, ..] if !first.is_ascii_alphanumeric() => return Err(Refusal::Malformed),
                _ => {}
            }
            let Some(bytes) = self.lines.end(Section::Head, rest)? else {
                return Ok(Step::Incomplete { wanted_bytes: 1 });
            };
            let head = Head::parse(&rest[..bytes])?;
            self.stage = Stage::behind(&head, limits)?;
            self.head_bytes = lead_bytes + bytes;
            wants_leave = head.wants_leave && input.len() == self.head_bytes;
            request = Some(head.request);
        }
        let rest = &input[self.head_bytes..];
        let (body, body_bytes) = match self.stage.body(rest)? {
            Arrived::Whole(body, body_bytes) => (body, body_bytes),
            Arrived::Part { .. } if wants_leave => return Ok(Step::Continue),
            Arrived::Part { wanted_bytes } => return Ok(Step::Incomplete { wanted_bytes }),
        };
        let request = match request {
            Some(request) => request,
            // The body came later than the head, which could not be kept: it lies in a buffer that grows.
            None => Head::parse(&input[lead_bytes..self.head_bytes])?.request,
        };
        let consumed = self.head_bytes + body_bytes;
        self.reset();
        Ok(Step::Request { consumed, request: Request { body, ..request } })
    }
}

impl Stage {
    /// What follows a head.
    fn behind<'a>(head: &Head<'a>, limits: impl Fn(&Request<'a>) -> Limits) -> Result<Stage, Refusal> {
        if head.length == Length::Known(0) {
            return Ok(Stage::Body { bytes: 0 });
        }
        let Limits { body_bytes_max } = limits(&head.request);
        match head.length {
            Length::Known(bytes) if bytes > body_bytes_max => Err(Refusal::BodyTooLong { limit_bytes: body_bytes_max }),
            Length::Known(bytes) => Ok(Stage::Body { bytes: bytes as usize }),
            Length::Chunked => Ok(Stage::Chunks { chunks: Chunks::default(), body_bytes_max }),
        }
    }

    /// Looks at the body that `rest`, which is behind the head, begins with.
    fn body<'a>(&mut self, rest: &'a [u8]) -> Result<Arrived<'a>, Refusal> {
        match self {
            Stage::Head => unreachable!("a body is asked for behind a head"),
            Stage::Body { bytes } => {
                let body = rest.get(..*bytes).map(|body| Arrived::Whole(Body::Whole(body), *bytes));
                Ok(body.unwrap_or_else(|| Arrived::Part { wanted_bytes: *bytes - rest.len() }))
            }
            Stage::Chunks { chunks, body_bytes_max } => match chunks.scan(rest, *body_bytes_max)? {
                Scan::Missing(wanted_bytes) => Ok(Arrived::Part { wanted_bytes }),
                Scan::Complete { framed_bytes, carried_bytes } => {
                    let body = Body::Chunked { framed: &rest[..framed_bytes], bytes: carried_bytes };
                    Ok(Arrived::Whole(body, framed_bytes))
                }
            },
        }
    }
}

/// Bytes of the empty lines that `input` begins with, as far as they are passed over.
fn lead_bytes(input: &[u8]) -> usize {
    let lines = input.chunks_exact(LINE_END.len()).take(EMPTY_BYTES_MAX / LINE_END.len());
    lines.take_while(|line| line == LINE_END).count() * LINE_END.len()
}

impl Method {
    /// The method of this name, which is in capitals.
    pub(super) fn of(name: &str) -> Method {
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

    /// The requests of `stream`, which comes in pieces that end at `ends`, and what it ended with if it was refused.
    fn requests(stream: &[u8], ends: impl IntoIterator<Item = usize>) -> (Vec<String>, Option<Refusal>) {
        let (mut parser, mut found, mut position) = (RequestParser::default(), Vec::new(), 0);
        for end in ends.into_iter().chain([stream.len()]) {
            while position < end {
                match parser.parse(&stream[position..end], |_| LIMITS) {
                    Step::Request { consumed, request } => {
                        let body: Vec<u8> = request.body.pieces().collect::<Vec<_>>().concat();
                        assert_eq!(body.len(), request.body.len());
                        let head = Request { body: Body::Whole(b""), ..request };
                        found.push(format!("{head:?} {}", body.escape_ascii()));
                        position += consumed;
                    }
                    Step::Continue => {}
                    Step::Incomplete { wanted_bytes } => {
                        assert!(wanted_bytes > 0);
                        break;
                    }
                    Step::Refused(refusal) => return (found, Some(refusal)),
                }
            }
        }
        (found, None)
    }

    /// Cuts `stream` once at every boundary, and at all of them.
    fn check_splits(stream: &[u8]) -> (Vec<String>, Option<Refusal>) {
        let whole = requests(stream, []);
        for split in 1..stream.len() {
            assert_eq!(requests(stream, [split]), whole, "split at {split}");
        }
        assert_eq!(requests(stream, 1..stream.len()), whole, "byte by byte");
        whole
    }

    #[test]
    fn the_same_bytes_in_pieces_are_the_same_requests() {
        let stream = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n\
            PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Type: a/b\r\n\r\nabcd\
            PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;e=f\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: u\r\n\r\n\
            \r\n\r\nPUT /d HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nabcd\
            DELETE /e HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let (found, refusal) = check_splits(stream);
        assert_eq!((found.len(), refusal), (5, None));
        assert!(found[2].ends_with(" abc0123456789"));
    }

    #[test]
    fn a_stream_is_refused_alike_in_pieces() {
        let put = |fields: &str, body: &str| format!("PUT / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}");
        let too_long = Refusal::BodyTooLong { limit_bytes: 64 };
        let chunked = "Transfer-Encoding: chunked\r\n";
        let cases = [
            (put("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "abc"), Refusal::AmbiguousLength),
            (put("Content-Length: 65\r\n", ""), too_long),
            (put("Content-Length: 65\r\nExpect: 100-continue\r\n", ""), too_long),
            (put("Content-Length: 18446744073709551617\r\n", ""), too_long),
            (put(chunked, "41\r\n"), too_long),
            (put(chunked, "40\r\n0123456789012345678901234567890123456789012345678901234567890123\r\n1\r\n"), too_long),
            (put(chunked, "3\nabc\r\n"), Refusal::Malformed),
            // What is an end to somebody else is none here, and the other way round.
            ("GET / HTTP/1.1\nHost: a\n\n".to_owned(), Refusal::Malformed),
            ("GET / HTTP/1.1\r\nHost: a\n\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), Refusal::Malformed),
            ("GET / HTTP/1.1\r\nHost: a\r\n\n".to_owned(), Refusal::Malformed),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n".to_owned(), Refusal::Malformed),
            ("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n".to_owned(), Refusal::Malformed),
            ("\n".to_owned(), Refusal::Malformed),
            ("\r\r\n".to_owned(), Refusal::Malformed),
            (" GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), Refusal::Malformed),
            ("\r\n".repeat(EMPTY_BYTES_MAX / 2 + 1), Refusal::Malformed),
            ("\x16\x03\x01".to_owned(), Refusal::Malformed),
            (format!("GET /{}", "x".repeat(9_000)), Refusal::TargetTooLong),
            (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(17_000)), Refusal::TargetTooLong),
            (format!("GET / HTTP/1.1\r\nHost: a\r\n{}", "x".repeat(17_000)), Refusal::HeadTooLong),
            (format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n", "x".repeat(17_000)), Refusal::HeadTooLong),
            (put(&"A: b\r\n".repeat(80), ""), Refusal::HeadTooLong),
        ];
        for (input, expected) in cases {
            let stream = input.as_bytes();
            let whole = requests(stream, []);
            assert_eq!(whole, (Vec::new(), Some(expected)), "{input:.80?}");
            if stream.len() < 1_000 {
                check_splits(stream);
            } else {
                assert_eq!(requests(stream, 1..stream.len()), whole, "byte by byte: {input:.80?}");
            }
        }
    }

    #[test]
    fn leave_to_send_is_given_once() {
        let head = b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
        let mut parser = RequestParser::default();
        assert!(matches!(parser.parse(head, |_| LIMITS), Step::Continue));
        assert!(matches!(parser.parse(head, |_| LIMITS), Step::Incomplete { wanted_bytes: 3 }));
        let whole = [&head[..], b"abc"].concat();
        assert!(matches!(parser.parse(&whole, |_| LIMITS), Step::Request { .. }));
        assert!(matches!(parser.parse(head, |_| LIMITS), Step::Continue), "the next request is another");
        parser.reset();
        let begun = [&head[..], b"a"].concat();
        assert!(matches!(parser.parse(&begun, |_| LIMITS), Step::Incomplete { wanted_bytes: 2 }), "it did not wait");
    }

    #[test]
    fn no_leave_is_given_where_nothing_comes_or_nobody_waits() {
        let cases = [
            "PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
        ];
        for head in cases {
            let step = RequestParser::default().parse(head.as_bytes(), |_| LIMITS);
            assert!(matches!(step, Step::Incomplete { .. } | Step::Request { .. }), "{head:?}: {step:?}");
        }
    }

    #[test]
    fn limits_are_asked_for_where_there_is_a_body() {
        let get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let step = RequestParser::default().parse(get, |_| panic!("there is no body"));
        assert!(matches!(step, Step::Request { consumed, .. } if consumed == get.len()));
        let put = b"PUT /long HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
        let limits =
            |request: &Request<'_>| Limits { body_bytes_max: if request.target.path == b"/long" { 3 } else { 2 } };
        assert!(matches!(RequestParser::default().parse(put, limits), Step::Request { .. }));
    }
}
