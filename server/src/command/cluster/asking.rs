//! ASKING: answers a redirection of a kind that this server never sends, since its slots do not move.

use locksley_wire::resp::Reply;

use super::check_enabled;
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static ASKING: Command = Command {
    name: "asking",
    arity: 1,
    flags: Flags::FAST,
    keys: Keys::None,
    categories: &["connection"],
    group: Group::Cluster,
    since: "3.0.0",
    summary: "Lets the next request through to a slot that is being moved; none ever is",
    complexity: "O(1)",
    syntax: "",
    run: Run::Home(asking),
};

fn asking(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_enabled(&context.thread.config)?;
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Rig, check};

    #[test]
    fn only_a_cluster_is_asked() {
        check(&[("ASKING", "-ERR This instance has cluster support disabled")]);
        let mut rig = Rig::new(2);
        rig.configure(|config| config.cluster_announce_shards = true);
        assert_eq!(rig.reply("ASKING"), "+OK");
    }
}
