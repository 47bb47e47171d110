//! The requests of one connection, parsed where they lie and however they are cut.
//!
//! A request is an array of bulk strings; anything that does not open with `*` is an inline command, a line
//! of words (see [`super::inline`]).
//!
//! ```text
//! *2\r\n            argument count
//! $3\r\n GET\r\n    length line, then that many bytes and a line end
//! $1\r\n k\r\n
//! ```
//!
//! The parser never copies: it hands out [`Span`]s into the caller's bytes. A request that is not complete
//! yet stays with the caller, who calls again with the same bytes and more behind them; the parser remembers
//! how far it came, so that a request in a thousand pieces is still read once, and says how many bytes are
//! missing at least, so that a buffer for a large value is sized once.
//!
//! Invariants:
//! - between calls that answer [`Step::Incomplete`], the input only grows at its end;
//! - after any other step the parser is at rest, and the next input begins with the next request;
//! - every span handed out lies inside the consumed bytes;
//! - what is accepted and in which order errors are found follows Redis 7.0, which for instance does not look
//!   at the two bytes behind an argument and reports a bad length only once its line is complete.

use std::fmt;

use memchr::{memchr, memchr2};

use crate::{limits, number, resp::inline};

/// What is known of the client behind a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may use the whole of the limits: it gave a password, or none is asked for.
    Authenticated,
    /// It owes a password, and may send no more than it takes to give one.
    Unauthenticated,
}

/// What one request may be at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most arguments.
    pub argument_count_max: u32,
    /// Longest argument (`proto-max-bulk-len`).
    pub bulk_bytes_max: u64,
    /// Longest inline request, and longest length line.
    pub inline_bytes_max: u32,
    /// Whether the tight limits of a client that has not given its password apply.
    pub standing: Standing,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            argument_count_max: limits::ARGUMENT_COUNT_MAX,
            bulk_bytes_max: limits::BULK_BYTES_MAX,
            inline_bytes_max: limits::INLINE_BYTES_MAX,
            standing: Standing::Authenticated,
        }
    }
}

/// Where an argument lies, from the first byte of the input that was given to [`RequestParser::parse`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of its first byte.
    pub start: u32,
    /// Its length in bytes.
    pub length: u32,
}

impl Span {
    /// The argument itself.
    ///
    /// # Panics
    /// If `input` is shorter than the input that the span was made from.
    #[inline]
    pub fn of<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize;
        &input[start..start + self.length as usize]
    }
}

/// The arguments that `spans` mark in `input`.
///
/// # Panics
/// If `input` is shorter than the input that the spans were made from.
#[inline]
pub fn args<'a>(input: &'a [u8], spans: &'a [Span]) -> impl ExactSizeIterator<Item = &'a [u8]> {
    spans.iter().map(move |span| span.of(input))
}

/// What one call of [`RequestParser::parse`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A whole request of at least one argument, whose spans were appended.
    Request {
        /// Bytes of the input that it took.
        consumed: usize,
    },
    /// A whole inline request of at least one argument; quoting made copies necessary.
    Inline {
        /// Bytes of the input that it took.
        consumed: usize,
        /// Its words, unquoted.
        args: Vec<Vec<u8>>,
    },
    /// A request without arguments (`*0`, `*-1` or a blank line), to be passed over in silence.
    Empty {
        /// Bytes of the input that it took.
        consumed: usize,
    },
    /// The input ends inside a request.
    Incomplete {
        /// How many bytes are missing at least; never 0.
        wanted_bytes: usize,
    },
}

