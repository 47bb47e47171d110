//! Which node of the cluster has which slots, port and name.
//!
//! Node `i` of `n` is shard `i`. It has the slots `s` with `s * n / 16384 == i`, which is the rule by which requests
//! find their shard, and the `i`-th port from the first shard's on. Its name follows from the name of the run, so that
//! it is the same whoever asks.

use std::net::IpAddr;

use locksley_wire::slot::SLOT_COUNT;

use crate::client::Door;
use crate::command::context::Context;

/// One shard as a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Which shard.
    pub shard: u16,
    /// Its name: forty hexadecimal digits.
    pub id: String,
    /// Its port.
    pub port: u16,
    /// Its first and last slot; a shard beyond the number of slots has none.
    pub slots: Option<(u16, u16)>,
}

/// The cluster as one client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topology {
    /// The nodes, in the order of their slots.
    pub nodes: Vec<Node>,
    /// The address of all nodes: the one that the client came to.
    pub host: IpAddr,
    /// The node that the client talks to; the first one, when it came by the shared port.
    pub myself: usize,
}

impl Topology {
    /// The cluster as the client of `context` sees it.
    pub(super) fn of(context: &mut Context<'_>) -> Topology {
        let shard = usize::from(context.thread.id.0);
        let client = context.client();
        let host = client.local_address.ip().to_canonical();
        let myself = if client.door == Door::Shard { shard } else { 0 };
        let config = &context.thread.config;
        let count = context.thread.shared.shard_count;
        let nodes = (0..count)
            .map(|shard| Node {
                shard,
                id: name(&context.thread.shared.run_id, shard, Kind::Node),
                port: config.port_of_shard(shard).expect("every shard listens at its port"),
                slots: slots(shard, count),
            })
            .collect();
        Topology { nodes, host, myself }
    }
}

/// What a name is of.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Of a node.
    Node = 1,
    /// Of a shard: a node with its replicas.
    Shard = 2,
}

/// First and last of the slots `s` with `s * count / 16384 == shard`.
fn slots(shard: u16, count: u16) -> Option<(u16, u16)> {
    let first_of = |shard: u32| (shard * u32::from(SLOT_COUNT)).div_ceil(u32::from(count)) as u16;
    let (first, end) = (first_of(u32::from(shard)), first_of(u32::from(shard) + 1));
    (first < end).then(|| (first, end - 1))
}

/// Forty hexadecimal digits that follow from the run, the shard and the kind.
///
/// Source: FNV-1a over the words, with another start for each eight digits.
pub(super) fn name(run_id: &str, shard: u16, kind: Kind) -> String {
    let word = |index: u8| {
        let salt = [index, kind as u8, shard as u8, (shard >> 8) as u8];
        let bytes = salt.iter().chain(run_id.as_bytes());
        let hash = bytes
            .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3));
        (hash ^ (hash >> 32)) as u32
    };
    (0..5).map(|index| format!("{:08x}", word(index))).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_the_node_that_the_router_sends_it_to() {
        for count in [1, 2, 3, 5, 7, 16, 1_000] {
            let mut next = 0;
            for shard in 0..count {
                let (first, last) = slots(shard, count).expect("fewer shards than slots");
                assert_eq!(first, next, "slots of shard {shard} of {count}");
                for slot in first..=last {
                    assert_eq!(u32::from(slot) * u32::from(count) / 16_384, u32::from(shard));
                }
                next = last + 1;
            }
            assert_eq!(next, SLOT_COUNT);
        }
    }

    #[test]
    fn names_differ_and_stay() {
        let run_id = "0123456789abcdef0123456789abcdef01234567";
        let mut names: Vec<String> =
            (0..1_000).flat_map(|shard| [Kind::Node, Kind::Shard].map(|kind| name(run_id, shard, kind))).collect();
        assert!(names.iter().all(|name| name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())));
        assert_eq!(names[0], name(run_id, 0, Kind::Node));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 2_000);
    }
}
