//! The segment files of one process: prepared ahead, recycled behind snapshots.

use std::io;

use crate::disk::{Disk, SegmentMemory};
use crate::lsn::{Lsn, Origin};

/// Prepares and recycles segments; one for all shards.
pub struct SegmentStore<D: Disk> {
    _disk: D,
}

impl<D: Disk> SegmentStore<D> {
    /// A store of segments of `segment_bytes`; at most `spare_count_max` files wait to be used again.
    pub fn new(_disk: D, _segment_bytes: u64, _spare_count_max: usize) -> SegmentStore<D> {
        todo!()
    }

    /// Makes the directory of a generation.
    ///
    /// # Errors
    /// The disk's.
    pub fn begin_generation(&mut self, _generation: u64) -> io::Result<()> {
        todo!()
    }

    /// Prepares a segment.
    ///
    /// # Errors
    /// The disk's; preparing may be tried again.
    pub fn prepare(&mut self, _origin: Origin, _sequence: u64) -> io::Result<Box<dyn SegmentMemory>> {
        todo!()
    }

    /// Notes that a segment is written full, and unmaps it.
    pub fn finished(&mut self, _origin: Origin, _sequence: u64, _last_lsn: Lsn, _memory: Box<dyn SegmentMemory>) {
        todo!()
    }

    /// A snapshot counts: finished segments of `generation` whose last record is not after their shard's instant, and
    /// all earlier generations, are needed no more; they become spare files or are removed.
    ///
    /// # Errors
    /// The disk's; what could not be removed is tried again next time.
    pub fn retire(&mut self, _generation: u64, _instants: &[Lsn]) -> io::Result<()> {
        todo!()
    }

    /// Bytes of all segment files of this process, in use or spare.
    pub fn resident_bytes(&self) -> u64 {
        todo!()
    }
}
