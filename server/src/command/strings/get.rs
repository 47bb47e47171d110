//! GET: the value of a key.

use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;

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
    match context.shard().get(key, now, touch) {
        Some(entry) => string_value(&entry)?.write(reply),
        None => reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn a_value_is_read_as_it_was_written() {
        check(&[
            ("GET k", "$-1"),
            ("SET k hello", "+OK"),
            ("GET k", "$5 hello"),
            ("SET k -12", "+OK"),
            ("GET k", "$3 -12"),
            ("SET k 012", "+OK"),
            ("GET k", "$3 012"),
            ("SET \"\" \"\"", "+OK"),
            ("GET \"\"", "$0 "),
            ("SET k \"\\x00\\xff\"", "+OK"),
            ("GET k", "$2 \\x00\\xff"),
            ("@resp 3", ""),
            ("GET none", "_"),
        ]);
    }

    #[test]
    fn an_expired_key_is_absent() {
        check(&[("SET k v PX 10", "+OK"), ("@after 9", ""), ("GET k", "$1 v"), ("@after 1", ""), ("GET k", "$-1")]);
    }
}
