//! The names of redis_exporter, so that dashboards and alerts made for it work without it.
//!
//! That program makes its series of the fields of INFO, and so does this: what is not worked out from several fields is a
//! pair of two names.
//!
//! Source: redis_exporter 1.45, as Debian has it, compared series by series in the suite `metrics`.

use hashbrown::HashMap;

use super::commands::used;
use super::samples::{Samples, seconds};
use super::{COUNTER, GAUGE, Kind, Metric};
use crate::command::server::info;
use crate::command::server::source::Source;

/// Label of what is told by command.
const COMMAND: &[&str] = &["cmd"];

/// Label of what is told by database.
const DATABASE: &[&str] = &["db"];

/// The fields that the instance is described by, as its labels.
const INSTANCE: &[&str] = &[
    "maxmemory_policy",
    "os",
    "process_id",
    "redis_build_id",
    "redis_mode",
    "redis_version",
    "role",
    "run_id",
    "tcp_port",
];

/// Series that go up and down, each with the field of INFO that it shows.
pub(super) static GAUGES: &[(&str, &str)] = &[
    ("redis_active_defrag_running", "active_defrag_running"),
    ("redis_allocator_active_bytes", "allocator_active"),
    ("redis_allocator_allocated_bytes", "allocator_allocated"),
    ("redis_allocator_frag_bytes", "allocator_frag_bytes"),
    ("redis_allocator_frag_ratio", "allocator_frag_ratio"),
    ("redis_allocator_resident_bytes", "allocator_resident"),
    ("redis_allocator_rss_bytes", "allocator_rss_bytes"),
    ("redis_allocator_rss_ratio", "allocator_rss_ratio"),
    ("redis_aof_base_size_bytes", "aof_base_size"),
    ("redis_aof_buffer_length", "aof_buffer_length"),
    ("redis_aof_current_rewrite_duration_sec", "aof_current_rewrite_time_sec"),
    ("redis_aof_current_size_bytes", "aof_current_size"),
    ("redis_aof_delayed_fsync", "aof_delayed_fsync"),
    ("redis_aof_enabled", "aof_enabled"),
    ("redis_aof_last_bgrewrite_status", "aof_last_bgrewrite_status"),
    ("redis_aof_last_cow_size_bytes", "aof_last_cow_size"),
    ("redis_aof_last_rewrite_duration_sec", "aof_last_rewrite_time_sec"),
    ("redis_aof_last_write_status", "aof_last_write_status"),
    ("redis_aof_pending_bio_fsync", "aof_pending_bio_fsync"),
    ("redis_aof_pending_rewrite", "aof_pending_rewrite"),
    ("redis_aof_rewrite_in_progress", "aof_rewrite_in_progress"),
    ("redis_aof_rewrite_scheduled", "aof_rewrite_scheduled"),
    ("redis_blocked_clients", "blocked_clients"),
    ("redis_client_recent_max_input_buffer_bytes", "client_recent_max_input_buffer"),
    ("redis_client_recent_max_output_buffer_bytes", "client_recent_max_output_buffer"),
    ("redis_clients_in_timeout_table", "clients_in_timeout_table"),
    ("redis_cluster_connections", "cluster_connections"),
    ("redis_cluster_enabled", "cluster_enabled"),
    ("redis_config_maxclients", "maxclients"),
    ("redis_config_maxmemory", "maxmemory"),
    ("redis_connected_clients", "connected_clients"),
    ("redis_connected_slaves", "connected_slaves"),
    ("redis_defrag_hits", "active_defrag_hits"),
    ("redis_defrag_key_hits", "active_defrag_key_hits"),
    ("redis_defrag_key_misses", "active_defrag_key_misses"),
    ("redis_defrag_misses", "active_defrag_misses"),
    ("redis_expired_stale_percentage", "expired_stale_perc"),
    ("redis_expired_time_cap_reached_total", "expired_time_cap_reached_count"),
    ("redis_io_threads_active", "io_threads_active"),
    ("redis_lazyfree_pending_objects", "lazyfree_pending_objects"),
    ("redis_loading_dump_file", "loading"),
    ("redis_master_repl_offset", "master_repl_offset"),
    ("redis_mem_clients_normal", "mem_clients_normal"),
    ("redis_mem_clients_slaves", "mem_clients_slaves"),
    ("redis_mem_fragmentation_bytes", "mem_fragmentation_bytes"),
    ("redis_mem_fragmentation_ratio", "mem_fragmentation_ratio"),
    ("redis_mem_not_counted_for_eviction_bytes", "mem_not_counted_for_evict"),
    ("redis_memory_max_bytes", "maxmemory"),
    ("redis_memory_used_bytes", "used_memory"),
    ("redis_memory_used_dataset_bytes", "used_memory_dataset"),
    ("redis_memory_used_lua_bytes", "used_memory_lua"),
    ("redis_memory_used_overhead_bytes", "used_memory_overhead"),
    ("redis_memory_used_peak_bytes", "used_memory_peak"),
    ("redis_memory_used_rss_bytes", "used_memory_rss"),
    ("redis_memory_used_scripts_bytes", "used_memory_scripts"),
    ("redis_memory_used_startup_bytes", "used_memory_startup"),
    ("redis_migrate_cached_sockets_total", "migrate_cached_sockets"),
    ("redis_module_fork_in_progress", "module_fork_in_progress"),
    ("redis_module_fork_last_cow_size", "module_fork_last_cow_size"),
    ("redis_number_of_cached_scripts", "number_of_cached_scripts"),
    ("redis_process_id", "process_id"),
    ("redis_pubsub_channels", "pubsub_channels"),
    ("redis_pubsub_patterns", "pubsub_patterns"),
    ("redis_rdb_bgsave_in_progress", "rdb_bgsave_in_progress"),
    ("redis_rdb_changes_since_last_save", "rdb_changes_since_last_save"),
    ("redis_rdb_current_bgsave_duration_sec", "rdb_current_bgsave_time_sec"),
    ("redis_rdb_last_bgsave_duration_sec", "rdb_last_bgsave_time_sec"),
    ("redis_rdb_last_bgsave_status", "rdb_last_bgsave_status"),
    ("redis_rdb_last_cow_size_bytes", "rdb_last_cow_size"),
    ("redis_rdb_last_save_timestamp_seconds", "rdb_last_save_time"),
    ("redis_repl_backlog_first_byte_offset", "repl_backlog_first_byte_offset"),
    ("redis_repl_backlog_history_bytes", "repl_backlog_histlen"),
    ("redis_repl_backlog_is_active", "repl_backlog_active"),
    ("redis_replica_partial_resync_accepted", "sync_partial_ok"),
    ("redis_replica_partial_resync_denied", "sync_partial_err"),
    ("redis_replica_resyncs_full", "sync_full"),
    ("redis_replication_backlog_bytes", "repl_backlog_size"),
    ("redis_second_repl_offset", "second_repl_offset"),
    ("redis_slave_expires_tracked_keys", "slave_expires_tracked_keys"),
    ("redis_total_system_memory_bytes", "total_system_memory"),
    ("redis_tracking_clients", "tracking_clients"),
    ("redis_tracking_total_items", "tracking_total_items"),
    ("redis_tracking_total_keys", "tracking_total_keys"),
    ("redis_tracking_total_prefixes", "tracking_total_prefixes"),
    ("redis_uptime_in_seconds", "uptime_in_seconds"),
];

