//! SETNX: a value for a key that has none.

use locksley_engine::{ExpiryChange, Touch};
use locksley_wire::resp::Reply;

use super::set::put;
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static SETNX: Command = Command {
    name: "setnx",
    arity: 3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "1.0.0",
    summary: "Makes a key hold a string if the key does not exist",
    complexity: "O(1)",
    syntax: "key value",
    run: Run::Owner(setnx),
};

fn setnx(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = context.key(args[1]);
    let now = context.now();
    let is_absent = context.shard().get(key, now, Touch::Leave).is_none();
    if is_absent {
        put(context, args[1], args[2], ExpiryChange::Clear)?;
    }
    reply.integer(i64::from(is_absent));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn only_an_absent_key_is_set() {
        check(&[
            ("SETNX k a", ":1"),
            ("SETNX k b", ":0"),
            ("GET k", "$1 a"),
            ("PEXPIRE k 10", ":1"),
            ("@after 10", ""),
            ("SETNX k c", ":1"),
            ("TTL k", ":-1"),
        ]);
    }
}
