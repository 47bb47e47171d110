//! SETL: stores a value that was made with a lease, if the lease is still worth something.
//!
//! Whoever changed the key since the lease was given has ended it, so that no value is stored that was made of older data
//! than a later change. What the value took to make is kept with it, for its [early refresh](super::early_refresh).

use locksley_engine::{ExpiryChange, FlagsChange, Millis, Op, Value};
use locksley_wire::resp::Reply;

use super::arguments::token;
use super::keywords::{EX, EXAT, Keyword, PX, PXAT, instant, keywords};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::lease;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::leases::Lease;
use crate::limits::STALE_MS_MAX;

pub(super) static SETL: Command = Command {
    name: "setl",
    arity: -4,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::Cache,
    since: "Locksley 0.1.0",
    summary: "Makes a key hold a value if the token is that of its lease; optionally with a time to live, and a grace in which GETL may show it behind that",
    complexity: "O(1)",
    syntax: "key token value [EX seconds | PX milliseconds | EXAT unix-seconds | PXAT unix-milliseconds] [STALE ms]",
    run: Run::Owner(setl),
};

const STALE: Keyword = ("STALE", 0..=STALE_MS_MAX);

const STALE_WITHOUT_TTL: Failure = Failure::fixed("ERR STALE needs a time to live (EX, PX, EXAT or PXAT)");

fn setl(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let token = token(args[2])?;
    let [ex, px, exat, pxat, stale_ms] = keywords(&args[4..], &[EX, PX, EXAT, PXAT, STALE])?;
    let now = context.now();
    let until = instant([ex, px, exat, pxat], now)?.or(default_end(context));
    if until.is_none() && stale_ms.is_some() {
        return Err(STALE_WITHOUT_TTL);
    }
    let key = context.key(args[1]);
    let Some(lease) = lease::held(context.thread, key, token) else {
        reply.null();
        return Ok(());
    };
    let expiry = until.map_or(ExpiryChange::Clear, |until| ExpiryChange::Graced {
        until,
        grace_ms: u32::try_from(stale_ms.unwrap_or(0)).expect("the longest grace has 32 bits"),
        cost_ms: cost_ms(lease, now),
    });
    let op = Op::Put { key, value: Value::Bytes(args[3]), expiry, client_flags: FlagsChange::Set(0) };
    context.shard().apply(op, now)?;
    lease::end(context.thread, key);
    reply.ok();
    Ok(())
}

/// When a value ends that is stored without a time to live, where the settings give it one.
fn default_end(context: &Context<'_>) -> Option<Millis> {
    let ttl_ms = 1000 * u64::from(context.thread.config.default_ttl);
    (ttl_ms > 0).then(|| Millis(context.now().0 + ttl_ms))
}

/// How long the holder of a lease took.
fn cost_ms(lease: Lease, now: Millis) -> u32 {
    u32::try_from(now.0.saturating_sub(lease.began.0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, token};
    use crate::command::testing::Rig;

    #[test]
    fn only_the_live_token_stores() {
        check(&[
            ("SETL k T0 v", "$-1"),
            ("GETL k 100", "*3 $3 win :T1 $-1"),
            ("SETL k T0 v", "$-1"),
            ("SETL other T1 v", "$-1"),
            ("@db 1", ""),
            ("SETL k T1 v", "$-1"),
            ("@db 0", ""),
            ("SETL k T1 v", "+OK"),
            ("SETL k T1 w", "$-1"),
            ("GET k", "$1 v"),
            ("PTTL k", ":-1"),
            ("DEL k", ":1"),
            ("GETL k 100", "*3 $3 win :T2 $-1"),
            ("@after 100", ""),
            ("SETL k T2 late", "$-1"),
            ("EXISTS k", ":0"),
        ]);
    }

    #[test]
    fn a_time_to_live_is_given_in_four_ways() {
        for (option, left) in [
            ("EX 10", ":10000"),
            ("PX 10", ":10"),
            ("EXAT 1700000100", ":100000"),
            ("PXAT 1700000000001", ":1"),
            ("STALE 5 PX 10", ":10"),
            ("PXAT 1", ":-2"),
        ] {
            check(&[("GETL k 100", "*3 $3 win :T1 $-1"), (&format!("SETL k T1 v {option}"), "+OK"), ("PTTL k", left)]);
        }
    }

    #[test]
    fn the_setting_gives_a_time_to_live_and_so_a_grace() {
        let mut rig = Rig::new(1);
        rig.configure(|config| config.default_ttl = 2);
        let first = token(&rig.reply("GETL k 100")).expect("nobody has the lease");
        assert_eq!(rig.reply(&format!("SETL k {first} v STALE 1000")), "+OK");
        assert_eq!(rig.reply("PTTL k"), ":2000");
        rig.reply("@after 2500");
        assert!(rig.reply("GETL k 100 STALE 500").ends_with("$1 v"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        check(&[
            ("SETL k 1", "-ERR wrong number of arguments for 'setl' command"),
            ("SETL k 0 v", "-ERR token must be 1 to 9223372036854775807, not '0'"),
            ("SETL k 1 v EX 0", "-ERR EX must be 1 to 9007199254740991, not '0'"),
            ("SETL k 1 v EX 1 STALE -1", "-ERR STALE must be 0 to 2592000000, not '-1'"),
            ("SETL k 1 v STALE 10", "-ERR STALE needs a time to live (EX, PX, EXAT or PXAT)"),
            ("SETL k 1 v EX 1 PX 1", "-ERR syntax error"),
            ("SETL k 1 v NX", "-ERR syntax error"),
            ("GETL k 100", "*3 $3 win :T1 $-1"),
            ("SETL k T1 v EX x", "-ERR EX must be 1 to 9007199254740991, not 'x'"),
            ("SETL k T1 v", "+OK"),
        ]);
    }
}
