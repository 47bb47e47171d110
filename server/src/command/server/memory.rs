//! MEMORY: where the memory is.

use std::fmt::Write;

use locksley_engine::Touch;
use locksley_wire::number::parse_i64;
use locksley_wire::resp::Reply;

use super::advice;
use super::curve;
use super::process::{Usage, human};
use super::report::{self, Numbers};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::help;
use crate::command::row::{Args, Command, Flags, Group, JoinInput, Keys, Memory, Outcome, Run};

pub(super) static MEMORY: Command = Command {
    name: "memory",
    arity: -2,
    since: "4.0.0",
    summary: "A container for commands on memory",
    complexity: "Depends on subcommand",
    run: Run::Container(&[CURVE, DOCTOR, HELP, MALLOC_STATS, PURGE, STATS, USAGE]),
    ..SUBCOMMAND
};

/// What the subcommands share.
const SUBCOMMAND: Command = Command {
    name: "",
    arity: 2,
    flags: Flags::empty(),
    keys: Keys::None,
    categories: &[],
    group: Group::Server,
    since: "4.0.0",
    summary: "",
    complexity: "O(1)",
    syntax: "",
    run: Run::Home(help),
};

const CURVE: Command = Command {
    name: "curve",
    summary: "Returns the hit rates that more memory would give, or less",
    run: Run::Survey { part: report::part, join: curve::join, memory: Memory::Report },
    ..SUBCOMMAND
};

const DOCTOR: Command = Command {
    name: "doctor",
    summary: "Returns advice about memory",
    run: Run::Survey { part: report::part, join: doctor, memory: Memory::Report },
    ..SUBCOMMAND
};

const HELP: Command = Command {
    name: "help",
    flags: Flags::LOADING.union(Flags::STALE),
    summary: "Says what the subcommands do",
    ..SUBCOMMAND
};

const MALLOC_STATS: Command = Command {
    name: "malloc-stats",
    summary: "Returns what the slabs of each shard hold",
    run: Run::Survey { part: report::part, join: malloc_stats, memory: Memory::Report },
    ..SUBCOMMAND
};

const PURGE: Command = Command {
    name: "purge",
    summary: "Asks for free memory to be given back; shards do so by themselves",
    run: Run::Home(purge),
    ..SUBCOMMAND
};

const STATS: Command = Command {
    name: "stats",
    summary: "Returns where the memory is",
    run: Run::Survey { part: report::part, join: stats, memory: Memory::Report },
    ..SUBCOMMAND
};

const USAGE: Command = Command {
    name: "usage",
    arity: -3,
    flags: Flags::READONLY,
    keys: Keys::Range { first: 2, last: 2, step: 1 },
    summary: "Returns the memory that a key takes, its share of the tables included",
    complexity: "O(1)",
    syntax: "key [SAMPLES count]",
    run: Run::Owner(usage),
    ..SUBCOMMAND
};

fn usage(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    match &args[3..] {
        [] => {}
        // A string has no elements to sample, so that the number only has to be one.
        [option, count] if option.eq_ignore_ascii_case(b"samples") => {
            let count = parse_i64(count).ok_or(Failure::NOT_INTEGER)?;
            if count < 0 {
                return Err(Failure::SYNTAX);
            }
        }
        _ => return Err(Failure::SYNTAX),
    }
    let (key, now) = (context.key(args[2]), context.now());
    match context.shard().get(key, now, Touch::Leave) {
        Some(entry) => reply.integer(entry.memory_bytes as i64),
        None => reply.null(),
    }
    Ok(())
}

fn purge(_: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.ok();
    Ok(())
}

/// A value of MEMORY STATS.
enum Stat {
    Number(u64),
    Signed(i64),
    Ratio(f64),
}

fn stats(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let total = report::total(&report::read_all(input.parts)?);
    let resident = Usage::now().resident_bytes;
    let (before, behind) = values(&total.numbers, resident);
    let databases: Vec<_> = total.databases.iter().enumerate().filter(|(_, database)| database.keys > 0).collect();
    reply.map(before.len() + databases.len() + behind.len());
    write_values(&before, reply);
    for (index, database) in databases {
        // Entries with and without an expiry share one table.
        let share = total.numbers.memory_tables.saturating_mul(database.keys) / total.numbers.keys.max(1);
        reply.bulk(format!("db.{index}").as_bytes());
        reply.map(3);
        write_values(
            &[
                ("overhead.hashtable.main", Stat::Number(share)),
                ("overhead.hashtable.expires", Stat::Number(0)),
                ("overhead.hashtable.slot-to-keys", Stat::Number(0)),
            ],
            reply,
        );
    }
    write_values(&behind, reply);
    Ok(())
}

