//! Redis's settings that mean nothing here, or nothing yet: they are accepted, kept and shown by CONFIG GET, so that
//! a configuration written for Redis starts this server, with one warning line that names them.
//!
//! A few are refused instead, because a server that ignored them would be less safe than its owner believes.
//!
//! Source: `CONFIG GET *` of Redis 7.0 and the comments of its configuration file.

use super::Config;

/// Settings that are accepted and do nothing.
static IGNORED: &[&str] = &[
    "acl-pubsub-default",
    "acllog-max-len",
    "active-defrag-cycle-max",
    "active-defrag-cycle-min",
    "active-defrag-ignore-bytes",
    "active-defrag-max-scan-fields",
    "active-defrag-threshold-lower",
    "active-defrag-threshold-upper",
    "active-expire-effort",
    "activedefrag",
    "activerehashing",
    "always-show-logo",
    "aof-disable-auto-gc",
    "aof-load-truncated",
    "aof-rewrite-incremental-fsync",
    "aof-timestamp-enabled",
    "aof-use-rdb-preamble",
    "aof_rewrite_cpulist",
    "appenddirname",
    "appendfilename",
    "bgsave_cpulist",
    "bind-source-addr",
    "bio_cpulist",
    "busy-reply-threshold",
    "cluster-allow-pubsubshard-when-down",
    "cluster-allow-reads-when-down",
    "cluster-allow-replica-migration",
    "cluster-announce-bus-port",
    "cluster-announce-hostname",
    "cluster-announce-ip",
    "cluster-announce-port",
    "cluster-announce-tls-port",
    "cluster-config-file",
    "cluster-enabled",
    "cluster-link-sendbuf-limit",
    "cluster-migration-barrier",
    "cluster-node-timeout",
    "cluster-port",
    "cluster-preferred-endpoint-type",
    "cluster-replica-no-failover",
    "cluster-replica-validity-factor",
    "cluster-require-full-coverage",
    "cluster-slave-no-failover",
    "cluster-slave-validity-factor",
    "crash-log-enabled",
    "crash-memcheck-enabled",
    "daemonize",
    "dbfilename",
    "disable-thp",
    "dynamic-hz",
    "enable-module-command",
    "enable-protected-configs",
    "hash-max-listpack-entries",
    "hash-max-listpack-value",
    "hash-max-ziplist-entries",
    "hash-max-ziplist-value",
    "hll-sparse-max-bytes",
    "hz",
    "ignore-warnings",
    "io-threads",
    "io-threads-do-reads",
    "jemalloc-bg-thread",
    "latency-tracking",
    "latency-tracking-info-percentiles",
    "lazyfree-lazy-eviction",
    "lazyfree-lazy-expire",
    "lazyfree-lazy-server-del",
    "lazyfree-lazy-user-del",
    "lazyfree-lazy-user-flush",
    "list-compress-depth",
    "list-max-listpack-size",
    "list-max-ziplist-size",
    "lua-time-limit",
    "masterauth",
    "masteruser",
    "maxmemory-clients",
    "maxmemory-eviction-tenacity",
    "min-replicas-max-lag",
    "min-replicas-to-write",
    "min-slaves-max-lag",
    "min-slaves-to-write",
    "no-appendfsync-on-rewrite",
    "notify-keyspace-events",
    "oom-score-adj",
    "oom-score-adj-values",
    "pidfile",
    "proc-title-template",
    "propagation-error-behavior",
    "rdb-del-sync-files",
    "rdb-save-incremental-fsync",
    "rdbchecksum",
    "rdbcompression",
    "repl-backlog-size",
    "repl-backlog-ttl",
    "repl-disable-tcp-nodelay",
    "repl-diskless-load",
    "repl-diskless-sync",
    "repl-diskless-sync-delay",
    "repl-diskless-sync-max-replicas",
    "repl-ping-replica-period",
    "repl-ping-slave-period",
    "repl-timeout",
    "replica-announce-ip",
    "replica-announce-port",
    "replica-announced",
    "replica-ignore-disk-write-errors",
    "replica-ignore-maxmemory",
    "replica-lazy-flush",
    "replica-priority",
    "replica-read-only",
    "replica-serve-stale-data",
    "replicaof",
    "sanitize-dump-payload",
    "save",
    "server_cpulist",
    "set-max-intset-entries",
    "set-proc-title",
    "shutdown-on-sigint",
    "shutdown-on-sigterm",
    "shutdown-timeout",
    "slave-announce-ip",
    "slave-announce-port",
    "slave-ignore-maxmemory",
    "slave-lazy-flush",
    "slave-priority",
    "slave-read-only",
    "slave-serve-stale-data",
    "slaveof",
    "socket-mark-id",
    "stream-node-max-bytes",
    "stream-node-max-entries",
    "supervised",
    "syslog-enabled",
    "syslog-facility",
    "syslog-ident",
    "tls-auth-clients",
    "tls-ca-cert-dir",
    "tls-ca-cert-file",
    "tls-cert-file",
    "tls-ciphers",
    "tls-ciphersuites",
    "tls-client-cert-file",
    "tls-client-key-file",
    "tls-client-key-file-pass",
    "tls-cluster",
    "tls-dh-params-file",
    "tls-key-file",
    "tls-key-file-pass",
    "tls-prefer-server-ciphers",
    "tls-protocols",
    "tls-replication",
    "tls-session-cache-size",
    "tls-session-cache-timeout",
    "tls-session-caching",
    "tracking-table-max-keys",
    "unixsocket",
    "unixsocketperm",
    "zset-max-listpack-entries",
    "zset-max-listpack-value",
    "zset-max-ziplist-entries",
    "zset-max-ziplist-value",
];

/// Settings that are refused unless they are off: the value that means off, and why.
static REFUSED: &[(&str, &str, &str)] = &[
    ("aclfile", "", "access control lists are not supported"),
    ("loadmodule", "", "modules are not supported"),
    ("rename-command", "", "commands cannot be renamed or disabled"),
    ("tls-port", "0", "TLS is not supported; terminate it in front of the server"),
    ("user", "", "access control lists are not supported; use requirepass"),
];

/// What tools ask for and expect an answer to, though nobody set it.
static SHOWN: &[(&str, &str)] = &[("save", "")];

/// What a foreign setting is to this server.
pub(crate) enum Foreign {
    /// Accepted without effect; the name as this table has it.
    Ignored(&'static str),
    /// Refused, with the reason.
    Refused(&'static str),
}

/// What the foreign setting `name` with the value `value` is to this server; `None` when Redis does not have it either.
pub(crate) fn find(name: &str, value: &str) -> Option<Foreign> {
    if let Some((_, off, reason)) = REFUSED.iter().find(|(refused, ..)| refused.eq_ignore_ascii_case(name)) {
        return Some(if value == *off { Foreign::Ignored("") } else { Foreign::Refused(reason) });
    }
    IGNORED.iter().find(|ignored| ignored.eq_ignore_ascii_case(name)).map(|ignored| Foreign::Ignored(ignored))
}

/// The foreign settings that CONFIG GET shows: those that were given, and those that tools insist on.
pub(crate) fn shown(config: &Config) -> impl Iterator<Item = (&'static str, String)> + '_ {
    let given = config.foreign.iter().map(|(name, value)| (*name, value.clone()));
    let expected = SHOWN.iter().filter(|(name, _)| !config.foreign.contains_key(name));
    given.chain(expected.map(|(name, value)| (*name, (*value).to_owned())))
}

/// The names of all settings that are accepted and do nothing.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    IGNORED.iter().copied()
}
