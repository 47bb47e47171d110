//! The text protocol of memcached as a load: `get` and `set`.
//!
//! Source: <https://github.com/memcached/memcached/blob/master/doc/protocol.txt>.

use locksley_wire::number::{Digits, parse_u64};

use super::{Dialect, Outcome, ReplyHead};

/// The text protocol.
#[derive(Debug)]
pub(crate) struct Memcached;

/// What ends the reply to `get`.
const END: &[u8] = b"END\r\n";

impl Dialect for Memcached {
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
        out.extend_from_slice(Digits::of_u64(u64::from(ttl_seconds.unwrap_or(0))).as_bytes());
        out.push(b' ');
        out.extend_from_slice(Digits::of_u64(value.len() as u64).as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn reply(&self, input: &[u8]) -> Result<Option<ReplyHead>, String> {
        let Some(line_bytes) = input.iter().position(|&byte| byte == b'\n').map(|end| end + 1) else {
            return Ok(None);
        };
        let line = input[..line_bytes].trim_ascii_end();
        let plain = |outcome| Ok(Some(ReplyHead { outcome, bytes: line_bytes, body_start: 0, body_bytes: line.len() }));
        match line {
            b"STORED" => plain(Outcome::Stored),
            b"END" => plain(Outcome::Miss),
            [b'V', b'A', b'L', b'U', b'E', b' ', ..] => {
                let length = line.rsplit(|&byte| byte == b' ').next().and_then(parse_u64);
                let body_bytes = length.ok_or_else(|| format!("a bad VALUE line: {}", line.escape_ascii()))? as usize;
                let bytes = line_bytes + body_bytes + 2 + END.len();
                Ok(Some(ReplyHead { outcome: Outcome::Hit, bytes, body_start: line_bytes, body_bytes }))
            }
            _ if [&b"ERROR"[..], b"CLIENT_ERROR", b"SERVER_ERROR", b"NOT_STORED"]
                .iter()
                .any(|word| line.starts_with(word)) =>
            {
                plain(Outcome::Refused)
            }
            _ => Err(format!("a reply is malformed: {}", line.escape_ascii())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_told_from_their_head() {
        let head =
            |outcome, bytes, body_start, body_bytes| Ok(Some(ReplyHead { outcome, bytes, body_start, body_bytes }));
        assert_eq!(Memcached.reply(b"VALUE k 0 5\r\nhello\r\nEND\r\n"), head(Outcome::Hit, 25, 13, 5));
        assert_eq!(Memcached.reply(b"END\r\n"), head(Outcome::Miss, 5, 0, 3));
        assert_eq!(Memcached.reply(b"STORED\r\n"), head(Outcome::Stored, 8, 0, 6));
        assert_eq!(Memcached.reply(b"SERVER_ERROR out of memory\r\n"), head(Outcome::Refused, 28, 0, 26));
        assert_eq!(Memcached.reply(b"VALUE k 0"), Ok(None));
        assert!(Memcached.reply(b"-ERR\r\n").is_err());
    }

    #[test]
    fn requests_are_spelled() {
        let mut out = Vec::new();
        Memcached.read(b"k", &mut out);
        Memcached.write(b"k", b"abc", Some(60), &mut out);
        assert_eq!(out, b"get k\r\nset k 0 60 3\r\nabc\r\n");
    }
}
