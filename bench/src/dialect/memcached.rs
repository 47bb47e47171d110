//! memcached's protocol as a load, by its text commands (`get`, `set`) or its meta commands (`mg`, `ms`).
//!
//! The replies to either are told apart by their first word, so both are read alike.
//!
//! Source: <https://github.com/memcached/memcached/blob/master/doc/protocol.txt>.

use locksley_wire::memcached::node::{Head, head};
use locksley_wire::number::Digits;

use super::{Dialect, Outcome, ReplyHead};
use crate::latency::Kind;

/// The text commands.
#[derive(Debug)]
pub(crate) struct MemcachedText;

/// The meta commands.
#[derive(Debug)]
pub(crate) struct MemcachedMeta;

impl Dialect for MemcachedText {
    const REPLY_HEAD_BYTES: usize = 64;

    #[inline]
    fn read(&self, key: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"get ");
        out.extend_from_slice(key);
        out.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn write(&self, key: &[u8], value: &[u8], ttl_seconds: Option<u32>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"set ");
        out.extend_from_slice(key);
        out.extend_from_slice(b" 0 ");
        put_number(u64::from(ttl_seconds.unwrap_or(0)), out);
        out.push(b' ');
        put_number(value.len() as u64, out);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn reply(&self, _: Kind, input: &[u8]) -> Result<Option<ReplyHead>, String> {
        read_head(input)
    }
}

impl Dialect for MemcachedMeta {
    const REPLY_HEAD_BYTES: usize = 16;

    #[inline]
    fn read(&self, key: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"mg ");
        out.extend_from_slice(key);
        out.extend_from_slice(b" v\r\n");
    }

    #[inline]
    fn write(&self, key: &[u8], value: &[u8], ttl_seconds: Option<u32>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"ms ");
        out.extend_from_slice(key);
        out.push(b' ');
        put_number(value.len() as u64, out);
        if let Some(seconds) = ttl_seconds {
            out.extend_from_slice(b" T");
            put_number(u64::from(seconds), out);
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn reply(&self, _: Kind, input: &[u8]) -> Result<Option<ReplyHead>, String> {
        read_head(input)
    }
}

#[inline]
fn put_number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(Digits::of_u64(number).as_bytes());
}

/// The head of a reply; the body of one that is a single line is that line.
#[inline]
fn read_head(input: &[u8]) -> Result<Option<ReplyHead>, String> {
    let line = |outcome, bytes: usize| {
        let body_bytes = input[..bytes].trim_ascii_end().len();
        ReplyHead { outcome, bytes, body_start: 0, body_bytes }
    };
    Ok(head(input)?.map(|head| match head {
        Head::Value { bytes, body_start, body_bytes } => {
            ReplyHead { outcome: Outcome::Hit, bytes, body_start, body_bytes }
        }
        Head::Miss { bytes } => line(Outcome::Miss, bytes),
        Head::Done { bytes } => line(Outcome::Stored, bytes),
        Head::Refused { bytes } => line(Outcome::Refused, bytes),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_told_from_their_head() {
        let cases: [(&[u8], Outcome, usize, usize, usize); 9] = [
            (b"VALUE k 0 5\r\nhello\r\nEND\r\n", Outcome::Hit, 25, 13, 5),
            (b"VALUE k 0 5\r\nhel", Outcome::Hit, 25, 13, 5),
            (b"END\r\n", Outcome::Miss, 5, 0, 3),
            (b"STORED\r\n", Outcome::Stored, 8, 0, 6),
            (b"SERVER_ERROR out of memory\r\n", Outcome::Refused, 28, 0, 26),
            (b"VA 5\r\nhello\r\n", Outcome::Hit, 13, 6, 5),
            (b"EN\r\n", Outcome::Miss, 4, 0, 2),
            (b"HD\r\n", Outcome::Stored, 4, 0, 2),
            (b"NS\r\n", Outcome::Refused, 4, 0, 2),
        ];
        for (input, outcome, bytes, body_start, body_bytes) in cases {
            let expected = Ok(Some(ReplyHead { outcome, bytes, body_start, body_bytes }));
            assert_eq!(MemcachedText.reply(Kind::Read, input), expected, "{}", input.escape_ascii());
            assert_eq!(MemcachedMeta.reply(Kind::Read, input), expected, "{}", input.escape_ascii());
        }
        for input in [&b"VALUE k 0"[..], b"VA", b"HD", b""] {
            assert_eq!(MemcachedText.reply(Kind::Read, input), Ok(None), "{}", input.escape_ascii());
        }
        assert!(MemcachedText.reply(Kind::Read, b"-ERR\r\n").is_err());
    }

    #[test]
    fn requests_are_spelled() {
        let mut out = Vec::new();
        MemcachedText.read(b"k", &mut out);
        MemcachedText.write(b"k", b"abc", Some(60), &mut out);
        MemcachedMeta.read(b"k", &mut out);
        MemcachedMeta.write(b"k", b"abc", Some(60), &mut out);
        MemcachedMeta.write(b"k", b"", None, &mut out);
        let expected = "get k\r\nset k 0 60 3\r\nabc\r\nmg k v\r\nms k 3 T60\r\nabc\r\nms k 0\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
