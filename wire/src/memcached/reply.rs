//! Replies of the memcached text protocol, appended to a buffer.

use std::fmt::Display;
use std::io::Write;

use crate::number::Digits;

/// What ends the reply to a retrieval.
pub const END: &[u8] = b"END\r\n";

/// Most bytes of a `VALUE` line and the block's end besides key and block: the word, three numbers, spaces.
const VALUE_LINE_BYTES_MAX: usize = 6 + 3 * 21 + 4;

/// Appends `VALUE <key> <flags> <bytes> [<cas>]`, the block and its end.
#[inline]
pub fn value(key: &[u8], flags: u32, value: &[u8], cas: Option<u64>, out: &mut Vec<u8>) {
    out.reserve(VALUE_LINE_BYTES_MAX + key.len() + value.len());
    out.extend_from_slice(b"VALUE ");
    out.extend_from_slice(key);
    out.push(b' ');
    out.extend_from_slice(Digits::of_u64(u64::from(flags)).as_bytes());
    out.push(b' ');
    out.extend_from_slice(Digits::of_u64(value.len() as u64).as_bytes());
    if let Some(cas) = cas {
        out.push(b' ');
        out.extend_from_slice(Digits::of_u64(cas).as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends `STAT <name> <value>`.
pub fn stat(name: &str, value: impl Display, out: &mut Vec<u8>) {
    write!(out, "STAT {name} {value}\r\n").expect("a vector takes all that is written");
}

/// Appends `SERVER_ERROR <text>`.
pub fn server_error(text: &str, out: &mut Vec<u8>) {
    write!(out, "SERVER_ERROR {text}\r\n").expect("a vector takes all that is written");
}

/// Appends `CLIENT_ERROR <text>`.
pub fn client_error(text: &str, out: &mut Vec<u8>) {
    write!(out, "CLIENT_ERROR {text}\r\n").expect("a vector takes all that is written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_framed_with_or_without_a_version() {
        let mut out = Vec::new();
        value(b"key", 5, b"abc", None, &mut out);
        value(b"k", 0, b"", Some(u64::MAX), &mut out);
        assert_eq!(out, b"VALUE key 5 3\r\nabc\r\nVALUE k 0 0 18446744073709551615\r\n\r\n");
    }
}
