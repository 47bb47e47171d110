//! Metrics of memory.

use super::{GAUGE, Metric, SHARD, Unit};

/// What most rows have.
const BYTES: Metric = Metric { unit: Unit::Bytes, ..GAUGE };

/// The group's rows.
pub(super) static METRICS: &[Metric] = &[
    Metric {
        name: "locksley_memory_used_bytes",
        labels: SHARD,
        help: "Memory that counts towards the limit",
        write: |source, samples| samples.shards(source, |numbers| numbers.memory_used),
        ..BYTES
    },
    Metric {
        name: "locksley_memory_limit_bytes",
        help: "The limit of the whole server, of which each shard has an even share (maxmemory); 0 means none",
        write: |source, samples| samples.value(source.home().maxmemory),
        ..BYTES
    },
    Metric {
        name: "locksley_memory_bytes",
        labels: &["shard", "kind"],
        help: "Memory by what it is for (kind: entries with their headers; free, room in pages of entries; index, the hash \
               tables; buffers, requests and replies of clients; bookkeeping, such as expiry and eviction)",
        write: |source, samples| {
            for report in &source.shards {
                let numbers = &report.numbers;
                for (kind, bytes) in [
                    ("entries", numbers.memory_cells),
                    ("free", numbers.memory_free()),
                    ("index", numbers.memory_tables),
                    ("buffers", numbers.client_bytes),
                    ("bookkeeping", numbers.memory_bookkeeping),
                ] {
                    samples.sample(&[&report.shard, &kind], bytes);
                }
            }
        },
        ..BYTES
    },
    Metric {
        name: "locksley_memory_payload_bytes",
        labels: SHARD,
        help: "Keys and values as clients sent them",
        write: |source, samples| samples.shards(source, |numbers| numbers.memory_payload),
        ..BYTES
    },
    Metric {
        name: "locksley_memory_peak_bytes",
        labels: SHARD,
        help: "The most memory that was used",
        write: |source, samples| samples.shards(source, |numbers| numbers.memory_peak),
        ..BYTES
    },
];
