//! BITPOS: where the first set or clear bit of a value is.
//!
//! A search for a clear bit that was given no end goes on behind the string, where all bits are clear.

use locksley_wire::resp::Reply;

use super::offset::BitSpan;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::number::integer;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;

/// The bit is neither 0 nor 1.
const BAD_BIT: Failure = Failure::fixed("ERR The bit argument must be 1 or 0.");

/// There is no such bit.
const NOWHERE: i64 = -1;

pub(super) static BITPOS: Command = Command {
    name: "bitpos",
    arity: -3,
    flags: Flags::READONLY,
    keys: Keys::FIRST,
    categories: &["bitmap"],
    group: Group::Bitmap,
    since: "2.8.7",
    summary: "Finds the first set or clear bit of a string or of a part of it",
    complexity: "O(N), N the length of the part",
    syntax: "key bit [start [end [BYTE | BIT]]]",
    run: Run::Owner(bitpos),
};

fn bitpos(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let is_set = match integer(args[2])? {
        0 => false,
        1 => true,
        _ => return Err(BAD_BIT),
    };
    let span = BitSpan::parse(args, 3)?;
    let key = context.key(args[1]);
    let (now, touch) = (context.now(), context.caller.touch);
    let position = match context.shard().get(key, now, touch) {
        Some(entry) => find(&string_value(&entry)?.text(), span, is_set),
        None if is_set => NOWHERE,
        None => 0,
    };
    reply.integer(position);
    Ok(())
}

fn find(bytes: &[u8], span: BitSpan, is_set: bool) -> i64 {
    let Some((first, last)) = span.bits(bytes.len()) else { return NOWHERE };
    match find_bit(bytes, first, last, is_set) {
        Some(position) => position as i64,
        None if is_set || span.has_end() => NOWHERE,
        None => bytes.len() as i64 * 8,
    }
}

/// The first bit from `first` to `last`, both counted in, that is set or not.
fn find_bit(bytes: &[u8], first: u64, last: u64, is_set: bool) -> Option<u64> {
    let dull = if is_set { 0x00 } else { 0xff };
    let (first_byte, last_byte) = ((first / 8) as usize, (last / 8) as usize);
    let mut at = first_byte;
    while at <= last_byte {
        if at + 8 <= last_byte && bytes[at..at + 8] == [dull; 8] {
            at += 8;
            continue;
        }
        let mut found = bytes[at] ^ dull;
        if at == first_byte {
            found &= 0xff >> (first % 8);
        }
        if at == last_byte {
            found &= 0xff << (7 - last % 8);
        }
        if found != 0 {
            return Some(at as u64 * 8 + u64::from(found.leading_zeros()));
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn the_first_bit_is_found() {
        check(&[
            ("SET k \"\\xff\\xf0\\x00\"", "+OK"),
            ("BITPOS k 0", ":12"),
            ("BITPOS k 1", ":0"),
            ("BITPOS k 1 1", ":8"),
            ("BITPOS k 1 2", ":-1"),
            ("BITPOS k 0 0 0", ":-1"),
            ("BITPOS k 0 0 1", ":12"),
            ("BITPOS k 0 2 -1 BYTE", ":16"),
            ("BITPOS k 1 9 15 BIT", ":9"),
            ("BITPOS k 0 -24 -13 bit", ":-1"),
            ("BITPOS k 0 7 12 BIT", ":12"),
            ("BITPOS k 1 3", ":-1"),
            ("SETRANGE long 20 \"\\x01\"", ":21"),
            ("BITPOS long 1", ":167"),
            ("BITPOS long 1 0 166 BIT", ":-1"),
        ]);
    }

    #[test]
    fn clear_bits_go_on_behind_the_end_unless_an_end_is_given() {
        check(&[
            ("SET k \"\\xff\\xff\"", "+OK"),
            ("BITPOS k 0", ":16"),
            ("BITPOS k 0 1", ":16"),
            ("BITPOS k 0 0 -1", ":-1"),
            ("BITPOS k 0 5", ":-1"),
            ("BITPOS none 0", ":0"),
            ("BITPOS none 1", ":-1"),
            ("SET e \"\"", "+OK"),
            ("BITPOS e 0", ":-1"),
        ]);
    }

    #[test]
    fn bad_arguments_are_refused() {
        check(&[
            ("BITPOS k 2", "-ERR The bit argument must be 1 or 0."),
            ("BITPOS k x", "-ERR value is not an integer or out of range"),
            ("BITPOS k 1 a", "-ERR value is not an integer or out of range"),
            ("BITPOS k 1 0 1 WORD", "-ERR syntax error"),
            ("BITPOS k 1 0 1 BIT 5", "-ERR syntax error"),
        ]);
    }
}
