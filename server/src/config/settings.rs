//! The table of settings: a row each, in the order `--help` shows them.

use std::path::PathBuf;

use locksley_engine::Policy;
use locksley_engine::limits::VALUE_BYTES_MAX;

use super::save_points::SavePoints;
use super::setting::{Change, Kind, Setting};
use super::{Config, DebugAccess, FsyncPolicy, LogFormat, LogLevel};

/// A `Kind::Number` over the integer field `$field` of type `$type`.
macro_rules! number {
    ($field:ident: $type:ty, $min:expr, $max:expr) => {
        Kind::Number {
            get: |config| i64::from(config.$field),
            set: |config, value| config.$field = value as $type,
            min: $min,
            max: $max,
        }
    };
}

/// A `Kind::Flag` over the field `$field`.
macro_rules! flag {
    ($field:ident) => {
        Kind::Flag { get: |config| config.$field, set: |config, value| config.$field = value }
    };
}

/// A `Kind::Memory` over the field `$field`.
macro_rules! memory {
    ($field:ident, $min:expr) => {
        memory!($field, $min, u64::MAX)
    };
    ($field:ident, $min:expr, $max:expr) => {
        Kind::Memory { get: |config| config.$field, set: |config, value| config.$field = value, min: $min, max: $max }
    };
}

