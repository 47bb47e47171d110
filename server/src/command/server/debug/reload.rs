//! DEBUG RELOAD, LOADAOF: empties all shards and loads them from the disk, as a start does.

use locksley_wire::resp::Reply;

use super::{SUBCOMMAND, check_allowed};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Outcome, Run};
use crate::command::server::save::IN_PROGRESS;
use crate::command::wait::{Over, Until, Wait};
use crate::persist::Reload;

pub(super) const RELOAD: Command = Command {
    name: "reload",
    summary: "Takes a snapshot, empties all shards and loads them from it",
    complexity: "O(N), N the number of keys",
    syntax: "[MERGE] [NOFLUSH] [NOSAVE]",
    run: Run::Wait(reload),
    ..SUBCOMMAND
};

pub(super) const LOADAOF: Command = Command {
    name: "loadaof",
    arity: 2,
    summary: "Empties all shards and loads them from the last snapshot and the log behind it",
    complexity: "O(N), N the number of keys",
    run: Run::Wait(load_log),
    ..SUBCOMMAND
};

const BAD_OPTION: Failure = Failure::fixed("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
const NO_MERGING: Failure =
    Failure::fixed("ERR DEBUG RELOAD NOSAVE NOFLUSH is not supported: shards are empty when they are loaded");

fn reload(context: &mut Context<'_>, args: Args<'_>, _: &mut Reply<'_>) -> Result<Option<Wait>, Failure> {
    check_allowed(context)?;
    let is = |arg: &[u8], option: &str| arg.eq_ignore_ascii_case(option.as_bytes());
    let options = &args[2..];
    if !options.iter().all(|arg| ["merge", "noflush", "nosave"].iter().any(|option| is(arg, option))) {
        return Err(BAD_OPTION);
    }
    let has = |option: &str| options.iter().any(|arg| is(arg, option));
    match (has("nosave"), has("noflush")) {
        (true, true) => Err(NO_MERGING),
        (true, false) => begin(context, Reload::AsIs),
        (false, _) => begin(context, Reload::Snapshot),
    }
}

fn load_log(context: &mut Context<'_>, _: Args<'_>, _: &mut Reply<'_>) -> Result<Option<Wait>, Failure> {
    check_allowed(context)?;
    begin(context, Reload::AsIs)
}

fn begin(context: &Context<'_>, reload: Reload) -> Result<Option<Wait>, Failure> {
    let ticket = context.thread.shared.persist.request_reload(reload).map_err(|_| IN_PROGRESS)?;
    Ok(Some(Wait { until: Until::Reload(ticket), deadline: None, then: answer }))
}

#[expect(clippy::needless_pass_by_value, reason = "whatever ends a wait has this signature")]
fn answer(_: &mut Context<'_>, _: Args<'_>, over: Over, reply: &mut Reply<'_>) -> Outcome {
    assert_eq!(over, Over::Reloaded, "a reload is waited for until it is over");
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Rig;
    use crate::config::DebugAccess;

    #[test]
    fn options_that_cannot_be_kept_are_refused() {
        let mut rig = Rig::new(3);
        assert!(rig.reply("DEBUG RELOAD").starts_with("-ERR DEBUG command not allowed."));
        assert!(rig.reply("DEBUG LOADAOF").starts_with("-ERR DEBUG command not allowed."));
        rig.configure(|config| config.enable_debug_command = DebugAccess::Yes);
        for (line, reply) in [
            ("DEBUG RELOAD x", "-ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."),
            (
                "DEBUG RELOAD nosave NOFLUSH",
                "-ERR DEBUG RELOAD NOSAVE NOFLUSH is not supported: shards are empty when they are loaded",
            ),
            ("DEBUG LOADAOF x", "-ERR wrong number of arguments for 'debug|loadaof' command"),
        ] {
            assert_eq!(rig.reply(line), reply, "{line}");
        }
    }
}
