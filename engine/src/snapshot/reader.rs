//! Reads a snapshot file: every block checked whole before an item of it is believed.

use crate::snapshot::block::{FileHeader, Footer};
use crate::snapshot::item::Item;

/// What is wrong with a snapshot file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotFault {
    /// Not a snapshot file, or its head is damaged.
    Head,
    /// A format that this program does not know.
    Version {
        /// Which.
        found: u32,
    },
    /// The block at this offset is damaged or cut short.
    Block {
        /// Where, in bytes from the file's beginning.
        offset: u64,
    },
    /// An item within an intact block makes no sense: the file was written wrongly.
    Item {
        /// The block's offset.
        offset: u64,
    },
    /// There is no foot, or it disagrees with the blocks.
    Foot {
        /// Where it should be.
        offset: u64,
    },
}

/// Reads the items of one file in order.
pub struct SnapshotReader<'a> {
    _file: &'a [u8],
}

impl<'a> SnapshotReader<'a> {
    /// A reader of `file`.
    ///
    /// # Errors
    /// When the head is no head.
    pub fn new(_file: &'a [u8]) -> Result<SnapshotReader<'a>, SnapshotFault> {
        todo!()
    }

    /// What the head says.
    pub fn header(&self) -> FileHeader {
        todo!()
    }

    /// The next item; `None` behind the foot.
    ///
    /// # Errors
    /// When the next block is damaged; [`SnapshotReader::skip_damage`] goes on behind it.
    pub fn next(&mut self) -> Result<Option<Item<'a>>, SnapshotFault> {
        todo!()
    }

    /// Goes on at the next intact block behind a damaged one, for repair; `false` if there is none.
    pub fn skip_damage(&mut self) -> bool {
        todo!()
    }

    /// Where reading stands, in bytes from the file's beginning.
    pub fn offset(&self) -> u64 {
        todo!()
    }

    /// What the foot said, once it was read.
    pub fn footer(&self) -> Option<Footer> {
        todo!()
    }
}
