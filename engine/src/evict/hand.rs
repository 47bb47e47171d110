//! The hand: walks over all live cells, round after round, in the order of their places.
//!
//! New entries take the places of those that the hand has freed, so the order of places is an order of age,
//! and it costs no memory. The hand does not finish a page before it goes on to the next: in a window of 64
//! pages it takes the first 16 KiB of each, then the second of each, and so on. A sweep of whole pages would free
//! one class in a burst and leave the others to take new pages meanwhile; in small steps every class
//! gets free cells in proportion to its size, and the free memory between cells stays small.
//!
//! ```text
//! window   page 64  65  66 ... 127
//! part 0        1    2   3      64     the order in which 16 KiB parts are visited
//! part 1       65   66  67     128
//! ...
//! ```

use crate::cell::Cell;
use crate::slab::{PAGE_COUNT_MAX, PAGE_UNITS, Slab};

/// Pages that are swept side by side.
const WINDOW_PAGES: u32 = 64;

/// Units of a page that are swept at once.
const PART_UNITS: u32 = 1024;

/// Parts without a live cell, or windows without any, that one call passes over: what is left of one window,
/// all windows there are, and one window more.
const EMPTY_MAX: u32 = 2 * WINDOW_PAGES * (PAGE_UNITS / PART_UNITS) + (PAGE_COUNT_MAX as u32 / WINDOW_PAGES);

/// Where the hand is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hand {
    /// The first page of the window.
    window: u32,
    /// The page within the window.
    page: u32,
    /// The first unit of the part within each page.
    part: u32,
    /// The unit in the page from which on the hand has not been.
    offset: u32,
    /// Rounds over everything that have been completed.
    pub(super) rounds: u32,
}

impl Hand {
    /// The next live cell; `None` if there was none within the bounds of one call.
    pub(super) fn next(&mut self, slab: &Slab) -> Option<Cell> {
        for _ in 0..EMPTY_MAX {
            let number = self.window + self.page;
            if self.page == 0 && self.part == 0 && !self.has_cells(slab) {
                self.next_window(slab.page_count());
                continue;
            }
            if let Some(cell) = slab.next_live_before(number, self.offset, self.part + PART_UNITS) {
                self.offset = cell.unit() % PAGE_UNITS + 1;
                return Some(cell);
            }
            self.advance(slab.page_count());
        }
        None
    }

    fn advance(&mut self, page_count: u32) {
        self.page += 1;
        if self.page == WINDOW_PAGES || self.window + self.page >= page_count {
            self.page = 0;
            self.part += PART_UNITS;
            if self.part == PAGE_UNITS {
                self.next_window(page_count);
            }
        }
        self.offset = self.part;
    }

    fn next_window(&mut self, page_count: u32) {
        (self.page, self.part, self.offset) = (0, 0, 0);
        self.window += WINDOW_PAGES;
        if self.window >= page_count {
            self.window = 0;
            self.rounds = self.rounds.wrapping_add(1);
        }
    }

    fn has_cells(&self, slab: &Slab) -> bool {
        (self.window..self.window + WINDOW_PAGES).any(|page| slab.has_cells(page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slab::SlabOptions;

    #[test]
    fn a_round_visits_every_cell_once() {
        let mut slab = Slab::new(SlabOptions::default()).unwrap();
        let mut cells: Vec<Cell> = (0..40_000).map(|n| slab.allocate(n % 5000 + 1).unwrap()).collect();
        cells.extend((0..5).map(|n| slab.allocate((n + 1) << 20).unwrap()));
        for index in (0..30_000).step_by(3) {
            slab.free(cells.swap_remove(index));
        }
        let mut hand = Hand::default();
        for round in 0..3 {
            let mut seen: Vec<Cell> = (0..cells.len()).map(|_| hand.next(&slab).unwrap()).collect();
            seen.sort_unstable();
            cells.sort_unstable();
            assert_eq!(seen, cells, "round {round}");
        }
        assert_eq!(hand.rounds, 2);
    }

    #[test]
    fn cells_far_apart_are_found() {
        let mut slab = Slab::new(SlabOptions::default()).unwrap();
        let large: Vec<Cell> = (0..100).map(|_| slab.allocate(400 << 20).unwrap()).collect();
        let small = slab.allocate(100).unwrap();
        let mut hand = Hand::default();
        for cell in &large {
            assert_eq!(hand.next(&slab), Some(*cell));
        }
        assert_eq!(hand.next(&slab), Some(small));
        for cell in large {
            slab.free(cell);
        }
        assert_eq!(hand.next(&slab), Some(small));
        assert_eq!(hand.next(&slab), Some(small));
    }

    #[test]
    fn an_empty_slab_has_no_next_cell() {
        let slab = Slab::new(SlabOptions::default()).unwrap();
        assert_eq!(Hand::default().next(&slab), None);
    }
}
