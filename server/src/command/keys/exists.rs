//! EXISTS and TOUCH: count the keys that exist; TOUCH also marks them as used.

use locksley_engine::Touch;
use locksley_wire::resp::Reply;

use crate::command::batch::for_each_key;
use crate::command::context::Context;
use crate::command::join;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static EXISTS: Command = Command {
    name: "exists",
    arity: -2,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::ALL,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "1.0.0",
    summary: "Counts those of the given keys that exist, a key named twice twice",
    complexity: "O(N), N the number of keys",
    syntax: "key [key ...]",
    run: Run::Split { run: exists, join: join::sum },
};

pub(super) static TOUCH: Command = Command {
    name: "touch",
    arity: -2,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::ALL,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "3.2.1",
    summary: "Marks keys as just used and counts those that exist",
    complexity: "O(N), N the number of keys",
    syntax: "key [key ...]",
    run: Run::Split { run: touch, join: join::sum },
};

fn exists(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    count(context, args, Touch::CountOnly, reply)
}

/// A client that asked for NO-TOUCH still touches what it names here.
fn touch(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    count(context, args, Touch::Count, reply)
}

fn count(context: &mut Context<'_>, args: Args<'_>, touch: Touch, reply: &mut Reply<'_>) -> Outcome {
    let now = context.now();
    let mut found = 0;
    for_each_key(context, &args[1..], |shard, key| {
        found += i64::from(shard.get(key, now, touch).is_some());
        Ok(())
    })?;
    reply.integer(found);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn keys_are_counted_as_often_as_they_are_named() {
        check(&[
            ("MSET a 1 b 2", "+OK"),
            ("EXISTS a", ":1"),
            ("EXISTS a b none a", ":3"),
            ("EXISTS none", ":0"),
            ("TOUCH a b none a", ":3"),
            ("@db 1", ""),
            ("EXISTS a", ":0"),
        ]);
    }
}
