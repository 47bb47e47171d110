//! HOTKEYS: the keys that get the most requests.

use locksley_engine::limits::HOT_KEY_COUNT;
use locksley_engine::{Db, HotKey};
use locksley_wire::number::parse_i64;
use locksley_wire::resp::Reply;

use super::pack::{Reader, write_bytes, write_number, write_numbers};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::join;
use crate::command::row::{Args, Command, Flags, Group, JoinInput, Keys, Memory, Outcome, Run};

pub(super) static HOTKEYS: Command = Command {
    name: "hotkeys",
    arity: -1,
    flags: Flags::READONLY.union(Flags::ADMIN).union(Flags::LOADING).union(Flags::STALE),
    keys: Keys::None,
    categories: &["keyspace"],
    group: Group::Server,
    since: "Locksley 0.1.0",
    summary: "Returns the keys that get the most requests, with their requests and bytes a second",
    complexity: "O(S), S the number of shards",
    syntax: "[count]",
    run: Run::Survey { part, join: merge, memory: Memory::None },
};

/// Keys that are returned unless told otherwise.
const COUNT_DEFAULT: usize = 16;

const BAD_COUNT: Failure = Failure::fixed("ERR count should be greater than 0");

/// Of each shard its number, then its hottest keys: no more are wanted in the end.
fn part(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let count = count(args)?;
    let (shard, now) = (u64::from(context.thread.id.0), context.now());
    for hot in context.shard().hot_keys(count, now) {
        write_hot(shard, &hot, reply.buffer());
    }
    Ok(())
}

/// How many keys are asked for.
fn count(args: Args<'_>) -> Result<usize, Failure> {
    match args {
        [_] => Ok(COUNT_DEFAULT),
        [_, count] => match parse_i64(count).map(usize::try_from) {
            Some(Ok(count @ 1..)) => Ok(count.min(usize::from(u16::MAX) * HOT_KEY_COUNT)),
            _ => Err(BAD_COUNT),
        },
        _ => Err(Failure::SYNTAX),
    }
}

fn merge(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    join::check_parts(input.parts)?;
    let mut keys = Vec::new();
    for part in input.parts {
        let mut reader = Reader::new(part.bytes);
        while !reader.is_at_end() {
            keys.push(read_hot(&mut reader));
        }
    }
    keys.sort_by(|one, other| other.1.requests_per_second.total_cmp(&one.1.requests_per_second));
    keys.truncate(count(input.args)?);
    reply.array(keys.len());
    for (shard, hot) in &keys {
        reply.map(5);
        reply.bulk(b"key");
        reply.bulk(&hot.key);
        reply.bulk(b"db");
        reply.integer(i64::from(hot.db.0));
        reply.bulk(b"shard");
        reply.integer(*shard as i64);
        reply.bulk(b"requests-per-second");
        reply.double(tenths(hot.requests_per_second));
        reply.bulk(b"bytes-per-second");
        reply.double(tenths(hot.bytes_per_second));
    }
    Ok(())
}

/// Rounded to what a smoothed rate is good for.
fn tenths(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}

fn write_hot(shard: u64, hot: &HotKey, out: &mut Vec<u8>) {
    // First, since the first byte of a part says whether it is a failure: no database has the number of its mark.
    write_number(u64::from(hot.db.0), out);
    write_numbers(&[shard, hot.requests_per_second.to_bits(), hot.bytes_per_second.to_bits()], out);
    write_bytes(&hot.key, out);
    write_number(hot.key_bytes as u64, out);
}

fn read_hot(reader: &mut Reader<'_>) -> (u64, HotKey) {
    let db = Db(reader.number() as u8);
    let shard = reader.number();
    let (requests_per_second, bytes_per_second) = (f64::from_bits(reader.number()), f64::from_bits(reader.number()));
    let key = reader.bytes().into();
    let key_bytes = reader.number() as usize;
    (shard, HotKey { db, key, key_bytes, requests_per_second, bytes_per_second })
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Rig, check};

    #[test]
    fn the_keys_of_all_shards_come_in_one_order() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            for number in 1..=5 {
                rig.run(&format!("SET key:{number} value"));
                (1..10 * number).for_each(|_| drop(rig.run(&format!("GET key:{number}"))));
            }
            let reply = rig.reply("HOTKEYS 2");
            assert!(reply.starts_with("*2 *10 $3 key $5 key:5 $2 db :0 $5 shard :"), "{reply}");
            assert!(reply.contains(" $19 requests-per-second $2 50 $16 bytes-per-second $3 500 *10 $3 key $5 key:4 "));
            rig.run("@resp 3");
            assert!(rig.reply("HOTKEYS 1").contains("$19 requests-per-second ,50 $16 bytes-per-second ,500"));
            assert_eq!(rig.reply("HOTKEYS").matches("$3 key ").count(), 5);
            assert_eq!(rig.reply("HOTKEYS 99999999999").matches("$3 key ").count(), 5);
            rig.run("@after 100000");
            assert_eq!(rig.reply("HOTKEYS"), "*0");
        }
    }

    #[test]
    fn keys_of_other_databases_and_missing_ones_count_and_looks_do_not() {
        let mut rig = Rig::new(1);
        for line in ["@db 3", "GET a", "MEMORY USAGE a"] {
            rig.run(line);
        }
        assert_eq!(
            rig.reply("HOTKEYS"),
            "*1 *10 $3 key $1 a $2 db :3 $5 shard :0 $19 requests-per-second $1 1 $16 bytes-per-second $1 0"
        );
    }

    #[test]
    fn a_bad_count_is_refused() {
        check(&[
            ("HOTKEYS 0", "-ERR count should be greater than 0"),
            ("HOTKEYS -1", "-ERR count should be greater than 0"),
            ("HOTKEYS many", "-ERR count should be greater than 0"),
            ("HOTKEYS 1 2", "-ERR syntax error"),
        ]);
    }
}
