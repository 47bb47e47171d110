//! The access bits: what an entry remembers of its uses.
//!
//! There is room for 18 bits in the header of an entry, and the policy in force decides what they mean:
//!
//! ```text
//!            bit 17                                   0
//! recency    | tick: 18                               |   LRU, random, TTL, FIFO, noeviction
//! queues     | time: 15            | main: 1 | uses: 2 |   S3-FIFO
//! frequency  | time: 10            | counter: 8       |   LFU
//! ```
//!
//! A tick is one of `clock.rs`. The time of S3-FIFO counts 16,384 ms and wraps after 6.2 days, that of LFU counts two
//! minutes and wraps after 34 hours: an entry idle for longer looks younger than it is, and so the units are long rather
//! than the bits many. After a change of policy the bits that entries have mean nothing until they are used
//! again, which costs a wrong guess and no more.
//!
//! Source: the counter is the one described in the Redis documentation, "Key eviction", "The new LFU mode".

use super::clock::{Clock, TICK_BITS};
use crate::policy::Policy;
use crate::time::Millis;

/// Bits of a header that belong to the policy.
pub(crate) const ACCESS_BITS: u32 = 18;

const ACCESS_MASK: u32 = (1 << ACCESS_BITS) - 1;

/// log2 of the milliseconds that the time of S3-FIFO counts.
const TIME_SHIFT: u32 = 14;

/// The most uses that S3-FIFO counts.
const USES_MAX: u32 = 3;

/// The bit of entries that have left the small queue.
const MAIN: u32 = 4;

/// Bits below the time of S3-FIFO.
const QUEUE_BITS: u32 = 3;

const TIME_MASK: u32 = ACCESS_MASK >> QUEUE_BITS;

/// The counter of a new entry: enough to outlive the next evictions.
const COUNTER_START: u32 = 5;

const COUNTER_BITS: u32 = 8;
const COUNTER_MAX: u32 = (1 << COUNTER_BITS) - 1;

/// Minutes that the time of LFU counts as one.
const PERIOD_MINUTES: u32 = 2;

const PERIOD_MASK: u32 = ACCESS_MASK >> COUNTER_BITS;

const _: () = assert!(TICK_BITS == ACCESS_BITS);

/// What the bits mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// When the entry was last used.
    Recency,
    /// How often it was used since S3-FIFO last looked, in which queue it is, and roughly when it was used.
    Queues,
    /// How often it was used, as a logarithm that decays.
    Frequency {
        /// The higher, the more uses a step takes.
        log_factor: u32,
        /// Minutes after which an unused counter loses one; 0: never.
        decay_minutes: u32,
    },
}

impl Meaning {
    pub(super) fn of(policy: Policy, log_factor: u32, decay_minutes: u32) -> Meaning {
        match policy {
            Policy::AllkeysS3fifo => Meaning::Queues,
            Policy::AllkeysLfu | Policy::VolatileLfu => Meaning::Frequency { log_factor, decay_minutes },
            _ => Meaning::Recency,
        }
    }

    /// The bits of a new entry.
    #[inline]
    pub(super) fn born(self, now: Millis, clock: &mut Clock) -> u32 {
        match self {
            Meaning::Recency => clock.tick(now),
            Meaning::Queues => time(now) << QUEUE_BITS,
            Meaning::Frequency { .. } => (period(now) << COUNTER_BITS) | COUNTER_START,
        }
    }

    /// The bits after one more use; `random` is drawn only if chance decides.
    #[inline]
    pub(super) fn touched(self, access: u32, now: Millis, clock: &mut Clock, random: impl FnOnce() -> u64) -> u32 {
        match self {
            Meaning::Recency => clock.tick(now),
            Meaning::Queues => (time(now) << QUEUE_BITS) | (access & MAIN) | (uses(access) + 1).min(USES_MAX),
            Meaning::Frequency { log_factor, .. } => {
                let counter = self.counter(access, now);
                let one_in = u64::from(counter.saturating_sub(COUNTER_START)) * u64::from(log_factor) + 1;
                let step = u32::from(counter < COUNTER_MAX && random().is_multiple_of(one_in));
                (period(now) << COUNTER_BITS) | (counter + step)
            }
        }
    }

    /// The counter of the LFU policies at `now`; 0 under others.
    #[inline]
    pub(super) fn counter(self, access: u32, now: Millis) -> u32 {
        let Meaning::Frequency { decay_minutes, .. } = self else { return 0 };
        (access & COUNTER_MAX).saturating_sub(idle_minutes(access, now).checked_div(decay_minutes).unwrap_or(0))
    }

