//! TYPE: of what type a key's value is.

use locksley_engine::{Entry, Kind, Touch};
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static TYPE: Command = Command {
    name: "type",
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "1.0.0",
    summary: "Returns the type of the value of a key",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(type_of),
};

fn type_of(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = context.key(args[1]);
    let now = context.now();
    reply.simple(context.shard().get(key, now, Touch::CountOnly).map_or("none", |entry| type_name(&entry)));
    Ok(())
}

/// The name of the type of an entry's value.
pub(super) fn type_name(entry: &Entry<'_>) -> &'static str {
    match entry.kind {
        Kind::String => "string",
        Kind::Lock => "lock",
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn a_type_has_a_name() {
        check(&[
            ("TYPE k", "+none"),
            ("SET k v", "+OK"),
            ("TYPE k", "+string"),
            ("INCR n", ":1"),
            ("TYPE n", "+string"),
        ]);
    }
}
