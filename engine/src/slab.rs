//! The slab: where a shard's items live.
//!
//! One reserved mapping a shard, cut into pages of 1 MiB; a page holds cells of one size class, and an item
//! larger than half a page takes whole pages of its own, an extent. The slab hands out cells and knows
//! nothing of what is in them.
//!
//! ```text
//! mapping  | page 0, never used | page 1: cells of class 72 | page 2: class 9 | extent: pages 3 4 5 | free ...
//! page     | cell | cell | free cell | cell | ...  | never touched: no memory |
//! ```
//!
//! Memory is counted where the kernel counts it, in frames of 4 KiB: cells are taken from the lowest
//! address of a page, so a page that was never full commits only its beginning, and a class with three
//! entries costs a frame. The record of a page (live bits, committed bytes, neighbours in its list) lies
//! outside of it. Free cells among live ones are kept few by moving cells together (`evacuation.rs`); free
//! pages wait in the supply (`supply.rs`).
//!
//! # Invariants
//! - Unit 0 and all of page 0 belong to no cell.
//! - A page with cells has at least one live cell; its bits say which are live.
//! - A page with a free cell is in a list of its class: by how full it is if a free cell has memory, else
//!   among those that grow.
//! - No live cell reaches beyond its page's committed bytes.
//! - `used_bytes` is the size of all live cells, for extents in frames.

mod class;
mod classes;
mod evacuation;
mod extent;
mod mapping;
#[cfg(test)]
mod model;
mod page;
mod page_set;
mod supply;

use std::io;

use crate::cell::{Cell, UNIT_BYTES};
use class::Class;
use classes::{CLASS_COUNT, class_of};
use evacuation::Evacuation;
use mapping::Mapping;
use page::{GROUP_COUNT, Page, Use};
use supply::Supply;

/// Bytes of a page.
pub const PAGE_BYTES: usize = 1 << 20;

/// Units of a page.
pub(crate) const PAGE_UNITS: u32 = (PAGE_BYTES / UNIT_BYTES) as u32;

/// The granularity in which memory is committed.
const FRAME_BYTES: usize = 4096;

/// Pages that 32-bit unit numbers reach.
pub(crate) const PAGE_COUNT_MAX: usize = (1 << 32) / PAGE_UNITS as usize;

/// Units of the largest cells that lie in huge pages: for larger ones the unusable end of a page is too long.
const HUGE_UNITS_MAX: u32 = 512;

/// Bytes of the unusable end of a page that may stay committed.
const TAIL_BYTES_MAX: u32 = 8192;

/// Stands for no page in lists.
const NO_PAGE: u32 = 0;

/// How a slab is set up.
#[derive(Clone, Copy, Debug)]
pub struct SlabOptions {
    /// Ask for huge pages where a class has many pages: reads of 1,140 B from 1.6 GiB at random take 0.6x
    /// of the time in a virtual machine, and what is resident beyond the cells stays below 1 MiB.
    pub huge_pages: bool,
}

impl Default for SlabOptions {
    fn default() -> SlabOptions {
        SlabOptions { huge_pages: true }
    }
}

/// The cells of one shard.
#[derive(Debug)]
pub struct Slab {
    supply: Supply,
    classes: Box<[Class]>,
    evacuation: Evacuation,
    used_bytes: u64,
    /// Bytes of the live bits of all pages.
    record_bytes: u64,
}

impl Slab {
    /// An empty slab.
    ///
    /// # Errors
    /// When 64 GiB of address space cannot be reserved.
    pub fn new(options: SlabOptions) -> io::Result<Slab> {
        let mapping = Mapping::new(PAGE_COUNT_MAX * PAGE_BYTES)?;
        let supply = Supply::new(mapping, options.huge_pages);
        let classes = (0..CLASS_COUNT).map(Class::new).collect();
        Ok(Slab { supply, classes, evacuation: Evacuation::default(), used_bytes: 0, record_bytes: 0 })
    }

