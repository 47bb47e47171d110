//! SWAPDB: exchanges two databases.

use locksley_engine::{Db, Op};
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::join;
use crate::command::number::database;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

/// The first number is none.
const BAD_FIRST: Failure = Failure::fixed("ERR invalid first DB index");
/// The second number is none.
const BAD_SECOND: Failure = Failure::fixed("ERR invalid second DB index");

pub(super) static SWAPDB: Command = Command {
    name: "swapdb",
    arity: 3,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::None,
    categories: &["keyspace", "dangerous"],
    group: Group::Server,
    since: "4.0.0",
    summary: "Exchanges the contents of two databases, shard by shard",
    complexity: "O(1)",
    syntax: "db1 db2",
    run: Run::Every { part: swapdb, join: join::ok },
};

fn swapdb(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let database_count = context.thread.config.databases;
    let first = parse(args[1], database_count, BAD_FIRST)?;
    let second = parse(args[2], database_count, BAD_SECOND)?;
    let (first, second) = (first.ok_or(Failure::BAD_DB)?, second.ok_or(Failure::BAD_DB)?);
    let now = context.now();
    if first != second {
        context.shard().apply(Op::Swap { first, second }, now)?;
    }
    reply.ok();
    Ok(())
}

/// The database that `text` names, or `None` if there is none of that number; `not_a_number` if it is not one.
fn parse(text: &[u8], database_count: u8, not_a_number: Failure) -> Result<Option<Db>, Failure> {
    match database(text, database_count) {
        Ok(db) => Ok(Some(db)),
        Err(failure) if failure == Failure::BAD_DB => Ok(None),
        Err(_) => Err(not_a_number),
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn two_databases_change_places() {
        check(&[
            ("MSET a 1 b 2 c 3", "+OK"),
            ("SWAPDB 0 5", "+OK"),
            ("DBSIZE", ":0"),
            ("SET d 4", "+OK"),
            ("SWAPDB 5 0", "+OK"),
            ("MGET a b c d", "*4 $1 1 $1 2 $1 3 $-1"),
            ("SWAPDB 0 0", "+OK"),
            ("GET a", "$1 1"),
            ("@db 5", ""),
            ("GET d", "$1 4"),
        ]);
    }

    #[test]
    fn bad_databases_are_refused() {
        check(&[
            ("SWAPDB x y", "-ERR invalid first DB index"),
            ("SWAPDB 16 y", "-ERR invalid second DB index"),
            ("SWAPDB 16 0", "-ERR DB index is out of range"),
            ("SWAPDB 0 -1", "-ERR DB index is out of range"),
        ]);
    }
}
