//! LOCKINFO: who holds a lock, for how long, and how many wait for it.

use locksley_wire::resp::Reply;

use super::lock::held;
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

/// What is said of a lock that has no end, as PTTL says it.
const NO_END: i64 = -1;

pub(super) static LOCKINFO: Command = Command {
    name: "lockinfo",
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Cache,
    since: "Locksley 0.1.0",
    summary: "Returns the token of the holder of a lock, how many milliseconds it has left, and how many wait in line",
    complexity: "O(1)",
    syntax: "name",
    run: Run::Owner(lockinfo),
};

fn lockinfo(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (key, now) = (context.key(args[1]), context.now());
    let Some(held) = held(context, key)? else {
        reply.null();
        return Ok(());
    };
    let ttl_ms = held.expiry.map_or(NO_END, |expiry| expiry.0.saturating_sub(now.0) as i64);
    let waiter_count = context.thread.waiters.count(key.db, key.bytes);
    reply.map(3);
    for (name, number) in [("token", held.token as i64), ("ttl_ms", ttl_ms), ("waiters", waiter_count as i64)] {
        reply.bulk(name.as_bytes());
        reply.integer(number);
    }
    Ok(())
}
