//! GETL: the value of a key, or who is to make it.
//!
//! | what there is | first to ask | everybody else |
//! |---|---|---|
//! | a live value | the value as GET replies it | the same |
//! | one that is soon over, or marked as out of date | `refresh`, token, value | the value as GET replies it |
//! | one in its grace, and STALE allows its age | `win`, token, value | `stale`, nil, value |
//! | a note that there is nothing | `absent`, nil, nil | the same |
//! | nothing else | `win`, token, nil | with BLOCK they wait for the next change; then, and else: `wait`, nil, nil |
//!
//! The token is that of a [lease](crate::leases), for SETL, SETABSENT and DELL. Those who wait are asked again in their
//! order whenever the key changes or its lease ends, so that the first of them gets the next lease.
//!
//! A win of `mg` has no end of its own. To GETL it has the one that its own lease would have had, so that nobody waits
//! for a client of memcached that is gone. What `mg` made to have something to win is no value.

use locksley_engine::limits::KEY_BYTES_MAX;
use locksley_engine::{Entry, Key, Look, Millis, Refusal, Touch};
use locksley_wire::resp::Reply;

use super::arguments::number;
use super::early_refresh;
use super::keywords::{Keyword, keywords};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::lease;
use crate::command::park::{Attempt, Parking};
use crate::command::row::{Args, Command, Flags, Group, Keys, Run};
use crate::command::string_value::{StringValue, string_value};
use crate::leases::{Lease, Term};
use crate::limits::{BLOCK_MS_MAX, LEASE_MS_MAX, STALE_MS_MAX};
use crate::thread::Thread;

pub(super) static GETL: Command = Command {
    name: "getl",
    arity: -3,
    flags: Flags::READONLY.union(Flags::NOSCRIPT).union(Flags::BLOCKING),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::Cache,
    since: "Locksley 0.1.0",
    summary: "Returns the value of a key, or tells one caller to make it and the others to wait",
    complexity: "O(1)",
    syntax: "key lease-ms [STALE ms] [BLOCK ms]",
    run: Run::Park { run: getl, may_wait },
};

const STALE: Keyword = ("STALE", 0..=STALE_MS_MAX);
const BLOCK: Keyword = ("BLOCK", 1..=BLOCK_MS_MAX);

/// What a caller wants where there is no live value.
#[expect(clippy::struct_field_names, reason = "each is a time, and its unit belongs to its name")]
#[derive(Clone, Copy)]
struct Wish {
    /// How long it may take to make one.
    lease_ms: u64,
    /// How long ago a value may have ended that it takes instead.
    stale_ms: Option<u64>,
    /// How long it waits for one.
    block_ms: Option<u64>,
}

fn may_wait(args: Args<'_>) -> bool {
    args.iter().skip(3).step_by(2).any(|word| word.eq_ignore_ascii_case(BLOCK.0.as_bytes()))
}

fn getl(
    context: &mut Context<'_>,
    args: Args<'_>,
    attempt: Attempt,
    reply: &mut Reply<'_>,
) -> Result<Option<Parking>, Failure> {
    let lease_ms = number("lease_ms", args[2], 1..=LEASE_MS_MAX)?;
    let [stale_ms, block_ms] = if args.len() == 3 { [None; 2] } else { keywords(&args[3..], &[STALE, BLOCK])? };
    let wish = Wish { lease_ms, stale_ms, block_ms };
    let key = context.key(args[1]);
    let now = context.now();
    // A request that has waited was counted before.
    let touch = if attempt == Attempt::First { context.caller.touch } else { Touch::Leave };
    if let Some(entry) = context.shard().get(key, now, touch) {
        let value = string_value(&entry)?;
        if !may_be_renewed(&entry, now) {
            value.write(reply);
            return Ok(None);
        }
        if !is_stub(&entry, value) {
            return wish.renew(context, args[1], reply);
        }
    }
    wish.make(context, args[1], attempt, reply)
}

/// Whether a live value is worth another look: it is out of date, or soon over.
#[inline]
fn may_be_renewed(entry: &Entry<'_>, now: Millis) -> bool {
    entry.is_stale || entry.cost_ms > 0 && early_refresh::may_be_due(left_ms(entry, now), entry.cost_ms)
}

