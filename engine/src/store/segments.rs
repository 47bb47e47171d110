//! The segment files of one process: prepared ahead, recycled behind snapshots.
//!
//! ```text
//!   prepare ─▶ in use ─▶ finished ─▶ retire ─▶ spare ─▶ prepare, under another name
//!                                      └─────▶ removed, if enough are spare
//! ```
//!
//! A spare file keeps its name and its bytes until it is used again. Whoever reads the directory after a crash finds
//! some files that are needed no more, with gaps between them: a snapshot says where the log begins that counts.
//!
//! # Invariants
//! - Of the files of one log the oldest goes first, for whatever reason.
//! - A file whose name or length may not be what it was is never used again: a preparation that fails gives its spare
//!   file up.

use std::collections::VecDeque;
use std::io;

use crate::disk::{Disk, SegmentMemory};
use crate::lsn::{Lsn, Origin};
use crate::recover::{generation_path, log_path};

/// Prepares and recycles segments; one for all shards.
pub struct SegmentStore<D: Disk> {
    disk: D,
    segment_bytes: u64,
    spare_count_max: usize,
    /// Prepared, and not finished yet.
    in_use: Vec<(Origin, u64)>,
    /// In the order in which they were finished, which is each log's own.
    finished: VecDeque<Finished>,
    /// Needed no more, the oldest of each log first.
    spares: VecDeque<(Origin, u64)>,
}

struct Finished {
    origin: Origin,
    sequence: u64,
    last_lsn: Lsn,
}

impl<D: Disk> SegmentStore<D> {
    /// A store of segments of `segment_bytes`; at most `spare_count_max` files wait to be used again.
    pub fn new(disk: D, segment_bytes: u64, spare_count_max: usize) -> SegmentStore<D> {
        let (in_use, finished, spares) = (Vec::new(), VecDeque::new(), VecDeque::new());
        SegmentStore { disk, segment_bytes, spare_count_max, in_use, finished, spares }
    }

    /// Makes the directory of a generation.
    ///
    /// # Errors
    /// The disk's.
    pub fn begin_generation(&mut self, generation: u64) -> io::Result<()> {
        self.disk.make_directory(&generation_path(generation))
    }

    /// Prepares a segment.
    ///
    /// # Errors
    /// The disk's; preparing may be tried again.
    pub fn prepare(&mut self, origin: Origin, sequence: u64) -> io::Result<Box<dyn SegmentMemory>> {
        let path = log_path(origin, sequence);
        let memory = match self.spares.pop_front() {
            Some((owner, number)) => self.recycle(&path, &log_path(owner, number))?,
            None => self.disk.prepare_segment(&path, self.segment_bytes, None)?,
        };
        self.in_use.push((origin, sequence));
        Ok(memory)
    }

    /// Notes that a segment is written full, and unmaps it.
    ///
    /// # Panics
    /// When it was not prepared, or was finished already.
    pub fn finished(&mut self, origin: Origin, sequence: u64, last_lsn: Lsn, memory: Box<dyn SegmentMemory>) {
        drop(memory);
        let place = self.in_use.iter().position(|used| *used == (origin, sequence));
        self.in_use.swap_remove(place.expect("a segment is prepared before it is finished"));
        self.finished.push_back(Finished { origin, sequence, last_lsn });
    }

    /// A snapshot counts: finished segments of `generation` whose last record is not after their shard's instant, and
    /// all earlier generations, are needed no more; they become spare files or are removed.
    ///
    /// # Errors
    /// The disk's; what could not be removed is tried again next time.
    ///
    /// # Panics
    /// When a segment of `generation` is of a shard without an instant.
    pub fn retire(&mut self, generation: u64, instants: &[Lsn]) -> io::Result<()> {
        let spares = &mut self.spares;
        self.finished.retain(|&Finished { origin, sequence, last_lsn }| {
            let is_needed = match origin.generation {
                own if own == generation => last_lsn > instants[usize::from(origin.shard)],
                own => own > generation,
            };
            if !is_needed {
                spares.push_back((origin, sequence));
            }
            is_needed
        });
        self.remove_generations_before(generation)?;
        while self.spares.len() > self.spare_count_max {
            let (origin, sequence) = self.spares[0];
            self.disk.remove(&log_path(origin, sequence))?;
            self.spares.pop_front();
        }
        Ok(())
    }

    /// Bytes of all segment files of this process, in use or spare.
    pub fn resident_bytes(&self) -> u64 {
        (self.in_use.len() + self.finished.len() + self.spares.len()) as u64 * self.segment_bytes
    }

    /// Uses a spare file again; if that fails, nothing is left of it.
    fn recycle(&mut self, path: &str, spare: &str) -> io::Result<Box<dyn SegmentMemory>> {
        let prepared = self.disk.prepare_segment(path, self.segment_bytes, Some(spare));
        if prepared.is_err() {
            // Whether it has the old name or the new one is not known. What cannot be removed is in nobody's way:
            // under the old name a later start removes it, under the new one the next attempt fails like this one.
            for path in [spare, path] {
                let _ = self.disk.remove(path);
            }
        }
        prepared
    }

