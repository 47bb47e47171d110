//! `set`, `add`, `replace`, `append`, `prepend`, `cas`: the storage commands, and what every door that has their
//! conditions shares.

use locksley_engine::wal::Log;
use locksley_engine::{ExpiryChange, FlagsChange, Key, Op, Touch, Value};
use locksley_wire::memcached::{StoreMode, reply};
use locksley_wire::resp::Reply;

use super::{StoreOptions, exptime};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::lease;
use crate::command::row::{Args, Command, Flags, Group, Handler, Keys, Outcome, Run};
use crate::command::string_value::string_value;
use crate::leases::Term;

/// The row of a storage command.
const fn row(name: &'static str, summary: &'static str, run: Handler) -> Command {
    Command {
        name,
        arity: 4,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
        keys: Keys::FIRST,
        categories: &["string"],
        group: Group::Memcached,
        since: "Locksley 0.1.0",
        summary,
        complexity: "O(1)",
        syntax: "key flags exptime bytes [noreply]",
        run: Run::Owner(run),
    }
}

pub(super) static SET: Command = row("set", "Stores a value, whatever there was", set);
pub(super) static ADD: Command = row("add", "Stores a value if the key does not exist", add);
pub(super) static REPLACE: Command = row("replace", "Stores a value if the key exists", replace);
pub(super) static APPEND: Command =
    Command { complexity: "O(N), N the length of the block", ..row("append", "Adds a block behind a value", append) };
pub(super) static PREPEND: Command = Command {
    complexity: "O(N), N the length of the new value",
    ..row("prepend", "Adds a block before a value", prepend)
};
pub(super) static CAS: Command = Command {
    syntax: "key flags exptime bytes cas-unique [noreply]",
    ..row("cas", "Stores a value if what there is has this version", cas)
};

pub(super) static TOO_LARGE: Command = Command {
    name: "too-large",
    arity: 2,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::Memcached,
    since: "Locksley 0.1.0",
    summary: "Removes what a value that is too large was to replace",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(too_large),
};

const TOO_LARGE_TEXT: &str = "object too large for cache";

/// What is to be stored, how, and on which condition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storing<'a> {
    /// How; [`StoreMode::Cas`] is [`StoreMode::Set`] that asks for a version.
    pub mode: StoreMode,
    /// Where.
    pub key: &'a [u8],
    /// What.
    pub value: &'a [u8],
    /// The client flags; an appended or prepended block leaves them.
    pub client_flags: u32,
    /// The expiry; an appended or prepended block leaves it.
    pub expiry: ExpiryChange,
    /// Only if the entry has this version.
    pub compare: Option<u64>,
}

/// What became of it.
#[expect(clippy::enum_variant_names, reason = "these are memcached's words")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// It is stored.
    Stored {
        /// The version the entry has now; 0 if its time was over at once.
        version: u64,
    },
    /// The mode forbids it: there is an entry, or none, or the value would be too long.
    NotStored,
    /// The entry has another version.
    Exists,
    /// There is no entry to compare with.
    NotFound,
}

/// What a condition looks at.
#[derive(Clone, Copy)]
struct Old {
    version: u64,
    value_bytes: usize,
    is_stale: bool,
}

/// Stores what `storing` says in the caller's database, if its condition is met.
///
/// # Errors
/// When memory or the log has no room.
#[inline]
pub(crate) fn store(context: &mut Context<'_>, storing: &Storing<'_>) -> Result<Stored, Failure> {
    if storing.mode == StoreMode::Set && storing.compare.is_none() {
        return put(context, storing);
    }
    store_if(context, storing)
}

