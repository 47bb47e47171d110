//! How long a command took, in buckets of powers of two.
//!
//! Bucket `n` counts durations of `2^(n-1) < nanos <= 2^n`; bucket 0 those of one nanosecond or less. Recording is
//! one count of leading zeros and one addition, and the memory of a command's histogram is five cache lines, of
//! which a command in steady use touches one.

/// Number of buckets: the last one also takes all that is longer than 2^39 ns (9 minutes).
pub(crate) const BUCKET_COUNT: usize = 40;

/// Counts of durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Histogram {
    buckets: [u64; BUCKET_COUNT],
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { buckets: [0; BUCKET_COUNT] }
    }
}

impl Histogram {
    /// A histogram with these counts.
    pub(crate) fn from_buckets(buckets: &[u64; BUCKET_COUNT]) -> Histogram {
        Histogram { buckets: *buckets }
    }

    /// Counts `times` durations of `nanos` each.
    #[inline]
    pub(crate) fn record(&mut self, nanos: u64, times: u64) {
        self.buckets[bucket_of(nanos)] += times;
    }

    /// Adds what `other` counted.
    pub(crate) fn add(&mut self, other: &Histogram) {
        for (mine, theirs) in self.buckets.iter_mut().zip(other.buckets) {
            *mine += theirs;
        }
    }

    /// The counts, bucket by bucket.
    pub(crate) fn buckets(&self) -> &[u64; BUCKET_COUNT] {
        &self.buckets
    }

    /// How many durations were counted.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The duration in nanoseconds that `percent` of the counted ones do not exceed, taken as evenly spread within
    /// a bucket; 0 when nothing was counted.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        let rank = self.count() as f64 * percent / 100.0;
        let mut below = 0.0;
        for (bucket, &count) in self.buckets.iter().enumerate().filter(|(_, count)| **count > 0) {
            let count = count as f64;
            if below + count >= rank {
                let (low, high) = (lower_bound(bucket) as f64, upper_bound(bucket) as f64);
                return low + (high - low) * (rank - below) / count;
            }
            below += count;
        }
        0.0
    }
}

/// The longest duration that bucket `bucket` counts, in nanoseconds.
pub(crate) fn upper_bound(bucket: usize) -> u64 {
    1 << bucket
}

fn lower_bound(bucket: usize) -> u64 {
    if bucket == 0 { 0 } else { 1 << (bucket - 1) }
}

#[inline]
fn bucket_of(nanos: u64) -> usize {
    let bits = u64::BITS - nanos.saturating_sub(1).leading_zeros();
    (bits as usize).min(BUCKET_COUNT - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_within_the_bounds_of_its_bucket() {
        for nanos in (0..5_000).chain([1 << 20, (1 << 20) + 1, 1 << 38]) {
            let bucket = bucket_of(nanos);
            assert!(nanos <= upper_bound(bucket), "{nanos}");
            assert!(bucket == 0 || nanos > lower_bound(bucket), "{nanos}");
        }
        assert_eq!(bucket_of(u64::MAX), BUCKET_COUNT - 1);
    }

    #[test]
    fn percentiles_are_read_off_the_buckets() {
        let mut histogram = Histogram::default();
        assert!(histogram.percentile(50.0) == 0.0, "nothing was counted");
        histogram.record(1_000, 99);
        histogram.record(1_000_000, 1);
        let (median, high) = (histogram.percentile(50.0), histogram.percentile(99.9));
        assert!((512.0..=1_024.0).contains(&median), "{median}");
        assert!((524_288.0..=1_048_576.0).contains(&high), "{high}");
        assert_eq!(histogram.count(), 100);
    }
}
