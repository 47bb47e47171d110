//! Replies, encoded in the dialect of the connection.
//!
//! An encoder appends to the reply buffer of a connection and must cost little more than the copy of the
//! value: short lengths and numbers come from a table of ready headers, each copied as 8 bytes whatever its
//! length and then cut, since a copy of fixed size is one move.

use crate::{
    number::Digits,
    resp::{Protocol, request::ProtocolError},
};

/// How many lengths the tables of ready headers hold.
const HEADER_COUNT: usize = 1_100;

/// A type byte, a number of up to 4 digits and a line end; the last byte is their length.
type Header = [u8; 8];

static BULK_HEADERS: [Header; HEADER_COUNT] = build_headers(b'$');
static ARRAY_HEADERS: [Header; 64] = build_headers(b'*');
static INTEGERS: [Header; 256] = build_headers(b':');

const fn build_headers<const COUNT: usize>(kind: u8) -> [Header; COUNT] {
    assert!(COUNT <= 10_000, "a header has room for 4 digits");
    let mut headers = [[0u8; 8]; COUNT];
    let mut number = 0;
    while number < COUNT {
        let mut divisor = 1000;
        while divisor > 1 && number < divisor {
            divisor /= 10;
        }
        let header = &mut headers[number];
        header[0] = kind;
        let mut length = 1;
        while divisor > 0 {
            header[length] = b'0' + (number / divisor % 10) as u8;
            length += 1;
            divisor /= 10;
        }
        header[length] = b'\r';
        header[length + 1] = b'\n';
        header[7] = length as u8 + 2;
        number += 1;
    }
    headers
}

/// An encoder of replies onto the end of a buffer.
#[derive(Debug)]
pub struct Reply<'a> {
    out: &'a mut Vec<u8>,
    protocol: Protocol,
}

impl<'a> Reply<'a> {
    /// An encoder that appends to `out`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>, protocol: Protocol) -> Self {
        Self { out, protocol }
    }

    /// The dialect in use.
    #[inline]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The buffer that is appended to.
    #[inline]
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Bytes in the buffer, those before the first reply included.
    #[inline]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether the buffer is empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Takes back what was written after the buffer had `length` bytes, as when a handler fails half way.
    #[inline]
    pub fn truncate(&mut self, length: usize) {
        self.out.truncate(length);
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// A status line.
    #[inline]
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// An error line: a code in capitals, a blank, and the text. Line ends in it become blanks.
    #[inline]
    pub fn error(&mut self, text: &str) {
        self.error_bytes(text.as_bytes());
    }

    /// [`Self::error`] for a text that quotes bytes of the client.
    #[cold]
    pub fn error_bytes(&mut self, text: &[u8]) {
        self.out.push(b'-');
        let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        self.out.extend(text.iter().map(|byte| if is_line_end(byte) { b' ' } else { *byte }));
        self.out.extend_from_slice(b"\r\n");
    }

    /// The error after which a connection is closed.
    #[cold]
    pub fn protocol_error(&mut self, error: ProtocolError) {
        let mut text = b"ERR ".to_vec();
        error.write(&mut text);
        self.error_bytes(&text);
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        match usize::try_from(value) {
            Ok(index) if index < INTEGERS.len() => self.header(INTEGERS[index]),
            _ => self.line(b':', Digits::of_i64(value).as_bytes()),
        }
    }

    /// A string of bytes.
    #[inline]
    pub fn bulk(&mut self, value: &[u8]) {
        self.out.reserve(value.len() + INTEGER_LINE_BYTES_MAX + 2);
        self.bulk_header(value.len());
        self.out.extend_from_slice(value);
        self.out.extend_from_slice(b"\r\n");
    }

    /// What precedes the bytes of a string of `length` bytes; the caller appends those and a line end.
    #[inline]
    pub fn bulk_header(&mut self, length: usize) {
        match BULK_HEADERS.get(length) {
            Some(header) => self.header(*header),
            None => self.line(b'$', Digits::of_u64(length as u64).as_bytes()),
        }
    }

    /// The text of an integer as a string of bytes.
    #[inline]
    pub fn bulk_integer(&mut self, value: i64) {
        self.bulk(Digits::of_i64(value).as_bytes());
    }

    /// The absent value: the null string of RESP2, the null of RESP3.
    #[inline]
    pub fn null(&mut self) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// The absent list: the null array of RESP2, the null of RESP3.
    #[inline]
    pub fn null_array(&mut self) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// Opens an array of `count` replies, which follow.
    #[inline]
    pub fn array(&mut self, count: usize) {
        match ARRAY_HEADERS.get(count) {
            Some(header) => self.header(*header),
            None => self.count_line(b'*', count),
        }
    }

    /// Opens a map of `count` pairs, which follow; a flat array in RESP2.
    pub fn map(&mut self, count: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(count * 2),
            Protocol::Resp3 => self.count_line(b'%', count),
        }
    }

    /// Opens a set of `count` replies, which follow; an array in RESP2.
    pub fn set(&mut self, count: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(count),
            Protocol::Resp3 => self.count_line(b'~', count),
        }
    }

    /// Opens a message of `count` replies that answers no request; an array in RESP2.
    pub fn push(&mut self, count: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(count),
            Protocol::Resp3 => self.count_line(b'>', count),
        }
    }

    /// A floating-point number in its shortest exact spelling; a string in RESP2.
    pub fn double(&mut self, value: f64) {
        let text = double_text(value);
        match self.protocol {
            Protocol::Resp2 => self.bulk(text.as_bytes()),
            Protocol::Resp3 => self.line(b',', text.as_bytes()),
        }
    }

    /// A truth value; 1 or 0 in RESP2.
    pub fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(match (self.protocol, value) {
            (Protocol::Resp2, true) => b":1\r\n",
            (Protocol::Resp2, false) => b":0\r\n",
            (Protocol::Resp3, true) => b"#t\r\n",
            (Protocol::Resp3, false) => b"#f\r\n",
        });
    }

    /// A text for a person, with its format of 3 letters (`txt`, `mkd`); a string in RESP2.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        debug_assert_eq!(format.len(), 3);
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                self.count_line(b'=', text.len() + format.len() + 1);
                self.out.extend_from_slice(format.as_bytes());
                self.out.push(b':');
                self.out.extend_from_slice(text);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// An integer of any length, given as its digits; a string in RESP2.
    pub fn big_number(&mut self, digits: &str) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(digits.as_bytes()),
            Protocol::Resp3 => self.line(b'(', digits.as_bytes()),
        }
    }

    #[inline]
    fn header(&mut self, header: Header) {
        let length = self.out.len() + usize::from(header[7]);
        self.out.extend_from_slice(&header);
        self.out.truncate(length);
    }

    #[inline]
    fn line(&mut self, kind: u8, text: &[u8]) {
        self.out.reserve(text.len() + 3);
        self.out.push(kind);
        self.out.extend_from_slice(text);
        self.out.extend_from_slice(b"\r\n");
    }

    fn count_line(&mut self, kind: u8, count: usize) {
        self.line(kind, Digits::of_u64(count as u64).as_bytes());
    }
}

