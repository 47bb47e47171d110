//! The sections of INFO in the order they are shown, with the names of the fields as tools know them.
//!
//! A field that stands for something Locksley does not do has the value it has in a Redis that does not do it, so that
//! dashboards and exporters find what they look for.

use std::fmt::{Display, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use super::persistence::persistence;
use super::{Section, Shown};
use crate::command::server::process::{human, machine_memory_bytes, system_name};
use crate::command::server::report::PrefixReport;
use crate::command::server::source::Source;
use crate::command::table::table;
use crate::observe::quote::quote;
use crate::version::{LOCKSLEY_VERSION, REDIS_VERSION};

/// Every section.
pub(super) static SECTIONS: &[Section] = &[
    Section { name: "server", title: "Server", shown: Shown::ByDefault, write: server },
    Section { name: "clients", title: "Clients", shown: Shown::ByDefault, write: clients },
    Section { name: "memory", title: "Memory", shown: Shown::ByDefault, write: memory },
    Section { name: "persistence", title: "Persistence", shown: Shown::ByDefault, write: persistence },
    Section { name: "stats", title: "Stats", shown: Shown::ByDefault, write: stats },
    Section { name: "cache", title: "Cache", shown: Shown::ByDefault, write: cache },
    Section { name: "replication", title: "Replication", shown: Shown::ByDefault, write: replication },
    Section { name: "cpu", title: "CPU", shown: Shown::ByDefault, write: cpu },
    Section { name: "modules", title: "Modules", shown: Shown::ByDefault, write: |_, _| {} },
    Section { name: "commandstats", title: "Commandstats", shown: Shown::InAll, write: command_stats },
    Section { name: "errorstats", title: "Errorstats", shown: Shown::ByDefault, write: error_stats },
    Section { name: "latencystats", title: "Latencystats", shown: Shown::InAll, write: latency_stats },
    Section { name: "cluster", title: "Cluster", shown: Shown::ByDefault, write: cluster },
    Section { name: "shards", title: "Shards", shown: Shown::InAll, write: shards },
    Section { name: "keyspace", title: "Keyspace", shown: Shown::ByDefault, write: keyspace },
    Section { name: "keysizes", title: "Keysizes", shown: Shown::ByDefault, write: key_sizes },
];

/// Appends `name:value`.
pub(super) fn field(out: &mut String, name: &str, value: impl Display) {
    write!(out, "{name}:{value}\r\n").expect("a string takes all that is written");
}

/// Appends fields that do not change.
fn fixed(out: &mut String, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        field(out, name, value);
    }
}

/// Appends a size, and the same for people.
fn size(out: &mut String, name: &str, bytes: u64) {
    field(out, name, bytes);
    field(out, &format!("{name}_human"), human(bytes));
}

fn ratio(dividend: u64, divisor: u64) -> f64 {
    if divisor == 0 { 0.0 } else { dividend as f64 / divisor as f64 }
}

fn mode(source: &Source) -> &'static str {
    if source.home().is_node { "cluster" } else { "standalone" }
}

fn server(source: &Source, out: &mut String) {
    let home = source.home();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let executable = std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default();
    field(out, "redis_version", REDIS_VERSION);
    fixed(out, &[("redis_git_sha1", "00000000"), ("redis_git_dirty", "0"), ("redis_build_id", "0")]);
    field(out, "locksley_version", LOCKSLEY_VERSION);
    field(out, "locksley_shards", home.turns_ms.len());
    field(out, "locksley_silent_shards", source.silent.len());
    field(out, "redis_mode", mode(source));
    field(out, "os", system_name());
    field(out, "arch_bits", usize::BITS);
    fixed(out, &[("monotonic_clock", "X86 TSC"), ("multiplexing_api", "io_uring"), ("atomicvar_api", "rust-core")]);
    field(out, "gcc_version", "0.0.0");
    field(out, "process_id", std::process::id());
    field(out, "process_supervised", "no");
    field(out, "run_id", &home.run_id);
    field(out, "tcp_port", home.port);
    field(out, "memcached_port", home.memcached_port);
    field(out, "http_port", home.http_port);
    field(out, "server_time_usec", now.as_micros());
    field(out, "uptime_in_seconds", home.uptime_ms / 1_000);
    field(out, "uptime_in_days", home.uptime_ms / 86_400_000);
    fixed(out, &[("hz", "10"), ("configured_hz", "10")]);
    field(out, "lru_clock", now.as_secs() & 0x00FF_FFFF);
    field(out, "executable", executable);
    field(out, "config_file", &home.config_file);
    fixed(out, &[("io_threads_active", "0")]);
    listeners(source, out);
}

