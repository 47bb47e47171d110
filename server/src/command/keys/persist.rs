//! PERSIST: lets a key stay.

use locksley_engine::{Op, Touch};
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static PERSIST: Command = Command {
    name: "persist",
    arity: 2,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "2.2.0",
    summary: "Takes away the expiry of a key",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(persist),
};

fn persist(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = context.key(args[1]);
    let now = context.now();
    let expires = context.shard().get(key, now, Touch::Leave).is_some_and(|entry| entry.expiry.is_some());
    if expires {
        context.shard().apply(Op::SetExpiry { key, expiry: None }, now)?;
    }
    reply.integer(i64::from(expires));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn only_a_key_with_an_expiry_is_changed() {
        check(&[
            ("PERSIST k", ":0"),
            ("SET k v PX 5", "+OK"),
            ("PERSIST k", ":1"),
            ("PERSIST k", ":0"),
            ("@after 5", ""),
            ("GET k", "$1 v"),
        ]);
    }
}