/// Stores a value whose condition needs a look at the entry there is.
fn store_if(context: &mut Context<'_>, storing: &Storing<'_>) -> Result<Stored, Failure> {
    let key = context.key(storing.key);
    let now = context.now();
    let old = match context.shard().get(key, now, Touch::Leave) {
        Some(entry) => {
            Some(Old { version: entry.version, value_bytes: string_value(&entry)?.len(), is_stale: entry.is_stale })
        }
        None => None,
    };
    let asks = storing.compare.is_some();
    let outcome = match old {
        None => match storing.mode {
            StoreMode::Set | StoreMode::Cas if asks => Stored::NotFound,
            StoreMode::Set | StoreMode::Add | StoreMode::Cas => put(context, storing)?,
            StoreMode::Replace | StoreMode::Append | StoreMode::Prepend => Stored::NotStored,
        },
        Some(_) if storing.mode == StoreMode::Add => Stored::NotStored,
        Some(old) if storing.compare.is_some_and(|wanted| wanted != old.version) => Stored::Exists,
        Some(old) => match storing.mode {
            StoreMode::Append | StoreMode::Prepend => join_block(context, storing, old)?,
            _ => put(context, storing)?,
        },
    };
    if asks {
        let counters = &mut context.thread.counters.cache;
        match outcome {
            Stored::Stored { .. } => counters.cas_hits += 1,
            Stored::NotFound => counters.cas_misses += 1,
            Stored::Exists => counters.cas_badval += 1,
            Stored::NotStored => {}
        }
    }
    Ok(outcome)
}

#[inline]
fn put(context: &mut Context<'_>, storing: &Storing<'_>) -> Result<Stored, Failure> {
    let op = Op::Put {
        key: context.key(storing.key),
        value: Value::Bytes(storing.value),
        expiry: storing.expiry,
        client_flags: FlagsChange::Set(storing.client_flags),
    };
    apply(context, op)
}

/// Puts a block behind or before a value.
fn join_block(context: &mut Context<'_>, storing: &Storing<'_>, old: Old) -> Result<Stored, Failure> {
    let total_bytes = old.value_bytes + storing.value.len();
    if total_bytes as u64 > context.thread.config.memcached_max_value {
        return Ok(Stored::NotStored);
    }
    let key = context.key(storing.key);
    // What is stale becomes fresh only by being written whole.
    if storing.mode == StoreMode::Append && !old.is_stale {
        return apply(context, Op::Splice { key, offset: old.value_bytes, bytes: storing.value });
    }
    // The record holds the whole value, and room was made for the request alone.
    context.thread.ensure_log_room(Log::record_bytes(storing.key.len(), total_bytes))?;
    let now = context.now();
    let entry = context.shard().get(key, now, Touch::Leave).expect("the entry was there a moment ago");
    let text = string_value(&entry)?.text();
    let value = match storing.mode {
        StoreMode::Prepend => [storing.value, &text].concat(),
        _ => [&text, storing.value].concat(),
    };
    let (expiry, client_flags) = (ExpiryChange::Keep, FlagsChange::Keep);
    apply(context, Op::Put { key, value: Value::Bytes(&value), expiry, client_flags })
}

#[inline]
fn apply(context: &mut Context<'_>, op: Op<'_>) -> Result<Stored, Failure> {
    let now = context.now();
    let applied = context.shard().apply(op, now)?;
    context.thread.counters.cache.stored += 1;
    Ok(Stored::Stored { version: applied.version })
}

