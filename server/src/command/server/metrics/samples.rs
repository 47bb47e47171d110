//! Samples of one metric, as lines of text.

use std::fmt::{Display, Error, Write};
use std::sync::OnceLock;

use super::{Kind, Metric};
use crate::command::server::report::{Numbers, Report};
use crate::command::server::source::Source;
use crate::observe::histogram::{Histogram, upper_bound};

/// The bucket that is shown first: 2^8 ns, below which hardly a command is.
const FIRST_BUCKET: usize = 8;

/// The last one: 2^34 ns, 17 s.
const LAST_BUCKET: usize = 34;

/// A line takes all that is written to it.
const TAKES_ALL: &str = "a string takes all that is written";

/// The samples of one metric.
pub(super) struct Samples<'o> {
    name: &'static str,
    labels: &'static [&'static str],
    out: &'o mut String,
    head: usize,
    start: usize,
}

impl<'o> Samples<'o> {
    /// Begins the samples of `metric` behind what is in `out`.
    pub(super) fn begin(metric: &Metric, out: &'o mut String) -> Samples<'o> {
        Samples::with_head(metric.name, metric.kind, metric.labels, metric.help, out)
    }

    /// [`Samples::begin`] for what has no row.
    pub(super) fn with_head(
        name: &'static str,
        kind: Kind,
        labels: &'static [&'static str],
        help: &str,
        out: &'o mut String,
    ) -> Samples<'o> {
        let head = out.len();
        write!(out, "# HELP {name} {help}\n# TYPE {name} {}\n", kind.name()).expect(TAKES_ALL);
        let start = out.len();
        Samples { name, labels, out, head, start }
    }

    /// Writes the samples by `write`; without any, the metric is left out.
    pub(super) fn fill(mut self, source: &Source, write: impl FnOnce(&Source, &mut Samples<'_>)) {
        write(source, &mut self);
        if self.out.len() == self.start {
            self.out.truncate(self.head);
        }
    }

    /// A sample with these values of the metric's labels.
    pub(super) fn sample(&mut self, values: &[&dyn Display], value: impl Display) {
        self.line("", values, None, value);
    }

    /// The one sample of a metric without labels.
    pub(super) fn value(&mut self, value: impl Display) {
        self.sample(&[], value);
    }

    /// A sample for each shard.
    pub(super) fn shards(&mut self, source: &Source, value: impl Fn(&Numbers) -> u64) {
        for Report { shard, numbers, .. } in &source.shards {
            self.sample(&[shard], value(numbers));
        }
    }

    /// A sample for each shard, of a duration in nanoseconds.
    pub(super) fn shard_seconds(&mut self, source: &Source, nanos: impl Fn(&Numbers) -> u64) {
        for Report { shard, numbers, .. } in &source.shards {
            self.sample(&[shard], seconds(nanos(numbers)));
        }
    }

    /// A histogram of durations with these values of the metric's labels, `nanos` being their sum.
    pub(super) fn histogram(&mut self, values: &[&dyn Display], histogram: &Histogram, nanos: u64) {
        let mut count = 0;
        for (bucket, durations) in histogram.buckets().iter().enumerate() {
            count += durations;
            if (FIRST_BUCKET..=LAST_BUCKET).contains(&bucket) {
                self.line("_bucket", values, Some(bound(bucket)), count);
            }
        }
        self.line("_bucket", values, Some("+Inf"), count);
        self.line("_sum", values, None, seconds(nanos));
        self.line("_count", values, None, count);
    }

    /// A sample of which the name has a suffix.
    pub(super) fn suffixed(&mut self, suffix: &str, values: &[&dyn Display], value: impl Display) {
        self.line(suffix, values, None, value);
    }

    fn line(&mut self, suffix: &str, values: &[&dyn Display], bound: Option<&str>, value: impl Display) {
        let labels = if suffix.is_empty() { self.labels } else { &self.labels[..values.len()] };
        assert_eq!(labels.len(), values.len(), "{} has a value for each label", self.name);
        self.out.push_str(self.name);
        self.out.push_str(suffix);
        let mut separator = '{';
        for (label, value) in labels.iter().zip(values) {
            self.out.push(separator);
            self.out.push_str(label);
            self.out.push_str("=\"");
            write!(Escaped(self.out), "{value}").expect(TAKES_ALL);
            self.out.push('"');
            separator = ',';
        }
        if let Some(bound) = bound {
            self.out.push(separator);
            self.out.push_str("le=\"");
            self.out.push_str(bound);
            self.out.push('"');
            separator = ',';
        }
        if separator == ',' {
            self.out.push('}');
        }
        writeln!(self.out, " {value}").expect(TAKES_ALL);
    }
}

/// A duration in nanoseconds as seconds.
pub(super) fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// The upper bound of a bucket in seconds, as text.
fn bound(bucket: usize) -> &'static str {
    static BOUNDS: OnceLock<Vec<String>> = OnceLock::new();
    let bounds =
        BOUNDS.get_or_init(|| (0..=LAST_BUCKET).map(|bucket| seconds(upper_bound(bucket)).to_string()).collect());
    &bounds[bucket]
}

/// Writes what is a label's value, with the escapes that those have.
struct Escaped<'o>(&'o mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> Result<(), Error> {
        for character in text.chars() {
            match character {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                character => self.0.push(character),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(labels: &'static [&'static str], write: impl FnOnce(&mut Samples<'_>)) -> String {
        let mut out = String::new();
        write(&mut Samples::with_head("m", Kind::Gauge, labels, "Help", &mut out));
        out
    }

    #[test]
    fn samples_are_lines_below_their_head() {
        let head = "# HELP m Help\n# TYPE m gauge\n";
        assert_eq!(written(&[], |samples| samples.value(7)), format!("{head}m 7\n"));
        assert_eq!(
            written(&["a", "b"], |samples| samples.sample(&[&1, &"x\"y\\z\n"], 0.5)),
            format!("{head}m{{a=\"1\",b=\"x\\\"y\\\\z\\n\"}} 0.5\n")
        );
    }

    #[test]
    fn buckets_count_all_that_was_shorter() {
        let mut histogram = Histogram::default();
        for nanos in [1, 256, 257, 1_000_000, u64::MAX] {
            histogram.record(nanos, 1);
        }
        let text = written(&["command"], |samples| samples.histogram(&[&"get"], &histogram, 2_500_000_000));
        for line in [
            "m_bucket{command=\"get\",le=\"0.000000256\"} 2\n",
            "m_bucket{command=\"get\",le=\"0.000000512\"} 3\n",
            "m_bucket{command=\"get\",le=\"0.001048576\"} 4\n",
            "m_bucket{command=\"get\",le=\"17.179869184\"} 4\n",
            "m_bucket{command=\"get\",le=\"+Inf\"} 5\n",
            "m_sum{command=\"get\"} 2.5\n",
            "m_count{command=\"get\"} 5\n",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        assert_eq!(text.lines().count(), 2 + LAST_BUCKET - FIRST_BUCKET + 1 + 3);
    }
}
