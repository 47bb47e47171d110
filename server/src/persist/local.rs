//! A data thread's side of durability: what its loop does each turn for the log, the snapshot and loading.
//!
//! ```text
//! begin_turn   takes the keepers' letters: prepared segments, a snapshot to begin, files to load
//!   (requests run)
//! end_turn     hands over finished segments, asks for new ones, walks or loads a slice, says how far the shard is
//! ```
//!
//! Nothing here waits, but [`Local::extend_log`], and the end of a log in a running server.
//!
//! Invariants:
//! - A log is closed only while no sync of it is in flight, and a shard emptied only while no command over several
//!   shards holds keys of it.
//! - A log that is being closed takes no change after its End record.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use locksley_engine::wal::{Log, LogOptions, Segment};
use locksley_engine::{Lsn, Shard, ShardOptions};
use rustix::rand::{GetRandomFlags, getrandom};

use super::disk::{Files, Prepared};
use super::face::Persist;
use super::fill::Fill;
use super::log_keeper::LogOrder;
use super::mailbox::{Letter, ReadySegment};
use super::snapshot_keeper::Order;
use super::stroll::Stroll;
use super::sync::finish;
use super::window::Window;
use crate::config::{Config, FsyncPolicy};
use crate::limits::{PREPARE_RETRY_MS, SEGMENTS_AHEAD_COUNT};

/// Whether a turn of the loop served clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It did: little may be done besides.
    Serving,
    /// It did not.
    Idle,
}

/// What is to be done to the log as soon as it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    /// Close it.
    Log,
    /// Close it and empty the shard.
    LogAndShard,
}

/// See the module.
#[expect(clippy::struct_excessive_bools, reason = "each notes one thing that is under way, in any combination")]
pub(crate) struct Local {
    shard: u16,
    persist: Arc<Persist>,
    /// A sync of the log is in flight: it must not be closed.
    pub is_sync_in_flight: bool,
    /// A command over several shards holds keys of this one: it must not be emptied.
    pub is_held: bool,
    /// The files of the log's segments that are not handed over yet, by sequence.
    files: VecDeque<(u64, Prepared)>,
    /// Segments that came before their log was opened.
    early: Vec<ReadySegment>,
    /// Which segment the log keeper was asked for last.
    asked: Option<u64>,
    window: Window,
    /// The log was opened, and the snapshot keeper is still to be told.
    is_opening: bool,
    closing: Option<Closing>,
    /// Numbers up to the last that were no changes since the load: those from before it, and marks.
    uncounted: u64,
    is_loading: bool,
    fill: Option<Fill>,
    stroll: Option<Stroll>,
    /// The setting that the snapshot keeper was told of last.
    appendonly: Option<bool>,
}

impl Local {
    /// The side of the thread of `shard`.
    pub(crate) fn new(shard: u16, persist: Arc<Persist>) -> Local {
        Local {
            shard,
            persist,
            is_sync_in_flight: false,
            is_held: false,
            files: VecDeque::new(),
            early: Vec::new(),
            asked: None,
            window: Window::default(),
            is_opening: false,
            closing: None,
            uncounted: 0,
            is_loading: false,
            fill: None,
            stroll: None,
            appendonly: None,
        }
    }

    /// To be called at the beginning of a turn, before any request runs.
    #[inline]
    pub(crate) fn begin_turn(&mut self, shard: &mut Shard, config: &Config) {
        if self.persist.mailboxes[usize::from(self.shard)].has_mail() {
            self.read_mail(shard, config);
        }
        if self.appendonly != Some(config.appendonly) {
            self.appendonly = Some(config.appendonly);
            self.persist.tell_snapshots(Order::Look);
        }
    }

    /// To be called at the end of a turn, after the last change and before replies and parcels leave.
    #[inline]
    pub(crate) fn end_turn(&mut self, shard: &mut Shard, config: &Config, pace: Pace) {
        if shard.log().is_some() {
            self.tend_log(shard, config.appendfsync);
        }
        if self.closing.is_some() {
            self.try_close(shard);
        }
        if let Some(stroll) = &mut self.stroll
            && stroll.step(shard, &self.persist, pace).is_over()
        {
            self.stroll = None;
        }
        if let Some(fill) = &mut self.fill
            && let Some(outcome) = fill.step(shard, &self.persist)
        {
            self.fill = None;
            self.persist.tell_snapshots(Order::Loaded(Box::new(outcome)));
        }
        self.publish(shard);
    }

