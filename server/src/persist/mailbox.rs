//! What the keepers tell a data thread, and how it finds out.
//!
//! A letter is put into the thread's mailbox, and its ring is rung, so that it is read at the beginning of the next
//! turn even if the thread sleeps. Blocks that come back while the thread has other work are no reason to ring; a
//! thread that waits for them says so before it sleeps, under the same lock.
//!
//! Prepared segments lie apart: a command that finds no room in the log waits for them alone, in the middle of a turn,
//! when no other letter may be read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use locksley_engine::disk::SegmentMemory;
use locksley_engine::recover::Plan;
use locksley_engine::snapshot::Block;
use locksley_engine::wal::LogOptions;
use locksley_engine::{Lsn, Millis};

use super::disk::Prepared;

/// What a keeper tells a data thread.
pub(super) enum Letter {
    /// Close the log, if one is kept, give its rest to the log keeper, and serve nothing until further notice.
    Empty,
    /// Fill the shard, which is empty, from the files of this plan.
    Load {
        /// Which.
        plan: Arc<Plan>,
        /// Whether to go on behind damage.
        repair: bool,
        /// When it began.
        now: Millis,
    },
    /// Serve again; the numbers of changes go on after this one.
    Serve {
        /// The highest number of all that was loaded.
        last: Lsn,
    },
    /// Begin to log.
    OpenLog {
        /// How. What is said of the first record counts for nothing.
        options: LogOptions,
    },
    /// Close the log and give its rest to the log keeper.
    CloseLog,
    /// Begin a snapshot.
    BeginSnapshot {
        /// Which attempt it is, to be told with all that is told of it.
        attempt: u64,
    },
    /// Give the snapshot up, if one is being taken.
    AbandonSnapshot,
    /// A block was written; here is its buffer.
    Written(Block),
}

/// A segment that was prepared for a shard's log.
pub(super) struct ReadySegment {
    /// Of which generation's log.
    pub generation: u64,
    /// Its number.
    pub sequence: u64,
    /// Where the log writes.
    pub memory: Box<dyn SegmentMemory>,
    /// File and mapping.
    pub prepared: Prepared,
}

/// Whether the thread has to know at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// It is rung at.
    Now,
    /// It is rung at if it said that it waits.
    WhenAwaited,
}

#[derive(Default)]
struct Contents {
    letters: Vec<Letter>,
    segments: Vec<ReadySegment>,
    is_awaited: bool,
}

/// The mailbox of one data thread.
#[derive(Default)]
pub(super) struct Mailbox {
    has_mail: AtomicBool,
    contents: Mutex<Contents>,
    segment_came: Condvar,
}

impl Mailbox {
    /// Puts a letter in; whether its thread has to be rung at.
    pub(super) fn put(&self, letter: Letter, urgency: Urgency) -> bool {
        let mut contents = self.lock();
        contents.letters.push(letter);
        self.has_mail.store(true, Ordering::Release);
        std::mem::take(&mut contents.is_awaited) || urgency == Urgency::Now
    }

    /// Puts a prepared segment in.
    pub(super) fn put_segment(&self, segment: ReadySegment) {
        self.lock().segments.push(segment);
        self.has_mail.store(true, Ordering::Release);
        self.segment_came.notify_one();
    }

    /// Wakes whoever waits for a segment, since there will be none for now.
    pub(super) fn disappoint(&self) {
        // Whoever waits looks at the failure under this lock before it sleeps.
        drop(self.lock());
        self.segment_came.notify_one();
    }

    /// Whether something is there.
    #[inline]
    pub(super) fn has_mail(&self) -> bool {
        self.has_mail.load(Ordering::Acquire)
    }

    /// Takes all that is there.
    pub(super) fn take(&self) -> (Vec<Letter>, Vec<ReadySegment>) {
        let mut contents = self.lock();
        self.has_mail.store(false, Ordering::Release);
        (std::mem::take(&mut contents.letters), std::mem::take(&mut contents.segments))
    }

    /// Says that the thread waits for any letter; `false` when one is there.
    pub(super) fn await_letters(&self) -> bool {
        let mut contents = self.lock();
        contents.is_awaited = contents.letters.is_empty();
        contents.is_awaited
    }

    /// Waits until segments are there, `is_vain` says that none will come, or a while has passed; takes them.
    pub(super) fn wait_for_segments(&self, longest: Duration, is_vain: impl Fn() -> bool) -> Vec<ReadySegment> {
        let mut contents = self.lock();
        if contents.segments.is_empty() && !is_vain() {
            let waited = self.segment_came.wait_timeout(contents, longest);
            contents = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut contents.segments)
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_rung_at_when_it_matters() {
        let mailbox = Mailbox::default();
        assert!(!mailbox.has_mail());
        assert!(mailbox.put(Letter::BeginSnapshot { attempt: 1 }, Urgency::Now));
        assert!(!mailbox.put(Letter::AbandonSnapshot, Urgency::WhenAwaited));
        assert!(!mailbox.await_letters());
        assert!(mailbox.has_mail());
        assert_eq!(mailbox.take().0.len(), 2);
        assert!(!mailbox.has_mail());
        assert!(mailbox.await_letters());
        assert!(mailbox.put(Letter::AbandonSnapshot, Urgency::WhenAwaited));
        assert!(!mailbox.put(Letter::AbandonSnapshot, Urgency::WhenAwaited));
    }
}
