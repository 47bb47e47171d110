//! The access bits: what an entry remembers of its uses, in 19 bits of its header.
//!
//! Every policy needs something else of an entry's past, and the header has room for one thing, so the
//! policy in force decides what the bits mean:
//!
//! ```text
//!             bit 18                                    0
//! recency     [ clock: 19                               ]   LRU, random, TTL, FIFO, noeviction
//! queues      [ clock: 16            | main: 1 | uses: 2 ]   S3-FIFO
//! frequency   [ minute: 11           | counter: 8        ]   LFU
//! ```
//!
//! A clock counts units of 1,024 ms (a shift instead of a division on every read) and wraps after 6.2
//! days with 19 bits and 18.6 hours with 16; an entry idle for longer looks younger than it is, which
//! costs a policy one wrong guess. After a change of policy the bits of old entries mean nothing until
//! they are used again: a wrong guess as well, and never more than that.
//!
//! Source: the LFU counter and its decay are those of the Redis documentation, "Key eviction".

use crate::policy::Policy;
use crate::time::Millis;

/// Bits an entry has for its accesses.
pub(crate) const ACCESS_BITS: u32 = 19;
/// Every access bit set.
pub(crate) const ACCESS_MASK: u32 = (1 << ACCESS_BITS) - 1;

/// Milliseconds of one clock unit, as a shift.
const CLOCK_SHIFT: u32 = 10;
/// Bits of the clock when it shares its room with the S3-FIFO queue bits.
const QUEUE_CLOCK_BITS: u32 = 16;
/// Highest S3-FIFO use count.
const USES_MAX: u32 = 3;
/// The bit that says that an S3-FIFO entry has left the small queue.
const MAIN_BIT: u32 = 1 << 2;
/// Where the S3-FIFO clock begins.
const QUEUE_CLOCK_SHIFT: u32 = 3;
/// Bits of the minute of an LFU counter's last change.
const MINUTE_BITS: u32 = 11;
/// LFU counter of a new entry: above 0, so that it is not the first to go.
pub(crate) const COUNTER_START: u32 = 5;
/// Highest LFU counter.
const COUNTER_MAX: u32 = 255;

const _: () = assert!(QUEUE_CLOCK_BITS + QUEUE_CLOCK_SHIFT == ACCESS_BITS);
const _: () = assert!(MINUTE_BITS + 8 == ACCESS_BITS);

/// What the access bits mean under the policy in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tracking {
    /// When the entry was last used.
    Recency,
    /// How often it was used since the S3-FIFO hand passed, and when.
    Queues,
    /// How often it was used, on a logarithmic scale, with decay.
    Frequency {
        /// The higher, the more accesses a step takes.
        log_factor: u32,
        /// Minutes after which an unused counter loses one; 0 means never.
        decay_minutes: u32,
    },
}

impl Tracking {
    /// What `policy` keeps.
    pub(crate) fn of(policy: Policy, log_factor: u32, decay_minutes: u32) -> Tracking {
        match policy {
            Policy::AllkeysS3fifo => Tracking::Queues,
            Policy::AllkeysLfu | Policy::VolatileLfu => Tracking::Frequency { log_factor, decay_minutes },
            _ => Tracking::Recency,
        }
    }

    /// The bits of an entry written for the first time at `now`.
    #[inline]
    pub(crate) fn born(self, now: Millis) -> u32 {
        match self {
            Tracking::Recency => clock(now) & ACCESS_MASK,
            Tracking::Queues => queue_clock(now) << QUEUE_CLOCK_SHIFT,
            Tracking::Frequency { .. } => (minute(now) << 8) | COUNTER_START,
        }
    }

    /// The bits of an entry that had `access` and is used at `now`; `random` is drawn only when a chance
    /// decides.
    #[inline]
    pub(crate) fn touched(self, access: u32, now: Millis, random: impl FnOnce() -> u64) -> u32 {
        match self {
            Tracking::Recency => clock(now) & ACCESS_MASK,
            Tracking::Queues => {
                let uses = (access & USES_MAX) + u32::from(access & USES_MAX < USES_MAX);
                (queue_clock(now) << QUEUE_CLOCK_SHIFT) | (access & MAIN_BIT) | uses
            }
            Tracking::Frequency { log_factor, .. } => {
                let counter = self.counter(access, now);
                let chance = u64::from(counter.saturating_sub(COUNTER_START)) * u64::from(log_factor) + 1;
                let step = counter < COUNTER_MAX && random().is_multiple_of(chance);
                (minute(now) << 8) | (counter + u32::from(step))
            }
        }
    }