type Values = Vec<(&'static str, Stat)>;

/// The values before and behind those of the databases.
fn values(numbers: &Numbers, resident: u64) -> (Values, Values) {
    let ratio = |dividend: u64, divisor: u64| Stat::Ratio(dividend as f64 / divisor.max(1) as f64);
    let percentage = |dividend: u64, divisor: u64| Stat::Ratio(dividend as f64 * 100.0 / divisor.max(1) as f64);
    let (used, payload) = (numbers.memory_used, numbers.memory_payload);
    let before = vec![
        ("peak.allocated", Stat::Number(numbers.memory_peak)),
        ("total.allocated", Stat::Number(used)),
        ("startup.allocated", Stat::Number(0)),
        ("replication.backlog", Stat::Number(0)),
        ("clients.slaves", Stat::Number(0)),
        ("clients.normal", Stat::Number(numbers.client_bytes)),
        ("cluster.links", Stat::Number(0)),
        ("aof.buffer", Stat::Number(0)),
        ("lua.caches", Stat::Number(0)),
        ("functions.caches", Stat::Number(0)),
    ];
    let behind = vec![
        ("overhead.total", Stat::Number(used.saturating_sub(payload))),
        ("keys.count", Stat::Number(numbers.keys)),
        ("keys.bytes-per-key", Stat::Number(used.checked_div(numbers.keys).unwrap_or(0))),
        ("dataset.bytes", Stat::Number(payload)),
        ("dataset.percentage", percentage(payload, used)),
        ("peak.percentage", percentage(used, numbers.memory_peak)),
        ("allocator.allocated", Stat::Number(numbers.memory_cells)),
        ("allocator.active", Stat::Number(numbers.memory_slab)),
        ("allocator.resident", Stat::Number(numbers.memory_slab)),
        ("allocator-fragmentation.ratio", ratio(numbers.memory_slab, numbers.memory_cells)),
        ("allocator-fragmentation.bytes", Stat::Number(numbers.memory_slab.saturating_sub(numbers.memory_cells))),
        ("allocator-rss.ratio", Stat::Ratio(1.0)),
        ("allocator-rss.bytes", Stat::Number(0)),
        ("rss-overhead.ratio", ratio(resident, numbers.memory_slab)),
        ("rss-overhead.bytes", Stat::Signed(resident as i64 - numbers.memory_slab as i64)),
        ("fragmentation", ratio(resident, used)),
        ("fragmentation.bytes", Stat::Signed(resident as i64 - used as i64)),
    ];
    (before, behind)
}

fn write_values(values: &[(&str, Stat)], reply: &mut Reply<'_>) {
    for (name, value) in values {
        reply.bulk(name.as_bytes());
        match value {
            Stat::Number(number) => reply.integer(*number as i64),
            Stat::Signed(number) => reply.integer(*number),
            Stat::Ratio(ratio) => reply.double(*ratio),
        }
    }
}

fn doctor(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let shards = report::read_all(input.parts)?;
    let total = report::total(&shards);
    let maxmemory = total.home.as_ref().map_or(0, |home| home.maxmemory);
    reply.verbatim("txt", advice::advice(&shards, &total, maxmemory, Usage::now().resident_bytes).as_bytes());
    Ok(())
}

fn malloc_stats(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let mut text = String::from("shard        used     payload       cells        slab      tables       other\n");
    for shard in report::read_all(input.parts)? {
        let numbers = &shard.numbers;
        let columns = [
            numbers.memory_used,
            numbers.memory_payload,
            numbers.memory_cells,
            numbers.memory_slab,
            numbers.memory_tables,
            numbers.memory_bookkeeping,
        ];
        write!(text, "{:>5}", shard.shard).expect("a string takes all that is written");
        for bytes in columns {
            write!(text, "{:>12}", human(bytes)).expect("a string takes all that is written");
        }
        text.push('\n');
    }
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn help(_: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let lines = [
        "CURVE",
        "    Return the hit rates that more memory would give, or less.",
        "DOCTOR",
        "    Return advice about memory.",
        "MALLOC-STATS",
        "    Return what the slabs of each shard hold.",
        "PURGE",
        "    Ask for free memory to be given back.",
        "STATS",
        "    Return where the memory is.",
        "USAGE <key> [SAMPLES <count>]",
        "    Return the bytes that <key> takes, its share of the tables included.",
    ];
    help::help("MEMORY", &lines, reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Rig, check};

    #[test]
    fn a_key_takes_memory() {
        check(&[
            ("MEMORY USAGE k", "$-1"),
            ("SET k v", "+OK"),
            ("MEMORY USAGE k SAMPLES x", "-ERR value is not an integer or out of range"),
            ("MEMORY USAGE k SAMPLES -1", "-ERR syntax error"),
            ("MEMORY USAGE k SAMPLES", "-ERR syntax error"),
            ("MEMORY PURGE", "+OK"),
        ]);
        let mut rig = Rig::new(3);
        rig.reply("SET k v");
        assert!(rig.reply("MEMORY USAGE k SAMPLES 0").starts_with(':'));
    }

    #[test]
    fn statistics_are_pairs() {
        let mut rig = Rig::new(3);
        rig.reply("SET k v");
        assert!(rig.reply("MEMORY STATS").starts_with("*56 $14 peak.allocated :"));
        rig.reply("@resp 3");
        let text = rig.reply("MEMORY STATS");
        assert!(text.starts_with("%28 $14 peak.allocated :"), "{text}");
        assert!(text.contains(" $4 db.0 %3 $23 overhead.hashtable.main :"), "{text}");
        assert!(text.contains(" $10 keys.count :1 "), "{text}");
        assert!(rig.reply("MEMORY DOCTOR").contains("too little to judge"));
        assert!(rig.reply("MEMORY MALLOC-STATS").contains("payload"));
    }
}