    /// Milliseconds since the last use, as far as the bits tell.
    #[inline]
    pub(super) fn idle_ms(self, access: u32, now: Millis, clock: &Clock) -> u64 {
        match self {
            Meaning::Recency => clock.idle_ms(access, now),
            Meaning::Queues => {
                let units = time(now).wrapping_sub(access >> QUEUE_BITS) & TIME_MASK;
                u64::from(units) << TIME_SHIFT
            }
            Meaning::Frequency { .. } => u64::from(idle_minutes(access, now)) * 60_000,
        }
    }
}

/// LFU: minutes since the counter's last change, an even number.
pub(super) fn idle_minutes(access: u32, now: Millis) -> u32 {
    (period(now).wrapping_sub(access >> COUNTER_BITS) & PERIOD_MASK) * PERIOD_MINUTES
}

/// Recency: ticks since the last use, the clock standing at `tick`.
#[inline]
pub(super) fn idle_ticks(access: u32, tick: u32) -> u32 {
    tick.wrapping_sub(access) & ACCESS_MASK
}

/// S3-FIFO: uses since the policy last looked, 0 to 3.
#[inline]
pub(super) fn uses(access: u32) -> u32 {
    access & USES_MAX
}

/// S3-FIFO: the bits with one use less.
#[inline]
pub(super) fn less_used(access: u32) -> u32 {
    debug_assert!(uses(access) > 0);
    access - 1
}

/// S3-FIFO: whether the entry is in the main queue.
#[inline]
pub(super) fn is_main(access: u32) -> bool {
    access & MAIN != 0
}

/// S3-FIFO: the bits of an entry that enters the main queue, unused there.
#[inline]
pub(super) fn into_main(access: u32) -> u32 {
    (access & !USES_MAX) | MAIN
}

#[inline]
fn time(now: Millis) -> u32 {
    (now.0 >> TIME_SHIFT) as u32 & TIME_MASK
}

#[inline]
fn period(now: Millis) -> u32 {
    (now.0 / (60_000 * u64::from(PERIOD_MINUTES))) as u32 & PERIOD_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    const LFU: Meaning = Meaning::Frequency { log_factor: 10, decay_minutes: 1 };

    #[test]
    fn every_meaning_fits_the_bits() {
        for meaning in [Meaning::Recency, Meaning::Queues, LFU] {
            for now in [0, 1 << 20, 1_700_000_000_000, u64::MAX] {
                let mut clock = Clock::new();
                let mut access = meaning.born(Millis(now), &mut clock);
                for draw in 0..1000 {
                    assert!(access <= ACCESS_MASK);
                    access = meaning.touched(access, Millis(now), &mut clock, || draw);
                }
                assert_eq!(meaning.idle_ms(access, Millis(now), &clock), 0);
            }
        }
    }

    #[test]
    fn idle_time_grows_until_the_clock_wraps() {
        let start = Millis(1_700_000_000_000);
        for (meaning, precision) in [(Meaning::Recency, 2048), (Meaning::Queues, 16_384), (LFU, 120_000)] {
            let mut clock = Clock::new();
            let access = meaning.born(start, &mut clock);
            for idle in [0, 100_000, 3_600_000, 24 * 3_600_000] {
                let shown = meaning.idle_ms(access, Millis(start.0 + idle), &clock);
                assert!(shown.abs_diff(idle) <= precision, "{meaning:?}: {idle} ms show as {shown}");
            }
        }
    }

    #[test]
    fn uses_saturate_and_leave_the_queue_alone() {
        let now = Millis(1_700_000_000_000);
        let mut clock = Clock::new();
        let mut access = into_main(Meaning::Queues.born(now, &mut clock));
        for expected in [1, 2, 3, 3] {
            access = Meaning::Queues.touched(access, now, &mut clock, || 0);
            assert_eq!((uses(access), is_main(access)), (expected, true));
        }
        assert_eq!(uses(less_used(access)), 2);
        assert_eq!(uses(into_main(access)), 0);
        assert!(!is_main(Meaning::Queues.born(now, &mut clock)));
    }

    #[test]
    fn counters_grow_with_the_logarithm_of_uses_and_decay() {
        let (mut random, mut clock) = (1_u64, Clock::new());
        let mut counter_after = |uses: u32| {
            let mut access = LFU.born(Millis(0), &mut Clock::new());
            for _ in 0..uses {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                access = LFU.touched(access, Millis(0), &mut clock, || random >> 33);
            }
            access
        };
        let access = counter_after(1000);
        let counter = LFU.counter(access, Millis(0));
        assert!((12..30).contains(&counter), "1,000 uses count as {counter}");
        assert!(LFU.counter(counter_after(100_000), Millis(0)) > 3 * counter);
        assert_eq!(LFU.counter(access, Millis(4 * 60_000)), counter - 4);
        assert_eq!(LFU.counter(access, Millis(600 * 60_000)), 0);
        assert_eq!(LFU.counter(LFU.born(Millis(0), &mut Clock::new()), Millis(0)), COUNTER_START);
    }
}