/// Why a connection's bytes are no requests; the connection is to be closed after the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// An inline request longer than this many bytes.
    InlineTooBig(u32),
    /// An inline request whose quotes do not match.
    UnbalancedQuotes,
    /// An argument count written with more than this many bytes.
    CountLineTooBig(u32),
    /// An argument count that is no number or exceeds this limit.
    InvalidCount(u32),
    /// More arguments than this before authentication.
    UnauthenticatedCount(u32),
    /// An argument length written with more than this many bytes.
    LengthLineTooBig(u32),
    /// This byte in place of the `$` that opens an argument.
    ExpectedBulk(u8),
    /// An argument length that is no number, is negative or exceeds this limit.
    InvalidLength(u64),
    /// An argument longer than this before authentication.
    UnauthenticatedLength(u64),
}

impl ProtocolError {
    /// Appends the text of the error as Redis words it, without code and line end: `Protocol error: ...`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"Protocol error: ");
        match *self {
            Self::InlineTooBig(_) => out.extend_from_slice(b"too big inline request"),
            Self::UnbalancedQuotes => out.extend_from_slice(b"unbalanced quotes in request"),
            Self::CountLineTooBig(_) => out.extend_from_slice(b"too big mbulk count string"),
            Self::InvalidCount(_) => out.extend_from_slice(b"invalid multibulk length"),
            Self::UnauthenticatedCount(_) => out.extend_from_slice(b"unauthenticated multibulk length"),
            Self::LengthLineTooBig(_) => out.extend_from_slice(b"too big bulk count string"),
            Self::ExpectedBulk(byte) => {
                out.extend_from_slice(b"expected '$', got '");
                // The byte stands in a line of its own protocol, which a line end would break.
                out.push(if matches!(byte, b'\r' | b'\n') { b' ' } else { byte });
                out.push(b'\'');
            }
            Self::InvalidLength(_) => out.extend_from_slice(b"invalid bulk length"),
            Self::UnauthenticatedLength(_) => out.extend_from_slice(b"unauthenticated bulk length"),
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        self.write(&mut text);
        formatter.write_str(&String::from_utf8_lossy(&text))
    }
}

impl std::error::Error for ProtocolError {}

/// The place in the stream of one connection.
#[derive(Debug, Default)]
pub struct RequestParser {
    /// Offset of the first byte that is not parsed yet; 0 when at rest.
    position: usize,
    /// Offset up to which a line end was looked for in vain; at least `position` where it matters.
    searched: usize,
    /// Arguments that are still to come, of a request whose count line was read; 0 before that.
    missing_count: u32,
    /// The length of the argument at `position`, when its length line was read.
    bulk_bytes: Option<u32>,
    /// The spans of an incomplete request.
    partial: Vec<Span>,
}

/// More spans than this are not kept for the next incomplete request.
const PARTIAL_SPANS_KEPT_MAX: usize = 64;

/// The shortest argument on the wire: `$0`, line end, line end.
const ARGUMENT_WIRE_BYTES_MIN: usize = 6;

/// A line of a request that opens with a type byte.
enum Line {
    /// Its number, and the offset behind its line end.
    Number { value: i64, next: usize },
    /// Its text is no number.
    Invalid,
    /// Its end is not there.
    Incomplete,
}

impl RequestParser {
    /// Parses the first request of `input` and appends its spans to `spans`.
    ///
    /// `input` begins at the first byte that no earlier request consumed; after [`Step::Incomplete`] it
    /// begins with the same bytes as before. Spans count from the start of `input`.
    ///
    /// # Errors
    /// [`ProtocolError`] as soon as Redis would find one; the connection cannot go on.
    #[inline]
    pub fn parse(&mut self, input: &[u8], limits: &Limits, spans: &mut Vec<Span>) -> Result<Step, ProtocolError> {
        if self.position == 0 {
            match input.first() {
                Some(b'*') => {}
                Some(_) => return self.parse_inline(input, limits),
                None => return Ok(Step::Incomplete { wanted_bytes: 1 }),
            }
            if self.searched == 0 {
                return self.parse_fresh(input, limits, spans);
            }
        }
        self.resume(input, limits, spans)
    }

    /// Forgets an incomplete request, as when a connection is reused.
    pub fn reset(&mut self) {
        self.rest();
        self.partial = Vec::new();
    }

