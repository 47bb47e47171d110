//! What all threads know and want of durability: atomics that one side writes, and a status for INFO.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use locksley_engine::{Lsn, Millis};

use super::log_keeper::LogOrder;
use super::mailbox::{Letter, Mailbox, Urgency};
use super::shutdown::Shutdown;
use super::snapshot_keeper::Order;
use super::wishes::Wishes;

/// How durability stands, for INFO and LASTSAVE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// When the running snapshot began.
    pub snapshot_began_at: Option<Millis>,
    /// When the last good snapshot was complete (the server's start, if there was none).
    pub last_snapshot_at: Millis,
    /// Whether the last snapshot that ended was completed.
    pub is_last_snapshot_good: bool,
    /// What was wrong with it, as a sentence.
    pub last_snapshot_error: String,
    /// How long the last snapshot took, in milliseconds.
    pub last_snapshot_ms: Option<u64>,
    /// Bytes of the last good snapshot.
    pub last_snapshot_bytes: u64,
    /// Snapshots that ended well since the start.
    pub snapshot_count: u64,
    /// Sum of the shards' changes at the last good snapshot.
    pub change_count_at_snapshot: u64,
    /// Bytes in all logs when the last good snapshot began.
    pub log_bytes_at_snapshot: u64,
    /// When the last load began: the server's start, or a reload.
    pub load_began_at: Millis,
    /// How long the last load took, in milliseconds.
    pub load_ms: u64,
    /// Entries and records that were loaded.
    pub loaded_items: u64,
    /// See above.
    pub loaded_records: u64,
    /// Bytes of torn tails that were cut at the start.
    pub cut_bytes: u64,
    /// Why writes are refused, as the last words of the MISCONF error; empty if they are not.
    pub write_failure: String,
}

/// What one shard says of itself.
#[derive(Debug, Default)]
pub(crate) struct ShardFace {
    /// The number of its last change.
    pub appended: AtomicU64,
    /// Grows with each change, marks not counted.
    pub changes: AtomicU64,
    /// Up to where its log is durable; where it stands, if nothing but marks is behind that.
    pub durable: AtomicU64,
    /// Bytes its log has taken.
    pub log_bytes: AtomicU64,
    /// Bytes its loader has read, and will have read in the end.
    pub loaded_bytes: AtomicU64,
    /// See above.
    pub load_total_bytes: AtomicU64,
    /// Syncs done, and the microseconds they took together and at most.
    pub sync_count: AtomicU64,
    /// See above.
    pub sync_micros: AtomicU64,
    /// See above.
    pub sync_micros_max: AtomicU64,
}

impl ShardFace {
    /// Counts a sync that took `micros` microseconds.
    pub(crate) fn note_sync(&self, micros: u64) {
        self.sync_count.fetch_add(1, Ordering::Relaxed);
        self.sync_micros.fetch_add(micros, Ordering::Relaxed);
        self.sync_micros_max.fetch_max(micros, Ordering::Relaxed);
    }
}

/// A wish for a snapshot or a reload, to ask about later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(pub u64);

/// A snapshot is being taken already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

/// What a reload starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reload {
    /// A snapshot taken now, then loaded (DEBUG RELOAD).
    Snapshot,
    /// What is on disk: the last snapshot and the log (DEBUG LOADAOF, DEBUG RELOAD NOSAVE).
    AsIs,
}

/// See the module.
pub(crate) struct Persist {
    /// A shutdown that waits for a snapshot.
    pub shutdown: Shutdown,
    is_loading: AtomicBool,
    is_disk_full: AtomicBool,
    is_snapshot_failing: AtomicBool,
    wants_zeros_durable: AtomicBool,
    sync_wish: AtomicU64,
    shards: Box<[ShardFace]>,
    pub(super) mailboxes: Box<[Mailbox]>,
    status: Mutex<Status>,
    wishes: Mutex<Wishes>,
    lines: OnceLock<Lines>,
}

/// How the keepers are reached, once they run.
pub(super) struct Lines {
    /// Rings at the data thread of a shard.
    pub ring: Box<dyn Fn(u16) + Send + Sync>,
    /// To the log keeper.
    pub log: Sender<LogOrder>,
    /// To the snapshot keeper.
    pub snapshot: Sender<Order>,
}

impl Persist {
    /// The face of a server of `shard_count` shards that starts at `now`.
    pub(crate) fn new(shard_count: u16, now: Millis) -> Persist {
        let status =
            Status { last_snapshot_at: now, load_began_at: now, is_last_snapshot_good: true, ..Status::default() };
        Persist {
            shutdown: Shutdown::default(),
            is_loading: AtomicBool::new(false),
            is_disk_full: AtomicBool::new(false),
            is_snapshot_failing: AtomicBool::new(false),
            wants_zeros_durable: AtomicBool::new(false),
            sync_wish: AtomicU64::new(0),
            shards: (0..shard_count).map(|_| ShardFace::default()).collect(),
            mailboxes: (0..shard_count).map(|_| Mailbox::default()).collect(),
            status: Mutex::new(status),
            wishes: Mutex::default(),
            lines: OnceLock::new(),
        }
    }

    /// Whether some shard is being loaded.
    #[inline]
    pub(crate) fn is_loading(&self) -> bool {
        self.is_loading.load(Ordering::Relaxed)
    }

    /// Whether the last snapshot that ended was not completed.
    #[inline]
    pub(crate) fn is_snapshot_failing(&self) -> bool {
        self.is_snapshot_failing.load(Ordering::Relaxed)
    }

    /// Notes how a snapshot ended.
    pub(super) fn note_snapshot(&self, outcome: &Result<(), String>) {
        self.is_snapshot_failing.store(outcome.is_err(), Ordering::Relaxed);
    }

