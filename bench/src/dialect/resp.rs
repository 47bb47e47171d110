//! RESP as a load: `GET` or `GETL`, and `SET`.

use locksley_wire::number::Digits;
use locksley_wire::resp::{MalformedReply, Node, Nodes, Protocol, Reply};

use super::{Dialect, Outcome, ReplyHead};
use crate::{latency::Kind, options::ReadCommand};

/// Bytes of a line end.
const LINE_END_BYTES: usize = 2;

/// How many nodes a reply to `GETL` has that is not the value alone: state, token, value.
const LEASE_NODES: usize = 3;

/// RESP, in either version: the replies to `GET`, `GETL` and `SET` differ in the null only.
#[derive(Debug)]
pub(crate) struct Resp {
    /// What a request that reads has before its key.
    opening: &'static [u8],
    /// What it has behind it.
    ending: &'static [u8],
}

impl Resp {
    /// RESP that reads by this command.
    pub(crate) fn new(command: ReadCommand) -> Self {
        let (opening, ending): (&[u8], &[u8]) = match command {
            ReadCommand::Get => (b"*2\r\n$3\r\nGET\r\n", b""),
            ReadCommand::Getl => (b"*3\r\n$4\r\nGETL\r\n", b"$4\r\n1000\r\n"),
        };
        Self { opening, ending }
    }
}

impl Dialect for Resp {
    const REPLY_HEAD_BYTES: usize = 16;

    #[inline]
    fn read(&self, key: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(self.opening);
        Reply::new(out, Protocol::Resp2).bulk(key);
        out.extend_from_slice(self.ending);
    }

    #[inline]
    fn write(&self, key: &[u8], value: &[u8], ttl_seconds: Option<u32>, out: &mut Vec<u8>) {
        let opening: &[u8] = if ttl_seconds.is_some() { b"*5\r\n$3\r\nSET\r\n" } else { b"*3\r\n$3\r\nSET\r\n" };
        out.extend_from_slice(opening);
        let mut encoder = Reply::new(out, Protocol::Resp2);
        encoder.bulk(key);
        encoder.bulk(value);
        if let Some(seconds) = ttl_seconds {
            encoder.bulk(b"EX");
            encoder.bulk(Digits::of_u64(u64::from(seconds)).as_bytes());
        }
    }

    #[inline]
    fn reply(&self, _: Kind, input: &[u8]) -> Result<Option<ReplyHead>, String> {
        match input {
            [b'+', b'O', b'K', b'\r', b'\n', ..] => {
                Ok(Some(ReplyHead { outcome: Outcome::Stored, bytes: 5, body_start: 0, body_bytes: 0 }))
            }
            [b'$', first, ..] if *first != b'-' => Ok(value(input)),
            _ => other(input).map_err(|malformed| format!("a reply is malformed: {malformed}")),
        }
    }
}

/// The head of a string, which may lie beyond the input; `None` also for what the slow path has to look at.
#[inline]
fn value(input: &[u8]) -> Option<ReplyHead> {
    let mut length = 0usize;
    for (index, &byte) in input.iter().enumerate().skip(1).take(10) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            let body_start = index + 2;
            let bytes = body_start + length + 2;
            return Some(ReplyHead { outcome: Outcome::Hit, bytes, body_start, body_bytes: length });
        }
        length = length * 10 + usize::from(digit);
    }
    None
}

/// The head of any other reply.
#[cold]
fn other(input: &[u8]) -> Result<Option<ReplyHead>, MalformedReply> {
    let mut nodes = Nodes::new(input);
    let Some(node) = nodes.next_node()? else {
        return Ok(None);
    };
    if node == Node::Array(LEASE_NODES) {
        return lease(nodes);
    }
    let bytes = nodes.consumed();
    let (outcome, body_bytes) = match node {
        Node::Null => (Outcome::Miss, 0),
        Node::Error(text) => (Outcome::Refused, text.len()),
        Node::Simple(_) => (Outcome::Stored, 0),
        _ => return Err(MalformedReply::UnknownType(input[0])),
    };
    Ok(Some(ReplyHead { outcome, bytes, body_start: 1, body_bytes }))
}

/// The head of such a reply, whose array was taken off: a hit if it has a value.
fn lease(mut nodes: Nodes<'_>) -> Result<Option<ReplyHead>, MalformedReply> {
    let mut last = Node::Null;
    for _ in 0..LEASE_NODES {
        let Some(node) = nodes.next_node()? else {
            return Ok(None);
        };
        last = node;
    }
    let bytes = nodes.consumed();
    Ok(Some(match last {
        Node::Bulk(value) => {
            let body_start = bytes - LINE_END_BYTES - value.len();
            ReplyHead { outcome: Outcome::Hit, bytes, body_start, body_bytes: value.len() }
        }
        _ => ReplyHead { outcome: Outcome::Miss, bytes, body_start: 0, body_bytes: 0 },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: ReadCommand = ReadCommand::Get;

    #[test]
    fn replies_are_told_from_their_head() {
        let head =
            |outcome, bytes, body_start, body_bytes| Ok(Some(ReplyHead { outcome, bytes, body_start, body_bytes }));
        let resp = Resp::new(GET);
        assert_eq!(resp.reply(Kind::Read, b"$5\r\nhello\r\n"), head(Outcome::Hit, 11, 4, 5));
        assert_eq!(resp.reply(Kind::Read, b"$1000\r\nhe"), head(Outcome::Hit, 1009, 7, 1000));
        assert_eq!(resp.reply(Kind::Read, b"$-1\r\n"), head(Outcome::Miss, 5, 1, 0));
        assert_eq!(resp.reply(Kind::Read, b"_\r\n"), head(Outcome::Miss, 3, 1, 0));
        assert_eq!(resp.reply(Kind::Read, b"+OK\r\n"), head(Outcome::Stored, 5, 0, 0));
        assert_eq!(resp.reply(Kind::Read, b"-ERR no\r\n"), head(Outcome::Refused, 9, 1, 6));
        let win = b"*3\r\n$3\r\nwin\r\n:7\r\n$-1\r\n";
        let renewal = b"*3\r\n$7\r\nrefresh\r\n:7\r\n$5\r\nhello\r\n";
        assert_eq!(resp.reply(Kind::Read, win), head(Outcome::Miss, win.len(), 0, 0));
        assert_eq!(resp.reply(Kind::Read, renewal), head(Outcome::Hit, renewal.len(), renewal.len() - 7, 5));
        for end in 1..renewal.len() {
            assert_eq!(resp.reply(Kind::Read, &renewal[..end]), Ok(None), "{end}");
        }
        for input in [&b"$"[..], b"$5", b"$-", b"-ERR", b"+O", b"_"] {
            assert_eq!(resp.reply(Kind::Read, input), Ok(None), "{}", input.escape_ascii());
        }
        assert!(resp.reply(Kind::Read, b"HTTP/1.1 400\r\n").is_err());
    }

    #[test]
    fn requests_are_spelled() {
        let mut out = Vec::new();
        let resp = Resp::new(GET);
        resp.read(b"k", &mut out);
        resp.write(b"k", b"v", Some(60), &mut out);
        resp.write(b"k", b"v", None, &mut out);
        let expected = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nEX\r\n$2\r\n60\r\n\
            *3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
        out.clear();
        Resp::new(ReadCommand::Getl).read(b"k", &mut out);
        assert_eq!(String::from_utf8_lossy(&out), "*3\r\n$4\r\nGETL\r\n$1\r\nk\r\n$4\r\n1000\r\n");
    }
}