    /// Whether part of a request was read.
    pub fn is_inside_request(&self) -> bool {
        self.position != 0 || self.searched != 0
    }

    #[inline]
    fn rest(&mut self) {
        self.position = 0;
        self.searched = 0;
        self.missing_count = 0;
        self.bulk_bytes = None;
    }

    /// Parses a request of which nothing was read before: the spans go where the caller wants them.
    #[inline]
    fn parse_fresh(&mut self, input: &[u8], limits: &Limits, spans: &mut Vec<Span>) -> Result<Step, ProtocolError> {
        let spans_before = spans.len();
        let step = self.parse_array(input, limits, spans);
        if !matches!(step, Ok(Step::Request { .. })) {
            self.set_aside(spans, spans_before);
        }
        step
    }

    /// Keeps the spans of an incomplete request out of the caller's hands.
    #[cold]
    fn set_aside(&mut self, spans: &mut Vec<Span>, spans_before: usize) {
        debug_assert!(self.partial.is_empty());
        self.partial.extend_from_slice(&spans[spans_before..]);
        spans.truncate(spans_before);
    }

    /// Goes on with a request of which a part was read.
    #[cold]
    fn resume(&mut self, input: &[u8], limits: &Limits, spans: &mut Vec<Span>) -> Result<Step, ProtocolError> {
        debug_assert!(input.len() >= self.position.max(self.searched));
        let mut partial = std::mem::take(&mut self.partial);
        let step = self.parse_array(input, limits, &mut partial);
        match step {
            Ok(Step::Incomplete { .. }) => self.partial = partial,
            Ok(_) => {
                spans.extend_from_slice(&partial);
                if partial.capacity() <= PARTIAL_SPANS_KEPT_MAX {
                    partial.clear();
                    self.partial = partial;
                }
            }
            Err(_) => {}
        }
        step
    }

    /// Parses from `position` to the end of the request or of the input.
    #[inline]
    fn parse_array(&mut self, input: &[u8], limits: &Limits, spans: &mut Vec<Span>) -> Result<Step, ProtocolError> {
        let mut position = self.position;
        let mut missing_count = self.missing_count;
        if missing_count == 0 {
            let (value, next) = match read_line(input, position, self.searched) {
                Line::Number { value, next } => (value, next),
                Line::Invalid => return Err(ProtocolError::InvalidCount(limits.argument_count_max)),
                Line::Incomplete => {
                    self.searched = input.len();
                    if input.len() > limits.inline_bytes_max as usize {
                        return Err(ProtocolError::CountLineTooBig(limits.inline_bytes_max));
                    }
                    return Ok(Step::Incomplete { wanted_bytes: 1 });
                }
            };
            if value <= 0 {
                self.rest();
                return Ok(Step::Empty { consumed: next });
            }
            missing_count = check_count(value, limits)?;
            position = next;
        }
        let mut bulk_bytes = self.bulk_bytes.take();
        loop {
            let length = match bulk_bytes.take() {
                Some(length) => length,
                None => match read_line(input, position, self.searched) {
                    Line::Number { value, next } if input[position] == b'$' => {
                        let length = check_length(value, next, limits)?;
                        position = next;
                        length
                    }
                    Line::Incomplete => {
                        if input.len() - position > limits.inline_bytes_max as usize {
                            return Err(ProtocolError::LengthLineTooBig(limits.inline_bytes_max));
                        }
                        self.pause(position, input.len(), missing_count, None);
                        let wanted_bytes = ARGUMENT_WIRE_BYTES_MIN * missing_count as usize;
                        return Ok(Step::Incomplete {
                            wanted_bytes: wanted_bytes.saturating_sub(input.len() - position).max(1),
                        });
                    }
                    _ if input[position] != b'$' => return Err(ProtocolError::ExpectedBulk(input[position])),
                    _ => return Err(ProtocolError::InvalidLength(limits.bulk_bytes_max)),
                },
            };
            let end = position + length as usize + 2;
            if end > input.len() {
                self.pause(position, input.len(), missing_count, Some(length));
                let wanted_bytes = end - input.len() + ARGUMENT_WIRE_BYTES_MIN * (missing_count as usize - 1);
                return Ok(Step::Incomplete { wanted_bytes });
            }
            spans.push(Span { start: position as u32, length });
            position = end;
            missing_count -= 1;
            if missing_count == 0 {
                self.rest();
                return Ok(Step::Request { consumed: position });
            }
        }
    }

