//! Metrics of connections and the network.

use super::{COUNTER, GAUGE, Metric, SHARD, Unit};

/// The group's rows.
pub(super) static METRICS: &[Metric] = &[
    Metric {
        name: "locksley_connections",
        labels: &["shard", "door"],
        help: "Clients that are connected, by the shard whose thread serves them and the port they came by (door: resp, \
               memcached, http)",
        write: |source, samples| {
            for report in &source.shards {
                let numbers = &report.numbers;
                samples.sample(&[&report.shard, &"resp"], numbers.resp_clients);
                samples.sample(&[&report.shard, &"memcached"], numbers.memcached_clients);
                samples.sample(&[&report.shard, &"http"], numbers.http_clients);
            }
        },
        ..GAUGE
    },
    Metric {
        name: "locksley_connections_limit",
        help: "Most clients at once (maxclients)",
        write: |source, samples| samples.value(source.home().maxclients),
        ..GAUGE
    },
    Metric {
        name: "locksley_connections_accepted_total",
        labels: SHARD,
        help: "Connections accepted",
        write: |source, samples| samples.shards(source, |numbers| numbers.connections),
        ..COUNTER
    },
    Metric {
        name: "locksley_connections_rejected_total",
        labels: SHARD,
        help: "Connections refused, because there were too many or because of protected-mode",
        write: |source, samples| samples.shards(source, |numbers| numbers.rejected_connections),
        ..COUNTER
    },
    Metric {
        name: "locksley_connections_cut_total",
        labels: &["reason"],
        help: "Connections closed because a client did not take its replies, or sent too long a request (reason: output, \
               input)",
        write: |source, samples| {
            samples.sample(&[&"output"], source.total.numbers.output_limit_disconnections);
            samples.sample(&[&"input"], source.total.numbers.query_limit_disconnections);
        },
        ..COUNTER
    },
    Metric {
        name: "locksley_waiting_requests",
        labels: SHARD,
        help: "Requests that wait for a key: for a lock, or for a value that somebody else makes",
        write: |source, samples| samples.shards(source, |numbers| numbers.waiters),
        ..GAUGE
    },
    Metric {
        name: "locksley_requests_total",
        labels: SHARD,
        help: "Requests answered to the clients of each shard's thread, whichever shard had the key",
        write: |source, samples| samples.shards(source, |numbers| numbers.requests),
        ..COUNTER
    },
    Metric {
        name: "locksley_network_received_bytes_total",
        unit: Unit::Bytes,
        labels: SHARD,
        help: "Bytes received from clients",
        write: |source, samples| samples.shards(source, |numbers| numbers.received_bytes),
        ..COUNTER
    },
    Metric {
        name: "locksley_network_sent_bytes_total",
        unit: Unit::Bytes,
        labels: SHARD,
        help: "Bytes sent to clients",
        write: |source, samples| samples.shards(source, |numbers| numbers.sent_bytes),
        ..COUNTER
    },
];
