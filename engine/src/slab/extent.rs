//! Extents: items that take whole pages of their own.
//!
//! An extent commits only the frames that its item reaches, so an item of 600 KiB takes a page of address
//! space and 600 KiB of memory. It grows in place while the pages behind it are free: appending to a large
//! value does not copy it.

use super::page::Use;
use super::{FRAME_BYTES, PAGE_BYTES, PAGE_COUNT_MAX, PAGE_UNITS, Slab};
use crate::cell::Cell;

impl Slab {
    pub(super) fn allocate_extent(&mut self, bytes: usize) -> Option<Cell> {
        if bytes > PAGE_COUNT_MAX * PAGE_BYTES {
            return None;
        }
        let count = bytes.div_ceil(PAGE_BYTES) as u32;
        let first = self.supply.take_run(count)?;
        self.supply.pages[first as usize].used_as = Use::Extent(count);
        for tail in first + 1..first + count {
            self.supply.pages[tail as usize].used_as = Use::ExtentTail;
        }
        for page in first..first + count {
            self.used_bytes += u64::from(self.supply.pages[page as usize].committed_bytes);
            self.commit_extent_page(page, (page - first) as usize, bytes);
        }
        Cell::new(first * PAGE_UNITS)
    }

    /// Makes an extent hold `bytes` in place if that takes no copying and wastes no page.
    pub(super) fn resize_extent(&mut self, first: u32, count: u32, bytes: usize) -> bool {
        let wanted = bytes.div_ceil(PAGE_BYTES) as u32;
        if wanted < count {
            return false;
        }
        let mut reached = count;
        while reached < wanted && self.supply.take_exactly(first + reached) {
            let page = &mut self.supply.pages[(first + reached) as usize];
            page.used_as = Use::ExtentTail;
            self.used_bytes += u64::from(page.committed_bytes);
            reached += 1;
        }
        if reached < wanted {
            // What was taken in vain goes back.
            self.give_extent_pages(first + count..first + reached);
            return false;
        }
        self.supply.pages[first as usize].used_as = Use::Extent(wanted);
        for page in first + count - 1..first + wanted {
            self.commit_extent_page(page, (page - first) as usize, bytes);
        }
        true
    }

    pub(super) fn free_extent(&mut self, first: u32, count: u32) {
        self.give_extent_pages(first..first + count);
    }

    fn give_extent_pages(&mut self, pages: std::ops::Range<u32>) {
        for page in pages {
            self.used_bytes -= u64::from(self.supply.pages[page as usize].committed_bytes);
            self.supply.give(page);
        }
    }

    /// Notes what page `index` of an extent of `bytes` commits, and gives back what it has beyond.
    fn commit_extent_page(&mut self, page: u32, index: usize, bytes: usize) {
        let committed = (bytes - index * PAGE_BYTES).min(PAGE_BYTES).next_multiple_of(FRAME_BYTES) as u32;
        let record = &mut self.supply.pages[page as usize];
        let before = std::mem::replace(&mut record.committed_bytes, committed);
        if before > committed {
            let offset = page as usize * PAGE_BYTES + committed as usize;
            self.supply.mapping.release(offset, (before - committed) as usize);
        }
        self.used_bytes = self.used_bytes + u64::from(committed) - u64::from(before);
        self.supply.committed_bytes = self.supply.committed_bytes + u64::from(committed) - u64::from(before);
    }
}

#[cfg(test)]
mod tests {
    use super::super::SlabOptions;
    use super::*;

    #[test]
    fn an_extent_commits_what_its_item_reaches_and_grows_in_place() {
        let mut slab = Slab::new(SlabOptions::default()).unwrap();
        let cell = slab.allocate(600 << 10).unwrap();
        assert_eq!(slab.used_bytes(), 600 << 10);
        slab.slice_mut(cell, 600 << 10).fill(1);
        assert!(slab.fits(cell, 5 << 20));
        assert_eq!(slab.used_bytes(), 5 << 20);
        assert_eq!(slab.capacity(cell), 5 << 20);
        assert!(slab.slice(cell, 600 << 10).iter().all(|byte| *byte == 1));
        slab.check();
        let behind = slab.allocate(700 << 10).unwrap();
        assert!(!slab.fits(cell, 6 << 20), "the page behind is taken");
        assert!(!slab.fits(cell, 3 << 20), "it would waste two pages");
        assert!(slab.fits(cell, (5 << 20) - 100_000));
        slab.check();
        slab.free(behind);
        slab.free(cell);
        slab.check();
        assert_eq!(slab.used_bytes(), 0);
    }

    #[test]
    fn pages_of_freed_extents_serve_larger_ones() {
        let mut slab = Slab::new(SlabOptions::default()).unwrap();
        let cells: Vec<Cell> = (0..8).map(|_| slab.allocate(2 << 20).unwrap()).collect();
        let pages = slab.page_count();
        for cell in cells {
            slab.free(cell);
        }
        let cell = slab.allocate(16 << 20).unwrap();
        assert_eq!(slab.page_count(), pages);
        slab.check();
        slab.free(cell);
        while slab.evacuate(1000, |_, _, _| panic!("nothing is live")) {}
        slab.check();
    }
}