/// Every setting.
pub(crate) static SETTINGS: &[Setting] = &[
    Setting {
        name: "bind",
        kind: Kind::Words { get: |config| config.bind.join(" "), set: set_bind },
        change: Change::AtStart,
        summary: "Addresses to listen on; one with a leading '-' may be missing on this machine, '*' is all",
    },
    Setting {
        name: "port",
        kind: number!(port: u16, 0, 65_535),
        change: Change::AtStart,
        summary: "Port for RESP clients; 0 means none",
    },
    Setting {
        name: "memcached-port",
        kind: number!(memcached_port: u16, 0, 65_535),
        change: Change::AtStart,
        summary: "Port for memcached clients (TCP, text and meta commands); 0 means none",
    },
    Setting {
        name: "memcached-max-value",
        kind: memory!(memcached_max_value, 1024, VALUE_BYTES_MAX as u64),
        change: Change::AtRunTime,
        summary: "Longest value that memcached clients may store",
    },
    Setting {
        name: "http-port",
        kind: number!(http_port: u16, 0, 65_535),
        change: Change::AtStart,
        summary: "Port for HTTP clients (REST); 0 means none",
    },
    Setting {
        name: "http-max-value",
        kind: memory!(http_max_value, 1024, VALUE_BYTES_MAX as u64),
        change: Change::AtRunTime,
        summary: "Longest value that HTTP clients may store",
    },
    Setting {
        name: "http-allowed-hosts",
        kind: Kind::Words { get: |config| config.http_allowed_hosts.join(" "), set: set_http_hosts },
        change: Change::AtRunTime,
        summary: "Names besides the bound addresses that an HTTP request's Host may say; '*' is any",
    },
    Setting {
        name: "http-cors-origin",
        kind: Kind::Text { get: |config| config.http_cors_origin.clone(), set: set_http_origin },
        change: Change::AtRunTime,
        summary: "Origin whose pages may call the HTTP door from a browser, as in https://app.example; empty means none",
    },
    Setting {
        name: "http-request-timeout",
        kind: number!(http_request_timeout: u32, 0, 3_600),
        change: Change::AtRunTime,
        summary: "Seconds that an HTTP request may take to arrive whole; 0 means for ever",
    },
    Setting {
        name: "metrics-redis-names",
        kind: flag!(metrics_redis_names),
        change: Change::AtRunTime,
        summary: "Show metrics by the names of redis_exporter too, for dashboards made for it",
    },
    Setting {
        name: "shards",
        kind: number!(shards: u16, 0, 1_024),
        change: Change::AtStart,
        summary: "Data threads, each with its own part of the keys; 0 means one a core",
    },
    Setting {
        name: "cluster-announce-shards",
        kind: flag!(cluster_announce_shards),
        change: Change::AtStart,
        summary: "Give each shard a port of its own and show the shards as nodes of a Redis Cluster",
    },
    Setting {
        name: "shard-port",
        kind: number!(shard_port: u16, 0, 65_535),
        change: Change::AtStart,
        summary: "Port of the first shard, the others follow; 0 means the port after 'port'",
    },
    Setting {
        name: "busy-poll-us",
        kind: number!(busy_poll_us: u32, 0, 1_000_000),
        change: Change::AtRunTime,
        summary: "Microseconds a thread looks for work before it sleeps; costs CPU while idle, 0 means none",
    },
    Setting {
        name: "dir",
        kind: Kind::Text { get: |config| config.dir.display().to_string(), set: set_dir },
        change: Change::AtStart,
        summary: "Directory of the data; made if it is missing",
    },
    Setting {
        name: "appendonly",
        kind: flag!(appendonly),
        change: Change::AtRunTime,
        summary: "Log every change, so that a restart brings it back",
    },
    Setting {
        name: "appendfsync",
        kind: Kind::Choice {
            names: || vec!["everysec", "always", "no"],
            get: |config| match config.appendfsync {
                FsyncPolicy::Always => "always",
                FsyncPolicy::EverySecond => "everysec",
                FsyncPolicy::No => "no",
            },
            set: |config, name| {
                config.appendfsync = match name {
                    "always" => FsyncPolicy::Always,
                    "everysec" => FsyncPolicy::EverySecond,
                    "no" => FsyncPolicy::No,
                    _ => return false,
                };
                true
            },
        },
        change: Change::AtRunTime,
        summary: "When the log is made durable: before a change is acknowledged, once a second, or when the kernel likes",
    },
    Setting {
        name: "wal-segment-size",
        kind: Kind::Memory {
            get: |config| config.wal_segment_size,
            // Files are written and mapped in pages.
            set: |config, bytes| config.wal_segment_size = bytes.div_ceil(4096).saturating_mul(4096),
            min: 1024 * 1024,
            max: u64::MAX,
        },
        change: Change::AtStart,
        summary: "Size of a log segment; each shard has two more than it has filled",
    },
    Setting {
        name: "save",
        kind: Kind::List {
            get: |config| config.save.text(),
            set: |config, text| SavePoints::parse(text).map(|points| config.save = points),
            add: |config, text| config.save.add(text),
            grammar: "SECONDS CHANGES ...",
        },
        change: Change::AtRunTime,
        summary: "Take a snapshot when there were so many changes and so many seconds have passed since the last; \"\" \
                  means never",
    },
    Setting {
        name: "snapshot-keep",
        kind: number!(snapshot_keep: u32, 1, 1_000),
        change: Change::AtRunTime,
        summary: "Complete snapshots that are kept",
    },
    Setting {
        name: "auto-aof-rewrite-percentage",
        kind: number!(auto_aof_rewrite_percentage: u32, 0, i32::MAX as i64),
        change: Change::AtRunTime,
        summary: "Take a snapshot when the log has grown by this many percent of the last one; 0 means never",
    },
    Setting {
        name: "auto-aof-rewrite-min-size",
        kind: memory!(auto_aof_rewrite_min_size, 0),
        change: Change::AtRunTime,
        summary: "Least growth of the log for such a snapshot",
    },
    Setting {
        name: "stop-writes-on-bgsave-error",
        kind: flag!(stop_writes_on_bgsave_error),
        change: Change::AtRunTime,
        summary: "Refuse writes while the last snapshot failed, if save points are set and nothing is logged",
    },
    Setting {
        name: "databases",
        kind: number!(databases: u8, 1, 16),
        change: Change::AtStart,
        summary: "Number of databases for SELECT",
    },
    Setting {
        name: "maxmemory",
        kind: memory!(maxmemory, 0),
        change: Change::AtRunTime,
        summary: "Memory for everything: entries, tables, buffers; 0 means no limit",
    },
    Setting {
        name: "maxmemory-policy",
        kind: Kind::Choice {
            names: || Policy::names().collect(),
            get: |config| config.maxmemory_policy.name(),
            set: |config, name| Policy::from_name(name).map(|policy| config.maxmemory_policy = policy).is_some(),
        },
        change: Change::AtRunTime,
        summary: "What gives way when the limit is reached",
    },
    Setting {
        name: "maxmemory-samples",
        kind: number!(maxmemory_samples: u32, 1, 64),
        change: Change::AtRunTime,
        summary: "Entries the sampling policies look at for one eviction",
    },
    Setting {
        name: "lfu-log-factor",
        kind: number!(lfu_log_factor: u32, 0, i32::MAX as i64),
        change: Change::AtRunTime,
        summary: "LFU: the higher, the more accesses one step of the counter takes",
    },
    Setting {
        name: "lfu-decay-time",
        kind: number!(lfu_decay_time: u32, 0, i32::MAX as i64),
        change: Change::AtRunTime,
        summary: "LFU: minutes after which an unused counter loses one; 0 means never",
    },
    Setting {
        name: "default-ttl",
        kind: number!(default_ttl: u32, 0, i32::MAX as i64),
        change: Change::AtRunTime,
        summary: "Seconds to live of a value that is written without a time to live; 0 means for ever",
    },
    Setting {
        name: "max-ttl",
        kind: number!(max_ttl: u32, 0, i32::MAX as i64),
        change: Change::AtRunTime,
        summary: "Longest time to live of a value, in seconds; longer ones are cut, 0 means no bound",
    },
    Setting {
        name: "require-ttl",
        kind: flag!(require_ttl),
        change: Change::AtRunTime,
        summary: "Refuse values without a time to live, unless 'default-ttl' gives them one",
    },
    Setting {
        name: "ttl-jitter",
        kind: number!(ttl_jitter: u8, 0, 100),
        change: Change::AtRunTime,
        summary: "Make times to live longer by up to this many percent, by the key, so that what was written at once does \
                  not end at once",
    },
    Setting {
        name: "absent-ttl",
        kind: number!(absent_ttl: u32, 1, i32::MAX as i64),
        change: Change::AtRunTime,
        summary: "Seconds that a note of SETABSENT lasts if the command does not say",
    },
    Setting {
        name: "maxclients",
        kind: number!(maxclients: u32, 1, 1_000_000),
        change: Change::AtRunTime,
        summary: "Most clients at once",
    },
    Setting {
        name: "timeout",
        kind: number!(timeout: u32, 0, i32::MAX as i64),
        change: Change::AtRunTime,
        summary: "Seconds after which an idle client is closed; 0 means never",
    },
    Setting {
        name: "tcp-keepalive",
        kind: number!(tcp_keepalive: u32, 0, 32_767),
        change: Change::AtRunTime,
        summary: "Seconds between keep-alive probes of new connections; 0 means none",
    },
    Setting {
        name: "tcp-backlog",
        kind: number!(tcp_backlog: u32, 1, 65_535),
        change: Change::AtStart,
        summary: "Connections that may wait to be accepted",
    },
    Setting {
        name: "requirepass",
        kind: Kind::Secret {
            get: |config| config.requirepass.clone(),
            set: |config, text| {
                text.clone_into(&mut config.requirepass);
                Ok(())
            },
        },
        change: Change::AtRunTime,
        summary: "Password that clients must give by AUTH or HELLO; empty means none",
    },
    Setting {
        name: "protected-mode",
        kind: flag!(protected_mode),
        change: Change::AtRunTime,
        summary: "Refuse clients from other hosts while there is no password",
    },
    Setting {
        name: "proto-max-bulk-len",
        kind: memory!(proto_max_bulk_len, 1024 * 1024),
        change: Change::AtRunTime,
        summary: "Longest argument of a request",
    },
    Setting {
        name: "client-query-buffer-limit",
        kind: memory!(client_query_buffer_limit, 1024 * 1024),
        change: Change::AtRunTime,
        summary: "Most bytes of unfinished requests of one client",
    },
    Setting {
        name: "client-output-buffer-limit",
        kind: Kind::Words {
            get: |config| config.client_output_buffer_limit.text(),
            set: |config, text| config.client_output_buffer_limit.parse(text),
        },
        change: Change::AtRunTime,
        summary: "Most unsent bytes of one client: groups of class, hard limit, soft limit, seconds",
    },
    Setting {
        name: "slowlog-log-slower-than",
        kind: number!(slowlog_log_slower_than: i64, -1, i64::MAX),
        change: Change::AtRunTime,
        summary: "Microseconds from which on a command is kept in the slow log; -1 means none",
    },
    Setting {
        name: "slowlog-max-len",
        kind: number!(slowlog_max_len: u32, 0, 1_000_000),
        change: Change::AtRunTime,
        summary: "Most entries of the slow log",
    },
    Setting {
        name: "latency-monitor-threshold",
        kind: number!(latency_monitor_threshold: u32, 0, i32::MAX as i64),
        change: Change::AtRunTime,
        summary: "Milliseconds from which on an event is kept for LATENCY; 0 means none",
    },
    Setting {
        name: "hotkey-threshold",
        kind: number!(hotkey_threshold: u32, 0, i32::MAX as i64),
        change: Change::AtRunTime,
        summary: "Requests a second from which on a key is logged and counted as hot; 0 means never",
    },
    Setting {
        name: "enable-debug-command",
        kind: Kind::Choice {
            names: || vec!["no", "yes", "local"],
            get: |config| match config.enable_debug_command {
                DebugAccess::No => "no",
                DebugAccess::Yes => "yes",
                DebugAccess::Local => "local",
            },
            set: |config, name| {
                config.enable_debug_command = match name {
                    "no" => DebugAccess::No,
                    "yes" => DebugAccess::Yes,
                    "local" => DebugAccess::Local,
                    _ => return false,
                };
                true
            },
        },
        change: Change::AtStart,
        summary: "Who may use DEBUG",
    },
    Setting {
        name: "loglevel",
        kind: Kind::Choice { names: || LOG_LEVELS.map(|(_, name)| name).to_vec(), get: log_level, set: set_log_level },
        change: Change::AtRunTime,
        summary: "How much is logged",
    },
    Setting {
        name: "log-format",
        kind: Kind::Choice {
            names: || vec!["text", "json"],
            get: |config| match config.log_format {
                LogFormat::Text => "text",
                LogFormat::Json => "json",
            },
            set: |config, name| {
                config.log_format = match name {
                    "text" => LogFormat::Text,
                    "json" => LogFormat::Json,
                    _ => return false,
                };
                true
            },
        },
        change: Change::AtRunTime,
        summary: "How the log looks: lines for people, or an object of JSON a line",
    },
    Setting {
        name: "logfile",
        kind: Kind::Text {
            get: |config| config.logfile.clone(),
            set: |config, text| {
                text.clone_into(&mut config.logfile);
                Ok(())
            },
        },
        change: Change::AtStart,
        summary: "File the log is appended to; empty means standard output",
    },
];

