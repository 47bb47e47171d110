//! Replies as a client reads them: to requests for one key, by text commands and by meta commands.
//!
//! The first line tells all: what the server did, and where the reply ends, though its block may not have come yet. The
//! two families share no first word with two meanings, so a client need not say which it spoke.

use memchr::memchr;

use super::line::{Words, unsigned};
use crate::limits::MEMCACHED_LINE_BYTES_MAX as LINE_BYTES_MAX;

/// What the first bytes of a reply tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// A retrieval's `VALUE` (with the `END` behind it counted in) or a meta `VA`.
    Value {
        /// Length of the whole reply, which may go on beyond the bytes looked at.
        bytes: usize,
        /// Where the block begins.
        body_start: usize,
        /// Its length.
        body_bytes: usize,
    },
    /// `END`, `EN`, `NOT_FOUND`, `NF`.
    Miss {
        /// Length of the whole reply.
        bytes: usize,
    },
    /// `STORED`, `HD`, and other lines of success.
    Done {
        /// Length of the whole reply.
        bytes: usize,
    },
    /// `ERROR`, `CLIENT_ERROR`, `SERVER_ERROR`, or a line that says nothing was done (`NS`, `EX`, ...).
    Refused {
        /// Length of the whole reply.
        bytes: usize,
    },
}

/// What ends a data block.
const BLOCK_END: &[u8] = b"\r\n";

/// Looks at the reply that `input` begins with, the reply to a request for one key; `None` when more bytes are needed.
///
/// # Errors
/// Text that says why the bytes are no reply.
#[inline]
pub fn head(input: &[u8]) -> Result<Option<Head>, String> {
    let Some(end) = memchr(b'\n', &input[..input.len().min(LINE_BYTES_MAX)]) else {
        return if input.len() < LINE_BYTES_MAX { Ok(None) } else { Err(no_reply("a line without an end", input)) };
    };
    let bytes = end + 1;
    let line = input[..end].strip_suffix(b"\r").unwrap_or(&input[..end]);
    let mut words = Words(line);
    let head = match words.next().unwrap_or(b"") {
        // VALUE <key> <flags> <bytes> [<cas>]
        b"VALUE" => value(bytes, words.nth(2), super::reply::END),
        // VA <bytes> <flags>*
        b"VA" => value(bytes, words.next(), b""),
        b"END" | b"EN" | b"NF" | b"NOT_FOUND" => Some(Head::Miss { bytes }),
        b"HD" | b"STORED" | b"DELETED" | b"TOUCHED" | b"OK" | b"MN" | b"ME" | b"VERSION" | b"RESET" => {
            Some(Head::Done { bytes })
        }
        b"NS" | b"EX" | b"NOT_STORED" | b"EXISTS" | b"ERROR" | b"CLIENT_ERROR" | b"SERVER_ERROR" => {
            Some(Head::Refused { bytes })
        }
        // The new number, behind incr and decr.
        word => unsigned(word).map(|_| Head::Done { bytes }),
    };
    head.map(Some).ok_or_else(|| no_reply("no reply of memcached", line))
}

/// The head of a reply whose block begins at `body_start`, has the length that `length` spells, and is followed by its
/// end and `tail`.
#[inline]
fn value(body_start: usize, length: Option<&[u8]>, tail: &[u8]) -> Option<Head> {
    let body_bytes = usize::try_from(unsigned(length?)?).ok()?;
    let bytes = body_start.checked_add(body_bytes)?.checked_add(BLOCK_END.len() + tail.len())?;
    Some(Head::Value { bytes, body_start, body_bytes })
}

#[cold]
fn no_reply(what: &str, bytes: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 80;
    format!("{what}: {}", bytes[..bytes.len().min(SHOWN_BYTES_MAX)].escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memcached::reply;

    /// A head without a block, from the length of the reply.
    type Made = fn(usize) -> Head;

    #[test]
    fn the_first_line_tells_what_was_done() {
        let value = |bytes, body_start, body_bytes| Head::Value { bytes, body_start, body_bytes };
        let cases: &[(Made, &[&str])] = &[
            (|bytes| Head::Miss { bytes }, &["END", "EN", "NF", "NF O7 q", "NOT_FOUND"]),
            (|bytes| Head::Done { bytes }, &["STORED", "DELETED", "TOUCHED", "HD", "HD c1", "MN", "17", "VERSION 1"]),
            (|bytes| Head::Refused { bytes }, &["NS", "EX c1", "NOT_STORED", "EXISTS", "ERROR", "CLIENT_ERROR x y"]),
        ];
        for (expected, lines) in cases {
            for line in *lines {
                let input = format!("{line}\r\nVALUE");
                assert_eq!(head(input.as_bytes()), Ok(Some(expected(line.len() + 2))), "{line}");
            }
        }
        for (input, expected) in [
            ("VALUE k 0 5\r\nhello\r\nEND\r\n", value(25, 13, 5)),
            ("VALUE k 0 5 77\r\nhel", value(28, 16, 5)),
            ("VALUE k 0 0\r\n", value(20, 13, 0)),
            ("VA 5 kfoo c1\r\n", value(21, 14, 5)),
            ("VA 0\r\n\r\n", value(8, 6, 0)),
        ] {
            assert_eq!(head(input.as_bytes()), Ok(Some(expected)), "{input:?}");
        }
    }

    #[test]
    fn what_the_encoder_writes_is_read() {
        for cas in [None, Some(u64::MAX)] {
            let mut out = Vec::new();
            reply::value(b"key", 7, b"a\r\nb", cas, &mut out);
            out.extend_from_slice(reply::END);
            let Ok(Some(Head::Value { bytes, body_start, body_bytes })) = head(&out) else { panic!("{out:?}") };
            assert_eq!((bytes, &out[body_start..body_start + body_bytes]), (out.len(), &b"a\r\nb"[..]));
        }
    }

    #[test]
    fn a_line_is_waited_for_and_has_a_bound() {
        for input in ["", "V", "VALUE k 0 5", "END\r", "EN"] {
            assert_eq!(head(input.as_bytes()), Ok(None), "{input:?}");
        }
        let most = usize::MAX.to_string();
        for input in [
            "\r\n",
            "-ERR\r\n",
            "HTTP/1.1 400 Bad Request\r\n",
            "VALUE k 0\r\n",
            "VALUE k 0 x\r\n",
            "VA\r\n",
            "VA -1\r\n",
            &format!("VA {most}\r\n"),
            &"x".repeat(LINE_BYTES_MAX),
        ] {
            assert!(head(input.as_bytes()).is_err(), "{input:?}");
        }
    }
}
