//! The supply of pages: which are free, which of these still hold memory, which lie where pages are huge.
//!
//! A page that falls empty goes back to the kernel lazily: it stays *dirty*, is the first to be used again
//! by a class that needs whole pages, and is released in the background if nobody wants it.
//!
//! Huge pages (2 MiB) make random reads of a large store 20 to 35 % cheaper where memory is virtualized (4 GiB of
//! 1,152 B cells), but a class that needs a few frames must not be charged 2 MiB. So they are asked for only in regions of
//! 64 MiB of address space set aside for classes that have many pages already; there a page is
//! taken together with its neighbour, which enters the supply as dirty, having come with it.
//!
//! # Invariants
//! - A free page is in exactly one of `plain` and `huge`; a page in use is in neither.
//! - A free page is in `dirty` exactly if it has committed bytes.

use super::page::{Page, Use};
use super::page_set::{PageSet, WORD_PAGES};
use super::{Mapping, PAGE_BYTES, PAGE_COUNT_MAX};

/// Pages that a class has before its further pages are huge.
const HUGE_PAGES_MIN: u32 = 64;

/// All pages and where the free ones are.
#[derive(Debug)]
pub(super) struct Supply {
    pub(super) mapping: Mapping,
    pub(super) pages: Vec<Page>,
    plain: PageSet,
    huge: PageSet,
    dirty: PageSet,
    /// Whether the 64 pages of a word are a huge region.
    regions: Box<[bool]>,
    huge_pages: bool,
    /// Committed bytes of all pages.
    pub(super) committed_bytes: u64,
}

impl Supply {
    pub(super) fn new(mapping: Mapping, huge_pages: bool) -> Supply {
        // Reserved for good: the records are never moved, and those not reached yet are not in memory.
        let mut pages = Vec::with_capacity(PAGE_COUNT_MAX);
        pages.push(Page::free());
        Supply {
            mapping,
            pages,
            plain: PageSet::all(),
            huge: PageSet::none(),
            dirty: PageSet::none(),
            regions: vec![false; PAGE_COUNT_MAX / WORD_PAGES as usize].into_boxed_slice(),
            huge_pages,
            committed_bytes: 0,
        }
    }

    /// A page for a class that has `page_count` pages and whose cells may lie in huge pages. A first page is
    /// a clean one: few of its frames may ever be used.
    pub(super) fn take_page(&mut self, page_count: u32, may_be_huge: bool) -> Option<u32> {
        if page_count > 0
            && let Some(page) = self.take_dirty()
        {
            return Some(page);
        }
        let is_huge = self.huge_pages && may_be_huge && page_count >= HUGE_PAGES_MIN;
        let page = if is_huge { self.take_huge() } else { None };
        page.or_else(|| self.take_clean()).or_else(|| self.take_dirty())
    }

    fn take_huge(&mut self) -> Option<u32> {
        self.take_huge_pair().or_else(|| self.huge.take_one()).or_else(|| {
            self.open_region().then_some(())?;
            self.take_huge_pair()
        })
    }

    fn take_dirty(&mut self) -> Option<u32> {
        let page = self.dirty.take_one()?;
        self.free_set(page).take(page);
        Some(page)
    }

    fn take_clean(&mut self) -> Option<u32> {
        let page = self.plain.take_one_not_in(&self.dirty).or_else(|| self.huge.take_one_not_in(&self.dirty))?;
        if self.make_writable(page + 1) {
            return Some(page);
        }
        self.free_set(page).add(page);
        None
    }

    /// Two neighbours that one huge page backs: the first is taken, the second comes into the supply.
    fn take_huge_pair(&mut self) -> Option<u32> {
        let page = self.huge.take_pair()?;
        for page in [page, page + 1] {
            debug_assert_eq!(self.pages[page as usize].committed_bytes, 0);
            self.pages[page as usize].committed_bytes = PAGE_BYTES as u32;
        }
        self.committed_bytes += 2 * PAGE_BYTES as u64;
        self.huge.add(page + 1);
        self.dirty.add(page + 1);
        Some(page)
    }

