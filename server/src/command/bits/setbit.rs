//! SETBIT: writes one bit of a value.

use locksley_engine::{Encoding, Op, Touch};
use locksley_wire::resp::Reply;

use super::offset::bit_offset;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;

/// The bit is neither 0 nor 1.
const BAD_BIT: Failure = Failure::fixed("ERR bit is not an integer or out of range");

pub(super) static SETBIT: Command = Command {
    name: "setbit",
    arity: 4,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: Keys::FIRST,
    categories: &["bitmap"],
    group: Group::Bitmap,
    since: "2.2.0",
    summary: "Writes the bit of a string at an offset and returns what it was",
    complexity: "O(1)",
    syntax: "key offset value",
    run: Run::Owner(setbit),
};

fn setbit(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let bit_offset = bit_offset(args[2], context.thread.config.proto_max_bulk_len)?;
    let bit = match args[3] {
        b"0" => 0,
        b"1" => 1,
        _ => return Err(BAD_BIT),
    };
    let (offset, shift) = ((bit_offset / 8) as usize, 7 - bit_offset % 8);
    let key = context.key(args[1]);
    let now = context.now();
    let (old, is_spliced) = match context.shard().get(key, now, Touch::Leave) {
        Some(entry) => {
            let byte = string_value(&entry)?.text().get(offset).copied();
            (byte, entry.encoding == Encoding::Spliced)
        }
        None => (None, false),
    };
    let old_byte = old.unwrap_or(0);
    let byte = old_byte & !(1 << shift) | bit << shift;
    if old != Some(byte) || !is_spliced {
        context.shard().apply(Op::Splice { key, offset, bytes: &[byte] }, now)?;
    }
    reply.integer(i64::from(old_byte >> shift & 1));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn a_bit_is_written_and_the_string_grows_to_hold_it() {
        check(&[
            ("SETBIT k 7 1", ":0"),
            ("GET k", "$1 \\x01"),
            ("SETBIT k 7 1", ":1"),
            ("SETBIT k 7 0", ":1"),
            ("SETBIT k 17 0", ":0"),
            ("STRLEN k", ":3"),
            ("SETBIT k 16 1", ":0"),
            ("GET k", "$3 \\x00\\x00\\x80"),
            ("SET n 1 EX 10", "+OK"),
            ("SETBIT n 6 1", ":0"),
            ("GET n", "$1 3"),
            ("TTL n", ":10"),
            ("OBJECT ENCODING n", "$3 raw"),
        ]);
    }

    #[test]
    fn bad_arguments_are_refused() {
        const OFFSET: &str = "-ERR bit offset is not an integer or out of range";
        const BIT: &str = "-ERR bit is not an integer or out of range";
        check(&[
            ("SETBIT k -1 1", OFFSET),
            ("SETBIT k 4294967296 1", OFFSET),
            ("SETBIT k x 2", OFFSET),
            ("SETBIT k 0 2", BIT),
            ("SETBIT k 0 x", BIT),
            ("EXISTS k", ":0"),
        ]);
    }
}
