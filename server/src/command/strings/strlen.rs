//! STRLEN: the length of a value.

use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;

pub(super) static STRLEN: Command = Command {
    name: "strlen",
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "2.2.0",
    summary: "Returns the length in bytes of the string value of a key",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(strlen),
};

fn strlen(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = context.key(args[1]);
    let (now, touch) = (context.now(), context.caller.touch);
    let length = match context.shard().get(key, now, touch) {
        Some(entry) => string_value(&entry)?.len(),
        None => 0,
    };
    reply.integer(length as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn the_length_is_that_of_the_text() {
        check(&[
            ("STRLEN k", ":0"),
            ("SET k hello", "+OK"),
            ("STRLEN k", ":5"),
            ("SET k -1234", "+OK"),
            ("STRLEN k", ":5"),
            ("SET k \"\"", "+OK"),
            ("STRLEN k", ":0"),
        ]);
    }
}
