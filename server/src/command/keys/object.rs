//! OBJECT: how an entry is kept.
//!
//! FREQ is what `redis-cli --hotkeys` asks of every key. Under an LFU policy it is Redis's counter, a logarithm, and under
//! the other policies of Redis there is none. The queues of S3-FIFO and FIFO keep none either, but it would be a pity to
//! refuse where the server knows which keys are hot: there it is requests a second.

use locksley_engine::{Encoding, Entry, Policy, Touch, Value};
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::help::help as write_help;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

/// FREQ was asked for, but the policy keeps no frequency.
const NO_FREQUENCY: Failure = Failure::fixed(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);
/// IDLETIME was asked for, but the policy keeps frequencies.
const NO_IDLE_TIME: Failure = Failure::fixed(
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);

/// The longest string that is shown as `embstr`: in Redis it fits one small allocation together with its header.
const EMBEDDED_BYTES_MAX: usize = 44;

/// The key of a subcommand.
const KEY: Keys = Keys::Range { first: 2, last: 2, step: 1 };

pub(super) static OBJECT: Command = Command {
    name: "object",
    arity: -2,
    flags: Flags::empty(),
    keys: Keys::None,
    categories: &[],
    group: Group::Generic,
    since: "2.2.3",
    summary: "Shows how an entry is kept",
    complexity: "O(1)",
    syntax: "",
    run: Run::Container(&[ENCODING, FLAGS, FREQ, HELP, IDLETIME, REFCOUNT]),
};

const ENCODING: Command = Command {
    name: "encoding",
    arity: 3,
    flags: Flags::READONLY,
    keys: KEY,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "2.2.3",
    summary: "Returns how the value of a key is kept",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(encoding),
};

const FLAGS: Command = Command {
    name: "flags",
    arity: 3,
    flags: Flags::READONLY,
    keys: KEY,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "Locksley 0.1.0",
    summary: "Returns the client flags of a key, the number that clients of memcached and REST keep beside a value",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(flags),
};

const FREQ: Command = Command {
    name: "freq",
    arity: 3,
    flags: Flags::READONLY,
    keys: KEY,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "4.0.0",
    summary: "Returns the access counter of a key, a logarithm, under an LFU policy, or its requests a second under a FIFO policy",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(freq),
};

const HELP: Command = Command {
    name: "help",
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    keys: Keys::None,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "6.2.0",
    summary: "Describes the subcommands",
    complexity: "O(1)",
    syntax: "",
    run: Run::Home(help),
};

const IDLETIME: Command = Command {
    name: "idletime",
    arity: 3,
    flags: Flags::READONLY,
    keys: KEY,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "2.2.3",
    summary: "Returns the seconds since a key was last used, unless the policy is an LFU one",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(idletime),
};

const REFCOUNT: Command = Command {
    name: "refcount",
    arity: 3,
    flags: Flags::READONLY,
    keys: KEY,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "2.2.3",
    summary: "Returns the number of references to the value of a key, which is always 1",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(refcount),
};

fn encoding(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    inspect(context, args, reply, |entry, _, reply| {
        let is_short = matches!(entry.value, Value::Bytes(bytes) if bytes.len() <= EMBEDDED_BYTES_MAX);
        reply.bulk(match entry.encoding {
            Encoding::Integer => b"int",
            Encoding::Bytes if is_short => b"embstr",
            Encoding::Bytes | Encoding::Spliced => b"raw",
        });
        Ok(())
    })
}

fn flags(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    inspect(context, args, reply, |entry, _, reply| {
        reply.integer(i64::from(entry.client_flags));
        Ok(())
    })
}

fn freq(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if matches!(context.thread.config.maxmemory_policy, Policy::AllkeysS3fifo | Policy::AllkeysFifo) {
        return rate(context, args, reply);
    }
    inspect(context, args, reply, |entry, policy, reply| {
        if !policy.keeps_frequency() {
            return Err(NO_FREQUENCY);
        }
        reply.integer(i64::from(entry.frequency));
        Ok(())
    })
}

/// Requests for a key a second as the sketch of hot keys knows them: 0 of a key that is not among the hottest. Who asks
/// for that of all keys does not make them hot.
fn rate(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (key, now) = (context.key(args[2]), context.now());
    let shard = context.shard();
    if shard.get(key, now, Touch::Leave).is_none() {
        reply.null();
        return Ok(());
    }
    reply.integer(shard.key_rate(key, now).round() as i64);
    Ok(())
}

fn help(_: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let lines = [
        "ENCODING <key>",
        "    How the value is kept: int, embstr or raw.",
        "FLAGS <key>",
        "    The client flags of the key, a number of 32 bits: 0 unless a client of memcached or REST gave another.",
        "FREQ <key>",
        "    The access counter of the key, a logarithm, under an LFU policy. Under allkeys-s3fifo and allkeys-fifo its",
        "    requests a second, 0 unless it is one of the hottest keys. Needs one of these policies.",
        "IDLETIME <key>",
        "    Seconds since the key was last used. Needs a policy that is not LFU.",
        "REFCOUNT <key>",
        "    References to the value: always 1.",
    ];
    write_help("OBJECT", &lines, reply);
    Ok(())
}

fn idletime(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    inspect(context, args, reply, |entry, policy, reply| {
        if policy.keeps_frequency() {
            return Err(NO_IDLE_TIME);
        }
        reply.integer((entry.idle_ms / 1000) as i64);
        Ok(())
    })
}

