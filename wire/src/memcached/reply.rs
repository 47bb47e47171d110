//! Replies of the memcached text protocol, appended to a buffer.
//!
//! A value must cost little more than the copy of its bytes: what stands between key and block comes from a table for
//! what is common, no flags and a short value, copied as 16 bytes whatever its length and then cut, since a copy of fixed
//! size is one move.

use std::fmt::Display;
use std::io::Write;

use crate::number::Digits;

/// What ends the reply to a retrieval.
pub const END: &[u8] = b"END\r\n";

/// Most bytes of a `VALUE` line and the block's end besides key and block: the word, three numbers, spaces, line ends.
const VALUE_LINE_BYTES_MAX: usize = 6 + 3 * 21 + 4;

/// ` 0 <bytes>\r\n`; the last byte is the length of that.
type Tail = [u8; 16];

/// How many lengths the table of ready tails holds.
const TAIL_COUNT: usize = 1_100;

static TAILS: [Tail; TAIL_COUNT] = build_tails();

const _: () = assert!(TAIL_COUNT <= 10_000, "a tail is made for 4 digits");
const _: () = assert!(size_of::<Tail>() <= VALUE_LINE_BYTES_MAX - 6, "what is copied and cut finds room");

#[expect(clippy::large_stack_arrays, reason = "the compiler evaluates it")]
const fn build_tails() -> [Tail; TAIL_COUNT] {
    let mut tails = [[0; size_of::<Tail>()]; TAIL_COUNT];
    let mut number = 0;
    while number < TAIL_COUNT {
        let tail = &mut tails[number];
        tail[0] = b' ';
        tail[1] = b'0';
        tail[2] = b' ';
        let mut length = 3;
        let mut divisor = 1000;
        while divisor > 1 && number < divisor {
            divisor /= 10;
        }
        while divisor > 0 {
            tail[length] = b'0' + (number / divisor % 10) as u8;
            length += 1;
            divisor /= 10;
        }
        tail[length] = b'\r';
        tail[length + 1] = b'\n';
        tail[size_of::<Tail>() - 1] = length as u8 + 2;
        number += 1;
    }
    tails
}

/// Appends `VALUE <key> <flags> <bytes> [<cas>]`, the block and its end.
#[inline]
pub fn value(key: &[u8], flags: u32, value: &[u8], cas: Option<u64>, out: &mut Vec<u8>) {
    out.reserve(VALUE_LINE_BYTES_MAX + key.len() + value.len());
    out.extend_from_slice(b"VALUE ");
    out.extend_from_slice(key);
    match TAILS.get(value.len()) {
        Some(tail) if flags == 0 && cas.is_none() => {
            let end = out.len() + usize::from(tail[size_of::<Tail>() - 1]);
            out.extend_from_slice(tail);
            out.truncate(end);
        }
        _ => numbers(flags, value.len(), cas, out),
    }
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends what stands behind the key of a `VALUE` line.
fn numbers(flags: u32, bytes: usize, cas: Option<u64>, out: &mut Vec<u8>) {
    for number in [Some(u64::from(flags)), Some(bytes as u64), cas].into_iter().flatten() {
        out.push(b' ');
        out.extend_from_slice(Digits::of_u64(number).as_bytes());
    }
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
        value(b"k", u32::MAX, b"", None, &mut out);
        let expected = "VALUE key 5 3\r\nabc\r\nVALUE k 0 0 18446744073709551615\r\n\r\nVALUE k 4294967295 0\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn the_line_of_every_length_is_the_same_from_the_table_and_without() {
        for length in (0..TAIL_COUNT + 3).chain([10_000, 1 << 20]) {
            let block = vec![b'v'; length];
            let mut out = Vec::new();
            value(b"k", 0, &block, None, &mut out);
            let head = format!("VALUE k 0 {length}\r\n");
            assert!(out.starts_with(head.as_bytes()), "{length}");
            assert_eq!(out.len(), head.len() + length + 2);
        }
    }

    #[test]
    fn lines_say_what_they_are_told() {
        let mut out = Vec::new();
        stat("pid", 7, &mut out);
        server_error("out of memory", &mut out);
        client_error("bad", &mut out);
        assert_eq!(out, b"STAT pid 7\r\nSERVER_ERROR out of memory\r\nCLIENT_ERROR bad\r\n");
    }
}