    /// A cell of at least `bytes`; `None` when the address space is used up or the kernel gives no more.
    #[inline]
    pub fn allocate(&mut self, bytes: usize) -> Option<Cell> {
        if bytes > PAGE_BYTES / 2 {
            return self.allocate_extent(bytes);
        }
        let class = class_of(bytes.div_ceil(UNIT_BYTES) as u32);
        let page = match self.classes[class].fullest() {
            Some(page) => page,
            None => self.take_page(class)?,
        };
        let index = self.take_cell(page, class);
        Cell::new(page * PAGE_UNITS + index * self.classes[class].units)
    }

    /// Gives a cell back.
    ///
    /// # Panics
    /// When it is not allocated.
    #[inline]
    pub fn free(&mut self, cell: Cell) {
        let (number, offset) = split(cell.unit());
        match self.supply.pages[number as usize].used_as {
            Use::Cells(class) => self.give_cell(number, usize::from(class), offset),
            Use::Extent(count) if offset == 0 => self.free_extent(number, count),
            _ => panic!("unit {} is no cell", cell.unit()),
        }
    }

    /// Bytes of the cell.
    ///
    /// # Panics
    /// When it is not allocated.
    #[inline]
    pub fn capacity(&self, cell: Cell) -> usize {
        let (number, _) = split(cell.unit());
        match self.supply.pages[number as usize].used_as {
            Use::Cells(class) => self.classes[usize::from(class)].bytes(),
            Use::Extent(count) => count as usize * PAGE_BYTES,
            Use::Free | Use::ExtentTail => panic!("unit {} is no cell", cell.unit()),
        }
    }

    /// Whether an item that is to have `bytes` had better stay in `cell`: it has the room, and no other cell
    /// would save more than 1/32 of it. Room that an extent gains or loses by that is accounted for.
    #[inline]
    pub fn fits(&mut self, cell: Cell, bytes: usize) -> bool {
        let (number, _) = split(cell.unit());
        match self.supply.pages[number as usize].used_as {
            Use::Cells(class) => {
                let capacity = self.classes[usize::from(class)].bytes();
                bytes <= capacity && (capacity - bytes) * 32 <= capacity.max(32 * 16)
            }
            Use::Extent(count) if bytes > PAGE_BYTES / 2 => self.resize_extent(number, count, bytes),
            _ => false,
        }
    }

    /// The whole cell.
    #[inline]
    pub fn bytes(&self, cell: Cell) -> &[u8] {
        self.slice(cell, self.capacity(cell))
    }

    /// The whole cell, to be written; of an extent write no more than was asked for.
    #[inline]
    pub fn bytes_mut(&mut self, cell: Cell) -> &mut [u8] {
        self.slice_mut(cell, self.capacity(cell))
    }

    /// The first `bytes` of the cell, which the caller knows to be no more than its capacity: touches
    /// nothing but the cell.
    #[inline]
    pub fn slice(&self, cell: Cell, bytes: usize) -> &[u8] {
        debug_assert!(bytes <= self.capacity(cell));
        self.supply.mapping.slice(cell.unit() as usize * UNIT_BYTES, bytes)
    }

    /// As [`Slab::slice`], to be written.
    #[inline]
    pub fn slice_mut(&mut self, cell: Cell, bytes: usize) -> &mut [u8] {
        debug_assert!(bytes <= self.capacity(cell));
        self.supply.mapping.slice_mut(cell.unit() as usize * UNIT_BYTES, bytes)
    }

    /// Copies `bytes` from one cell, from its `source_offset` on, to another's `target_offset`.
    ///
    /// # Panics
    /// When a cell does not reach that far.
    pub fn copy(&mut self, source: (Cell, usize), target: (Cell, usize), bytes: usize) {
        for (cell, offset) in [source, target] {
            assert!(offset + bytes <= self.capacity(cell), "a cell ends before the copy does");
        }
        let place = |(cell, offset): (Cell, usize)| cell.unit() as usize * UNIT_BYTES + offset;
        self.supply.mapping.copy(place(source), place(target), bytes);
    }

