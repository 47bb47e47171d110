//! CLIENT NO-EVICT, NO-TOUCH, REPLY: how a connection wants to be served.

use locksley_wire::resp::Reply;

use super::{ADMIN, SUBCOMMAND};
use crate::client::ReplyMode;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Outcome, Run};

pub(super) const NO_EVICT: Command = Command {
    name: "no-evict",
    arity: 3,
    flags: ADMIN,
    since: "7.0.0",
    summary: "Keeps the connection when connections are closed to save memory",
    syntax: "<ON | OFF>",
    run: Run::Home(no_evict),
    ..SUBCOMMAND
};

pub(super) const NO_TOUCH: Command = Command {
    name: "no-touch",
    arity: 3,
    since: "7.2.0",
    summary: "Lets the reads of the connection leave the age of keys alone",
    syntax: "<ON | OFF>",
    run: Run::Home(no_touch),
    ..SUBCOMMAND
};

pub(super) const REPLY: Command = Command {
    name: "reply",
    arity: 3,
    since: "3.2.0",
    summary: "Says which replies the connection wants",
    syntax: "<ON | OFF | SKIP>",
    run: Run::Home(reply_mode),
    ..SUBCOMMAND
};

fn on_or_off(word: &[u8]) -> Result<bool, Failure> {
    let is_on = word.eq_ignore_ascii_case(b"on");
    if is_on || word.eq_ignore_ascii_case(b"off") { Ok(is_on) } else { Err(Failure::SYNTAX) }
}

fn no_evict(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    context.client().no_evict = on_or_off(args[2])?;
    reply.ok();
    Ok(())
}

fn no_touch(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    context.client().no_touch = on_or_off(args[2])?;
    reply.ok();
    Ok(())
}

fn reply_mode(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let client = context.client();
    if args[2].eq_ignore_ascii_case(b"on") {
        client.reply_mode = ReplyMode::On;
        reply.ok();
    } else if args[2].eq_ignore_ascii_case(b"off") {
        client.reply_mode = ReplyMode::Off;
    } else if args[2].eq_ignore_ascii_case(b"skip") {
        if client.reply_mode != ReplyMode::Off {
            client.reply_mode = ReplyMode::SkipNext;
        }
    } else {
        return Err(Failure::SYNTAX);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::client::ReplyMode;
    use crate::command::testing::{Rig, check};

    #[test]
    fn modes_are_turned_on_and_off() {
        check(&[
            ("CLIENT NO-EVICT on", "+OK"),
            ("CLIENT NO-EVICT off", "+OK"),
            ("CLIENT NO-EVICT maybe", "-ERR syntax error"),
            ("CLIENT NO-TOUCH on", "+OK"),
            ("CLIENT NO-TOUCH maybe", "-ERR syntax error"),
            ("CLIENT REPLY maybe", "-ERR syntax error"),
        ]);
    }

    #[test]
    fn unwanted_replies_are_not_written() {
        let mut rig = Rig::new(1);
        for (line, reply, mode) in [
            ("CLIENT REPLY SKIP", "", ReplyMode::SkipNext),
            ("CLIENT REPLY OFF", "", ReplyMode::Off),
            ("CLIENT REPLY SKIP", "", ReplyMode::Off),
            ("CLIENT REPLY ON", "+OK", ReplyMode::On),
        ] {
            assert_eq!(rig.reply(line), reply, "{line}");
            assert_eq!(rig.client().reply_mode, mode, "{line}");
        }
    }
}