const LOG_LEVELS: [(LogLevel, &str); 5] = [
    (LogLevel::Debug, "debug"),
    (LogLevel::Verbose, "verbose"),
    (LogLevel::Notice, "notice"),
    (LogLevel::Warning, "warning"),
    (LogLevel::Nothing, "nothing"),
];

/// The setting called `name`, in any case.
pub(crate) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name.eq_ignore_ascii_case(name))
}

fn log_level(config: &Config) -> &'static str {
    LOG_LEVELS
        .iter()
        .find(|(level, _)| *level == config.loglevel)
        .map(|(_, name)| *name)
        .expect("every level has a row")
}

fn set_log_level(config: &mut Config, name: &str) -> bool {
    let found = LOG_LEVELS.iter().find(|(_, known)| *known == name);
    found.map(|(level, _)| config.loglevel = *level).is_some()
}

fn set_bind(config: &mut Config, text: &str) -> Result<(), String> {
    let addresses: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    if addresses.is_empty() {
        return Err("at least one address is needed".to_owned());
    }
    config.bind = addresses;
    Ok(())
}

fn set_http_hosts(config: &mut Config, text: &str) -> Result<(), String> {
    let hosts: Vec<String> = text.split_whitespace().map(str::to_ascii_lowercase).collect();
    if let Some(host) = hosts.iter().find(|host| host.contains('/')) {
        return Err(format!("'{host}' is not the name of a host"));
    }
    config.http_allowed_hosts = hosts;
    Ok(())
}