/// Makes `key` hold `value` as one that is out of date, in one step of the log; the version, 0 if its time is over at
/// once. Who has won the key by `mg` has won it still.
///
/// # Errors
/// When memory or the log has no room.
pub(super) fn put_stale(
    context: &mut Context<'_>,
    key: Key<'_>,
    value: Value<'_>,
    expiry: ExpiryChange,
    client_flags: FlagsChange,
) -> Result<u64, Failure> {
    let now = context.now();
    let won = lease::live(context.thread, key).filter(|lease| matches!(lease.term, Term::Open(_)));
    let value_bytes = match value {
        Value::Bytes(bytes) => bytes.len(),
        Value::Integer(_) => 0,
    };
    let group_bytes = Log::record_bytes(key.bytes.len(), value_bytes) + Log::record_bytes(key.bytes.len(), 0);
    // Room was made for the request alone, and this is two changes and the end of their group.
    context.thread.ensure_log_room(group_bytes + Log::record_bytes(0, 0))?;
    let shard = context.shard();
    shard.begin_group(group_bytes)?;
    let put = shard.apply(Op::Put { key, value, expiry, client_flags }, now);
    let marked = put.and_then(|put| match put.version {
        0 => Ok(0),
        _ => shard.apply(Op::Invalidate { key, expiry: ExpiryChange::Keep }, now).map(|applied| applied.version),
    });
    shard.commit();
    let version = marked?;
    if let Some(won) = won.filter(|_| version > 0) {
        lease::restore(context.thread, key, won);
    }
    Ok(version)
}

fn set(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    run(context, StoreMode::Set, args, reply)
}

fn add(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    run(context, StoreMode::Add, args, reply)
}

fn replace(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    run(context, StoreMode::Replace, args, reply)
}

fn append(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    run(context, StoreMode::Append, args, reply)
}

fn prepend(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    run(context, StoreMode::Prepend, args, reply)
}

fn cas(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    run(context, StoreMode::Cas, args, reply)
}

#[inline]
fn run(context: &mut Context<'_>, mode: StoreMode, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let options = StoreOptions::decode(args[2]);
    let storing = Storing {
        mode,
        key: args[1],
        value: args[3],
        client_flags: options.flags,
        expiry: exptime::expiry(options.exptime, context.now()),
        compare: (mode == StoreMode::Cas).then_some(options.cas),
    };
    let line: &[u8] = match store(context, &storing)? {
        Stored::Stored { .. } => b"STORED\r\n",
        Stored::NotStored => b"NOT_STORED\r\n",
        Stored::Exists => b"EXISTS\r\n",
        Stored::NotFound => b"NOT_FOUND\r\n",
    };
    reply.buffer().extend_from_slice(line);
    Ok(())
}

/// What is there would be taken for the value that could not be stored: it goes.
fn too_large(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = context.key(args[1]);
    let now = context.now();
    context.shard().apply(Op::Delete { key }, now)?;
    reply::server_error(TOO_LARGE_TEXT, reply.buffer());
    Ok(())
}

#[cfg(test)]
mod tests {
    use locksley_engine::Db;

    use super::*;
    use crate::command::memcached::testing::{Rig, check};
    use crate::thread::Thread;

    #[test]
    fn the_mode_decides_whether_it_stores() {
        check(&[
            ("replace k 1 0 1|a", "NOT_STORED"),
            ("append k 1 0 1|a", "NOT_STORED"),
            ("prepend k 1 0 1|a", "NOT_STORED"),
            ("get k", "END"),
            ("add k 1 0 1|a", "STORED"),
            ("add k 2 0 1|b", "NOT_STORED"),
            ("get k", "VALUE k 1 1|a|END"),
            ("replace k 3 0 1|b", "STORED"),
            ("get k", "VALUE k 3 1|b|END"),
            ("set k 4 0 1|c", "STORED"),
            ("get k", "VALUE k 4 1|c|END"),
        ]);
    }