/// Series that only grow.
pub(super) static COUNTERS: &[(&str, &str)] = &[
    ("redis_commands_processed_total", "total_commands_processed"),
    ("redis_connections_received_total", "total_connections_received"),
    ("redis_cpu_sys_children_seconds_total", "used_cpu_sys_children"),
    ("redis_cpu_sys_main_thread_seconds_total", "used_cpu_sys_main_thread"),
    ("redis_cpu_sys_seconds_total", "used_cpu_sys"),
    ("redis_cpu_user_children_seconds_total", "used_cpu_user_children"),
    ("redis_cpu_user_main_thread_seconds_total", "used_cpu_user_main_thread"),
    ("redis_cpu_user_seconds_total", "used_cpu_user"),
    ("redis_dump_payload_sanitizations", "dump_payload_sanitizations"),
    ("redis_evicted_keys_total", "evicted_keys"),
    ("redis_expired_keys_total", "expired_keys"),
    ("redis_io_threaded_reads_processed", "io_threaded_reads_processed"),
    ("redis_io_threaded_writes_processed", "io_threaded_writes_processed"),
    ("redis_keyspace_hits_total", "keyspace_hits"),
    ("redis_keyspace_misses_total", "keyspace_misses"),
    ("redis_net_input_bytes_total", "total_net_input_bytes"),
    ("redis_net_output_bytes_total", "total_net_output_bytes"),
    ("redis_rejected_connections_total", "rejected_connections"),
    ("redis_total_error_replies", "total_error_replies"),
    ("redis_total_reads_processed", "total_reads_processed"),
    ("redis_total_writes_processed", "total_writes_processed"),
    ("redis_unexpected_error_replies", "unexpected_error_replies"),
];

