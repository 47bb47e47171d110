//! The parts of a snapshot file: a head, blocks of items, a foot; each a multiple of 4 KiB, each with a checksum over
//! all its bytes.
//!
//! ```text
//! file     | head, 4 KiB | block 0 | block 1 | ... | foot, 4 KiB |
//!
//! head
//! byte 0           8         12      16           24    32    40      42            44     48      56      4096
//!      ┌───────────┬─────────┬───────┬────────────┬─────┬─────┬───────┬─────────────┬──────┬───────┬───────┐
//!      │ LKSYSNP\n │ version │ crc32 │ generation │ id  │ lsn │ shard │ shard_count │ zero │ fence │ zeros │
//!      │           │ u32     │ u32   │ u64        │ u64 │ u64 │ u16   │ u16         │ u32  │ u64   │       │
//!      └───────────┴─────────┴───────┴────────────┴─────┴─────┴───────┴─────────────┴──────┴───────┴───────┘
//! version  3; in versions 1 and 2, items had fewer flags and encodings, and there was no fence
//! fence    the highest fencing token of a lock that the shard had given by the instant, 2^63 - 1 at most
//! crc32    over the page but these four bytes; the first 16 bytes mean the same in every version
//!
//! block
//! byte 0       4      8        16              24           28     32
//!      ┌───────┬──────┬────────┬───────────────┬────────────┬──────┬────────────────┬─────────────┐
//!      │ crc32 │ kind │ number │ payload_bytes │ item_count │ zero │ payload: items │ zeros to    │
//!      │ u32   │ u32  │ u64    │ u64           │ u32        │ u32  │                │ 4 KiB       │
//!      └───────┴──────┴────────┴───────────────┴────────────┴──────┴────────────────┴─────────────┘
//! crc32    over all bytes of the block behind it, its zeros included, seeded with the head's crc32
//! kind     "BLCK"; of the foot "FOOT"
//! number   0, 1, 2, ...; of the foot, blocks before it
//! foot     a block whose payload is the number of items in all blocks, u64; its item_count is 0
//! ```
//!
//! The seed makes a block of another snapshot, or of another shard's file, no block of this one; the number does so
//! for a block in another place. A block is 256 KiB long at most, unless its first item is longer.

use crate::disk::OUTPUT_BLOCK_BYTES;
use crate::limits::TOKEN_MAX;
use crate::lsn::{Lsn, Origin};
use crate::snapshot::buffer::Buffer;
use crate::snapshot::fault::SnapshotFault;

/// Longest block, in bytes, its head and zeros included, unless its first item is longer.
pub const BLOCK_BYTES_TARGET: usize = 256 * 1024;
/// Bytes of a block's head.
pub(crate) const BLOCK_HEAD_BYTES: usize = 32;
/// Bytes of a file's head and of its foot.
pub(crate) const PAGE_BYTES: usize = OUTPUT_BLOCK_BYTES;

/// The format version that this program writes; it reads this one and all before.
pub const FILE_VERSION: u32 = 3;
/// The first format version whose head has a fence.
const FENCE_VERSION: u32 = 3;

const MAGIC: [u8; 8] = *b"LKSYSNP\n";
const KIND_BLOCK: u32 = u32::from_le_bytes(*b"BLCK");
const KIND_FOOT: u32 = u32::from_le_bytes(*b"FOOT");
/// Bytes of the foot's payload.
const FOOT_PAYLOAD_BYTES: usize = 8;

const _: () = assert!(BLOCK_BYTES_TARGET.is_multiple_of(OUTPUT_BLOCK_BYTES));

/// What the head of a snapshot file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHeader {
    /// Its format version: [`FILE_VERSION`] in what is written now.
    pub version: u32,
    /// Whose entries: the generation in which it was taken, and the shard.
    pub origin: Origin,
    /// The snapshot's number, the same in all shards' files.
    pub id: u64,
    /// The instant: changes up to and including this one are in it.
    pub lsn: Lsn,
    /// The highest fencing token that the shard had given by then; 0 in versions before 3.
    pub fence: u64,
}

