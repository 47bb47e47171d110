//! Metrics of the process as a whole.

use super::{COUNTER, GAUGE, Metric, Unit};
use crate::command::server::process::{core_count, machine_memory_bytes};
use crate::version::LOCKSLEY_VERSION;

/// The group's rows.
pub(super) static METRICS: &[Metric] = &[
    Metric { name: "locksley_up", help: "Always 1: the server answers", write: |_, samples| samples.value(1), ..GAUGE },
    Metric {
        name: "locksley_build_info",
        labels: &["version"],
        help: "Always 1, with the version as a label",
        write: |_, samples| samples.sample(&[&LOCKSLEY_VERSION], 1),
        ..GAUGE
    },
    Metric {
        name: "locksley_start_time_seconds",
        unit: Unit::Seconds,
        help: "When the server started, in seconds since 1970",
        write: |source, samples| samples.value(source.home().started_at_ms as f64 / 1_000.0),
        ..GAUGE
    },
    Metric {
        name: "locksley_uptime_seconds",
        unit: Unit::Seconds,
        help: "How long the server has been running",
        write: |source, samples| samples.value(source.home().uptime_ms as f64 / 1_000.0),
        ..GAUGE
    },
    Metric {
        name: "locksley_shards",
        help: "Shards that the server has",
        write: |source, samples| samples.value(source.home().turns_ms.len()),
        ..GAUGE
    },
    Metric {
        name: "locksley_cpu_seconds_total",
        unit: Unit::Seconds,
        labels: &["mode"],
        help: "Processor time of the whole process, in user mode and in the kernel (mode: user, system)",
        write: |source, samples| {
            samples.sample(&[&"user"], source.usage.user_seconds);
            samples.sample(&[&"system"], source.usage.system_seconds);
        },
        ..COUNTER
    },
    Metric {
        name: "locksley_cores",
        help: "Processor cores that the server may use",
        write: |_, samples| samples.value(core_count()),
        ..GAUGE
    },
    Metric {
        name: "locksley_resident_memory_bytes",
        unit: Unit::Bytes,
        help: "Memory of the process that is in RAM",
        write: |source, samples| samples.value(source.usage.resident_bytes),
        ..GAUGE
    },
    Metric {
        name: "locksley_machine_memory_bytes",
        unit: Unit::Bytes,
        help: "Memory of the machine",
        write: |_, samples| samples.value(machine_memory_bytes()),
        ..GAUGE
    },
    Metric {
        name: "locksley_missing_log_lines_total",
        labels: &["reason"],
        help: "Lines that are not in what the server says of itself (reason: suppressed, a place had said enough; lost, they \
               could not be written)",
        write: |source, samples| {
            samples.sample(&[&"suppressed"], source.missing_lines.suppressed);
            samples.sample(&[&"lost"], source.missing_lines.lost);
        },
        ..COUNTER
    },
];
