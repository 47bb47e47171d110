//! The snapshot files: written in a temporary directory, completed by one rename, the oldest removed.
//!
//! ```text
//! begin          snapshots/<id>.tmp/ made, durably
//! begin_shard    <shard>.snap created, its head written
//! write          a block appended
//! finish_shard   the foot appended, the file synced
//! commit         snapshots/<id>.tmp/ synced: the files have names; renamed to snapshots/<id>; snapshots/ synced
//! prune          the oldest renamed back to <id>.tmp, snapshots/ synced, then removed
//! ```
//!
//! # Invariants
//! - A directory with a final name holds all files of its snapshot, whole and durable, at every instant: it gets the
//!   name after its files are durable, and loses it, durably, before the first of them is removed.
//! - A crash, or a failed call, leaves besides complete snapshots nothing but directories with a temporary name, which
//!   the next start removes; their ids are not used again.
//! - The newest complete snapshot is never removed.

use std::io;

use crate::disk::{Disk, Output};
use crate::lsn::{Lsn, Origin};
use crate::recover::{snapshot_file_path, snapshot_path, snapshot_temporary_path};
use crate::snapshot::{Block, FILE_VERSION, FileHeader, Footer, seal};

/// The directory of all snapshots.
const DIRECTORY: &str = "snapshots";

/// Complete snapshots of a data directory.
pub struct SnapshotStore<D: Disk> {
    disk: D,
    /// Those that are complete, ascending.
    ids: Vec<u64>,
    id_next: u64,
    /// Directories with a temporary name that could not be removed.
    leftovers: Vec<String>,
}

/// A snapshot being written.
pub struct SnapshotWriter {
    id: u64,
    generation: u64,
    directory: String,
    /// By shard.
    files: Vec<ShardFile>,
    written_bytes: u64,
}

/// The file of one shard.
enum ShardFile {
    /// Not begun.
    Missing,
    /// Being written.
    Open {
        output: Box<dyn Output>,
        header: FileHeader,
        /// What was written so far.
        written: Footer,
    },
    /// Whole and durable.
    Finished { lsn: Lsn },
}

impl<D: Disk> SnapshotStore<D> {
    /// The store of a directory with the complete snapshots `ids`, ascending.
    ///
    /// # Panics
    /// When the next id was used already.
    pub fn new(disk: D, ids: Vec<u64>, id_next: u64) -> SnapshotStore<D> {
        assert!(ids.is_sorted() && ids.last().is_none_or(|last| *last < id_next), "ids grow");
        SnapshotStore { disk, ids, id_next, leftovers: Vec::new() }
    }

    /// Begins a snapshot of `shard_count` shards in `generation`.
    ///
    /// # Errors
    /// The disk's.
    pub fn begin(&mut self, generation: u64, shard_count: u16) -> io::Result<SnapshotWriter> {
        let id = self.id_next;
        // Whatever comes of it, what is left of it must not meet another one.
        self.id_next += 1;
        let directory = snapshot_temporary_path(id);
        if let Err(error) = self.disk.make_directory(&directory) {
            self.leftovers.push(directory);
            return Err(error);
        }
        let files = (0..shard_count).map(|_| ShardFile::Missing).collect();
        Ok(SnapshotWriter { id, generation, directory, files, written_bytes: 0 })
    }

    /// Begins the file of a shard, whose instant is `lsn`; `fence` is the highest fencing token it had given by then.
    ///
    /// # Errors
    /// The disk's; the snapshot is to be discarded then.
    ///
    /// # Panics
    /// When the file was begun already, or is of another generation or number of shards.
    pub fn begin_shard(&mut self, writer: &mut SnapshotWriter, origin: Origin, lsn: Lsn, fence: u64) -> io::Result<()> {
        assert_eq!(origin.generation, writer.generation, "a snapshot is of one generation");
        assert_eq!(usize::from(origin.shard_count), writer.files.len(), "a snapshot is of one number of shards");
        let file = &mut writer.files[usize::from(origin.shard)];
        assert!(matches!(file, ShardFile::Missing), "a file is begun once");
        let header = FileHeader { version: FILE_VERSION, origin, id: writer.id, lsn, fence };
        let mut output = self.disk.create(&snapshot_file_path(&writer.directory, origin.shard))?;
        let head = header.to_bytes();
        output.write(head.as_slice())?;
        writer.written_bytes += head.len() as u64;
        *file = ShardFile::Open { output, header, written: Footer::default() };
        Ok(())
    }

