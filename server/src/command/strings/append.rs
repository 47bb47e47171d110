//! APPEND: more bytes at the end of a value.

use locksley_engine::{ExpiryChange, Op, Touch};
use locksley_wire::resp::Reply;

use super::set::put;
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_length::check_length;
use crate::command::string_value::string_value;

pub(super) static APPEND: Command = Command {
    name: "append",
    arity: 3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "2.0.0",
    summary: "Writes a string behind the value of a key, or as its value if there is none",
    complexity: "O(N), N the length of the appended string",
    syntax: "key value",
    run: Run::Owner(append),
};

fn append(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = context.key(args[1]);
    let now = context.now();
    let bytes = args[2];
    let old = match context.shard().get(key, now, Touch::Leave) {
        Some(entry) => Some(string_value(&entry)?.len()),
        None => None,
    };
    let length = old.unwrap_or(0) + bytes.len();
    match old {
        None => put(context, args[1], bytes, ExpiryChange::Clear)?,
        Some(offset) => {
            check_length(context, offset, bytes.len())?;
            context.shard().apply(Op::Splice { key, offset, bytes }, now)?;
        }
    }
    reply.integer(length as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn bytes_are_added_at_the_end() {
        check(&[
            ("APPEND k hello", ":5"),
            ("APPEND k \" world\"", ":11"),
            ("GET k", "$11 hello world"),
            ("APPEND k \"\"", ":11"),
            ("SET n 12 EX 10", "+OK"),
            ("APPEND n 34", ":4"),
            ("GET n", "$4 1234"),
            ("TTL n", ":10"),
            ("APPEND new 5", ":1"),
            ("OBJECT ENCODING new", "$3 int"),
            ("APPEND e \"\"", ":0"),
            ("EXISTS e", ":1"),
        ]);
    }

    #[test]
    fn a_value_does_not_grow_beyond_the_longest_argument() {
        const TOO_LONG: &str = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)";
        check(&[
            ("@bulk-max 6", ""),
            ("APPEND k hello", ":5"),
            ("APPEND k 12", TOO_LONG),
            ("APPEND k 1", ":6"),
            ("APPEND k 1", TOO_LONG),
            ("GET k", "$6 hello1"),
        ]);
    }
}
