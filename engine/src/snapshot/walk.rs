//! A snapshot in the making: where the walk stands, and which entries have to be written.
//!
//! At the beginning the walk notes which table is which database. It goes through these tables in the order of the
//! databases and through each in the order of hashes, so where it stands is told by a database and a hash, whatever
//! grows, shrinks, is swapped or moved meanwhile. A table that belonged to no database then is no part of the
//! snapshot; one that is flushed later is, as long as it has entries of the instant. The deletions by prefix that were
//! under way then are noted too, since entries that they concern may still lie in their tables.
//!
//! # Invariants
//! - An entry is of the instant if it lies in one of these tables, its version is not after the instant and it was not
//!   dead by then: whatever changes an entry stamps it with a later number, and calls [`Walk::preserve`] before.
//! - Entries of the instant before the place where the walk stands are in blocks; those behind it are not.
//! - A snapshot that was given up has no blocks.

use std::cmp::Ordering;

use crate::cell::Cell;
use crate::entry::{HEADER_BYTES, Header, Record};
use crate::key::Db;
use crate::limits::TABLE_COUNT_MAX;
use crate::lsn::Lsn;
use crate::prefixes::Prefixes;
use crate::slab::Slab;
use crate::snapshot::block::{BLOCK_BYTES_TARGET, Block, Footer};
use crate::snapshot::queue::Queue;
use crate::table::Table;

/// Slots passed at a time: the cells of their entries are fetched side by side.
const BATCH_SLOTS: usize = 16;
/// Entries that such a batch has room for: a run of one hash goes beyond the slots.
const BATCH_ENTRIES: usize = 2 * BATCH_SLOTS;
/// A step ends once it has written so many bytes, whatever slots are left to it.
const STEP_BYTES_MAX: usize = BLOCK_BYTES_TARGET;
/// Stands for no database.
const NO_PLACE: u8 = u8::MAX;

/// How a snapshot is taken.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotOptions {
    /// Blocks that were not taken may have this many bytes in all, and those of one entry more; when an entry that
    /// is about to change finds more, the snapshot is given up.
    pub waiting_bytes_max: usize,
}

/// How far a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Entries are left.
    Walking,
    /// All entries are in blocks; what has not been taken of these is all there will be.
    Done(Footer),
    /// It was given up: everything was flushed, or the disk is so much slower than the changes that they would have
    /// filled the memory.
    GivenUp,
}

/// A snapshot in the making.
#[derive(Debug)]
pub struct Walk {
    lsn: Lsn,
    options: SnapshotOptions,
    /// The table of each database at the instant.
    tables: Vec<u8>,
    /// The other way round, by table: its place in `tables`, which is its database.
    places: [u8; TABLE_COUNT_MAX],
    /// The deletions under way at the instant.
    prefixes: Prefixes,
    /// The place in `tables` where the walk stands, and the hash from which on it has entries to write.
    place: u8,
    from: u32,
    queue: Queue,
    progress: Progress,
}

impl Walk {
    /// The beginning of a snapshot of the instant `lsn`, at which `tables` were those of the databases and
    /// `prefixes` were being deleted.
    pub(crate) fn new(
        lsn: Lsn,
        tables: impl Iterator<Item = u8>,
        prefixes: Prefixes,
        options: SnapshotOptions,
    ) -> Walk {
        let tables: Vec<u8> = tables.collect();
        let mut places = [NO_PLACE; TABLE_COUNT_MAX];
        for (place, id) in tables.iter().enumerate() {
            assert_eq!(places[usize::from(*id)], NO_PLACE, "a table is one database");
            places[usize::from(*id)] = place as u8;
        }
        let (queue, progress) = (Queue::new(), Progress::Walking);
        Walk { lsn, options, tables, places, prefixes, place: 0, from: 0, queue, progress }
    }