/// The ports that clients connect to, in Redis 7.2's words.
fn listeners(source: &Source, out: &mut String) {
    let home = source.home();
    let binds: String = home.bind.split(' ').flat_map(|address| ["bind=", address, ","]).collect();
    let ports = [("tcp", home.port), ("memcached", home.memcached_port), ("http", home.http_port)];
    for (index, (name, port)) in ports.into_iter().filter(|(_, port)| *port > 0).enumerate() {
        field(out, &format!("listener{index}"), format_args!("name={name},{binds}port={port}"));
    }
}

fn clients(source: &Source, out: &mut String) {
    let home = source.home();
    field(out, "connected_clients", source.total.numbers.clients());
    field(out, "cluster_connections", 0);
    field(out, "maxclients", home.maxclients);
    field(out, "client_recent_max_input_buffer", home.input_bytes_max);
    field(out, "client_recent_max_output_buffer", home.output_bytes_max);
    field(out, "blocked_clients", source.total.numbers.waiters);
    fixed(
        out,
        &[
            ("tracking_clients", "0"),
            ("clients_in_timeout_table", "0"),
            ("total_blocking_keys", "0"),
            ("total_blocking_keys_on_nokey", "0"),
        ],
    );
}

fn memory(source: &Source, out: &mut String) {
    let (numbers, home) = (&source.total.numbers, source.home());
    let (used, resident) = (numbers.memory_used, source.usage.resident_bytes);
    let overhead = used.saturating_sub(numbers.memory_payload);
    size(out, "used_memory", used);
    size(out, "used_memory_rss", resident);
    size(out, "used_memory_peak", numbers.memory_peak);
    field(out, "used_memory_peak_perc", format_args!("{:.2}%", ratio(used, numbers.memory_peak) * 100.0));
    field(out, "used_memory_overhead", overhead);
    field(out, "used_memory_startup", 0);
    field(out, "used_memory_dataset", numbers.memory_payload);
    field(out, "used_memory_dataset_perc", format_args!("{:.2}%", ratio(numbers.memory_payload, used) * 100.0));
    field(out, "allocator_allocated", numbers.memory_cells);
    field(out, "allocator_active", numbers.memory_slab);
    field(out, "allocator_resident", numbers.memory_slab);
    size(out, "total_system_memory", machine_memory_bytes());
    fixed(
        out,
        &[
            ("used_memory_lua", "0"),
            ("used_memory_vm_eval", "0"),
            ("used_memory_lua_human", "0B"),
            ("used_memory_scripts_eval", "0"),
            ("number_of_cached_scripts", "0"),
            ("number_of_functions", "0"),
            ("number_of_libraries", "0"),
            ("used_memory_vm_functions", "0"),
            ("used_memory_vm_total", "0"),
            ("used_memory_vm_total_human", "0B"),
            ("used_memory_functions", "0"),
            ("used_memory_scripts", "0"),
            ("used_memory_scripts_human", "0B"),
        ],
    );
    size(out, "maxmemory", home.maxmemory);
    field(out, "maxmemory_policy", &home.policy);
    field(out, "allocator_frag_ratio", format_args!("{:.2}", ratio(numbers.memory_slab, numbers.memory_cells)));
    field(out, "allocator_frag_bytes", numbers.memory_free());
    fixed(out, &[("allocator_rss_ratio", "1.00"), ("allocator_rss_bytes", "0")]);
    field(out, "rss_overhead_ratio", format_args!("{:.2}", ratio(resident, numbers.memory_slab)));
    field(out, "rss_overhead_bytes", resident as i64 - numbers.memory_slab as i64);
    field(out, "mem_fragmentation_ratio", format_args!("{:.2}", ratio(resident, used)));
    field(out, "mem_fragmentation_bytes", resident as i64 - used as i64);
    fixed(
        out,
        &[
            ("mem_not_counted_for_evict", "0"),
            ("mem_replication_backlog", "0"),
            ("mem_total_replication_buffers", "0"),
            ("mem_clients_slaves", "0"),
        ],
    );
    field(out, "mem_clients_normal", numbers.client_bytes);
    fixed(out, &[("mem_cluster_links", "0"), ("mem_aof_buffer", "0"), ("mem_allocator", "locksley-slab")]);
    field(out, "locksley_payload_bytes", numbers.memory_payload);
    field(out, "locksley_cell_bytes", numbers.memory_cells);
    field(out, "locksley_slab_bytes", numbers.memory_slab);
    field(out, "locksley_table_bytes", numbers.memory_tables);
    field(out, "locksley_bookkeeping_bytes", numbers.memory_bookkeeping);
    fixed(out, &[("active_defrag_running", "0"), ("lazyfree_pending_objects", "0"), ("lazyfreed_objects", "0")]);
}

