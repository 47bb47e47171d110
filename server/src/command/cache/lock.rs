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

#[cfg(test)]
mod tests {
    use crate::command::testing::{Rig, check};

    const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

    #[test]
    fn a_lock_has_one_holder_and_an_end() {
        check(&[
            ("LOCK l 1000", ":1700000000000000"),
            ("LOCK l 1000", "$-1"),
            ("LOCK l 1000 WAIT 10", "$-1"),
            ("PTTL l", ":1000"),
            ("@after 999", ""),
            ("LOCK l 1000", "$-1"),
            ("@after 1", ""),
            ("LOCK l 1000", ":1700000001000000"),
            ("@resp 3", ""),
            ("LOCK l 1000", "_"),
        ]);
    }

    #[test]
    fn a_lock_is_given_back_by_its_holder_only() {
        check(&[
            ("UNLOCK l 7", ":0"),
            ("LOCK l 1000", ":1700000000000000"),
            ("UNLOCK l 1699999999999999", ":0"),
            ("UNLOCK l 1700000000000000", ":1"),
            ("UNLOCK l 1700000000000000", ":0"),
            ("LOCK l 1000", ":1700000000000001"),
            ("UNLOCK l 1700000000000000", ":0"),
            ("@after 1000", ""),
            ("UNLOCK l 1700000000000001", ":0"),
        ]);
    }

    #[test]
    fn a_lock_ends_when_its_holder_says() {
        check(&[
            ("RELOCK l 7 1000", ":0"),
            ("LOCK l 1000", ":1700000000000000"),
            ("RELOCK l 1 5000", ":0"),
            ("PTTL l", ":1000"),
            ("RELOCK l 1700000000000000 5000", ":1"),
            ("PTTL l", ":5000"),
            ("RELOCK l 1700000000000000 10", ":1"),
            ("@after 10", ""),
            ("RELOCK l 1700000000000000 10", ":0"),
            ("LOCK l 1000", ":1700000000010000"),
        ]);
    }

    #[test]
    fn a_lock_tells_of_its_holder() {
        check(&[
            ("LOCKINFO l", "$-1"),
            ("LOCK l 1000", ":1700000000000000"),
            ("@after 1", ""),
            ("LOCKINFO l", "*6 $5 token :1700000000000000 $6 ttl_ms :999 $7 waiters :0"),
            ("PERSIST l", ":1"),
            ("@resp 3", ""),
            ("LOCKINFO l", "%3 $5 token :1700000000000000 $6 ttl_ms :-1 $7 waiters :0"),
            ("@after 999", ""),
            ("LOCKINFO l", "%3 $5 token :1700000000000000 $6 ttl_ms :-1 $7 waiters :0"),
            ("UNLOCK l 1700000000000000", ":1"),
            ("LOCKINFO l", "_"),
        ]);
    }

