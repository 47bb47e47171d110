//! The settings in force: one plain struct, read by everybody, changed only as a whole.

use std::path::PathBuf;

use locksley_engine::Policy;

/// Every setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// Addresses to listen on.
    pub bind: Vec<String>,
    /// Port of the RESP listener; 0 means none.
    pub port: u16,
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
    /// Whether clients from other hosts are refused while there is no password and no explicit `bind`.
    pub protected_mode: bool,
    /// Longest argument of a request, in bytes.
    pub proto_max_bulk_len: u64,
    /// Most unparsed bytes of one client.
    pub client_query_buffer_limit: u64,
    /// Most unsent bytes of one client; 0 means no limit.
    pub client_output_buffer_limit: u64,
    /// Commands slower than this many microseconds are kept in the slow log; negative: none.
    pub slowlog_log_slower_than: i64,
    /// Most entries of the slow log.
    pub slowlog_max_len: u32,
    /// Whether DEBUG is allowed: `no`, `yes` or `local`.
    pub enable_debug_command: DebugAccess,
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

impl Default for Config {
    fn default() -> Config {
        Config {
            bind: vec!["127.0.0.1".to_owned(), "-::1".to_owned()],
            port: 6379,
            shards: 0,
            cluster_announce_shards: false,
            shard_port: 0,
            busy_poll_us: 0,
            dir: PathBuf::from("locksley-data"),
            databases: 16,
            maxmemory: 0,
            maxmemory_policy: Policy::default(),
            maxmemory_samples: 5,
            lfu_log_factor: 10,
            lfu_decay_time: 1,
            maxclients: 10_000,
            timeout: 0,
            tcp_keepalive: 300,
            tcp_backlog: 511,
            requirepass: String::new(),
            protected_mode: true,
            proto_max_bulk_len: 512 * 1024 * 1024,
            client_query_buffer_limit: 1024 * 1024 * 1024,
            client_output_buffer_limit: 0,
            slowlog_log_slower_than: 10_000,
            slowlog_max_len: 128,
            enable_debug_command: DebugAccess::No,
        }
    }
}
