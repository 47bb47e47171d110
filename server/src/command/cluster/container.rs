//! CLUSTER: what a client of a cluster asks before it knows where to go.

use std::fmt::Write;

use locksley_wire::resp::Reply;
use locksley_wire::slot::{SLOT_COUNT, slot};

use super::topology::{Kind, Topology, name};
use super::{check_enabled, keys, nodes};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::help;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static CLUSTER: Command = Command {
    name: "cluster",
    arity: -2,
    flags: Flags::empty(),
    summary: "A container for commands on the cluster",
    complexity: "Depends on subcommand",
    run: Run::Container(&[
        COUNT_FAILURE_REPORTS,
        keys::COUNTKEYSINSLOT,
        keys::GETKEYSINSLOT,
        HELP,
        INFO,
        KEYSLOT,
        LINKS,
        MYID,
        MYSHARDID,
        nodes::NODES,
        nodes::SHARDS,
        nodes::SLOTS,
    ]),
    ..SUBCOMMAND
};

/// What the subcommands share.
pub(super) const SUBCOMMAND: Command = Command {
    name: "",
    arity: 2,
    flags: Flags::STALE,
    keys: Keys::None,
    categories: &[],
    group: Group::Cluster,
    since: "3.0.0",
    summary: "",
    complexity: "O(1)",
    syntax: "",
    run: Run::Home(help),
};

const COUNT_FAILURE_REPORTS: Command = Command {
    name: "count-failure-reports",
    arity: 3,
    flags: Flags::ADMIN.union(Flags::STALE),
    summary: "Returns how many nodes say that a node fails; 0, as shards live and die together",
    syntax: "node-id",
    run: Run::Home(count_failure_reports),
    ..SUBCOMMAND
};

const HELP: Command = Command {
    name: "help",
    flags: Flags::LOADING.union(Flags::STALE),
    since: "5.0.0",
    summary: "Says what the subcommands do",
    ..SUBCOMMAND
};

const INFO: Command =
    Command { name: "info", summary: "Returns the state of the cluster", run: Run::Home(info), ..SUBCOMMAND };

const KEYSLOT: Command = Command {
    name: "keyslot",
    arity: 3,
    summary: "Returns the slot of a key",
    complexity: "O(N), N the length of the key",
    syntax: "key",
    run: Run::Home(key_slot),
    ..SUBCOMMAND
};

const LINKS: Command = Command {
    name: "links",
    since: "7.0.0",
    summary: "Returns the links between nodes; none, as shards share their memory",
    run: Run::Home(links),
    ..SUBCOMMAND
};

const MYID: Command =
    Command { name: "myid", summary: "Returns the name of the node", run: Run::Home(my_id), ..SUBCOMMAND };

const MYSHARDID: Command = Command {
    name: "myshardid",
    since: "7.2.0",
    summary: "Returns the name of the node's shard",
    run: Run::Home(my_shard_id),
    ..SUBCOMMAND
};

fn count_failure_reports(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_enabled(&context.thread.config)?;
    if !Topology::of(context).nodes.iter().any(|node| node.id.as_bytes() == args[2]) {
        let id = String::from_utf8_lossy(args[2]);
        return Err(Failure::new(format_args!("ERR Unknown node {id}")));
    }
    reply.integer(0);
    Ok(())
}

fn info(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_enabled(&context.thread.config)?;
    let node_count = usize::from(context.thread.shared.shard_count);
    let fields = [
        ("slots_assigned", usize::from(SLOT_COUNT)),
        ("slots_ok", usize::from(SLOT_COUNT)),
        ("slots_pfail", 0),
        ("slots_fail", 0),
        ("known_nodes", node_count),
        ("size", node_count),
        ("current_epoch", node_count),
        ("my_epoch", Topology::of(context).myself + 1),
        ("stats_messages_sent", 0),
        ("stats_messages_received", 0),
    ];
    let mut text = String::from("cluster_state:ok\r\n");
    for (name, value) in fields {
        write!(text, "cluster_{name}:{value}\r\n").expect("a string takes all that is written");
    }
    text += "total_cluster_links_buffer_limit_exceeded:0\r\n";
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn key_slot(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_enabled(&context.thread.config)?;
    reply.integer(i64::from(slot(args[2]).0));
    Ok(())
}

fn links(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_enabled(&context.thread.config)?;
    reply.array(0);
    Ok(())
}

fn my_id(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_enabled(&context.thread.config)?;
    let topology = Topology::of(context);
    reply.bulk(topology.nodes[topology.myself].id.as_bytes());
    Ok(())
}

fn my_shard_id(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_enabled(&context.thread.config)?;
    let topology = Topology::of(context);
    let shard = topology.nodes[topology.myself].shard;
    reply.bulk(name(&context.thread.shared.run_id, shard, Kind::Shard).as_bytes());
    Ok(())
}

fn help(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_enabled(&context.thread.config)?;
    let lines = [
        "COUNT-FAILURE-REPORTS <node-id>",
        "    Return how many nodes say that <node-id> fails.",
        "COUNTKEYSINSLOT <slot>",
        "    Return how many keys <slot> has.",
        "GETKEYSINSLOT <slot> <count>",
        "    Return <count> keys of <slot> at most.",
        "INFO",
        "    Return the state of the cluster.",
        "KEYSLOT <key>",
        "    Return the slot of <key>.",
        "LINKS",
        "    Return the links between this node and others.",
        "MYID",
        "    Return the name of this node.",
        "MYSHARDID",
        "    Return the name of this node's shard.",
        "NODES",
        "    Return the nodes, a line each:",
        "    <id> <ip:port> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...",
        "SHARDS",
        "    Return the shards: their slots and their nodes.",
        "SLOTS",
        "    Return the ranges of slots: start, end, and the node that has them.",
    ];
    help::help("CLUSTER", &lines, reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::client::Door;
    use crate::command::testing::{Rig, check};

    #[test]
    fn without_announced_shards_there_is_no_cluster() {
        for subcommand in ["INFO", "KEYSLOT a", "LINKS", "MYID", "MYSHARDID", "NODES", "SHARDS", "SLOTS", "HELP"] {
            check(&[(&format!("CLUSTER {subcommand}"), "-ERR This instance has cluster support disabled")]);
        }
    }

    #[test]
    fn a_node_knows_itself() {
        let mut rig = Rig::new(3);
        rig.configure(|config| config.cluster_announce_shards = true);
        assert_eq!(rig.reply("CLUSTER KEYSLOT {foo}bar"), ":12182");
        assert_eq!(rig.reply("CLUSTER LINKS"), "*0");
        assert!(rig.reply("CLUSTER INFO").contains("cluster_state:ok cluster_slots_assigned:16384 "));
        let id = rig.reply("CLUSTER MYID").replace("$40 ", "");
        assert_eq!(rig.reply(&format!("CLUSTER COUNT-FAILURE-REPORTS {id}")), ":0");
        assert_eq!(rig.reply("CLUSTER COUNT-FAILURE-REPORTS x"), "-ERR Unknown node x");
        assert_ne!(rig.reply("CLUSTER MYSHARDID"), rig.reply("CLUSTER MYID"));
        rig.client().door = Door::Shard;
        assert_eq!(rig.reply("CLUSTER MYID").replace("$40 ", ""), id, "the client's thread is the first");
    }
}
