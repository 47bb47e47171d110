//! EXPIRE, PEXPIRE, EXPIREAT and PEXPIREAT: when a key goes.
//!
//! An instant that is over removes the key at once. For GT and LT a key without expiry lives for ever.

use bitflags::bitflags;
use locksley_engine::{Millis, Op, Touch};
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::expire_options::{TimeBase, TimeUnit, instant_ms, invalid_expire_time};
use crate::command::failure::Failure;
use crate::command::number::integer;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

/// NX beside another condition.
const NX_ALONE: Failure = Failure::fixed("ERR NX and XX, GT or LT options at the same time are not compatible");
/// GT beside LT.
const GT_OR_LT: Failure = Failure::fixed("ERR GT and LT options at the same time are not compatible");

pub(super) static EXPIRE: Command = Command {
    name: "expire",
    arity: -3,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "1.0.0",
    summary: "Sets the time to live of a key in seconds",
    complexity: "O(1)",
    syntax: "key seconds [NX | XX | GT | LT]",
    run: Run::Owner(expire),
};

pub(super) static PEXPIRE: Command = Command {
    name: "pexpire",
    arity: -3,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "2.6.0",
    summary: "Sets the time to live of a key in milliseconds",
    complexity: "O(1)",
    syntax: "key milliseconds [NX | XX | GT | LT]",
    run: Run::Owner(pexpire),
};

pub(super) static EXPIREAT: Command = Command {
    name: "expireat",
    arity: -3,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "1.2.0",
    summary: "Sets when a key expires, in seconds of Unix time",
    complexity: "O(1)",
    syntax: "key unix-seconds [NX | XX | GT | LT]",
    run: Run::Owner(expireat),
};

pub(super) static PEXPIREAT: Command = Command {
    name: "pexpireat",
    arity: -3,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "2.6.0",
    summary: "Sets when a key expires, in milliseconds of Unix time",
    complexity: "O(1)",
    syntax: "key unix-milliseconds [NX | XX | GT | LT]",
    run: Run::Owner(pexpireat),
};

bitflags! {
    /// What the old expiry must be for a new one to be set.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Conditions: u8 {
        /// There is none.
        const NX = 1;
        /// There is one.
        const XX = 1 << 1;
        /// It is earlier than the new one.
        const GT = 1 << 2;
        /// It is later than the new one.
        const LT = 1 << 3;
    }
}

fn expire(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    set_expiry(context, args, EXPIRE.name, (TimeUnit::Seconds, TimeBase::Now), reply)
}

fn pexpire(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    set_expiry(context, args, PEXPIRE.name, (TimeUnit::Milliseconds, TimeBase::Now), reply)
}

fn expireat(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    set_expiry(context, args, EXPIREAT.name, (TimeUnit::Seconds, TimeBase::Epoch), reply)
}

fn pexpireat(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    set_expiry(context, args, PEXPIREAT.name, (TimeUnit::Milliseconds, TimeBase::Epoch), reply)
}

fn set_expiry(
    context: &mut Context<'_>,
    args: Args<'_>,
    command: &str,
    (unit, base): (TimeUnit, TimeBase),
    reply: &mut Reply<'_>,
) -> Outcome {
    let conditions = Conditions::parse(&args[3..])?;
    let now = context.now();
    let instant = instant_ms(integer(args[2])?, unit, base, now).ok_or_else(|| invalid_expire_time(command))?;
    let key = context.key(args[1]);
    let old = context.shard().get(key, now, Touch::Leave).map(|entry| entry.expiry);
    let is_met = old.is_some_and(|old| conditions.are_met(old, instant));
    if is_met {
        let op = if instant <= now.0 as i64 {
            Op::Delete { key }
        } else {
            Op::SetExpiry { key, expiry: Some(Millis(instant as u64)) }
        };
        context.shard().apply(op, now)?;
    }
    reply.integer(i64::from(is_met));
    Ok(())
}