/// What the foot says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footer {
    /// Blocks before it.
    pub block_count: u64,
    /// Items in them.
    pub item_count: u64,
}

/// A part of a snapshot file on its way to the disk; [`seal`] completes it, on the thread that writes it.
#[derive(Debug)]
pub struct Block {
    /// Room for the head, the items so far.
    pub(crate) buffer: Buffer,
    /// Which block of the file.
    pub(crate) number: u64,
    /// Items in it.
    pub(crate) item_count: u32,
}

/// An intact part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// Items.
    Block {
        /// Which block of the file.
        number: u64,
        /// Items in it.
        item_count: u32,
        /// The items.
        payload: &'a [u8],
    },
    /// The foot.
    Foot(Footer),
}

impl FileHeader {
    /// The head as it is written, 4 KiB.
    ///
    /// # Panics
    /// When there is no such version, or it has no such fence.
    pub fn to_bytes(&self) -> Buffer {
        assert!((1..=FILE_VERSION).contains(&self.version), "a format has a version");
        assert!(self.fence <= TOKEN_MAX && (self.version >= FENCE_VERSION || self.fence == 0), "a fence has its place");
        let mut buffer = Buffer::new(PAGE_BYTES);
        buffer.push(&MAGIC);
        buffer.push(&self.version.to_le_bytes());
        buffer.push(&[0; 4]);
        buffer.push(&self.origin.generation.to_le_bytes());
        buffer.push(&self.id.to_le_bytes());
        buffer.push(&self.lsn.0.to_le_bytes());
        buffer.push(&self.origin.shard.to_le_bytes());
        buffer.push(&self.origin.shard_count.to_le_bytes());
        buffer.push(&[0; 4]);
        buffer.push(&self.fence.to_le_bytes());
        buffer.pad(PAGE_BYTES);
        let crc32 = head_checksum(buffer.as_slice());
        buffer.as_mut_slice()[12..16].copy_from_slice(&crc32.to_le_bytes());
        buffer
    }

    /// What the head of `file`, a snapshot file or its first 4 KiB, says.
    ///
    /// # Errors
    /// When there is no head, or one of another format.
    pub fn read(file: &[u8]) -> Result<FileHeader, SnapshotFault> {
        let page = file.get(..PAGE_BYTES).ok_or(SnapshotFault::Head)?;
        if page[..8] != MAGIC || u32_at(page, 12) != head_checksum(page) {
            return Err(SnapshotFault::Head);
        }
        let version = u32_at(page, 8);
        if !(1..=FILE_VERSION).contains(&version) {
            return Err(SnapshotFault::Version { found: version });
        }
        let [shard, shard_count] = [u16_at(page, 40), u16_at(page, 42)];
        let fence = if version >= FENCE_VERSION { u64_at(page, 48) } else { 0 };
        if shard >= shard_count || fence > TOKEN_MAX {
            return Err(SnapshotFault::Head);
        }
        let origin = Origin { generation: u64_at(page, 16), shard, shard_count };
        Ok(FileHeader { version, origin, id: u64_at(page, 24), lsn: Lsn(u64_at(page, 32)), fence })
    }

    /// What the checksums of the blocks begin with.
    pub(crate) fn seed(&self) -> u32 {
        u32_at(self.to_bytes().as_slice(), 12)
    }
}

impl Footer {
    /// The foot of the file that begins with `header` as it is written, 4 KiB.
    pub fn to_bytes(&self, header: &FileHeader) -> Buffer {
        let mut buffer = Buffer::new(PAGE_BYTES);
        buffer.push(&[0; BLOCK_HEAD_BYTES]);
        buffer.push(&self.item_count.to_le_bytes());
        complete(&mut buffer, KIND_FOOT, self.block_count, 0, header.seed());
        buffer
    }
}

impl Block {
    /// An empty block with room for `bytes` in all.
    pub(crate) fn new(bytes: usize) -> Block {
        let mut buffer = Buffer::new(bytes.next_multiple_of(OUTPUT_BLOCK_BYTES));
        buffer.push(&[0; BLOCK_HEAD_BYTES]);
        Block { buffer, number: 0, item_count: 0 }
    }

