//! Numbers the changes of a shard, and logs them if a log is kept.
//!
//! A change takes its number and is appended at the moment it is certain, before the entry is touched. What room a
//! change needs in the log is asked for before anything happens ([`Journal::promise`]); removals that memory or
//! time ask for meanwhile leave that room alone. An entry whose time is over and whose removal finds no room goes
//! without a record and without a number: its time is over in a replay too. One that memory asks for stays then, since a
//! replay would bring it back, perhaps after somebody deleted the key that was not there any more.
//!
//! Invariants:
//! - Numbers grow by one with each record while a log is kept.
//! - `promised_bytes` is 0 between ops, but within a group.

use crate::key::Db;
use crate::limits::KEY_BYTES_MAX;
use crate::lsn::Lsn;
use crate::op::Refusal;
use crate::time::Millis;
use crate::wal::{Body, Log, Removal};

/// The share of a segment that is left for removals, marks and the end when changes are refused.
const RESERVE_SHARE: u64 = 256;

/// See the module.
#[derive(Default)]
pub(super) struct Journal {
    /// The log being kept.
    pub(super) log: Option<Box<Log>>,
    /// The number of the last change.
    pub(super) last: Lsn,
    /// The shard is being filled from files; since when, as far as it is concerned.
    pub(super) replaying_since: Option<Millis>,
    /// Removals that were made without a record.
    pub(super) unlogged_count: u64,
    is_grouping: bool,
    promised_bytes: u64,
    reserve_bytes: u64,
}

impl Journal {
    /// Whether the shard is being filled from files: nothing is over then, and nothing refused for lack of memory.
    #[inline]
    pub(super) fn is_replaying(&self) -> bool {
        self.replaying_since.is_some()
    }

    /// Whether a group of changes is under way.
    pub(super) fn is_grouping(&self) -> bool {
        self.is_grouping
    }

    /// Begins to log.
    pub(super) fn open(&mut self, log: Log) {
        assert!(self.log.is_none(), "one log is kept at a time");
        assert!(!self.is_replaying(), "a shard is filled before it logs");
        assert_eq!(log.last_lsn(), self.last, "the log goes on where the shard is");
        self.reserve_bytes = log.options().segment_bytes / RESERVE_SHARE;
        self.log = Some(Box::new(log));
    }

    /// Whether there is room for records of `bytes` in all.
    #[inline]
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.log.as_ref().is_none_or(|log| log.room_bytes() >= bytes + self.reserve_bytes)
    }

    /// Sets room aside for a record of a key and `payload_bytes` more.
    #[inline]
    pub(super) fn promise(&mut self, key_bytes: usize, payload_bytes: usize) -> Result<(), Refusal> {
        if self.log.is_none() || self.is_grouping {
            return Ok(());
        }
        let bytes = Log::record_bytes(key_bytes, payload_bytes);
        if !self.has_room(bytes) {
            return Err(Refusal::LogFull);
        }
        self.promised_bytes = bytes;
        Ok(())
    }

    /// Takes back a promise of which nothing came.
    #[inline]
    pub(super) fn release(&mut self) {
        if !self.is_grouping {
            self.promised_bytes = 0;
        }
    }

    /// Logs a change for which room was promised; returns its number.
    #[inline]
    pub(super) fn note(&mut self, body: &Body<'_>) -> u64 {
        self.last = self.last.next();
        if let Some(log) = &mut self.log {
            log.append(self.last, self.is_grouping, body);
            if !self.is_grouping {
                self.promised_bytes = 0;
            }
        }
        self.last.0
    }

    /// Whether there is room for the removal of an entry with any key.
    #[inline]
    pub(super) fn has_removal_room(&self) -> bool {
        let bytes = Log::record_bytes(KEY_BYTES_MAX, 0) + self.promised_bytes;
        self.is_replaying() || self.log.as_ref().is_none_or(|log| log.room_bytes() >= bytes)
    }

    /// Logs a removal that nobody asked for, if there is room.
    #[inline]
    pub(super) fn note_removal(&mut self, db: Db, key: &[u8], removal: Removal) {
        if let Some(log) = &self.log {
            if log.room_bytes() < Log::record_bytes(key.len(), 0) + self.promised_bytes {
                self.unlogged_count += 1;
                return;
            }
            let promised_bytes = self.promised_bytes;
            self.note(&Body::Delete { db, key, removal });
            self.promised_bytes = promised_bytes;
            return;
        }
        self.last = self.last.next();
    }

    /// Appends what is no change, if there is room.
    pub(super) fn remark(&mut self, body: &Body<'_>) {
        if let Some(log) = &self.log
            && log.room_bytes() >= Log::record_bytes(0, 0) + self.promised_bytes
        {
            let promised_bytes = self.promised_bytes;
            self.note(body);
            self.promised_bytes = promised_bytes;
        }
    }

    /// Begins a group of changes that take `bytes` of the log at most.
    pub(super) fn begin_group(&mut self, bytes: u64) -> Result<(), Refusal> {
        assert!(!self.is_grouping, "groups do not nest");
        if self.log.is_none() {
            return Ok(());
        }
        let bytes = bytes + Log::record_bytes(0, 0);
        if !self.has_room(bytes) {
            return Err(Refusal::LogFull);
        }
        self.promised_bytes = bytes;
        self.is_grouping = true;
        Ok(())
    }

    /// Ends the group.
    pub(super) fn commit(&mut self) {
        if self.is_grouping {
            self.is_grouping = false;
            self.note(&Body::Commit);
        }
    }
}
