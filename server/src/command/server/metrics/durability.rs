//! Metrics of the log, of snapshots, of loading.

use super::samples::Samples;
use super::{COUNTER, GAUGE, Metric, SHARD, Unit};
use crate::command::server::report::LogNumbers;
use crate::command::server::source::Source;

/// The group's rows.
pub(super) static METRICS: &[Metric] = &[
    Metric {
        name: "locksley_log_enabled",
        help: "Whether changes are logged (appendonly): 1 or 0",
        write: |source, samples| samples.value(u8::from(source.home().durability.is_logging)),
        ..GAUGE
    },
    Metric {
        name: "locksley_log_appended_bytes_total",
        unit: Unit::Bytes,
        labels: SHARD,
        help: "Bytes that logs have taken",
        write: |source, samples| logs(source, samples, |log| log.bytes as f64),
        ..COUNTER
    },
    Metric {
        name: "locksley_log_changes_total",
        labels: SHARD,
        help: "The number of the last change of a shard",
        write: |source, samples| logs(source, samples, |log| log.appended as f64),
        ..COUNTER
    },
    Metric {
        name: "locksley_log_unsynced_changes",
        labels: SHARD,
        help: "Changes that are in the log and not durable yet",
        write: |source, samples| logs(source, samples, |log| log.appended.saturating_sub(log.durable) as f64),
        ..GAUGE
    },
    Metric {
        name: "locksley_log_syncs_total",
        labels: SHARD,
        help: "Syncs of logs",
        write: |source, samples| logs(source, samples, |log| log.syncs as f64),
        ..COUNTER
    },
    Metric {
        name: "locksley_log_sync_seconds_total",
        unit: Unit::Seconds,
        labels: SHARD,
        help: "How long the syncs took together",
        write: |source, samples| logs(source, samples, |log| log.sync_micros as f64 / 1e6),
        ..COUNTER
    },
    Metric {
        name: "locksley_log_sync_longest_seconds",
        unit: Unit::Seconds,
        labels: SHARD,
        help: "How long the longest sync took since the start",
        write: |source, samples| logs(source, samples, |log| log.sync_micros_max as f64 / 1e6),
        ..GAUGE
    },
    Metric {
        name: "locksley_log_stalls_total",
        labels: SHARD,
        help: "Writes that waited for room in the log",
        write: |source, samples| samples.shards(source, |numbers| numbers.log_stalls),
        ..COUNTER
    },
    Metric {
        name: "locksley_log_unlogged_removals_total",
        labels: SHARD,
        help: "Entries that were evicted or expired without a record, because the log had no room",
        write: |source, samples| samples.shards(source, |numbers| numbers.unlogged_removals),
        ..COUNTER
    },
    Metric {
        name: "locksley_log_failing",
        help: "Whether the log cannot grow, so that writes are refused: 1 or 0",
        write: |source, samples| {
            samples.value(u8::from(!source.home().durability.status.write_failure.is_empty()));
        },
        ..GAUGE
    },
    Metric {
        name: "locksley_snapshots_total",
        help: "Snapshots that were completed since the start",
        write: |source, samples| samples.value(source.home().durability.status.snapshot_count),
        ..COUNTER
    },
    Metric {
        name: "locksley_snapshot_failing",
        help: "Whether the last snapshot that ended was not completed: 1 or 0",
        write: |source, samples| samples.value(u8::from(!source.home().durability.status.is_last_snapshot_good)),
        ..GAUGE
    },
    Metric {
        name: "locksley_snapshot_running",
        help: "Whether a snapshot is being taken: 1 or 0",
        write: |source, samples| {
            samples.value(u8::from(source.home().durability.status.snapshot_began_at.is_some()));
        },
        ..GAUGE
    },
    Metric {
        name: "locksley_snapshot_running_seconds",
        unit: Unit::Seconds,
        help: "How long the snapshot that is being taken has been under way; 0 where there is none",
        write: |source, samples| {
            samples.value(source.home().durability.snapshot_running_ms().unwrap_or(0) as f64 / 1_000.0);
        },
        ..GAUGE
    },
    Metric {
        name: "locksley_snapshot_last_time_seconds",
        unit: Unit::Seconds,
        help: "When the last snapshot was completed, or the server started if there was none, in seconds since 1970",
        write: |source, samples| {
            samples.value(source.home().durability.status.last_snapshot_at.0 as f64 / 1_000.0);
        },
        ..GAUGE
    },
    Metric {
        name: "locksley_snapshot_last_duration_seconds",
        unit: Unit::Seconds,
        help: "How long the last snapshot took; left out while there was none",
        write: |source, samples| {
            if let Some(ms) = source.home().durability.status.last_snapshot_ms {
                samples.value(ms as f64 / 1_000.0);
            }
        },
        ..GAUGE
    },
    Metric {
        name: "locksley_snapshot_last_bytes",
        unit: Unit::Bytes,
        help: "Bytes of the last completed snapshot",
        write: |source, samples| samples.value(source.home().durability.status.last_snapshot_bytes),
        ..GAUGE
    },
    Metric {
        name: "locksley_snapshot_pending_changes",
        help: "Changes since the last completed snapshot",
        write: |source, samples| samples.value(source.home().durability.change_count),
        ..GAUGE
    },
    Metric {
        name: "locksley_loading",
        help: "Whether data is being loaded, so that commands on entries are refused: 1 or 0",
        write: |source, samples| samples.value(u8::from(source.home().durability.is_loading)),
        ..GAUGE
    },
    Metric {
        name: "locksley_load_progress_ratio",
        unit: Unit::Ratio,
        help: "How much of the data is loaded; 1 while nothing is being loaded",
        write: |source, samples| samples.value(source.home().durability.load_share()),
        ..GAUGE
    },
    Metric {
        name: "locksley_load_last_duration_seconds",
        unit: Unit::Seconds,
        help: "How long the last loading took",
        write: |source, samples| samples.value(source.home().durability.status.load_ms as f64 / 1_000.0),
        ..GAUGE
    },
];

/// A sample for each shard's log.
fn logs(source: &Source, samples: &mut Samples<'_>, value: impl Fn(&LogNumbers) -> f64) {
    for (shard, log) in source.home().durability.logs.iter().enumerate() {
        samples.sample(&[&shard], value(log));
    }
}