fn refcount(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    inspect(context, args, reply, |_, _, reply| {
        reply.integer(1);
        Ok(())
    })
}

/// Shows the entry of the key to `write`, or replies null when there is none.
fn inspect(
    context: &mut Context<'_>,
    args: Args<'_>,
    reply: &mut Reply<'_>,
    write: impl FnOnce(&Entry<'_>, Policy, &mut Reply<'_>) -> Outcome,
) -> Outcome {
    let key = context.key(args[2]);
    let now = context.now();
    let policy = context.thread.config.maxmemory_policy;
    let Some(entry) = context.shard().get(key, now, Touch::CountOnly) else {
        reply.null();
        return Ok(());
    };
    write(&entry, policy, reply)
}

#[cfg(test)]
mod tests {
    use locksley_engine::{Db, ExpiryChange, FlagsChange, Op, Value};

    use super::{NO_FREQUENCY, NO_IDLE_TIME};
    use crate::command::testing::{Rig, check};

    #[test]
    fn an_encoding_tells_how_a_value_came_about() {
        check(&[
            ("OBJECT ENCODING k", "$-1"),
            ("SET k 12345678901", "+OK"),
            ("OBJECT ENCODING k", "$3 int"),
            ("SET k 123456789012345678901", "+OK"),
            ("OBJECT ENCODING k", "$6 embstr"),
            ("SET k 12345678901234567890123456789012345678901234", "+OK"),
            ("object encoding k", "$6 embstr"),
            ("SET k 123456789012345678901234567890123456789012345", "+OK"),
            ("OBJECT ENCODING k", "$3 raw"),
            ("SET k 1", "+OK"),
            ("APPEND k 2", ":2"),
            ("OBJECT ENCODING k", "$3 raw"),
            ("INCR k", ":13"),
            ("OBJECT ENCODING k", "$3 int"),
            ("SETRANGE k 0 a", ":2"),
            ("OBJECT ENCODING k", "$3 raw"),
            ("SET k \"\"", "+OK"),
            ("OBJECT ENCODING k", "$6 embstr"),
            ("OBJECT REFCOUNT k", ":1"),
            ("OBJECT REFCOUNT none", "$-1"),
        ]);
    }

    #[test]
    fn client_flags_are_those_of_the_last_write() {
        let mut rig = Rig::new(1);
        assert_eq!(rig.reply("OBJECT FLAGS k"), "$-1");
        rig.run("SET k v");
        assert_eq!(rig.reply("OBJECT FLAGS k"), ":0");
        let now = rig.threads[0].now;
        let shard = &mut rig.threads[0].shard;
        let key = shard.key(Db(0), b"k");
        let client_flags = FlagsChange::Set(u32::MAX);
        let op = Op::Put { key, value: Value::Bytes(b"v"), expiry: ExpiryChange::Clear, client_flags };
        shard.apply(op, now).expect("a small shard has room");
        for (line, flags) in [("APPEND k w", u32::MAX), ("EXPIRE k 100", u32::MAX), ("SET k v", 0)] {
            assert_ne!(rig.reply("OBJECT FLAGS k"), ":0");
            rig.run(line);
            assert_eq!(rig.reply("OBJECT FLAGS k"), format!(":{flags}"), "after {line}");
        }
    }

    #[test]
    fn idle_time_and_frequency_exclude_each_other() {
        let error = |failure: super::Failure| format!("-{}", failure.text());
        check(&[
            ("OBJECT FREQ k", "$-1"),
            ("SET k v", "+OK"),
            ("OBJECT IDLETIME k", ":0"),
            ("@policy allkeys-lru", ""),
            ("OBJECT FREQ k", &error(NO_FREQUENCY)),
            ("@policy noeviction", ""),
            ("OBJECT FREQ k", &error(NO_FREQUENCY)),
            ("@policy allkeys-lfu", ""),
            ("OBJECT IDLETIME k", &error(NO_IDLE_TIME)),
            ("OBJECT IDLETIME none", "$-1"),
        ]);
        let mut rig = Rig::new(1);
        for line in ["@policy volatile-lfu", "SET k v"] {
            rig.run(line);
        }
        assert!(rig.reply("OBJECT FREQ k").starts_with(':'));
    }

    #[test]
    fn a_fifo_policy_shows_requests_a_second() {
        for policy in ["allkeys-s3fifo", "allkeys-fifo"] {
            let mut rig = Rig::new(3);
            rig.run(&format!("@policy {policy}"));
            rig.run("SET k v");
            (0..499).for_each(|_| drop(rig.run("GET k")));
            assert_eq!(rig.reply("OBJECT FREQ k"), ":500");
            assert_eq!(rig.reply("OBJECT FREQ k"), ":500", "to ask is no use");
            assert_eq!(rig.reply("OBJECT FREQ none"), "$-1");
            rig.run("@after 60000");
            assert_eq!(rig.reply("OBJECT FREQ k"), ":0");
        }
    }

    #[test]
    fn help_has_a_line_for_each_subcommand() {
        let help = Rig::new(1).reply("OBJECT HELP");
        for name in ["ENCODING", "FLAGS", "FREQ", "IDLETIME", "REFCOUNT", "HELP"] {
            assert!(help.contains(&format!("+{name}")), "{name} in `{help}`");
        }
    }
}
