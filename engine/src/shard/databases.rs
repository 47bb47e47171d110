//! The tables of a shard: which one is which database, and those that were flushed.
//!
//! A logical database is a number that clients know; a physical table is a number that entries carry in
//! their headers. Swapping two databases swaps two numbers. Flushing one of several databases puts an empty
//! table in its place and the old one on the retiring list, which background work empties; so there are
//! twice as many tables as databases.
//!
//! Invariants:
//! - Each table is exactly one of: a database's, retiring, spare. A spare table is empty.
//! - `expiring_count` and `expiry_sum` of a table are over its entries that have an expiry, its `sizes` over all.
//! - `resident_bytes` is the sum over all tables.

use crate::cell::Cell;
use crate::entry::NEVER;
use crate::key::Db;
use crate::sizes::{Bin, Sizes};
use crate::table::{Position, Table};

/// A physical table and what is known of its entries as a whole.
pub(super) struct Physical {
    pub(super) table: Table,
    pub(super) expiring_count: u64,
    /// Sum of all expiries, in milliseconds since the epoch.
    pub(super) expiry_sum: u128,
    pub(super) sizes: Sizes,
}

/// All tables of a shard.
pub(super) struct Databases {
    tables: Box<[Physical]>,
    /// The physical table of each logical database.
    logical: Box<[u8]>,
    /// Flushed tables that still have entries, each with the hash from which on it has them.
    retiring: Vec<(u8, u32)>,
    spare: Vec<u8>,
    resident_bytes: u64,
}

impl Databases {
    /// `count` empty databases.
    pub(super) fn new(count: u8) -> Databases {
        let empty = || Physical { table: Table::new(), expiring_count: 0, expiry_sum: 0, sizes: Sizes::EMPTY };
        Databases {
            tables: std::iter::repeat_with(empty).take(2 * usize::from(count)).collect(),
            logical: (0..count).collect(),
            retiring: Vec::with_capacity(usize::from(count)),
            spare: (count..2 * count).collect(),
            resident_bytes: 0,
        }
    }

    /// The number of the table that is `db` now.
    #[inline]
    pub(super) fn id(&self, db: Db) -> u8 {
        self.logical[usize::from(db.0)]
    }

    /// Which database that table is now; `None` for one that was flushed.
    #[inline]
    pub(super) fn logical(&self, id: u8) -> Option<Db> {
        self.logical.iter().position(|other| *other == id).map(|index| Db(index as u8))
    }

    /// The table with that number.
    #[inline]
    pub(super) fn physical(&self, id: u8) -> &Physical {
        &self.tables[usize::from(id)]
    }

    /// The table that is `db` now.
    #[inline]
    pub(super) fn table(&self, db: Db) -> &Table {
        &self.physical(self.id(db)).table
    }

    /// The tables of all databases in the order of the databases, with their numbers.
    pub(super) fn in_use(&self) -> impl Iterator<Item = (u8, &Physical)> {
        self.logical.iter().map(|id| (*id, self.physical(*id)))
    }

    /// Entries of all databases, those being retired left out.
    pub(super) fn entry_count(&self) -> u64 {
        self.in_use().map(|(_, physical)| physical.table.len() as u64).sum()
    }

    /// Memory of all tables.
    #[inline]
    pub(super) fn resident_bytes(&self) -> u64 {
        self.resident_bytes
    }

    /// Adds an entry.
    #[inline]
    pub(super) fn insert(&mut self, id: u8, hash: u32, cell: Cell) {
        self.change(id, |table| table.insert(hash, cell));
    }

    /// Removes an entry.
    #[inline]
    pub(super) fn remove(&mut self, id: u8, position: Position) {
        self.change(id, |table| table.remove(position));
    }

    /// Makes the entry at `position` refer to another cell.
    #[inline]
    pub(super) fn replace(&mut self, id: u8, position: Position, cell: Cell) {
        self.tables[usize::from(id)].table.replace(position, cell);
    }

