//! DEL and UNLINK: remove keys.
//!
//! Both take the same time, since a shard frees an entry of any size by giving back its cell.

use locksley_engine::Op;
use locksley_wire::resp::Reply;

use crate::command::batch::for_each_key;
use crate::command::context::Context;
use crate::command::join;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static DEL: Command = Command {
    name: "del",
    arity: -2,
    flags: Flags::WRITE,
    keys: Keys::ALL,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "1.0.0",
    summary: "Removes one or more keys",
    complexity: "O(N), N the number of keys",
    syntax: "key [key ...]",
    run: Run::Split { run: del, join: join::sum },
};

pub(super) static UNLINK: Command = Command {
    name: "unlink",
    arity: -2,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::ALL,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "4.0.0",
    summary: "Removes one or more keys, as DEL does",
    complexity: "O(N), N the number of keys",
    syntax: "key [key ...]",
    run: Run::Split { run: del, join: join::sum },
};

fn del(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let now = context.now();
    let mut removed = 0;
    for_each_key(context, &args[1..], |shard, key| {
        removed += i64::from(shard.apply(Op::Delete { key }, now)?.existed);
        Ok(())
    })?;
    reply.integer(removed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn removed_keys_are_counted_once() {
        check(&[
            ("MSET a 1 b 2 c 3 d 4", "+OK"),
            ("DEL a none b a", ":2"),
            ("UNLINK c d c", ":2"),
            ("DEL a b c d", ":0"),
            ("SET k v PX 5", "+OK"),
            ("@after 5", ""),
            ("DEL k", ":0"),
        ]);
    }
}