    /// Seals and writes a block of a shard; the block's buffer can be used again.
    ///
    /// # Errors
    /// The disk's; the snapshot is to be discarded then.
    ///
    /// # Panics
    /// When the shard's file is not open, or another block is the next.
    pub fn write(&mut self, writer: &mut SnapshotWriter, shard: u16, block: &mut Block) -> io::Result<()> {
        let ShardFile::Open { output, header, written } = &mut writer.files[usize::from(shard)] else {
            panic!("the file of shard {shard} is not open")
        };
        assert_eq!(block.number(), written.block_count, "blocks come in their order");
        seal(block, header);
        output.write(block.as_bytes())?;
        written.block_count += 1;
        written.item_count += u64::from(block.item_count());
        writer.written_bytes += block.as_bytes().len() as u64;
        Ok(())
    }

    /// Ends the file of a shard, durably.
    ///
    /// # Errors
    /// The disk's; the snapshot is to be discarded then.
    ///
    /// # Panics
    /// When the shard's file is not open, or `footer` says otherwise than the blocks.
    pub fn finish_shard(&mut self, writer: &mut SnapshotWriter, shard: u16, footer: Footer) -> io::Result<()> {
        let file = &mut writer.files[usize::from(shard)];
        let ShardFile::Open { mut output, header, written } = std::mem::replace(file, ShardFile::Missing) else {
            panic!("the file of shard {shard} is not open")
        };
        assert_eq!(written, footer, "all blocks of shard {shard} were written");
        let foot = footer.to_bytes(&header);
        output.write(foot.as_slice())?;
        output.finish()?;
        writer.written_bytes += foot.len() as u64;
        *file = ShardFile::Finished { lsn: header.lsn };
        Ok(())
    }

    /// Completes the snapshot: from now on it counts. Returns the instants of its shards.
    ///
    /// # Errors
    /// The disk's; the snapshot was discarded then, as far as it can be.
    ///
    /// # Panics
    /// When a shard's file is not finished.
    pub fn commit(&mut self, writer: SnapshotWriter) -> io::Result<Vec<Lsn>> {
        let instant = |file: &ShardFile| match file {
            ShardFile::Finished { lsn } => *lsn,
            ShardFile::Missing | ShardFile::Open { .. } => panic!("a snapshot is complete when all its files are"),
        };
        let instants = writer.files.iter().map(instant).collect();
        let path = snapshot_path(writer.id);
        let renamed =
            self.disk.sync_directory(&writer.directory).and_then(|()| self.disk.rename(&writer.directory, &path));
        if let Err(error) = renamed {
            // What is left has its temporary name, which the next start removes too.
            let _ = self.discard(writer);
            return Err(error);
        }
        // If this fails nobody knows which name a crash would leave. Either is harmless, as the files are whole and
        // the log goes on from before; so the directory is left alone, and not counted on.
        self.disk.sync_directory(DIRECTORY)?;
        self.ids.push(writer.id);
        Ok(instants)
    }

    /// Removes a snapshot that will not be completed.
    ///
    /// # Errors
    /// The disk's; it is tried again by [`SnapshotStore::prune`], and a later start removes what is left.
    pub fn discard(&mut self, writer: SnapshotWriter) -> io::Result<()> {
        let SnapshotWriter { directory, files, .. } = writer;
        // Their memory and disk space are held as long as they are open.
        drop(files);
        self.remove(directory)
    }

    /// Removes all but the newest `keep` snapshots, and always keeps one.
    ///
    /// # Errors
    /// The disk's.
    pub fn prune(&mut self, keep: usize) -> io::Result<()> {
        let mut outcome = Ok(());
        for directory in std::mem::take(&mut self.leftovers) {
            outcome = outcome.and(self.remove(directory));
        }
        while self.ids.len() > keep.max(1) {
            let id = self.ids[0];
            let directory = snapshot_temporary_path(id);
            self.disk.rename(&snapshot_path(id), &directory)?;
            self.ids.remove(0);
            // If this fails the directory is left to the next start: were its files removed now, a crash might bring
            // back its name without them. Another sync could succeed without having done anything.
            self.disk.sync_directory(DIRECTORY)?;
            self.remove(directory)?;
        }
        outcome
    }

    /// The complete snapshots, ascending.
    pub fn ids(&self) -> &[u64] {
        &self.ids
    }

    /// Bytes of the snapshot being written so far.
    pub fn written_bytes(&self, writer: &SnapshotWriter) -> u64 {
        writer.written_bytes
    }

    /// Removes a directory with a temporary name, now or later.
    fn remove(&mut self, directory: String) -> io::Result<()> {
        let removed = self.disk.remove(&directory);
        if removed.is_err() {
            self.leftovers.push(directory);
        }
        removed
    }
}

impl SnapshotWriter {
    /// The snapshot's number.
    pub fn id(&self) -> u64 {
        self.id
    }
}

#[cfg(test)]
mod tests;