    /// Accounts for an expiry that was `before` and is `after`, either of which may be [`NEVER`].
    #[inline]
    pub(super) fn note_expiry(&mut self, id: u8, before: u64, after: u64) {
        let physical = &mut self.tables[usize::from(id)];
        if before != NEVER {
            physical.expiring_count -= 1;
            physical.expiry_sum -= u128::from(before);
        }
        if after != NEVER {
            physical.expiring_count += 1;
            physical.expiry_sum += u128::from(after);
        }
    }

    /// The lengths of the entries of a table, to be kept right.
    #[inline]
    pub(super) fn sizes_mut(&mut self, id: u8) -> &mut Sizes {
        &mut self.tables[usize::from(id)].sizes
    }

    /// Accounts for an entry whose value was of `before` and is of `after`.
    #[inline]
    pub(super) fn note_size(&mut self, id: u8, before: Bin, after: Bin) {
        if before != after {
            self.sizes_mut(id).change(before, after);
        }
    }

    /// Exchanges two databases.
    pub(super) fn swap(&mut self, first: Db, second: Db) {
        self.logical.swap(usize::from(first.0), usize::from(second.0));
    }

    /// Empties every table at once; their entries are the caller's business.
    pub(super) fn clear(&mut self) {
        self.spare.extend(self.retiring.drain(..).map(|(id, _)| id));
        for physical in &mut self.tables {
            physical.table.clear();
            (physical.expiring_count, physical.expiry_sum) = (0, 0);
            physical.sizes = Sizes::EMPTY;
        }
        self.resident_bytes = self.tables.iter().map(|physical| physical.table.resident_bytes() as u64).sum();
    }

    /// Puts an empty table in the place of `db`'s and its own on the retiring list; `false` if there is no
    /// empty table, because too many are being retired.
    pub(super) fn retire(&mut self, db: Db) -> bool {
        let Some(fresh) = self.spare.pop() else { return false };
        let retired = std::mem::replace(&mut self.logical[usize::from(db.0)], fresh);
        self.retiring.push((retired, 0));
        true
    }

    /// The table to empty next, if one is waiting, and from which hash on it has entries.
    pub(super) fn next_retiring(&self) -> Option<(u8, u32)> {
        self.retiring.last().copied()
    }

    /// Notes that the table to empty next has no entries before `hash`.
    pub(super) fn retired_before(&mut self, hash: u32) {
        self.retiring.last_mut().expect("a table is being retired").1 = hash;
    }

    /// Whether that table is being retired.
    pub(super) fn is_retiring(&self, id: u8) -> bool {
        self.retiring.iter().any(|(retiring, _)| *retiring == id)
    }

    /// Notes that the table to empty next has no entries any more.
    pub(super) fn finish_retiring(&mut self) {
        let (id, _) = self.retiring.pop().expect("a table was being retired");
        assert!(self.physical(id).table.is_empty(), "no entry is left");
        self.change(id, Table::clear);
        self.spare.push(id);
    }

    /// Grows or shrinks tables by up to `steps` slots; returns whether more is waiting.
    pub(super) fn step(&mut self, steps: usize) -> bool {
        let mut more = false;
        for index in 0..self.logical.len() {
            more |= self.change(self.logical[index], |table| table.step(steps));
        }
        more
    }

    #[inline]
    fn change<R>(&mut self, id: u8, change: impl FnOnce(&mut Table) -> R) -> R {
        let table = &mut self.tables[usize::from(id)].table;
        let before = table.resident_bytes() as u64;
        let result = change(table);
        self.resident_bytes = self.resident_bytes - before + table.resident_bytes() as u64;
        result
    }

    /// Asserts that every table is exactly one thing and the sum is right.
    ///
    /// # Panics
    /// When an invariant does not hold.
    pub(super) fn check(&self) {
        let mut ids: Vec<u8> = self.logical.iter().chain(&self.spare).copied().collect();
        ids.extend(self.retiring.iter().map(|(id, _)| id));
        ids.sort_unstable();
        assert!(ids.iter().copied().eq(0..self.tables.len() as u8), "each table is exactly one thing: {ids:?}");
        assert!(self.spare.iter().all(|id| self.physical(*id).table.is_empty()), "a spare table is empty");
        let resident: u64 = self.tables.iter().map(|physical| physical.table.resident_bytes() as u64).sum();
        assert_eq!(self.resident_bytes, resident, "the sum is over all tables");
    }
}
