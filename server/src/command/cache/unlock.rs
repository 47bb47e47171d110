//! UNLOCK: gives a lock back.

use locksley_engine::Op;
use locksley_wire::resp::Reply;

use super::arguments::token;
use super::lock::held;
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static UNLOCK: Command = Command {
    name: "unlock",
    arity: 3,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Cache,
    since: "Locksley 0.1.0",
    summary: "Gives a lock back if it is still held with this token; the first in line has it then",
    complexity: "O(1)",
    syntax: "name token",
    run: Run::Owner(unlock),
};

fn unlock(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let token = token(args[2])?;
    let (key, now) = (context.key(args[1]), context.now());
    let is_held = held(context, key)?.is_some_and(|held| held.token == token);
    if is_held {
        context.shard().apply(Op::Delete { key }, now)?;
    }
    reply.integer(i64::from(is_held));
    Ok(())
}
