//! What a run found, as lines for a person or as JSON for a program.

use std::{fmt::Write as _, io::Write as _, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::{
    gauge::Counts,
    latency::{Kind, Latencies},
    plan::Plan,
};

/// The quantiles that are told.
const QUANTILES: [(&str, f64); 5] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

/// What was counted between two moments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// The time between them.
    pub(crate) elapsed: Duration,
    /// What clients counted.
    pub(crate) counts: Counts,
    /// Processor time of the server, if it is known.
    pub(crate) server_ns: Option<u64>,
    /// Processor time of this process.
    pub(crate) client_ns: u64,
}

impl Window {
    fn rate(&self, count: u64) -> f64 {
        count as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    fn micros_per_operation(&self, total_ns: u64) -> f64 {
        total_ns as f64 / 1e3 / (self.counts.operations as f64).max(1.0)
    }

    fn hit_percent(&self) -> f64 {
        100.0 * self.counts.hits as f64 / ((self.counts.hits + self.counts.misses) as f64).max(1.0)
    }
}

/// The line that shows the last second.
pub(crate) fn progress_line(seconds: u64, window: &Window) -> String {
    let counts = &window.counts;
    let mean_us = window.micros_per_operation(counts.latency_ns);
    let mut line = format!("{seconds:4} s  {:>11} op/s  mean {mean_us:.1} us", grouped(window.rate(counts.operations)));
    if counts.hits + counts.misses > 0 {
        let _ = write!(line, "  hits {:.1} %", window.hit_percent());
    }
    if let Some(server_ns) = window.server_ns {
        let _ = write!(line, "  server {:.3} us/op", window.micros_per_operation(server_ns));
    }
    if counts.refused > 0 {
        let _ = write!(line, "  refused {}", counts.refused);
    }
    line
}

/// Latencies of one kind, in microseconds.
#[derive(Debug, Serialize)]
struct LatencyReport {
    count: u64,
    mean_us: f64,
    max_us: f64,
    percentiles_us: serde_json::Map<String, serde_json::Value>,
}

impl LatencyReport {
    fn of(histogram: &Histogram<u64>) -> Self {
        let micros = |nanos: u64| nanos as f64 / 1e3;
        let percentiles = QUANTILES.iter().map(|(name, quantile)| {
            ((*name).to_owned(), serde_json::Value::from(micros(histogram.value_at_quantile(*quantile))))
        });
        Self {
            count: histogram.len(),
            mean_us: histogram.mean() / 1e3,
            max_us: micros(histogram.max()),
            percentiles_us: percentiles.collect(),
        }
    }
}

/// A run's result.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    connections: usize,
    threads: usize,
    pipeline: usize,
    keys: u64,
    key_bytes: usize,
    value_size: String,
    distribution: String,
    writes_to_reads: [u32; 2],
    target_rate: Option<f64>,
    seconds: f64,
    operations: u64,
    operations_per_second: f64,
    hits: u64,
    misses: u64,
    refused: u64,
    mismatches: u64,
    sent_bytes_per_second: f64,
    received_bytes_per_second: f64,
    reads: LatencyReport,
    writes: LatencyReport,
    server_us_per_operation: Option<f64>,
    server_cores: Option<f64>,
    client_us_per_operation: f64,
    client_cores: f64,
    samples: Vec<String>,
}