    /// Removes the logs of earlier generations, those of other processes too.
    fn remove_generations_before(&mut self, generation: u64) -> io::Result<()> {
        for entry in self.disk.list("wal")? {
            let Ok(earlier) = u64::from_str_radix(&entry.name, 16) else { continue };
            let path = generation_path(earlier);
            if earlier < generation && path.ends_with(&entry.name) {
                self.spares.retain(|(origin, _)| origin.generation != earlier);
                self.in_use.retain(|(origin, _)| origin.generation != earlier);
                self.disk.remove(&path)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::{Failure, SimDisk};

    const BYTES: u64 = 16_384;

    fn origin(generation: u64, shard: u16) -> Origin {
        Origin { generation, shard, shard_count: 2 }
    }

    fn store(disk: &SimDisk, spare_count_max: usize) -> SegmentStore<SimDisk> {
        let mut store = SegmentStore::new(disk.clone(), BYTES, spare_count_max);
        store.begin_generation(1).unwrap();
        store
    }

    /// Prepares a segment of each shard and finishes it with the last number `10 * (sequence + 1)`.
    fn fill(store: &mut SegmentStore<SimDisk>, generation: u64, sequence: u64) {
        for shard in 0..2 {
            let memory = store.prepare(origin(generation, shard), sequence).unwrap();
            store.finished(origin(generation, shard), sequence, Lsn(10 * (sequence + 1)), memory);
        }
    }

    fn names(disk: &SimDisk) -> Vec<String> {
        disk.files().into_keys().map(|path| path[path.len() - 19..path.len() - 4].to_owned()).collect()
    }

    #[test]
    fn only_what_is_behind_its_shards_instant_is_retired() {
        let disk = SimDisk::new();
        let mut store = store(&disk, 0);
        (0..3).for_each(|sequence| fill(&mut store, 1, sequence));
        let current = store.prepare(origin(1, 0), 3).unwrap();
        store.retire(1, &[Lsn(20), Lsn(29)]).unwrap();
        assert_eq!(names(&disk), ["0000-0000000002", "0000-0000000003", "0001-0000000002"]);
        store.retire(1, &[Lsn(1000), Lsn(30)]).unwrap();
        assert_eq!(names(&disk), ["0000-0000000003"]);
        assert_eq!(store.resident_bytes(), BYTES);
        drop(current);
    }

    #[test]
    fn spare_files_are_used_again_the_oldest_first() {
        let disk = SimDisk::new();
        let mut store = store(&disk, 3);
        (0..3).for_each(|sequence| fill(&mut store, 1, sequence));
        store.retire(1, &[Lsn(30), Lsn(20)]).unwrap();
        assert_eq!(names(&disk), ["0000-0000000001", "0000-0000000002", "0001-0000000001", "0001-0000000002"]);
        assert_eq!(store.resident_bytes(), 4 * BYTES);
        drop(store.prepare(origin(1, 1), 3).unwrap());
        assert_eq!(names(&disk), ["0000-0000000002", "0001-0000000001", "0001-0000000002", "0001-0000000003"]);
        assert!(disk.files().values().all(|bytes| bytes.len() as u64 == BYTES));
    }

    #[test]
    fn earlier_generations_go_with_their_spare_files() {
        let disk = SimDisk::new();
        let mut store = store(&disk, 4);
        fill(&mut store, 1, 0);
        store.retire(1, &[Lsn(10), Lsn(0)]).unwrap();
        store.begin_generation(2).unwrap();
        disk.make_directory("wal/lost+found").unwrap();
        let memory = store.prepare(origin(2, 0), 0).unwrap();
        assert_eq!(names(&disk), ["0001-0000000000", "0000-0000000000"]);
        store.retire(2, &[Lsn(0), Lsn(0)]).unwrap();
        assert_eq!(names(&disk), ["0000-0000000000"]);
        assert_eq!(disk.list("wal").unwrap().len(), 2, "a name that is nobody's is left alone");
        drop(memory);
        drop(store.prepare(origin(2, 1), 0).unwrap());
        assert_eq!(store.resident_bytes(), 2 * BYTES);
    }

    #[test]
    fn a_failed_preparation_can_be_tried_again() {
        for after in 0..6 {
            let disk = SimDisk::new();
            let mut store = store(&disk, 4);
            fill(&mut store, 1, 0);
            store.retire(1, &[Lsn(10), Lsn(0)]).unwrap();
            disk.fail(after, 1, Failure::NoSpace);
            let first = store.prepare(origin(1, 0), 1);
            disk.heal();
            if first.is_err() {
                store.prepare(origin(1, 0), 1).unwrap();
            }
            assert_eq!(names(&disk), ["0000-0000000001", "0001-0000000000"]);
            assert_eq!(store.resident_bytes(), 2 * BYTES);
        }
    }

    #[test]
    fn what_could_not_be_removed_is_removed_next_time() {
        for after in 0..4 {
            let disk = SimDisk::new();
            let mut store = store(&disk, 0);
            (0..3).for_each(|sequence| fill(&mut store, 1, sequence));
            disk.fail(after, 1, Failure::Io);
            let _ = store.retire(1, &[Lsn(20), Lsn(20)]);
            disk.heal();
            store.retire(1, &[Lsn(20), Lsn(20)]).unwrap();
            assert_eq!(names(&disk), ["0000-0000000002", "0001-0000000002"]);
        }
    }
}
