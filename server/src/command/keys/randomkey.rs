//! RANDOMKEY: some key of the database.
//!
//! Each shard draws one of its keys and says how many it has; the join draws a shard by these weights.
//!
//! A part: the number of keys, 8 bytes, little endian; then, unless that is 0, the key that was drawn.

use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, JoinInput, Keys, Outcome, Run};

pub(super) static RANDOMKEY: Command = Command {
    name: "randomkey",
    arity: 1,
    flags: Flags::READONLY,
    keys: Keys::None,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "1.0.0",
    summary: "Returns some key of the selected database",
    complexity: "O(1)",
    syntax: "",
    run: Run::Every { part: draw, join },
};

/// Bytes of the number before the key.
const COUNT_BYTES: usize = 8;

fn draw(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let db = context.caller.db;
    let now = context.now();
    let random = context.thread.random.next();
    let count = context.shard().len(db);
    let drawn = context.shard().random(db, random, now);
    let part = reply.buffer();
    match drawn {
        Some(entry) => {
            part.extend_from_slice(&count.to_le_bytes());
            part.extend_from_slice(entry.key);
        }
        None => part.extend_from_slice(&0u64.to_le_bytes()),
    }
    Ok(())
}

fn join(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let parts = input.parts.iter().map(|part| {
        let (count, key) = part.bytes.split_first_chunk::<COUNT_BYTES>().expect("a part begins with its count");
        (u64::from_le_bytes(*count), key)
    });
    let total: u64 = parts.clone().map(|(count, _)| count).sum();
    if total == 0 {
        reply.null();
        return Ok(());
    }
    let mut rank = input.random % total;
    for (count, key) in parts {
        if rank < count {
            reply.bulk(key);
            return Ok(());
        }
        rank -= count;
    }
    unreachable!("a rank below the total falls on some part")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::command::testing::{Rig, check};

    #[test]
    fn an_empty_database_has_no_key_to_draw() {
        check(&[
            ("RANDOMKEY", "$-1"),
            ("SET only v", "+OK"),
            ("RANDOMKEY", "$4 only"),
            ("@db 1", ""),
            ("RANDOMKEY", "$-1"),
            ("@resp 3", ""),
            ("RANDOMKEY", "_"),
        ]);
    }

    #[test]
    fn every_key_is_drawn_sometimes() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            rig.run("MSET a 1 b 2 c 3 d 4 e 5");
            let drawn: BTreeSet<String> = (0..500).map(|_| rig.reply("RANDOMKEY")).collect();
            assert_eq!(drawn.len(), 5, "{drawn:?} on {shard_count} shards");
        }
    }
}
