//! LOCK: a lock with an end, a number that tells its holders apart, and a queue.
//!
//! A lock is an entry of a type of its own, whose value is the *fencing token* of its holder. Tokens of a shard only grow,
//! across restarts too: what guards a resource by a lock hands the token on, and the resource refuses one that is lower
//! than the highest it has seen, because its holder was too slow and has lost the lock.
//!
//! ```text
//!            LOCK                     UNLOCK, DEL, flush, end of its time
//! (no entry) ────▶ held by token 7 ──────────────────────────────────────▶ first waiter, held by token 8
//!                       │  ▲                                               or none: (no entry)
//!                       └──┘ RELOCK
//! ```
//!
//! Invariants:
//! - A lock that somebody waits for is given to the first waiter: who comes later never overtakes, even in the moment in
//!   which nobody holds it.
//! - A lock has one holder at a time, each with a higher token than those before it.

use locksley_engine::{Key, Kind, Millis, Op, Touch, Value};
use locksley_wire::resp::Reply;

use super::arguments::number;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::park::{Attempt, Parking};
use crate::command::row::{Args, Command, Flags, Group, Keys, Run};
use crate::limits::{LOCK_TTL_MS_MAX, LOCK_WAIT_MS_MAX};
use crate::thread::Thread;

pub(super) static LOCK: Command = Command {
    name: "lock",
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::NOSCRIPT).union(Flags::BLOCKING),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Cache,
    since: "Locksley 0.1.0",
    summary: "Takes a lock for some time, or waits in line for it; returns a token that is higher than all before, or nothing",
    complexity: "O(1)",
    syntax: "name ttl-ms [WAIT ms]",
    run: Run::Park { run: lock, may_wait: |args| args.len() > 3 },
};

/// A lock that somebody holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// The token of its holder.
    pub token: u64,
    /// When it ends; never, if somebody took its end away (PERSIST).
    pub expiry: Option<Millis>,
}

/// Who holds the lock `key`, if anybody does.
///
/// # Errors
/// [`Failure::WRONG_TYPE`] when the key holds something else.
pub(super) fn held(context: &mut Context<'_>, key: Key<'_>) -> Result<Option<Held>, Failure> {
    let now = context.now();
    let Some(entry) = context.shard().get(key, now, Touch::Leave) else { return Ok(None) };
    match (entry.kind, entry.value) {
        (Kind::Lock, Value::Integer(token)) => Ok(Some(Held { token: token as u64, expiry: entry.expiry })),
        (Kind::Lock, Value::Bytes(_)) => unreachable!("the value of a lock is its token"),
        (Kind::String, _) => Err(Failure::WRONG_TYPE),
    }
}

fn lock(
    context: &mut Context<'_>,
    args: Args<'_>,
    attempt: Attempt,
    reply: &mut Reply<'_>,
) -> Result<Option<Parking>, Failure> {
    let ttl_ms = number("ttl_ms", args[2], 1..=LOCK_TTL_MS_MAX)?;
    let wait_ms = wait(&args[3..])?;
    let key = context.key(args[1]);
    let held = held(context, key)?;
    let Thread { shard, waiters, counters, now, .. } = &mut *context.thread;
    let counters = &mut counters.locks;
    let is_next = match attempt {
        Attempt::First => !waiters.has(key.db, key.bytes),
        Attempt::Again => true,
        Attempt::Last => false,
    };
    if held.is_none() && is_next {
        let token = shard.next_fence(*now);
        shard.apply(Op::Lock { key, token, expiry: Millis(now.0 + ttl_ms) }, *now)?;
        counters.granted += 1;
        reply.integer(token as i64);
        return Ok(None);
    }
    let Some(wait_ms) = wait_ms.filter(|_| attempt != Attempt::Last) else {
        counters.refused += 1;
        reply.null();
        return Ok(None);
    };
    counters.waits += u64::from(attempt == Attempt::First);
    let look_at = held.and_then(|held| held.expiry);
    Ok(Some(Parking { deadline: Millis(now.0 + wait_ms), look_at }))
}

/// How long a request is willing to wait, if at all.
fn wait(words: &[&[u8]]) -> Result<Option<u64>, Failure> {
    match words {
        [] => Ok(None),
        [name, text] if name.eq_ignore_ascii_case(b"WAIT") => number("WAIT", text, 1..=LOCK_WAIT_MS_MAX).map(Some),
        _ => Err(Failure::SYNTAX),
    }
}