fn stats(source: &Source, out: &mut String) {
    let numbers = &source.total.numbers;
    let kilobytes = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
    field(out, "total_connections_received", numbers.connections);
    field(out, "total_commands_processed", numbers.calls);
    field(out, "instantaneous_ops_per_sec", numbers.calls_per_kilosecond / 1_000);
    field(out, "total_net_input_bytes", numbers.received_bytes);
    field(out, "total_net_output_bytes", numbers.sent_bytes);
    fixed(out, &[("total_net_repl_input_bytes", "0"), ("total_net_repl_output_bytes", "0")]);
    field(out, "instantaneous_input_kbps", kilobytes(numbers.received_per_second));
    field(out, "instantaneous_output_kbps", kilobytes(numbers.sent_per_second));
    fixed(out, &[("instantaneous_input_repl_kbps", "0.00"), ("instantaneous_output_repl_kbps", "0.00")]);
    field(out, "rejected_connections", numbers.rejected_connections);
    fixed(out, &[("sync_full", "0"), ("sync_partial_ok", "0"), ("sync_partial_err", "0")]);
    field(out, "expired_keys", numbers.expired);
    fixed(
        out,
        &[
            ("expired_stale_perc", "0.00"),
            ("expired_time_cap_reached_count", "0"),
            ("expire_cycle_cpu_milliseconds", "0"),
        ],
    );
    field(out, "evicted_keys", numbers.evicted);
    fixed(
        out,
        &[("evicted_clients", "0"), ("total_eviction_exceeded_time", "0"), ("current_eviction_exceeded_time", "0")],
    );
    field(out, "keyspace_hits", numbers.hits);
    field(out, "keyspace_misses", numbers.misses);
    fixed(
        out,
        &[
            ("pubsub_channels", "0"),
            ("pubsub_patterns", "0"),
            ("pubsubshard_channels", "0"),
            ("latest_fork_usec", "0"),
            ("total_forks", "0"),
            ("migrate_cached_sockets", "0"),
            ("slave_expires_tracked_keys", "0"),
            ("active_defrag_hits", "0"),
            ("active_defrag_misses", "0"),
            ("active_defrag_key_hits", "0"),
            ("active_defrag_key_misses", "0"),
            ("total_active_defrag_time", "0"),
            ("current_active_defrag_time", "0"),
            ("tracking_total_keys", "0"),
            ("tracking_total_items", "0"),
            ("tracking_total_prefixes", "0"),
            ("unexpected_error_replies", "0"),
        ],
    );
    field(out, "total_error_replies", source.total.errors.total());
    field(out, "dump_payload_sanitizations", 0);
    field(out, "total_reads_processed", numbers.requests);
    field(out, "total_writes_processed", numbers.requests);
    fixed(
        out,
        &[
            ("io_threaded_reads_processed", "0"),
            ("io_threaded_writes_processed", "0"),
            ("reply_buffer_shrinks", "0"),
            ("reply_buffer_expands", "0"),
        ],
    );
    field(out, "log_lines_suppressed", source.missing_lines.suppressed);
    field(out, "log_lines_lost", source.missing_lines.lost);
    field(out, "client_query_buffer_limit_disconnections", numbers.query_limit_disconnections);
    field(out, "client_output_buffer_limit_disconnections", numbers.output_limit_disconnections);
    fixed(
        out,
        &[
            ("acl_access_denied_auth", "0"),
            ("acl_access_denied_cmd", "0"),
            ("acl_access_denied_key", "0"),
            ("acl_access_denied_channel", "0"),
        ],
    );
}

