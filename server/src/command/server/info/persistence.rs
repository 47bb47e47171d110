//! The section on durability.
//!
//! Redis's names, and `wal_*` for what Redis has not. A snapshot is what Redis calls a background save, and as it takes
//! the place of the log behind it, it is an AOF rewrite too.

use std::fmt::Display;

use super::sections::field;
use crate::command::server::report::Durability;
use crate::command::server::source::Source;

pub(super) fn persistence(source: &Source, out: &mut String) {
    let durability = &source.home().durability;
    field(out, "loading", u8::from(durability.is_loading));
    field(out, "async_loading", 0);
    snapshots(durability, out);
    log(durability, out);
    if durability.is_loading {
        loading(durability, out);
    }
    wal(durability, out);
    field(out, "wal_stalls", source.total.numbers.log_stalls);
    field(out, "wal_unlogged_removals", source.total.numbers.unlogged_removals);
}

fn word(is_good: bool) -> &'static str {
    if is_good { "ok" } else { "err" }
}

/// Whole seconds of a time in milliseconds that may not be known: -1 then, as in Redis.
fn seconds(ms: Option<u64>) -> i64 {
    ms.map_or(-1, |ms| (ms / 1_000) as i64)
}

fn snapshots(durability: &Durability, out: &mut String) {
    let status = &durability.status;
    // There is no fork, and so no copy.
    for name in ["current_cow_peak", "current_cow_size", "current_cow_size_age"] {
        field(out, name, 0);
    }
    field(out, "current_fork_perc", "0.00");
    field(out, "current_save_keys_processed", 0);
    field(out, "current_save_keys_total", 0);
    field(out, "rdb_changes_since_last_save", durability.change_count);
    field(out, "rdb_bgsave_in_progress", u8::from(status.snapshot_began_at.is_some()));
    field(out, "rdb_last_save_time", status.last_snapshot_at.0 / 1_000);
    field(out, "rdb_last_bgsave_status", word(status.is_last_snapshot_good));
    field(out, "rdb_last_bgsave_time_sec", seconds(status.last_snapshot_ms));
    field(out, "rdb_current_bgsave_time_sec", seconds(durability.snapshot_running_ms()));
    field(out, "rdb_saves", status.snapshot_count);
    field(out, "rdb_last_cow_size", 0);
    field(out, "rdb_last_load_keys_expired", 0);
    field(out, "rdb_last_load_keys_loaded", status.loaded_items);
}

fn log(durability: &Durability, out: &mut String) {
    let (status, is_on) = (&durability.status, durability.is_logging);
    field(out, "aof_enabled", u8::from(is_on));
    field(out, "aof_rewrite_in_progress", u8::from(is_on && status.snapshot_began_at.is_some()));
    field(out, "aof_rewrite_scheduled", 0);
    field(out, "aof_last_rewrite_time_sec", seconds(status.last_snapshot_ms.filter(|_| is_on)));
    field(out, "aof_current_rewrite_time_sec", seconds(durability.snapshot_running_ms().filter(|_| is_on)));
    field(out, "aof_last_bgrewrite_status", word(status.is_last_snapshot_good));
    field(out, "aof_rewrites", if is_on { status.snapshot_count } else { 0 });
    field(out, "aof_rewrites_consecutive_failures", u8::from(is_on && !status.is_last_snapshot_good));
    field(out, "aof_last_write_status", word(status.write_failure.is_empty()));
    field(out, "aof_last_cow_size", 0);
    field(out, "module_fork_in_progress", 0);
    field(out, "module_fork_last_cow_size", 0);
    if is_on {
        let behind_snapshot = durability.all_logs().bytes.saturating_sub(status.log_bytes_at_snapshot);
        field(out, "aof_current_size", status.last_snapshot_bytes + behind_snapshot);
        field(out, "aof_base_size", status.last_snapshot_bytes);
        for name in ["aof_pending_rewrite", "aof_buffer_length", "aof_pending_bio_fsync", "aof_delayed_fsync"] {
            field(out, name, 0);
        }
    }
}

fn loading(durability: &Durability, out: &mut String) {
    let (logs, share) = (durability.all_logs(), durability.load_share());
    let began_at = durability.status.load_began_at;
    let elapsed_seconds = durability.at.0.saturating_sub(began_at.0) as f64 / 1_000.0;
    // A second stands for not knowing, as in Redis.
    let eta_seconds = if share > 0.0 { (elapsed_seconds * (1.0 - share) / share).ceil() } else { 1.0 };
    field(out, "loading_start_time", began_at.0 / 1_000);
    field(out, "loading_total_bytes", logs.load_total_bytes);
    field(out, "loading_rdb_used_mem", 0);
    field(out, "loading_loaded_bytes", logs.loaded_bytes);
    field(out, "loading_loaded_perc", format_args!("{:.2}", share * 100.0));
    field(out, "loading_eta_seconds", eta_seconds as u64);
}

fn wal(durability: &Durability, out: &mut String) {
    let (status, all) = (&durability.status, durability.all_logs());
    field(out, "wal_segment_bytes", durability.segment_bytes);
    field(out, "wal_appended_bytes", all.bytes);
    for (index, log) in durability.logs.iter().enumerate() {
        let numbers = format_args!("appended={},durable={},bytes={}", log.appended, log.durable, log.bytes);
        field(out, &format!("wal_shard{index}"), numbers);
    }
    let fields: [(&str, &dyn Display); 8] = [
        ("wal_syncs", &all.syncs),
        ("wal_sync_usec_mean", &all.sync_micros.checked_div(all.syncs).unwrap_or(0)),
        ("wal_sync_usec_max", &all.sync_micros_max),
        ("wal_write_failure", &one_line(&status.write_failure)),
        ("wal_last_snapshot_error", &one_line(&status.last_snapshot_error)),
        ("wal_last_load_ms", &status.load_ms),
        ("wal_last_load_records", &status.loaded_records),
        ("wal_last_load_cut_bytes", &status.cut_bytes),
    ];
    for (name, value) in fields {
        field(out, name, value);
    }
}

fn one_line(sentence: &str) -> String {
    sentence.replace(['\r', '\n'], " ")
}