    /// How far it is.
    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    /// What share of the entries is in blocks, 0 to 1, as far as the tables of now tell.
    pub(crate) fn share<'t>(&self, table_of: impl Fn(u8) -> &'t Table) -> f64 {
        if self.progress != Progress::Walking {
            return 1.0;
        }
        // The walk goes through a table in the order of hashes, which are spread evenly.
        let passed = f64::from(self.from) / f64::from(u32::MAX);
        let (mut walked, mut all) = (0.0, 0.0);
        for (place, id) in self.tables.iter().enumerate() {
            let count = table_of(*id).len() as f64;
            all += count;
            walked += match place.cmp(&usize::from(self.place)) {
                Ordering::Less => count,
                Ordering::Equal => count * passed,
                Ordering::Greater => 0.0,
            };
        }
        if all > 0.0 { walked / all } else { 1.0 }
    }

    /// Goes on for about `slots` slots, and no more than [`STEP_BYTES_MAX`] and an item.
    pub(crate) fn step<'t>(&mut self, slots: usize, slab: &Slab, table_of: impl Fn(u8) -> &'t Table) -> Progress {
        let mut slots_left = slots.max(1);
        let mut bytes_left = STEP_BYTES_MAX;
        while self.progress == Progress::Walking && slots_left > 0 && bytes_left > 0 {
            let Some(id) = self.tables.get(usize::from(self.place)) else {
                self.progress = Progress::Done(self.queue.finish());
                break;
            };
            let table = table_of(*id);
            if table.is_empty() {
                (self.place, self.from) = (self.place + 1, 0);
                continue;
            }
            let passed = slots_left.min(BATCH_SLOTS);
            self.pass(table, slab, passed, &mut bytes_left);
            slots_left -= passed;
        }
        self.progress
    }

    /// An entry of table `id` with this hash is about to change or to go: writes it if it is still to be written.
    #[inline]
    pub(crate) fn preserve(&mut self, id: u8, hash: u32, record: &Record<'_>) {
        let place = self.places[usize::from(id)];
        let is_written = (place, hash) < (self.place, self.from);
        if self.progress != Progress::Walking || place == NO_PLACE || is_written || record.header.version() > self.lsn.0
        {
            return;
        }
        if self.was_dead(id, record) {
            return;
        }
        if self.queue.ready_bytes() > self.options.waiting_bytes_max {
            self.give_up();
            return;
        }
        self.queue.push(Db(place), record);
    }

    /// Gives the snapshot up, unless all entries are in blocks.
    pub(crate) fn give_up(&mut self) {
        if self.progress == Progress::Walking {
            self.progress = Progress::GivenUp;
            self.queue.clear();
        }
    }

    /// The next block for the file.
    pub(crate) fn take_block(&mut self) -> Option<Block> {
        self.queue.take()
    }

    /// Takes the buffer of a written block back.
    pub(crate) fn reuse_block(&mut self, block: Block) {
        if self.progress == Progress::Walking {
            self.queue.reuse(block);
        }
    }

    /// Bytes of blocks that were not taken yet.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.queue.ready_bytes()
    }

    /// Passes `slots` slots of the table where the walk stands, or fewer if that was more than `bytes_left`.
    fn pass(&mut self, table: &Table, slab: &Slab, slots: usize, bytes_left: &mut usize) {
        let mut batch = [(0, None); BATCH_ENTRIES];
        let mut count = 0;
        let next = table.walk(self.from, slots, |hash, cell| {
            slab.prefetch(cell);
            if let Some(entry) = batch.get_mut(count) {
                *entry = (hash, Some(cell));
            }
            count += 1;
        });
        if count > batch.len() {
            // A flood of entries with one hash, which cannot be passed in parts.
            let from = self.from;
            table.walk(from, slots, |_, cell| self.write(slab, cell, bytes_left));
        } else {
            let mut before = None;
            for (hash, cell) in batch[..count].iter().copied() {
                if *bytes_left == 0 && before.is_some_and(|before| before != hash) {
                    self.from = hash;
                    return;
                }
                before = Some(hash);
                self.write(slab, cell.expect("the entry was put there"), bytes_left);
            }
        }
        (self.place, self.from) = match next {
            Some(hash) => (self.place, hash),
            None => (self.place + 1, 0),
        };
    }

    /// Writes the entry in `cell`, which the walk has come upon, if it is of the instant.
    #[inline]
    fn write(&mut self, slab: &Slab, cell: Cell, bytes_left: &mut usize) {
        let header = Header::read(slab.slice(cell, HEADER_BYTES));
        if header.version() > self.lsn.0 {
            return;
        }
        let record = Record::read(slab.slice(cell, header.shape().cell_bytes()));
        if self.was_dead(header.table(), &record) {
            return;
        }
        let written = self.queue.push(Db(self.place), &record);
        *bytes_left = bytes_left.saturating_sub(written);
    }

    /// Whether an entry of the instant's numbers had been deleted by its prefix then.
    #[inline]
    fn was_dead(&self, id: u8, record: &Record<'_>) -> bool {
        !self.prefixes.is_idle() && self.prefixes.covers(id, record.header.version(), record.key())
    }
}