fn cache(source: &Source, out: &mut String) {
    let numbers = &source.total.numbers;
    field(out, "negative_hits", numbers.negative_hits);
    field(out, "leases", numbers.leases);
    field(out, "lease_wins", numbers.lease_wins);
    field(out, "lease_refreshes", numbers.lease_refreshes);
    field(out, "lease_waits", numbers.lease_waits);
    field(out, "lease_stale", numbers.lease_stale);
    field(out, "lease_refused", numbers.lease_refused);
    field(out, "waiters", numbers.waiters);
    field(out, "lock_grants", numbers.lock_grants);
    field(out, "lock_waits", numbers.lock_waits);
    field(out, "lock_refused", numbers.lock_refused);
    field(out, "throttled", numbers.throttled);
    field(out, "pending_prefixes", source.total.prefixes.len());
    for (index, PrefixReport { db, prefix }) in source.total.prefixes.iter().enumerate() {
        let mut text = Vec::new();
        quote(prefix, &mut text);
        let text = String::from_utf8(text).expect("what is not printable is escaped");
        field(out, &format!("prefix{index}"), format_args!("db={db},prefix={text}"));
    }
}

fn replication(source: &Source, out: &mut String) {
    fixed(out, &[("role", "master"), ("connected_slaves", "0"), ("master_failover_state", "no-failover")]);
    field(out, "master_replid", &source.home().run_id);
    field(out, "master_replid2", "0".repeat(40));
    fixed(
        out,
        &[
            ("master_repl_offset", "0"),
            ("second_repl_offset", "-1"),
            ("repl_backlog_active", "0"),
            ("repl_backlog_size", "0"),
            ("repl_backlog_first_byte_offset", "0"),
            ("repl_backlog_histlen", "0"),
        ],
    );
}

fn cpu(source: &Source, out: &mut String) {
    field(out, "used_cpu_sys", format_args!("{:.6}", source.usage.system_seconds));
    field(out, "used_cpu_user", format_args!("{:.6}", source.usage.user_seconds));
    fixed(out, &[("used_cpu_sys_children", "0.000000"), ("used_cpu_user_children", "0.000000")]);
    // No thread is the main one: what counts is what all of them used.
    field(out, "used_cpu_sys_main_thread", format_args!("{:.6}", source.usage.system_seconds));
    field(out, "used_cpu_user_main_thread", format_args!("{:.6}", source.usage.user_seconds));
}

