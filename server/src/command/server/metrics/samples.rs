//! Samples of one metric, as lines of text.

use std::fmt::{self, Display};
use std::io::Write;
use std::sync::OnceLock;

use locksley_wire::number::Digits;

use super::{Kind, Metric};
use crate::command::server::report::{Numbers, Report};
use crate::command::server::source::Source;
use crate::observe::histogram::{Histogram, upper_bound};

/// The bucket that is shown first: 2^8 ns, below which hardly a command is.
const FIRST_BUCKET: usize = 8;

/// The last one: 2^34 ns, 17 s.
const LAST_BUCKET: usize = 34;

/// Why writing cannot fail.
const TAKES_ALL: &str = "memory takes every write";

/// The samples of one metric.
pub(super) struct Samples<'o> {
    name: &'static str,
    labels: &'static [&'static str],
    out: &'o mut Vec<u8>,
    head: usize,
    start: usize,
}

impl<'o> Samples<'o> {
    /// Begins the samples of `metric` behind what is in `out`.
    pub(super) fn begin(metric: &Metric, out: &'o mut Vec<u8>) -> Samples<'o> {
        Samples::with_head(metric.name, metric.kind, metric.labels, metric.help, out)
    }

    /// [`Samples::begin`] for what has no row.
    pub(super) fn with_head(
        name: &'static str,
        kind: Kind,
        labels: &'static [&'static str],
        help: &str,
        out: &'o mut Vec<u8>,
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
        assert_eq!(self.labels.len(), values.len(), "{} has a value for each label", self.name);
        self.suffixed("", values, value);
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
    ///
    /// These are most lines of a page, so that what they have in common is made once.
    pub(super) fn histogram(&mut self, values: &[&dyn Display], histogram: &Histogram, nanos: u64) {
        let start = self.out.len();
        self.begin_line("_bucket", values);
        if values.is_empty() {
            self.out.push(b'{');
        } else {
            let end = self.out.pop();
            debug_assert_eq!(end, Some(b'}'), "labels end so");
            self.out.push(b',');
        }
        self.out.extend_from_slice(b"le=\"");
        let common = self.out.split_off(start);
        let mut count = 0;
        let bucket_line = |out: &mut Vec<u8>, bound: &str, count: u64| {
            out.extend_from_slice(&common);
            out.extend_from_slice(bound.as_bytes());
            out.extend_from_slice(b"\"} ");
            out.extend_from_slice(Digits::of_u64(count).as_bytes());
            out.push(b'\n');
        };
        for (bucket, durations) in histogram.buckets().iter().enumerate() {
            count += durations;
            if (FIRST_BUCKET..=LAST_BUCKET).contains(&bucket) {
                bucket_line(self.out, bound(bucket), count);
            }
        }
        bucket_line(self.out, "+Inf", count);
        self.suffixed("_sum", values, seconds(nanos));
        self.suffixed("_count", values, count);
    }

    /// A sample of which the name has a suffix, with values of the first labels.
    pub(super) fn suffixed(&mut self, suffix: &str, values: &[&dyn Display], value: impl Display) {
        self.begin_line(suffix, values);
        writeln!(self.out, " {value}").expect(TAKES_ALL);
    }

    /// Name and labels.
    fn begin_line(&mut self, suffix: &str, values: &[&dyn Display]) {
        self.out.extend_from_slice(self.name.as_bytes());
        self.out.extend_from_slice(suffix.as_bytes());
        let mut separator = b'{';
        for (label, value) in self.labels.iter().zip(values) {
            self.out.push(separator);
            self.out.extend_from_slice(label.as_bytes());
            self.out.extend_from_slice(b"=\"");
            fmt::Write::write_fmt(&mut Escaped(self.out), format_args!("{value}")).expect(TAKES_ALL);
            self.out.push(b'"');
            separator = b',';
        }
        if !values.is_empty() {
            self.out.push(b'}');
        }
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
struct Escaped<'o>(&'o mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            match byte {
                b'\\' | b'"' => self.0.extend_from_slice(&[b'\\', byte]),
                b'\n' => self.0.extend_from_slice(b"\\n"),
                byte => self.0.push(byte),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(labels: &'static [&'static str], write: impl FnOnce(&mut Samples<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut Samples::with_head("m", Kind::Gauge, labels, "Help", &mut out));
        String::from_utf8(out).expect("a page is text")
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
