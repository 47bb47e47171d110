//! The meta commands: `mg`, `ms`, `md`, `ma`, `me`.
//!
//! A reply begins with a code of two letters and repeats or answers the flags of its request in their order. Flags that
//! another meta command knows are passed over; letters that none knows are refused.
//!
//! Source: `doc/protocol.txt` of memcached 1.6, section "Meta Commands"; texts are those of memcached 1.6.18.

mod arithmetic;
mod debug;
mod delete;
mod get;
mod set;
mod tokens;

pub(super) use arithmetic::META_ARITHMETIC;
pub(super) use debug::META_DEBUG;
pub(super) use delete::META_DELETE;
pub(super) use get::{META_GET, META_GET_CHANGE};
pub(super) use set::META_SET;

use locksley_wire::memcached::key;
use locksley_wire::memcached::meta::{Flag, Flags};
use locksley_wire::number::Digits;

/// Appends ` <letter><number>`.
fn push_number(letter: u8, number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b' ', letter]);
    out.extend_from_slice(Digits::of_u64(number).as_bytes());
}

/// Appends ` t<seconds>` for an entry that has so many milliseconds left, `-1` for one that has all.
fn push_ttl(left_ms: Option<u64>, out: &mut Vec<u8>) {
    match left_ms {
        Some(left_ms) => push_number(b't', left_ms.div_ceil(1_000), out),
        None => out.extend_from_slice(b" t-1"),
    }
}

/// Appends what `flag` only repeats of the request: the key as it was named, the opaque token.
fn push_repeated(flag: Flag<'_>, key_bytes: &[u8], flags: Flags<'_>, out: &mut Vec<u8>) {
    match flag.letter {
        b'k' => push_key(key_bytes, flags, out),
        b'O' => {
            out.extend_from_slice(b" O");
            out.extend_from_slice(flag.token);
        }
        _ => {}
    }
}

/// Appends ` k<key>`, in base64 where the request had it so.
fn push_key(key_bytes: &[u8], flags: Flags<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b" k");
    if flags.has(b'b') {
        key::encode(key_bytes, out);
        out.extend_from_slice(b" b");
    } else {
        out.extend_from_slice(key_bytes);
    }
}

/// Appends `code` with what the flags only repeat, as a whole line.
fn push_line(code: &[u8], key_bytes: &[u8], flags: Flags<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(code);
    for flag in flags.iter() {
        push_repeated(flag, key_bytes, flags, out);
    }
    out.extend_from_slice(b"\r\n");
}
