//! READONLY, READWRITE: whether a client reads from replicas; there are none, so that it only shows in CLIENT LIST.

use locksley_wire::resp::Reply;

use super::check_enabled;
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static READONLY: Command = Command {
    name: "readonly",
    arity: 1,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
    keys: Keys::None,
    categories: &["connection"],
    group: Group::Cluster,
    since: "3.0.0",
    summary: "Says that the connection may read from replicas",
    complexity: "O(1)",
    syntax: "",
    run: Run::Home(read_only),
};

pub(super) static READWRITE: Command =
    Command { name: "readwrite", summary: "Takes back what READONLY said", run: Run::Home(read_write), ..READONLY };

fn read_only(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    set(context, true, reply)
}

fn read_write(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    set(context, false, reply)
}

fn set(context: &mut Context<'_>, is_readonly: bool, reply: &mut Reply<'_>) -> Outcome {
    check_enabled(&context.thread.config)?;
    context.client().is_readonly = is_readonly;
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Rig, check};

    #[test]
    fn the_mode_is_kept_with_the_client() {
        check(&[("READONLY", "-ERR This instance has cluster support disabled")]);
        let mut rig = Rig::new(2);
        rig.configure(|config| config.cluster_announce_shards = true);
        assert_eq!(rig.reply("READONLY"), "+OK");
        assert!(rig.client().is_readonly);
        assert_eq!(rig.reply("READWRITE"), "+OK");
        assert!(!rig.client().is_readonly);
    }
}
