//! RELOCK: another end for a lock that is held.
//!
//! It is a change like taking the lock, so that who waits learns of the new end, be it later or earlier.

use locksley_engine::{Millis, Op};
use locksley_wire::resp::Reply;

use super::arguments::{number, token};
use super::lock::held;
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::limits::LOCK_TTL_MS_MAX;

pub(super) static RELOCK: Command = Command {
    name: "relock",
    arity: 4,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Cache,
    since: "Locksley 0.1.0",
    summary: "Lets a lock that is still held with this token end later, or earlier, than it would",
    complexity: "O(1)",
    syntax: "name token ttl-ms",
    run: Run::Owner(relock),
};

fn relock(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let token = token(args[2])?;
    let ttl_ms = number("ttl_ms", args[3], 1..=LOCK_TTL_MS_MAX)?;
    let (key, now) = (context.key(args[1]), context.now());
    let is_held = held(context, key)?.is_some_and(|held| held.token == token);
    if is_held {
        context.shard().apply(Op::Lock { key, token, expiry: Millis(now.0 + ttl_ms) }, now)?;
    }
    reply.integer(i64::from(is_held));
    Ok(())
}
