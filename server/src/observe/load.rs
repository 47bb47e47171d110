//! How busy a thread is: its turns and how long they took, and what it does for other threads.
//!
//! A turn counts from when the thread is back from the kernel until it goes there again. What the kernel does meanwhile
//! on behalf of the thread, above all sending, is not in it: that is in the thread's processor time, which the kernel
//! counts ([`processor_time`]).
//!
//! The longest turn of late is found in two windows that take turns, so that nothing has to be remembered of the turns
//! between: it looks back between [`WINDOW_MS`] and twice as far.

use locksley_engine::Millis;
use rustix::time::{ClockId, clock_gettime};

use super::clock::Nanos;

/// Milliseconds of a window in which the longest turn is looked for.
const WINDOW_MS: u64 = 30_000;

/// What one thread did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// Turns of its loop.
    pub turns: u64,
    /// Times it was woken from sleep.
    pub wake_ups: u64,
    /// Nanoseconds of all turns.
    pub busy_nanos: u64,
    /// Requests of its clients that it sent to other shards, parts of requests included.
    pub hops_sent: u64,
    /// Requests of other threads' clients that it answered, parts of requests included.
    pub hops_answered: u64,
    /// Connections that it took over from threads that were stalled.
    pub takeovers: u64,
    /// Surveys of its clients that were answered without a part of every shard.
    pub cut_surveys: u64,
    past_nanos_max: u64,
    window_ends_at: Millis,
    window_nanos_max: u64,
    window_before_nanos_max: u64,
}

impl Load {
    /// Counts a turn that ended, and began at `now`.
    #[inline]
    pub(crate) fn note_turn(&mut self, took: Nanos, now: Millis) {
        self.turns += 1;
        self.busy_nanos += took.0;
        self.window_nanos_max = self.window_nanos_max.max(took.0);
        if now >= self.window_ends_at {
            self.change_windows(now);
        }
    }

    /// The longest turn of late, in nanoseconds: of the last 30 to 60 seconds in which there were turns.
    pub(crate) fn recent_turn_nanos_max(&self) -> u64 {
        self.window_nanos_max.max(self.window_before_nanos_max)
    }

    /// The longest turn since the counters were set to zero, in nanoseconds.
    pub(crate) fn turn_nanos_max(&self) -> u64 {
        self.past_nanos_max.max(self.window_nanos_max)
    }

    #[cold]
    fn change_windows(&mut self, now: Millis) {
        self.past_nanos_max = self.turn_nanos_max();
        self.window_before_nanos_max = std::mem::take(&mut self.window_nanos_max);
        self.window_ends_at = Millis(now.0 + WINDOW_MS);
    }
}

/// Processor time of the calling thread so far, the kernel's work on its behalf included.
pub(crate) fn processor_time() -> Nanos {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Nanos(time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_turn_of_late_is_forgotten_and_that_of_all_times_is_not() {
        let mut load = Load::default();
        let seen = |load: &Load| (load.recent_turn_nanos_max(), load.turn_nanos_max());
        load.note_turn(Nanos(7), Millis(1_000_000));
        load.note_turn(Nanos(5), Millis(1_000_000 + WINDOW_MS - 1));
        assert_eq!(seen(&load), (7, 7));
        load.note_turn(Nanos(6), Millis(1_000_000 + WINDOW_MS));
        assert_eq!(seen(&load), (6, 7), "the first turn of all was a window of its own");
        load.note_turn(Nanos(2), Millis(1_000_000 + 2 * WINDOW_MS));
        load.note_turn(Nanos(1), Millis(1_000_000 + 3 * WINDOW_MS));
        assert_eq!(seen(&load), (1, 7));
        assert_eq!((load.turns, load.busy_nanos), (5, 21));
    }

    #[test]
    fn processor_time_goes_on() {
        let start = processor_time();
        while processor_time() == start {
            std::hint::spin_loop();
        }
    }
}
