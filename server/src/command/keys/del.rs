//! DEL: removes keys.

use locksley_engine::Op;
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::join;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static DEL: Command = Command {
    name: "del",
    arity: -2,
    flags: Flags::WRITE,
    keys: Keys::ALL,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "1.0.0",
    summary: "Removes one or more keys",
    complexity: "O(N), N the number of keys",
    syntax: "key [key ...]",
    run: Run::Split { run: del, join: join::sum },
};

fn del(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let now = context.now();
    let mut removed = 0;
    for bytes in &args[1..] {
        let key = context.key(bytes);
        removed += i64::from(context.shard().apply(Op::Delete { key }, now)?.existed);
    }
    reply.integer(removed);
    Ok(())
}
