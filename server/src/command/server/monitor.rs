//! MONITOR: shows the client every command that the server runs from now on.

use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static MONITOR: Command = Command {
    name: "monitor",
    arity: 1,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
    keys: Keys::None,
    categories: &[],
    group: Group::Server,
    since: "1.0.0",
    summary: "Shows every command that the server runs, as it runs it",
    complexity: "O(1), and O(N) for every command that follows, N the length of its arguments",
    syntax: "",
    run: Run::Home(monitor),
};

fn monitor(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    context.thread.set_monitor(context.caller.slot, true);
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use locksley_engine::Millis;

    use crate::command::testing::Rig;

    #[test]
    fn every_thread_learns_of_a_monitor_and_of_its_end() {
        let mut rig = Rig::new(3);
        let monitored = |rig: &mut Rig| {
            rig.threads.iter_mut().for_each(|thread| thread.begin_turn(Millis(1)));
            rig.threads.iter().filter(|thread| thread.is_monitored).count()
        };
        assert_eq!(monitored(&mut rig), 0);
        assert_eq!(rig.reply("MONITOR"), "+OK");
        assert_eq!(rig.reply("MONITOR"), "+OK");
        assert_eq!(monitored(&mut rig), 3);
        assert_eq!(rig.reply("RESET"), "+RESET");
        assert_eq!(monitored(&mut rig), 0);
    }
}
