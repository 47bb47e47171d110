//! Evacuation: moving cells together, so that memory goes where it is needed or back to the kernel.
//!
//! Free cells among live ones serve only their own class. When there are more of them than is normal, the
//! class with the largest surplus gives some back: the cells of one of its emptiest pages, the source, move from the
//! highest on into free cells of its other pages, or else into lower ones of the same page. An
//! emptied page returns to the supply; of a page that cannot be emptied the end is cut off. A move is a
//! step; a turn makes as many as its caller allows and leaves the rest for the next.

use super::page::{GROUP_GROWING, Use};
use super::{FRAME_BYTES, NO_PAGE, PAGE_BYTES, PAGE_UNITS, Slab};
use crate::cell::{Cell, UNIT_BYTES};

/// Steps that releasing a page counts for, by its cost.
const RELEASE_STEPS: usize = 64;

/// Bytes whose copying counts for one more step.
const STEP_BYTES: usize = 4096;

/// A surplus that could not be reduced is looked at again once it has changed by so much.
const RETRY_BYTES: u64 = 256 << 10;

/// Where evacuation stands between turns.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evacuation {
    /// The page being emptied.
    pub(super) source: u32,
    /// Cells of the source from here on have been dealt with.
    cursor: u32,
    /// Whether a cell of the source was moved.
    has_moved: bool,
    /// The slack that was found not to be reducible.
    settled_bytes: u64,
}

impl Slab {
    /// Moves cells together so that memory can go back, in about `steps` moves of small cells. `relocate` is
    /// told of each cell that moved: its old place, its new one, and its contents at the new one. Returns
    /// whether there is more to do.
    pub fn evacuate(&mut self, steps: usize, mut relocate: impl FnMut(Cell, Cell, &[u8])) -> bool {
        let mut left = steps;
        while self.has_surplus() {
            if left == 0 {
                return true;
            }
            if self.supply.release_one() {
                left = left.saturating_sub(RELEASE_STEPS);
            } else if self.evacuation.source == NO_PAGE && !self.choose_source() {
                self.evacuation.settled_bytes = self.slack_bytes();
            } else {
                left = left.saturating_sub(self.move_one(&mut relocate));
            }
        }
        false
    }

    fn has_surplus(&mut self) -> bool {
        let slack = self.slack_bytes();
        let settled = &mut self.evacuation.settled_bytes;
        if slack + RETRY_BYTES < *settled || slack > *settled + RETRY_BYTES {
            *settled = 0;
        }
        *settled == 0 && slack > self.slack_bytes_normal() / 2
    }

    fn choose_source(&mut self) -> bool {
        let Some(class) = self.classes.iter().max_by_key(|class| class.surplus_bytes()) else { return false };
        if class.surplus_bytes() < 2 * FRAME_BYTES as u64 {
            return false;
        }
        let Some(source) = class.emptiest() else { return false };
        self.evacuation.source = source;
        self.evacuation.cursor = u32::MAX;
        self.evacuation.has_moved = false;
        true
    }

    /// Moves the highest cell of the source, or ends with it; returns the steps that took.
    fn move_one(&mut self, relocate: &mut impl FnMut(Cell, Cell, &[u8])) -> usize {
        let source = self.evacuation.source;
        let page = &self.supply.pages[source as usize];
        let Use::Cells(class) = page.used_as else { panic!("page {source} is being emptied and has no cells") };
        let class = usize::from(class);
        let target = match page.last_live_below(self.evacuation.cursor) {
            Some(last) => self.target(source, class, last).map(|target| (last, target)),
            None => None,
        };
        let Some((last, target)) = target else {
            self.trim(source, class);
            return 1;
        };
        (self.evacuation.cursor, self.evacuation.has_moved) = (last, true);
        let units = self.classes[class].units;
        let bytes = self.classes[class].bytes();
        let index = self.take_cell(target, class);
        let old = Cell::new(source * PAGE_UNITS + last * units).expect("page 0 holds no cells");
        let new = Cell::new(target * PAGE_UNITS + index * units).expect("page 0 holds no cells");
        let (from, to) = (old.unit() as usize * UNIT_BYTES, new.unit() as usize * UNIT_BYTES);
        self.supply.mapping.copy(from, to, bytes);
        relocate(old, new, self.supply.mapping.slice(to, bytes));
        self.free(old);
        1 + bytes / STEP_BYTES
    }

    /// A page with a free cell that has memory: another one than the source, or the source below `last`.
    fn target(&self, source: u32, class: usize, last: u32) -> Option<u32> {
        for first in self.classes[class].groups[GROUP_GROWING + 1..].iter().rev() {
            let second = self.supply.pages[*first as usize].next;
            if let Some(target) = [*first, second].into_iter().find(|number| ![NO_PAGE, source].contains(number)) {
                return Some(target);
            }
        }
        let page = &self.supply.pages[source as usize];
        (page.first_free()? < last).then_some(source)
    }

    /// Cuts off what the source has committed behind its last cell, and is done with it.
    fn trim(&mut self, source: u32, class: usize) {
        let record = &mut self.classes[class];
        let page = &mut self.supply.pages[source as usize];
        let end = page.last_live().map_or(0, |last| (last + 1) * record.bytes() as u32);
        let committed = end.next_multiple_of(FRAME_BYTES as u32);
        let surplus = page.committed_bytes.saturating_sub(committed);
        if surplus > 0 {
            page.set_committed(committed, record.bytes() as u32);
            record.committed_bytes -= u64::from(surplus);
            self.supply.committed_bytes -= u64::from(surplus);
            self.supply.mapping.release(source as usize * PAGE_BYTES + committed as usize, surplus as usize);
            self.regroup(source, class);
        }
        if surplus == 0 && !self.evacuation.has_moved {
            self.evacuation.settled_bytes = self.slack_bytes();
        }
        self.evacuation.source = NO_PAGE;
    }
}
