//! ECHO: the message it is given.

use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static ECHO: Command = Command {
    name: "echo",
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
    keys: Keys::None,
    categories: &["connection"],
    group: Group::Connection,
    since: "1.0.0",
    summary: "Returns the message it is given",
    complexity: "O(1)",
    syntax: "message",
    run: Run::Home(echo),
};

fn echo(_: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.bulk(args[1]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn the_message_comes_back() {
        check(&[("ECHO \"a\\0b\"", "$3 a\\x00b"), ("ECHO", "-ERR wrong number of arguments for 'echo' command")]);
    }
}