/// Whether an entry is what `mg` leaves where nothing was; a value that is empty and out of date looks the same.
fn is_stub(entry: &Entry<'_>, value: StringValue<'_>) -> bool {
    entry.is_stale && value.len() == 0
}

fn left_ms(entry: &Entry<'_>, now: Millis) -> u64 {
    entry.expiry.map_or(u64::MAX, |expiry| expiry.0.saturating_sub(now.0))
}

impl Wish {
    /// Replies a live value that is out of date or soon over; one caller is asked to renew it.
    #[cold]
    fn renew(self, context: &mut Context<'_>, key: &[u8], reply: &mut Reply<'_>) -> Result<Option<Parking>, Failure> {
        let key = context.key(key);
        let now = context.now();
        let lease = self.lease(context, key);
        let random = context.thread.random.next();
        let entry = context.shard().get(key, now, Touch::Leave).expect("the entry was there a moment ago");
        let is_due = entry.is_stale || early_refresh::is_due(left_ms(&entry, now), entry.cost_ms, random);
        if lease.is_some() || !is_due {
            string_value(&entry)?.write(reply);
            return Ok(None);
        }
        let token = self.begin(context, key);
        context.thread.counters.leases.refreshes += 1;
        let entry = context.shard().get(key, now, Touch::Leave).expect("a lease changes no entry");
        let value = string_value(&entry)?;
        answer("refresh", Some(token), Some(value), reply);
        Ok(None)
    }

    /// Replies where there is no live value: one caller is to make it.
    #[cold]
    fn make(
        self,
        context: &mut Context<'_>,
        key: &[u8],
        attempt: Attempt,
        reply: &mut Reply<'_>,
    ) -> Result<Option<Parking>, Failure> {
        if key.len() > KEY_BYTES_MAX {
            return Err(Refusal::KeyTooLong { bytes: key.len() }.into());
        }
        let key = context.key(key);
        let now = context.now();
        let lease = self.lease(context, key);
        // Who comes now is not served before those who wait.
        let is_behind = attempt == Attempt::First && context.thread.waiters.has(key.db, key.bytes);
        let (is_absent, takes_over) = match context.shard().look(key, now, Touch::Leave) {
            Look::Absent { .. } => (true, false),
            Look::Over(entry) => (false, self.takes(&entry, now)),
            Look::Missing | Look::Live(_) => (false, false),
        };
        let token = (lease.is_none() && !is_behind && !is_absent).then(|| self.begin(context, key));
        let Thread { shard, counters, .. } = &mut *context.thread;
        let stale = match takes_over.then(|| shard.look(key, now, Touch::Leave)) {
            Some(Look::Over(entry)) => Some(string_value(&entry)?),
            _ => None,
        };
        let counters = &mut counters.leases;
        match (token, stale) {
            _ if is_absent => answer("absent", None, None, reply),
            (Some(token), stale) => {
                counters.wins += 1;
                answer("win", Some(token), stale, reply);
            }
            (None, Some(stale)) => {
                counters.stale += 1;
                answer("stale", None, Some(stale), reply);
            }
            (None, None) => {
                counters.waits += u64::from(attempt == Attempt::First);
                if let Some(block_ms) = self.block_ms
                    && attempt != Attempt::Last
                {
                    let look_at = lease.map(|lease| self.ends(lease));
                    return Ok(Some(Parking { deadline: Millis(now.0 + block_ms), look_at }));
                }
                answer("wait", None, None, reply);
            }
        }
        Ok(None)
    }

    /// The lease of `key`, as far as this caller has to heed it.
    fn lease(self, context: &mut Context<'_>, key: Key<'_>) -> Option<Lease> {
        let now = context.now();
        lease::live(context.thread, key).filter(|lease| now < self.ends(*lease))
    }

    /// When a lease ends for this caller if nothing happens before.
    fn ends(self, lease: Lease) -> Millis {
        lease.ends().unwrap_or(Millis(lease.began.0 + self.lease_ms))
    }

    /// Gives the caller the lease; returns its token.
    fn begin(self, context: &mut Context<'_>, key: Key<'_>) -> u64 {
        let ends = Millis(context.now().0 + self.lease_ms);
        lease::begin(context.thread, key, Term::Held { holder: context.caller.id, ends })
    }