    /// Whether the loop must not sleep, because there is something to walk or load.
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        self.fill.is_some() || self.stroll.as_ref().is_some_and(Stroll::has_work)
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
        file.expect("a segment's file is kept until it is durable and finished").1.file.as_fd()
    }

    /// Says in the log that it is durable up to `durable`.
    pub(crate) fn mark(&mut self, shard: &mut Shard, durable: Lsn) {
        let before = shard.last_lsn();
        shard.mark(durable);
        self.uncounted += u64::from(shard.last_lsn() != before);
        self.window.is_stale = true;
    }

    /// Waits until the log has one more segment; `false` when there is no log, or the disk has no room.
    #[cold]
    pub(crate) fn extend_log(&mut self, shard: &mut Shard) -> bool {
        let Some(log) = shard.log_mut() else { return false };
        let persist = Arc::clone(&self.persist);
        loop {
            // However many are there: they are too few for what is to be logged.
            self.ask_for(log, usize::MAX);
            if persist.is_disk_full() {
                return false;
            }
            let mailbox = &persist.mailboxes[usize::from(self.shard)];
            let longest = Duration::from_millis(PREPARE_RETRY_MS);
            let segments = mailbox.wait_for_segments(longest, || persist.is_disk_full());
            let is_extended = !segments.is_empty();
            segments.into_iter().for_each(|segment| self.install(log, segment));
            if is_extended {
                return true;
            }
        }
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
        if face.log_bytes.load(Ordering::Relaxed) != log_bytes {
            face.log_bytes.store(log_bytes, Ordering::Relaxed);
        }
        if face.appended.load(Ordering::Relaxed) != last.0 {
            // A shard that is reloaded begins below what it had.
            face.changes.store(last.0.saturating_sub(self.uncounted), Ordering::Relaxed);
            face.appended.store(last.0, Ordering::Release);
        }
        if face.durable.load(Ordering::Relaxed) != durable.0 {
            face.durable.store(durable.0, Ordering::Release);
        }
    }

    #[cold]
    fn read_mail(&mut self, shard: &mut Shard, config: &Config) {
        let (letters, segments) = self.persist.mailboxes[usize::from(self.shard)].take();
        for letter in letters {
            match letter {
                Letter::Empty => self.closing = Some(Closing::LogAndShard),
                Letter::CloseLog => self.closing = Some(Closing::Log),
                Letter::Load { plan, repair, now } => {
                    self.is_loading = true;
                    shard.begin_replay(now);
                    self.fill = Some(Fill::new(Files::new(&config.dir), plan, self.shard, &self.persist, repair));
                }
                Letter::Serve { last } => {
                    shard.end_replay();
                    shard.advance_to(last.max(shard.last_lsn()));
                    self.uncounted = shard.last_lsn().0;
                    self.is_loading = false;
                    self.persist.tell_snapshots(Order::Serving);
                }
                Letter::OpenLog { options } => self.open_log(shard, options),
                Letter::BeginSnapshot { attempt } => {
                    assert!(self.stroll.is_none(), "one snapshot is taken at a time");
                    let changes = shard.last_lsn().0 - self.uncounted;
                    self.stroll = Some(Stroll::begin(shard, self.shard, attempt, changes, &self.persist));
                }
                Letter::AbandonSnapshot => {
                    if self.stroll.take().is_some() {
                        shard.end_snapshot();
                    }
                }
                Letter::Written(block) => {
                    if let Some(stroll) = &mut self.stroll {
                        stroll.take_back(shard, block);
                    }
                }
            }
        }
        self.early.extend(segments);
        if let Some(log) = shard.log_mut() {
            std::mem::take(&mut self.early).into_iter().for_each(|segment| self.install(log, segment));
        }
        if self.is_opening {
            self.end_opening(shard);
        }
    }

    fn open_log(&mut self, shard: &mut Shard, options: LogOptions) {
        assert!(self.files.is_empty(), "the log of before is closed");
        let options = LogOptions { first_lsn: shard.last_lsn().next(), ..options };
        shard.open_log(Log::new(options));
        // The log keeper makes the first unasked.
        self.asked = Some(0);
        // Its segments are numbered like those of the log before.
        self.window = Window::default();
        self.is_opening = true;
    }

    /// Tells that the log is open once it has room, or cannot have any for now.
    fn end_opening(&mut self, shard: &Shard) {
        if !self.files.is_empty() || self.persist.is_disk_full() {
            assert!(shard.log().is_some(), "it was opened");
            self.is_opening = false;
            self.persist.tell_snapshots(Order::LogOpened);
        }
    }

    /// Hands over what is finished, and asks for what will be needed.
    #[inline]
    fn tend_log(&mut self, shard: &mut Shard, policy: FsyncPolicy) {
        let log = shard.log_mut().expect("the caller looked");
        while let Some(finished) = log.take_finished() {
            let origin = log.options().origin;
            let (sequence, prepared) = self.files.pop_front().expect("its file is kept");
            assert_eq!(sequence, finished.sequence, "segments are finished in order");
            let (last_lsn, memory) = (finished.last_lsn, finished.memory);
            self.persist.tell_log(LogOrder::Finished { origin, sequence, last_lsn, memory, prepared });
        }
        self.ask_for(log, SEGMENTS_AHEAD_COUNT);
        // A page that was made writable counts as changed: where each reply waits for a sync, it would write them all.
        if policy != FsyncPolicy::Always
            && let Some((sequence, offset)) = log.position()
            && let Some((from, bytes)) = self.window.advance(sequence, offset)
        {
            let (_, prepared) = self.files.iter().find(|file| file.0 == sequence).expect("its file is kept");
            let mapping = Arc::clone(&prepared.mapping);
            self.persist.tell_log(LogOrder::Populate { mapping, offset: from, bytes });
        }
        if self.is_opening {
            self.end_opening(shard);
        }
    }

    /// Asks for the segment that the log wants to have `ahead` of them, once.
    #[inline]
    fn ask_for(&mut self, log: &Log, ahead: usize) {
        if let Some(sequence) = log.wanted(ahead)
            && self.asked.is_none_or(|asked| asked < sequence)
        {
            self.asked = Some(sequence);
            self.persist.tell_log(LogOrder::Prepare { origin: log.options().origin, sequence });
        }
    }

    /// Gives the log a segment, unless it was made for another.
    fn install(&mut self, log: &mut Log, segment: ReadySegment) {
        let ReadySegment { generation, sequence, memory, prepared } = segment;
        if generation == log.options().origin.generation {
            log.install(Segment { sequence, memory });
            self.files.push_back((sequence, prepared));
        }
    }

    /// Closes the log, and empties the shard, if nothing is under way that needs them.
    #[cold]
    fn try_close(&mut self, shard: &mut Shard) {
        let closing = self.closing.expect("the caller looked");
        let is_held = closing == Closing::LogAndShard && self.is_held;
        if self.is_sync_in_flight || is_held {
            return;
        }
        self.closing = None;
        let log = shard.close_log();
        if closing == Closing::LogAndShard {
            self.is_loading = true;
            *shard = empty_like(shard);
        }
        match log {
            Some(mut log) => {
                finish(&mut log, |sequence| self.descriptor(sequence));
                let files = self.files.drain(..).map(|(_, file)| file).collect();
                self.persist.tell_log(LogOrder::Closed { log: Box::new(log), files });
            }
            None if closing == Closing::LogAndShard => {
                self.persist.tell_snapshots(Order::Emptied);
            }
            None => self.persist.tell_snapshots(Order::LogClosed),
        }
    }
}

/// An empty shard to take the place of `shard`. It hashes differently: snapshots are in the order of hashes, and a
/// growing table that gets them in its own order has to move what it has again and again.
fn empty_like(shard: &Shard) -> Shard {
    let mut seed = [0; 8];
    // Without chance from the kernel the old seed, which is as secret, makes the new one.
    let _ = getrandom(&mut seed, GetRandomFlags::empty());
    let options = shard.options();
    let seed = u64::from_ne_bytes(seed) ^ options.seed.rotate_left(32);
    let new = Shard::new(ShardOptions { seed, ..options.clone() });
    new.unwrap_or_else(|error| {
        tracing::error!("the memory of a shard cannot be reserved again: {error}");
        crate::log::exit(1);
    })
}
