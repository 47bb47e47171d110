//! The hash table: from the first 32 bits of a key's hash to the cell of its item.
//!
//! A table never looks at items; whoever looks something up passes a closure that compares keys. What it
//! keeps of an entry is one slot of 8 bytes, and since a slot has the hash in it, growing never touches an
//! item either.
//!
//! ```text
//! slot      | hash: u32 (upper half) | cell: u32 (lower half) |     0 is the empty slot
//! table     | home 0 | home 1 | ... | home n-1 | spill ...    |     home = hash * n / 2^32
//! ```
//!
//! Open addressing with linear probing in the order of hashes (Robin Hood hashing): a slot is at its home or
//! in the run of slots behind it, and all slots of the table are in order of their hashes. So a lookup ends at
//! the first larger hash, removal shifts the rest of the run back and leaves no tombstone, a walk in hash
//! order is a walk through memory, and where a walk stood is told by a hash, whatever the table does
//! meanwhile. Nothing wraps around: a run that reaches the last home goes on into the spill behind it.
//!
//! Growing and shrinking happen in place, a bounded number of slots with each insertion and removal, with
//! two sizes in force on the two sides of a boundary hash ([`geometry`], [`resize`]); lookups, insertions
//! and removals work alike on either side and across it, because homes increase with hashes over both.
//!
//! # Invariants
//! - Hashes never decrease from slot to slot.
//! - A slot is at its home or behind it, and no slot from its home to it is empty.
//! - Every slot of the range that holds no entry is 0, and the slack behind the last entry is writable.
//!
//! Source: Celis, "Robin Hood Hashing" (1986); Amble and Knuth, "Ordered hash tables" (1974).

mod geometry;
mod group;
#[cfg(test)]
mod model;
mod resize;
mod slots;

use crate::cell::Cell;
use crate::limits::TABLE_SLOT_COUNT_MAX;
use geometry::{Geometry, HOMES_MIN, entries_max};
use group::{GROUP_SLOTS, Group};
use slots::{PAGE_SLOTS, Slots};

/// Writable slots that there are at least behind the last entry, so that every probe and every step of
/// resizing finds the end of a run without asking.
const SLACK_SLOTS: usize = 128;

/// Random slots tried for a sample before the search goes on from neighbour to neighbour.
const SAMPLE_TRIES: u32 = 8;

/// Where a slot is; good until the table next changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position(usize);

/// A map from 32-bit hashes to cells, several cells a hash if need be.
#[derive(Debug)]
pub struct Table {
    slots: Slots,
    geometry: Geometry,
    len: usize,
    /// With this many entries the table grows.
    len_max: usize,
    /// With fewer entries than this it shrinks.
    len_min: usize,
    /// No slot from here on was written since its memory was last given back.
    touched: usize,
    /// Memory behind the last slot waits to be given back.
    releasing: bool,
    #[cfg(test)]
    scalar: bool,
}

impl Default for Table {
    fn default() -> Table {
        Table::new()
    }
}

impl Table {
    /// An empty table, which takes neither memory nor addresses until its first entry.
    pub fn new() -> Table {
        Table {
            slots: Slots::new(TABLE_SLOT_COUNT_MAX),
            geometry: Geometry::settled(HOMES_MIN),
            len: 0,
            len_max: entries_max(HOMES_MIN),
            len_min: 0,
            touched: 0,
            releasing: false,
            #[cfg(test)]
            scalar: false,
        }
    }

    /// Entries in the table.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the table has no entries.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Slots of the table, empty ones included, the spill not.
    #[inline]
    pub fn slot_count(&self) -> usize {
        self.geometry.homes()
    }

    /// Memory the table has committed, in bytes.
    #[inline]
    pub fn resident_bytes(&self) -> usize {
        self.touched.next_multiple_of(PAGE_SLOTS) * size_of::<u64>()
    }

    /// Asks the CPU for the cache lines in which `hash` would be.
    #[inline]
    pub fn prefetch(&self, hash: u32) {
        let home = self.geometry.home(hash);
        self.slots.prefetch(home);
        self.slots.prefetch(home + GROUP_SLOTS - 1);
    }

    /// The first slot of `hash` whose cell `is_match` accepts.
    // A call from the one function of a read would cost a tenth of it.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "see above")]
    pub fn find(&self, hash: u32, mut is_match: impl FnMut(Cell) -> bool) -> Option<Position> {
        let mut index = self.geometry.home(hash);
        loop {
            let group = self.group(index);
            let mut bits = self.matches(group, hash);
            while bits != 0 {
                let offset = bits.trailing_zeros() as usize;
                // Only for hash 0 an empty slot looks like a match; nothing of that hash is behind it.
                let cell = cell_of(group[offset])?;
                if is_match(cell) {
                    return Some(Position(index + offset));
                }
                bits &= bits - 1;
            }
            let last = group[GROUP_SLOTS - 1];
            // Were a slot before the last one empty, the last one would have a larger hash.
            if last == 0 || hash_of(last) > hash {
                return None;
            }
            index += GROUP_SLOTS;
        }
    }

