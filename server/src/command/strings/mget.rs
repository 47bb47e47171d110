//! MGET: the values of several keys.

use locksley_wire::resp::Reply;

use crate::command::batch::for_each_key;
use crate::command::context::Context;
use crate::command::join;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;

pub(super) static MGET: Command = Command {
    name: "mget",
    arity: -2,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::ALL,
    categories: &["string"],
    group: Group::String,
    since: "1.0.0",
    summary: "Returns the string values of one or more keys",
    complexity: "O(N), N the number of keys",
    syntax: "key [key ...]",
    run: Run::Split { run: mget, join: join::in_key_order },
};

fn mget(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (now, touch) = (context.now(), context.caller.touch);
    let keys = &args[1..];
    reply.array(keys.len());
    for_each_key(context, keys, |shard, key| {
        match shard.get(key, now, touch).map(|entry| string_value(&entry)) {
            Some(Ok(value)) => value.write(reply),
            None | Some(Err(_)) => reply.null(),
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn values_come_in_the_order_of_the_keys() {
        check(&[
            ("MSET a 1 b two c \"\" d 4", "+OK"),
            ("MGET a", "*1 $1 1"),
            ("MGET d none a b c a", "*6 $1 4 $-1 $1 1 $3 two $0  $1 1"),
            ("@resp 3", ""),
            ("MGET none a also-none", "*3 _ $1 1 _"),
        ]);
    }
}
