//! GETRANGE, and SUBSTR as it was called first: a part of a value.

use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::number::{integer, span};
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;

pub(super) static GETRANGE: Command = Command {
    name: "getrange",
    arity: 4,
    flags: Flags::READONLY,
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "2.4.0",
    summary: "Returns a part of the string value of a key",
    complexity: "O(N), N the length of the part",
    syntax: "key start end",
    run: Run::Owner(getrange),
};

pub(super) static SUBSTR: Command = Command {
    name: "substr",
    arity: 4,
    flags: Flags::READONLY,
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "1.0.0",
    summary: "Returns a part of the string value of a key; GETRANGE is its newer name",
    complexity: "O(N), N the length of the part",
    syntax: "key start end",
    run: Run::Owner(getrange),
};

fn getrange(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (first, last) = (integer(args[2])?, integer(args[3])?);
    let key = context.key(args[1]);
    let (now, touch) = (context.now(), context.caller.touch);
    let Some(entry) = context.shard().get(key, now, touch) else {
        reply.bulk(b"");
        return Ok(());
    };
    let text = string_value(&entry)?.text();
    match span(first, last, text.len() as u64) {
        Some((first, last)) => reply.bulk(&text[first as usize..=last as usize]),
        None => reply.bulk(b""),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn offsets_count_from_either_end() {
        check(&[
            ("SET k \"This is a string\"", "+OK"),
            ("GETRANGE k 0 3", "$4 This"),
            ("GETRANGE k -3 -1", "$3 ing"),
            ("GETRANGE k 0 -1", "$16 This is a string"),
            ("GETRANGE k 10 100", "$6 string"),
            ("GETRANGE k 5 3", "$0 "),
            ("GETRANGE k -100 -50", "$1 T"),
            ("GETRANGE none 0 -1", "$0 "),
            ("SET n 12345", "+OK"),
            ("SUBSTR n 1 -2", "$3 234"),
            ("GETRANGE n a 1", "-ERR value is not an integer or out of range"),
        ]);
    }
}