    /// The first cell of `hash`, whichever key it belongs to.
    #[inline]
    pub fn first_candidate(&self, hash: u32) -> Option<Cell> {
        self.find(hash, |_| true).map(|position| self.cell(position))
    }

    /// The cell at `position`.
    ///
    /// # Panics
    /// When the table has changed since the position was found and nothing is there any more.
    #[inline]
    pub fn cell(&self, position: Position) -> Cell {
        cell_of(self.slots.all()[position.0]).expect("a position is of a slot in use")
    }

    /// The hash of the slot at `position`.
    ///
    /// # Panics
    /// When the table has changed since the position was found and nothing is there any more.
    #[inline]
    pub fn hash(&self, position: Position) -> u32 {
        let slot = self.slots.all()[position.0];
        assert_ne!(slot, 0, "a position is of a slot in use");
        hash_of(slot)
    }

    /// Makes the slot at `position` refer to `cell`: its item has moved.
    ///
    /// # Panics
    /// When the table has changed since the position was found and nothing is there any more.
    #[inline]
    pub fn replace(&mut self, position: Position, cell: Cell) {
        let slot = &mut self.slots.all_mut()[position.0];
        assert_ne!(*slot, 0, "a position is of a slot in use");
        *slot = slot_of(hash_of(*slot), cell);
    }

    /// Adds an entry, which the caller knows to be absent, and does a bounded share of growing.
    ///
    /// # Panics
    /// When the kernel refuses memory or the address range is used up.
    #[inline]
    pub fn insert(&mut self, hash: u32, cell: Cell) {
        self.resize_before_insertion();
        let mut index = self.geometry.home(hash);
        // The end of the run will be wanted while the beginning is still on its way.
        self.slots.prefetch(index + 2 * GROUP_SLOTS);
        self.slots.prefetch(index + 3 * GROUP_SLOTS);
        loop {
            let count = group::leading_up_to(self.group(index), hash);
            index += count;
            if count < GROUP_SLOTS {
                break;
            }
        }
        if self.slots.all()[index] == 0 {
            self.touch(index + 1);
        } else {
            self.push_run(index);
        }
        self.slots.all_mut()[index] = slot_of(hash, cell);
        self.len += 1;
    }

    /// Removes the entry at `position`, does a bounded share of shrinking, and returns the entry's cell.
    ///
    /// # Panics
    /// When the table has changed since the position was found and nothing is there any more.
    #[inline]
    pub fn remove(&mut self, position: Position) -> Cell {
        let cell = self.cell(position);
        self.close_gap(position.0);
        self.len -= 1;
        self.resize_after_removal();
        cell
    }

    /// Calls `each` with the entries whose hash is `from_hash` or more, in order of their hashes, until
    /// `slots` slots were passed, empty ones included, and all entries of the last hash were shown; returns
    /// the hash to go on from, or `None` at the end.
    ///
    /// An entry that is in the table during a whole series of calls is shown exactly once, however the table
    /// changes in between.
    pub fn walk(&self, from_hash: u32, slots: usize, mut each: impl FnMut(u32, Cell)) -> Option<u32> {
        let all = self.slots.all();
        let mut index = self.geometry.home(from_hash);
        while all[index] != 0 && hash_of(all[index]) < from_hash {
            index += 1;
        }
        let end = index.saturating_add(slots.max(1));
        let mut last = None;
        loop {
            let slot = all[index];
            let hash = hash_of(slot);
            match cell_of(slot) {
                Some(cell) => {
                    if index >= end && last != Some(hash) {
                        return Some(hash);
                    }
                    last = Some(hash);
                    each(hash, cell);
                }
                // What is behind an empty slot is at home behind it.
                None if index >= end => return self.geometry.hash_from(index),
                None if index >= self.geometry.homes() => return None,
                None => {}
            }
            index += 1;
        }
    }

    /// An entry of a slot that `random` chooses, each about as likely as another.
    pub fn sample(&self, random: u64) -> Option<(u32, Cell)> {
        if self.is_empty() {
            return None;
        }
        let all = self.slots.all();
        let homes = self.geometry.homes();
        let entry = |slot: u64| cell_of(slot).map(|cell| (hash_of(slot), cell));
        let mut state = random;
        let mut index = 0;
        for _ in 0..SAMPLE_TRIES {
            // The increment of a Weyl sequence and a multiplicative mix: successive tries fall far apart.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ state >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
            index = ((u128::from(mixed) * homes as u128) >> 64) as usize;
            if let Some(found) = entry(all[index]) {
                return Some(found);
            }
        }
        // The spill holds nothing unless the last home does, so the homes are all that need be searched.
        let found = all[index..homes].iter().chain(&all[..index]).find_map(|&slot| entry(slot));
        debug_assert!(found.is_some());
        found
    }

