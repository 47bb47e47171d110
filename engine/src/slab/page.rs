//! What the slab knows of one page: its use, which cells are live, how much of it has been touched.
//!
//! It lies outside of the page, so that an empty page costs no memory and walking the live cells touches
//! none of them. One bit a cell says whether the cell is live; a freed cell is not touched at all.

use super::classes;
use super::{FRAME_BYTES, NO_PAGE, PAGE_BYTES};
use crate::cell::UNIT_BYTES;

/// Lists of pages that have free cells; a full page is in none.
pub(super) const GROUP_COUNT: usize = 8;

/// The group of pages whose free cells have no memory yet. The groups above are by how full a page is.
pub(super) const GROUP_GROWING: usize = 0;

/// What a page is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Nothing.
    Free,
    /// Cells of this class.
    Cells(u16),
    /// The first page of an extent of so many pages.
    Extent(u32),
    /// A later page of an extent.
    ExtentTail,
}

/// One page's record.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) used_as: Use,
    /// Live cells.
    pub(super) live: u32,
    /// Cells the page has room for.
    pub(super) cells: u32,
    /// Bytes from the page's start that may hold memory, a multiple of a frame.
    pub(super) committed_bytes: u32,
    /// Cells that have memory.
    committed_cells: u32,
    /// The bitmap has no free cell before this word.
    hint: u32,
    /// The group, and with how many live cells the page stays in it: from the first number on and below the
    /// second.
    group: u8,
    group_least: u32,
    group_end: u32,
    /// Neighbours in the list of the page's group.
    pub(super) previous: u32,
    pub(super) next: u32,
    /// One bit a cell, set while it is live.
    live_bits: Box<[u64]>,
}

impl Page {
    pub(super) fn free() -> Page {
        Page {
            used_as: Use::Free,
            live: 0,
            cells: 0,
            committed_bytes: 0,
            committed_cells: 0,
            hint: 0,
            group: 0,
            group_least: 0,
            group_end: 0,
            previous: NO_PAGE,
            next: NO_PAGE,
            live_bits: Box::default(),
        }
    }

    /// Makes a free page hold cells of `class`, each of `cell_bytes`.
    pub(super) fn hold(&mut self, class: usize, cell_bytes: u32) {
        let cells = PAGE_BYTES as u32 / cell_bytes;
        debug_assert_eq!(self.used_as, Use::Free);
        self.used_as = Use::Cells(class as u16);
        self.live = 0;
        self.cells = cells;
        self.hint = 0;
        self.set_committed(self.committed_bytes, cell_bytes);
        self.regroup();
        self.live_bits = vec![0; self.cells.div_ceil(64) as usize].into_boxed_slice();
    }

    /// Makes a page free; what it has committed stays noted.
    pub(super) fn vacate(&mut self) {
        self.used_as = Use::Free;
        self.live = 0;
        self.cells = 0;
        self.live_bits = Box::default();
    }

    /// Bytes the record takes beyond its own size.
    pub(super) fn bitmap_bytes(&self) -> usize {
        size_of_val(&*self.live_bits)
    }

    /// Notes what a page of cells of `cell_bytes` has committed; its group may be another then.
    pub(super) fn set_committed(&mut self, committed_bytes: u32, cell_bytes: u32) {
        self.committed_bytes = committed_bytes;
        self.committed_cells = (committed_bytes / cell_bytes).min(self.cells);
    }

    /// Whether the page belongs to another group by now.
    #[inline]
    pub(super) fn has_left_group(&self) -> bool {
        if self.group() == GROUP_GROWING {
            return self.live != self.committed_cells || self.live == self.cells;
        }
        self.live < self.group_least || self.live >= self.group_end
    }

    /// The group that the page is in; [`GROUP_COUNT`] if it is full.
    #[inline]
    pub(super) fn group(&self) -> usize {
        usize::from(self.group)
    }

    /// Puts the page in the group it belongs to by now.
    pub(super) fn regroup(&mut self) {
        if self.live == self.cells {
            self.group = GROUP_COUNT as u8;
            (self.group_least, self.group_end) = (self.cells, u32::MAX);
        } else if self.live == self.committed_cells {
            self.group = GROUP_GROWING as u8;
        } else {
            const SHARES: u32 = GROUP_COUNT as u32 - 1;
            let share = self.live * SHARES / self.cells;
            self.group = 1 + share as u8;
            // A margin, so that a page on the border does not change lists with every cell.
            self.group_least = (share * self.cells).div_ceil(SHARES).saturating_sub(self.cells / 32);
            self.group_end = ((share + 1) * self.cells).div_ceil(SHARES).min(self.committed_cells);
        }
    }

    /// Takes the first free cell.
    #[inline]
    pub(super) fn take(&mut self) -> u32 {
        let index = self.first_free().expect("a cell is taken from a page that has one");
        self.hint = index / 64;
        self.live_bits[self.hint as usize] |= 1 << (index % 64);
        self.live += 1;
        index
    }

