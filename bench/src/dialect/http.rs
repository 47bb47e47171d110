//! REST over HTTP/1.1 as a load: `GET` and `PUT` of `/cache/{key}` with raw bytes, on connections that stay open.
//!
//! With a fixed path every read asks for the same resource, whatever key was drawn, so that a server of files can be
//! measured too. Keys of this program consist of characters that a path may hold as they are.

use locksley_wire::http::node::head;
use locksley_wire::number::Digits;

use super::{Dialect, Outcome, ReplyHead};
use crate::latency::Kind;

/// What stands in front of a key in a path.
const PREFIX: &[u8] = b"/cache/";

/// The media type of raw bytes.
const RAW: &str = "application/octet-stream";

/// HTTP/1.1.
#[derive(Debug)]
pub(crate) struct Http {
    /// What is read in place of keys.
    fixed_path: Option<String>,
    /// A read behind its path.
    read_tail: Vec<u8>,
    /// A write behind its path and query, up to the length of its body.
    write_tail: Vec<u8>,
}

impl Http {
    /// Requests to `authority` (`host:port`), with `password` as Bearer token; reads of `fixed_path` if there is one.
    pub(crate) fn new(authority: &str, password: Option<&str>, fixed_path: Option<&str>) -> Self {
        let token = password.map(|password| format!("Authorization: Bearer {password}\r\n")).unwrap_or_default();
        let common = format!(" HTTP/1.1\r\nHost: {authority}\r\n{token}");
        Self {
            fixed_path: fixed_path.map(str::to_owned),
            read_tail: format!("{common}Accept: {RAW}\r\n\r\n").into_bytes(),
            write_tail: format!("{common}Content-Type: {RAW}\r\nContent-Length: ").into_bytes(),
        }
    }
}

impl Dialect for Http {
    const REPLY_HEAD_BYTES: usize = 256;

    #[inline]
    fn read(&self, key: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"GET ");
        if let Some(path) = &self.fixed_path {
            out.extend_from_slice(path.as_bytes());
        } else {
            out.extend_from_slice(PREFIX);
            out.extend_from_slice(key);
        }
        out.extend_from_slice(&self.read_tail);
    }

    #[inline]
    fn write(&self, key: &[u8], value: &[u8], ttl_seconds: Option<u32>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"PUT ");
        out.extend_from_slice(PREFIX);
        out.extend_from_slice(key);
        if let Some(seconds) = ttl_seconds {
            out.extend_from_slice(b"?ttl_seconds=");
            out.extend_from_slice(Digits::of_u64(u64::from(seconds)).as_bytes());
        }
        out.extend_from_slice(&self.write_tail);
        out.extend_from_slice(Digits::of_u64(value.len() as u64).as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(value);
    }

    #[inline]
    fn reply(&self, kind: Kind, input: &[u8]) -> Result<Option<ReplyHead>, String> {
        let Some(head) = head(input)? else { return Ok(None) };
        let outcome = match (kind, head.status) {
            (Kind::Read, 200) if head.is_miss => Outcome::Miss,
            (Kind::Read, 200) => Outcome::Hit,
            (Kind::Write, 200..=299) => Outcome::Stored,
            _ => Outcome::Refused,
        };
        let bytes = head.head_bytes + head.body_bytes;
        // Why it refused stands in the status as much as in the body.
        let body_start = if outcome == Outcome::Refused { 0 } else { head.head_bytes };
        Ok(Some(ReplyHead { outcome, bytes, body_start, body_bytes: bytes - body_start }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_told_from_their_head() {
        let http = Http::new("h:1", None, None);
        #[rustfmt::skip]
        let cases: [(Kind, &str, &str, Outcome); 7] = [
            (Kind::Read, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Cache: HIT\r\n\r\n", "hello", Outcome::Hit),
            (Kind::Read, "HTTP/1.1 200 OK\r\nServer: files\r\nContent-Length: 0\r\n\r\n", "", Outcome::Hit),
            (Kind::Read, "HTTP/1.1 200 OK\r\nX-Cache: MISS\r\ncontent-length: 0\r\n\r\n", "", Outcome::Miss),
            (Kind::Read, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n", "no", Outcome::Refused),
            (Kind::Write, "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n", "{}", Outcome::Stored),
            (Kind::Write, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "{}", Outcome::Stored),
            (Kind::Write, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\n", "full", Outcome::Refused),
        ];
        for (kind, head, body, outcome) in cases {
            let bytes = head.len() + body.len();
            let body_start = if outcome == Outcome::Refused { 0 } else { head.len() };
            let expected = ReplyHead { outcome, bytes, body_start, body_bytes: bytes - body_start };
            for input in [head.to_owned(), format!("{head}{body}"), format!("{head}{body}HTTP/1.1 2")] {
                assert_eq!(http.reply(kind, input.as_bytes()), Ok(Some(expected)), "{input}");
            }
            assert_eq!(http.reply(kind, &head.as_bytes()[..head.len() - 1]), Ok(None), "{head}");
        }
        assert!(http.reply(Kind::Read, b"-ERR unknown command\r\n").is_err());
    }

    #[test]
    fn requests_are_spelled() {
        let mut out = Vec::new();
        let http = Http::new("h:1", None, None);
        http.read(b"key:1", &mut out);
        http.write(b"key:1", b"abc", Some(60), &mut out);
        http.write(b"key:1", b"", None, &mut out);
        let expected = "GET /cache/key:1 HTTP/1.1\r\nHost: h:1\r\nAccept: application/octet-stream\r\n\r\n\
            PUT /cache/key:1?ttl_seconds=60 HTTP/1.1\r\nHost: h:1\r\nContent-Type: application/octet-stream\r\n\
            Content-Length: 3\r\n\r\nabc\
            PUT /cache/key:1 HTTP/1.1\r\nHost: h:1\r\nContent-Type: application/octet-stream\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn a_password_is_a_token_and_a_fixed_path_replaces_keys() {
        let mut out = Vec::new();
        Http::new("h:1", Some("secret"), Some("/1k.bin")).read(b"key:1", &mut out);
        let expected = "GET /1k.bin HTTP/1.1\r\nHost: h:1\r\nAuthorization: Bearer secret\r\n\
            Accept: application/octet-stream\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
