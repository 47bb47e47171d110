//! When the log of a shard is made durable, and what the disk said.
//!
//! The thread's own ring does the work (`IORING_OP_FSYNC`), so that the shard goes on serving meanwhile; one file is
//! being synced at a time. A sync of the log is one or more files in the order [`Log::begin_sync`] names them.
//!
//! ```text
//!            due                 all files synced
//!   idle ───────────▶ in flight ─────────────────▶ idle: durable up to the number it began with
//!                       │ error
//!                       ▼
//!                    the process ends
//! ```
//!
//! | policy | due |
//! |---|---|
//! | `always` | when something was appended, after a moment for more of it ([`Company`]) |
//! | `everysec` | the same, but a second after the last sync began |
//! | `no` | when a segment is finished |
//! | any | when somebody asked for it, or replies wait for it |
//!
//! Invariants:
//! - Nothing is said to be durable before every sync it needs has succeeded.
//! - After a failed sync there is never a second one: the kernel may have dropped the pages it could not write, and
//!   would report success.
//!
//! Source: fsync(2); Rebello and others, "Can Applications Recover from fsync Failures?" (USENIX ATC 2020).

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use locksley_engine::wal::Log;
use locksley_engine::{Lsn, Millis};
use rustix::io::Errno;

use super::company::Company;
use crate::config::FsyncPolicy;

/// Milliseconds between the beginnings of two syncs under `appendfsync everysec`.
const INTERVAL_MS: u64 = 1_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Syncs {
    in_flight: Option<InFlight>,
    /// When the last sync began.
    began_at: Millis,
    /// Requests that were there when the last sync began.
    answered_count: u64,
    company: Company,
}

#[derive(Debug)]
struct InFlight {
    /// The segment that is being synced.
    sequence: u64,
    /// The segments to be synced after it.
    left: VecDeque<u64>,
    /// Up to where the log will be durable.
    durable: Lsn,
    start: Instant,
}

/// Why a log may have to be synced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wants {
    /// `appendfsync`.
    pub policy: FsyncPolicy,
    /// Whether replies wait for it, whatever the policy is now.
    pub is_awaited: bool,
    /// How often somebody asked for all logs to be durable.
    pub request_count: u64,
}

/// What follows from a segment's being synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The segment of this number is to be synced next.
    Next(u64),
    /// The log is durable.
    Durable {
        /// Up to where.
        lsn: Lsn,
        /// How long it took, in microseconds.
        micros: u64,
    },
}

impl Syncs {
    /// Whether a sync is in flight.
    #[inline]
    pub(crate) fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Begins to sync `log` if that is due at `now`; says which segment comes first.
    #[inline]
    pub(crate) fn begin(&mut self, log: &mut Log, wants: Wants, now: Millis) -> Option<u64> {
        if self.in_flight.is_some() || !log.needs_sync() || !self.is_due(log, wants, now) {
            return None;
        }
        self.answered_count = wants.request_count;
        self.began_at = now;
        let (durable, sequences) = log.begin_sync();
        self.company.began(durable);
        let mut left: VecDeque<u64> = sequences.into();
        let sequence = left.pop_front().expect("what is not durable lies in a segment");
        self.in_flight = Some(InFlight { sequence, left, durable, start: Instant::now() });
        Some(sequence)
    }

    /// When a sync is due that only waits for its time.
    pub(crate) fn due_at(&self, log: &Log, policy: FsyncPolicy) -> Option<Millis> {
        let is_waiting = policy == FsyncPolicy::EverySecond && self.in_flight.is_none() && log.needs_sync();
        is_waiting.then_some(Millis(self.began_at.0 + INTERVAL_MS))
    }

    /// How long a sync that is to begin waits still for changes of other clients: not at all where its patience ran
    /// out since [`Syncs::begin`] was asked, as nothing else may wake the thread to begin it.
    pub(crate) fn waits_for(&self, log: &Log, policy: FsyncPolicy) -> Option<Duration> {
        if policy != FsyncPolicy::Always || self.in_flight.is_some() || !log.needs_sync() {
            return None;
        }
        Some(self.company.wait(log.last_lsn(), Instant::now()).unwrap_or_default())
    }

    /// The segment with the low bits `tag` of its number is synced; the caller has seen to it that a failure ends the
    /// process ([`fail`]).
    ///
    /// # Panics
    /// When that is not the one in flight.
    pub(crate) fn ended(&mut self, tag: u32) -> Step {
        let mut in_flight = self.in_flight.take().expect("what ended was in flight");
        assert_eq!(in_flight.sequence as u32, tag, "one segment is being synced at a time");
        if let Some(next) = in_flight.left.pop_front() {
            self.in_flight = Some(InFlight { sequence: next, ..in_flight });
            return Step::Next(next);
        }
        let InFlight { durable, start, .. } = in_flight;
        let now = Instant::now();
        let took = now.duration_since(start);
        self.company.ended(took, now);
        Step::Durable { lsn: durable, micros: took.as_micros() as u64 }
    }

    /// Whether what is not durable has to become so now.
    fn is_due(&self, log: &Log, wants: Wants, now: Millis) -> bool {
        if wants.request_count != self.answered_count {
            return true;
        }
        match wants.policy {
            FsyncPolicy::Always => self.company.wait(log.last_lsn(), Instant::now()).is_none(),
            _ if wants.is_awaited => true,
            FsyncPolicy::EverySecond => now.0.abs_diff(self.began_at.0) >= INTERVAL_MS,
            FsyncPolicy::No => log.needs_finished_sync(),
        }
    }
}

