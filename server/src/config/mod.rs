//! The settings in force: one plain struct, read by everybody, changed only as a whole.
//!
//! A setting is a field of [`Config`] and a row of [`settings`]; command line, configuration file, CONFIG GET,
//! CONFIG SET, CONFIG REWRITE, `--help` and the documentation all come from the row.
//!
//! Order of precedence, lowest first: defaults, the configuration file (line by line), the command line.

pub(crate) mod bind;
pub(crate) mod command_line;
pub(crate) mod directive;
#[cfg(test)]
mod docs;
pub(crate) mod file;
pub(crate) mod foreign;
pub(crate) mod memory;
pub(crate) mod nearest;
pub(crate) mod output_limits;
pub(crate) mod rewrite;
pub(crate) mod save_points;
pub(crate) mod setting;
pub(crate) mod settings;

use std::collections::BTreeMap;
use std::path::PathBuf;

use locksley_engine::Policy;

use output_limits::OutputLimits;
use save_points::SavePoints;

/// Every setting.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a setting that is yes or no is one")]
pub(crate) struct Config {
    /// Addresses to listen on; one with a leading `-` may be missing on this machine.
    pub bind: Vec<String>,
    /// Port of the RESP listener; 0 means none.
    pub port: u16,
    /// Port of the memcached listener; 0 means none.
    pub memcached_port: u16,
    /// Longest value that the memcached door takes, in bytes.
    pub memcached_max_value: u64,
    /// Port of the HTTP listener; 0 means none.
    pub http_port: u16,
    /// Longest value that the HTTP door takes, in bytes.
    pub http_max_value: u64,
    /// Names besides the bound addresses that a `Host` may say; `*` is any.
    pub http_allowed_hosts: Vec<String>,
    /// The origin whose pages may call the HTTP door; empty: none.
    pub http_cors_origin: String,
    /// Seconds that an HTTP request may take to arrive; 0 means for ever.
    pub http_request_timeout: u32,
    /// Whether the metrics page has the names of redis_exporter too.
    pub metrics_redis_names: bool,
    /// Number of data threads; 0 means one a core.
    pub shards: u16,
    /// Whether each shard also listens on its own port and is shown as a node of a cluster.
    pub cluster_announce_shards: bool,
    /// Port of the first shard's own listener; the others follow. 0 means `port` + 1.
    pub shard_port: u16,
    /// Longest spin before a thread sleeps, in microseconds; 0 means none.
    pub busy_poll_us: u32,
    /// Where data is kept.
    pub dir: PathBuf,
    /// Number of databases, 1 to 16.
    pub databases: u8,
    /// Memory limit in bytes; 0 means none.
    pub maxmemory: u64,
    /// What to do at the limit.
    pub maxmemory_policy: Policy,
    /// Entries looked at for an eviction.
    pub maxmemory_samples: u32,
    /// LFU counter's growth.
    pub lfu_log_factor: u32,
    /// LFU counter's decay, in minutes.
    pub lfu_decay_time: u32,
    /// Time to live of a value that is written without one, in seconds; 0: none.
    pub default_ttl: u32,
    /// Longest time to live, in seconds; 0: no bound.
    pub max_ttl: u32,
    /// Whether a value without a time to live is refused.
    pub require_ttl: bool,
    /// By up to how many percent, by the key, a time to live is made longer.
    pub ttl_jitter: u8,
    /// How long a note of absence lasts if nobody says, in seconds.
    pub absent_ttl: u32,
    /// Most clients at once.
    pub maxclients: u32,
    /// Seconds after which an idle client is closed; 0 means never.
    pub timeout: u32,
    /// Seconds between keep-alive probes; 0 means none.
    pub tcp_keepalive: u32,
    /// Length of the accept queue.
    pub tcp_backlog: u32,
    /// The password, if one is needed.
    pub requirepass: String,
    /// Whether clients from other hosts are refused while there is no password.
    pub protected_mode: bool,
    /// Longest argument of a request, in bytes.
    pub proto_max_bulk_len: u64,
    /// Most unparsed bytes of one client.
    pub client_query_buffer_limit: u64,
    /// Most unsent bytes of one client, by class.
    pub client_output_buffer_limit: OutputLimits,
    /// Commands slower than this many microseconds are kept in the slow log; negative: none.
    pub slowlog_log_slower_than: i64,
    /// Most entries of the slow log.
    pub slowlog_max_len: u32,
    /// Events slower than this many milliseconds are kept for LATENCY; 0: none.
    pub latency_monitor_threshold: u32,
    /// Requests a second from which on a key is hot: logged once, and counted; 0: none is.
    pub hotkey_threshold: u32,
    /// Whether DEBUG is allowed: `no`, `yes` or `local`.
    pub enable_debug_command: DebugAccess,
    /// What is logged.
    pub loglevel: LogLevel,
    /// How the log looks.
    pub log_format: LogFormat,
    /// Where the log goes; empty: standard output.
    pub logfile: String,
    /// Whether changes are logged.
    pub appendonly: bool,
    /// When the log is made durable.
    pub appendfsync: FsyncPolicy,
    /// Bytes of a log segment.
    pub wal_segment_size: u64,
    /// When snapshots are taken by themselves.
    pub save: SavePoints,
    /// Complete snapshots that are kept.
    pub snapshot_keep: u32,
    /// A snapshot is taken when the log has grown by this many percent of the last snapshot's size; 0: never.
    pub auto_aof_rewrite_percentage: u32,
    /// ... and by at least this many bytes.
    pub auto_aof_rewrite_min_size: u64,
    /// Whether writes are refused when the last snapshot failed (and save points are set).
    pub stop_writes_on_bgsave_error: bool,
    /// Whether a start goes on behind damage with what is provably good; not a setting: `--repair`.
    pub repair: bool,
    /// Redis's settings that do nothing here, as they were given.
    pub foreign: BTreeMap<&'static str, String>,
    /// The configuration file the server was started with; not a setting.
    pub file: Option<PathBuf>,
}

