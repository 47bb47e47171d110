//! The hash table: from the first 32 bits of a key's hash to the cell of its item.
//!
//! A table never looks at items; whoever looks something up passes a closure that compares. This first
//! form keeps its slots in an ordered set; it fixes the interface and its meaning.

use std::collections::BTreeSet;
use std::io;

use crate::cell::Cell;

/// Where a slot is; good until the table next changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position(u64);

/// A map from 32-bit hashes to cells, several cells a hash if need be.
#[derive(Debug)]
pub struct Table {
    slots: BTreeSet<u64>,
}

impl Table {
    /// An empty table; it reserves address space and commits no memory.
    ///
    /// # Errors
    /// When the address space cannot be reserved.
    pub fn new() -> io::Result<Table> {
        Ok(Table { slots: BTreeSet::new() })
    }

    /// Entries in the table.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether the table has no entries.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Slots of the table, empty ones included.
    pub fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// Memory the table has committed, in bytes.
    pub fn resident_bytes(&self) -> usize {
        self.slots.len() * 8
    }

    /// Asks the CPU for the cache lines in which `hash` would be.
    pub fn prefetch(&self, _hash: u32) {}

    /// The first slot of `hash` whose cell `is_match` accepts.
    pub fn find(&self, hash: u32, mut is_match: impl FnMut(Cell) -> bool) -> Option<Position> {
        self.slots
            .range(slot(hash, 0)..=slot(hash, u32::MAX))
            .find(|&&slot| is_match(cell_of(slot)))
            .copied()
            .map(Position)
    }

    /// The first cell of `hash`, whichever key it belongs to.
    pub fn first_candidate(&self, hash: u32) -> Option<Cell> {
        self.slots.range(slot(hash, 0)..=slot(hash, u32::MAX)).next().copied().map(cell_of)
    }

    /// The cell at `position`.
    pub fn cell(&self, position: Position) -> Cell {
        cell_of(position.0)
    }

    /// Makes the slot at `position` refer to `cell`: its item has moved.
    pub fn replace(&mut self, position: Position, cell: Cell) {
        self.remove(position);
        self.insert(hash_of(position.0), cell);
    }

    /// Adds an entry, and grows the table by a bounded step if it has to grow.
    pub fn insert(&mut self, hash: u32, cell: Cell) {
        self.slots.insert(slot(hash, cell.unit()));
    }

    /// Removes the entry at `position` and returns its cell.
    ///
    /// # Panics
    /// When the table has changed since the position was found.
    pub fn remove(&mut self, position: Position) -> Cell {
        assert!(self.slots.remove(&position.0), "the position is stale");
        cell_of(position.0)
    }

    /// Calls `each` with the entries whose hash is `from_hash` or more, in order of their hashes, until
    /// `slots` slots were passed and all entries of the last hash were shown; returns the hash to go on from,
    /// or `None` at the end.
    pub fn walk(&self, from_hash: u32, slots: usize, mut each: impl FnMut(u32, Cell)) -> Option<u32> {
        let mut last = None;
        for (shown, &slot) in self.slots.range(slot(from_hash, 0)..).enumerate() {
            let hash = hash_of(slot);
            if shown >= slots.max(1) && last != Some(hash) {
                return Some(hash);
            }
            last = Some(hash);
            each(hash, cell_of(slot));
        }
        None
    }

    /// An entry near the slot that `random` chooses.
    pub fn sample(&self, random: u64) -> Option<(u32, Cell)> {
        let slot = self.slots.range(random..).next().or(self.slots.first());
        slot.map(|&slot| (hash_of(slot), cell_of(slot)))
    }

    /// Does up to `slots` slots of growing or shrinking; returns whether more is waiting.
    pub fn step(&mut self, _slots: usize) -> bool {
        false
    }

    /// Removes all entries and gives the memory back.
    pub fn clear(&mut self) {
        self.slots.clear();
    }

    /// Walks the whole table and asserts every invariant; `hash_of` tells the hash of a cell's item.
    ///
    /// # Panics
    /// When one does not hold.
    pub fn check(&self, mut hash_of: impl FnMut(Cell) -> u32) {
        for &slot in &self.slots {
            assert_eq!(hash_of(cell_of(slot)), self::hash_of(slot));
        }
    }
}

const fn slot(hash: u32, unit: u32) -> u64 {
    (hash as u64) << 32 | unit as u64
}

const fn hash_of(slot: u64) -> u32 {
    (slot >> 32) as u32
}

fn cell_of(slot: u64) -> Cell {
    Cell::new(slot as u32).expect("an entry has a cell")
}
