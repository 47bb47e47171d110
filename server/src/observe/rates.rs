//! Rates of the last moments, from samples that are taken as a by-product of work.
//!
//! There is no timer: a turn of the loop takes a sample when the last one is old enough, and so does whoever asks
//! for the rates. A thread that sleeps takes none, and its rates fall by themselves, because the time since the
//! last sample counts.

use locksley_engine::Millis;

use crate::limits::{RATE_SAMPLE_COUNT, RATE_SAMPLE_MS_MIN};

/// The counters whose rates are wanted, at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Commands run.
    pub commands: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
}

/// Rates a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rates {
    /// Commands.
    pub commands: f64,
    /// Bytes received.
    pub received_bytes: f64,
    /// Bytes sent.
    pub sent_bytes: f64,
}

/// The samples of one thread: a ring, oldest overwritten.
#[derive(Clone, Debug)]
pub(crate) struct Samples {
    ring: [(Millis, Totals); RATE_SAMPLE_COUNT],
    taken: usize,
    due: Millis,
}

/// Rates are taken over this time at most.
const WINDOW_MS: u64 = RATE_SAMPLE_MS_MIN * RATE_SAMPLE_COUNT as u64;

impl Default for Samples {
    fn default() -> Samples {
        Samples { ring: [(Millis(0), Totals::default()); RATE_SAMPLE_COUNT], taken: 0, due: Millis(0) }
    }
}

impl Samples {
    /// Whether the last sample is old enough for a new one, or of a time that a clock which was set back has not reached
    /// again.
    #[inline]
    pub(crate) fn is_due(&self, now: Millis) -> bool {
        let taken_at = self.due.0.wrapping_sub(RATE_SAMPLE_MS_MIN);
        now.0.wrapping_sub(taken_at) >= RATE_SAMPLE_MS_MIN
    }

    /// Takes a sample.
    pub(crate) fn take(&mut self, now: Millis, totals: Totals) {
        self.ring[self.taken % RATE_SAMPLE_COUNT] = (now, totals);
        self.taken += 1;
        self.due = Millis(now.0 + RATE_SAMPLE_MS_MIN);
    }

    /// The rates between the oldest sample within the window (or else the newest of all) and `totals` at `now`.
    pub(crate) fn rates(&self, now: Millis, totals: Totals) -> Rates {
        let samples = &self.ring[..self.taken.min(RATE_SAMPLE_COUNT)];
        let recent = samples.iter().filter(|(at, _)| at.0 + WINDOW_MS >= now.0).min_by_key(|(at, _)| *at);
        let Some((at, from)) = recent.or_else(|| samples.iter().max_by_key(|(at, _)| *at)) else {
            return Rates::default();
        };
        let seconds = now.0.saturating_sub(at.0).max(1) as f64 / 1_000.0;
        let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
        Rates {
            commands: rate(from.commands, totals.commands),
            received_bytes: rate(from.received_bytes, totals.received_bytes),
            sent_bytes: rate(from.sent_bytes, totals.sent_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(commands: u64) -> Totals {
        Totals { commands, ..Totals::default() }
    }

    #[test]
    fn a_steady_load_has_its_rate() {
        let mut samples = Samples::default();
        for tenth in 0..50u64 {
            let now = Millis(tenth * 100);
            assert!(samples.is_due(now));
            samples.take(now, totals(tenth * 70));
            assert!(!samples.is_due(Millis(now.0 + 99)));
        }
        let rate = samples.rates(Millis(4_950), totals(49 * 70 + 35)).commands;
        assert!((690.0..=710.0).contains(&rate), "{rate}");
    }

    #[test]
    fn a_clock_that_is_set_back_stops_no_samples() {
        let mut samples = Samples::default();
        samples.take(Millis(5_000_000), totals(0));
        assert!(!samples.is_due(Millis(5_000_099)) && samples.is_due(Millis(5_000_100)));
        assert!(samples.is_due(Millis(1_000)));
        samples.take(Millis(1_000), totals(0));
        assert!(!samples.is_due(Millis(1_050)) && samples.is_due(Millis(1_100)));
    }

    #[test]
    fn the_rate_falls_while_nothing_happens() {
        let mut samples = Samples::default();
        assert_eq!(samples.rates(Millis(5), totals(9)), Rates::default(), "no sample, no rate");
        samples.take(Millis(1_000), totals(1_000));
        let rate = samples.rates(Millis(101_000), totals(1_000)).commands;
        assert!(rate < 1.0, "{rate}");
    }
}
