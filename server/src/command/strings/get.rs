//! GET: the value of a key.

use locksley_engine::Value;
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static GET: Command = Command {
    name: "get",
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "1.0.0",
    summary: "Returns the string value of a key",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(get),
};

fn get(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = context.key(args[1]);
    let (now, touch) = (context.now(), context.caller.touch);
    match context.shard().get(key, now, touch).map(|entry| entry.value) {
        Some(Value::Bytes(bytes)) => reply.bulk(bytes),
        Some(Value::Integer(integer)) => reply.bulk_integer(integer),
        None => reply.null(),
    }
    Ok(())
}
