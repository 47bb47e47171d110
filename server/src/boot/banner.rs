//! What a person reads when the server starts.

use crate::config::memory::human;
use crate::config::settings::SETTINGS;
use crate::config::{Config, FsyncPolicy};
use crate::machine::Machine;

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
    if config.http_port != 0 {
        tracing::info!("console at http://{}/", net_location(config));
    }
    tracing::info!("data directory {}, {}", config.dir.display(), durability(config));
    tracing::info!("settings beside the defaults: {}", settings(config));
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

/// Where a browser on this machine finds the HTTP door.
fn net_location(config: &Config) -> String {
    let first = config.bind.first().map_or("", |address| address.trim_start_matches('-'));
    let host = match first {
        "" | "*" | "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" | "::*" => "[::1]".to_owned(),
        address if address.contains(':') => format!("[{address}]"),
        name => name.to_owned(),
    };
    format!("{host}:{}", config.http_port)
}

/// What survives which misfortune.
fn durability(config: &Config) -> String {
    let points = config.save.text();
    let snapshots =
        if points.is_empty() { "no snapshots by time".to_owned() } else { format!("snapshots by 'save {points}'") };
    let log = match (config.appendonly, config.appendfsync) {
        (false, _) => "changes are not logged",
        (true, FsyncPolicy::Always) => "changes are logged and durable before they are acknowledged",
        (true, FsyncPolicy::EverySecond) => "changes are logged and durable within a second or two",
        (true, FsyncPolicy::No) => "changes are logged and durable when the kernel likes",
    };
    format!("{log}, {snapshots}")
}

/// The settings that are not as they would be by themselves, as they can be written on a command line.
fn settings(config: &Config) -> String {
    let defaults = Config::default();
    let changed = SETTINGS.iter().filter(|setting| setting.get(config) != setting.get(&defaults));
    let shown = changed.map(|setting| {
        let value = setting.shown(config);
        let is_quoted = value.contains(' ');
        if is_quoted { format!("{} \"{value}\"", setting.name) } else { format!("{} {value}", setting.name) }
    });
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_shown_as_they_are_written_but_for_secrets() {
        assert_eq!(settings(&Config::default()), "none");
        let config = Config {
            maxmemory: 15 << 30,
            requirepass: "hunter2".to_owned(),
            bind: vec!["*".to_owned(), "::*".to_owned()],
            logfile: "a.log".to_owned(),
            ..Config::default()
        };
        assert_eq!(settings(&config), "bind \"* ::*\", maxmemory 15gb, requirepass ***, logfile a.log");
    }

    #[test]
    fn the_console_is_found_from_this_machine() {
        for (bind, expected) in [
            (&["127.0.0.1", "-::1"][..], "127.0.0.1:8379"),
            (&["*"], "127.0.0.1:8379"),
            (&["-::1"], "[::1]:8379"),
            (&["::*"], "[::1]:8379"),
            (&["cache.example"], "cache.example:8379"),
        ] {
            let bind = bind.iter().map(|address| (*address).to_owned()).collect();
            assert_eq!(net_location(&Config { bind, ..Config::default() }), expected);
        }
    }
}
