//! SLOWLOG: the commands that took longest.

use locksley_engine::Millis;
use locksley_wire::number::parse_i64;
use locksley_wire::resp::Reply;

use super::pack::{Reader, write_bytes, write_number, write_numbers, write_text};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, JoinInput, Keys, Memory, Outcome, Run};
use crate::command::{help, join};
use crate::observe::clock::Nanos;
use crate::observe::slow_log::SlowEntry;

pub(super) static SLOWLOG: Command = Command {
    name: "slowlog",
    arity: -2,
    flags: Flags::empty(),
    since: "2.2.12",
    summary: "A container for commands on the slow log",
    complexity: "Depends on subcommand",
    run: Run::Container(&[GET, HELP, LEN, RESET]),
    ..SUBCOMMAND
};

/// What the subcommands share.
const SUBCOMMAND: Command = Command {
    name: "",
    arity: 2,
    flags: Flags::ADMIN.union(Flags::LOADING).union(Flags::STALE),
    keys: Keys::None,
    categories: &[],
    group: Group::Server,
    since: "2.2.12",
    summary: "",
    complexity: "O(N), N the number of entries",
    syntax: "",
    run: Run::Home(help),
};

const GET: Command = Command {
    name: "get",
    arity: -2,
    summary: "Returns the newest entries of the slow log",
    syntax: "[count]",
    run: Run::Survey { part: get_part, join: get, memory: Memory::None },
    ..SUBCOMMAND
};

const LEN: Command = Command {
    name: "len",
    summary: "Returns how many entries the slow log has",
    complexity: "O(1)",
    run: Run::Survey { part: length_part, join: length, memory: Memory::None },
    ..SUBCOMMAND
};

const RESET: Command = Command {
    name: "reset",
    summary: "Forgets all entries of the slow log",
    run: Run::Every { part: reset, join: join::ok },
    ..SUBCOMMAND
};

const HELP: Command = Command {
    name: "help",
    flags: Flags::LOADING.union(Flags::STALE),
    since: "6.2.0",
    summary: "Says what the subcommands do",
    complexity: "O(1)",
    ..SUBCOMMAND
};

/// Entries that GET returns unless told otherwise.
const COUNT_DEFAULT: usize = 10;

const BAD_COUNT: Failure = Failure::fixed("ERR count should be greater than or equal to -1");

/// How many entries a GET asks for.
fn count(args: Args<'_>) -> Result<usize, Failure> {
    match args {
        [_, _] => Ok(COUNT_DEFAULT),
        [_, _, count] => match parse_i64(count) {
            Some(-1) => Ok(usize::MAX),
            Some(count) => usize::try_from(count).map_err(|_| BAD_COUNT),
            None => Err(BAD_COUNT),
        },
        _ => Err(Failure::new("ERR unknown subcommand or wrong number of arguments for 'get'. Try SLOWLOG HELP.")),
    }
}

/// What a part begins with: a first byte with which no failure begins, whatever the bound is.
const MARK: u64 = 0;

/// The bound of the whole log, which each shard keeps for itself; then the newest entries.
fn get_part(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let count = count(args)?;
    let log = &context.thread.slow_log;
    write_numbers(&[MARK, log.count_max as u64], reply.buffer());
    for entry in log.iter().take(count) {
        write_entry(entry, reply.buffer());
    }
    Ok(())
}

fn get(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    join::check_parts(input.parts)?;
    let (mut entries, mut count) = (Vec::new(), count(input.args)?);
    for part in input.parts {
        let mut reader = Reader::new(part.bytes);
        assert_eq!(reader.number(), MARK, "a part that is no failure begins with the mark");
        count = count.min(reader.number() as usize);
        while !reader.is_at_end() {
            entries.push(read_entry(&mut reader));
        }
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.id));
    entries.truncate(count);
    reply.array(entries.len());
    for entry in &entries {
        reply.array(6);
        reply.integer(entry.id as i64);
        reply.integer((entry.at.0 / 1_000) as i64);
        reply.integer(entry.took.micros() as i64);
        reply.array(entry.arguments.len());
        for argument in &entry.arguments {
            reply.bulk(argument);
        }
        reply.bulk(entry.address.as_bytes());
        reply.bulk(&entry.name);
    }
    Ok(())
}

fn write_entry(entry: &SlowEntry, out: &mut Vec<u8>) {
    write_number(entry.id, out);
    write_number(entry.at.0, out);
    write_number(entry.took.0, out);
    write_number(entry.arguments.len() as u64, out);
    for argument in &entry.arguments {
        write_bytes(argument, out);
    }
    write_text(&entry.address, out);
    write_bytes(&entry.name, out);
}

