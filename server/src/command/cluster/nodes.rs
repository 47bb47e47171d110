//! CLUSTER NODES, SHARDS, SLOTS: the nodes and their slots, in the three forms that clients ask for.

use std::fmt::Write;

use locksley_wire::resp::Reply;

use super::check_enabled;
use super::container::SUBCOMMAND;
use super::topology::{Node, Topology};
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Outcome, Run};

pub(super) const NODES: Command = Command {
    name: "nodes",
    summary: "Returns the nodes and their slots, a line each",
    complexity: "O(N), N the number of nodes",
    run: Run::Home(nodes),
    ..SUBCOMMAND
};

pub(super) const SHARDS: Command = Command {
    name: "shards",
    flags: Flags::LOADING.union(Flags::STALE),
    since: "7.0.0",
    summary: "Returns the shards: their slots and their nodes",
    complexity: "O(N), N the number of nodes",
    run: Run::Home(shards),
    ..SUBCOMMAND
};

pub(super) const SLOTS: Command = Command {
    name: "slots",
    flags: Flags::LOADING.union(Flags::STALE),
    summary: "Returns the ranges of slots, each with the node that has them",
    complexity: "O(N), N the number of nodes",
    run: Run::Home(slots),
    ..SUBCOMMAND
};

fn nodes(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_enabled(&context.thread.config)?;
    let now = context.now().0;
    let topology = Topology::of(context);
    let mut text = String::new();
    for (index, Node { id, port, slots, .. }) in topology.nodes.iter().enumerate() {
        let flags = if index == topology.myself { "myself,master" } else { "master" };
        // There is no bus between the nodes, so that its port is 0.
        write!(text, "{id} {}:{port}@0 {flags} - 0 {now} {} connected", topology.host, index + 1)
            .expect("a string takes all that is written");
        text += &slots.map_or_else(String::new, |(first, last)| format!(" {first}-{last}"));
        text.push('\n');
    }
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn slots(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_enabled(&context.thread.config)?;
    let topology = Topology::of(context);
    let host = topology.host.to_string();
    let owners: Vec<_> = topology.nodes.iter().filter_map(|node| node.slots.map(|slots| (node, slots))).collect();
    reply.array(owners.len());
    for (node, (first, last)) in owners {
        reply.array(3);
        reply.integer(i64::from(first));
        reply.integer(i64::from(last));
        reply.array(4);
        reply.bulk(host.as_bytes());
        reply.integer(i64::from(node.port));
        reply.bulk(node.id.as_bytes());
        reply.map(0);
    }
    Ok(())
}

fn shards(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_enabled(&context.thread.config)?;
    let topology = Topology::of(context);
    let host = topology.host.to_string();
    reply.array(topology.nodes.len());
    for node in &topology.nodes {
        reply.map(2);
        reply.bulk(b"slots");
        match node.slots {
            Some((first, last)) => {
                reply.array(2);
                reply.integer(i64::from(first));
                reply.integer(i64::from(last));
            }
            None => reply.array(0),
        }
        reply.bulk(b"nodes");
        reply.array(1);
        write_node(node, &host, reply);
    }
    Ok(())
}

fn write_node(node: &Node, host: &str, reply: &mut Reply<'_>) {
    reply.map(7);
    reply.bulk(b"id");
    reply.bulk(node.id.as_bytes());
    reply.bulk(b"port");
    reply.integer(i64::from(node.port));
    for (name, value) in [("ip", host), ("endpoint", host), ("role", "master")] {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"replication-offset");
    reply.integer(0);
    reply.bulk(b"health");
    reply.bulk(b"online");
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Rig;

    fn rig() -> Rig {
        let mut rig = Rig::new(3);
        rig.configure(|config| config.cluster_announce_shards = true);
        rig
    }

    #[test]
    fn slots_name_a_node_for_each_range() {
        let mut rig = rig();
        let text = rig.reply("CLUSTER SLOTS");
        assert!(text.starts_with("*3 *3 :0 :5461 *4 $9 127.0.0.1 :6380 $40 "), "{text}");
        assert!(text.contains(" *3 :5462 :10922 *4 $9 127.0.0.1 :6381 $40 "), "{text}");
        assert!(text.contains(" *3 :10923 :16383 *4 $9 127.0.0.1 :6382 $40 "), "{text}");
        assert!(text.ends_with(" *0"), "{text}");
        rig.reply("@resp 3");
        assert!(rig.reply("CLUSTER SLOTS").ends_with(" %0"));
    }

    #[test]
    fn nodes_are_lines() {
        let text = rig().reply("CLUSTER NODES");
        assert!(text.contains(" 127.0.0.1:6380@0 myself,master - 0 1700000000000 1 connected 0-5461\\n"), "{text}");
        assert!(text.contains(" 127.0.0.1:6382@0 master - 0 1700000000000 3 connected 10923-16383\\n"), "{text}");
    }

    #[test]
    fn shards_have_one_node_each() {
        let text = rig().reply("CLUSTER SHARDS");
        assert!(text.starts_with("*3 *4 $5 slots *2 :0 :5461 $5 nodes *1 *14 $2 id $40 "), "{text}");
        assert!(text.ends_with("$4 role $6 master $18 replication-offset :0 $6 health $6 online"), "{text}");
    }
}