impl Report {
    /// The report of a measured window.
    pub(crate) fn new(
        plan: &Plan,
        window: &Window,
        latencies: &mut Latencies,
        mismatches: u64,
        samples: Vec<String>,
    ) -> Self {
        let counts = window.counts;
        let cores = |total_ns: u64| total_ns as f64 / (window.elapsed.as_nanos() as f64).max(1.0);
        Self {
            connections: plan.options.connections,
            threads: plan.options.threads,
            pipeline: plan.options.pipeline,
            keys: plan.options.keys,
            key_bytes: plan.key_bytes,
            value_size: format!("{:?}", plan.value_size),
            distribution: format!("{:?}", plan.distribution),
            writes_to_reads: [plan.ratio.writes, plan.ratio.reads],
            target_rate: plan.options.rate,
            seconds: window.elapsed.as_secs_f64(),
            operations: counts.operations,
            operations_per_second: window.rate(counts.operations),
            hits: counts.hits,
            misses: counts.misses,
            refused: counts.refused,
            mismatches,
            sent_bytes_per_second: window.rate(counts.sent_bytes),
            received_bytes_per_second: window.rate(counts.received_bytes),
            reads: LatencyReport::of(latencies.of(Kind::Read)),
            writes: LatencyReport::of(latencies.of(Kind::Write)),
            server_us_per_operation: window.server_ns.map(|total_ns| window.micros_per_operation(total_ns)),
            server_cores: window.server_ns.map(cores),
            client_us_per_operation: window.micros_per_operation(window.client_ns),
            client_cores: cores(window.client_ns),
            samples,
        }
    }

    /// Prints the report on standard output.
    pub(crate) fn print(&self, is_json: bool) {
        let text = if is_json {
            let json = serde_json::to_string_pretty(self).expect("numbers and texts can be written as JSON");
            json + "\n"
        } else {
            self.text()
        };
        // Whoever closed the output does not want the report.
        let _ = std::io::stdout().write_all(text.as_bytes());
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} op/s over {:.1} s ({} operations, {:.1} MB/s sent, {:.1} MB/s received)\n",
            grouped(self.operations_per_second),
            self.seconds,
            grouped(self.operations as f64),
            self.sent_bytes_per_second / 1e6,
            self.received_bytes_per_second / 1e6,
        );
        let reads = self.hits + self.misses;
        if reads > 0 {
            let percent = 100.0 * self.hits as f64 / reads as f64;
            let _ = writeln!(text, "hits {percent:.2} % of {} reads", grouped(reads as f64));
        }
        let names = QUANTILES.map(|(name, _)| name);
        let _ = writeln!(
            text,
            "latency us {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
            names[0], names[1], names[2], names[3], names[4], "max", "mean"
        );
        for (name, latency) in [("reads", &self.reads), ("writes", &self.writes)] {
            if latency.count > 0 {
                let _ = write!(text, "{name:10}");
                for value in latency.percentiles_us.values() {
                    let _ = write!(text, " {:>10.1}", value.as_f64().unwrap_or_default());
                }
                let _ = writeln!(text, " {:>10.1} {:>10.1}", latency.max_us, latency.mean_us);
            }
        }
        if let (Some(micros), Some(cores)) = (self.server_us_per_operation, self.server_cores) {
            let _ = writeln!(text, "server CPU {micros:.3} us/op ({cores:.2} cores)");
        }
        let _ = writeln!(text, "client CPU {:.3} us/op ({:.2} cores)", self.client_us_per_operation, self.client_cores);
        if self.refused > 0 {
            let _ = writeln!(text, "refused {}", grouped(self.refused as f64));
        }
        if self.mismatches > 0 {
            let _ = writeln!(text, "WRONG VALUES {}", grouped(self.mismatches as f64));
        }
        for sample in &self.samples {
            let _ = writeln!(text, "  {sample}");
        }
        text
    }
}

/// A whole number with a comma between thousands.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, expected) in [(0.0, "0"), (999.4, "999"), (1000.0, "1,000"), (1_234_567.0, "1,234,567")] {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn a_line_tells_the_last_second() {
        let counts = Counts { operations: 1000, hits: 9, misses: 1, latency_ns: 5_000_000, ..Counts::default() };
        let window = Window { elapsed: Duration::from_secs(2), counts, server_ns: Some(2_000_000), client_ns: 0 };
        assert_eq!(progress_line(3, &window), "   3 s          500 op/s  mean 5.0 us  hits 90.0 %  server 2.000 us/op");
    }
}
