//! RENAME and RENAMENX: another name for an entry.

use std::borrow::Cow;

use locksley_engine::{Db, Entry};
use locksley_wire::resp::Reply;

use crate::command::effect::{Effect, Effects};
use crate::command::failure::Failure;
use crate::command::row::{Command, DecideInput, Flags, Group, Keys, Outcome, PlanInput, PlanRead, PlannedKey, Run};
use crate::command::string_value::string_value;

pub(super) static RENAME: Command = Command {
    name: "rename",
    arity: 3,
    flags: Flags::WRITE,
    keys: Keys::FIRST_TWO,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "1.0.0",
    summary: "Renames a key, replacing one that has the new name",
    complexity: "O(N), N the length of the value",
    syntax: "key newkey",
    run: Run::Atomic { plan, decide: decide_rename },
};

pub(super) static RENAMENX: Command = Command {
    name: "renamenx",
    arity: 3,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::FIRST_TWO,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "1.0.0",
    summary: "Renames a key unless there is one with the new name",
    complexity: "O(N), N the length of the value",
    syntax: "key newkey",
    run: Run::Atomic { plan, decide: decide_renamenx },
};

fn plan(input: &PlanInput<'_>, planned: &mut Vec<PlannedKey>) -> Outcome {
    planned.push(PlannedKey { argument: 1, db: input.db, read: PlanRead::Value });
    planned.push(PlannedKey { argument: 2, db: input.db, read: PlanRead::Presence });
    Ok(())
}

fn decide_rename<'a>(input: &DecideInput<'a, '_>, effects: &mut Effects<'a>, reply: &mut Reply<'_>) -> Outcome {
    let source = input.reads[0].as_ref().ok_or(Failure::NO_SUCH_KEY)?;
    if input.args[1] != input.args[2] {
        rename(source, input, effects)?;
    }
    reply.ok();
    Ok(())
}

fn decide_renamenx<'a>(input: &DecideInput<'a, '_>, effects: &mut Effects<'a>, reply: &mut Reply<'_>) -> Outcome {
    let source = input.reads[0].as_ref().ok_or(Failure::NO_SUCH_KEY)?;
    let is_free = input.reads[1].is_none();
    if is_free {
        rename(source, input, effects)?;
    }
    reply.integer(i64::from(is_free));
    Ok(())
}

fn rename<'a>(source: &Entry<'_>, input: &DecideInput<'a, '_>, effects: &mut Effects<'a>) -> Outcome {
    effects.push(put_entry(source, input.db, input.args[2])?);
    effects.push(Effect::Delete { db: input.db, key: Cow::Borrowed(input.args[1]) });
    Ok(())
}

/// The effect that makes `key` of `db` equal to `entry`; the value is copied, since it may be removed before it is
/// written again.
///
/// # Errors
/// [`Failure::WRONG_TYPE`] when the entry is no string.
pub(super) fn put_entry<'a>(entry: &Entry<'_>, db: Db, key: &'a [u8]) -> Result<Effect<'a>, Failure> {
    Ok(Effect::Put {
        db,
        key: Cow::Borrowed(key),
        value: Cow::Owned(string_value(entry)?.text().to_vec()),
        encoding: entry.encoding,
        expiry: entry.expiry,
        client_flags: entry.client_flags,
        is_stale: entry.is_stale,
    })
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Rig, check};

    #[test]
    fn an_entry_out_of_date_stays_so_under_another_name() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            for (line, reply, (db, name)) in [
                ("SET a v PX 100", "+OK", (0, "a")),
                ("RENAME a b", "+OK", (0, "b")),
                ("APPEND b w", ":2", (0, "b")),
                ("COPY b c", ":1", (0, "c")),
                ("COPY b b DB 5", ":1", (5, "b")),
                ("MOVE c 2", ":1", (2, "c")),
            ] {
                assert_eq!(rig.reply(line), reply, "{line}");
                if line.starts_with("SET") {
                    rig.invalidate(db, name);
                }
                assert_eq!(rig.is_stale(db, name), Some(true), "{line}");
            }
            assert_eq!((rig.reply("PTTL b"), rig.reply("GET b")), (":100".to_owned(), "$2 vw".to_owned()));
            rig.reply("SET fresh v");
            rig.reply("COPY fresh b REPLACE");
            assert_eq!(rig.is_stale(0, "b"), Some(false));
        }
    }

    #[test]
    fn an_entry_keeps_all_but_its_name() {
        check(&[
            ("RENAME a b", "-ERR no such key"),
            ("RENAME a a", "-ERR no such key"),
            ("SET a v PX 100", "+OK"),
            ("SET b old PX 5", "+OK"),
            ("RENAME a b", "+OK"),
            ("MGET a b", "*2 $-1 $1 v"),
            ("PTTL b", ":100"),
            ("RENAME b b", "+OK"),
            ("GET b", "$1 v"),
            ("APPEND b w", ":2"),
            ("RENAME b c", "+OK"),
            ("OBJECT ENCODING c", "$3 raw"),
            ("SET d v PX 5", "+OK"),
            ("SET e v", "+OK"),
            ("RENAME e d", "+OK"),
            ("TTL d", ":-1"),
        ]);
    }

    #[test]
    fn renamenx_replaces_nothing() {
        check(&[
            ("RENAMENX a b", "-ERR no such key"),
            ("MSET a 1 b 2", "+OK"),
            ("RENAMENX a b", ":0"),
            ("RENAMENX a a", ":0"),
            ("RENAMENX a c", ":1"),
            ("MGET a b c", "*3 $-1 $1 2 $1 1"),
        ]);
    }
}
