//! The metrics page: everything that the server counts, in the text format of Prometheus.
//!
//! A **metric** is a row: its name, what kind of number it is, in which unit, with which labels, a sentence, and a function
//! that writes its samples from the reports of the shards. From the rows follow the page, docs/metrics.md, and the test
//! that dashboard and alert rules name nothing else. Nothing is counted for the page alone: INFO, which is made from the same
//! reports, says the same.
//!
//! - A name begins with `locksley_`, is in a base unit and ends with it (`_seconds`, `_bytes`, `_ratio`); what only grows ends
//!   with `_total`.
//! - What is counted by shard is labelled by shard and not added up: that is one `sum` for whoever asks, and the one shard
//!   that is unlike the others can be seen. Histograms are added up, because they are long.
//! - A command that was never asked for has no samples.
//!
//! | file | metrics of |
//! |---|---|
//! | `process` | version, time, processor, memory of the process |
//! | `clients` | connections, requests, bytes of the network |
//! | `commands` | calls, times, errors, stages |
//! | `keyspace` | reads, entries, what was removed |
//! | `memory` | where the memory is |
//! | `cache` | leases, locks, limits |
//! | `durability` | log, snapshots, loading |
//! | `load` | how busy the threads are |
//! | `curve` | what other sizes of the memory would bring |
//! | `redis` | the same by the names of redis_exporter, where `metrics-redis-names` asks for them |
//!
//! Source: Prometheus, "Exposition formats" (text format 0.0.4) and "Metric and label naming".

mod cache;
mod clients;
mod commands;
mod curve;
#[cfg(test)]
mod docs;
mod durability;
mod keyspace;
mod load;
mod memory;
mod process;
mod redis;
mod samples;
#[cfg(test)]
mod tests;

use super::source::Source;
use samples::Samples;

/// The media type of a page.
pub(in crate::command) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every group's rows; a new metric is one row in its group.
static GROUPS: &[&[Metric]] = &[
    process::METRICS,
    clients::METRICS,
    commands::METRICS,
    keyspace::METRICS,
    memory::METRICS,
    cache::METRICS,
    durability::METRICS,
    load::METRICS,
    curve::METRICS,
];

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It only grows, but for a restart or CONFIG RESETSTAT.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts of durations, by how long they were at most.
    Histogram,
    /// Percentiles that were worked out here.
    Summary,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Summary => "summary",
        }
    }
}

/// In what a metric is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Things are counted.
    Count,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A share of one.
    Ratio,
}

/// One metric.
struct Metric {
    /// Its name.
    name: &'static str,
    /// What kind of number it is.
    kind: Kind,
    /// Its unit.
    #[cfg_attr(not(test), expect(dead_code, reason = "what reads it is the page of docs and the test of names"))]
    unit: Unit,
    /// The labels of its samples, `le` of histograms aside.
    labels: &'static [&'static str],
    /// What it says, in one sentence without a full stop.
    help: &'static str,
    /// Writes its samples.
    write: fn(&Source, &mut Samples<'_>),
}

/// What most rows have: they count things of the whole server.
const COUNTER: Metric =
    Metric { name: "", kind: Kind::Counter, unit: Unit::Count, labels: &[], help: "", write: |_, _| {} };

/// The same of what goes up and down.
const GAUGE: Metric = Metric { kind: Kind::Gauge, ..COUNTER };

/// Label of what is told by shard.
const SHARD: &[&str] = &["shard"];

/// Appends the page to `out`; with the names of redis_exporter too, if they are asked for.
pub(in crate::command) fn write_page(source: &Source, has_redis_names: bool, out: &mut Vec<u8>) {
    for metric in GROUPS.iter().copied().flatten() {
        Samples::begin(metric, out).fill(source, metric.write);
    }
    if has_redis_names {
        redis::write(source, out);
    }
}
