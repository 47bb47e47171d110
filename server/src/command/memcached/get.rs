//! `get` and `gets`: values of keys, with their flags, and with their versions for `gets`.
//!
//! One key is a row of its own, which does nothing but look up and write. The row for several is asked of each shard that
//! owns some of the keys; what the shards answer is put back into the order of the keys by reading the key of each block,
//! since a key that is missing leaves no trace in a reply.

use locksley_engine::Entry;
use locksley_wire::memcached::reply;
use locksley_wire::resp::Reply;

use super::parts::check_parts;
use super::shown;
use crate::command::batch::for_each_key;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, JoinInput, Keys, Outcome, Run};
use crate::command::string_value::string_value;
use crate::limits::MEMCACHED_REPLY_BYTES_MAX;

pub(super) static GET: Command = Command {
    name: "get",
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::Memcached,
    since: "Locksley 0.1.0",
    summary: "Returns the value and the flags of a key, with its version for gets",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(get),
};

pub(super) static GET_MANY: Command = Command {
    name: "get-many",
    arity: -3,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::ALL,
    categories: &["string"],
    group: Group::Memcached,
    since: "Locksley 0.1.0",
    summary: "Returns the values and the flags of those of the given keys that exist, with their versions for gets",
    complexity: "O(N), N the number of keys",
    syntax: "key key [key ...]",
    run: Run::Split { run: get_many, join: in_key_order },
};

/// Whether a reply shows versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    /// It does: `gets`, `gats`.
    Versions,
    /// It does not: `get`, `gat`.
    Values,
}

impl Shows {
    /// What a command of this name shows.
    #[inline]
    pub(super) fn of(name: &[u8]) -> Shows {
        if name.len() > "get".len() { Shows::Versions } else { Shows::Values }
    }
}

/// Writes the block of an entry.
#[inline]
pub(super) fn write_block(entry: &Entry<'_>, key: &[u8], shows: Shows, out: &mut Vec<u8>) -> Outcome {
    let cas = (shows == Shows::Versions).then_some(entry.version);
    reply::value(key, entry.client_flags, &string_value(entry)?.text(), cas, out);
    Ok(())
}

/// Refuses a reply that has grown too long: a line may name one long value many times.
///
/// # Errors
/// In memcached's words for a reply that it has no memory for.
pub(super) fn check_length(bytes: usize) -> Outcome {
    if bytes > MEMCACHED_REPLY_BYTES_MAX {
        Err(Failure::fixed("ERR out of memory writing get response"))
    } else {
        Ok(())
    }
}

fn get(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let shows = Shows::of(args[0]);
    let key = context.key(args[1]);
    let (now, touch) = (context.now(), context.caller.touch);
    let out = reply.buffer();
    if let Some(entry) = shown(context.shard().get(key, now, touch)) {
        write_block(&entry, key.bytes, shows, out)?;
    }
    out.extend_from_slice(reply::END);
    Ok(())
}

fn get_many(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let shows = Shows::of(args[0]);
    let (now, touch) = (context.now(), context.caller.touch);
    let out = reply.buffer();
    let start = out.len();
    for_each_key(context, &args[1..], |shard, key| match shown(shard.get(key, now, touch)) {
        Some(entry) => {
            write_block(&entry, key.bytes, shows, out)?;
            check_length(out.len() - start)
        }
        None => Ok(()),
    })?;
    out.extend_from_slice(reply::END);
    Ok(())
}

/// The blocks of several shards in the order of the keys, and one end.
pub(super) fn in_key_order(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_parts(input.parts, |bytes| bytes.ends_with(reply::END))?;
    check_length(input.parts.iter().map(|part| part.bytes.len()).sum())?;
    let key_count: usize = input.parts.iter().map(|part| part.key_positions.len()).sum();
    let keys = &input.args[input.args.len() - key_count..];
    let mut parts: Vec<(&[u8], &[u32])> = input.parts.iter().map(|part| (part.bytes, part.key_positions)).collect();
    let out = reply.buffer();
    for (position, key) in keys.iter().enumerate() {
        let part = parts.iter_mut().find(|(_, positions)| positions.first() == Some(&(position as u32)));
        let (bytes, positions) = part.expect("each key belongs to one part, and each part's keys ascend");
        *positions = &positions[1..];
        if let Some(length) = block_bytes(bytes, key) {
            let (block, rest) = bytes.split_at(length);
            out.extend_from_slice(block);
            *bytes = rest;
        }
    }
    out.extend_from_slice(reply::END);
    Ok(())
}

/// The length of the block at the front of `bytes`, if it is one of `key`.
fn block_bytes(bytes: &[u8], key: &[u8]) -> Option<usize> {
    let rest = bytes.strip_prefix(b"VALUE ")?.strip_prefix(key)?.strip_prefix(b" ")?;
    let line_bytes = rest.iter().position(|byte| *byte == b'\n').expect("a block has a line") + 1;
    let line = rest[..line_bytes].trim_ascii_end();
    let length = line.split(|byte| *byte == b' ').nth(1).expect("a length is behind the flags");
    let value_bytes = length.iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    let head_bytes = bytes.len() - rest.len() + line_bytes;
    Some(head_bytes + value_bytes + b"\r\n".len())
}

#[cfg(test)]
mod tests {
    use crate::command::memcached::testing::{Rig, check};

    #[test]
    fn a_value_comes_with_its_flags() {
        check(&[
            ("get k", "END"),
            ("set k 7 0 5|hello", "STORED"),
            ("get k", "VALUE k 7 5|hello|END"),
            ("set k 4294967295 0 2|12", "STORED"),
            ("get k", "VALUE k 4294967295 2|12|END"),
            ("set k 0 0 0|", "STORED"),
            ("get k", "VALUE k 0 0||END"),
        ]);
    }

    #[test]
    fn blocks_come_in_the_order_of_the_keys() {
        check(&[
            ("set a 1 0 1|1", "STORED"),
            ("set b 2 0 3|two", "STORED"),
            ("set c 3 0 0|", "STORED"),
            ("set aa 0 0 9|VALUE a 1", "STORED"),
            ("get c none b a", "VALUE c 3 0||VALUE b 2 3|two|VALUE a 1 1|1|END"),
            ("get a none a", "VALUE a 1 1|1|VALUE a 1 1|1|END"),
            ("get none nothing nowhere", "END"),
            ("get aa a b aa", "VALUE aa 0 9|VALUE a 1|VALUE a 1 1|1|VALUE b 2 3|two|VALUE aa 0 9|VALUE a 1|END"),
        ]);
    }

    #[test]
    fn a_reply_has_a_bound() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            let value = "x".repeat(1_000_000);
            assert_eq!(rig.reply(&format!("set k 0 0 1000000|{value}")), "STORED");
            let reply = rig.reply(&format!("get {}", "k ".repeat(68)));
            assert_eq!(reply, "SERVER_ERROR out of memory writing get response");
            let reply = rig.reply(&format!("get l {}", "k ".repeat(66)));
            assert!(reply.ends_with("|END"), "that many are few enough");
        }
    }

    #[test]
    fn an_expired_entry_is_absent() {
        check(&[
            ("set k 0 1 1|v", "STORED"),
            ("@after 999", ""),
            ("get k", "VALUE k 0 1|v|END"),
            ("@after 1", ""),
            ("get k", "END"),
            ("get k k", "END"),
        ]);
    }
}
