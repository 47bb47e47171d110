//! The log keeper: a thread that prepares, unmaps and recycles log segments, so that no data thread has to.
//!
//! A disk without room is no end: what could not be prepared is tried again a few times a second, and meanwhile the
//! shards refuse what would need it. Any other failure is the end of the process, since a log that may have a hole
//! must not be acknowledged from.
//!
//! Invariants:
//! - Orders are carried out in order, but for preparations that wait for room.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use locksley_engine::disk::SegmentMemory;
use locksley_engine::store::SegmentStore;
use locksley_engine::wal::{Log, LogOptions};
use locksley_engine::{Lsn, Origin};
use rustix::io::Errno;

use super::disk::{Files, Prepared};
use super::face::Persist;
use super::mailbox::{Letter, ReadySegment, Urgency};
use super::mapping::Mapping;
use super::snapshot_keeper::Order;
use crate::limits::{PREPARE_RETRY_MS, SPARE_SEGMENT_COUNT_MAX};

/// What may be ordered of the log keeper.
pub(super) enum LogOrder {
    /// The data directory was read: forget the segments of before.
    Reset {
        /// Bytes of the segments from now on.
        segment_bytes: u64,
    },
    /// Begin the logs of a generation, and have the shards open them.
    Begin {
        /// Which.
        generation: u64,
        /// Whether it is of use only with a snapshot of its own.
        needs_snapshot: bool,
    },
    /// Prepare a segment.
    Prepare {
        /// For whose log.
        origin: Origin,
        /// Its number.
        sequence: u64,
    },
    /// A segment is written full.
    Finished {
        /// Of whose log.
        origin: Origin,
        /// Its number.
        sequence: u64,
        /// Its last record.
        last_lsn: Lsn,
        /// The memory it was written to.
        memory: Box<dyn SegmentMemory>,
        /// Its file and mapping.
        prepared: Prepared,
    },
    /// A log is closed and durable: unmap it, then tell the snapshot keeper.
    Closed {
        /// The log.
        log: Box<Log>,
        /// Its files.
        files: Vec<Prepared>,
    },
    /// A snapshot counts that was taken in `generation` at these instants: free what is behind it.
    Retire {
        /// Which.
        generation: u64,
        /// By shard.
        instants: Vec<Lsn>,
    },
    /// Make the pages ahead of a log writable.
    Populate {
        /// The segment.
        mapping: Arc<Mapping>,
        /// From where on.
        offset: usize,
        /// How much.
        bytes: usize,
    },
    /// Stop.
    Stop,
}

/// See the module.
pub(super) struct LogKeeper {
    files: Files,
    persist: Arc<Persist>,
    orders: Receiver<LogOrder>,
    store: Option<SegmentStore<Files>>,
    segment_bytes: u64,
    /// A generation whose directory is not made yet.
    directory_wanted: Option<u64>,
    /// Segments that found no room.
    waiting: Vec<(Origin, u64)>,
    /// The generation and the instants of the last snapshot that counts.
    retired: Option<(u64, Vec<Lsn>)>,
}

impl LogKeeper {
    /// A keeper of the logs in `files`.
    pub(super) fn new(files: Files, persist: Arc<Persist>, orders: Receiver<LogOrder>) -> LogKeeper {
        let (directory_wanted, waiting, retired) = (None, Vec::new(), None);
        LogKeeper { files, persist, orders, store: None, segment_bytes: 0, directory_wanted, waiting, retired }
    }

