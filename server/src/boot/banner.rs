//! What a person reads when the server starts.

use super::probe::Machine;
use crate::config::Config;
use crate::config::memory::human;

/// Logs what the server is going to be, and what it could not have.
pub(super) fn show(config: &Config, machine: &Machine) {
    let shards = config.shards;
    let cores = machine.cores.len();
    let memory = match config.maxmemory {
        0 => "no memory limit".to_owned(),
        bytes => format!("at most {} of memory", human(bytes)),
    };
    let policy = config.maxmemory_policy.name();
    tracing::info!("Locksley {} is starting, process {}", env!("CARGO_PKG_VERSION"), std::process::id());
    tracing::info!(
        "{shards} shard{} on {cores} core{}, {memory}, policy {policy}",
        plural(shards.into()),
        plural(cores)
    );
    tracing::info!("{} at {}", doors(config), config.bind.join(" "));
    tracing::info!("data directory {}", config.dir.display());
    for note in &machine.notes {
        tracing::warn!("{note}");
    }
    if usize::from(shards) > cores {
        tracing::warn!("{shards} shards share {cores} cores: fewer shards would be faster");
    }
}

/// The protocols that are spoken, with their ports.
fn doors(config: &Config) -> String {
    let ports = [("RESP", config.port), ("memcached", config.memcached_port), ("HTTP", config.http_port)];
    let open = ports.into_iter().filter(|(_, port)| *port != 0);
    let named: Vec<String> = open.map(|(name, port)| format!("{name} on port {port}")).collect();
    named.join(", ") + &shard_ports(config)
}

fn shard_ports(config: &Config) -> String {
    if !config.cluster_announce_shards {
        return String::new();
    }
    match (config.port_of_shard(0), config.port_of_shard(config.shards - 1)) {
        (Some(first), Some(last)) => format!(", shards at ports {first} to {last}"),
        _ => String::new(),
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