    /// Asks the CPU for the beginning of a cell.
    #[inline]
    pub fn prefetch(&self, cell: Cell) {
        self.supply.mapping.prefetch(cell.unit() as usize * UNIT_BYTES);
    }

    /// The live cell that starts at `unit`, if one does: for references that may be stale.
    #[inline]
    pub fn is_live(&self, unit: u32) -> Option<Cell> {
        let (number, offset) = split(unit);
        let page = self.supply.pages.get(number as usize)?;
        let live = match page.used_as {
            Use::Cells(class) => {
                let class = &self.classes[usize::from(class)];
                let index = class.index(offset);
                index * class.units == offset && page.is_live(index)
            }
            Use::Extent(_) => offset == 0,
            Use::Free | Use::ExtentTail => false,
        };
        if live { Cell::new(unit) } else { None }
    }

    /// Bytes of all live cells.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// Bytes that the slab holds in memory: cells live and free, dirty pages, records.
    pub fn resident_bytes(&self) -> u64 {
        self.supply.committed_bytes + self.overhead_bytes()
    }

    /// Bytes of the records about pages.
    fn overhead_bytes(&self) -> u64 {
        self.record_bytes + size_of_val(&*self.supply.pages) as u64
    }

    /// Memory that no live cell uses.
    fn slack_bytes(&self) -> u64 {
        self.supply.committed_bytes - self.used_bytes
    }

    /// What the slab counts for against a memory limit: the live cells, and the free memory beside them as far
    /// as it exceeds what is normal. So a limit that is kept by this number keeps `resident_bytes` within the
    /// limit and [`Slab::slack_bytes_normal`]. Freeing cells lowers it while there is little free memory;
    /// once that exceeds what is normal, evacuation does.
    pub fn charged_bytes(&self) -> u64 {
        let excess = self.slack_bytes().saturating_sub(self.slack_bytes_normal());
        self.used_bytes + self.overhead_bytes() + excess
    }

    /// Free memory beside the live cells that is not worth moving cells for: 1 MiB and 1/64 of them.
    pub fn slack_bytes_normal(&self) -> u64 {
        (1 << 20) + self.used_bytes / 64
    }

    /// Pages that have ever been used; page numbers are below this.
    pub fn page_count(&self) -> u32 {
        self.supply.pages.len() as u32
    }

    /// Whether a cell starts in page `page`.
    pub fn has_cells(&self, page: u32) -> bool {
        let used_as = self.supply.pages.get(page as usize).map(|page| page.used_as);
        matches!(used_as, Some(Use::Cells(_) | Use::Extent(_)))
    }

    /// The first live cell of page `page` that starts at `offset` units from the page's start or later.
    pub fn next_live(&self, page: u32, offset: u32) -> Option<Cell> {
        self.next_live_before(page, offset, PAGE_UNITS)
    }

    /// As [`Slab::next_live`], of the cells that start before `end`.
    pub fn next_live_before(&self, page: u32, offset: u32, end: u32) -> Option<Cell> {
        let record = self.supply.pages.get(page as usize)?;
        let start = match record.used_as {
            Use::Cells(class) => {
                let class = &self.classes[usize::from(class)];
                // The first cells that start at `offset` and at `end`, or after.
                let (first, last) = (class.index(offset + class.units - 1), class.index(end + class.units - 1));
                record.next_live_before(first, last)? * class.units
            }
            Use::Extent(_) if offset == 0 => 0,
            _ => return None,
        };
        Cell::new(page * PAGE_UNITS + start)
    }

    /// Frees every cell at once; their memory is released by and by, by [`Slab::evacuate`].
    pub fn clear(&mut self) {
        for number in 1..self.supply.pages.len() as u32 {
            match self.supply.pages[number as usize].used_as {
                Use::Free | Use::ExtentTail => {}
                Use::Cells(_) => self.supply.give(number),
                Use::Extent(count) => self.free_extent(number, count),
            }
        }
        self.classes = (0..CLASS_COUNT).map(Class::new).collect();
        self.evacuation = Evacuation::default();
        self.used_bytes = 0;
        self.record_bytes = 0;
    }