    /// Whether a value in its grace is not older than the caller allows.
    fn takes(self, entry: &Entry<'_>, now: Millis) -> bool {
        let over = entry.expiry.expect("a value in its grace has ended");
        self.stale_ms.is_some_and(|stale_ms| now.0.saturating_sub(over.0) <= stale_ms)
    }
}

fn answer(state: &str, token: Option<u64>, value: Option<StringValue<'_>>, reply: &mut Reply<'_>) {
    reply.array(3);
    reply.bulk(state.as_bytes());
    match token {
        Some(token) => reply.integer(token as i64),
        None => reply.null(),
    }
    match value {
        Some(value) => value.write(reply),
        None => reply.null(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, token};
    use crate::command::testing::Rig;

    const WAIT: &str = "*3 $4 wait $-1 $-1";

    #[test]
    fn a_hit_is_what_get_replies() {
        check(&[
            ("SET k hello", "+OK"),
            ("GETL k 1000", "$5 hello"),
            ("GETL k 1000 STALE 0 BLOCK 1", "$5 hello"),
            ("SET k -12", "+OK"),
            ("GETL k 1", "$3 -12"),
            ("SET k \"\"", "+OK"),
            ("GETL k 3600000 BLOCK 86400000", "$0 "),
        ]);
    }

    #[test]
    fn one_caller_wins_and_the_others_wait() {
        check(&[
            ("GETL k 1000", "*3 $3 win :T1 $-1"),
            ("GETL k 1000", WAIT),
            ("GETL k 1000 BLOCK 5", WAIT),
            ("GETL k 1000 STALE 5", WAIT),
            ("GETL other 1000", "*3 $3 win :T2 $-1"),
            ("@db 1", ""),
            ("GETL k 1000", "*3 $3 win :T3 $-1"),
            ("@db 0", ""),
            ("@after 999", ""),
            ("GETL k 1000", WAIT),
            ("@after 1", ""),
            ("GETL k 1000", "*3 $3 win :T4 $-1"),
            ("SETL k T1 late", "$-1"),
            ("SETL k T4 made", "+OK"),
            ("GETL k 1000", "$4 made"),
            ("@resp 3", ""),
            ("GETL new 1000", "*3 $3 win :T5 _"),
            ("GETL new 1000", "*3 $4 wait _ _"),
        ]);
    }

    #[test]
    fn whoever_changes_the_key_ends_its_lease() {
        for change in [
            "SET k v",
            "DEL k",
            "APPEND k v",
            "MSET k v",
            "SETABSENT k",
            "FLUSHDB",
            "FLUSHALL",
            "SWAPDB 0 1",
            "RENAME from k",
        ] {
            check(&[
                ("SET from v", "+OK"),
                ("GETL k 1000", "*3 $3 win :T1 $-1"),
                (change, reply_of(change)),
                ("SETL k T1 old", "$-1"),
                ("DELL k T1", ":0"),
                ("DEL k", gone_of(change)),
                ("GETL k 1000", "*3 $3 win :T2 $-1"),
            ]);
        }
    }

    fn reply_of(change: &str) -> &'static str {
        match change {
            "DEL k" => ":0",
            "APPEND k v" => ":1",
            _ => "+OK",
        }
    }

    fn gone_of(change: &str) -> &'static str {
        if ["SET k v", "APPEND k v", "MSET k v", "RENAME from k"].contains(&change) { ":1" } else { ":0" }
    }

    #[test]
    fn a_change_of_the_expiry_alone_ends_no_lease() {
        check(&[
            ("GETL k 1000", "*3 $3 win :T1 $-1"),
            ("EXPIRE k 10", ":0"),
            ("PERSIST k", ":0"),
            ("GET k", "$-1"),
            ("SETL k T1 made", "+OK"),
        ]);
    }

    #[test]
    fn a_value_in_its_grace_is_shown_to_those_who_take_it() {
        let win = "*3 $3 win :T2 $3 old";
        let stale = "*3 $5 stale $-1 $3 old";
        check(&[
            ("GETL k 1000", "*3 $3 win :T1 $-1"),
            ("SETL k T1 old PX 100 STALE 500", "+OK"),
            ("PTTL k", ":100"),
            ("@after 100", ""),
            ("GET k", "$-1"),
            ("EXISTS k", ":0"),
            ("GETL k 1000 STALE 500", win),
            ("GETL k 1000", WAIT),
            ("GETL k 1000 STALE 500", stale),
            ("GETL k 1000 STALE 500 BLOCK 100", stale),
            ("GETL k 1000 STALE 0", stale),
            ("@after 1", ""),
            ("GETL k 1000 STALE 0", WAIT),
            ("GETL k 1000 STALE 1", stale),
            ("@after 499", ""),
            ("GETL k 1000 STALE 2592000000", WAIT),
            ("@after 500", ""),
            ("GETL k 1000 STALE 2592000000", "*3 $3 win :T3 $-1"),
        ]);
    }

    #[test]
    fn a_value_marked_as_out_of_date_is_renewed_by_one() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            rig.reply("SET k old");
            rig.invalidate(0, "k");
            let reply = rig.reply("GETL k 1000");
            assert!(reply.starts_with("*3 $7 refresh :") && reply.ends_with(" $3 old"), "{reply}");
            assert_eq!(rig.reply("GETL k 1000"), "$3 old");
            let token = token(&reply).expect("it is a lease");
            assert_eq!(rig.reply(&format!("SETL k {token} new")), "+OK");
            assert_eq!(rig.reply("GETL k 1000"), "$3 new");
        }
    }

    #[test]
    fn a_value_that_is_soon_over_is_renewed_by_one() {
        let mut rig = Rig::new(1);
        let first = token(&rig.reply("GETL k 10000")).expect("nothing is there");
        rig.reply("@after 50");
        assert_eq!(rig.reply(&format!("SETL k {first} v PX 10000")), "+OK");
        // 50 ms of cost: nobody is asked when 37 times that are left, and after many draws somebody at 1 ms.
        rig.reply("@after 8000");
        for _ in 0..1000 {
            assert_eq!(rig.reply("GETL k 1000"), "$1 v");
        }
        rig.reply("@after 1999");
        let second = (0..1000).find_map(|_| token(&rig.reply("GETL k 1000"))).expect("the chance is 98 %");
        for _ in 0..1000 {
            assert_eq!(rig.reply("GETL k 1000"), "$1 v", "one is asked at a time");
        }
        rig.reply("@after 20");
        assert_eq!(rig.reply(&format!("SETL k {second} w PX 10000")), "+OK");
        assert_eq!(rig.reply("GETL k 1000"), "$1 w");
    }

    #[test]
    fn an_absent_key_is_won_by_nobody() {
        check(&[
            ("SETABSENT k EX 10", "+OK"),
            ("GETL k 1000", "*3 $6 absent $-1 $-1"),
            ("GETL k 1000 BLOCK 10 STALE 10", "*3 $6 absent $-1 $-1"),
            ("@after 10000", ""),
            ("GETL k 1000", "*3 $3 win :T1 $-1"),
        ]);
    }

    #[test]
    fn arguments_have_names_and_ranges() {
        check(&[
            ("GETL k", "-ERR wrong number of arguments for 'getl' command"),
            ("GETL k 0", "-ERR lease_ms must be 1 to 3600000, not '0'"),
            ("GETL k 3600001", "-ERR lease_ms must be 1 to 3600000, not '3600001'"),
            ("GETL k x", "-ERR lease_ms must be 1 to 3600000, not 'x'"),
            ("GETL k 1 STALE 2592000001", "-ERR STALE must be 0 to 2592000000, not '2592000001'"),
            ("GETL k 1 BLOCK 0", "-ERR BLOCK must be 1 to 86400000, not '0'"),
            ("GETL k 1 BLOCK", "-ERR syntax error"),
            ("GETL k 1 BLOCK 1 BLOCK 1", "-ERR syntax error"),
            ("GETL k 1 WAIT 1", "-ERR syntax error"),
        ]);
        let key = "k".repeat(64 * 1024 + 1);
        let refusal = "-ERR key is too long (65537 bytes, the limit is 65536)";
        check(&[(&format!("GETL {key} 1"), refusal)]);
    }
}
