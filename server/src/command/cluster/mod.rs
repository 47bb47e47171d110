//! The cluster face: shards as the nodes of a Redis Cluster.

mod asking;
mod container;
mod keys;
mod nodes;
mod readonly;
mod topology;

use super::failure::Failure;
use super::row::{Command, Outcome};
use crate::config::Config;

/// The group's rows.
pub(super) static COMMANDS: &[&Command] =
    &[&asking::ASKING, &container::CLUSTER, &readonly::READONLY, &readonly::READWRITE];

const DISABLED: Failure = Failure::fixed("ERR This instance has cluster support disabled");

/// Refuses what only a cluster has, where shards are not announced.
fn check_enabled(config: &Config) -> Outcome {
    if config.cluster_announce_shards { Ok(()) } else { Err(DISABLED) }
}
