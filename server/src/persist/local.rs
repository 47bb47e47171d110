//! A data thread's side of durability: what its loop does each turn for the log, the snapshot and loading.
//!
//! ```text
//! begin_turn   takes the keepers' letters: prepared segments, a snapshot to begin, files to load
//!   (requests run)
//! end_turn     hands over finished segments, asks for new ones, walks or loads a slice, says how far the shard is
//! ```
//!
//! Nothing here waits, but [`Local::extend_log`].

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use locksley_engine::{Lsn, Shard};

use super::face::Persist;
use crate::config::Config;

/// Whether a turn of the loop served clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It did: little may be done besides.
    Serving,
    /// It did not.
    Idle,
}

/// See the module.
pub(crate) struct Local {
    shard: u16,
    persist: Arc<Persist>,
    /// The files of the log's segments that are not handed over yet, by sequence.
    files: VecDeque<(u64, OwnedFd)>,
    /// Marks in the log since the server started: they take numbers and are no changes.
    mark_count: u64,
    is_loading: bool,
    /// Whether the ring syncs a segment: the log must not be closed as long as it does.
    pub is_sync_in_flight: bool,
    /// Whether commands over several shards hold keys of this one: it must not be emptied as long as they do.
    pub is_held: bool,
}

impl Local {
    /// The side of the thread of `shard`.
    pub(crate) fn new(shard: u16, persist: Arc<Persist>) -> Local {
        Local {
            shard,
            persist,
            files: VecDeque::new(),
            mark_count: 0,
            is_loading: false,
            is_sync_in_flight: false,
            is_held: false,
        }
    }

    /// To be called at the beginning of a turn, before any request runs.
    #[inline]
    pub(crate) fn begin_turn(&mut self, _shard: &mut Shard, _config: &Config) {}

    /// To be called at the end of a turn, after the last change and before replies and parcels leave.
    #[inline]
    pub(crate) fn end_turn(&mut self, shard: &mut Shard, _config: &Config, _pace: Pace) {
        self.publish(shard);
    }

    /// Whether the loop must not sleep, because there is something to walk or load.
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        false
    }

    /// Whether this shard is being loaded: no request may touch it.
    #[inline]
    pub(crate) fn is_loading(&self) -> bool {
        self.is_loading
    }

    /// The file of a segment of the log, to be synced.
    ///
    /// # Panics
    /// When the segment was handed over.
    pub(crate) fn descriptor(&self, sequence: u64) -> BorrowedFd<'_> {
        let file = self.files.iter().find(|file| file.0 == sequence);
        file.expect("a segment's file is kept until it is durable and finished").1.as_fd()
    }

    /// Says in the log that it is durable up to `durable`.
    pub(crate) fn mark(&mut self, shard: &mut Shard, durable: Lsn) {
        let before = shard.last_lsn();
        shard.mark(durable);
        self.mark_count += u64::from(shard.last_lsn() != before);
    }

    /// Waits until the log has room for another segment's worth of records; `false` when there is no log, or the disk
    /// has no room.
    pub(crate) fn extend_log(&mut self, _shard: &mut Shard) -> bool {
        false
    }

    /// Says how far the shard is.
    #[inline]
    pub(crate) fn publish(&self, shard: &Shard) {
        let face = &self.persist.shards()[usize::from(self.shard)];
        let last = shard.last_lsn();
        let (durable, log_bytes) = match shard.log() {
            Some(log) if log.needs_sync() => (log.durable_lsn(), log.appended_bytes()),
            Some(log) => (last, log.appended_bytes()),
            None => (last, 0),
        };
        if face.appended.load(Ordering::Relaxed) != last.0 {
            face.changes.store(last.0 - self.mark_count, Ordering::Relaxed);
            face.log_bytes.store(log_bytes, Ordering::Relaxed);
            face.appended.store(last.0, Ordering::Release);
        }
        if face.durable.load(Ordering::Relaxed) != durable.0 {
            face.durable.store(durable.0, Ordering::Release);
        }
    }
}
