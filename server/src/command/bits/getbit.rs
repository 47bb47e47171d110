//! GETBIT: one bit of a value.

use locksley_wire::resp::Reply;

use super::offset::bit_offset;
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;

pub(super) static GETBIT: Command = Command {
    name: "getbit",
    arity: 3,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["bitmap"],
    group: Group::Bitmap,
    since: "2.2.0",
    summary: "Returns the bit of a string at an offset",
    complexity: "O(1)",
    syntax: "key offset",
    run: Run::Owner(getbit),
};

fn getbit(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let offset = bit_offset(args[2], context.thread.config.proto_max_bulk_len)?;
    let key = context.key(args[1]);
    let (now, touch) = (context.now(), context.caller.touch);
    let byte = match context.shard().get(key, now, touch) {
        Some(entry) => string_value(&entry)?.text().get((offset / 8) as usize).copied().unwrap_or(0),
        None => 0,
    };
    reply.integer(i64::from(byte >> (7 - offset % 8) & 1));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn a_bit_is_read_and_those_behind_the_end_are_zero() {
        const OFFSET: &str = "-ERR bit offset is not an integer or out of range";
        check(&[
            ("SET k \"\\x01\\x80\"", "+OK"),
            ("GETBIT k 0", ":0"),
            ("GETBIT k 7", ":1"),
            ("GETBIT k 8", ":1"),
            ("GETBIT k 9", ":0"),
            ("GETBIT k 1000", ":0"),
            ("GETBIT none 0", ":0"),
            ("SET n 1", "+OK"),
            ("GETBIT n 7", ":1"),
            ("GETBIT n 4294967295", ":0"),
            ("GETBIT n 4294967296", OFFSET),
            ("GETBIT n -1", OFFSET),
            ("GETBIT n #1", OFFSET),
        ]);
    }
}
