//! The writing end of a shard's log.

use crate::disk::SegmentMemory;
use crate::lsn::{Lsn, Origin};
use crate::wal::record::Body;

/// How a log is set up.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// Whose log.
    pub origin: Origin,
    /// Whether it begins in a running server, so that it is of use only with a snapshot taken since.
    pub needs_snapshot: bool,
    /// Bytes of a segment, a multiple of 4 KiB; 64 MiB but in tests.
    pub segment_bytes: u64,
    /// The number of the first record.
    pub first_lsn: Lsn,
}

/// Memory for a segment, prepared by somebody who may take long.
pub struct Segment {
    /// Its number: [`Log::wanted`] said it.
    pub sequence: u64,
    /// The mapped file.
    pub memory: Box<dyn SegmentMemory>,
}

/// A segment that the log will write to no more.
pub struct Finished {
    /// Its number.
    pub sequence: u64,
    /// The number of the last record in it.
    pub last_lsn: Lsn,
    /// The mapped file, to be unmapped where that may take long.
    pub memory: Box<dyn SegmentMemory>,
}

/// The log of one shard, from its first record on.
pub struct Log {
    _options: LogOptions,
}

impl Log {
    /// A log without segments: [`Log::install`] gives it some.
    pub fn new(_options: LogOptions) -> Log {
        todo!()
    }

    /// How it was set up.
    pub fn options(&self) -> LogOptions {
        todo!()
    }

    /// The sequence number of the segment to prepare next, while fewer than `ahead` unused ones are installed.
    pub fn wanted(&self, _ahead: usize) -> Option<u64> {
        todo!()
    }

    /// Takes a prepared segment, the one after the last installed.
    ///
    /// # Panics
    /// When it is not the one that was wanted.
    pub fn install(&mut self, _segment: Segment) {
        todo!()
    }

    /// Bytes of frames that can surely be appended without another segment.
    pub fn room_bytes(&self) -> u64 {
        todo!()
    }

    /// Bytes that a record of a key and `payload_bytes` more may take, frames and rounding included.
    pub fn record_bytes(_key_bytes: usize, _payload_bytes: usize) -> u64 {
        todo!()
    }

    /// Appends a record with the number after the last one.
    ///
    /// # Panics
    /// When `lsn` is not that number, or there is no room: whoever appends has asked [`Log::room_bytes`].
    pub fn append(&mut self, _lsn: Lsn, _is_grouped: bool, _body: &Body<'_>) {
        todo!()
    }

    /// The number of the last record.
    pub fn last_lsn(&self) -> Lsn {
        todo!()
    }

    /// Up to where the log is durable.
    pub fn durable_lsn(&self) -> Lsn {
        todo!()
    }

    /// Whether something but marks was appended that is not durable yet.
    pub fn needs_sync(&self) -> bool {
        todo!()
    }

    /// The segments (by sequence, ascending) that must be synced, in this order, to make the log durable up to the
    /// returned number. Nothing is said to be durable before [`Log::end_sync`] of that number.
    pub fn begin_sync(&mut self) -> (Lsn, Vec<u64>) {
        todo!()
    }

    /// All segments that [`Log::begin_sync`] named for `durable` are synced. Whoever calls this appends a
    /// [`Body::Mark`] next, unless the log is full.
    pub fn end_sync(&mut self, _durable: Lsn) {
        todo!()
    }

    /// The oldest segment that is written full and durable, if there is one.
    pub fn take_finished(&mut self) -> Option<Finished> {
        todo!()
    }

    /// The segment being written, for whoever syncs it through its memory.
    pub fn current_mut(&mut self) -> Option<&mut Segment> {
        todo!()
    }

    /// Bytes appended since the log began, frames and rounding included.
    pub fn appended_bytes(&self) -> u64 {
        todo!()
    }
}
