//! Durability's side of a shard: the log it appends to, replaying, and snapshots.

use super::{ReplayFault, Shard};
use crate::lsn::Lsn;
use crate::snapshot::{Block, Item, Progress, SnapshotOptions};
use crate::time::Millis;
use crate::wal::{Log, Record};

impl Shard {
    /// Begins to log every change, numbered from the log's first on.
    ///
    /// # Panics
    /// When the log does not begin with the number after the shard's last change, or another log is kept.
    pub fn open_log(&mut self, _log: Log) {
        todo!()
    }

    /// The log being kept.
    pub fn log(&self) -> Option<&Log> {
        todo!()
    }

    /// The log being kept, to install segments and to sync. Records are appended by changes, [`Shard::mark`] and
    /// [`Shard::end_log`] alone.
    pub fn log_mut(&mut self) -> Option<&mut Log> {
        todo!()
    }

    /// Appends a mark that the log is durable up to `durable`, if there is room.
    pub fn mark(&mut self, _durable: Lsn) {
        todo!()
    }

    /// Appends an End record, if there is room, and keeps no log any more; what was appended is still to be synced.
    pub fn close_log(&mut self) -> Option<Log> {
        todo!()
    }

    /// All changes until [`Shard::commit`] are one step for a replay.
    pub fn begin_group(&mut self) {
        todo!()
    }

    /// Ends a group.
    pub fn commit(&mut self) {
        todo!()
    }

    /// The number of the last change.
    pub fn last_lsn(&self) -> Lsn {
        todo!()
    }

    /// Makes `lsn` the number of the last change: the next has a higher one.
    ///
    /// # Panics
    /// When changes with higher numbers were made, or a log is kept.
    pub fn advance_to(&mut self, _lsn: Lsn) {
        todo!()
    }

    /// From now on [`Shard::restore`] and [`Shard::replay`] fill the shard: nothing is over, whatever `now` is, nothing
    /// is evicted and nothing logged.
    ///
    /// # Panics
    /// When the shard is not empty.
    pub fn begin_replay(&mut self, _now: Millis) {
        todo!()
    }

    /// Takes an entry of a snapshot.
    ///
    /// # Errors
    /// When it does not fit into the memory.
    pub fn restore(&mut self, _item: &Item<'_>) -> Result<(), ReplayFault> {
        todo!()
    }

    /// Repeats a logged change. Marks, commits and ends are no changes: they only advance the number.
    ///
    /// # Errors
    /// When it does not fit the entries, or these do not fit into the memory.
    pub fn replay(&mut self, _record: &Record<'_>) -> Result<(), ReplayFault> {
        todo!()
    }

    /// Ends the replay: the shard serves from now on, and what is over goes.
    pub fn end_replay(&mut self) {
        todo!()
    }

    /// Begins a snapshot of the shard as it is now, and says which change was the last before it.
    ///
    /// # Panics
    /// When one is under way.
    pub fn begin_snapshot(&mut self, _options: SnapshotOptions) -> Lsn {
        todo!()
    }

    /// Goes on with the snapshot for about `slots` table slots.
    ///
    /// # Panics
    /// When none is under way.
    pub fn step_snapshot(&mut self, _slots: usize) -> Progress {
        todo!()
    }

    /// The next block that is ready for the file, or, once the walk is done, the last.
    pub fn take_block(&mut self) -> Option<Block> {
        todo!()
    }

    /// Gives a written block's buffer back.
    pub fn reuse_block(&mut self, _block: Block) {
        todo!()
    }

    /// Bytes of blocks that were not taken yet.
    pub fn waiting_block_bytes(&self) -> usize {
        todo!()
    }

    /// Ends the snapshot, complete or not.
    pub fn end_snapshot(&mut self) {
        todo!()
    }
}
