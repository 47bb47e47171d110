//! Time as a client thread sees it, and the even intervals of an open loop.

use std::time::{Duration, Instant};

/// A moment, or a span of time, in nanoseconds since a thread's clock began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Nanos(pub(crate) u64);

impl Nanos {
    /// How much later this is than `earlier`; nothing if it is not.
    #[inline]
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

/// A clock of one thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that begins now.
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The present moment.
    #[inline]
    pub(crate) fn now(&self) -> Nanos {
        Nanos(self.start.elapsed().as_nanos() as u64)
    }
}

/// When the requests of an open loop are due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    interval_ns: f64,
    issued_count: u64,
}

impl Schedule {
    /// So many requests a second, from the start of the clock.
    pub(crate) fn new(rate: f64) -> Self {
        Self { interval_ns: 1e9 / rate, issued_count: 0 }
    }

    /// When the next request is due.
    #[inline]
    pub(crate) fn next_due(&self) -> Nanos {
        Nanos((self.issued_count as f64 * self.interval_ns) as u64)
    }

    /// Counts the next request as issued.
    #[inline]
    pub(crate) fn advance(&mut self) {
        self.issued_count += 1;
    }

    /// How long to wait for the next request from `now` on.
    pub(crate) fn wait(&self, now: Nanos) -> Duration {
        Duration::from_nanos(self.next_due().since(now).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_fall_due_at_even_intervals() {
        let mut schedule = Schedule::new(1_000.0);
        assert_eq!(schedule.next_due(), Nanos(0));
        schedule.advance();
        schedule.advance();
        assert_eq!(schedule.next_due(), Nanos(2_000_000));
        assert_eq!(schedule.wait(Nanos(500_000)), Duration::from_micros(1_500));
        assert_eq!(schedule.wait(Nanos(9_000_000)), Duration::ZERO);
    }
}
