//! Metrics of the data threads: how busy they are, and what they do for each other.

use super::samples::seconds;
use super::{COUNTER, GAUGE, Metric, SHARD, Unit};

/// The group's rows.
pub(super) static METRICS: &[Metric] = &[
    Metric {
        name: "locksley_shard_busy_seconds_total",
        unit: Unit::Seconds,
        labels: SHARD,
        help: "Time that a shard's thread spent in its turns, without what the kernel did for it: its rate is the busy ratio",
        write: |source, samples| samples.shard_seconds(source, |numbers| numbers.busy_nanos),
        ..COUNTER
    },
    Metric {
        name: "locksley_shard_cpu_seconds_total",
        unit: Unit::Seconds,
        labels: SHARD,
        help: "Processor time of a shard's thread, with what the kernel did for it",
        write: |source, samples| samples.shard_seconds(source, |numbers| numbers.cpu_nanos),
        ..COUNTER
    },
    Metric {
        name: "locksley_shard_turns_total",
        labels: SHARD,
        help: "Turns of a thread's loop",
        write: |source, samples| samples.shards(source, |numbers| numbers.turns),
        ..COUNTER
    },
    Metric {
        name: "locksley_shard_wake_ups_total",
        labels: SHARD,
        help: "Times a thread was woken from sleep",
        write: |source, samples| samples.shards(source, |numbers| numbers.wake_ups),
        ..COUNTER
    },
    Metric {
        name: "locksley_shard_longest_turn_seconds",
        unit: Unit::Seconds,
        labels: SHARD,
        help: "The longest turn of the last 30 to 60 seconds: for so long a thread did nothing else",
        write: |source, samples| samples.shard_seconds(source, |numbers| numbers.recent_turn_nanos_max),
        ..GAUGE
    },
    Metric {
        name: "locksley_shard_turn_seconds",
        unit: Unit::Seconds,
        labels: SHARD,
        help: "How long a thread has been at the turn it is at; 0 while it sleeps",
        write: |source, samples| {
            for (shard, ms) in source.home().turns_ms.iter().enumerate() {
                samples.sample(&[&shard], seconds(ms * 1_000_000));
            }
        },
        ..GAUGE
    },
    Metric {
        name: "locksley_shard_silent",
        labels: SHARD,
        help: "Whether a shard did not answer in time for this page, so that its counters are those of an earlier one: 1 or 0",
        write: |source, samples| {
            for shard in 0..source.home().turns_ms.len() as u16 {
                samples.sample(&[&shard], u8::from(source.silent.contains(&shard)));
            }
        },
        ..GAUGE
    },
    Metric {
        name: "locksley_hops_sent_total",
        labels: SHARD,
        help: "Requests of a thread's clients that it sent to other shards, parts of requests included",
        write: |source, samples| samples.shards(source, |numbers| numbers.hops_sent),
        ..COUNTER
    },
    Metric {
        name: "locksley_hops_answered_total",
        labels: SHARD,
        help: "Requests of other threads' clients that a shard answered, parts of requests included",
        write: |source, samples| samples.shards(source, |numbers| numbers.hops_answered),
        ..COUNTER
    },
    Metric {
        name: "locksley_connections_taken_over_total",
        labels: SHARD,
        help: "Connections that a thread took over from one that was stalled",
        write: |source, samples| samples.shards(source, |numbers| numbers.takeovers),
        ..COUNTER
    },
    Metric {
        name: "locksley_surveys_cut_total",
        labels: SHARD,
        help: "Questions about the whole server (INFO, this page) that were answered without a part of every shard",
        write: |source, samples| samples.shards(source, |numbers| numbers.cut_surveys),
        ..COUNTER
    },
];
