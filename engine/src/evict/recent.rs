//! The recent cells: a queue of references, 4 bytes each.
//!
//! A reference may be stale: its entry was removed, or moved, or another one lives in its cell. Whoever
//! takes it out must look. Blocks of 4 KiB keep growth free of copying.

use std::collections::VecDeque;

use crate::cell::Cell;

/// References of a block.
const BLOCK_CELLS: usize = 1024;

/// A first-in, first-out queue.
#[derive(Debug, Default)]
pub(super) struct Recent {
    blocks: VecDeque<Vec<Cell>>,
    /// References taken out of the first block.
    taken: usize,
    len: u64,
    /// A block to be used again.
    spare: Option<Vec<Cell>>,
}

impl Recent {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    #[inline]
    pub(super) fn push(&mut self, cell: Cell) {
        self.len += 1;
        if let Some(block) = self.blocks.back_mut()
            && block.len() < BLOCK_CELLS
        {
            block.push(cell);
            return;
        }
        let mut block = self.spare.take().unwrap_or_else(|| Vec::with_capacity(BLOCK_CELLS));
        block.push(cell);
        self.blocks.push_back(block);
    }

    pub(super) fn pop(&mut self) -> Option<Cell> {
        let block = self.blocks.front_mut()?;
        let cell = *block.get(self.taken)?;
        self.taken += 1;
        self.len -= 1;
        if self.taken == BLOCK_CELLS {
            self.taken = 0;
            let mut block = self.blocks.pop_front().expect("the first block was just read");
            block.clear();
            self.spare = Some(block);
        }
        Some(cell)
    }

    /// The reference that will be taken out after `count` others.
    pub(super) fn peek(&self, count: usize) -> Option<Cell> {
        self.blocks.front()?.get(self.taken + count).copied()
    }

    pub(super) fn resident_bytes(&self) -> u64 {
        let blocks = self.blocks.len() + usize::from(self.spare.is_some());
        (blocks * BLOCK_CELLS * size_of::<Cell>()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_out_in_the_order_they_went_in() {
        let mut recent = Recent::default();
        let (mut pushed, mut popped) = (0, 0);
        for round in 1..60 {
            for _ in 0..round * 37 {
                pushed += 1;
                recent.push(Cell::new(pushed).unwrap());
            }
            for _ in 0..round * 36 {
                popped += 1;
                assert_eq!(recent.peek(0).map_or(popped, Cell::unit), popped);
                assert_eq!(recent.pop().map(Cell::unit), Some(popped));
            }
            assert_eq!(recent.len(), u64::from(pushed - popped));
        }
        while recent.pop().is_some() {
            popped += 1;
        }
        assert_eq!(popped, pushed);
        assert_eq!(recent.pop(), None);
        recent.push(Cell::new(7).unwrap());
        assert_eq!(recent.pop().map(Cell::unit), Some(7));
    }
}
