//! What a turn took, and what of it is told: a reading of the clock a turn and one a batch, beside those of the commands.
//!
//! ```text
//! wait ─▶ [turn begins: timing starts] ─▶ batches ─▶ settled ─▶ background work ─▶ log, snapshot ─▶ [turn ends] ─▶ wait
//! ```
//!
//! What arrived while a turn was under way waits from then on, which the kernel does not tell; so if something is there
//! when the turn ends, the next turn's requests count as waiting since this one began. Else they came when the thread was
//! woken, or while the kernel sent.
//!
//! Background work is looked at closer only when it did something: then the clock is read once more.

use locksley_engine::ShardStats;

use super::reactor::Reactor;
use crate::observe::clock::Nanos;
use crate::observe::events::Event;
use crate::persist::Pace;
use crate::thread::Thread;

/// Where the turns of a loop stand.
#[derive(Debug, Default)]
pub(super) struct Timing {
    /// When this turn began.
    began: Nanos,
    /// Since when the requests of this turn count as waiting.
    queued_since: Nanos,
    /// Something had arrived when the turn before ended.
    has_arrived: bool,
}

impl Timing {
    /// Notes that a turn began when timing started; none of its commands has run.
    #[inline]
    pub(super) fn begin(&mut self, thread: &Thread) {
        let began = thread.counters.timed_until();
        self.queued_since = if self.has_arrived { self.began } else { began };
        self.began = began;
    }

    /// Counts how long `count` requests waited whose batch begins now.
    #[inline]
    pub(super) fn begin_batch(&self, thread: &mut Thread, count: usize) {
        let waited = thread.counters.now().0.saturating_sub(self.queued_since.0);
        thread.counters.stages.queue.record(waited, count as u64);
    }

    /// Notes that the turn is over, and whether something has arrived meanwhile.
    #[inline]
    pub(super) fn end(&mut self, thread: &mut Thread, has_arrived: bool) {
        self.has_arrived = has_arrived;
        let took = Nanos(thread.counters.now().0.saturating_sub(self.began.0));
        thread.counters.load.note_turn(took, thread.now);
        if took.0 >= NOTED_NANOS_MIN {
            thread.note_moment(Event::LoopStall, took.0 / 1_000_000);
        }
    }
}

/// What is shorter is no event, whatever the threshold.
const NOTED_NANOS_MIN: u64 = 1_000_000;

/// Notes what background work did if it took long, the shard having counted `before` until then.
#[cold]
pub(super) fn note_work(thread: &mut Thread, before: &ShardStats) {
    let millis = thread.counters.now().0.saturating_sub(thread.counters.timed_until().0) / 1_000_000;
    if millis == 0 {
        return;
    }
    let after = thread.shard.stats();
    if after.evicted > before.evicted {
        thread.note_moment(Event::EvictionCycle, millis);
    } else if after.expired > before.expired {
        thread.note_moment(Event::ExpireCycle, millis);
    }
    thread.note_growth(millis);
}

impl Reactor {
    /// The thread's part of log, snapshot and loading; a step of either of the latter that takes long is noted.
    pub(super) fn end_turn_of_log(&mut self, pace: Pace) {
        let thread = &mut self.desk.thread;
        let (is_walking, is_loading) = (thread.persist.has_work(), thread.is_loading);
        if !is_walking {
            return thread.persist.end_turn(&mut thread.shard, &thread.config, pace);
        }
        let start = thread.counters.now();
        thread.persist.end_turn(&mut thread.shard, &thread.config, pace);
        let took = thread.counters.now().0.saturating_sub(start.0);
        if took >= NOTED_NANOS_MIN && !is_loading {
            thread.note_moment(Event::SnapshotStep, took / 1_000_000);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::Rig;

    #[test]
    fn what_arrived_during_a_turn_waits_since_it_began() {
        let mut rig = Rig::new(1);
        let thread = &mut rig.threads[0];
        let mut timing = Timing::default();
        let mut turn = |has_arrived| {
            thread.counters.start_timing();
            timing.begin(thread);
            let (began, since) = (timing.began, timing.queued_since);
            timing.begin_batch(thread, 3);
            timing.end(thread, has_arrived);
            (began, since)
        };
        let (first, since) = turn(true);
        assert_eq!(since, first, "who is woken looks at what came just now");
        let (second, since) = turn(false);
        assert_eq!(since, first);
        let (third, since) = turn(false);
        assert_eq!(since, third);
        assert!(first < second && second < third);
        assert_eq!((thread.counters.load.turns, thread.counters.stages.queue.histogram.count()), (3, 9));
    }
}
