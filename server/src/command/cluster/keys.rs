//! CLUSTER COUNTKEYSINSLOT, GETKEYSINSLOT: the keys of one slot.
//!
//! A shard keeps its keys by their hash, not by their slot, so that both walk its whole database.

use locksley_wire::number::parse_i64;
use locksley_wire::resp::Reply;
use locksley_wire::slot::{SLOT_COUNT, Slot, slot};

use super::check_enabled;
use super::container::SUBCOMMAND;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Outcome, Run};
use crate::limits::SLOT_SCAN_COUNT;

pub(super) const COUNTKEYSINSLOT: Command = Command {
    name: "countkeysinslot",
    arity: 3,
    summary: "Returns how many keys a slot has",
    complexity: "O(N), N the number of keys of the slot's shard",
    syntax: "slot",
    run: Run::Chosen { choose, run: count },
    ..SUBCOMMAND
};

pub(super) const GETKEYSINSLOT: Command = Command {
    name: "getkeysinslot",
    arity: 4,
    summary: "Returns some keys of a slot",
    complexity: "O(N), N the number of keys of the slot's shard",
    syntax: "slot count",
    run: Run::Chosen { choose, run: list },
    ..SUBCOMMAND
};

const BAD_SLOT: Failure = Failure::fixed("ERR Invalid slot");
const BAD_SLOT_OR_COUNT: Failure = Failure::fixed("ERR Invalid slot or number of keys");

/// The shard that has the slot; the first one finds out what is wrong with a bad slot.
fn choose(args: Args<'_>, shard_count: u16) -> Result<u16, Failure> {
    let slot = parse_slot(args[2]).ok().flatten().unwrap_or(Slot(0));
    Ok((u32::from(slot.0) * u32::from(shard_count) / u32::from(SLOT_COUNT)) as u16)
}

/// A slot, or nothing for a number that is none.
fn parse_slot(text: &[u8]) -> Result<Option<Slot>, Failure> {
    let number = parse_i64(text).ok_or(Failure::NOT_INTEGER)?;
    Ok(u16::try_from(number).ok().filter(|slot| *slot < SLOT_COUNT).map(Slot))
}

fn count(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_enabled(&context.thread.config)?;
    let wanted = parse_slot(args[2])?.ok_or(BAD_SLOT)?;
    let mut count = 0;
    walk(context, wanted, |_| {
        count += 1;
        true
    });
    reply.integer(count);
    Ok(())
}

fn list(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_enabled(&context.thread.config)?;
    let wanted = parse_slot(args[2])?;
    let count = parse_i64(args[3]).ok_or(Failure::NOT_INTEGER)?;
    let (Some(wanted), Ok(count)) = (wanted, usize::try_from(count)) else { return Err(BAD_SLOT_OR_COUNT) };
    let mut keys: Vec<Vec<u8>> = Vec::new();
    walk(context, wanted, |key| {
        if keys.len() < count {
            keys.push(key.to_vec());
        }
        keys.len() < count
    });
    reply.array(keys.len());
    for key in keys {
        reply.bulk(&key);
    }
    Ok(())
}

/// Calls `each` with the keys of `wanted`, until it has enough.
fn walk(context: &mut Context<'_>, wanted: Slot, mut each: impl FnMut(&[u8]) -> bool) {
    let (db, now) = (context.caller.db, context.now());
    let (mut from, mut goes_on) = (Some(0), true);
    while let (Some(prefix), true) = (from, goes_on) {
        from = context.shard().scan(db, prefix, SLOT_SCAN_COUNT, now, |entry| {
            if goes_on && slot(entry.key) == wanted {
                goes_on = each(entry.key);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Rig;

    #[test]
    fn keys_are_found_by_their_slot() {
        let mut rig = Rig::new(1);
        rig.configure(|config| config.cluster_announce_shards = true);
        for line in ["SET foo 1", "SET {foo}a 2", "SET {foo}b 3", "SET bar 4"] {
            rig.reply(line);
        }
        for (line, reply) in [
            ("CLUSTER COUNTKEYSINSLOT 12182", ":3"),
            ("CLUSTER COUNTKEYSINSLOT 5061", ":1"),
            ("CLUSTER COUNTKEYSINSLOT 1", ":0"),
            ("CLUSTER COUNTKEYSINSLOT 16384", "-ERR Invalid slot"),
            ("CLUSTER COUNTKEYSINSLOT x", "-ERR value is not an integer or out of range"),
            ("CLUSTER GETKEYSINSLOT 5061 10", "*1 $3 bar"),
            ("CLUSTER GETKEYSINSLOT 5061 0", "*0"),
            ("CLUSTER GETKEYSINSLOT 5061 -1", "-ERR Invalid slot or number of keys"),
            ("CLUSTER GETKEYSINSLOT -1 1", "-ERR Invalid slot or number of keys"),
        ] {
            assert_eq!(rig.reply(line), reply, "{line}");
        }
        assert!(rig.reply("CLUSTER GETKEYSINSLOT 12182 2").starts_with("*2 "));
    }
}
