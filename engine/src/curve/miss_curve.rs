//! What a curve says: how many of the reads would miss at each size of the memory.
//!
//! The curves of several shards add up: each of them has its part of the memory, and so twice the memory is twice of
//! each. Between two sizes the hits are read off the line that joins them; below the smallest one the line leads to
//! nothing.

/// Sizes that a curve tells of.
pub const SIZE_COUNT: usize = 9;

/// The sizes, as shares of the memory there is, in eighths.
pub const SIZE_EIGHTHS: [u32; SIZE_COUNT] = [1, 2, 4, 6, 8, 12, 16, 24, 32];

/// The one that is the memory there is.
pub const SIZE_NOW: usize = 4;

const _: () = assert!(SIZE_EIGHTHS[SIZE_NOW] == 8);

/// The misses of a shard, or of all, at each size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissCurve {
    /// The memory at size 1, in bytes: the limit, or without one what is in use.
    pub memory_bytes: u64,
    /// How long counts were taken, in milliseconds.
    pub window_ms: u64,
    /// Counted reads of that time.
    pub read_count: u64,
    /// Those that would have missed, by size.
    pub miss_counts: [u64; SIZE_COUNT],
    /// Which share of the keys was looked at, out of 2^32.
    pub sample_share: u32,
}

/// A point of the curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// The size, as a multiple of the memory there is.
    pub size: f64,
    /// The same in bytes.
    pub bytes: u64,
    /// Hits among the reads, 0 to 1.
    pub hit_rate: f64,
}

impl MissCurve {
    /// Adds the curve of another shard.
    pub fn add(&mut self, other: &MissCurve) {
        self.memory_bytes += other.memory_bytes;
        self.window_ms = self.window_ms.max(other.window_ms);
        self.read_count += other.read_count;
        for (mine, theirs) in self.miss_counts.iter_mut().zip(other.miss_counts) {
            *mine += theirs;
        }
        self.sample_share = match (self.sample_share, other.sample_share) {
            (0, share) | (share, 0) => share,
            (mine, theirs) => mine.min(theirs),
        };
    }

    /// Which share of the keys was looked at, 0 to 1; of several shards the smallest.
    pub fn sample_rate(&self) -> f64 {
        f64::from(self.sample_share) / f64::from(u32::MAX)
    }

    /// The points, from the smallest size to the largest; none if nothing was read.
    pub fn points(&self) -> impl Iterator<Item = CurvePoint> {
        let sizes = SIZE_EIGHTHS.iter().zip(self.miss_counts);
        sizes.filter(|_| self.read_count > 0).map(|(eighths, misses)| {
            let bytes = u128::from(self.memory_bytes) * u128::from(*eighths) / 8;
            CurvePoint {
                size: f64::from(*eighths) / 8.0,
                bytes: bytes as u64,
                hit_rate: 1.0 - misses.min(self.read_count) as f64 / self.read_count as f64,
            }
        })
    }

    /// The hit rate at `size` times the memory there is; that of the largest size there is beyond it. `None` if nothing
    /// was read.
    pub fn hit_rate(&self, size: f64) -> Option<f64> {
        let mut before = (0.0, 0.0);
        for point in self.points() {
            if size <= point.size {
                let share = (size - before.0) / (point.size - before.0);
                return Some(before.1 + (point.hit_rate - before.1) * share.clamp(0.0, 1.0));
            }
            before = (point.size, point.hit_rate);
        }
        (self.read_count > 0).then_some(before.1)
    }

    /// The memory at which the hit rate is first `hit_rate`, in bytes; `None` if it is not at any size of the curve.
    pub fn memory_for(&self, hit_rate: f64) -> Option<u64> {
        let mut before = (0.0, 0.0);
        for point in self.points() {
            if point.hit_rate >= hit_rate {
                let share = (hit_rate - before.1) / (point.hit_rate - before.1);
                let bytes = before.0 + (point.bytes as f64 - before.0) * share.clamp(0.0, 1.0);
                return Some(bytes.ceil() as u64);
            }
            before = (point.bytes as f64, point.hit_rate);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve() -> MissCurve {
        MissCurve {
            memory_bytes: 800,
            window_ms: 1000,
            read_count: 100,
            miss_counts: [60, 50, 40, 30, 20, 10, 4, 2, 2],
            sample_share: u32::MAX,
        }
    }

    #[test]
    fn between_sizes_the_hits_are_on_a_line() {
        let curve = curve();
        for (size, expected) in
            [(0.0, 0.0), (0.0625, 0.2), (0.125, 0.4), (1.0, 0.8), (1.25, 0.85), (4.0, 0.98), (9.0, 0.98)]
        {
            let found = curve.hit_rate(size).unwrap();
            assert!((found - expected).abs() < 1e-9, "{found} at {size}");
        }
        assert_eq!(MissCurve::default().hit_rate(1.0), None);
    }

    #[test]
    fn the_memory_for_a_hit_rate_is_found_or_there_is_none() {
        let curve = curve();
        for (hit_rate, expected) in
            [(0.2, Some(50)), (0.4, Some(100)), (0.85, Some(1000)), (0.98, Some(2400)), (0.99, None)]
        {
            assert_eq!(curve.memory_for(hit_rate), expected, "{hit_rate}");
        }
        assert_eq!(MissCurve::default().memory_for(0.5), None);
    }

    #[test]
    fn curves_of_shards_add_up() {
        let mut total = MissCurve::default();
        total.add(&curve());
        total.add(&MissCurve { memory_bytes: 800, read_count: 300, sample_share: 7, ..MissCurve::default() });
        assert_eq!(
            (total.memory_bytes, total.read_count, total.miss_counts[0], total.sample_share),
            (1600, 400, 60, 7)
        );
        assert_eq!(total.hit_rate(1.0), Some(0.95));
    }
}
