//! The generic cell rate algorithm: a rate limit whose whole state is one instant.
//!
//! A limit lets a request through every `interval`, and up to `burst` at once of those that were not used. Its state is
//! the *theoretical arrival time*: when the bucket is full again if nothing more comes. Each request that is let through
//! moves it one interval on; a request is denied when that would put it more than a whole burst ahead of the clock.
//!
//! ```text
//!        now                arrival      now + burst * interval
//! ────────┼──────────────────┼─────┼─────┼─────┼──▶
//!         └─ used ───────────┘ └── remaining ──┘
//! ```
//!
//! All of it is integers, in nanoseconds. The interval is rounded up to whole ones, so that a limit never lets more
//! through than was asked for; a burst counts in these intervals too, so it is exact.
//!
//! **A clock that is set back.** The arrival alone would then be far ahead, and everybody denied until the clock is where
//! it was. So beside it is kept how far it was ahead when it was written: further than that it can only be when the clock
//! was set back, and such a state counts for nothing. Seconds are enough for that, and fit where the state is kept.
//!
//! Invariants:
//! - An arrival is never more than `burst` intervals ahead of the clock it was made at.
//! - A request that is denied changes nothing.
//!
//! Source: ITU-T I.371 (2004) annex A, the virtual scheduling algorithm.

use locksley_engine::Millis;

use crate::limits::THROTTLE_BURST_SECONDS_MAX;

/// Nanoseconds of a millisecond.
const MILLI: u64 = 1_000_000;
/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// Nanoseconds in which a whole burst may come back, at most.
const BURST_NS_MAX: u64 = THROTTLE_BURST_SECONDS_MAX * SECOND;

/// How often requests are let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    interval_ns: u64,
}

/// A rate, and how many requests may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    interval_ns: u64,
    burst_ns: u64,
}

/// What is kept of the requests there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// When all that was used has come back, in nanoseconds since the epoch.
    pub arrival_ns: u64,
    /// How far that was ahead of the clock when it was noted, in seconds, rounded up.
    pub ahead_s: u32,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is let through.
    Allowed {
        /// What is to be kept.
        state: State,
        /// How many more would be let through at once.
        remaining: u64,
    },
    /// It is not.
    Denied {
        /// Milliseconds after which one will be let through, if no other comes before: at least 1.
        retry_after_ms: u64,
    },
}

impl Rate {
    /// `count` requests each `period_s` seconds.
    ///
    /// # Panics
    /// When one of them is 0, or the period so long that it has no nanoseconds in 64 bits.
    pub(super) fn new(count: u64, period_s: u64) -> Rate {
        assert!(count > 0 && (1..=THROTTLE_BURST_SECONDS_MAX).contains(&period_s), "a rate is of something");
        Rate { interval_ns: (period_s * SECOND).div_ceil(count) }
    }

    /// The largest burst that this rate can have.
    pub(super) fn burst_max(self) -> u64 {
        BURST_NS_MAX / self.interval_ns
    }

    /// This rate with up to `burst` requests at once.
    ///
    /// # Panics
    /// When the burst is not 1 to [`Rate::burst_max`].
    pub(super) fn with_burst(self, burst: u64) -> Limit {
        assert!((1..=self.burst_max()).contains(&burst), "a burst of {burst} is out of range");
        Limit { interval_ns: self.interval_ns, burst_ns: burst * self.interval_ns }
    }
}

impl Limit {
    /// Whether a request at `now` is let through after those that `state` tells of.
    pub(super) fn ask(self, state: State, now: Millis) -> Verdict {
        let now_ns = now.0.saturating_mul(MILLI);
        let ahead_ns = state.arrival_ns.saturating_sub(now_ns);
        let was_set_back = ahead_ns > u64::from(state.ahead_s) * SECOND;
        let used_ns = if was_set_back { 0 } else { ahead_ns } + self.interval_ns;
        if used_ns > self.burst_ns {
            return Verdict::Denied { retry_after_ms: (used_ns - self.burst_ns).div_ceil(MILLI) };
        }
        let state = State { arrival_ns: now_ns.saturating_add(used_ns), ahead_s: used_ns.div_ceil(SECOND) as u32 };
        Verdict::Allowed { state, remaining: (self.burst_ns - used_ns) / self.interval_ns }
    }
}

