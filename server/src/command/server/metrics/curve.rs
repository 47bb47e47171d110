//! Metrics of the miss-ratio curve: what other sizes of the memory would bring.

use super::{GAUGE, Metric, Unit};
use crate::command::server::curve::GOOD_HIT_RATE;

/// The group's rows.
pub(super) static METRICS: &[Metric] = &[
    Metric {
        name: "locksley_curve_hit_ratio",
        unit: Unit::Ratio,
        labels: &["size"],
        help: "The share of reads that would find their entry with size times the memory there is, by sampling over the \
               last minutes",
        write: |source, samples| {
            for point in source.total.curve.points() {
                samples.sample(&[&point.size], point.hit_rate);
            }
        },
        ..GAUGE
    },
    Metric {
        name: "locksley_curve_memory_bytes",
        unit: Unit::Bytes,
        help: "The memory at size 1 of the curve: the limit, or without one what is in use",
        write: |source, samples| {
            if source.total.curve.read_count > 0 {
                samples.value(source.total.curve.memory_bytes);
            }
        },
        ..GAUGE
    },
    Metric {
        name: "locksley_curve_good_memory_bytes",
        unit: Unit::Bytes,
        help: "How much memory a hit rate of 95 % would take; left out where no memory would, as far as is known",
        write: |source, samples| {
            if let Some(bytes) = source.total.curve.memory_for(GOOD_HIT_RATE) {
                samples.value(bytes);
            }
        },
        ..GAUGE
    },
    Metric {
        name: "locksley_curve_sample_ratio",
        unit: Unit::Ratio,
        help: "Which share of the keys the curve looks at",
        write: |source, samples| {
            if source.total.curve.read_count > 0 {
                samples.value(source.total.curve.sample_rate());
            }
        },
        ..GAUGE
    },
];