    /// Notes where an incomplete request stands.
    #[cold]
    fn pause(&mut self, position: usize, searched: usize, missing_count: u32, bulk_bytes: Option<u32>) {
        debug_assert!(position > 0 && missing_count > 0);
        self.position = position;
        self.searched = searched;
        self.missing_count = missing_count;
        self.bulk_bytes = bulk_bytes;
    }

    /// Parses an inline request, whose line end has not been found up to `searched`.
    #[cold]
    fn parse_inline(&mut self, input: &[u8], limits: &Limits) -> Result<Step, ProtocolError> {
        // Redis looks for the line end as C does: a zero byte hides what is behind it.
        let found = memchr2(b'\n', 0, &input[self.searched..]);
        let Some(distance) = found.filter(|distance| input[self.searched + distance] != 0) else {
            if input.len() > limits.inline_bytes_max as usize {
                return Err(ProtocolError::InlineTooBig(limits.inline_bytes_max));
            }
            self.searched += found.unwrap_or(input.len() - self.searched);
            return Ok(Step::Incomplete { wanted_bytes: 1 });
        };
        let end = self.searched + distance;
        self.rest();
        let line = &input[..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let args = inline::split(line).ok_or(ProtocolError::UnbalancedQuotes)?;
        let consumed = end + 1;
        Ok(if args.is_empty() { Step::Empty { consumed } } else { Step::Inline { consumed, args } })
    }
}

/// Reads the line at `position`, a type byte and a number, when it is known to have no end before `searched`.
#[inline]
fn read_line(input: &[u8], position: usize, searched: usize) -> Line {
    // The fast path takes what every client sends: a few digits without sign or leading zero.
    let line = input.get(position + 1..).unwrap_or_default();
    let mut value = 0i64;
    for (index, &byte) in line.iter().enumerate().take(10) {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value * 10 + i64::from(digit);
            continue;
        }
        let is_canonical = index == 1 || (index > 1 && line[0] != b'0');
        if byte == b'\r' && is_canonical && index + 1 < line.len() {
            return Line::Number { value, next: position + index + 3 };
        }
        break;
    }
    read_odd_line(input, position, searched)
}

/// Reads a line that the fast path of [`read_line`] does not take, by the letter of Redis.
#[cold]
fn read_odd_line(input: &[u8], position: usize, searched: usize) -> Line {
    // The last byte that was searched is looked at again: it may be the carriage return of an unfinished line end.
    let from = searched.saturating_sub(1).max(position).min(input.len());
    let Some(distance) = memchr(b'\r', &input[from..]) else {
        return Line::Incomplete;
    };
    let end = from + distance;
    if end + 2 > input.len() {
        return Line::Incomplete;
    }
    // A carriage return in place of the type byte leaves nothing to read.
    match input.get(position + 1..end).and_then(number::parse_i64) {
        Some(value) => Line::Number { value, next: end + 2 },
        None => Line::Invalid,
    }
}

#[inline]
fn check_count(value: i64, limits: &Limits) -> Result<u32, ProtocolError> {
    if value > i64::from(limits.argument_count_max) {
        return Err(ProtocolError::InvalidCount(limits.argument_count_max));
    }
    if value > i64::from(limits::UNAUTHENTICATED_ARGUMENT_COUNT_MAX) && limits.standing == Standing::Unauthenticated {
        return Err(ProtocolError::UnauthenticatedCount(limits::UNAUTHENTICATED_ARGUMENT_COUNT_MAX));
    }
    Ok(value as u32)
}

