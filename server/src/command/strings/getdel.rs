//! GETDEL: returns a value and removes its key.

use locksley_engine::Op;
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;

pub(super) static GETDEL: Command = Command {
    name: "getdel",
    arity: 2,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "6.2.0",
    summary: "Returns the string value of a key and removes the key",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(getdel),
};

fn getdel(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = context.key(args[1]);
    let (now, touch) = (context.now(), context.caller.touch);
    let Some(entry) = context.shard().get(key, now, touch) else {
        reply.null();
        return Ok(());
    };
    string_value(&entry)?.write(reply);
    context.shard().apply(Op::Delete { key }, now)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn the_value_is_returned_once() {
        check(&[("SET k 7", "+OK"), ("GETDEL k", "$1 7"), ("GETDEL k", "$-1"), ("EXISTS k", ":0")]);
    }
}
