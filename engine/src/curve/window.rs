//! The time of which a curve tells: five to ten minutes, in two halves.
//!
//! What is older counts no more, without anything being forgotten key by key: when a half is full, it takes the place of
//! the one before it.

use super::SIZE_COUNT;
use super::miss_curve::{MissCurve, SIZE_NOW};
use crate::time::Millis;

/// Milliseconds of a half.
const HALF_MS: u64 = 5 * 60 * 1000;

/// What a miss counts for at a sample of all keys, so that fractions of one can be added up.
const ONE: u64 = 16;

/// What the shard had counted at some time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    /// Reads.
    pub(super) reads: u64,
    /// Those that missed.
    pub(super) misses: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Half {
    since: Millis,
    /// What the shard had counted when it began.
    counted: Counted,
    /// Misses in the caches, by size.
    misses: [u64; SIZE_COUNT],
}

/// The counts of the window.
#[derive(Debug, Default)]
pub(super) struct Window {
    before: Option<Half>,
    current: Half,
}

/// What a miss of one key of the sample stands for.
pub(super) fn weight(sample_share: u32) -> u64 {
    (ONE << 32) / u64::from(sample_share.max(1))
}

impl Window {
    /// Begins anew.
    pub(super) fn restart(&mut self, counted: Counted, now: Millis) {
        *self = Window { before: None, current: Half { since: now, counted, misses: [0; SIZE_COUNT] } };
    }

    /// The same, the shard having set its counters to zero.
    pub(super) fn reset(&mut self, now: Millis) {
        self.restart(Counted::default(), now);
    }

    /// Counts a read that misses in the caches of `missed`, a bit each.
    #[inline]
    pub(super) fn count(&mut self, missed: u16, weight: u64) {
        for (size, misses) in self.current.misses.iter_mut().enumerate() {
            *misses += weight * u64::from(missed >> size & 1);
        }
    }

    /// Lets time pass.
    pub(super) fn tick(&mut self, counted: Counted, now: Millis) {
        if now.0 >= self.current.since.0.saturating_add(HALF_MS) {
            self.before = Some(self.current);
            self.current = Half { since: now, counted, misses: [0; SIZE_COUNT] };
        }
    }

    /// The misses of the window; memory and sample are for the caller to say.
    ///
    /// How many reads missed in truth is known of the memory there is. By as much as the cache of that size is wrong,
    /// the others are taken to be, in proportion where there are fewer misses: the same keys are in all samples.
    pub(super) fn answer(&self, counted: Counted, now: Millis) -> MissCurve {
        let first = self.before.as_ref().unwrap_or(&self.current);
        let read_count = counted.reads.saturating_sub(first.counted.reads);
        let miss_counts = std::array::from_fn(|size| {
            let before = self.before.map_or(0, |half| half.misses[size]);
            (before + self.current.misses[size]).div_ceil(ONE)
        });
        let truth = counted.misses.saturating_sub(first.counted.misses);
        let window_ms = now.0.saturating_sub(first.since.0);
        let mut curve = MissCurve { window_ms, read_count, miss_counts, ..MissCurve::default() };
        correct(&mut curve, truth);
        curve
    }
}

fn correct(curve: &mut MissCurve, truth: u64) {
    let simulated = curve.miss_counts[SIZE_NOW];
    let error = truth as f64 - simulated as f64;
    curve.miss_counts = curve.miss_counts.map(|misses| {
        let share = if misses >= simulated { 1.0 } else { misses as f64 / simulated as f64 };
        (misses as f64 + error * share).round().clamp(0.0, curve.read_count as f64) as u64
    });
}