    /// Whether a segment's zeros are to be durable before its shard gets it.
    pub(super) fn wants_zeros_durable(&self) -> bool {
        self.wants_zeros_durable.load(Ordering::Relaxed)
    }

    /// Says whether replies wait for syncs: the first of a segment must not have to write all of its zeros then.
    pub(crate) fn want_zeros_durable(&self, is_wanted: bool) {
        self.wants_zeros_durable.store(is_wanted, Ordering::Relaxed);
    }

    /// What each shard says.
    pub(crate) fn shards(&self) -> &[ShardFace] {
        &self.shards
    }

    /// How things stand.
    pub(crate) fn status(&self) -> Status {
        self.lock_status().clone()
    }

    /// Changes since the last good snapshot.
    pub(crate) fn changes_since_snapshot(&self) -> u64 {
        let sum: u64 = self.shards.iter().map(|shard| shard.changes.load(Ordering::Relaxed)).sum();
        sum.saturating_sub(self.lock_status().change_count_at_snapshot)
    }

    /// Up to where the log of `shard` is durable.
    pub(crate) fn durable(&self, shard: u16) -> Lsn {
        Lsn(self.shards[usize::from(shard)].durable.load(Ordering::Acquire))
    }

    /// Wants a snapshot.
    ///
    /// # Errors
    /// When one is being taken, or the shards are being loaded.
    pub(crate) fn request_snapshot(&self) -> Result<Ticket, Busy> {
        if self.is_loading() {
            return Err(Busy);
        }
        let ticket = self.wishes().request_snapshot()?;
        self.tell_snapshots(Order::Look);
        Ok(ticket)
    }

    /// Wants a snapshot that begins after now: when one is being taken, after that one.
    pub(crate) fn schedule_snapshot(&self) -> Ticket {
        let ticket = self.wishes().schedule_snapshot();
        self.tell_snapshots(Order::Look);
        ticket
    }

    /// How the snapshot ended: `None` as long as it has not; an error is a sentence. Threads are woken when one ends.
    pub(crate) fn snapshot_outcome(&self, ticket: Ticket) -> Option<Result<(), String>> {
        self.wishes().outcome(ticket)
    }

    /// Wants all logs durable as soon as possible, whatever `appendfsync` says; threads are woken, and again when it is so.
    pub(crate) fn request_sync(&self) {
        self.sync_wish.fetch_add(1, Ordering::AcqRel);
        self.wake_all();
    }

    /// Grows with each [`Persist::request_sync`]: a thread that sees a new one makes durable what it has appended.
    #[inline]
    pub(crate) fn sync_wish(&self) -> u64 {
        self.sync_wish.load(Ordering::Acquire)
    }

    /// Wakes all data threads.
    pub(crate) fn wake_all(&self) {
        if let Some(lines) = self.lines.get() {
            (0..self.shards.len()).for_each(|shard| (lines.ring)(shard as u16));
        }
    }

    /// Empties all shards and loads them from the data directory, as a start does.
    ///
    /// # Errors
    /// When a snapshot or another reload is under way.
    pub(crate) fn request_reload(&self, reload: Reload) -> Result<Ticket, Busy> {
        if self.is_loading() {
            return Err(Busy);
        }
        let ticket = self.wishes().request_reload(reload)?;
        self.tell_snapshots(Order::Look);
        Ok(ticket)
    }

    /// Whether that reload is over; threads are woken when it is.
    pub(crate) fn is_reloaded(&self, ticket: Ticket) -> bool {
        self.wishes().is_reloaded(ticket)
    }

    /// Says whether some shard is being loaded.
    pub(super) fn set_loading(&self, is_loading: bool) {
        self.is_loading.store(is_loading, Ordering::Release);
    }

    /// Whether the last segment could not be prepared, for want of room.
    pub(super) fn is_disk_full(&self) -> bool {
        self.is_disk_full.load(Ordering::Acquire)
    }

    /// Says why no segment can be prepared, or by an empty sentence that they can.
    pub(super) fn set_write_failure(&self, sentence: String) {
        self.is_disk_full.store(!sentence.is_empty(), Ordering::Release);
        self.lock_status().write_failure = sentence;
    }

    /// The status, to be changed.
    pub(super) fn lock_status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wishes.
    pub(super) fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how the keepers are reached.
    ///
    /// # Panics
    /// When that was said before.
    pub(super) fn connect(&self, lines: Lines) {
        assert!(self.lines.set(lines).is_ok(), "keepers are started once");
    }

    /// Orders something of the snapshot keeper, if it runs.
    pub(super) fn tell_snapshots(&self, order: Order) {
        if let Some(lines) = self.lines.get() {
            // A keeper that is gone is one that was told to stop.
            let _ = lines.snapshot.send(order);
        }
    }

    /// Orders something of the log keeper, if it runs.
    pub(super) fn tell_log(&self, order: LogOrder) {
        if let Some(lines) = self.lines.get() {
            let _ = lines.log.send(order);
        }
    }

    /// Sends a letter to the thread of `shard`.
    pub(super) fn write_to(&self, shard: u16, letter: Letter, urgency: Urgency) {
        if self.mailboxes[usize::from(shard)].put(letter, urgency) {
            self.ring(shard);
        }
    }

    /// Rings at the thread of `shard`.
    pub(super) fn ring(&self, shard: u16) {
        if let Some(lines) = self.lines.get() {
            (lines.ring)(shard);
        }
    }
}

impl fmt::Debug for Persist {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Persist").field("shards", &self.shards).finish_non_exhaustive()
    }
}