/// The longest line that holds a type byte and an integer.
const INTEGER_LINE_BYTES_MAX: usize = 1 + crate::number::INTEGER_TEXT_BYTES_MAX + 2;

/// `value` in as few digits as give it back, in the layout of C's `%.17g`.
fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let exponent = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    match exponent {
        Some(-4..=16) | None => format!("{value}"),
        Some(exponent) => {
            let mantissa = scientific.split('e').next().unwrap_or_default();
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(encode: impl Fn(&mut Reply<'_>), resp2: &str, resp3: &str) {
        for (protocol, expected) in [(Protocol::Resp2, resp2), (Protocol::Resp3, resp3)] {
            let mut out = b"before".to_vec();
            encode(&mut Reply::new(&mut out, protocol));
            assert_eq!(out.escape_ascii().to_string(), format!("before{}", expected.escape_default()));
        }
    }

    #[test]
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the methods' paths are not general enough to pass")]
    fn replies_are_spelled_in_both_dialects() {
        check(|reply| reply.ok(), "+OK\r\n", "+OK\r\n");
        check(|reply| reply.simple("PONG"), "+PONG\r\n", "+PONG\r\n");
        check(|reply| reply.error("ERR a\r\nb"), "-ERR a  b\r\n", "-ERR a  b\r\n");
        check(|reply| reply.bulk(b""), "$0\r\n\r\n", "$0\r\n\r\n");
        check(|reply| reply.bulk(b"a\r\n"), "$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n");
        check(|reply| reply.bulk_integer(-12), "$3\r\n-12\r\n", "$3\r\n-12\r\n");
        check(|reply| reply.null(), "$-1\r\n", "_\r\n");
        check(|reply| reply.null_array(), "*-1\r\n", "_\r\n");
        check(|reply| reply.array(0), "*0\r\n", "*0\r\n");
        check(|reply| reply.array(1_000_000), "*1000000\r\n", "*1000000\r\n");
        check(|reply| reply.map(2), "*4\r\n", "%2\r\n");
        check(|reply| reply.set(2), "*2\r\n", "~2\r\n");
        check(|reply| reply.push(3), "*3\r\n", ">3\r\n");
        check(|reply| reply.double(3.25), "$4\r\n3.25\r\n", ",3.25\r\n");
        check(|reply| reply.double(f64::INFINITY), "$3\r\ninf\r\n", ",inf\r\n");
        check(|reply| reply.double(1e20), "$5\r\n1e+20\r\n", ",1e+20\r\n");
        check(|reply| reply.double(1.5e-7), "$7\r\n1.5e-07\r\n", ",1.5e-07\r\n");
        check(|reply| reply.boolean(true), ":1\r\n", "#t\r\n");
        check(|reply| reply.verbatim("txt", b"hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
        check(|reply| reply.big_number("123"), "$3\r\n123\r\n", "(123\r\n");
        check(
            |reply| reply.protocol_error(ProtocolError::UnbalancedQuotes),
            "-ERR Protocol error: unbalanced quotes in request\r\n",
            "-ERR Protocol error: unbalanced quotes in request\r\n",
        );
    }

    #[test]
    fn ready_headers_equal_written_ones() {
        for number in (0..1_300usize).chain([9_999, 10_000, usize::MAX >> 1]) {
            check(|reply| reply.integer(number as i64), &format!(":{number}\r\n"), &format!(":{number}\r\n"));
            check(|reply| reply.array(number), &format!("*{number}\r\n"), &format!("*{number}\r\n"));
            check(|reply| reply.bulk_header(number), &format!("${number}\r\n"), &format!("${number}\r\n"));
        }
        check(|reply| reply.integer(i64::MIN), ":-9223372036854775808\r\n", ":-9223372036854775808\r\n");
    }
}
