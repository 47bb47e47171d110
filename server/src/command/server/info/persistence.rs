//! The section on durability, written by the client's own thread from what all threads share.
//!
//! Redis's names, and `wal_*` for what Redis has not. A snapshot is what Redis calls a background save, and as it takes
//! the place of the log behind it, it is an AOF rewrite too.

use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use locksley_engine::Millis;

use crate::persist::{ShardFace, Status};
use crate::thread::Thread;

/// The lines of the section, without those that only the shards know.
pub(in crate::command::server) fn describe(thread: &Thread) -> String {
    let persist = &thread.shared.persist;
    let (status, shards, now) = (persist.status(), persist.shards(), thread.now);
    let mut out = String::new();
    let is_loading = persist.is_loading();
    field(&mut out, "loading", u8::from(is_loading));
    field(&mut out, "async_loading", 0);
    describe_snapshots(&status, persist.changes_since_snapshot(), now, &mut out);
    describe_log(&status, thread.config.appendonly, shards, now, &mut out);
    if is_loading {
        describe_loading(&status, shards, now, &mut out);
    }
    describe_wal(&status, thread.config.wal_segment_size, shards, &mut out);
    out
}

/// Appends `name:value`.
fn field(out: &mut String, name: &str, value: impl Display) {
    write!(out, "{name}:{value}\r\n").expect("a string takes all that is written");
}

fn word(is_good: bool) -> &'static str {
    if is_good { "ok" } else { "err" }
}

/// Whole seconds of a time in milliseconds that may not be known: -1 then, as in Redis.
fn seconds(ms: Option<u64>) -> i64 {
    ms.map_or(-1, |ms| (ms / 1_000) as i64)
}

fn sum(shards: &[ShardFace], number: fn(&ShardFace) -> &AtomicU64) -> u64 {
    shards.iter().map(|shard| number(shard).load(Ordering::Relaxed)).sum()
}

fn running_ms(status: &Status, now: Millis) -> Option<u64> {
    status.snapshot_began_at.map(|at| now.0.saturating_sub(at.0))
}

fn describe_snapshots(status: &Status, change_count: u64, now: Millis, out: &mut String) {
    // There is no fork, and so no copy.
    for name in ["current_cow_peak", "current_cow_size", "current_cow_size_age"] {
        field(out, name, 0);
    }
    field(out, "current_fork_perc", "0.00");
    field(out, "current_save_keys_processed", 0);
    field(out, "current_save_keys_total", 0);
    field(out, "rdb_changes_since_last_save", change_count);
    field(out, "rdb_bgsave_in_progress", u8::from(status.snapshot_began_at.is_some()));
    field(out, "rdb_last_save_time", status.last_snapshot_at.0 / 1_000);
    field(out, "rdb_last_bgsave_status", word(status.is_last_snapshot_good));
    field(out, "rdb_last_bgsave_time_sec", seconds(status.last_snapshot_ms));
    field(out, "rdb_current_bgsave_time_sec", seconds(running_ms(status, now)));
    field(out, "rdb_saves", status.snapshot_count);
    field(out, "rdb_last_cow_size", 0);
    field(out, "rdb_last_load_keys_expired", 0);
    field(out, "rdb_last_load_keys_loaded", status.loaded_items);
}

fn describe_log(status: &Status, is_on: bool, shards: &[ShardFace], now: Millis, out: &mut String) {
    field(out, "aof_enabled", u8::from(is_on));
    field(out, "aof_rewrite_in_progress", u8::from(is_on && status.snapshot_began_at.is_some()));
    field(out, "aof_rewrite_scheduled", 0);
    field(out, "aof_last_rewrite_time_sec", seconds(status.last_snapshot_ms.filter(|_| is_on)));
    field(out, "aof_current_rewrite_time_sec", seconds(running_ms(status, now).filter(|_| is_on)));
    field(out, "aof_last_bgrewrite_status", word(status.is_last_snapshot_good));
    field(out, "aof_rewrites", if is_on { status.snapshot_count } else { 0 });
    field(out, "aof_rewrites_consecutive_failures", u8::from(is_on && !status.is_last_snapshot_good));
    field(out, "aof_last_write_status", word(status.write_failure.is_empty()));
    field(out, "aof_last_cow_size", 0);
    field(out, "module_fork_in_progress", 0);
    field(out, "module_fork_last_cow_size", 0);
    if is_on {
        let behind_snapshot = sum(shards, |shard| &shard.log_bytes).saturating_sub(status.log_bytes_at_snapshot);
        field(out, "aof_current_size", status.last_snapshot_bytes + behind_snapshot);
        field(out, "aof_base_size", status.last_snapshot_bytes);
        for name in ["aof_pending_rewrite", "aof_buffer_length", "aof_pending_bio_fsync", "aof_delayed_fsync"] {
            field(out, name, 0);
        }
    }
}

fn describe_loading(status: &Status, shards: &[ShardFace], now: Millis, out: &mut String) {
    let (total, loaded) = (sum(shards, |shard| &shard.load_total_bytes), sum(shards, |shard| &shard.loaded_bytes));
    let elapsed_seconds = now.0.saturating_sub(status.load_began_at.0) as f64 / 1_000.0;
    let share = if total == 0 { 0.0 } else { (loaded as f64 / total as f64).min(1.0) };
    // A second stands for not knowing, as in Redis.
    let eta_seconds = if share > 0.0 { (elapsed_seconds * (1.0 - share) / share).ceil() } else { 1.0 };
    field(out, "loading_start_time", status.load_began_at.0 / 1_000);
    field(out, "loading_total_bytes", total);
    field(out, "loading_rdb_used_mem", 0);
    field(out, "loading_loaded_bytes", loaded);
    field(out, "loading_loaded_perc", format_args!("{:.2}", share * 100.0));
    field(out, "loading_eta_seconds", eta_seconds as u64);
}

fn describe_wal(status: &Status, segment_bytes: u64, shards: &[ShardFace], out: &mut String) {
    field(out, "wal_segment_bytes", segment_bytes);
    field(out, "wal_appended_bytes", sum(shards, |shard| &shard.log_bytes));
    for (index, shard) in shards.iter().enumerate() {
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let numbers = format_args!(
            "appended={},durable={},bytes={}",
            load(&shard.appended),
            load(&shard.durable),
            load(&shard.log_bytes)
        );
        field(out, &format!("wal_shard{index}"), numbers);
    }
    let (sync_count, sync_micros) = (sum(shards, |shard| &shard.sync_count), sum(shards, |shard| &shard.sync_micros));
    let longest = shards.iter().map(|shard| shard.sync_micros_max.load(Ordering::Relaxed)).max().unwrap_or(0);
    field(out, "wal_syncs", sync_count);
    field(out, "wal_sync_usec_mean", sync_micros.checked_div(sync_count).unwrap_or(0));
    field(out, "wal_sync_usec_max", longest);
    field(out, "wal_write_failure", one_line(&status.write_failure));
    field(out, "wal_last_snapshot_error", one_line(&status.last_snapshot_error));
    field(out, "wal_last_load_ms", status.load_ms);
    field(out, "wal_last_load_records", status.loaded_records);
    field(out, "wal_last_load_cut_bytes", status.cut_bytes);
}

fn one_line(sentence: &str) -> String {
    sentence.replace(['\r', '\n'], " ")
}