    /// Asserts every invariant.
    ///
    /// # Panics
    /// When one does not hold.
    pub fn check(&self) {
        self.supply.check();
        let (mut used, mut records) = (0, 0);
        for (number, page) in self.supply.pages.iter().enumerate() {
            records += page.bitmap_bytes() as u64;
            match page.used_as {
                Use::Cells(class) => {
                    assert!(page.live > 0, "page {number} has no live cell");
                    used += u64::from(page.live) * self.classes[usize::from(class)].bytes() as u64;
                }
                Use::Extent(count) => {
                    let tails = &self.supply.pages[number + 1..number + count as usize];
                    assert!(tails.iter().all(|tail| tail.used_as == Use::ExtentTail));
                    used += u64::from(page.committed_bytes);
                }
                Use::ExtentTail => used += u64::from(page.committed_bytes),
                Use::Free => {}
            }
        }
        assert_eq!(used, self.used_bytes);
        assert_eq!(records, self.record_bytes);
        self.classes.iter().enumerate().for_each(|(number, class)| self.check_class(number, class));
    }

    fn check_class(&self, number: usize, class: &Class) {
        let pages = || self.supply.pages.iter().filter(|page| page.used_as == Use::Cells(number as u16));
        assert_eq!(class.page_count as usize, pages().count());
        assert_eq!(class.live, pages().map(|page| page.live).sum::<u32>());
        assert_eq!(class.committed_bytes, pages().map(|page| u64::from(page.committed_bytes)).sum::<u64>());
        let mut listed = 0;
        for (group, first) in class.groups.iter().enumerate() {
            assert_eq!(*first != NO_PAGE, class.groups_in_use >> group & 1 == 1);
            let (mut previous, mut next) = (NO_PAGE, *first);
            while next != NO_PAGE {
                let page = &self.supply.pages[next as usize];
                assert_eq!(page.group(), group);
                assert_eq!(page.previous, previous);
                assert_eq!(page.used_as, Use::Cells(number as u16));
                listed += 1;
                (previous, next) = (next, page.next);
            }
        }
        assert_eq!(listed, pages().filter(|page| page.live < page.cells).count());
    }

    #[inline]
    fn take_cell(&mut self, number: u32, class: usize) -> u32 {
        let page = &mut self.supply.pages[number as usize];
        let index = page.take();
        let end = (index + 1) * self.classes[class].units * UNIT_BYTES as u32;
        if end > page.committed_bytes {
            self.commit(number, class, end);
        }
        if self.supply.pages[number as usize].has_left_group() {
            self.regroup(number, class);
        }
        let class = &mut self.classes[class];
        class.live += 1;
        self.used_bytes += class.bytes() as u64;
        index
    }

    fn commit(&mut self, number: u32, class: usize, end: u32) {
        let page = &mut self.supply.pages[number as usize];
        let committed = end.next_multiple_of(FRAME_BYTES as u32);
        let more = u64::from(committed - page.committed_bytes);
        page.set_committed(committed, self.classes[class].bytes() as u32);
        self.classes[class].committed_bytes += more;
        self.supply.committed_bytes += more;
    }

    #[inline]
    fn give_cell(&mut self, number: u32, class: usize, offset: u32) {
        let record = &self.classes[class];
        let index = record.index(offset);
        assert_eq!(index * record.units, offset, "a cell is freed from its middle");
        let page = &mut self.supply.pages[number as usize];
        page.give(index);
        let live = page.live;
        if page.has_left_group() {
            self.regroup(number, class);
        }
        let record = &mut self.classes[class];
        record.live -= 1;
        self.used_bytes -= record.bytes() as u64;
        if live == 0 {
            self.unlink(number, class);
            self.release_page(number, class);
        }
    }

