//! SETRANGE: overwrites a part of a value.

use locksley_engine::{Op, Touch};
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::number::integer;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_length::check_length;
use crate::command::string_value::string_value;

/// The offset is negative.
const BAD_OFFSET: Failure = Failure::fixed("ERR offset is out of range");

pub(super) static SETRANGE: Command = Command {
    name: "setrange",
    arity: 4,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "2.2.0",
    summary: "Overwrites the string value of a key from an offset on, filling a gap with zero bytes",
    complexity: "O(N), N the length of the written string and of the gap",
    syntax: "key offset value",
    run: Run::Owner(setrange),
};

fn setrange(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let offset = usize::try_from(integer(args[2])?).map_err(|_| BAD_OFFSET)?;
    let key = context.key(args[1]);
    let now = context.now();
    let bytes = args[3];
    let mut length = match context.shard().get(key, now, Touch::Leave) {
        Some(entry) => string_value(&entry)?.len(),
        None => 0,
    };
    if !bytes.is_empty() {
        check_length(context, offset, bytes.len())?;
        context.shard().apply(Op::Splice { key, offset, bytes }, now)?;
        length = length.max(offset + bytes.len());
    }
    reply.integer(length as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn a_part_is_overwritten() {
        check(&[
            ("SET k \"Hello World\" EX 10", "+OK"),
            ("SETRANGE k 6 Redis", ":11"),
            ("GET k", "$11 Hello Redis"),
            ("TTL k", ":10"),
            ("SETRANGE k 9 abc", ":12"),
            ("GET k", "$12 Hello Redabc"),
            ("SETRANGE k 0 \"\"", ":12"),
            ("SETRANGE n 2 a", ":3"),
            ("GET n", "$3 \\x00\\x00a"),
            ("SETRANGE none 5 \"\"", ":0"),
            ("EXISTS none", ":0"),
            ("SET i 1234", "+OK"),
            ("SETRANGE i 1 9", ":4"),
            ("GET i", "$4 1934"),
            ("INCR i", ":1935"),
        ]);
    }

    #[test]
    fn bad_offsets_are_refused() {
        const TOO_LONG: &str = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)";
        check(&[
            ("SETRANGE k -1 a", "-ERR offset is out of range"),
            ("SETRANGE k x a", "-ERR value is not an integer or out of range"),
            ("SETRANGE k 9223372036854775807 a", TOO_LONG),
            ("SETRANGE k 536870912 a", TOO_LONG),
            ("SETRANGE k 536870912 \"\"", ":0"),
            ("EXISTS k", ":0"),
        ]);
    }
}
