//! How log, snapshots and loading stand: the section of INFO on durability, as members.

use serde::Serialize;

use crate::command::server::report::{Durability, LogNumbers};
use crate::config::{Config, FsyncPolicy};

/// What the client's own thread reports for all.
#[derive(Debug, Serialize)]
pub(super) struct DurabilityFigures<'a> {
    /// Whether some shard is being loaded, how much of that is done (0 to 1), and of how many bytes.
    is_loading: bool,
    load_share: f64,
    loaded_bytes: u64,
    load_total_bytes: u64,
    /// When loading began, and how long the last load took.
    load_began_at_ms: u64,
    load_ms: u64,
    /// What the last load brought, and how many bytes of torn tails were cut.
    loaded_items: u64,
    loaded_records: u64,
    cut_bytes: u64,
    /// For how long a snapshot has been in the making; null when none is.
    snapshot_running_ms: Option<u64>,
    /// How much of it is done, 0 to 1: the mean of the shards that are at it; null when none is.
    snapshot_share: Option<f64>,
    /// When the last good snapshot was complete (the start, if there was none), how long it took, and its size.
    last_snapshot_at_ms: u64,
    last_snapshot_ms: Option<u64>,
    last_snapshot_bytes: u64,
    /// Whether the last snapshot that ended was completed, and else why not.
    is_last_snapshot_good: bool,
    last_snapshot_error: &'a str,
    /// Snapshots completed since the start, and changes since the last.
    snapshot_count: u64,
    changes_since_snapshot: u64,
    /// Bytes that the logs took since the last snapshot began.
    log_bytes_since_snapshot: u64,
    /// Whether changes are logged, and when the log is synced.
    is_logging: bool,
    appendfsync: &'static str,
    segment_bytes: u64,
    /// Why writes are refused; empty where they are not.
    write_failure: &'a str,
    /// By shard, and all of them.
    logs: &'a [LogNumbers],
    log: LogNumbers,
}

impl<'a> DurabilityFigures<'a> {
    /// Of what was reported.
    pub(super) fn of(
        durability: &'a Durability,
        snapshot_share: Option<f64>,
        config: &Config,
    ) -> DurabilityFigures<'a> {
        let (status, log) = (&durability.status, durability.all_logs());
        DurabilityFigures {
            is_loading: durability.is_loading,
            load_share: durability.load_share(),
            loaded_bytes: log.loaded_bytes,
            load_total_bytes: log.load_total_bytes,
            load_began_at_ms: status.load_began_at.0,
            load_ms: status.load_ms,
            loaded_items: status.loaded_items,
            loaded_records: status.loaded_records,
            cut_bytes: status.cut_bytes,
            snapshot_running_ms: durability.snapshot_running_ms(),
            snapshot_share,
            last_snapshot_at_ms: status.last_snapshot_at.0,
            last_snapshot_ms: status.last_snapshot_ms,
            last_snapshot_bytes: status.last_snapshot_bytes,
            is_last_snapshot_good: status.is_last_snapshot_good,
            last_snapshot_error: &status.last_snapshot_error,
            snapshot_count: status.snapshot_count,
            changes_since_snapshot: durability.change_count,
            log_bytes_since_snapshot: log.bytes.saturating_sub(status.log_bytes_at_snapshot),
            is_logging: durability.is_logging,
            appendfsync: name(config.appendfsync),
            segment_bytes: durability.segment_bytes,
            write_failure: &status.write_failure,
            logs: &durability.logs,
            log,
        }
    }
}

/// The policy as the setting names it.
fn name(policy: FsyncPolicy) -> &'static str {
    match policy {
        FsyncPolicy::Always => "always",
        FsyncPolicy::EverySecond => "everysec",
        FsyncPolicy::No => "no",
    }
}
