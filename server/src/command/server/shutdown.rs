//! SHUTDOWN: stops the server, behind a snapshot where one is wanted.

use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::wait::{Over, Until, Wait};
use crate::persist::{Begun, Saving, ShutdownWish};
use crate::thread::Order;

pub(super) static SHUTDOWN: Command = Command {
    name: "shutdown",
    arity: -1,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE).union(Flags::NO_MULTI),
    keys: Keys::None,
    categories: &[],
    group: Group::Server,
    since: "1.0.0",
    summary: "Stops the server, after a snapshot if save points are set; there is no reply, the connection closes",
    complexity: "O(N) with a snapshot, N the number of keys; O(1) without",
    syntax: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
    run: Run::Wait(shutdown),
};

const NOTHING_TO_ABORT: Failure = Failure::fixed("ERR No shutdown in progress.");
const FAILED: Failure = Failure::fixed("ERR Errors trying to SHUTDOWN. Check logs.");

/// NOW is for replicas that lag behind, of which there are none.
const WORDS: [&str; 5] = ["nosave", "save", "now", "force", "abort"];

fn shutdown(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Result<Option<Wait>, Failure> {
    let is = |arg: &[u8], word: &str| arg.eq_ignore_ascii_case(word.as_bytes());
    let has = |word: &str| args[1..].iter().any(|arg| is(arg, word));
    let are_known = args[1..].iter().all(|arg| WORDS.iter().any(|word| is(arg, word)));
    if !are_known || (has("save") && has("nosave")) || (has("abort") && args.len() > 2) {
        return Err(Failure::SYNTAX);
    }
    let persist = &context.thread.shared.persist;
    if has("abort") {
        if !persist.shutdown.abort(persist) {
            return Err(NOTHING_TO_ABORT);
        }
        tracing::info!("The shutdown was given up by SHUTDOWN ABORT");
        reply.ok();
        return Ok(None);
    }
    let saving = match (has("save"), has("nosave")) {
        (true, _) => Saving::Always,
        (_, true) => Saving::Never,
        _ => Saving::AsConfigured,
    };
    let wish = ShutdownWish { saving, is_forced: has("force") };
    match persist.shutdown.begin(persist, &context.thread.config, wish) {
        Begun::Stop => {
            context.thread.orders.push(Order::Shutdown);
            Ok(None)
        }
        Begun::Pending(serial) => Ok(Some(Wait { until: Until::Shutdown(serial), deadline: None, then: go_on })),
    }
}

fn go_on(_: &mut Context<'_>, _: Args<'_>, _: Over, _: &mut Reply<'_>) -> Outcome {
    Err(FAILED)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Rig, check};
    use crate::config::save_points::SavePoints;
    use crate::thread::Order;

    #[test]
    fn without_a_snapshot_the_server_is_told_to_stop_at_once() {
        for (line, points) in [("SHUTDOWN", ""), ("SHUTDOWN NOSAVE NOW FORCE", "60 1"), ("SHUTDOWN nosave", "")] {
            let mut rig = Rig::new(1);
            rig.configure(|config| config.save = SavePoints::parse(points).expect("points"));
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
