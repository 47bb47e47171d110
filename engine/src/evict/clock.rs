//! The clock of the LRU policies: how entries that were used at different times are told apart.
//!
//! A clock of seconds cannot order the entries of a cache that turns over within a few of them, and a finer one
//! wraps too soon in 18 bits. So this one ticks every beat (2,048 ms), which wraps after 6.2 days, and also
//! whenever a 64th of all entries has been evicted: the time an entry stays in a full cache is always at
//! least 64 ticks. With exact LRU as 1, five samples find 0.93 of the hits by the second and 0.98 by this clock
//! in a cache of 4,000 entries that 50,000 misses a second pass through. What time a tick was is
//! remembered for one tick in 512, so that idle times can be told.

use crate::time::Millis;

/// Bits of a tick that an entry keeps.
pub(super) const TICK_BITS: u32 = 18;

const TICK_MASK: u64 = (1 << TICK_BITS) - 1;

/// log2 of the milliseconds of a beat, which is a tick when nothing is evicted.
const BEAT_SHIFT: u32 = 11;

/// Ticks while all entries are evicted once.
const TURNOVER_TICKS: u64 = 64;

/// log2 of the ticks from one remembered time to the next.
const SPAN_SHIFT: u32 = 9;

/// Remembered times: enough for all that an entry can tell apart.
const SPAN_COUNT: usize = 1 << (TICK_BITS - SPAN_SHIFT);

/// A clock that ticks by time and by eviction.
#[derive(Debug)]
pub(super) struct Clock {
    tick: u64,
    /// The beat that was last seen.
    beat: u64,
    /// Evictions since the last tick that they made.
    evicted: u64,
    /// The beat in which each span of ticks began, as a ring.
    spans: Box<[u64]>,
}

impl Clock {
    pub(super) fn new() -> Clock {
        Clock { tick: 0, beat: 0, evicted: 0, spans: vec![0; SPAN_COUNT].into_boxed_slice() }
    }

    /// The tick at `now`, in as many bits as an entry keeps.
    #[inline]
    pub(super) fn tick(&mut self, now: Millis) -> u32 {
        let beat = now.0 >> BEAT_SHIFT;
        if beat > self.beat {
            self.pass_beats(beat);
        }
        (self.tick & TICK_MASK) as u32
    }

    /// Counts an eviction of one in `entry_count`.
    #[inline]
    pub(super) fn count_eviction(&mut self, entry_count: u64) {
        self.evicted += 1;
        if self.evicted * TURNOVER_TICKS >= entry_count {
            self.evicted = 0;
            self.advance(1);
        }
    }

    /// Milliseconds since the tick that an entry has kept.
    #[inline]
    pub(super) fn idle_ms(&self, kept: u32, now: Millis) -> u64 {
        let ago = self.tick.wrapping_sub(u64::from(kept)) & TICK_MASK;
        let then = self.beat_of(self.tick.saturating_sub(ago));
        (now.0 >> BEAT_SHIFT).saturating_sub(then) << BEAT_SHIFT
    }

    #[cold]
    fn pass_beats(&mut self, beat: u64) {
        // Before the first call no time has passed.
        let beats = if self.beat == 0 { 0 } else { (beat - self.beat).min(TICK_MASK) };
        if self.beat == 0 {
            self.spans.fill(beat);
        }
        // The remembered times within the leap are those of its beats, not of its end.
        self.beat = beat - beats;
        let mut left = beats;
        while left > 0 {
            let to_next_span = (1 << SPAN_SHIFT) - (self.tick & ((1 << SPAN_SHIFT) - 1));
            let step = left.min(to_next_span);
            self.beat += step;
            self.advance(step);
            left -= step;
        }
        self.beat = beat;
    }

    /// Goes on by `ticks`, at most to the beginning of the next span.
    fn advance(&mut self, ticks: u64) {
        self.tick += ticks;
        if self.tick & ((1 << SPAN_SHIFT) - 1) == 0 {
            self.spans[(self.tick >> SPAN_SHIFT) as usize % SPAN_COUNT] = self.beat;
        }
    }

    /// The beat of a tick, between the two remembered ones around it.
    fn beat_of(&self, tick: u64) -> u64 {
        let span = tick >> SPAN_SHIFT;
        let start = self.spans[span as usize % SPAN_COUNT];
        let is_last = span == self.tick >> SPAN_SHIFT;
        let (end, length) = if is_last {
            (self.beat, (self.tick & ((1 << SPAN_SHIFT) - 1)).max(1))
        } else {
            (self.spans[(span + 1) as usize % SPAN_COUNT], 1 << SPAN_SHIFT)
        };
        start + end.saturating_sub(start) * (tick & ((1 << SPAN_SHIFT) - 1)) / length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_counts_beats_when_nothing_is_evicted() {
        for idle in [0, 5_000, 3_600_000, 100 * 3_600_000] {
            let start = Millis(1_700_000_000_000);
            let mut clock = Clock::new();
            clock.tick(Millis(start.0 - 77_000_000));
            let kept = clock.tick(start);
            let later = Millis(start.0 + idle);
            assert!(clock.idle_ms(kept, later).abs_diff(idle) <= 2048, "before the clock has seen the time");
            clock.tick(later);
            assert!(clock.idle_ms(kept, later).abs_diff(idle) <= 2048, "{idle} ms");
        }
    }

    #[test]
    fn evictions_make_ticks_that_take_no_time() {
        let mut clock = Clock::new();
        let now = Millis(1_700_000_000_000);
        let before = clock.tick(now);
        for _ in 0..10_000 {
            clock.count_eviction(1000);
        }
        let after = clock.tick(now);
        assert_eq!(after - before, 10_000 / 16);
        assert_eq!(clock.idle_ms(before, now), 0);
        assert_eq!(clock.idle_ms(after, now), 0);
        let later = Millis(now.0 + 100 * 2048);
        clock.tick(later);
        assert!(clock.idle_ms(after, later).abs_diff(100 * 2048) <= 60 * 2048, "to the precision of a span");
    }

    #[test]
    fn the_clock_survives_leaps_of_any_length() {
        let mut clock = Clock::new();
        let kept = clock.tick(Millis(5000));
        clock.tick(Millis(u64::MAX));
        clock.idle_ms(kept, Millis(u64::MAX));
        assert_eq!(clock.tick(Millis(0)), clock.tick(Millis(u64::MAX)));
    }
}
