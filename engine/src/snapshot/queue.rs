//! The blocks of a snapshot between the walk and whoever writes the file.
//!
//! Items go into one block until the next does not fit; then the block is ready and the next begins, in a buffer
//! that came back from the writer if there is one. So nothing is allocated for an entry, and a block never moves.

use std::collections::VecDeque;

use crate::entry::Record;
use crate::key::Db;
use crate::snapshot::block::{BLOCK_BYTES_TARGET, BLOCK_HEAD_BYTES, Block, Footer};
use crate::snapshot::item;

/// Buffers that wait to be used again: as many as may be on their way to the disk at a time.
const SPARE_COUNT_MAX: usize = 32;

/// See the module.
#[derive(Debug)]
pub(crate) struct Queue {
    /// The block being filled.
    current: Block,
    ready: VecDeque<Block>,
    ready_bytes: usize,
    spare: Vec<Block>,
    /// Counts the blocks that are ready or were taken.
    written: Footer,
}

impl Queue {
    /// An empty queue.
    pub(crate) fn new() -> Queue {
        Queue {
            current: Block::new(BLOCK_BYTES_TARGET),
            ready: VecDeque::new(),
            ready_bytes: 0,
            spare: Vec::with_capacity(SPARE_COUNT_MAX),
            written: Footer::default(),
        }
    }

    /// Adds an entry, which was in `db` at the instant; returns the bytes it took.
    #[inline]
    pub(crate) fn push(&mut self, db: Db, record: &Record<'_>) -> usize {
        let bytes = item::item_bytes(record);
        if bytes > self.current.buffer.capacity() - self.current.buffer.len() {
            self.turn(bytes);
        }
        item::write(&mut self.current.buffer, db, record);
        self.current.item_count += 1;
        bytes
    }

    /// Ends the last block; what is in the file now is all.
    pub(crate) fn finish(&mut self) -> Footer {
        self.end_block();
        self.spare.clear();
        self.written
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.ready.clear();
        self.ready_bytes = 0;
        self.spare.clear();
        self.current.clear();
    }

    /// The next block that is ready.
    pub(crate) fn take(&mut self) -> Option<Block> {
        let block = self.ready.pop_front()?;
        self.ready_bytes -= block.buffer.len();
        Some(block)
    }

    /// Takes a block's buffer back, to be used again.
    pub(crate) fn reuse(&mut self, block: Block) {
        let is_ordinary = block.buffer.capacity() < 2 * BLOCK_BYTES_TARGET;
        if is_ordinary && self.spare.len() < SPARE_COUNT_MAX {
            self.spare.push(block);
        }
    }

    /// Bytes of the blocks that are ready and were not taken.
    pub(crate) fn ready_bytes(&self) -> usize {
        self.ready_bytes
    }

    /// Ends the current block and begins one that has room for an item of `bytes`.
    #[inline(never)]
    fn turn(&mut self, bytes: usize) {
        self.end_block();
        let whole = BLOCK_HEAD_BYTES + bytes;
        if whole > self.current.buffer.capacity() {
            let ordinary = std::mem::replace(&mut self.current, Block::new(whole));
            self.reuse(ordinary);
        }
    }

    /// Makes the current block ready, unless it is empty, and puts an empty one in its place.
    fn end_block(&mut self) {
        if self.current.item_count == 0 {
            return;
        }
        let mut next = self.spare.pop().unwrap_or_else(|| Block::new(BLOCK_BYTES_TARGET));
        next.clear();
        let mut full = std::mem::replace(&mut self.current, next);
        full.number = self.written.block_count;
        self.written.block_count += 1;
        self.written.item_count += u64::from(full.item_count);
        self.ready_bytes += full.buffer.len();
        self.ready.push_back(full);
    }
}