fn read_entry(reader: &mut Reader<'_>) -> SlowEntry {
    SlowEntry {
        id: reader.number(),
        at: Millis(reader.number()),
        took: Nanos(reader.number()),
        arguments: (0..reader.number()).map(|_| reader.bytes().to_vec()).collect(),
        address: reader.text(),
        name: reader.bytes().to_vec(),
    }
}

fn length_part(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let log = &context.thread.slow_log;
    write_number(log.count_max as u64, reply.buffer());
    write_number(log.len() as u64, reply.buffer());
    Ok(())
}

fn length(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (mut count_max, mut count) = (u64::MAX, 0);
    for part in input.parts {
        let mut reader = Reader::new(part.bytes);
        count_max = count_max.min(reader.number());
        count += reader.number();
    }
    reply.integer(count.min(count_max) as i64);
    Ok(())
}

fn reset(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    context.thread.slow_log.clear();
    reply.ok();
    Ok(())
}

fn help(_: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let lines = [
        "GET [<count>]",
        "    Return the newest <count> entries (default: 10, -1 means all), each with its number, the time,",
        "    the microseconds it took, its arguments, and the client's address and name.",
        "LEN",
        "    Return how many entries there are.",
        "RESET",
        "    Forget all entries.",
    ];
    help::help("SLOWLOG", &lines, reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use locksley_engine::{Db, Touch};
    use locksley_wire::resp::Protocol;

    use crate::client::{ClientSlot, Door};
    use crate::command::context::Caller;
    use crate::command::dialect::Dialect;
    use crate::command::table::{Lookup, table};
    use crate::command::testing::{Rig, check};
    use crate::observe::clock::Nanos;
    use crate::thread::ShardId;

    /// A server that keeps every command.
    fn rig() -> Rig {
        let mut rig = Rig::new(3);
        rig.configure(|config| (config.slowlog_log_slower_than, config.slowlog_max_len) = (0, 3));
        rig
    }

    #[test]
    fn the_newest_commands_of_all_shards_come_first() {
        let mut rig = rig();
        for line in ["SET a 1", "SET b 2", "SET c 3", "SET d 4"] {
            rig.reply(line);
        }
        assert_eq!(rig.reply("SLOWLOG LEN"), ":3");
        rig.reply("AUTH default secret");
        let text = rig.reply("SLOWLOG GET -1");
        assert!(text.starts_with("*3 *6 :"), "{text}");
        assert!(!text.contains("secret") && text.contains("(redacted)"), "{text}");
        assert!(text.contains("$15 127.0.0.1:50000 $0 "), "{text}");
        assert!(rig.reply("SLOWLOG GET 1").starts_with("*1 *6 :"));
        assert_eq!(rig.reply("SLOWLOG GET 0"), "*0");
        assert_eq!(rig.reply("SLOWLOG RESET"), "+OK");
        rig.configure(|config| config.slowlog_log_slower_than = -1);
        assert_eq!(rig.reply("SLOWLOG RESET"), "+OK");
        rig.reply("SET d 4");
        assert_eq!(rig.reply("SLOWLOG LEN"), ":0");
    }

    #[test]
    fn every_bound_of_the_log_is_one() {
        let mut rig = rig();
        rig.run("SET a 1");
        // 45 is how a failure begins.
        for bound in [45, 0x12D] {
            rig.configure(|config| config.slowlog_max_len = bound);
            assert!(rig.reply("SLOWLOG GET 1").starts_with("*1 *6 :"));
        }
    }

    #[test]
    fn a_client_that_left_is_named_where_its_request_ran() {
        let mut rig = rig();
        rig.run("CLIENT SETNAME somebody");
        let caller = Caller {
            home: ShardId(0),
            slot: ClientSlot(0),
            id: rig.client().id,
            db: Db(0),
            dialect: Dialect::Resp,
            protocol: Protocol::Resp2,
            touch: Touch::Count,
            door: Door::Shared,
        };
        rig.threads[0].remove_client(caller.slot).expect("the client is there");
        let Lookup::Found(entry) = table().find(&[b"get", b"key"]) else { panic!("a command") };
        rig.threads[1].note_slow(caller, entry.row, &[b"get", b"key"], Nanos(1));
        let entry = rig.threads[1].slow_log.iter().next().expect("it was slow enough");
        assert_eq!((entry.address.as_str(), entry.name.as_slice()), ("127.0.0.1:50000", &b"somebody"[..]));
    }

    #[test]
    fn a_bad_count_is_refused() {
        check(&[
            ("SLOWLOG GET x", "-ERR count should be greater than or equal to -1"),
            ("SLOWLOG GET -2", "-ERR count should be greater than or equal to -1"),
            ("SLOWLOG GET 1 2", "-ERR unknown subcommand or wrong number of arguments for 'get'. Try SLOWLOG HELP."),
        ]);
    }
}