fn command_stats(source: &Source, out: &mut String) {
    for (entry, command) in table().entries().iter().zip(&source.total.commands) {
        if command.calls + command.rejected + command.failed == 0 {
            continue;
        }
        let micros = command.nanos / 1_000;
        let micros_per_call = ratio(command.nanos, command.calls) / 1_000.0;
        let (calls, rejected, failed) = (command.calls, command.rejected, command.failed);
        field(
            out,
            &format!("cmdstat_{}", entry.full_name()),
            format_args!(
                "calls={calls},usec={micros},usec_per_call={micros_per_call:.2},rejected_calls={rejected},\
                 failed_calls={failed}"
            ),
        );
    }
}

fn error_stats(source: &Source, out: &mut String) {
    let mut errors: Vec<_> = source.total.errors.iter().collect();
    errors.sort_unstable();
    for (code, count) in errors {
        field(out, &format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

fn latency_stats(source: &Source, out: &mut String) {
    for (entry, command) in table().entries().iter().zip(&source.total.commands) {
        if command.calls == 0 {
            continue;
        }
        let micros = |percent: f64| command.histogram.percentile(percent) / 1_000.0;
        field(
            out,
            &format!("latency_percentiles_usec_{}", entry.full_name()),
            format_args!("p50={:.3},p99={:.3},p99.9={:.3}", micros(50.0), micros(99.0), micros(99.9)),
        );
    }
}

fn cluster(source: &Source, out: &mut String) {
    field(out, "cluster_enabled", u8::from(source.home().is_node));
}

fn shards(source: &Source, out: &mut String) {
    for report in &source.shards {
        let numbers = &report.numbers;
        field(
            out,
            &format!("shard{}", report.shard),
            format_args!(
                "keys={},expires={},used_memory={},clients={},calls={},ops_per_sec={},hits={},misses={},evicted={},\
                 expired={},busy_usec={},longest_turn_usec={},hops_sent={},hops_answered={},hot_keys={},silent={}",
                numbers.keys,
                numbers.expiring,
                numbers.memory_used,
                numbers.clients(),
                numbers.calls,
                numbers.calls_per_kilosecond / 1_000,
                numbers.hits,
                numbers.misses,
                numbers.evicted,
                numbers.expired,
                numbers.busy_nanos / 1_000,
                numbers.recent_turn_nanos_max / 1_000,
                numbers.hops_sent,
                numbers.hops_answered,
                numbers.hot_keys,
                u8::from(source.silent.iter().any(|shard| u64::from(*shard) == report.shard)),
            ),
        );
    }
}

fn keyspace(source: &Source, out: &mut String) {
    for (index, database) in source.total.databases.iter().enumerate().filter(|(_, database)| database.keys > 0) {
        let ttl_mean = database.ttl_sum.checked_div(database.expiring).unwrap_or(0);
        field(
            out,
            &format!("db{index}"),
            format_args!("keys={},expires={},avg_ttl={ttl_mean}", database.keys, database.expiring),
        );
    }
}

/// How many strings there are of which length, in Redis 8's words: by powers of two, each named by the least length that it
/// counts.
fn key_sizes(source: &Source, out: &mut String) {
    for (index, database) in source.total.databases.iter().enumerate() {
        let bins = database.string_sizes.iter().enumerate().filter(|(_, count)| **count > 0);
        let bins: Vec<String> = bins.map(|(bin, count)| format!("{}={count}", least_length(bin))).collect();
        if !bins.is_empty() {
            field(out, &format!("db{index}_distrib_strings_sizes"), bins.join(","));
        }
    }
}

/// The least length of a bin: 0, 1, 2, 4, ... 512, 1K, 2K, ...
fn least_length(bin: usize) -> String {
    let length = if bin == 0 { 0 } else { 1_u64 << (bin - 1) };
    match length {
        0..0x400 => length.to_string(),
        0x400..0x10_0000 => format!("{}K", length >> 10),
        _ => format!("{}M", length >> 20),
    }
}
