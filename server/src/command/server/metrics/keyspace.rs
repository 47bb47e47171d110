//! Metrics of entries: how they are read, how many there are, why they go.

use super::samples::Samples;
use super::{COUNTER, GAUGE, Metric, SHARD, Unit};
use crate::command::server::report::DatabaseReport;
use crate::command::server::source::Source;

/// Label of what is told by database.
const DATABASE: &[&str] = &["db"];

/// The group's rows.
pub(super) static METRICS: &[Metric] = &[
    Metric {
        name: "locksley_hits_total",
        labels: SHARD,
        help: "Reads that found their entry",
        write: |source, samples| samples.shards(source, |numbers| numbers.hits),
        ..COUNTER
    },
    Metric {
        name: "locksley_misses_total",
        labels: SHARD,
        help: "Reads that found nothing, those included that found a note that there is nothing",
        write: |source, samples| samples.shards(source, |numbers| numbers.misses),
        ..COUNTER
    },
    Metric {
        name: "locksley_negative_hits_total",
        labels: SHARD,
        help: "Reads that found a note that there is nothing (SETABSENT)",
        write: |source, samples| samples.shards(source, |numbers| numbers.negative_hits),
        ..COUNTER
    },
    Metric {
        name: "locksley_evictions_total",
        labels: SHARD,
        help: "Entries removed because memory was needed",
        write: |source, samples| samples.shards(source, |numbers| numbers.evicted),
        ..COUNTER
    },
    Metric {
        name: "locksley_expirations_total",
        labels: SHARD,
        help: "Entries removed because their time was over",
        write: |source, samples| samples.shards(source, |numbers| numbers.expired),
        ..COUNTER
    },
    Metric {
        name: "locksley_keys",
        labels: SHARD,
        help: "Entries of all databases",
        write: |source, samples| samples.shards(source, |numbers| numbers.keys),
        ..GAUGE
    },
    Metric {
        name: "locksley_expiring_keys",
        labels: SHARD,
        help: "Entries of all databases that have a time to live",
        write: |source, samples| samples.shards(source, |numbers| numbers.expiring),
        ..GAUGE
    },
    Metric {
        name: "locksley_database_keys",
        labels: DATABASE,
        help: "Entries of a database that is not empty",
        write: |source, samples| databases(source, samples, |database| database.keys as f64),
        ..GAUGE
    },
    Metric {
        name: "locksley_database_expiring_keys",
        labels: DATABASE,
        help: "Entries of a database that have a time to live",
        write: |source, samples| databases(source, samples, |database| database.expiring as f64),
        ..GAUGE
    },
    Metric {
        name: "locksley_database_ttl_mean_seconds",
        unit: Unit::Seconds,
        labels: DATABASE,
        help: "The mean of the times to live that are left to the entries of a database that have one",
        write: |source, samples| {
            databases(source, samples, |database| {
                database.ttl_sum.checked_div(database.expiring).unwrap_or(0) as f64 / 1_000.0
            });
        },
        ..GAUGE
    },
    Metric {
        name: "locksley_hot_keys",
        labels: SHARD,
        help: "Keys that get more requests a second than hotkey-threshold (HOTKEYS names them)",
        write: |source, samples| samples.shards(source, |numbers| numbers.hot_keys),
        ..GAUGE
    },
    Metric {
        name: "locksley_hot_keys_found_total",
        labels: SHARD,
        help: "Times that a key became hot",
        write: |source, samples| samples.shards(source, |numbers| numbers.hot_keys_found),
        ..COUNTER
    },
    Metric {
        name: "locksley_pending_prefixes",
        help: "Prefixes whose keys are being removed in the background (DELPREFIX)",
        write: |source, samples| samples.value(source.total.prefixes.len()),
        ..GAUGE
    },
];

/// A sample for each database that is not empty.
fn databases(source: &Source, samples: &mut Samples<'_>, value: impl Fn(&DatabaseReport) -> f64) {
    for (db, database) in source.total.databases.iter().enumerate().filter(|(_, database)| database.keys > 0) {
        samples.sample(&[&db], value(database));
    }
}
