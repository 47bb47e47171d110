//! DELIFEQ: removes a key that holds a given value, as a lock's owner releases it.

use locksley_engine::{Op, Touch};
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;

pub(super) static DELIFEQ: Command = Command {
    name: "delifeq",
    arity: 3,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "Valkey 9.0.0",
    summary: "Removes a key if it holds the given string",
    complexity: "O(1)",
    syntax: "key value",
    run: Run::Owner(delifeq),
};

fn delifeq(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = context.key(args[1]);
    let now = context.now();
    let is_equal = match context.shard().get(key, now, Touch::Leave) {
        Some(entry) => string_value(&entry)?.is(args[2]),
        None => false,
    };
    if is_equal {
        context.shard().apply(Op::Delete { key }, now)?;
    }
    reply.integer(i64::from(is_equal));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn only_the_owner_of_a_lock_releases_it() {
        check(&[
            ("SET lock token EX 10 NX", "+OK"),
            ("DELIFEQ lock other", ":0"),
            ("EXISTS lock", ":1"),
            ("DELIFEQ lock token", ":1"),
            ("DELIFEQ lock token", ":0"),
            ("SET n 5", "+OK"),
            ("DELIFEQ n 05", ":0"),
            ("DELIFEQ n 5", ":1"),
        ]);
    }
}
