//! CLIENT PAUSE, UNPAUSE: lets requests wait.

use locksley_engine::Millis;
use locksley_wire::number::parse_i64;
use locksley_wire::resp::Reply;

use super::{ADMIN, SUBCOMMAND};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::join;
use crate::command::row::{Args, Command, Outcome, Run};
use crate::pause::PauseMode;

pub(super) const PAUSE: Command = Command {
    name: "pause",
    arity: -3,
    flags: ADMIN,
    since: "3.0.0",
    summary: "Lets all requests, or those that write, wait for a time",
    syntax: "timeout [WRITE | ALL]",
    run: Run::Every { part: pause, join: join::ok },
    ..SUBCOMMAND
};

pub(super) const UNPAUSE: Command = Command {
    name: "unpause",
    flags: ADMIN,
    since: "6.2.0",
    summary: "Ends a pause",
    complexity: "O(N), N the number of paused clients",
    run: Run::Every { part: unpause, join: join::ok },
    ..SUBCOMMAND
};

const NOT_A_TIMEOUT: Failure = Failure::fixed("ERR timeout is not an integer or out of range");
const NEGATIVE: Failure = Failure::fixed("ERR timeout is negative");
const TOO_LONG: Failure = Failure::fixed("ERR timeout is out of range");
const BAD_MODE: Failure = Failure::fixed("ERR CLIENT PAUSE mode must be WRITE or ALL");

fn pause(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let mode = match args {
        [_, _, _] => PauseMode::All,
        [_, _, _, mode] if mode.eq_ignore_ascii_case(b"all") => PauseMode::All,
        [_, _, _, mode] if mode.eq_ignore_ascii_case(b"write") => PauseMode::Write,
        [_, _, _, _] => return Err(BAD_MODE),
        _ => return Err(Failure::SYNTAX),
    };
    let timeout = u64::try_from(parse_i64(args[2]).ok_or(NOT_A_TIMEOUT)?).map_err(|_| NEGATIVE)?;
    let now = context.now();
    let until = now.0.checked_add(timeout).filter(|until| i64::try_from(*until).is_ok()).ok_or(TOO_LONG)?;
    context.thread.pause.extend(Millis(until), mode, now);
    reply.ok();
    Ok(())
}

fn unpause(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    context.thread.pause.end_now();
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use locksley_engine::Millis;

    use crate::command::testing::{Rig, START, check};

    #[test]
    fn every_thread_pauses_and_goes_on() {
        let mut rig = Rig::new(3);
        assert_eq!(rig.reply("CLIENT PAUSE 100 WRITE"), "+OK");
        for thread in &rig.threads {
            assert_eq!(thread.pause.end(START), Some(Millis(START.0 + 100)));
        }
        assert_eq!(rig.reply("CLIENT UNPAUSE"), "+OK");
        assert!(rig.threads.iter().all(|thread| thread.pause.end(START).is_none()));
    }

    #[test]
    fn a_bad_pause_is_refused() {
        check(&[
            ("CLIENT PAUSE x", "-ERR timeout is not an integer or out of range"),
            ("CLIENT PAUSE -1", "-ERR timeout is negative"),
            ("CLIENT PAUSE 9223372036854775807", "-ERR timeout is out of range"),
            ("CLIENT PAUSE 1 none", "-ERR CLIENT PAUSE mode must be WRITE or ALL"),
            ("CLIENT PAUSE 1 all more", "-ERR syntax error"),
        ]);
    }
}
