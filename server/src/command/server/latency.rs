//! LATENCY: how long commands take, and when the server was slow.

use std::fmt::Write;

use locksley_wire::resp::Reply;

use super::pack::{Reader, write_number};
use super::report;
use super::slow_moments::{figures, graph as draw};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, JoinInput, Keys, Memory, Outcome, ReplyPart, Run};
use crate::command::table::{Entry, table};
use crate::command::{help, join};
use crate::observe::CommandCounters;
use crate::observe::events::{Event, History, Sample};
use crate::observe::histogram::upper_bound;

pub(super) static LATENCY: Command = Command {
    name: "latency",
    arity: -2,
    flags: Flags::empty(),
    summary: "A container for commands on latency",
    complexity: "Depends on subcommand",
    run: Run::Container(&[DOCTOR, GRAPH, HELP, HISTOGRAM, HISTORY, LATEST, RESET]),
    ..SUBCOMMAND
};

/// What the subcommands share.
const SUBCOMMAND: Command = Command {
    name: "",
    arity: 2,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
    keys: Keys::None,
    categories: &[],
    group: Group::Server,
    since: "2.8.13",
    summary: "",
    complexity: "O(1)",
    syntax: "",
    run: Run::Home(help),
};

const DOCTOR: Command = Command {
    name: "doctor",
    summary: "Returns what slow moments there were, in words",
    run: Run::Survey { part: events_part, join: doctor, memory: Memory::None },
    ..SUBCOMMAND
};

const GRAPH: Command = Command {
    name: "graph",
    arity: 3,
    summary: "Draws the slow moments of one kind",
    syntax: "event",
    run: Run::Survey { part: events_part, join: graph, memory: Memory::None },
    ..SUBCOMMAND
};

const HELP: Command = Command {
    name: "help",
    flags: Flags::LOADING.union(Flags::STALE),
    summary: "Says what the subcommands do",
    ..SUBCOMMAND
};

const HISTOGRAM: Command = Command {
    name: "histogram",
    arity: -2,
    since: "7.0.0",
    summary: "Returns how many calls of each command took how long at most",
    complexity: "O(N), N the number of commands asked for",
    syntax: "[command [command ...]]",
    run: Run::Survey { part: report::part, join: histogram, memory: Memory::Report },
    ..SUBCOMMAND
};

const HISTORY: Command = Command {
    name: "history",
    arity: 3,
    summary: "Returns the slow moments of one kind",
    syntax: "event",
    run: Run::Survey { part: events_part, join: history, memory: Memory::None },
    ..SUBCOMMAND
};

const LATEST: Command = Command {
    name: "latest",
    summary: "Returns the last slow moment of each kind, and the longest",
    run: Run::Survey { part: events_part, join: latest, memory: Memory::None },
    ..SUBCOMMAND
};

const RESET: Command = Command {
    name: "reset",
    arity: -2,
    summary: "Forgets the slow moments, or those of some kinds",
    syntax: "[event [event ...]]",
    run: Run::Every { part: reset_part, join: reset },
    ..SUBCOMMAND
};

/// The time in seconds, and of all kinds of events the longest, the number of samples, the samples.
fn events_part(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    write_number(context.now().0 / 1_000, reply.buffer());
    for event in Event::ALL {
        let history = context.thread.events.history(event);
        write_number(history.millis_max(), reply.buffer());
        write_number(history.samples().len() as u64, reply.buffer());
        for sample in history.samples() {
            write_number(sample.second, reply.buffer());
            write_number(sample.millis, reply.buffer());
        }
    }
    Ok(())
}