impl Config {
    /// The port of `shard`'s own listener, where shards are announced; `None` beyond the last port.
    pub(crate) fn port_of_shard(&self, shard: u16) -> Option<u16> {
        let first = if self.shard_port == 0 { self.port.checked_add(1)? } else { self.shard_port };
        first.checked_add(shard)
    }
}

/// When the log is made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FsyncPolicy {
    /// Before a change is acknowledged.
    Always,
    /// Once a second.
    EverySecond,
    /// When the kernel likes.
    No,
}

/// Who may use DEBUG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DebugAccess {
    /// Nobody.
    No,
    /// Everybody.
    Yes,
    /// Clients on this machine.
    Local,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogLevel {
    /// Everything.
    Debug,
    /// Much.
    Verbose,
    /// What an operator wants to know.
    Notice,
    /// Only what is wrong.
    Warning,
    /// Nothing.
    Nothing,
}

/// How the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// An object of JSON a line.
    Json,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            bind: vec!["127.0.0.1".to_owned(), "-::1".to_owned()],
            port: 6379,
            memcached_port: 11_211,
            memcached_max_value: 1024 * 1024,
            http_port: 8_379,
            http_max_value: 1024 * 1024,
            http_allowed_hosts: Vec::new(),
            http_cors_origin: String::new(),
            http_request_timeout: 30,
            metrics_redis_names: false,
            shards: 0,
            cluster_announce_shards: false,
            shard_port: 0,
            busy_poll_us: 0,
            dir: PathBuf::from("./locksley-data"),
            databases: 16,
            maxmemory: 0,
            maxmemory_policy: Policy::default(),
            maxmemory_samples: 5,
            lfu_log_factor: 10,
            lfu_decay_time: 1,
            default_ttl: 0,
            max_ttl: 0,
            require_ttl: false,
            ttl_jitter: 0,
            absent_ttl: 45,
            maxclients: 10_000,
            timeout: 0,
            tcp_keepalive: 300,
            tcp_backlog: 511,
            requirepass: String::new(),
            protected_mode: true,
            proto_max_bulk_len: 512 * 1024 * 1024,
            client_query_buffer_limit: 1024 * 1024 * 1024,
            client_output_buffer_limit: OutputLimits::default(),
            slowlog_log_slower_than: 10_000,
            slowlog_max_len: 128,
            latency_monitor_threshold: 0,
            hotkey_threshold: 1_000,
            enable_debug_command: DebugAccess::No,
            loglevel: LogLevel::Notice,
            log_format: LogFormat::Text,
            logfile: String::new(),
            appendonly: true,
            appendfsync: FsyncPolicy::EverySecond,
            wal_segment_size: 64 * 1024 * 1024,
            save: SavePoints::default(),
            snapshot_keep: 5,
            auto_aof_rewrite_percentage: 100,
            auto_aof_rewrite_min_size: 64 * 1024 * 1024,
            stop_writes_on_bgsave_error: true,
            repair: false,
            foreign: BTreeMap::new(),
            file: None,
        }
    }
}