    #[test]
    fn a_version_is_compared() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            assert_eq!(rig.reply("cas k 0 0 1 1|a"), "NOT_FOUND");
            assert_eq!(rig.reply("set k 0 0 1|a"), "STORED");
            let version = rig.version("k");
            assert_eq!(rig.reply("cas k 0 0 1 0|b"), "EXISTS");
            assert_eq!(rig.reply(&format!("cas k 0 0 1 {}|b", version + 1)), "EXISTS");
            assert_eq!(rig.reply(&format!("cas k 9 0 1 {version}|b")), "STORED");
            assert_eq!(rig.reply("get k"), "VALUE k 9 1|b|END");
            assert_eq!(rig.reply(&format!("cas k 9 0 1 {version}|c")), "EXISTS");
            assert!(rig.version("k") > version);
        }
    }

    #[test]
    fn a_block_joins_a_value_and_leaves_flags_and_expiry() {
        check(&[
            ("set k 7 100 2|bc", "STORED"),
            ("append k 1 5 1|d", "STORED"),
            ("prepend k 1 -1 1|a", "STORED"),
            ("get k", "VALUE k 7 4|abcd|END"),
            ("RESP TTL k", ":100"),
            ("RESP SET n 12", "+OK"),
            ("append n 0 0 1|3", "STORED"),
            ("prepend n 0 0 1|0", "STORED"),
            ("get n", "VALUE n 0 4|0123|END"),
            ("append n 0 0 0|", "STORED"),
            ("get n", "VALUE n 0 4|0123|END"),
        ]);
    }

    #[test]
    fn a_block_makes_a_stale_value_fresh() {
        for line in ["append k 0 0 1|b", "prepend k 0 0 1|b", "replace k 0 0 1|b"] {
            let mut rig = Rig::new(1);
            rig.reply("set k 0 100 1|a");
            let Thread { shard, now, .. } = &mut rig.inner.threads[0];
            let key = shard.key(Db(0), b"k");
            shard.apply(Op::Invalidate { key, expiry: ExpiryChange::Keep }, *now).expect("there is room");
            assert_eq!(rig.reply(line), "STORED");
            let Thread { shard, now, .. } = &rig.inner.threads[0];
            assert!(!shard.peek(key, *now).expect("it is there").is_stale, "{line}");
        }
    }

    #[test]
    fn a_value_does_not_grow_beyond_the_limit() {
        let mut rig = Rig::new(1);
        rig.inner.configure(|config| config.memcached_max_value = 8);
        for (line, expected) in [
            ("set k 0 0 6|abcdef", "STORED"),
            ("append k 0 0 3|ghi", "NOT_STORED"),
            ("prepend k 0 0 3|ghi", "NOT_STORED"),
            ("append k 0 0 2|gh", "STORED"),
            ("get k", "VALUE k 0 8|abcdefgh|END"),
        ] {
            assert_eq!(rig.reply(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_too_large_takes_the_old_value_with_it() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            rig.inner.configure(|config| config.memcached_max_value = 8);
            for (line, expected) in [
                ("set k 0 0 1|a", "STORED"),
                ("set k 0 0 9|abcdefghi", "SERVER_ERROR object too large for cache"),
                ("get k", "END"),
            ] {
                assert_eq!(rig.reply(line), expected, "{line}");
            }
        }
    }

    #[test]
    fn a_value_whose_time_is_over_is_stored_and_gone() {
        check(&[
            ("set k 0 0 1|a", "STORED"),
            ("set k 0 -1 1|b", "STORED"),
            ("get k", "END"),
            ("add k 0 -1 1|b", "STORED"),
            ("get k", "END"),
            ("set k 0 0 1|a", "STORED"),
            ("replace k 0 2592001 1|b", "STORED"),
            ("get k", "END"),
        ]);
    }

    #[test]
    fn exptimes_are_relative_or_absolute() {
        check(&[
            ("set k 0 2592000 1|a", "STORED"),
            ("RESP TTL k", ":2592000"),
            ("set k 0 1700000100 1|a", "STORED"),
            ("RESP TTL k", ":100"),
            ("set k 0 0 1|a", "STORED"),
            ("RESP TTL k", ":-1"),
        ]);
    }

    #[test]
    fn a_silent_command_answers_nothing() {
        check(&[
            ("set k 0 0 1 noreply|a", ""),
            ("add k 0 0 1 noreply|b", ""),
            ("cas k 0 0 1 999 noreply|b", ""),
            ("get k", "VALUE k 0 1|a|END"),
        ]);
    }
}
