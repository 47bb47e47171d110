//! A snapshot in the making: where the walk stands, and the block being filled.

use crate::lsn::Lsn;
use crate::snapshot::block::{Block, Footer};

/// How a snapshot is taken.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotOptions {
    /// Blocks of entries about to change may make this many bytes wait before the snapshot is given up.
    pub waiting_bytes_max: usize,
}

/// How far a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Entries are left.
    Walking,
    /// All entries are in blocks; the last block can be taken.
    Done(Footer),
    /// It was given up: everything was flushed, or the disk is so much slower than the changes that they would have
    /// filled the memory.
    GivenUp,
}

/// A snapshot in the making.
pub struct Walk {
    _lsn: Lsn,
    _blocks: Vec<Block>,
}
