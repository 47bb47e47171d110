//! Latencies of reads and writes, to three digits.
//!
//! The replies of a pipeline arrive together and were asked for together: equal latencies in a row are
//! recorded as one entry with a count.

use hdrhistogram::Histogram;

use crate::pace::Nanos;

/// The shortest latency that is told apart from none.
const LATENCY_NS_MIN: u64 = 100;

/// The longest latency that is told apart from longer ones: 100 s.
const LATENCY_NS_MAX: u64 = 100_000_000_000;

/// Whether a request reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It reads.
    Read,
    /// It writes.
    Write,
}

/// Latencies by kind.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    reads: Histogram<u64>,
    writes: Histogram<u64>,
    run: (Kind, Nanos),
    run_count: u64,
}

impl Latencies {
    /// No latencies.
    pub(crate) fn new() -> Self {
        let empty = Histogram::new_with_bounds(LATENCY_NS_MIN, LATENCY_NS_MAX, 3).expect("the bounds are in order");
        Self { reads: empty.clone(), writes: empty, run: (Kind::Read, Nanos(0)), run_count: 0 }
    }

    /// Counts one latency.
    #[inline]
    pub(crate) fn record(&mut self, kind: Kind, latency: Nanos) {
        if self.run != (kind, latency) {
            self.flush();
            self.run = (kind, latency);
        }
        self.run_count += 1;
    }

    /// Forgets everything.
    pub(crate) fn reset(&mut self) {
        self.run_count = 0;
        self.reads.reset();
        self.writes.reset();
    }

    /// Adds what `other` counted.
    pub(crate) fn add(&mut self, mut other: Self) {
        self.flush();
        other.flush();
        self.reads.add(&other.reads).expect("the bounds are the same");
        self.writes.add(&other.writes).expect("the bounds are the same");
    }

    /// The latencies of a kind, all that were added.
    pub(crate) fn of(&mut self, kind: Kind) -> &Histogram<u64> {
        self.flush();
        self.histogram(kind)
    }

    fn histogram(&mut self, kind: Kind) -> &mut Histogram<u64> {
        match kind {
            Kind::Read => &mut self.reads,
            Kind::Write => &mut self.writes,
        }
    }

    #[inline]
    fn flush(&mut self) {
        if self.run_count > 0 {
            let (kind, latency) = self.run;
            let count = std::mem::take(&mut self.run_count);
            self.histogram(kind).saturating_record_n(latency.0, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_equal_latencies_are_all_counted() {
        let mut latencies = Latencies::new();
        for (kind, micros) in [(Kind::Read, 5), (Kind::Read, 5), (Kind::Write, 5), (Kind::Read, 9)] {
            latencies.record(kind, Nanos(micros * 1000));
        }
        let mut other = Latencies::new();
        other.record(Kind::Write, Nanos(7_000));
        latencies.add(other);
        assert_eq!((latencies.of(Kind::Read).len(), latencies.of(Kind::Write).len()), (3, 2));
        assert!((8_900..=9_100).contains(&latencies.of(Kind::Read).max()));
        latencies.reset();
        assert_eq!(latencies.of(Kind::Read).len(), 0);
    }
}
