//! What can be wrong with a snapshot file.

use std::fmt;

/// Why a snapshot file, or what follows of it, is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotFault {
    /// Not a snapshot file, or its head is damaged.
    Head,
    /// A format that this program does not know.
    Version {
        /// Which.
        found: u32,
    },
    /// The block at this offset is damaged, cut short, missing, or not the one that belongs there.
    Block {
        /// Where, in bytes from the file's beginning.
        offset: u64,
    },
    /// An item within an intact block makes no sense: the file was written wrongly.
    Item {
        /// The block's offset.
        offset: u64,
    },
    /// There is no foot, it disagrees with the blocks, or something follows it.
    Foot {
        /// Where it should be, or where what follows it begins.
        offset: u64,
    },
}

impl SnapshotFault {
    /// Where it is, in bytes from the file's beginning.
    pub fn offset(&self) -> u64 {
        match *self {
            SnapshotFault::Head | SnapshotFault::Version { .. } => 0,
            SnapshotFault::Block { offset } | SnapshotFault::Item { offset } | SnapshotFault::Foot { offset } => offset,
        }
    }
}

impl fmt::Display for SnapshotFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotFault::Head => write!(formatter, "it does not begin with an intact head of a snapshot file"),
            SnapshotFault::Version { found } => write!(formatter, "its format version {found} is not known"),
            SnapshotFault::Block { offset } => write!(formatter, "the block at offset {offset} is damaged or missing"),
            SnapshotFault::Item { offset } => {
                write!(
                    formatter,
                    "an entry in the block at offset {offset} makes no sense, though its checksum is right"
                )
            }
            SnapshotFault::Foot { offset } => {
                write!(formatter, "there is no end of the file at offset {offset} that agrees with its blocks")
            }
        }
    }
}
