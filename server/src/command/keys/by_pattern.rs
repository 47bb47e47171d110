//! KEYS: all keys that match a pattern.
//!
//! A part: the matching keys as bulk replies, then their number, 8 bytes, little endian.

use locksley_wire::glob::{Case, matches};
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, JoinInput, Keys, Outcome, Run};

pub(super) static KEYS: Command = Command {
    name: "keys",
    arity: 2,
    flags: Flags::READONLY,
    keys: Keys::None,
    categories: &["keyspace", "dangerous"],
    group: Group::Generic,
    since: "1.0.0",
    summary: "Returns all keys of the selected database that match a pattern",
    complexity: "O(N), N the number of keys in the database",
    syntax: "pattern",
    run: Run::Every { part: collect, join },
};

/// Bytes of the number behind the keys.
const COUNT_BYTES: usize = 8;

fn collect(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let pattern = args[1];
    let (db, now) = (context.caller.db, context.now());
    let takes_all = pattern == b"*";
    let mut count = 0u64;
    let next = context.shard().scan(db, 0, usize::MAX, now, |entry| {
        if takes_all || matches(pattern, entry.key, Case::Sensitive) {
            reply.bulk(entry.key);
            count += 1;
        }
    });
    assert_eq!(next, None, "a scan without bound comes to its end");
    reply.buffer().extend_from_slice(&count.to_le_bytes());
    Ok(())
}

fn join(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let parts = input.parts.iter().map(|part| {
        let (keys, count) = part.bytes.split_last_chunk::<COUNT_BYTES>().expect("a part ends with its count");
        (keys, u64::from_le_bytes(*count))
    });
    reply.array(parts.clone().map(|(_, count)| count as usize).sum());
    parts.for_each(|(keys, _)| reply.buffer().extend_from_slice(keys));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Rig;

    #[test]
    fn the_matching_keys_are_all_there() {
        let cases = [
            ("KEYS *", "a1 a2 b1 c"),
            ("KEYS a*", "a1 a2"),
            ("KEYS ?1", "a1 b1"),
            ("KEYS [^a]1", "b1"),
            ("KEYS \\\\*", ""),
            ("KEYS none", ""),
        ];
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            for line in ["MSET a1 1 a2 2 b1 3 c 4", "SET gone v PX 5", "@after 5"] {
                rig.run(line);
            }
            for (line, expected) in cases {
                let reply = rig.reply(line);
                let mut keys: Vec<&str> = reply.split(' ').filter(|word| !word.starts_with(['*', '$'])).collect();
                keys.sort_unstable();
                assert_eq!(keys.join(" "), expected, "{line}");
                assert!(reply.starts_with(&format!("*{}", keys.len())), "{line}: {reply}");
            }
        }
    }
}
