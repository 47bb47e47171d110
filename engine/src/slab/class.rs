//! One size class: its geometry, its counts and the lists of its pages.

use super::classes::{CELL_UNITS_MIN, units_of};
use super::page::GROUP_COUNT;
use super::{FRAME_BYTES, NO_PAGE, PAGE_UNITS};
use crate::cell::UNIT_BYTES;

/// A size class.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) units: u32,
    /// 2^32 / units, rounded up: turns an offset in units into a cell index without a division.
    reciprocal: u32,
    /// The first page of each group.
    pub(super) groups: [u32; GROUP_COUNT],
    /// Which groups have pages.
    pub(super) groups_in_use: u8,
    pub(super) page_count: u32,
    pub(super) live: u32,
    /// What all its pages have committed.
    pub(super) committed_bytes: u64,
}

impl Class {
    /// Class `number` with no page. The two numbers below the smallest class get its geometry.
    pub(super) fn new(number: usize) -> Class {
        let units = units_of(number).max(CELL_UNITS_MIN);
        Class {
            units,
            reciprocal: (1u64 << 32).div_ceil(u64::from(units)) as u32,
            groups: [NO_PAGE; GROUP_COUNT],
            groups_in_use: 0,
            page_count: 0,
            live: 0,
            committed_bytes: 0,
        }
    }

    /// Bytes of a cell.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.units as usize * UNIT_BYTES
    }

    /// Cells of a page.
    pub(super) fn cells(&self) -> u32 {
        PAGE_UNITS / self.units
    }

    /// Bytes of a page up to the frame in which its last cell ends.
    pub(super) fn page_bytes(&self) -> u32 {
        (self.cells() * self.bytes() as u32).next_multiple_of(FRAME_BYTES as u32)
    }

    /// The cell that covers the unit at `offset` of a page.
    #[inline]
    pub(super) fn index(&self, offset: u32) -> u32 {
        ((u64::from(offset) * u64::from(self.reciprocal)) >> 32) as u32
    }

    /// A page that has a free cell: the fullest whose free cells have memory, or else one that grows.
    #[inline]
    pub(super) fn fullest(&self) -> Option<u32> {
        (self.groups_in_use != 0).then(|| self.groups[self.groups_in_use.ilog2() as usize])
    }

    /// A page that had better be empty: one whose last cells take memory while others have it to spare, or else
    /// one of the emptiest.
    pub(super) fn emptiest(&self) -> Option<u32> {
        (self.groups_in_use != 0).then(|| self.groups[self.groups_in_use.trailing_zeros() as usize])
    }

    /// What would be committed less if the live cells lay side by side.
    pub(super) fn surplus_bytes(&self) -> u64 {
        if self.groups_in_use == 0 {
            return 0;
        }
        let full = u64::from(self.live / self.cells()) * u64::from(self.page_bytes());
        let rest = (u64::from(self.live % self.cells()) * self.bytes() as u64).next_multiple_of(FRAME_BYTES as u64);
        self.committed_bytes.saturating_sub(full + rest)
    }
}

#[cfg(test)]
mod tests {
    use super::super::classes::CLASS_COUNT;
    use super::*;

    #[test]
    fn an_offset_in_units_finds_its_cell_in_every_class() {
        for number in 2..CLASS_COUNT {
            let class = Class::new(number);
            for offset in 0..PAGE_UNITS {
                assert_eq!(class.index(offset), offset / class.units);
            }
        }
    }

    #[test]
    fn surplus_is_what_dense_cells_would_not_need() {
        let mut class = Class::new(64);
        (class.page_count, class.live, class.groups_in_use) = (2, 1024, 1);
        class.committed_bytes = 2 << 20;
        assert_eq!(class.surplus_bytes(), 1 << 20);
        class.live = 1;
        assert_eq!(class.surplus_bytes(), (2 << 20) - FRAME_BYTES as u64);
        class.groups_in_use = 0;
        assert_eq!(class.surplus_bytes(), 0);
    }
}