/// Makes all of a log durable that ended, and waits for it; ends the process if that fails. No sync of the log may be
/// in flight: if that one failed, this one might not be told.
pub(crate) fn finish<'f>(log: &mut Log, file: impl Fn(u64) -> BorrowedFd<'f>) {
    if log.last_lsn() > log.durable_lsn() {
        let (durable, sequences) = log.begin_sync();
        for sequence in sequences {
            rustix::fs::fdatasync(file(sequence)).unwrap_or_else(|error| fail(error));
        }
        log.end_sync(durable);
    }
}

/// Ends the process because the log cannot be made durable: nothing may be acknowledged any more, and asking again
/// would get a yes that means nothing.
pub(crate) fn fail(error: Errno) -> ! {
    let text = std::io::Error::from(error);
    tracing::error!(
        "the log could not be made durable ({text}): what was acknowledged since the last sync may be lost with the \
         power; exiting, because a second attempt could report success for data that is gone"
    );
    crate::log::exit(1);
}

#[cfg(test)]
mod tests {
    use locksley_engine::Origin;
    use locksley_engine::disk::SegmentMemory;
    use locksley_engine::wal::{Body, LogOptions, Segment};

    use super::*;

    struct Memory(Vec<u8>);

    impl SegmentMemory for Memory {
        fn bytes_mut(&mut self) -> &mut [u8] {
            &mut self.0
        }
    }

    const SEGMENT_BYTES: usize = 64 * 1024;

    /// A log of three segments, of which the first is written.
    fn log() -> Log {
        let origin = Origin { generation: 1, shard: 0, shard_count: 1 };
        let segment_bytes = SEGMENT_BYTES as u64;
        let mut log = Log::new(LogOptions { origin, needs_snapshot: false, segment_bytes, first_lsn: Lsn(1) });
        for sequence in 0..3 {
            log.install(Segment { sequence, memory: Box::new(Memory(vec![0; SEGMENT_BYTES])) });
        }
        log
    }

    fn append(log: &mut Log) {
        log.append(log.last_lsn().next(), false, &Body::Flush { db: None });
    }

    fn wants(policy: FsyncPolicy) -> Wants {
        Wants { policy, is_awaited: false, request_count: 0 }
    }

    /// What a whole sync of one segment says.
    fn end(syncs: &mut Syncs, log: &mut Log, tag: u32) {
        let Step::Durable { lsn, .. } = syncs.ended(tag) else { panic!("there was one segment to sync") };
        log.end_sync(lsn);
    }

    #[test]
    fn always_syncs_as_soon_as_the_last_is_over() {
        let (mut log, mut syncs) = (log(), Syncs::default());
        let always = wants(FsyncPolicy::Always);
        assert_eq!(syncs.begin(&mut log, always, Millis(5)), None, "nothing was appended");
        append(&mut log);
        assert_eq!(syncs.begin(&mut log, always, Millis(5)), Some(0));
        append(&mut log);
        assert_eq!(syncs.begin(&mut log, always, Millis(5)), None, "one is in flight");
        end(&mut syncs, &mut log, 0);
        assert_eq!(log.durable_lsn(), Lsn(1));
        assert_eq!(syncs.begin(&mut log, always, Millis(5)), Some(0));
        end(&mut syncs, &mut log, 0);
        assert_eq!((log.durable_lsn(), log.needs_sync()), (Lsn(2), false));
    }

    #[test]
    fn a_sync_whose_patience_is_over_is_not_slept_through() {
        let (mut log, mut syncs) = (log(), Syncs::default());
        assert_eq!(syncs.waits_for(&log, FsyncPolicy::Always), None, "nothing was appended");
        append(&mut log);
        assert_eq!(syncs.waits_for(&log, FsyncPolicy::Always), Some(Duration::ZERO), "nobody is expected");
        syncs.begin(&mut log, wants(FsyncPolicy::Always), Millis(5));
        append(&mut log);
        assert_eq!(syncs.waits_for(&log, FsyncPolicy::Always), None, "the one in flight wakes the thread");
    }

    #[test]
    fn everysec_syncs_a_second_after_the_last_began() {
        let (mut log, mut syncs) = (log(), Syncs::default());
        let everysec = wants(FsyncPolicy::EverySecond);
        append(&mut log);
        assert_eq!(syncs.begin(&mut log, everysec, Millis(10_000)), Some(0));
        end(&mut syncs, &mut log, 0);
        append(&mut log);
        assert_eq!(syncs.begin(&mut log, everysec, Millis(10_999)), None);
        assert_eq!(syncs.due_at(&log, FsyncPolicy::EverySecond), Some(Millis(11_000)));
        assert_eq!(syncs.begin(&mut log, everysec, Millis(11_000)), Some(0));
    }

    #[test]
    fn without_a_policy_finished_segments_are_synced_and_what_is_asked_for() {
        let (mut log, mut syncs) = (log(), Syncs::default());
        let no = wants(FsyncPolicy::No);
        append(&mut log);
        assert_eq!(syncs.begin(&mut log, no, Millis(5)), None);
        let asked = Wants { request_count: 1, ..no };
        assert_eq!(syncs.begin(&mut log, asked, Millis(5)), Some(0));
        end(&mut syncs, &mut log, 0);
        append(&mut log);
        assert_eq!(syncs.begin(&mut log, asked, Millis(5)), None, "that was answered");
        assert_eq!(syncs.begin(&mut log, Wants { is_awaited: true, ..asked }, Millis(5)), Some(0), "replies wait");
        end(&mut syncs, &mut log, 0);
        while !log.needs_finished_sync() {
            append(&mut log);
        }
        assert_eq!(syncs.begin(&mut log, asked, Millis(5)), Some(0), "a segment is finished");
        assert_eq!(syncs.ended(0), Step::Next(1), "segments are synced in their order");
        end(&mut syncs, &mut log, 1);
        assert!(!log.needs_sync());
    }
}
