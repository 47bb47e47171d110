//! Since when each thread is at its turn, for other threads to see.
//!
//! A thread says when a turn begins and that it is over, in a cache line of its own that hardly anybody reads: two plain
//! stores a turn. Who finds that the turn of a thread began long ago knows that it is stalled, as nothing that the
//! thread has to say of itself could tell.

use std::sync::atomic::{AtomicU64, Ordering};

use locksley_engine::Millis;

/// What is written while no turn is under way.
const RESTING: u64 = 0;

/// One thread's.
#[derive(Debug)]
#[repr(align(128))]
struct Pulse(AtomicU64);

/// Those of all threads, none of which is at its turn yet.
#[derive(Debug)]
pub(crate) struct Pulses(Box<[Pulse]>);

impl Pulses {
    /// Pulses of `count` threads.
    pub(crate) fn new(count: u16) -> Pulses {
        Pulses((0..count).map(|_| Pulse(AtomicU64::new(RESTING))).collect())
    }

    /// Says that a turn of thread `index` begins.
    #[inline]
    pub(crate) fn begin(&self, index: u16, now: Millis) {
        self.0[usize::from(index)].0.store(now.0, Ordering::Relaxed);
    }

    /// Says that a turn of thread `index` is over.
    #[inline]
    pub(crate) fn rest(&self, index: u16) {
        self.0[usize::from(index)].0.store(RESTING, Ordering::Relaxed);
    }

    /// When the turn began that thread `index` is at, if it is.
    pub(crate) fn turn_since(&self, index: u16) -> Option<Millis> {
        let since = self.0[usize::from(index)].0.load(Ordering::Relaxed);
        (since != RESTING).then_some(Millis(since))
    }

    /// Milliseconds that thread `index` has been at its turn by `now`; 0 while it rests.
    pub(crate) fn turn_ms(&self, index: u16, now: Millis) -> u64 {
        self.turn_since(index).map_or(0, |since| now.0.saturating_sub(since.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_seen_until_it_is_over() {
        let pulses = Pulses::new(2);
        pulses.begin(1, Millis(1_000));
        assert_eq!([0, 1].map(|index| pulses.turn_ms(index, Millis(1_700))), [0, 700]);
        assert_eq!(pulses.turn_ms(1, Millis(900)), 0, "the clock was set back");
        pulses.rest(1);
        assert_eq!(pulses.turn_ms(1, Millis(1_700)), 0);
    }
}