    /// A page for cells of `class`, in its emptiest group.
    #[cold]
    fn take_page(&mut self, class: usize) -> Option<u32> {
        let record = &mut self.classes[class];
        let number = self.supply.take_page(record.page_count, record.units <= HUGE_UNITS_MAX)?;
        let page = &mut self.supply.pages[number as usize];
        let unusable = page.committed_bytes.saturating_sub(record.page_bytes());
        if unusable > TAIL_BYTES_MAX {
            page.committed_bytes -= unusable;
            self.supply.committed_bytes -= u64::from(unusable);
            let offset = number as usize * PAGE_BYTES + page.committed_bytes as usize;
            self.supply.mapping.release(offset, unusable as usize);
        }
        page.hold(class, record.bytes() as u32);
        self.record_bytes += page.bitmap_bytes() as u64;
        record.page_count += 1;
        record.committed_bytes += u64::from(page.committed_bytes);
        self.link(number, class);
        Some(number)
    }

    /// Takes a page without live cells out of its class.
    fn release_page(&mut self, number: u32, class: usize) {
        let page = &self.supply.pages[number as usize];
        let record = &mut self.classes[class];
        record.page_count -= 1;
        record.committed_bytes -= u64::from(page.committed_bytes);
        self.record_bytes -= page.bitmap_bytes() as u64;
        self.supply.give(number);
        if self.evacuation.source == number {
            self.evacuation.source = NO_PAGE;
        }
    }

    fn regroup(&mut self, number: u32, class: usize) {
        self.unlink(number, class);
        self.supply.pages[number as usize].regroup();
        self.link(number, class);
    }

    fn link(&mut self, number: u32, class: usize) {
        let group = self.supply.pages[number as usize].group();
        if group == GROUP_COUNT {
            return;
        }
        let record = &mut self.classes[class];
        let next = record.groups[group];
        record.groups[group] = number;
        record.groups_in_use |= 1 << group;
        if next != NO_PAGE {
            self.supply.pages[next as usize].previous = number;
        }
        let page = &mut self.supply.pages[number as usize];
        (page.previous, page.next) = (NO_PAGE, next);
    }

    fn unlink(&mut self, number: u32, class: usize) {
        let group = self.supply.pages[number as usize].group();
        if group == GROUP_COUNT {
            return;
        }
        let Page { previous, next, .. } = self.supply.pages[number as usize];
        if next != NO_PAGE {
            self.supply.pages[next as usize].previous = previous;
        }
        if previous != NO_PAGE {
            self.supply.pages[previous as usize].next = next;
            return;
        }
        let record = &mut self.classes[class];
        record.groups[group] = next;
        if next == NO_PAGE {
            record.groups_in_use &= !(1 << group);
        }
    }
}

/// A unit's page and its offset in the page.
#[inline]
fn split(unit: u32) -> (u32, u32) {
    (unit / PAGE_UNITS, unit % PAGE_UNITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_keeps_what_was_written() {
        let mut slab = Slab::new(SlabOptions::default()).unwrap();
        let mut cells = Vec::new();
        for bytes in [1, 16, 31, 33, 78, 1140, 2048, 2049, 5000, 70_000, 524_288, 524_289, 3 << 20, 512 << 20] {
            let cell = slab.allocate(bytes).unwrap();
            assert!(slab.capacity(cell) >= bytes);
            slab.slice_mut(cell, bytes)[bytes - 1] = 7;
            cells.push((cell, bytes));
        }
        slab.check();
        for (cell, bytes) in cells {
            assert_eq!(slab.slice(cell, bytes)[bytes - 1], 7);
            assert_eq!(slab.is_live(cell.unit()), Some(cell));
            assert_eq!(slab.is_live(cell.unit() + 1), None);
            slab.free(cell);
            assert_eq!(slab.is_live(cell.unit()), None);
        }
        slab.check();
        assert_eq!(slab.used_bytes(), 0);
    }
}
