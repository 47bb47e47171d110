//! SHUTDOWN: stops the server.

use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::thread::Order;

pub(super) static SHUTDOWN: Command = Command {
    name: "shutdown",
    arity: -1,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE).union(Flags::NO_MULTI),
    keys: Keys::None,
    categories: &[],
    group: Group::Server,
    since: "1.0.0",
    summary: "Stops the server; there is no reply, the connection closes",
    complexity: "O(1)",
    syntax: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
    run: Run::Home(shutdown),
};

const NOTHING_TO_ABORT: Failure = Failure::fixed("ERR No shutdown in progress.");

fn shutdown(context: &mut Context<'_>, args: Args<'_>, _: &mut Reply<'_>) -> Outcome {
    let has = |word: &str| args[1..].iter().any(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
    let is_known = |arg: &&[u8]| {
        ["nosave", "save", "now", "force", "abort"].iter().any(|word| arg.eq_ignore_ascii_case(word.as_bytes()))
    };
    if !args[1..].iter().all(is_known) || (has("save") && has("nosave")) || (has("abort") && args.len() > 2) {
        return Err(Failure::SYNTAX);
    }
    if has("abort") {
        return Err(NOTHING_TO_ABORT);
    }
    context.thread.orders.push(Order::Shutdown);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Rig, check};
    use crate::thread::Order;

    #[test]
    fn the_server_is_told_to_stop() {
        for line in ["SHUTDOWN", "SHUTDOWN NOSAVE NOW FORCE", "SHUTDOWN save"] {
            let mut rig = Rig::new(1);
            assert_eq!(rig.reply(line), "");
            assert_eq!(rig.threads[0].orders, [Order::Shutdown]);
        }
    }

    #[test]
    fn contradictions_are_refused() {
        check(&[
            ("SHUTDOWN SAVE NOSAVE", "-ERR syntax error"),
            ("SHUTDOWN soon", "-ERR syntax error"),
            ("SHUTDOWN ABORT NOW", "-ERR syntax error"),
            ("SHUTDOWN ABORT", "-ERR No shutdown in progress."),
        ]);
    }
}
