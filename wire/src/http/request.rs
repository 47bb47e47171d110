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

use super::target::Target;

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
        // The chunks were checked when the request was cut.
        std::iter::once_with(|| todo!())
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
    /// 414: the target is longer than a head may be.
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
        todo!()
    }

    /// What is wrong, in a sentence that names the limit.
    pub fn sentence(self) -> String {
        todo!()
    }
}

/// Where a connection's stream stands between two calls.
#[derive(Debug, Default)]
pub struct RequestParser {
    searched_bytes: usize,
    has_continued: bool,
}

impl RequestParser {
    /// Looks at the request that `input` (not empty) begins with.
    pub fn parse<'a>(&mut self, _input: &'a [u8], _limits: &Limits) -> Step<'a> {
        todo!()
    }

    /// Forgets where the stream stands: the next input begins with a head.
    pub fn reset(&mut self) {
        *self = RequestParser::default();
    }
}