/// Series that are worked out from several fields.
pub(super) static METRICS: &[Metric] = &[
    Metric { name: "redis_up", help: "Always 1: the server answers", write: |_, samples| samples.value(1), ..GAUGE },
    Metric {
        name: "redis_start_time_seconds",
        help: "When the server started, in seconds since 1970",
        write: |source, samples| samples.value(source.home().started_at_ms / 1_000),
        ..GAUGE
    },
    Metric {
        name: "redis_latest_fork_seconds",
        help: "Always 0: there is no fork",
        write: |_, samples| samples.value(0),
        ..GAUGE
    },
    Metric {
        name: "redis_commands_total",
        labels: COMMAND,
        help: "Calls of a command",
        write: |source, samples| {
            used(source).for_each(|(entry, command)| samples.sample(&[&entry.label()], command.calls));
        },
        ..COUNTER
    },
    Metric {
        name: "redis_commands_duration_seconds_total",
        labels: COMMAND,
        help: "How long the calls of a command took together",
        write: |source, samples| {
            used(source).for_each(|(entry, command)| samples.sample(&[&entry.label()], seconds(command.nanos)));
        },
        ..COUNTER
    },
    Metric {
        name: "redis_commands_rejected_calls_total",
        labels: COMMAND,
        help: "Calls of a command that were refused before it ran",
        write: |source, samples| {
            used(source).for_each(|(entry, command)| samples.sample(&[&entry.label()], command.rejected));
        },
        ..COUNTER
    },
    Metric {
        name: "redis_commands_failed_calls_total",
        labels: COMMAND,
        help: "Calls of a command that replied with an error",
        write: |source, samples| {
            used(source).for_each(|(entry, command)| samples.sample(&[&entry.label()], command.failed));
        },
        ..COUNTER
    },
    Metric {
        name: "redis_latency_percentiles_usec",
        kind: Kind::Summary,
        labels: &["cmd", "quantile"],
        help: "How many microseconds the calls of a command took",
        write: |source, samples| {
            for (entry, command) in used(source).filter(|(_, command)| command.calls > 0) {
                for (quantile, percent) in [("50", 50.0), ("99", 99.0), ("99.9", 99.9)] {
                    let micros = command.histogram.percentile(percent) / 1_000.0;
                    samples.sample(&[&entry.label(), &quantile], format_args!("{micros:.3}"));
                }
                samples.suffixed("_sum", &[&entry.label()], command.nanos / 1_000);
                samples.suffixed("_count", &[&entry.label()], command.calls);
            }
        },
        ..COUNTER
    },
    Metric {
        name: "redis_errors_total",
        labels: &["err"],
        help: "Error replies by their first word",
        write: |source, samples| {
            let mut errors: Vec<_> = source.total.errors.iter().collect();
            errors.sort_unstable();
            errors.into_iter().for_each(|(code, count)| samples.sample(&[&code], count));
        },
        ..COUNTER
    },
    Metric {
        name: "redis_db_keys",
        labels: DATABASE,
        help: "Entries of a database",
        write: |source, samples| {
            for (index, database) in source.total.databases.iter().enumerate() {
                samples.sample(&[&format_args!("db{index}")], database.keys);
            }
        },
        ..GAUGE
    },
    Metric {
        name: "redis_db_keys_expiring",
        labels: DATABASE,
        help: "Entries of a database that have a time to live",
        write: |source, samples| {
            for (index, database) in source.total.databases.iter().enumerate() {
                samples.sample(&[&format_args!("db{index}")], database.expiring);
            }
        },
        ..GAUGE
    },
    Metric {
        name: "redis_db_avg_ttl_seconds",
        labels: DATABASE,
        help: "The mean of the times to live in a database that is not empty",
        write: |source, samples| {
            let databases = source.total.databases.iter().enumerate();
            for (index, database) in databases.filter(|(_, database)| database.keys > 0) {
                let mean_ms = database.ttl_sum.checked_div(database.expiring).unwrap_or(0);
                samples.sample(&[&format_args!("db{index}")], mean_ms as f64 / 1_000.0);
            }
        },
        ..GAUGE
    },
    Metric {
        name: "redis_slowlog_length",
        help: "Entries of the slow log",
        write: |source, samples| samples.value(source.total.numbers.slow_log_entries),
        ..GAUGE
    },
    Metric {
        name: "redis_slowlog_last_id",
        help: "Number of the newest entry of the slow log, 0 without one",
        write: |source, samples| samples.value(source.total.last_slow.map_or(0, |last| last.id)),
        ..GAUGE
    },
    Metric {
        name: "redis_last_slow_execution_duration_seconds",
        help: "How long the newest entry of the slow log took, 0 without one",
        write: |source, samples| samples.value(source.total.last_slow.map_or(0.0, |last| seconds(last.nanos))),
        ..GAUGE
    },
];

/// Appends all of them.
pub(super) fn write(source: &Source, out: &mut Vec<u8>) {
    for metric in METRICS {
        Samples::begin(metric, out).fill(source, metric.write);
    }
    let text = info::text(source, &[b"everything"]);
    let fields: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once(':')).collect();
    for (rows, kind) in [(GAUGES, Kind::Gauge), (COUNTERS, Kind::Counter)] {
        for (name, field) in rows {
            // Some fields are there only while they mean something.
            if let Some(value) = fields.get(field) {
                let help = format!("The field {field} of INFO");
                Samples::with_head(name, kind, &[], &help, out).value(number(value));
            }
        }
    }
    instance(&fields, out);
}

/// What the server is, as labels.
fn instance(fields: &HashMap<&str, &str>, out: &mut Vec<u8>) {
    let values: Vec<&str> = INSTANCE.iter().map(|label| fields.get(label).copied().unwrap_or_default()).collect();
    let shown: Vec<&dyn std::fmt::Display> = values.iter().map(|value| value as _).collect();
    let help = "Always 1, with what the server is as labels";
    Samples::with_head("redis_instance_info", Kind::Gauge, INSTANCE, help, out).sample(&shown, 1);
}

/// A field as a number: words for well and ill are 1 and 0.
fn number(value: &str) -> &str {
    match value {
        "ok" => "1",
        "err" => "0",
        number => number,
    }
}
