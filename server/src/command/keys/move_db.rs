//! MOVE: takes a key to another database.
//!
//! The key keeps its slot, so both databases are at hand on one shard.

use std::borrow::Cow;

use locksley_engine::Touch;
use locksley_wire::resp::Reply;

use super::rename::put_entry;
use crate::command::context::Context;
use crate::command::effect::{Effect, apply_all, log_bytes};
use crate::command::failure::Failure;
use crate::command::number::database;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

/// Source and target are one.
pub(super) const SAME_OBJECT: Failure = Failure::fixed("ERR source and destination objects are the same");

pub(super) static MOVE: Command = Command {
    name: "move",
    arity: 3,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "1.0.0",
    summary: "Moves a key to another database, unless that one has such a key",
    complexity: "O(N), N the length of the value",
    syntax: "key db",
    run: Run::Owner(move_db),
};

fn move_db(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let db = database(args[2], context.thread.config.databases)?;
    if db == context.caller.db {
        return Err(SAME_OBJECT);
    }
    let now = context.now();
    let source = context.key(args[1]);
    let target = context.shard().key(db, args[1]);
    let is_taken = context.shard().get(target, now, Touch::Leave).is_some();
    let put = match context.shard().get(source, now, Touch::Leave) {
        Some(entry) if !is_taken => put_entry(&entry, db, args[1])?,
        _ => {
            reply.integer(0);
            return Ok(());
        }
    };
    let effects = [put, Effect::Delete { db: context.caller.db, key: Cow::Borrowed(args[1]) }];
    let log_bytes = log_bytes(&effects, context.shard());
    context.thread.ensure_log_room(log_bytes)?;
    apply_all(&effects, context.shard(), now)?;
    reply.integer(1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn a_key_changes_its_database_with_all_it_has() {
        check(&[
            ("SET k v PX 100", "+OK"),
            ("APPEND k w", ":2"),
            ("MOVE k 1", ":1"),
            ("EXISTS k", ":0"),
            ("MOVE k 1", ":0"),
            ("SET k new", "+OK"),
            ("MOVE k 1", ":0"),
            ("@db 1", ""),
            ("GET k", "$2 vw"),
            ("PTTL k", ":100"),
            ("OBJECT ENCODING k", "$3 raw"),
            ("@after 100", ""),
            ("@db 0", ""),
            ("MOVE k 1", ":1"),
        ]);
    }

    #[test]
    fn bad_databases_are_refused() {
        check(&[
            ("SET k v", "+OK"),
            ("MOVE k 0", "-ERR source and destination objects are the same"),
            ("MOVE k 16", "-ERR DB index is out of range"),
            ("MOVE k -1", "-ERR DB index is out of range"),
            ("MOVE k x", "-ERR value is not an integer or out of range"),
            ("MOVE k 2147483648", "-ERR value is out of range, value must between -2147483648 and 2147483647"),
        ]);
    }
}