fn set_http_origin(config: &mut Config, text: &str) -> Result<(), String> {
    let is_origin = text
        .split_once("://")
        .is_some_and(|(scheme, host)| !scheme.is_empty() && !host.is_empty() && !host.contains(['/', ' ', '\r', '\n']));
    if !text.is_empty() && !is_origin {
        return Err("an origin is needed, as in https://app.example".to_owned());
    }
    text.clone_into(&mut config.http_cors_origin);
    Ok(())
}

fn set_dir(config: &mut Config, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("a directory is needed".to_owned());
    }
    config.dir = PathBuf::from(text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value_its_own_row_accepts() {
        let config = Config::default();
        for setting in SETTINGS {
            let mut copy = config.clone();
            setting.set(&mut copy, &setting.get(&config)).unwrap_or_else(|error| panic!("{}: {error}", setting.name));
            assert_eq!(copy, config, "{}", setting.name);
        }
    }

    #[test]
    fn names_are_unique_and_summaries_are_one_sentence() {
        for (index, setting) in SETTINGS.iter().enumerate() {
            assert!(SETTINGS[..index].iter().all(|other| other.name != setting.name), "{}", setting.name);
            assert!(!setting.summary.ends_with('.') && !setting.summary.is_empty(), "{}", setting.name);
        }
    }

    #[test]
    fn a_bad_value_is_refused_with_what_would_be_right() {
        let mut config = Config::default();
        for (name, value, error) in [
            ("port", "70000", "argument must be between 0 and 65535 inclusive"),
            ("port", "http", "argument couldn't be parsed into an integer"),
            ("protected-mode", "maybe", "argument must be 'yes' or 'no'"),
            ("maxmemory", "lots", "argument must be a memory value"),
            ("save", "60", "Invalid save parameters"),
            ("loglevel", "loud", "argument(s) must be one of the following: debug, verbose, notice, warning, nothing"),
        ] {
            let setting = find(name).expect("the setting exists");
            assert_eq!(setting.set(&mut config, value), Err(error.to_owned()));
        }
        assert_eq!(config, Config::default());
    }
}
