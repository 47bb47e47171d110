//! PING: is anybody there?

use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static PING: Command = Command {
    name: "ping",
    arity: -1,
    flags: Flags::FAST,
    keys: Keys::None,
    categories: &["connection"],
    group: Group::Connection,
    since: "1.0.0",
    summary: "Answers PONG, or the message it is given",
    complexity: "O(1)",
    syntax: "[message]",
    run: Run::Home(ping),
};

fn ping(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    // Whoever watches over the server by this command is to learn that it takes no writes.
    context.thread.check_writes()?;
    match args {
        [_] => reply.simple("PONG"),
        [_, message] => reply.bulk(message),
        _ => return Err(Failure::new("ERR wrong number of arguments for 'ping' command")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn a_message_comes_back_in_place_of_pong() {
        check(&[
            ("PING", "+PONG"),
            ("PING hi", "$2 hi"),
            ("PING a b", "-ERR wrong number of arguments for 'ping' command"),
        ]);
    }
}