/// The latest time of all shards, in seconds.
fn now(parts: &[ReplyPart<'_>]) -> u64 {
    parts.iter().map(|part| Reader::new(part.bytes).number()).max().unwrap_or(0)
}

/// The kinds of which there were any, with what all shards know.
fn histories(parts: &[ReplyPart<'_>]) -> Vec<(Event, History)> {
    let mut readers: Vec<_> = parts.iter().map(|part| Reader::new(part.bytes)).collect();
    for reader in &mut readers {
        reader.number();
    }
    let mut histories = Vec::new();
    for event in Event::ALL {
        let (mut samples, mut millis_max) = (Vec::new(), 0);
        for reader in &mut readers {
            millis_max = reader.number().max(millis_max);
            samples.extend((0..reader.number()).map(|_| Sample { second: reader.number(), millis: reader.number() }));
        }
        if !samples.is_empty() {
            histories.push((event, History::merge(samples, millis_max)));
        }
    }
    histories
}

fn find(parts: &[ReplyPart<'_>], name: &[u8]) -> Option<History> {
    let is_meant = |(event, _): &(Event, History)| name.eq_ignore_ascii_case(event.name().as_bytes());
    histories(parts).into_iter().find(is_meant).map(|(_, history)| history)
}

fn latest(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let histories = histories(input.parts);
    reply.array(histories.len());
    for (event, history) in histories {
        let last = history.samples().last().expect("a history that is shown has a sample");
        reply.array(4);
        reply.bulk(event.name().as_bytes());
        for number in [last.second, last.millis, history.millis_max()] {
            reply.integer(number as i64);
        }
    }
    Ok(())
}

fn history(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let history = find(input.parts, input.args[2]).unwrap_or_default();
    reply.array(history.samples().len());
    for sample in history.samples() {
        reply.array(2);
        reply.integer(sample.second as i64);
        reply.integer(sample.millis as i64);
    }
    Ok(())
}

fn graph(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let name = String::from_utf8_lossy(input.args[2]);
    let Some(history) = find(input.parts, input.args[2]) else {
        return Err(Failure::new(format_args!("ERR No samples available for event '{name}'")));
    };
    reply.verbatim("txt", draw(&name.to_ascii_lowercase(), &history, now(input.parts)).as_bytes());
    Ok(())
}

fn doctor(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let threshold = input.config.latency_monitor_threshold;
    let mut text = String::new();
    for (event, history) in histories(input.parts) {
        writeln!(text, "* {} {}", figures(event.name(), &history), advice(event))
            .expect("a string takes all that is written");
    }
    match (threshold, text.is_empty()) {
        (0, _) => text.push_str(
            "Slow moments are not looked for: CONFIG SET latency-monitor-threshold <milliseconds> makes the server keep \
             what takes so long.\n",
        ),
        (_, true) => {
            writeln!(text, "No slow moment was seen: nothing took {threshold} ms (latency-monitor-threshold).")
                .expect("a string takes all that is written");
        }
        _ => {}
    }
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// What is to be done about an event.
fn advice(event: Event) -> &'static str {
    match event {
        Event::Command | Event::FastCommand => "SLOWLOG GET names the commands.",
        Event::LogSync => {
            "The disk took that long to make the log durable: with appendfsync always, clients waited for it. INFO \
             persistence has the mean; a faster disk or appendfsync everysec helps."
        }
        Event::LogStall => {
            "Writes waited for room in the log: values are larger than its segments (wal-segment-size), or the disk \
             prepares segments too slowly."
        }
        Event::SnapshotStep => "A step of a snapshot took that long; clients of that shard waited for it.",
        Event::LoopStall => {
            "A thread was at one turn of its loop for that long, and its other clients waited. Other events of the same \
             second say why; where there are none, the machine did not let it run: look for other processes on its core."
        }
        Event::EvictionCycle => {
            "Memory was made by evicting many entries at once: maxmemory was lowered, or values are large. More memory, \
             or times to live that end before the limit is reached, help."
        }
        Event::ExpireCycle => {
            "Many entries were over at the same time. Let their times to live differ: ttl-jitter spreads them."
        }
        Event::TableGrowth => {
            "A hash table was growing or shrinking, which needs memory of the kernel at once: transparent huge pages and \
             swapping make that slow."
        }
    }
}

fn reset_part(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    for event in Event::ALL {
        let is_meant =
            args.len() == 2 || args[2..].iter().any(|name| name.eq_ignore_ascii_case(event.name().as_bytes()));
        let was_forgotten = is_meant && context.thread.events.forget(event);
        write_number(u64::from(was_forgotten), reply.buffer());
    }
    Ok(())
}

/// How many kinds were forgotten on any shard.
fn reset(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    join::check_parts(input.parts)?;
    let mut readers: Vec<_> = input.parts.iter().map(|part| Reader::new(part.bytes)).collect();
    let forgotten = Event::ALL.iter().filter(|_| readers.iter_mut().map(Reader::number).sum::<u64>() > 0);
    let count = forgotten.count();
    reply.integer(count as i64);
    Ok(())
}

fn histogram(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let total = report::total(&report::read_all(input.parts)?);
    let entries = table().entries().iter().zip(&total.commands).filter(|(_, command)| command.calls > 0);
    let found: Vec<_> = entries.filter(|(entry, _)| is_asked(**entry, &input.args[2..])).collect();
    reply.map(found.len());
    for (entry, command) in found {
        reply.bulk(entry.full_name().as_bytes());
        write_histogram(command, reply);
    }
    Ok(())
}

/// Whether the names of a request, possibly none, mean `entry`; a container's name means its subcommands.
fn is_asked(entry: Entry, names: &[&[u8]]) -> bool {
    let full_name = entry.full_name();
    let is_meant = |name: &&[u8]| {
        let container = entry.container.is_some_and(|container| name.eq_ignore_ascii_case(container.name.as_bytes()));
        container || name.eq_ignore_ascii_case(full_name.as_bytes())
    };
    names.is_empty() || names.iter().any(is_meant)
}

/// The least bucket that is shown: what took a microsecond or less.
const FIRST_BUCKET: usize = 10;

/// Calls, and for each bucket in which some fell how many took that many microseconds at most.
fn write_histogram(command: &CommandCounters, reply: &mut Reply<'_>) {
    let mut shown: Vec<(u64, u64)> = Vec::new();
    let mut count = 0;
    for (bucket, calls) in command.histogram.buckets().iter().enumerate() {
        count += calls;
        let last = shown.last().map_or(0, |(_, count)| *count);
        if bucket >= FIRST_BUCKET && count > last {
            shown.push((upper_bound(bucket) / 1_000, count));
        }
    }
    reply.map(2);
    reply.bulk(b"calls");
    reply.integer(command.calls as i64);
    reply.bulk(b"histogram_usec");
    reply.map(shown.len());
    for (micros, count) in shown {
        reply.integer(micros as i64);
        reply.integer(count as i64);
    }
}

fn help(_: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let lines = [
        "DOCTOR",
        "    Return what slow moments there were, in words.",
        "GRAPH <event>",
        "    Draw the slow moments of the kind <event>.",
        "HISTOGRAM [COMMAND ...]",
        "    Return how many calls of the commands (default: all) took how many microseconds at most.",
        "HISTORY <event>",
        "    Return the slow moments of the kind <event>.",
        "LATEST",
        "    Return the last slow moment of each kind, and the longest.",
        "RESET [<event> ...]",
        "    Forget the slow moments of these kinds (default: all).",
    ];
    help::help("LATENCY", &lines, reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{Rig, check};

    #[test]
    fn without_slow_moments_there_is_nothing_to_show() {
        check(&[
            ("LATENCY LATEST", "*0"),
            ("LATENCY HISTORY command", "*0"),
            ("LATENCY RESET", ":0"),
            ("LATENCY GRAPH command", "-ERR No samples available for event 'command'"),
            ("LATENCY HISTOGRAM nothing", "*0"),
        ]);
    }

    #[test]
    fn slow_moments_of_all_shards_are_one_history() {
        let mut rig = Rig::new(3);
        for (shard, (second, millis)) in [(7, 20), (6, 40), (7, 10)].into_iter().enumerate() {
            rig.threads[shard].events.note(Event::Command, Sample { second, millis });
        }
        assert_eq!(rig.reply("LATENCY LATEST"), "*1 *4 $7 command :7 :20 :40");
        assert_eq!(rig.reply("LATENCY HISTORY COMMAND"), "*2 *2 :6 :40 *2 :7 :20");
        assert!(rig.reply("LATENCY GRAPH command").contains("command - high 40 ms, low 20 ms (all time high 40 ms)"));
        assert!(
            rig.reply("LATENCY DOCTOR").contains("command: 2 slow moments, 30 ms on average (mean deviation 10 ms)")
        );
        assert!(rig.reply("LATENCY DOCTOR").contains("not looked for: CONFIG SET latency-monitor-threshold"));
        rig.configure(|config| config.latency_monitor_threshold = 10);
        assert!(!rig.reply("LATENCY DOCTOR").contains("not looked for"));
        rig.threads[1].events.note(Event::LogSync, Sample { second: 9, millis: 50 });
        assert!(rig.reply("LATENCY DOCTOR").contains("aof-fsync-always: 1 slow moment, 50 ms on average"));
        assert_eq!(rig.reply("LATENCY RESET aof-fsync-always"), ":1");
        assert_eq!(rig.reply("LATENCY RESET fast-command"), ":0");
        assert_eq!(rig.reply("LATENCY RESET command"), ":1");
        assert_eq!(rig.reply("LATENCY LATEST"), "*0");
        assert!(rig.reply("LATENCY DOCTOR").contains("No slow moment was seen: nothing took 10 ms"));
    }

    #[test]
    fn histograms_count_up_by_powers_of_two() {
        let mut command = CommandCounters { calls: 4, ..CommandCounters::default() };
        for nanos in [500, 900, 1_500, 33_000] {
            command.histogram.record(nanos, 1);
        }
        let mut out = Vec::new();
        write_histogram(&command, &mut Reply::new(&mut out, locksley_wire::resp::Protocol::Resp2));
        let text = out.escape_ascii().to_string().replace("\\r\\n", " ");
        assert_eq!(text, "*4 $5 calls :4 $14 histogram_usec *6 :1 :2 :2 :3 :65 :4 ");
        let mut rig = Rig::new(3);
        rig.reply("SET a 1");
        rig.reply("CLIENT ID");
        assert!(rig.reply("LATENCY HISTOGRAM set client").starts_with("*4 $3 set *4 $5 calls :1 "));
    }
}