impl State {
    /// When nothing of it is left to be kept.
    pub(super) fn over_at(self) -> Millis {
        Millis(self.arrival_ns.div_ceil(MILLI))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::Random;

    const NOW: Millis = Millis(1_700_000_000_000);
    const YEAR_S: u64 = 365 * 86_400;
    /// In the year 2160: with a burst of a hundred years, nanoseconds have 64 bits until then.
    const END: Millis = Millis(6_000_000_000_000);

    /// The same limit told otherwise, and slowly: a bucket that leaks, in fractions of a nanosecond that are kept whole.
    ///
    /// Source: ITU-T I.371 (2004) annex A, the continuous-state leaky bucket algorithm.
    struct Bucket {
        /// What one request puts in; all amounts in nanoseconds times `scale`.
        drop: u128,
        size: u128,
        level: u128,
        scale: u128,
        looked_at: Millis,
    }

    impl Bucket {
        /// With the interval of `Rate` where `scale` is 1, with the exact one where it is the count.
        fn new(burst: u64, drop: u128, scale: u128) -> Bucket {
            Bucket { drop, size: u128::from(burst) * drop, level: 0, scale, looked_at: NOW }
        }

        /// Whether a request is let through, and how many more would be.
        fn ask(&mut self, now: Millis) -> Result<u128, u128> {
            let leaked = u128::from(now.0 - self.looked_at.0) * u128::from(MILLI) * self.scale;
            self.level = self.level.saturating_sub(leaked);
            self.looked_at = now;
            if self.level + self.drop > self.size {
                return Err((self.level + self.drop - self.size).div_ceil(u128::from(MILLI) * self.scale));
            }
            self.level += self.drop;
            Ok((self.size - self.level) / self.drop)
        }
    }

    /// Rates of every size: burst, count, period.
    const LIMITS: [(u64, u64, u64); 14] = [
        (1, 1, 1),
        (5, 1, 1),
        (3, 3, 1),
        (10, 7, 1),
        (100, 1_000, 60),
        (1, 1_000_000, 1),
        (1_000_000_000, 1_000_000_000, 1),
        (7, 999_999_999, 1),
        (1_000, 333_333_333, 1),
        (1, 1, YEAR_S),
        (100, 1, YEAR_S),
        (50, 2, YEAR_S),
        (1_000_000_000, 1_000_000_000, YEAR_S),
        (1_000_000_000, 1_000_000_000, 60),
    ];

    #[test]
    fn it_agrees_with_a_leaky_bucket() {
        let seed = 7;
        let mut random = Random::new(seed);
        for (burst, count, period_s) in LIMITS {
            let rate = Rate::new(count, period_s);
            let limit = rate.with_burst(burst);
            let mut bucket = Bucket::new(burst, u128::from(rate.interval_ns), 1);
            let (mut state, mut now) = (State::default(), NOW);
            for step in 0..5_000 {
                let verdict = limit.ask(state, now);
                let expected = bucket.ask(now);
                let found = match verdict {
                    Verdict::Allowed { state: next, remaining } => {
                        state = next;
                        Ok(u128::from(remaining))
                    }
                    Verdict::Denied { retry_after_ms } => Err(u128::from(retry_after_ms)),
                };
                assert_eq!(found, expected, "step {step} of {burst} {count} {period_s}, seed {seed}");
                if let Verdict::Denied { retry_after_ms } = verdict {
                    let at = |ms: u64| limit.ask(state, Millis(now.0 + ms));
                    assert!(matches!(at(retry_after_ms), Verdict::Allowed { .. }), "a time to retry is long enough");
                    assert!(matches!(at(retry_after_ms - 1), Verdict::Denied { .. }), "and no longer");
                }
                let interval_ms = rate.interval_ns / MILLI;
                now.0 += match random.next() % 8 {
                    0 => 1,
                    1 => random.next() % (2 * interval_ms + 2),
                    2 => interval_ms,
                    3 if step % 100 == 0 => random.next() % (interval_ms * 20 + 5),
                    _ => 0,
                };
                if now > END {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_burst_is_exact_and_the_rate_is_never_passed() {
        for (burst, count, period_s) in LIMITS {
            let burst = burst.min(2_000);
            let limit = Rate::new(count, period_s).with_burst(burst);
            let mut exact = Bucket::new(burst, u128::from(period_s * SECOND), u128::from(count));
            let (mut state, mut now, mut allowed, mut expected) = (State::default(), NOW, 0, 0);
            for step in 0..20_000u64 {
                if step == 2 * burst {
                    assert_eq!(allowed, burst, "all of a burst is let through at once, and no more");
                }
                if step > 2 * burst {
                    now.0 += period_s * 1_000 / count / 2;
                }
                if now > END {
                    break;
                }
                if let Verdict::Allowed { state: next, .. } = limit.ask(state, now) {
                    (state, allowed) = (next, allowed + 1);
                }
                expected += u64::from(exact.ask(now).is_ok());
                assert!(allowed <= expected, "{burst} {count} {period_s}: {allowed} of {expected} at step {step}");
            }
            let is_whole = (period_s * SECOND).is_multiple_of(count);
            assert!(!is_whole || allowed == expected, "{burst} {count} {period_s}: {allowed} of {expected}");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_denies_nobody_for_long() {
        let limit = Rate::new(1, 60).with_burst(3);
        let mut state = State::default();
        for remaining in [2, 1, 0] {
            let verdict = limit.ask(state, NOW);
            let Verdict::Allowed { state: next, remaining: found } = verdict else { panic!("{verdict:?}") };
            assert_eq!(found, remaining);
            state = next;
        }
        let denied = |ms: u64| Verdict::Denied { retry_after_ms: ms };
        assert_eq!(limit.ask(state, NOW), denied(60_000));
        assert_eq!(limit.ask(state, Millis(NOW.0 + 59_999)), denied(1));
        assert!(matches!(limit.ask(state, Millis(NOW.0 - 1)), Verdict::Allowed { remaining: 2, .. }));
        // What is rounded to seconds is noticed a little later.
        let limit = Rate::new(10, 60).with_burst(1);
        let Verdict::Allowed { state, .. } = limit.ask(State::default(), NOW) else {
            panic!("the first is let through")
        };
        let state = State { arrival_ns: state.arrival_ns - SECOND / 2, ..state };
        assert_eq!(limit.ask(state, Millis(NOW.0 - 500)), denied(6_000));
        assert!(matches!(limit.ask(state, Millis(NOW.0 - 501)), Verdict::Allowed { remaining: 0, .. }));
    }

    #[test]
    fn what_others_wrote_denies_nobody() {
        let limit = Rate::new(1, 1).with_burst(1);
        for arrival_ns in [0, 7, i64::MAX as u64, u64::MAX] {
            let verdict = limit.ask(State { arrival_ns, ahead_s: 0 }, NOW);
            assert!(matches!(verdict, Verdict::Allowed { remaining: 0, .. }), "{arrival_ns}");
        }
        let state = State { arrival_ns: u64::MAX, ahead_s: u32::MAX };
        assert!(matches!(limit.ask(state, Millis(u64::MAX)), Verdict::Allowed { .. }));
    }

    #[test]
    fn a_smaller_burst_leaves_some_for_a_larger_one() {
        let rate = Rate::new(1, 1);
        let (small, large) = (rate.with_burst(2), rate.with_burst(5));
        let mut state = State::default();
        let mut counts = (0, 0);
        for _ in 0..10 {
            if let Verdict::Allowed { state: next, .. } = small.ask(state, NOW) {
                (state, counts.0) = (next, counts.0 + 1);
            }
        }
        for _ in 0..10 {
            if let Verdict::Allowed { state: next, .. } = large.ask(state, NOW) {
                (state, counts.1) = (next, counts.1 + 1);
            }
            assert!(matches!(small.ask(state, NOW), Verdict::Denied { .. }));
        }
        assert_eq!(counts, (2, 3));
    }

    #[test]
    fn bursts_have_a_bound() {
        assert_eq!(Rate::new(1, YEAR_S).burst_max(), 100);
        assert_eq!(Rate::new(1_000_000_000, 1).burst_max(), BURST_NS_MAX);
        assert_eq!(Rate::new(999_999_999, 1).burst_max(), BURST_NS_MAX / 2);
    }
}