    /// A block of a payload made elsewhere, to try readers with.
    #[cfg(any(test, feature = "model"))]
    pub fn of_payload(number: u64, item_count: u32, payload: &[u8]) -> Block {
        let mut block = Block::new(BLOCK_HEAD_BYTES + payload.len());
        block.buffer.push(payload);
        Block { number, item_count, ..block }
    }

    /// Its bytes, to be written once it is sealed; they begin at a multiple of 4 KiB in memory.
    pub fn as_bytes(&self) -> &[u8] {
        self.buffer.as_slice()
    }

    /// Which block of the file it is.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Items in it.
    pub fn item_count(&self) -> u32 {
        self.item_count
    }

    /// Makes it empty, to be used again.
    pub(crate) fn clear(&mut self) {
        self.buffer.truncate(0);
        self.buffer.push(&[0; BLOCK_HEAD_BYTES]);
        (self.number, self.item_count) = (0, 0);
    }
}

/// Completes a block of the file that begins with `header`: lengths, number, zeros, checksum.
///
/// # Panics
/// When it is sealed already.
pub fn seal(block: &mut Block, header: &FileHeader) {
    assert!(block.buffer.as_slice()[..BLOCK_HEAD_BYTES] == [0; BLOCK_HEAD_BYTES], "a block is sealed once");
    complete(&mut block.buffer, KIND_BLOCK, block.number, block.item_count, header.seed());
}

/// The part at the beginning of `bytes` and its length there, if it is intact and of the file with that `seed`.
pub(crate) fn read_part(bytes: &[u8], seed: u32) -> Option<(Part<'_>, usize)> {
    let head = bytes.get(..BLOCK_HEAD_BYTES)?;
    let kind = u32_at(head, 4);
    if kind != KIND_BLOCK && kind != KIND_FOOT {
        return None;
    }
    let payload_bytes = usize::try_from(u64_at(head, 16)).ok()?;
    let end = BLOCK_HEAD_BYTES.checked_add(payload_bytes)?;
    let length = end.checked_next_multiple_of(OUTPUT_BLOCK_BYTES)?;
    let whole = bytes.get(..length)?;
    if u32_at(head, 0) != checksum(&whole[4..], seed) {
        return None;
    }
    let (number, item_count) = (u64_at(head, 8), u32_at(head, 24));
    let payload = &whole[BLOCK_HEAD_BYTES..end];
    let part = if kind == KIND_BLOCK {
        Part::Block { number, item_count, payload }
    } else {
        let item_count = u64::from_le_bytes(payload.try_into().ok()?);
        Part::Foot(Footer { block_count: number, item_count })
    };
    Some((part, length))
}

/// Writes the head into the room at the beginning of `buffer`, zeros to its end, and the checksum.
fn complete(buffer: &mut Buffer, kind: u32, number: u64, item_count: u32, seed: u32) {
    let payload_bytes = (buffer.len() - BLOCK_HEAD_BYTES) as u64;
    debug_assert!(kind == KIND_BLOCK || payload_bytes == FOOT_PAYLOAD_BYTES as u64, "a foot says one number");
    buffer.pad(OUTPUT_BLOCK_BYTES);
    let bytes = buffer.as_mut_slice();
    bytes[4..8].copy_from_slice(&kind.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    bytes[16..24].copy_from_slice(&payload_bytes.to_le_bytes());
    bytes[24..28].copy_from_slice(&item_count.to_le_bytes());
    let crc32 = checksum(&bytes[4..], seed);
    bytes[..4].copy_from_slice(&crc32.to_le_bytes());
}

fn checksum(bytes: &[u8], seed: u32) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

/// Over the first page of a file but the checksum itself.
fn head_checksum(page: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&page[..12]);
    hasher.update(&page[16..]);
    hasher.finalize()
}

fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes(bytes[offset..][..2].try_into().expect("a slice of two bytes"))
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..][..4].try_into().expect("a slice of four bytes"))
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes[offset..][..8].try_into().expect("a slice of eight bytes"))
}
