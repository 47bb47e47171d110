//! MSET and MSETNX: several keys written in one step.

use std::borrow::Cow;

use locksley_engine::Encoding;
use locksley_wire::resp::Reply;

use crate::command::effect::{Effect, Effects};
use crate::command::failure::Failure;
use crate::command::row::{Command, DecideInput, Flags, Group, Keys, Outcome, PlanInput, PlanRead, PlannedKey, Run};

pub(super) static MSET: Command = Command {
    name: "mset",
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: Keys::PAIRS,
    categories: &["string"],
    group: Group::String,
    since: "1.0.1",
    summary: "Makes one or more keys hold strings, all in one step",
    complexity: "O(N), N the number of keys",
    syntax: "key value [key value ...]",
    run: Run::Atomic { plan: plan_mset, decide: decide_mset },
};

pub(super) static MSETNX: Command = Command {
    name: "msetnx",
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: Keys::PAIRS,
    categories: &["string"],
    group: Group::String,
    since: "1.0.1",
    summary: "Makes one or more keys hold strings if none of them exists, all in one step",
    complexity: "O(N), N the number of keys",
    syntax: "key value [key value ...]",
    run: Run::Atomic { plan: plan_msetnx, decide: decide_msetnx },
};

fn plan_mset(input: &PlanInput<'_>, planned: &mut Vec<PlannedKey>) -> Outcome {
    plan(MSET.name, PlanRead::Nothing, input, planned)
}

fn plan_msetnx(input: &PlanInput<'_>, planned: &mut Vec<PlannedKey>) -> Outcome {
    plan(MSETNX.name, PlanRead::Presence, input, planned)
}

fn plan(command: &str, read: PlanRead, input: &PlanInput<'_>, planned: &mut Vec<PlannedKey>) -> Outcome {
    if input.args.len().is_multiple_of(2) {
        return Err(Failure::new(format_args!("ERR wrong number of arguments for '{command}' command")));
    }
    let arguments = Keys::PAIRS.positions(input.args.len());
    planned.extend(arguments.map(|argument| PlannedKey { argument, db: input.db, read }));
    Ok(())
}

fn decide_mset<'a>(input: &DecideInput<'a, '_>, effects: &mut Effects<'a>, reply: &mut Reply<'_>) -> Outcome {
    put_all(input, effects);
    reply.ok();
    Ok(())
}

fn decide_msetnx<'a>(input: &DecideInput<'a, '_>, effects: &mut Effects<'a>, reply: &mut Reply<'_>) -> Outcome {
    let is_free = input.reads.iter().all(Option::is_none);
    if is_free {
        put_all(input, effects);
    }
    reply.integer(i64::from(is_free));
    Ok(())
}

/// The last value wins where a key is named twice, since effects are made in order.
fn put_all<'a>(input: &DecideInput<'a, '_>, effects: &mut Effects<'a>) {
    let pairs = input.args[1..].chunks_exact(2);
    effects.extend(pairs.map(|pair| Effect::Put {
        db: input.db,
        key: Cow::Borrowed(pair[0]),
        value: Cow::Borrowed(pair[1]),
        encoding: Encoding::Bytes,
        expiry: None,
        client_flags: 0,
        is_stale: false,
    }));
}

#[cfg(test)]
mod tests {
    use locksley_engine::Policy;

    use crate::command::testing::{Rig, check};
    use crate::config::Config;

    #[test]
    fn all_keys_are_written() {
        check(&[
            ("SET b old EX 10", "+OK"),
            ("MSET a 1 b 2 c 3", "+OK"),
            ("MGET a b c", "*3 $1 1 $1 2 $1 3"),
            ("TTL b", ":-1"),
            ("MSET a 4 a 5", "+OK"),
            ("GET a", "$1 5"),
            ("MSET a 1 b", "-ERR wrong number of arguments for 'mset' command"),
            ("MSET a", "-ERR wrong number of arguments for 'mset' command"),
        ]);
    }

    #[test]
    fn all_keys_are_written_or_none() {
        check(&[
            ("MSETNX a 1 b 2 a 3", ":1"),
            ("MGET a b", "*2 $1 3 $1 2"),
            ("MSETNX c 1 a 2 d 3", ":0"),
            ("EXISTS c d", ":0"),
            ("PEXPIRE a 5", ":1"),
            ("@after 5", ""),
            ("MSETNX c 1 a 2", ":1"),
            ("MSETNX a 1 b", "-ERR wrong number of arguments for 'msetnx' command"),
        ]);
    }

    #[test]
    fn a_full_store_takes_all_keys_or_none() {
        let config = Config { maxmemory: 8 << 20, maxmemory_policy: Policy::Noeviction, ..Config::default() };
        let mut rig = Rig::with_config(1, config);
        let value = vec![b'v'; 3 << 20];
        let reply = rig.run_args(&[b"MSET", b"a", &value, b"b", &value, b"c", &value]);
        assert!(reply.starts_with(b"-OOM "), "{}", reply.escape_ascii());
        assert_eq!(rig.reply("EXISTS a b c"), ":0");
        assert_eq!(rig.run_args(&[b"MSET", b"a", &value]), b"+OK\r\n");
        rig.configure(|config| config.maxmemory = 1);
        for line in ["MSET b 1", "APPEND a more", "SETRANGE a 0 x", "SETBIT a 0 1", "INCR n"] {
            assert!(rig.reply(line).starts_with("-OOM "), "{line}");
        }
        assert_eq!(rig.reply("DEL a"), ":1");
    }
}
