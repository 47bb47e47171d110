//! The snapshot files: written in a temporary directory, completed by one rename, the oldest removed.

use std::io;

use crate::disk::Disk;
use crate::lsn::{Lsn, Origin};
use crate::snapshot::{Block, Footer};

/// Complete snapshots of a data directory.
pub struct SnapshotStore<D: Disk> {
    _disk: D,
}

/// A snapshot being written.
pub struct SnapshotWriter {
    _id: u64,
}

impl<D: Disk> SnapshotStore<D> {
    /// The store of a directory with the complete snapshots `ids`, ascending.
    pub fn new(_disk: D, _ids: Vec<u64>, _id_next: u64) -> SnapshotStore<D> {
        todo!()
    }

    /// Begins a snapshot of `shard_count` shards in `generation`.
    ///
    /// # Errors
    /// The disk's.
    pub fn begin(&mut self, _generation: u64, _shard_count: u16) -> io::Result<SnapshotWriter> {
        todo!()
    }

    /// Begins the file of a shard, whose instant is `lsn`.
    ///
    /// # Errors
    /// The disk's; the snapshot is to be discarded then.
    pub fn begin_shard(&mut self, _writer: &mut SnapshotWriter, _origin: Origin, _lsn: Lsn) -> io::Result<()> {
        todo!()
    }

    /// Seals and writes a block of a shard; the block's buffer can be used again.
    ///
    /// # Errors
    /// The disk's; the snapshot is to be discarded then.
    pub fn write(&mut self, _writer: &mut SnapshotWriter, _shard: u16, _block: &mut Block) -> io::Result<()> {
        todo!()
    }

    /// Ends the file of a shard, durably.
    ///
    /// # Errors
    /// The disk's; the snapshot is to be discarded then.
    pub fn finish_shard(&mut self, _writer: &mut SnapshotWriter, _shard: u16, _footer: Footer) -> io::Result<()> {
        todo!()
    }

    /// Completes the snapshot: from now on it counts. Returns the instants of its shards.
    ///
    /// # Errors
    /// The disk's; the snapshot is to be discarded then.
    ///
    /// # Panics
    /// When a shard's file is not finished.
    pub fn commit(&mut self, _writer: SnapshotWriter) -> io::Result<Vec<Lsn>> {
        todo!()
    }

    /// Removes a snapshot that will not be completed.
    ///
    /// # Errors
    /// The disk's; a later start removes what is left.
    pub fn discard(&mut self, _writer: SnapshotWriter) -> io::Result<()> {
        todo!()
    }

    /// Removes all but the newest `keep` snapshots.
    ///
    /// # Errors
    /// The disk's.
    pub fn prune(&mut self, _keep: usize) -> io::Result<()> {
        todo!()
    }

    /// Bytes of the snapshot being written so far.
    pub fn written_bytes(&self, _writer: &SnapshotWriter) -> u64 {
        todo!()
    }
}
