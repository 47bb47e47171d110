//! A clock for durations that costs one instruction: the processor's time-stamp counter, where it runs at
//! one rate whatever the core does.
//!
//! Every command is timed, so a reading has to be cheap beside a GET: 12 ns for `rdtsc` against 25 to 40 for
//! `clock_gettime`, each measured in a loop on a virtual machine. The counter's rate is found once a process by
//! comparing it with the system's clock over a few milliseconds; where the processor does not promise a constant
//! rate, the system's clock is read instead.
//!
//! Source: Intel SDM volume 3, 18.17.1 "Invariant TSC" (CPUID leaf 0x80000007, EDX bit 8; AMD defines the same bit).
#![expect(unsafe_code, reason = "reading the time-stamp counter is an intrinsic marked unsafe")]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// An elapsed time in nanoseconds, or an instant since the clock was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Nanos(pub u64);

impl Nanos {
    /// Whole microseconds.
    pub(crate) fn micros(self) -> u64 {
        self.0 / 1_000
    }
}

/// How long the two clocks are compared at start-up: an error of 100 ns in reading them is 25 millionths of it.
const CALIBRATION: Duration = Duration::from_millis(4);

/// Fraction bits of the nanoseconds that a tick takes.
const FRACTION_BITS: u32 = 32;

/// A clock that all threads share by copying it; readings of two threads are not to be compared.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clock {
    /// The time-stamp counter.
    Counter {
        /// Its value when the clock was started.
        ticks_start: u64,
        /// Nanoseconds a tick, in units of 2^-32.
        nanos_per_tick: u64,
    },
    /// The system's monotonic clock.
    System {
        /// When the clock was started.
        start: Instant,
    },
}

impl Clock {
    /// The clock of this process, calibrated at the first call.
    pub(crate) fn of_process() -> Clock {
        static CLOCK: OnceLock<Clock> = OnceLock::new();
        *CLOCK.get_or_init(|| Clock::counter().unwrap_or(Clock::System { start: Instant::now() }))
    }

    /// Nanoseconds since the clock was started.
    #[inline]
    pub(crate) fn now(self) -> Nanos {
        match self {
            Clock::Counter { ticks_start, nanos_per_tick } => {
                let ticks = ticks().saturating_sub(ticks_start);
                Nanos(((u128::from(ticks) * u128::from(nanos_per_tick)) >> FRACTION_BITS) as u64)
            }
            Clock::System { start } => Nanos(start.elapsed().as_nanos() as u64),
        }
    }

    /// The counter's clock, if its rate is constant and plausible.
    fn counter() -> Option<Clock> {
        if !has_constant_rate() {
            return None;
        }
        let (start, ticks_start) = (Instant::now(), ticks());
        while start.elapsed() < CALIBRATION {
            std::hint::spin_loop();
        }
        let (nanos, ticks) = (start.elapsed().as_nanos(), ticks().checked_sub(ticks_start)?);
        let nanos_per_tick = u64::try_from((nanos << FRACTION_BITS) / u128::from(ticks.max(1))).ok()?;
        // From 100 MHz to 20 GHz; anything else is no time-stamp counter.
        let plausible = ((1 << FRACTION_BITS) / 20)..(10 << FRACTION_BITS);
        plausible.contains(&nanos_per_tick).then_some(Clock::Counter { ticks_start, nanos_per_tick })
    }
}

#[cfg(target_arch = "x86_64")]
fn has_constant_rate() -> bool {
    use std::arch::x86_64::__cpuid;
    const POWER_LEAF: u32 = 0x8000_0007;
    __cpuid(0x8000_0000).eax >= POWER_LEAF && __cpuid(POWER_LEAF).edx & (1 << 8) != 0
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and Linux lets programs use it.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn has_constant_rate() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn ticks() -> u64 {
    unreachable!("only a processor with a constant rate is asked for its counter")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_never_before_an_earlier_one() {
        for clock in [Clock::of_process(), Clock::System { start: Instant::now() }] {
            let mut last = clock.now();
            for _ in 0..10_000 {
                let now = clock.now();
                assert!(now >= last, "{now:?} is before {last:?}");
                last = now;
            }
        }
    }

    #[test]
    fn ticks_become_nanoseconds_by_the_calibrated_rate() {
        let half = 1 << (FRACTION_BITS - 1);
        let clock = Clock::Counter { ticks_start: u64::MAX, nanos_per_tick: half };
        assert_eq!(clock.now(), Nanos(0), "a counter behind its start counts as not started");
    }
}