    /// Does up to about `slots` slots of growing, shrinking or giving memory back; returns whether more is
    /// waiting.
    pub fn step(&mut self, slots: usize) -> bool {
        self.resize_step(slots.max(1))
    }

    /// Removes all entries and gives all memory back.
    pub fn clear(&mut self) {
        let touched = self.touched.next_multiple_of(PAGE_SLOTS);
        self.slots.release(0, touched);
        self.touched = 0;
        self.len = 0;
        self.settle(HOMES_MIN);
    }

    /// Walks the whole table and asserts every invariant; `hash_of_item` tells the hash of a cell's item.
    ///
    /// # Panics
    /// When one does not hold.
    pub fn check(&self, mut hash_of_item: impl FnMut(Cell) -> u32) {
        let all = self.slots.all();
        let mut len = 0;
        let mut before = 0;
        for (index, &slot) in all.iter().enumerate().take(self.touched) {
            if slot != 0 {
                let cell = cell_of(slot).expect("a slot in use has a cell");
                let hash = hash_of(slot);
                let home = self.geometry.home(hash);
                assert!(home <= index, "slot {index} is before its home {home}");
                assert!(home == index || before != 0, "slot {index} is away from its home {home} without need");
                assert!(hash_of(before) <= hash, "slot {index} is out of order");
                assert_eq!(hash_of_item(cell), hash, "slot {index} has another hash than its item");
                len += 1;
            }
            // An empty slot resets the order check; it is safe to, as the next slot is then at its home.
            before = slot;
        }
        assert_eq!(len, self.len, "the count of entries is wrong");
        assert!(all[self.touched..].iter().all(|&slot| slot == 0), "a slot behind the touched ones is in use");
        assert!(self.touched.max(self.geometry.homes()) + SLACK_SLOTS <= all.len(), "the slack is not writable");
        self.check_resize();
    }

    /// The eight slots from `index` on.
    #[inline]
    fn group(&self, index: usize) -> &Group {
        self.slots.all()[index..].first_chunk().expect("the slack is longer than a group")
    }

    #[inline]
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests choose the scalar twin by table"))]
    fn matches(&self, group: &Group, hash: u32) -> u32 {
        #[cfg(test)]
        if self.scalar {
            return group::scalar_matches(group, hash);
        }
        group::matches(group, hash)
    }

    /// Notes that slots below `end` are written, and keeps the slack behind them writable.
    #[inline]
    fn touch(&mut self, end: usize) {
        if end > self.touched {
            self.touched = end;
            self.reach(end);
        }
    }

    /// Makes the slots below `end` and the slack behind them writable.
    #[inline]
    fn reach(&mut self, end: usize) {
        let reached = self.slots.make_writable(end + SLACK_SLOTS);
        assert!(reached, "no memory for a table of {end} slots");
    }

    /// Moves the run from `index` on one slot to the right.
    #[inline]
    fn push_run(&mut self, index: usize) {
        let all = self.slots.all();
        let mut end = index;
        // What is in use has slack behind it, so a run ends before the writable slots do.
        while group::is_full(self.group(end)) {
            end += GROUP_SLOTS;
        }
        while all[end] != 0 {
            end += 1;
        }
        self.touch(end + 1);
        self.slots.all_mut().copy_within(index..end, index + 1);
    }

    /// Moves the runs from `index` on to the right so that `count` slots become free there.
    fn open_gap(&mut self, index: usize, count: usize) {
        let all = self.slots.all();
        let mut end = index;
        let mut missing = count;
        loop {
            // All slots beyond the writable ones are empty, too.
            let Some(slot) = all.get(end) else {
                end += missing - 1;
                break;
            };
            missing -= usize::from(*slot == 0);
            if missing == 0 {
                break;
            }
            end += 1;
        }
        self.touch(end + 1);
        let all = self.slots.all_mut();
        let mut target = end;
        for source in (index..end).rev() {
            if all[source] != 0 {
                all[target] = all[source];
                target -= 1;
            }
        }
        debug_assert_eq!(target + 1, index + count);
    }

    /// Fills the slot at `index` with the rest of its run, as far as that is away from home.
    #[inline]
    fn close_gap(&mut self, index: usize) {
        let all = self.slots.all();
        let mut end = index + 1;
        while all[end] != 0 && self.geometry.home(hash_of(all[end])) < end {
            end += 1;
        }
        let all = self.slots.all_mut();
        all.copy_within(index + 1..end, index);
        all[end - 1] = 0;
    }
}

/// The slot of an entry.
#[inline]
const fn slot_of(hash: u32, cell: Cell) -> u64 {
    (hash as u64) << 32 | cell.0.get() as u64
}

/// The hash of a slot.
#[inline]
const fn hash_of(slot: u64) -> u32 {
    (slot >> 32) as u32
}

/// The cell of a slot, if the slot is in use.
#[inline]
fn cell_of(slot: u64) -> Option<Cell> {
    Cell::new(slot as u32)
}