#[inline]
fn check_length(value: i64, position: usize, limits: &Limits) -> Result<u32, ProtocolError> {
    let Ok(length) = u64::try_from(value) else {
        return Err(ProtocolError::InvalidLength(limits.bulk_bytes_max));
    };
    if length > limits.bulk_bytes_max || position as u64 + length + 2 > limits::REQUEST_BYTES_MAX {
        return Err(ProtocolError::InvalidLength(limits.bulk_bytes_max));
    }
    if length > limits::UNAUTHENTICATED_BULK_BYTES_MAX && limits.standing == Standing::Unauthenticated {
        return Err(ProtocolError::UnauthenticatedLength(limits::UNAUTHENTICATED_BULK_BYTES_MAX));
    }
    Ok(length as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a stream of requests amounts to: each request's arguments, then the error that ended it.
    type Requests = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

    /// Feeds `pieces` one after the other, as a connection does, keeping only what is not consumed.
    fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: &Limits) -> Requests {
        let mut parser = RequestParser::default();
        let mut requests = Vec::new();
        let mut held = Vec::new();
        let mut spans = Vec::new();
        for piece in pieces {
            held.extend_from_slice(piece);
            let mut begin = 0;
            while begin < held.len() {
                spans.clear();
                match parser.parse(&held[begin..], limits, &mut spans) {
                    Ok(Step::Request { consumed }) => {
                        requests.push(args(&held[begin..], &spans).map(<[u8]>::to_vec).collect());
                        begin += consumed;
                    }
                    Ok(Step::Inline { consumed, args }) => {
                        assert!(spans.is_empty());
                        requests.push(args);
                        begin += consumed;
                    }
                    Ok(Step::Empty { consumed }) => begin += consumed,
                    Ok(Step::Incomplete { wanted_bytes }) => {
                        assert!(wanted_bytes > 0 && spans.is_empty());
                        break;
                    }
                    Err(error) => return (requests, Some(error)),
                }
            }
            held.drain(..begin);
        }
        (requests, None)
    }

    fn words(requests: &[&[&str]]) -> Vec<Vec<Vec<u8>>> {
        requests.iter().map(|args| args.iter().map(|arg| arg.as_bytes().to_vec()).collect()).collect()
    }

    #[test]
    fn requests_are_read_however_they_are_cut() {
        let input = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\r\nbc\r\n*0\r\nPING 'a b' \"c\\x41\"\r\n\r\n*-1\r\n*1\r\n$0\r\n\r\n\
            *2\r\n$12\r\nabcdefghijkl\r\n$-0\r\n";
        let expected = words(&[&["SET", "k", "a\r\nbc"], &["PING", "a b", "cA"], &[""]]);
        let limits = Limits::default();
        for first in 0..=input.len() {
            for second in first..=input.len() {
                let pieces = [&input[..first], &input[first..second], &input[second..]];
                let (requests, error) = feed(pieces, &limits);
                assert_eq!(requests, expected, "cut at {first} and {second}");
                assert_eq!(error, Some(ProtocolError::InvalidLength(limits.bulk_bytes_max)));
            }
        }
        assert_eq!(feed(input.chunks(1), &limits).0, expected);
    }

    #[test]
    fn protocol_errors_have_the_texts_of_redis() {
        #[rustfmt::skip]
        let cases: &[(&[u8], &str)] = &[
            (b"*a\r\n", "invalid multibulk length"),
            (b"*1048577\r\n", "invalid multibulk length"),
            (b"*+1\r\n", "invalid multibulk length"),
            (b"*01\r\n", "invalid multibulk length"),
            (b"*99999999999999999999\r\n", "invalid multibulk length"),
            (b"*\r\n", "invalid multibulk length"),
            (b"*1\r\n+3\r\n", "expected '$', got '+'"),
            (b"*1\r\nabc\r\n", "expected '$', got 'a'"),
            (b"*1\r\n\r\n", "expected '$', got ' '"),
            (b"*1\r\n$a\r\n", "invalid bulk length"),
            (b"*1\r\n$-1\r\n", "invalid bulk length"),
            (b"*1\r\n$\r\n", "invalid bulk length"),
            (b"*1\r\n$536870913\r\n", "invalid bulk length"),
            (b"SET \"a\r\n", "unbalanced quotes in request"),
            (b"SET 'a'b\r\n", "unbalanced quotes in request"),
        ];
        for (input, text) in cases {
            for cut in 0..input.len() {
                let (requests, error) = feed([&input[..cut], &input[cut..]], &Limits::default());
                assert!(requests.is_empty());
                let shown = error.map(|error| error.to_string());
                assert_eq!(shown, Some(format!("Protocol error: {text}")), "{}", input.escape_ascii());
            }
        }
    }

    #[test]
    fn lines_without_end_are_refused_past_their_limit() {
        let limits = Limits::default();
        let long = vec![b'1'; limits.inline_bytes_max as usize + 1];
        #[rustfmt::skip]
        let cases: [(&[u8], ProtocolError); 3] = [
            (b"", ProtocolError::InlineTooBig(65_536)),
            (b"*", ProtocolError::CountLineTooBig(65_536)),
            (b"*1\r\n$", ProtocolError::LengthLineTooBig(65_536)),
        ];
        for (opening, expected) in cases {
            let input = [opening, &long].concat();
            assert_eq!(feed([&input[..]], &limits), (vec![], Some(expected)));
            assert_eq!(feed(input.chunks(7), &limits), (vec![], Some(expected)));
        }
        assert_eq!(feed([&long[..100]], &limits), (vec![], None));
    }

    #[test]
    fn a_client_without_password_has_tight_limits() {
        let limits = Limits { standing: Standing::Unauthenticated, ..Limits::default() };
        let text = |input: &[u8]| feed([input], &limits).1.map(|error| error.to_string());
        assert_eq!(text(b"*11\r\n").as_deref(), Some("Protocol error: unauthenticated multibulk length"));
        assert_eq!(text(b"*10\r\n"), None);
        assert_eq!(text(b"*1\r\n$16385\r\n").as_deref(), Some("Protocol error: unauthenticated bulk length"));
        assert_eq!(text(b"*1\r\n$16384\r\n"), None);
    }

    #[test]
    fn the_missing_bytes_of_a_large_value_are_told() {
        let mut parser = RequestParser::default();
        let mut spans = Vec::new();
        let mut input = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$500000000\r\n".to_vec();
        let step = parser.parse(&input, &Limits::default(), &mut spans);
        assert_eq!(step, Ok(Step::Incomplete { wanted_bytes: 500_000_002 }));
        input.extend_from_slice(&[b'x'; 1000]);
        let step = parser.parse(&input, &Limits::default(), &mut spans);
        assert_eq!(step, Ok(Step::Incomplete { wanted_bytes: 499_999_002 }));
        assert!(parser.is_inside_request());
        parser.reset();
        assert!(!parser.is_inside_request());
    }

    #[test]
    fn spans_are_appended_behind_those_of_earlier_requests() {
        let input = b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
        let mut parser = RequestParser::default();
        let mut spans = Vec::new();
        let limits = Limits::default();
        assert_eq!(parser.parse(input, &limits, &mut spans), Ok(Step::Request { consumed: 14 }));
        assert_eq!(parser.parse(&input[14..], &limits, &mut spans), Ok(Step::Request { consumed: 20 }));
        assert_eq!(args(&input[14..], &spans[1..]).collect::<Vec<_>>(), [&b"GET"[..], b"k"]);
    }
}