    /// Carries out orders until it is told to stop.
    pub(super) fn run(mut self) {
        loop {
            let order = if self.waiting.is_empty() {
                self.orders.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                self.orders.recv_timeout(Duration::from_millis(PREPARE_RETRY_MS))
            };
            match order {
                Ok(LogOrder::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(order) => self.obey(order),
                Err(RecvTimeoutError::Timeout) => self.try_again(),
            }
        }
    }

    fn obey(&mut self, order: LogOrder) {
        match order {
            LogOrder::Reset { segment_bytes } => {
                let spare_count_max = self.persist.shards().len() * SPARE_SEGMENT_COUNT_MAX;
                self.segment_bytes = segment_bytes;
                self.store = Some(SegmentStore::new(self.files.clone(), segment_bytes, spare_count_max));
                self.waiting.clear();
                self.retired = None;
                self.persist.set_write_failure(String::new());
            }
            LogOrder::Begin { generation, needs_snapshot } => self.begin(generation, needs_snapshot),
            LogOrder::Prepare { origin, sequence } => self.prepare(origin, sequence),
            LogOrder::Finished { origin, sequence, last_lsn, memory, prepared } => {
                drop(prepared);
                self.store().finished(origin, sequence, last_lsn, memory);
                // A segment is handed over once it is durable, which may be after the snapshot that it lies behind.
                let is_behind = self.retired.as_ref().is_some_and(|(generation, instants)| {
                    *generation == origin.generation && last_lsn <= instants[usize::from(origin.shard)]
                });
                if is_behind {
                    self.retire();
                }
            }
            LogOrder::Closed { log, files } => self.close(*log, files),
            LogOrder::Retire { generation, instants } => {
                self.retired = Some((generation, instants));
                self.retire();
            }
            LogOrder::Populate { mapping, offset, bytes } => {
                // Advice only: a store into a page that is not there takes longer, that is all.
                let _ = mapping.populate(offset, bytes);
            }
            LogOrder::Stop => unreachable!("it ends the loop"),
        }
    }

    /// Frees what lies behind the last snapshot.
    fn retire(&mut self) {
        let Some((generation, instants)) = &self.retired else { return };
        let store = self.store.as_mut().expect("the directory was read before snapshots are taken");
        if let Err(error) = store.retire(*generation, instants) {
            tracing::warn!("log files behind the snapshot could not be removed, for now: {error}");
        }
        if !self.waiting.is_empty() {
            self.try_again();
        }
    }

    fn store(&mut self) -> &mut SegmentStore<Files> {
        self.store.as_mut().expect("the directory was read before logs are kept")
    }

    /// Begins a generation: the first segments are there before the shards are told, so that none has to wait.
    fn begin(&mut self, generation: u64, needs_snapshot: bool) {
        self.directory_wanted = Some(generation);
        let shard_count = self.persist.shards().len() as u16;
        for shard in 0..shard_count {
            let origin = Origin { generation, shard, shard_count };
            self.prepare(origin, 0);
            let (segment_bytes, first_lsn) = (self.segment_bytes, Lsn(0));
            let options = LogOptions { origin, needs_snapshot, segment_bytes, first_lsn };
            self.persist.write_to(shard, Letter::OpenLog { options }, Urgency::Now);
        }
    }

    fn prepare(&mut self, origin: Origin, sequence: u64) {
        match self.try_prepare(origin, sequence) {
            Ok(()) => self.note_room(),
            Err(error) if is_for_want_of_room(&error) => {
                if self.waiting.is_empty() {
                    tracing::error!("no log segment can be made, so writes will be refused: {error}");
                }
                self.waiting.push((origin, sequence));
                self.persist.set_write_failure(words(&error));
                self.persist.mailboxes[usize::from(origin.shard)].disappoint();
                self.persist.ring(origin.shard);
            }
            Err(error) => fail("a log segment cannot be made", &error),
        }
    }

    fn try_prepare(&mut self, origin: Origin, sequence: u64) -> io::Result<()> {
        if let Some(generation) = self.directory_wanted {
            self.store().begin_generation(generation)?;
            self.directory_wanted = None;
        }
        let memory = self.store().prepare(origin, sequence)?;
        let prepared = self.files.take_prepared().expect("a segment was prepared just now");
        if self.persist.wants_zeros_durable() {
            rustix::fs::fdatasync(&prepared.file)?;
        }
        let segment = ReadySegment { generation: origin.generation, sequence, memory, prepared };
        self.persist.mailboxes[usize::from(origin.shard)].put_segment(segment);
        self.persist.ring(origin.shard);
        Ok(())
    }

    /// Tries again what found no room.
    fn try_again(&mut self) {
        while let Some(&(origin, sequence)) = self.waiting.first() {
            match self.try_prepare(origin, sequence) {
                Ok(()) => drop(self.waiting.remove(0)),
                Err(error) if is_for_want_of_room(&error) => return,
                Err(error) => fail("a log segment cannot be made", &error),
            }
        }
        self.note_room();
    }

    /// Says that there is room, if nothing waits for it any more.
    fn note_room(&self) {
        if self.waiting.is_empty() && self.persist.is_disk_full() {
            tracing::info!("log segments can be made again: writes are accepted");
            self.persist.set_write_failure(String::new());
        }
    }

    /// Forgets a closed log.
    fn close(&mut self, log: Log, files: Vec<Prepared>) {
        let origin = log.options().origin;
        drop((log, files));
        self.waiting.retain(|waiting| waiting.0 != origin);
        self.note_room();
        self.persist.tell_snapshots(Order::LogClosed);
    }
}

/// Whether a failure may go away by itself, nothing having been lost.
fn is_for_want_of_room(error: &io::Error) -> bool {
    let want = [Errno::NOSPC, Errno::DQUOT, Errno::NOMEM, Errno::MFILE, Errno::NFILE];
    want.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// What the kernel calls an error, without its number.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Ends the process: the log can be relied on no more.
pub(super) fn fail(what: &str, error: &io::Error) -> ! {
    tracing::error!("{what}: {error}; exiting, so that nothing is acknowledged that may be lost");
    crate::log::exit(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_room_is_told_from_failure() {
        for (errno, expected) in [(Errno::NOSPC, true), (Errno::DQUOT, true), (Errno::IO, false), (Errno::ROFS, false)]
        {
            assert_eq!(is_for_want_of_room(&errno.into()), expected, "{errno}");
        }
        assert_eq!(words(&Errno::NOSPC.into()), "No space left on device");
    }
}
