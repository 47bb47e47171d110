//! Durability's side of a shard: the log it appends to, and replaying. Snapshots are in `snapshot.rs`.

use super::change::{Ending, Whole};
use super::{ReplayFault, Shard, prefix};
use crate::entry::{Encoding, Form, Grace, INTEGER_BYTES, NEVER, Shape, Value};
use crate::key::Db;
use crate::lsn::Lsn;
use crate::op::{FlagsChange, Op, Refusal};
use crate::snapshot::Item;
use crate::time::Millis;
use crate::wal::{Body, Log, Record};

impl Shard {
    /// Begins to log every change, numbered from the log's first on.
    ///
    /// # Panics
    /// When the log does not begin with the number after the shard's last change, or another log is kept.
    pub fn open_log(&mut self, log: Log) {
        self.contents.journal.open(log);
    }

    /// The log being kept.
    #[inline]
    pub fn log(&self) -> Option<&Log> {
        self.contents.journal.log.as_deref()
    }

    /// The log being kept, to install segments and to sync. Records are appended by changes, [`Shard::mark`] and
    /// [`Shard::close_log`] alone.
    #[inline]
    pub fn log_mut(&mut self) -> Option<&mut Log> {
        self.contents.journal.log.as_deref_mut()
    }

    /// Appends a mark that the log is durable up to `durable`, if there is room.
    pub fn mark(&mut self, durable: Lsn) {
        self.contents.journal.remark(&Body::Mark { durable });
    }

    /// Appends an End record, if there is room, and keeps no log any more; what was appended is still to be synced.
    pub fn close_log(&mut self) -> Option<Log> {
        self.contents.journal.remark(&Body::End);
        self.contents.journal.log.take().map(|log| *log)
    }

    /// Removals that were made without a record, because the log had no room.
    pub fn unlogged_removal_count(&self) -> u64 {
        self.contents.journal.unlogged_count
    }

    /// Whether the log has room for records of `bytes` in all, as [`Log::record_bytes`] counts them.
    #[inline]
    pub fn has_log_room(&self, bytes: u64) -> bool {
        self.contents.journal.has_room(bytes)
    }

    /// All changes until [`Shard::commit`] are one step for a replay; their records take `bytes` at most, as
    /// [`Log::record_bytes`] counts them.
    ///
    /// # Errors
    /// [`Refusal::LogFull`] when the log has no room for them: no group was begun.
    ///
    /// # Panics
    /// When a group was begun already.
    pub fn begin_group(&mut self, bytes: u64) -> Result<(), Refusal> {
        self.contents.journal.begin_group(bytes)
    }

    /// Ends a group.
    pub fn commit(&mut self) {
        self.contents.journal.commit();
    }

    /// The number of the last change.
    #[inline]
    pub fn last_lsn(&self) -> Lsn {
        self.contents.journal.last
    }

    /// Makes `lsn` the number of the last change: the next has a higher one.
    ///
    /// # Panics
    /// When changes with higher numbers were made, or a log is kept.
    pub fn advance_to(&mut self, lsn: Lsn) {
        let journal = &mut self.contents.journal;
        assert!(journal.log.is_none() && journal.last <= lsn, "numbers only grow, and without a gap in a log");
        journal.last = lsn;
    }

    /// From now on [`Shard::restore`] and [`Shard::replay`] fill the shard: nothing is over, whatever the time is,
    /// nothing is evicted and nothing logged. `now` is when the shard will begin to serve, about.
    ///
    /// # Panics
    /// When the shard is not empty, or keeps a log.
    pub fn begin_replay(&mut self, now: Millis) {
        assert!(self.contents.databases.entry_count() == 0, "only an empty shard is filled");
        let journal = &mut self.contents.journal;
        assert!(journal.log.is_none(), "what is replayed is not logged again");
        journal.replaying_since = Some(now);
    }

    /// Takes an entry of a snapshot.
    ///
    /// # Errors
    /// When the key is there already, or the entry does not fit into the memory.
    ///
    /// # Panics
    /// When the shard is not being filled.
    pub fn restore(&mut self, item: &Item<'_>) -> Result<(), ReplayFault> {
        let now = self.replay_time();
        let Item { db, key, form, value, encoding, expiry, grace, client_flags, is_stale, version } = *item;
        let key = self.key(db, key);
        if self.contents.find(key).is_some() {
            return Err(ReplayFault::Order { lsn: Lsn(version) });
        }
        let digits;
        let bytes = match value {
            _ if form == Form::Absent => &[],
            Value::Bytes(bytes) => bytes,
            Value::Integer(integer) => {
                digits = integer.to_le_bytes();
                &digits[..]
            }
        };
        debug_assert!(encoding != Encoding::Integer || bytes.len() == INTEGER_BYTES, "an integer takes eight bytes");
        if let (Form::Lock, Value::Integer(token)) = (form, value) {
            self.raise_fence(token.unsigned_abs());
        }
        let ending = Ending { at: expiry.map_or(NEVER, |at| at.0.min(NEVER - 1)), grace };
        let shape = Shape::of(key.bytes.len(), bytes.len(), expiry.is_some(), client_flags != 0)
            .with_grace(grace != Grace::NONE || form == Form::Absent);
        let cell = self.contents.slab.allocate(shape.cell_bytes());
        let cell = cell.ok_or(ReplayFault::Refused(Refusal::OutOfMemory { limit_bytes: 0 }))?;
        self.contents.slab.slice_mut(cell, shape.cell_bytes())[shape.value_offset()..].copy_from_slice(bytes);
        let whole = Whole { key, form, shape, encoding, ending, client_flags, is_stale, was_read: false };
        let last = self.contents.journal.last;
        self.contents.journal.last = Lsn(version - 1);
        // The body goes nowhere, since nothing is logged; it only takes the number.
        self.write_new(cell, None, &whole, &Body::Commit, now);
        self.contents.journal.last = last.max(Lsn(version));
        Ok(())
    }