    /// Gives cell `index` back.
    #[inline]
    pub(super) fn give(&mut self, index: u32) {
        assert!(self.is_live(index), "a cell is freed twice");
        let word = index / 64;
        self.live_bits[word as usize] &= !(1 << (index % 64));
        self.hint = self.hint.min(word);
        self.live -= 1;
    }

    #[inline]
    pub(super) fn is_live(&self, index: u32) -> bool {
        self.live_bits.get(index as usize / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// The first live cell from `index` on and before `end`.
    pub(super) fn next_live_before(&self, index: u32, end: u32) -> Option<u32> {
        let end = end.min(self.cells);
        let mut word = index / 64;
        let mut bits = *self.live_bits.get(word as usize)? >> (index % 64) << (index % 64);
        while bits == 0 {
            word += 1;
            if word * 64 >= end {
                return None;
            }
            bits = self.live_bits[word as usize];
        }
        let found = word * 64 + bits.trailing_zeros();
        (found < end).then_some(found)
    }

    /// The last live cell.
    pub(super) fn last_live(&self) -> Option<u32> {
        self.last_live_below(self.cells)
    }

    /// The last live cell before cell `end`.
    pub(super) fn last_live_below(&self, end: u32) -> Option<u32> {
        let end = end.min(self.cells) as usize;
        let (mut word, rest) = (end / 64, end % 64);
        let mut bits = self.live_bits.get(word).map_or(0, |bits| bits & ((1 << rest) - 1));
        while bits == 0 {
            word = word.checked_sub(1)?;
            bits = self.live_bits[word];
        }
        Some(word as u32 * 64 + bits.ilog2())
    }

    /// The first free cell; it may have no memory yet.
    #[inline]
    pub(super) fn first_free(&self) -> Option<u32> {
        let mut word = self.hint;
        while *self.live_bits.get(word as usize)? == u64::MAX {
            word += 1;
        }
        let index = word * 64 + self.live_bits[word as usize].trailing_ones();
        (index < self.cells).then_some(index)
    }

    /// Asserts that the record agrees with itself.
    pub(super) fn check(&self) {
        let live: u32 = self.live_bits.iter().map(|word| word.count_ones()).sum();
        assert_eq!(live, self.live);
        assert!(self.live <= self.cells);
        assert!((self.committed_bytes as usize).is_multiple_of(FRAME_BYTES));
        let hint = self.hint as usize;
        if let Use::Cells(class) = self.used_as {
            assert!(!self.has_left_group());
            assert_eq!(self.group() == GROUP_COUNT, self.live == self.cells);
            assert!(self.live_bits[..hint].iter().all(|word| *word == u64::MAX));
            let bytes = classes::units_of(usize::from(class)) * UNIT_BYTES as u32;
            assert_eq!(self.committed_cells, (self.committed_bytes / bytes).min(self.cells));
            assert!(self.live <= self.committed_cells);
            assert_eq!(self.group() == GROUP_GROWING, self.live == self.committed_cells && self.live < self.cells);
            if let Some(last) = self.last_live() {
                assert!(last < self.cells);
                assert!((last + 1) * bytes <= self.committed_bytes);
            }
        } else {
            assert_eq!(self.live_bits.len(), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_taken_from_the_lowest_on_until_the_page_is_full() {
        let mut page = Page::free();
        page.committed_bytes = PAGE_BYTES as u32;
        let cells = PAGE_BYTES as u32 / 1600;
        page.hold(100, 1600);
        for index in 0..cells {
            assert_eq!(page.first_free(), Some(index));
            assert_eq!(page.take(), index);
        }
        assert!(page.has_left_group());
        page.regroup();
        assert_eq!(page.group(), GROUP_COUNT);
        page.give(70);
        assert!(page.has_left_group(), "a full page has no free cell");
        page.regroup();
        assert_eq!(page.group(), GROUP_COUNT - 1);
        page.give(3);
        assert_eq!(page.take(), 3);
        assert_eq!(page.take(), 70);
        page.regroup();
        page.check();
    }

    #[test]
    fn live_cells_are_found_in_order() {
        let mut page = Page::free();
        page.committed_bytes = PAGE_BYTES as u32;
        page.hold(64, 1024);
        for _ in 0..300 {
            page.take();
        }
        page.regroup();
        for index in (0..300).filter(|index| index % 97 != 5) {
            page.give(index);
        }
        let mut live = Vec::new();
        let mut from = 0;
        while let Some(index) = page.next_live_before(from, 1024) {
            live.push(index);
            from = index + 1;
        }
        assert_eq!(live, [5, 102, 199, 296]);
        assert_eq!(page.next_live_before(6, 102), None);
        assert_eq!(page.next_live_before(6, 103), Some(102));
        assert_eq!(page.last_live(), Some(296));
        assert_eq!(page.last_live_below(296), Some(199));
        assert_eq!(page.last_live_below(5), None);
        page.regroup();
        page.check();
    }
}
