//! SELECT: goes to another database.

use locksley_engine::Db;
use locksley_wire::number::parse_i64;
use locksley_wire::resp::Reply;

use crate::client::Door;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static SELECT: Command = Command {
    name: "select",
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
    keys: Keys::None,
    categories: &["connection"],
    group: Group::Connection,
    since: "1.0.0",
    summary: "Selects the database of the connection",
    complexity: "O(1)",
    syntax: "index",
    run: Run::Home(select),
};

fn select(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let index = parse_i64(args[1]).filter(|index| i32::try_from(*index).is_ok()).ok_or(Failure::NOT_INTEGER)?;
    if index != 0 && context.client().door == Door::Shard {
        return Err(Failure::fixed("ERR SELECT is not allowed in cluster mode"));
    }
    let database_count = i64::from(context.thread.config.databases);
    if !(0..database_count).contains(&index) {
        return Err(Failure::BAD_DB);
    }
    context.client().db = Db(index as u8);
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::client::Door;
    use crate::command::testing::{Rig, check};

    #[test]
    fn databases_are_apart() {
        check(&[
            ("SET k v", "+OK"),
            ("SELECT 15", "+OK"),
            ("GET k", "$-1"),
            ("SELECT 0", "+OK"),
            ("GET k", "$1 v"),
            ("SELECT 16", "-ERR DB index is out of range"),
            ("SELECT -1", "-ERR DB index is out of range"),
            ("SELECT one", "-ERR value is not an integer or out of range"),
            ("SELECT 4294967296", "-ERR value is not an integer or out of range"),
        ]);
    }

    #[test]
    fn a_shard_port_has_one_database() {
        let mut rig = Rig::new(1);
        rig.client().door = Door::Shard;
        assert_eq!(rig.reply("SELECT 0"), "+OK");
        assert_eq!(rig.reply("SELECT 1"), "-ERR SELECT is not allowed in cluster mode");
    }
}
