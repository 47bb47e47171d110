//! The parts of a snapshot file: a head, blocks of items, a foot; each a multiple of 4 KiB, each with a checksum.
//!
//! ```text
//! file      | head, 4 KiB | block 0 | block 1 | ... | foot, 4 KiB |
//! block     | crc32 | payload bytes | block number | item count | payload: items | zeros to 4 KiB |
//! ```
//!
//! Checksums are seeded with snapshot id and shard, and a block carries its number, so that a block of another file
//! or in another place is no block of this one. The foot says how many blocks and items there are.
//!
//! The owner of this file settles the exact layout and redraws it here.

use crate::lsn::{Lsn, Origin};

/// Blocks are handed out when their payload has at least so many bytes; one is longer than that by at most an item.
pub const BLOCK_BYTES_TARGET: usize = 256 * 1024;

/// What the head of a snapshot file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHeader {
    /// Whose entries: the generation in which it was taken, and the shard.
    pub origin: Origin,
    /// The snapshot's number, the same in all shards' files.
    pub id: u64,
    /// The instant: changes up to and including this one are in it.
    pub lsn: Lsn,
}

/// What the foot says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footer {
    /// Blocks before it.
    pub block_count: u64,
    /// Items in them.
    pub item_count: u64,
}

/// A part of a snapshot file on its way to the disk: room for the block's head, the payload, zeros to a multiple of
/// 4 KiB. [`seal`] completes it, on the thread that writes it.
#[derive(Debug, Default)]
pub struct Block {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Which block of the file.
    pub number: u64,
    /// Items in it.
    pub item_count: u32,
}

/// Why a block is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockFault {
    /// The file ends within it.
    Short,
    /// Its checksum, number or lengths are wrong.
    Damaged,
}

impl FileHeader {
    /// The head as it is written, 4 KiB.
    pub fn to_bytes(&self) -> Vec<u8> {
        todo!()
    }
}

impl Footer {
    /// The foot as it is written, 4 KiB.
    pub fn to_bytes(&self, _header: &FileHeader) -> Vec<u8> {
        todo!()
    }
}

/// Completes a block of the file that begins with `header`: length, number, checksum.
pub fn seal(_block: &mut Block, _header: &FileHeader) {
    todo!()
}