    /// Repeats a logged change. Marks, commits and ends are no changes: they only take their numbers.
    ///
    /// # Errors
    /// When it does not fit the entries, or these do not fit into the memory.
    ///
    /// # Panics
    /// When the shard is not being filled.
    pub fn replay(&mut self, record: &Record<'_>) -> Result<(), ReplayFault> {
        let now = self.replay_time();
        let last = self.contents.journal.last;
        self.contents.journal.last = Lsn(record.lsn.0 - 1);
        let outcome = self.replay_body(record, now);
        self.contents.journal.last = last.max(record.lsn);
        outcome
    }

    /// Removes all entries that were deleted by their prefix, so that none is met by what looks at no numbers.
    pub(crate) fn purge(&mut self) {
        self.contents.purge_all();
    }

    /// Asks the CPU for the table lines of `key`, which is to be restored or replayed soon.
    #[inline]
    pub fn prefetch_replay(&self, db: Db, key: &[u8]) {
        self.contents.databases.table(db).prefetch(prefix(self.contents.hash_of(key)));
    }

    /// Ends the replay: the shard serves from now on, and what is over goes.
    ///
    /// # Panics
    /// When the shard is not being filled.
    pub fn end_replay(&mut self) {
        let replaying = self.contents.journal.replaying_since.take();
        assert!(replaying.is_some(), "the shard is being filled");
    }

    fn replay_time(&self) -> Millis {
        self.contents.journal.replaying_since.expect("the shard is being filled")
    }

    fn replay_body(&mut self, record: &Record<'_>, now: Millis) -> Result<(), ReplayFault> {
        let op = match record.body {
            Body::Put { db, key, value, expiry, client_flags, grace } => {
                let key = self.key(db, key);
                let expiry = Ending::change(expiry, grace);
                Op::Put { key, value, expiry, client_flags: FlagsChange::Set(client_flags) }
            }
            Body::Splice { db, key, base, offset, bytes } => {
                if base == 0 {
                    self.remove_leftover(db, key, now)?;
                }
                self.check_base(db, key, base)?;
                Op::Splice { key: self.key(db, key), offset: offset as usize, bytes }
            }
            Body::Delete { db, key, .. } => Op::Delete { key: self.key(db, key) },
            Body::SetExpiry { db, key, base, expiry } => {
                self.check_base(db, key, base)?;
                Op::SetExpiry { key: self.key(db, key), expiry }
            }
            Body::Invalidate { db, key, base, expiry, grace } => {
                self.check_base(db, key, base)?;
                Op::Invalidate { key: self.key(db, key), expiry: Ending::change(expiry, grace) }
            }
            Body::PutAbsent { db, key, expiry } => Op::PutAbsent { key: self.key(db, key), expiry },
            Body::Lock { db, key, token, expiry } => Op::Lock { key: self.key(db, key), token, expiry },
            Body::DeletePrefix { db, prefix } => Op::DeletePrefix { db, prefix },
            Body::Flush { db } => Op::Flush { db },
            Body::Swap { first, second } => Op::Swap { first, second },
            Body::Commit | Body::Mark { .. } | Body::End => return Ok(()),
        };
        self.apply(op, now).map(drop).map_err(ReplayFault::Refused)
    }

    /// Removes the entry of `key`, if there is one: it went without a record when the log was full.
    fn remove_leftover(&mut self, db: Db, key: &[u8], now: Millis) -> Result<(), ReplayFault> {
        let key = self.key(db, key);
        if self.contents.find(key).is_some() {
            let last = self.contents.journal.last;
            self.apply(Op::Delete { key }, now).map_err(ReplayFault::Refused)?;
            self.contents.journal.last = last;
        }
        Ok(())
    }

    /// Asserts that a change which builds on an entry finds the one it was made of.
    fn check_base(&self, db: Db, key: &[u8], expected: u64) -> Result<(), ReplayFault> {
        let found = self.contents.find(self.key(db, key)).filter(|found| !self.contents.is_dead(found.cell));
        let found = found.map_or(0, |found| self.contents.header(found.cell).version());
        if found == expected { Ok(()) } else { Err(ReplayFault::Base { expected, found }) }
    }
}
