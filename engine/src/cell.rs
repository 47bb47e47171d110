//! The reference to an item: where its cell starts.
//!
//! Tables, the expiry wheel and the eviction queues hold millions of references, so they are 4 bytes: a
//! cell is named by its distance from the start of the shard's slab, counted in 16-byte units. 32 bits
//! reach 64 GiB a shard. Unit 0 is never handed out, so an `Option<Cell>` takes 4 bytes too and a table
//! can use 0 for an empty slot.

use std::num::NonZeroU32;

/// Bytes a unit of cell addresses covers.
pub const UNIT_BYTES: usize = 16;

/// The start of an allocated cell, in units of [`UNIT_BYTES`] from the start of the slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell(pub NonZeroU32);

const _: () = assert!(size_of::<Option<Cell>>() == 4);

impl Cell {
    /// The cell that starts at `unit`; `None` for unit 0.
    #[inline]
    pub fn new(unit: u32) -> Option<Cell> {
        NonZeroU32::new(unit).map(Cell)
    }

    /// The unit the cell starts at.
    #[inline]
    pub fn unit(self) -> u32 {
        self.0.get()
    }
}