impl Conditions {
    fn parse(words: &[&[u8]]) -> Result<Conditions, Failure> {
        let mut conditions = Conditions::empty();
        for word in words {
            let named = Conditions::all().iter_names().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word));
            let Some((_, condition)) = named else {
                let word = String::from_utf8_lossy(word);
                return Err(Failure::new(format_args!("ERR Unsupported option {word}")));
            };
            conditions |= condition;
        }
        if conditions.contains(Conditions::NX) && conditions != Conditions::NX {
            return Err(NX_ALONE);
        }
        if conditions.contains(Conditions::GT | Conditions::LT) { Err(GT_OR_LT) } else { Ok(conditions) }
    }

    fn are_met(self, old: Option<Millis>, instant: i64) -> bool {
        let old = old.map(|old| old.0 as i64);
        self.iter().all(|condition| match condition {
            Conditions::NX => old.is_none(),
            Conditions::XX => old.is_some(),
            Conditions::GT => old.is_some_and(|old| instant > old),
            _ => old.is_none_or(|old| instant < old),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn a_key_goes_when_its_time_is_over() {
        check(&[
            ("SET k v", "+OK"),
            ("EXPIRE k 10", ":1"),
            ("PTTL k", ":10000"),
            ("PEXPIRE k 10", ":1"),
            ("PTTL k", ":10"),
            ("EXPIREAT k 1700000100", ":1"),
            ("PTTL k", ":100000"),
            ("PEXPIREAT k 1700000000010", ":1"),
            ("@after 9", ""),
            ("EXISTS k", ":1"),
            ("@after 1", ""),
            ("EXISTS k", ":0"),
            ("EXPIRE k 10", ":0"),
        ]);
    }

    #[test]
    fn a_time_that_is_over_removes_the_key() {
        for line in ["EXPIRE k 0", "EXPIRE k -1", "PEXPIRE k -9223372036854775808", "EXPIREAT k 1", "PEXPIREAT k 0"] {
            check(&[("SET k v", "+OK"), (line, ":1"), ("EXISTS k", ":0")]);
        }
    }

    #[test]
    fn conditions_look_at_the_old_expiry() {
        check(&[
            ("SET k v", "+OK"),
            ("EXPIRE k 100 XX", ":0"),
            ("EXPIRE k 100 GT", ":0"),
            ("EXPIRE k 100 LT", ":1"),
            ("EXPIRE k 50 NX", ":0"),
            ("EXPIRE k 100 gt", ":0"),
            ("EXPIRE k 101 GT", ":1"),
            ("EXPIRE k 101 LT", ":0"),
            ("EXPIRE k 100 LT XX", ":1"),
            ("EXPIRE k 99 GT XX", ":0"),
            ("EXPIRE k 200 XX", ":1"),
            ("TTL k", ":200"),
            ("PERSIST k", ":1"),
            ("EXPIRE k 5 LT XX", ":0"),
            ("EXPIRE k 5 NX", ":1"),
            ("EXPIRE k -1 GT", ":0"),
            ("EXPIRE k -1 LT", ":1"),
            ("EXISTS k", ":0"),
        ]);
    }

    #[test]
    fn bad_requests_are_refused_in_order() {
        check(&[
            ("EXPIRE k 10 AB", "-ERR Unsupported option AB"),
            ("EXPIRE k x NX GT", "-ERR NX and XX, GT or LT options at the same time are not compatible"),
            ("EXPIRE k 10 XX GT LT", "-ERR GT and LT options at the same time are not compatible"),
            ("EXPIRE k x", "-ERR value is not an integer or out of range"),
            ("EXPIRE k 9223372036854775807", "-ERR invalid expire time in 'expire' command"),
            ("EXPIRE k -9223372036854775808", "-ERR invalid expire time in 'expire' command"),
            ("EXPIRE k 9223372036854775", "-ERR invalid expire time in 'expire' command"),
            ("PEXPIRE k 9223372036854775807", "-ERR invalid expire time in 'pexpire' command"),
            ("EXPIREAT k 9223372036854776", "-ERR invalid expire time in 'expireat' command"),
            ("PEXPIREAT k 9223372036854775807", ":0"),
            ("SET k v", "+OK"),
            ("PEXPIREAT k 9223372036854775807", ":1"),
            ("PEXPIRETIME k", ":9223372036854775807"),
        ]);
    }
}