    #[test]
    fn tokens_grow_whatever_becomes_of_locks_and_clock() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            let mut last = 0;
            let ends = ["UNLOCK l", "DEL l", "FLUSHALL", "SET l v", "PEXPIRE l 0", "@after 1000", "@after 1", "GET l"];
            for (step, end) in ends.iter().cycle().take(100).enumerate() {
                let reply = rig.reply("LOCK l 1000");
                if let Some(token) = reply.strip_prefix(':') {
                    let token: u64 = token.parse().expect("a token is a number");
                    assert!(token > last, "{token} after {last}");
                    last = token;
                }
                rig.run(&if *end == "UNLOCK l" { format!("{end} {last}") } else { (*end).to_owned() });
                if *end == "SET l v" {
                    rig.run("DEL l");
                }
                if step % 7 == 0 {
                    rig.threads.iter_mut().for_each(|thread| thread.now.0 -= 5_000);
                }
            }
        }
    }

    #[test]
    fn other_keys_are_locks_as_little_as_locks_are_strings() {
        check(&[
            ("SET s v", "+OK"),
            ("LOCK s 1000", WRONG_TYPE),
            ("LOCK s 1000 WAIT 1", WRONG_TYPE),
            ("UNLOCK s 1", WRONG_TYPE),
            ("RELOCK s 1 1", WRONG_TYPE),
            ("LOCKINFO s", WRONG_TYPE),
            ("GET s", "$1 v"),
            ("LOCK l 1000", ":1700000000000000"),
            ("TYPE l", "+lock"),
            ("OBJECT ENCODING l", "$3 int"),
            ("SCAN 0 COUNT 100 TYPE lock", "*2 $1 0 *1 $1 l"),
            ("SCAN 0 COUNT 100 TYPE string", "*2 $1 0 *1 $1 s"),
            ("EXISTS l", ":1"),
            ("MGET l s", "*2 $-1 $1 v"),
            ("SETNX l v", ":0"),
            ("SET l v NX", "$-1"),
            ("MSETNX l v other w", ":0"),
            ("RENAMENX s l", ":0"),
            ("COPY s l", ":0"),
        ]);
    }

    #[test]
    fn a_command_on_strings_refuses_a_lock_and_leaves_it() {
        let lines = [
            "GET l",
            "SET l v GET",
            "SET l v NX GET",
            "SET l v IFEQ 1700000000000000",
            "GETSET l v",
            "GETDEL l",
            "GETEX l",
            "GETEX l PERSIST",
            "GETEX l EX 100",
            "APPEND l v",
            "APPEND l \"\"",
            "STRLEN l",
            "GETRANGE l 0 -1",
            "SUBSTR l 0 -1",
            "SETRANGE l 0 v",
            "SETRANGE l 0 \"\"",
            "INCR l",
            "DECR l",
            "INCRBY l 5",
            "DECRBY l 5",
            "INCRBYFLOAT l 1",
            "GETBIT l 0",
            "SETBIT l 0 1",
            "BITCOUNT l",
            "BITPOS l 1",
            "BITFIELD l GET u8 0",
            "BITFIELD l SET u8 0 1",
            "BITFIELD_RO l GET u8 0",
            "BITOP NOT d l",
            "BITOP OR d s l",
            "LCS l s",
            "LCS s l",
            "GETV l",
            "DELIFEQ l v",
            "RENAME l d",
            "RENAMENX l d",
            "COPY l d",
            "COPY l s REPLACE",
            "COPY l l DB 3",
            "MOVE l 3",
            "GETL l 100",
            "GETL l 100 STALE 5 BLOCK 5",
            "THROTTLE l 1 1 1",
        ];
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            rig.run("SET s v");
            rig.run("LOCK l 1000");
            for line in lines {
                assert_eq!(rig.reply(line), WRONG_TYPE, "{line}");
                assert_eq!(rig.reply("TYPE l"), "+lock", "{line}");
                assert_eq!(rig.reply("PTTL l"), ":1000", "{line}");
                assert_eq!(rig.reply("EXISTS d"), ":0", "{line}");
                assert_eq!(rig.reply("GET s"), "$1 v", "{line}");
            }
            let holder = "*6 $5 token :1700000000000000 $6 ttl_ms :1000 $7 waiters :0";
            assert_eq!(rig.reply("LOCKINFO l"), holder);
        }
    }

    #[test]
    fn whatever_writes_a_key_whole_ends_its_lock() {
        let lines = [
            ("SET l v", "+OK"),
            ("SET l v XX", "+OK"),
            ("MSET l v", "+OK"),
            ("SETEX l 5 v", "+OK"),
            ("RENAME s l", "+OK"),
            ("COPY s l REPLACE", ":1"),
            ("BITOP OR l s", ":1"),
            ("DEL l", ":1"),
            ("UNLINK l", ":1"),
            ("EXPIRE l 0", ":1"),
            ("SETABSENT l", "+OK"),
            ("FLUSHDB", "+OK"),
        ];
        for (line, reply) in lines {
            check(&[
                ("SET s v", "+OK"),
                ("LOCK l 1000", ":1700000000000000"),
                (line, reply),
                ("UNLOCK other 1", ":0"),
                (
                    "DEL l",
                    if line.starts_with(['D', 'U', 'E', 'F']) || line.ends_with("ABSENT l") { ":0" } else { ":1" },
                ),
                ("LOCK l 1000", ":1700000000000001"),
            ]);
        }
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        check(&[
            ("LOCK l 0", "-ERR ttl_ms must be 1 to 2592000000, not '0'"),
            ("LOCK l 2592000001", "-ERR ttl_ms must be 1 to 2592000000, not '2592000001'"),
            ("LOCK l x", "-ERR ttl_ms must be 1 to 2592000000, not 'x'"),
            ("LOCK l 1 WAIT 0", "-ERR WAIT must be 1 to 86400000, not '0'"),
            ("LOCK l 1 wait 86400001", "-ERR WAIT must be 1 to 86400000, not '86400001'"),
            ("LOCK l 1 WAIT", "-ERR syntax error"),
            ("LOCK l 1 WAIT 1 WAIT 1", "-ERR syntax error"),
            ("LOCK l 1 NX 1", "-ERR syntax error"),
            ("LOCK l", "-ERR wrong number of arguments for 'lock' command"),
            ("UNLOCK l 0", "-ERR token must be 1 to 9223372036854775807, not '0'"),
            ("UNLOCK l -1", "-ERR token must be 1 to 9223372036854775807, not '-1'"),
            ("RELOCK l x 1", "-ERR token must be 1 to 9223372036854775807, not 'x'"),
            ("RELOCK l 1 0", "-ERR ttl_ms must be 1 to 2592000000, not '0'"),
            ("EXISTS l", ":0"),
        ]);
    }
}
