//! The access bits: what an entry remembers of its uses.
//!
//! There is room for 19 bits in the header of an entry, and the policy in force decides what they mean:
//!
//! ```text
//!            bit 18                                    0
//! recency    | clock: 19                               |   LRU, random, TTL, FIFO, noeviction
//! queues     | clock / 8: 16        | main: 1 | uses: 2 |   S3-FIFO
//! frequency  | minute: 11           | counter: 8       |   LFU
//! ```
//!
//! The clock counts units of 1,024 ms and wraps after 6.2 days; an entry idle for longer looks younger than
//! it is, which costs a policy one wrong guess. After a change of policy the bits that entries have mean
//! nothing until they are used again: wrong guesses again, and no more than that.
//!
//! Source: the counter is the one described in the Redis documentation, "Key eviction", "The new LFU mode".

use crate::policy::Policy;
use crate::time::Millis;

/// Bits of a header that belong to the policy.
pub(crate) const ACCESS_BITS: u32 = 19;

const ACCESS_MASK: u32 = (1 << ACCESS_BITS) - 1;

/// log2 of the milliseconds of a clock unit.
const CLOCK_SHIFT: u32 = 10;

/// The most uses that S3-FIFO counts.
const USES_MAX: u32 = 3;

/// The bit of entries that have left the small queue.
const MAIN: u32 = 4;

/// Bits below the clock of S3-FIFO.
const QUEUE_BITS: u32 = 3;

/// log2 of the clock units that the clock of S3-FIFO counts.
const QUEUE_CLOCK_SHIFT: u32 = 3;

/// The counter of a new entry: enough to outlive the next evictions.
const COUNTER_START: u32 = 5;

const COUNTER_BITS: u32 = 8;
const COUNTER_MAX: u32 = (1 << COUNTER_BITS) - 1;
const MINUTE_MASK: u32 = ACCESS_MASK >> COUNTER_BITS;

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
    pub(super) fn born(self, now: Millis) -> u32 {
        match self {
            Meaning::Recency => clock(now) & ACCESS_MASK,
            Meaning::Queues => queue_clock(now),
            Meaning::Frequency { .. } => (minute(now) << COUNTER_BITS) | COUNTER_START,
        }
    }

    /// The bits after one more use; `random` is drawn only if chance decides.
    #[inline]
    pub(super) fn touched(self, access: u32, now: Millis, random: impl FnOnce() -> u64) -> u32 {
        match self {
            Meaning::Recency => clock(now) & ACCESS_MASK,
            Meaning::Queues => queue_clock(now) | (access & MAIN) | (uses(access) + 1).min(USES_MAX),
            Meaning::Frequency { log_factor, .. } => {
                let counter = self.counter(access, now);
                let one_in = u64::from(counter.saturating_sub(COUNTER_START)) * u64::from(log_factor) + 1;
                let step = u32::from(counter < COUNTER_MAX && random().is_multiple_of(one_in));
                (minute(now) << COUNTER_BITS) | (counter + step)
            }
        }
    }

    /// The counter of the LFU policies at `now`; 0 under others.
    pub(super) fn counter(self, access: u32, now: Millis) -> u32 {
        let Meaning::Frequency { decay_minutes, .. } = self else { return 0 };
        let minutes = minute(now).wrapping_sub(access >> COUNTER_BITS) & MINUTE_MASK;
        (access & COUNTER_MAX).saturating_sub(minutes.checked_div(decay_minutes).unwrap_or(0))
    }

    /// Milliseconds since the last use, as far as the bits tell.
    pub(super) fn idle_ms(self, access: u32, now: Millis) -> u64 {
        let units = match self {
            Meaning::Recency => idle_units(access, now),
            Meaning::Queues => {
                let before = access >> QUEUE_BITS;
                let units = (queue_clock(now) >> QUEUE_BITS).wrapping_sub(before) & (ACCESS_MASK >> QUEUE_BITS);
                units << QUEUE_CLOCK_SHIFT
            }
            Meaning::Frequency { .. } => {
                let minutes = minute(now).wrapping_sub(access >> COUNTER_BITS) & MINUTE_MASK;
                return u64::from(minutes) * 60_000;
            }
        };
        u64::from(units) << CLOCK_SHIFT
    }
}

/// Recency: clock units since the last use.
#[inline]
pub(super) fn idle_units(access: u32, now: Millis) -> u32 {
    clock(now).wrapping_sub(access) & ACCESS_MASK
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
fn clock(now: Millis) -> u32 {
    (now.0 >> CLOCK_SHIFT) as u32
}

/// The clock in its place above the queue bits.
#[inline]
fn queue_clock(now: Millis) -> u32 {
    ((clock(now) >> QUEUE_CLOCK_SHIFT) << QUEUE_BITS) & ACCESS_MASK
}

#[inline]
fn minute(now: Millis) -> u32 {
    (now.0 / 60_000) as u32 & MINUTE_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    const LFU: Meaning = Meaning::Frequency { log_factor: 10, decay_minutes: 1 };

    #[test]
    fn every_meaning_fits_the_bits() {
        for meaning in [Meaning::Recency, Meaning::Queues, LFU] {
            for now in [0, 1 << 20, 1_700_000_000_000, u64::MAX] {
                let mut access = meaning.born(Millis(now));
                for draw in 0..1000 {
                    assert!(access <= ACCESS_MASK);
                    access = meaning.touched(access, Millis(now), || draw);
                }
                assert_eq!(meaning.idle_ms(access, Millis(now)), 0);
            }
        }
    }

    #[test]
    fn idle_time_grows_until_the_clock_wraps() {
        let start = Millis(1_700_000_000_000);
        for (meaning, precision) in [(Meaning::Recency, 1024), (Meaning::Queues, 8192), (LFU, 60_000)] {
            let access = meaning.born(start);
            for idle in [0, 100_000, 3_600_000, 24 * 3_600_000] {
                let shown = meaning.idle_ms(access, Millis(start.0 + idle));
                assert!(shown.abs_diff(idle) <= precision, "{meaning:?}: {idle} ms show as {shown}");
            }
        }
    }

    #[test]
    fn uses_saturate_and_leave_the_queue_alone() {
        let now = Millis(1_700_000_000_000);
        let mut access = into_main(Meaning::Queues.born(now));
        for expected in [1, 2, 3, 3] {
            access = Meaning::Queues.touched(access, now, || 0);
            assert_eq!((uses(access), is_main(access)), (expected, true));
        }
        assert_eq!(uses(less_used(access)), 2);
        assert_eq!(uses(into_main(access)), 0);
        assert!(!is_main(Meaning::Queues.born(now)));
    }

    #[test]
    fn counters_grow_with_the_logarithm_of_uses_and_decay() {
        let mut random = 1_u64;
        let mut counter_after = |uses: u32| {
            let mut access = LFU.born(Millis(0));
            for _ in 0..uses {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                access = LFU.touched(access, Millis(0), || random >> 33);
            }
            access
        };
        let access = counter_after(1000);
        let counter = LFU.counter(access, Millis(0));
        assert!((12..30).contains(&counter), "1,000 uses count as {counter}");
        assert!(LFU.counter(counter_after(100_000), Millis(0)) > 3 * counter);
        assert_eq!(LFU.counter(access, Millis(3 * 60_000)), counter - 3);
        assert_eq!(LFU.counter(access, Millis(600 * 60_000)), 0);
        assert_eq!(LFU.counter(LFU.born(Millis(0)), Millis(0)), COUNTER_START);
    }
}
