//! FLUSHDB and FLUSHALL: empty databases.
//!
//! SYNC and ASYNC make no difference: a shard drops its tables at once and frees them a little a turn.

use locksley_engine::{Db, Op};
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::join;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static FLUSHDB: Command = Command {
    name: "flushdb",
    arity: -1,
    flags: Flags::WRITE,
    keys: Keys::None,
    categories: &["keyspace", "dangerous"],
    group: Group::Server,
    since: "1.0.0",
    summary: "Removes all keys of the selected database",
    complexity: "O(1), and O(N) in the background, N the number of keys",
    syntax: "[ASYNC | SYNC]",
    run: Run::Every { part: flushdb, join: join::ok },
};

pub(super) static FLUSHALL: Command = Command {
    name: "flushall",
    arity: -1,
    flags: Flags::WRITE,
    keys: Keys::None,
    categories: &["keyspace", "dangerous"],
    group: Group::Server,
    since: "1.0.0",
    summary: "Removes all keys of all databases",
    complexity: "O(1), and O(N) in the background, N the number of keys",
    syntax: "[ASYNC | SYNC]",
    run: Run::Every { part: flushall, join: join::ok },
};

fn flushdb(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let db = context.caller.db;
    flush(context, args, Some(db), reply)
}

fn flushall(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    flush(context, args, None, reply)
}

fn flush(context: &mut Context<'_>, args: Args<'_>, db: Option<Db>, reply: &mut Reply<'_>) -> Outcome {
    match args {
        [_] => {}
        [_, word] if word.eq_ignore_ascii_case(b"SYNC") || word.eq_ignore_ascii_case(b"ASYNC") => {}
        _ => return Err(Failure::SYNTAX),
    }
    let now = context.now();
    context.shard().apply(Op::Flush { db }, now)?;
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn one_database_or_all_are_emptied() {
        check(&[
            ("MSET a 1 b 2 c 3", "+OK"),
            ("@db 1", ""),
            ("MSET a 1 b 2", "+OK"),
            ("FLUSHDB", "+OK"),
            ("DBSIZE", ":0"),
            ("@db 0", ""),
            ("DBSIZE", ":3"),
            ("FLUSHDB lazily", "-ERR syntax error"),
            ("FLUSHALL SYNC ASYNC", "-ERR syntax error"),
            ("DBSIZE", ":3"),
            ("@db 2", ""),
            ("FLUSHALL async", "+OK"),
            ("@db 0", ""),
            ("DBSIZE", ":0"),
            ("FLUSHDB SYNC", "+OK"),
        ]);
    }
}
