//! SET: makes a key hold a value.

use locksley_engine::{ExpiryChange, FlagsChange, Op, Value};
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static SET: Command = Command {
    name: "set",
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "1.0.0",
    summary: "Sets the string value of a key, whatever it held before",
    complexity: "O(1)",
    syntax: "key value",
    run: Run::Owner(set),
};

fn set(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = context.key(args[1]);
    let now = context.now();
    let value = Value::Bytes(args[2]);
    let op = Op::Put { key, value, expiry: ExpiryChange::Clear, client_flags: FlagsChange::Set(0) };
    context.shard().apply(op, now)?;
    reply.ok();
    Ok(())
}
