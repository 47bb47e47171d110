//! GETSET: writes a value and returns the one before.

use locksley_engine::ExpiryChange;
use locksley_wire::resp::Reply;

use super::set::put;
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;

pub(super) static GETSET: Command = Command {
    name: "getset",
    arity: 3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "1.0.0",
    summary: "Makes a key hold a string and returns what it held before",
    complexity: "O(1)",
    syntax: "key value",
    run: Run::Owner(getset),
};

fn getset(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = context.key(args[1]);
    let (now, touch) = (context.now(), context.caller.touch);
    match context.shard().get(key, now, touch) {
        Some(entry) => string_value(&entry)?.write(reply),
        None => reply.null(),
    }
    put(context, args[1], args[2], ExpiryChange::Clear)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn the_old_value_is_returned_and_its_time_to_live_forgotten() {
        check(&[
            ("GETSET k a", "$-1"),
            ("EXPIRE k 10", ":1"),
            ("GETSET k 5", "$1 a"),
            ("TTL k", ":-1"),
            ("GETSET k b", "$1 5"),
            ("GET k", "$1 b"),
            ("@resp 3", ""),
            ("GETSET n a", "_"),
        ]);
    }
}