    fn open_region(&mut self) -> bool {
        debug_assert_eq!(self.dirty.count(), 0);
        let Some(first) = self.plain.take_word() else { return false };
        let is_writable = self.make_writable(first + WORD_PAGES);
        if is_writable {
            self.mapping.advise_huge(first as usize * PAGE_BYTES, WORD_PAGES as usize * PAGE_BYTES, true);
            self.regions[(first / WORD_PAGES) as usize] = true;
        }
        for page in first..first + WORD_PAGES {
            self.free_set(page).add(page);
        }
        is_writable
    }

    /// Makes the regions plain again of which no page is in use.
    fn close_regions(&mut self) {
        for region in 0..self.regions.len() {
            let pages = region as u32 * WORD_PAGES..(region as u32 + 1) * WORD_PAGES;
            if self.regions[region] && pages.clone().all(|page| self.huge.contains(page)) {
                let bytes = WORD_PAGES as usize * PAGE_BYTES;
                self.mapping.advise_huge(region * bytes, bytes, false);
                self.regions[region] = false;
                for page in pages {
                    self.huge.take(page);
                    self.plain.add(page);
                }
            }
        }
    }

    /// Takes `count` neighbouring pages.
    pub(super) fn take_run(&mut self, count: u32) -> Option<u32> {
        let first = self.plain.take_run(count).or_else(|| {
            self.close_regions();
            self.plain.take_run(count)
        })?;
        if !self.make_writable(first + count) {
            (first..first + count).for_each(|page| self.plain.add(page));
            return None;
        }
        for page in first..first + count {
            self.adopt(page);
        }
        Some(first)
    }

    /// Takes the page behind an extent, if it is free.
    pub(super) fn take_exactly(&mut self, page: u32) -> bool {
        if !self.plain.contains(page) || !self.make_writable(page + 1) {
            return false;
        }
        self.plain.take(page);
        self.adopt(page);
        true
    }

    /// A page leaves the supply with what it has committed.
    fn adopt(&mut self, page: u32) {
        if self.dirty.contains(page) {
            self.dirty.take(page);
        }
    }

    /// Takes a page back, with the memory that it has committed.
    pub(super) fn give(&mut self, page: u32) {
        let record = &mut self.pages[page as usize];
        record.vacate();
        if record.committed_bytes > 0 {
            self.dirty.add(page);
        }
        self.free_set(page).add(page);
    }

    /// Releases the memory of one dirty page; `false` if there is none.
    pub(super) fn release_one(&mut self) -> bool {
        let Some(page) = self.dirty.take_one() else { return false };
        let committed = std::mem::take(&mut self.pages[page as usize].committed_bytes);
        self.committed_bytes -= u64::from(committed);
        self.mapping.release(page as usize * PAGE_BYTES, committed as usize);
        true
    }

    fn free_set(&mut self, page: u32) -> &mut PageSet {
        if self.regions[(page / WORD_PAGES) as usize] { &mut self.huge } else { &mut self.plain }
    }

    fn make_writable(&mut self, end: u32) -> bool {
        if !self.mapping.make_writable(end as usize * PAGE_BYTES) {
            return false;
        }
        while self.pages.len() < end as usize {
            self.pages.push(Page::free());
        }
        true
    }

    /// Asserts the invariants.
    pub(super) fn check(&self) {
        let mut committed = 0;
        for (number, page) in self.pages.iter().enumerate().skip(1) {
            page.check();
            committed += u64::from(page.committed_bytes);
            let number = number as u32;
            let is_huge = self.regions[(number / WORD_PAGES) as usize];
            let is_free = page.used_as == Use::Free;
            assert_eq!(self.plain.contains(number), is_free && !is_huge, "page {number}");
            assert_eq!(self.huge.contains(number), is_free && is_huge, "page {number}");
            assert_eq!(self.dirty.contains(number), is_free && page.committed_bytes > 0, "page {number}");
        }
        assert_eq!(committed, self.committed_bytes);
    }
}
