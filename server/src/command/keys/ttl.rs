//! TTL, PTTL, EXPIRETIME and PEXPIRETIME: when a key goes; -1 if it stays, -2 if there is none.

use locksley_engine::{Millis, Touch};
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static TTL: Command = Command {
    name: "ttl",
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "1.0.0",
    summary: "Returns the time to live of a key in seconds, rounded",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(ttl),
};

pub(super) static PTTL: Command = Command {
    name: "pttl",
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "2.6.0",
    summary: "Returns the time to live of a key in milliseconds",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(pttl),
};

pub(super) static EXPIRETIME: Command = Command {
    name: "expiretime",
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "7.0.0",
    summary: "Returns when a key expires, in seconds of Unix time",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(expiretime),
};

pub(super) static PEXPIRETIME: Command = Command {
    name: "pexpiretime",
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "7.0.0",
    summary: "Returns when a key expires, in milliseconds of Unix time",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(pexpiretime),
};

/// There is no such key.
const ABSENT: i64 = -2;
/// The key has no expiry.
const ENDLESS: i64 = -1;

fn ttl(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    write(context, args, |expiry, now| to_seconds(expiry - now), reply)
}

fn pttl(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    write(context, args, |expiry, now| expiry - now, reply)
}

fn expiretime(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    write(context, args, |expiry, _| to_seconds(expiry), reply)
}

fn pexpiretime(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    write(context, args, |expiry, _| expiry, reply)
}

fn write(
    context: &mut Context<'_>,
    args: Args<'_>,
    number: impl FnOnce(i64, i64) -> i64,
    reply: &mut Reply<'_>,
) -> Outcome {
    let key = context.key(args[1]);
    let now = context.now();
    let found = context.shard().get(key, now, Touch::CountOnly).map(|entry| entry.expiry);
    reply.integer(match found {
        None => ABSENT,
        Some(None) => ENDLESS,
        Some(Some(Millis(expiry))) => number(expiry as i64, now.0 as i64),
    });
    Ok(())
}

fn to_seconds(milliseconds: i64) -> i64 {
    milliseconds.saturating_add(500) / 1000
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn absent_endless_and_limited_keys_differ() {
        check(&[
            ("TTL k", ":-2"),
            ("PTTL k", ":-2"),
            ("EXPIRETIME k", ":-2"),
            ("PEXPIRETIME k", ":-2"),
            ("SET k v", "+OK"),
            ("TTL k", ":-1"),
            ("PTTL k", ":-1"),
            ("EXPIRETIME k", ":-1"),
            ("PEXPIRETIME k", ":-1"),
            ("PEXPIRE k 1499", ":1"),
            ("TTL k", ":1"),
            ("PTTL k", ":1499"),
            ("EXPIRETIME k", ":1700000001"),
            ("PEXPIRETIME k", ":1700000001499"),
            ("PEXPIRE k 1500", ":1"),
            ("TTL k", ":2"),
            ("@after 1001", ""),
            ("TTL k", ":0"),
        ]);
    }
}