    /// Milliseconds since the last use, to the precision of a clock unit; 0 where only frequency is kept.
    pub(crate) fn idle_ms(self, access: u32, now: Millis) -> u64 {
        let units = match self {
            Tracking::Recency => clock(now).wrapping_sub(access) & ACCESS_MASK,
            Tracking::Queues => {
                queue_clock(now).wrapping_sub(access >> QUEUE_CLOCK_SHIFT) & ((1 << QUEUE_CLOCK_BITS) - 1)
            }
            Tracking::Frequency { .. } => 0,
        };
        u64::from(units) << CLOCK_SHIFT
    }

    /// The LFU counter with its decay up to `now`; under S3-FIFO the use count, else 0.
    #[inline]
    pub(crate) fn counter(self, access: u32, now: Millis) -> u32 {
        match self {
            Tracking::Recency => 0,
            Tracking::Queues => access & USES_MAX,
            Tracking::Frequency { decay_minutes, .. } => {
                let elapsed = minute(now).wrapping_sub(access >> 8) & ((1 << MINUTE_BITS) - 1);
                (access & COUNTER_MAX).saturating_sub(elapsed.checked_div(decay_minutes).unwrap_or(0))
            }
        }
    }
}

/// S3-FIFO: uses since the hand passed last, 0 to 3.
pub(crate) fn uses(access: u32) -> u32 {
    access & USES_MAX
}

/// S3-FIFO: `access` with another use count.
pub(crate) fn with_uses(access: u32, uses: u32) -> u32 {
    debug_assert!(uses <= USES_MAX, "a use count has two bits");
    (access & !USES_MAX) | uses
}

/// S3-FIFO: whether the entry is in the main queue.
pub(crate) fn in_main(access: u32) -> bool {
    access & MAIN_BIT != 0
}

/// S3-FIFO: `access` of an entry that has moved to the main queue.
pub(crate) fn with_main(access: u32) -> u32 {
    access | MAIN_BIT
}

/// The clock of [`Tracking::Recency`] and, cut shorter, of [`Tracking::Queues`].
#[inline]
fn clock(now: Millis) -> u32 {
    (now.0 >> CLOCK_SHIFT) as u32
}

/// The clock that fits beside the queue bits.
#[inline]
fn queue_clock(now: Millis) -> u32 {
    clock(now) & ((1 << QUEUE_CLOCK_BITS) - 1)
}

/// The minute of an LFU counter.
#[inline]
fn minute(now: Millis) -> u32 {
    (now.0 / 60_000) as u32 & ((1 << MINUTE_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LFU: Tracking = Tracking::Frequency { log_factor: 10, decay_minutes: 1 };

    #[test]
    fn every_meaning_fits_its_bits() {
        for tracking in [Tracking::Recency, Tracking::Queues, LFU] {
            for now in [0, 1, u64::MAX / 2, u64::MAX] {
                let born = tracking.born(Millis(now));
                let touched = tracking.touched(ACCESS_MASK, Millis(now), || 0);
                assert!(born <= ACCESS_MASK && touched <= ACCESS_MASK, "{tracking:?} at {now}");
            }
        }
    }

    #[test]
    fn use_counts_saturate_and_keep_the_queue() {
        let mut access = with_main(Tracking::Queues.born(Millis(5_000_000)));
        for expected in [1, 2, 3, 3, 3] {
            access = Tracking::Queues.touched(access, Millis(5_000_000), || 0);
            assert_eq!(uses(access), expected);
        }
        assert!(in_main(access));
        assert_eq!(uses(with_uses(access, 1)), 1);
    }

    #[test]
    fn idle_time_counts_from_the_last_use() {
        for tracking in [Tracking::Recency, Tracking::Queues] {
            let start = Millis(1_700_000_000_000);
            let access = tracking.born(start);
            assert!(tracking.idle_ms(access, start) < 1024);
            let later = Millis(start.0 + 3_600_000);
            assert!(tracking.idle_ms(access, later).abs_diff(3_600_000) <= 1024);
            assert_eq!(tracking.idle_ms(tracking.touched(access, later, || 0), later), 0);
        }
    }

    #[test]
    fn counters_grow_slowly_and_decay() {
        let mut access = LFU.born(Millis(0));
        let mut draws = 0_u64;
        for _ in 0..1000 {
            draws = draws.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            access = LFU.touched(access, Millis(0), || draws >> 33);
        }
        let counter = LFU.counter(access, Millis(0));
        assert!((10..40).contains(&counter), "1000 uses count as {counter}");
        assert_eq!(LFU.counter(access, Millis(3 * 60_000)), counter - 3);
        assert_eq!(LFU.counter(access, Millis(1000 * 60_000)), 0);
    }
}
