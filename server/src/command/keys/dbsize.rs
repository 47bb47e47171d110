//! DBSIZE: how many keys a database has.

use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::join;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static DBSIZE: Command = Command {
    name: "dbsize",
    arity: 1,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::None,
    categories: &["keyspace"],
    group: Group::Server,
    since: "1.0.0",
    summary: "Returns the number of keys in the selected database, expired ones that nobody met included",
    complexity: "O(1)",
    syntax: "",
    run: Run::Every { part: dbsize, join: join::sum },
};

fn dbsize(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let db = context.caller.db;
    reply.integer(context.shard().len(db) as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn the_keys_of_one_database_are_counted() {
        check(&[
            ("DBSIZE", ":0"),
            ("MSET a 1 b 2 c 3", "+OK"),
            ("DBSIZE", ":3"),
            ("@db 1", ""),
            ("DBSIZE", ":0"),
            ("SET a 1", "+OK"),
            ("DBSIZE", ":1"),
        ]);
    }
}
