//! When the log is synced, and which replies wait for it.
//!
//! Under `appendfsync always` nothing leaves a thread that a power cut could undo. All that a turn wrote while the log
//! has something that is not durable waits for the number the log had come to by the end of the turn: reads too, since
//! they may show what is not durable. Replies to this thread's clients wait at their connections
//! ([`Held`](crate::reactor::held::Held)), answers for clients of other threads in the
//! [`Post`](crate::router::post::Post); a reply that came from another shard has waited there.
//!
//! ```text
//! turn 1   SET a 1: reply held until 5      sync of 1..5 begins
//! turn 2   SET b 2: reply held until 6      (in flight)
//! turn 3   GET a:   reply held until 6      it ends: reply of turn 1 leaves; sync of 6 begins
//! turn 4                                    it ends: the others leave
//! ```
//!
//! With another policy nothing is held, but what is held already goes on waiting, and a sync is made for it.

use std::os::fd::AsRawFd;

use locksley_engine::Lsn;
use rustix::io::Errno;

use super::desk::Desk;
use super::reactor::Reactor;
use crate::config::FsyncPolicy;
use crate::observe::clock::Nanos;
use crate::observe::events::Event;
use crate::persist::sync::{Step, Wants, fail, finish};
use crate::reactor::connection::State;

/// Replies that a turn held back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldSince {
    until: Lsn,
    at: Nanos,
    /// Connections and other threads that they are for.
    count: u64,
}

impl Desk {
    /// Counts how long replies waited for the log that wait no longer now that it is durable up to `durable`.
    fn count_held(&mut self, durable: Lsn) {
        let now = self.thread.counters.now();
        while let Some(held) = self.held_since.pop_front_if(|held| held.until <= durable) {
            self.thread.counters.stages.log.record(now.0.saturating_sub(held.at.0), held.count);
        }
    }

    /// Decides whether replies of the turn that begins may have to wait.
    #[inline]
    pub(super) fn begin_holding(&mut self) {
        let config = &self.thread.config;
        let is_wanted = config.appendonly && config.appendfsync == FsyncPolicy::Always;
        let is_holding = is_wanted || self.is_awaiting_sync();
        if is_holding != self.is_holding {
            self.is_holding = is_holding;
            self.thread.shared.persist.want_zeros_durable(is_wanted);
            self.post.set_holding(is_holding);
        }
    }

    /// Whether replies wait for the log.
    #[inline]
    pub(super) fn is_awaiting_sync(&self) -> bool {
        !self.holding.is_empty() || self.post.is_waiting()
    }

    /// Keeps back what this turn wrote that may show changes which are not durable.
    pub(super) fn hold(&mut self) {
        let is_wanted = self.thread.config.appendfsync == FsyncPolicy::Always;
        let log = self.thread.shard.log().filter(|log| is_wanted && log.needs_sync());
        let until = log.map(|_| self.thread.shard.last_lsn());
        let dirty = std::mem::take(&mut self.dirty);
        let mut held_count = 0;
        for slot in &dirty {
            let connection = self.connections.get(*slot);
            let is_tainted = connection.state.contains(State::TAINTED);
            connection.state.remove(State::TAINTED);
            let was_empty = connection.held.is_empty();
            let until = until.filter(|_| is_tainted);
            held_count += u64::from(until.is_some());
            if until.is_some() || !was_empty {
                let free_bytes = connection.free_bytes.min(connection.output.len());
                connection.held.take(&mut connection.output, free_bytes, until.unwrap_or_default());
                if was_empty && !connection.held.is_empty() {
                    self.holding.push(*slot);
                }
            }
            connection.free_bytes = connection.output.len();
        }
        self.dirty = dirty;
        held_count += self.post.hold(until);
        if let Some(until) = until.filter(|_| held_count > 0) {
            self.held_since.push_back(HeldSince { until, at: self.thread.counters.timed_until(), count: held_count });
        }
    }

    /// Lets go what waited for the log to be durable up to `durable`.
    pub(super) fn release(&mut self, durable: Lsn) {
        self.post.release(durable);
        self.count_held(durable);
        let mut holding = std::mem::take(&mut self.holding);
        holding.retain(|slot| {
            let connection = self.connections.get(*slot);
            if connection.held.is_empty() {
                return false;
            }
            if connection.held.release(durable, &mut connection.output) {
                connection.free_bytes = connection.output.len();
                self.unstall |= connection.state.contains(State::STALLED);
                self.mark_dirty(*slot);
            }
            !self.connections.get(*slot).held.is_empty()
        });
        self.holding = holding;
    }
}

impl Reactor {
    /// Begins a sync of the log if one is due.
    #[inline]
    pub(super) fn begin_sync(&mut self) {
        let is_awaited = self.desk.is_awaiting_sync();
        let thread = &mut self.desk.thread;
        let Some(log) = thread.shard.log_mut() else {
            if is_awaited && !self.syncs.is_in_flight() {
                // The log was closed, which made all of it durable.
                self.desk.release(Lsn(u64::MAX));
            }
            return;
        };
        let request_count = thread.shared.persist.sync_wish();
        let wants = Wants { policy: thread.config.appendfsync, is_awaited, request_count };
        if let Some(sequence) = self.syncs.begin(log, wants, thread.now) {
            self.sync_segment(sequence);
        }
    }

    fn sync_segment(&mut self, sequence: u64) {
        let local = &mut self.desk.thread.persist;
        local.is_sync_in_flight = true;
        self.ring.sync(local.descriptor(sequence).as_raw_fd(), sequence as u32);
    }

    /// A segment is synced, or cannot be.
    pub(super) fn synced(&mut self, tag: u32, error: Option<Errno>) {
        if let Some(error) = error {
            fail(error);
        }
        let (lsn, micros) = match self.syncs.ended(tag) {
            Step::Next(sequence) => return self.sync_segment(sequence),
            Step::Durable { lsn, micros } => (lsn, micros),
        };
        let thread = &mut self.desk.thread;
        thread.persist.is_sync_in_flight = false;
        let log = thread.shard.log_mut().expect("a log is kept as long as it is being synced");
        log.end_sync(lsn);
        let is_all = !log.needs_sync();
        thread.persist.mark(&mut thread.shard, lsn);
        thread.persist.publish(&thread.shard);
        thread.shared.persist.shards()[usize::from(thread.id.0)].note_sync(micros);
        thread.note_moment(Event::LogSync, micros / 1_000);
        self.desk.release(if is_all { Lsn(u64::MAX) } else { lsn });
        // Clients of other threads may wait for this one's log.
        let wish = self.desk.thread.shared.persist.sync_wish();
        self.is_sync_to_tell |= std::mem::replace(&mut self.sync_wish, wish) != wish;
    }

    /// Ends the log of a stopping server: with its last record, durable.
    pub(super) fn end_log(&mut self) {
        let thread = &mut self.desk.thread;
        if let Some(mut log) = thread.shard.close_log() {
            finish(&mut log, |sequence| thread.persist.descriptor(sequence));
        }
    }
}
