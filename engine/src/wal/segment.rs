//! The head of a log segment: one page, of which the first 64 bytes are used.
//!
//! ```text
//! byte 0         8         12      16           24      26            28      32         40          48              56      64
//!      ┌─────────┬─────────┬───────┬────────────┬───────┬─────────────┬───────┬──────────┬───────────┬───────────────┬───────┐
//!      │ LKSYWAL\n version │ crc32 │ generation │ shard │ shard_count │ flags │ sequence │ first_lsn │ segment_bytes │ zeros │
//!      │ 8 bytes │ u32     │ u32   │ u64        │ u16   │ u16         │ u32   │ u64      │ u64       │ u64           │       │
//!      └─────────┴─────────┴───────┴────────────┴───────┴─────────────┴───────┴──────────┴───────────┴───────────────┴───────┘
//! crc32     over bytes 0 to 12 and 16 to 64
//! flags     bit 0 NEEDS_SNAPSHOT: this generation began in a running server; it can be replayed only onto a snapshot
//!           that was taken in this generation
//! ```
//!
//! The log writes the head when it begins to use the segment. A segment whose head is all zeros, or is of another
//! generation, shard or sequence than its name says, was prepared and never used: at most its zeros, which replace
//! an earlier use of the file, did not reach the disk before a power cut.
//!
//! Magic, version and checksum keep their places in every version of the format. Versions 2 and 3 have records of more
//! kinds than those before, and are the same in all else.

use crate::entry::VERSION_MAX;
use crate::lsn::{Lsn, Origin};

/// Bytes in front of the first frame.
pub const SEGMENT_HEADER_BYTES: usize = 4096;
/// Shortest segment there can be, in bytes.
pub const SEGMENT_BYTES_MIN: u64 = 16 * 1024;
/// Longest segment there can be, in bytes.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 32;

/// The format version that this program writes; it reads this one and all before.
pub const SEGMENT_VERSION: u32 = 3;

/// What segments begin with.
const MAGIC: [u8; 8] = *b"LKSYWAL\n";
/// Bytes of the head that are used.
const USED_BYTES: usize = 64;
/// Bytes behind the head that must be zeros too, if a head of zeros is to mean that the segment was never used.
const UNUSED_BYTES: usize = 64 * 1024;
/// The generation began in a running server.
const NEEDS_SNAPSHOT: u32 = 1;

const CHECKSUM_OFFSET: usize = 12;
const ORIGIN_OFFSET: usize = 16;

const _: () = assert!(MAGIC.len() + 4 == CHECKSUM_OFFSET && CHECKSUM_OFFSET + 4 == ORIGIN_OFFSET);
const _: () = assert!(SEGMENT_BYTES_MIN.is_multiple_of(SEGMENT_HEADER_BYTES as u64));

/// What the head of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Its format version: [`SEGMENT_VERSION`] in what is written now.
    pub version: u32,
    /// Whose log it is.
    pub origin: Origin,
    /// Whether the generation is of use only with a snapshot of its own.
    pub needs_snapshot: bool,
    /// Its number within the shard's log of this generation: 0, 1, 2, ...
    pub sequence: u64,
    /// The number of the first record that begins (or goes on) in it.
    pub first_lsn: Lsn,
    /// Bytes of the segment when it was made.
    pub segment_bytes: u64,
}

/// Why a segment's head is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// The file is shorter than a head.
    Short {
        /// Its length.
        bytes: u64,
    },
    /// All zeros, and zeros behind it: prepared, never used.
    Unused,
    /// Not a log segment, or one whose head is damaged. In the last segments of the newest generation a power cut leaves
    /// this too, where the head's page never reached the disk; whether frames that were durable follow, a
    /// [`SegmentReader`](super::SegmentReader) of the header that the file's name implies can tell.
    Damaged,
    /// A format that this program does not know.
    Version {
        /// Which.
        found: u32,
    },
}

impl SegmentHeader {
    /// What checksums of this segment's frames begin with: made of generation, shard and sequence alone.
    pub fn seed(&self) -> u32 {
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&self.origin.generation.to_le_bytes());
        checksum.update(&self.origin.shard.to_le_bytes());
        checksum.update(&self.sequence.to_le_bytes());
        checksum.finalize()
    }

    /// Writes the head to the beginning of `segment`.
    ///
    /// # Panics
    /// When the segment is shorter than a head, or of a version that there is not.
    pub fn write(&self, segment: &mut [u8]) {
        assert!((1..=SEGMENT_VERSION).contains(&self.version), "a format has a version");
        assert!(self.origin.shard < self.origin.shard_count, "a shard is one of its server's");
        let mut head = [0; USED_BYTES];
        head[..8].copy_from_slice(&MAGIC);
        head[8..12].copy_from_slice(&self.version.to_le_bytes());
        head[16..24].copy_from_slice(&self.origin.generation.to_le_bytes());
        head[24..26].copy_from_slice(&self.origin.shard.to_le_bytes());
        head[26..28].copy_from_slice(&self.origin.shard_count.to_le_bytes());
        head[28..32].copy_from_slice(&(u32::from(self.needs_snapshot) * NEEDS_SNAPSHOT).to_le_bytes());
        head[32..40].copy_from_slice(&self.sequence.to_le_bytes());
        head[40..48].copy_from_slice(&self.first_lsn.0.to_le_bytes());
        head[48..56].copy_from_slice(&self.segment_bytes.to_le_bytes());
        let checksum = checksum(&head);
        head[CHECKSUM_OFFSET..ORIGIN_OFFSET].copy_from_slice(&checksum.to_le_bytes());
        let page = &mut segment[..SEGMENT_HEADER_BYTES];
        page[USED_BYTES..].fill(0);
        page[..USED_BYTES].copy_from_slice(&head);
    }

    /// Reads the head of `segment`.
    ///
    /// # Errors
    /// Why there is none.
    pub fn read(segment: &[u8]) -> Result<SegmentHeader, HeaderFault> {
        let short = HeaderFault::Short { bytes: segment.len() as u64 };
        let page = segment.get(..SEGMENT_HEADER_BYTES).ok_or(short)?;
        let head = page.first_chunk::<USED_BYTES>().ok_or(short)?;
        if head.iter().all(|byte| *byte == 0) {
            let is_unused = is_zero(&segment[..segment.len().min(SEGMENT_HEADER_BYTES + UNUSED_BYTES)]);
            return Err(if is_unused { HeaderFault::Unused } else { HeaderFault::Damaged });
        }
        if head[..8] != MAGIC || u32_at(head, CHECKSUM_OFFSET) != checksum(head) {
            return Err(HeaderFault::Damaged);
        }
        let version = u32_at(head, 8);
        if !(1..=SEGMENT_VERSION).contains(&version) {
            return Err(HeaderFault::Version { found: version });
        }
        let flags = u32_at(head, 28);
        let header = SegmentHeader {
            version,
            origin: Origin {
                generation: u64_at(head, ORIGIN_OFFSET),
                shard: u16::from_le_bytes([head[24], head[25]]),
                shard_count: u16::from_le_bytes([head[26], head[27]]),
            },
            needs_snapshot: flags & NEEDS_SNAPSHOT != 0,
            sequence: u64_at(head, 32),
            first_lsn: Lsn(u64_at(head, 40)),
            segment_bytes: u64_at(head, 48),
        };
        let is_sound = flags & !NEEDS_SNAPSHOT == 0
            && header.origin.shard < header.origin.shard_count
            && (1..=VERSION_MAX).contains(&header.first_lsn.0)
            && (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&header.segment_bytes)
            && header.segment_bytes.is_multiple_of(SEGMENT_HEADER_BYTES as u64)
            && is_zero(&head[56..]);
        if is_sound { Ok(header) } else { Err(HeaderFault::Damaged) }
    }
}

/// Whether `bytes` are all zeros.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<64>();
    words.iter().all(|word| word.iter().fold(0, |any, byte| any | byte) == 0) && rest.iter().all(|byte| *byte == 0)
}

fn checksum(head: &[u8; USED_BYTES]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&head[..CHECKSUM_OFFSET]);
    checksum.update(&head[ORIGIN_OFFSET..]);
    checksum.finalize()
}

fn u32_at(head: &[u8; USED_BYTES], offset: usize) -> u32 {
    u32::from_le_bytes(*head[offset..].first_chunk().expect("fields lie within the head"))
}

fn u64_at(head: &[u8; USED_BYTES], offset: usize) -> u64 {
    u64::from_le_bytes(*head[offset..].first_chunk().expect("fields lie within the head"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            version: SEGMENT_VERSION,
            origin: Origin { generation: 7, shard: 2, shard_count: 3 },
            needs_snapshot: true,
            sequence: 41,
            first_lsn: Lsn(1234),
            segment_bytes: SEGMENT_BYTES_MIN,
        }
    }

    fn written() -> Vec<u8> {
        let mut segment = vec![0; SEGMENT_BYTES_MIN as usize];
        header().write(&mut segment);
        segment
    }

    /// Replaces bytes and makes the checksum right again.
    fn forged(offset: usize, bytes: &[u8]) -> Vec<u8> {
        let mut segment = written();
        segment[offset..offset + bytes.len()].copy_from_slice(bytes);
        let checksum = checksum(segment.first_chunk().unwrap());
        segment[CHECKSUM_OFFSET..ORIGIN_OFFSET].copy_from_slice(&checksum.to_le_bytes());
        segment
    }

    #[test]
    fn a_head_reads_back() {
        assert_eq!(SegmentHeader::read(&written()), Ok(header()));
        let plain = SegmentHeader { needs_snapshot: false, ..header() };
        let mut segment = vec![0xaa; SEGMENT_HEADER_BYTES];
        plain.write(&mut segment);
        assert_eq!(SegmentHeader::read(&segment), Ok(plain));
        let older = SegmentHeader { version: 1, ..header() };
        older.write(&mut segment);
        assert_eq!(SegmentHeader::read(&segment), Ok(older));
    }

    #[test]
    fn a_wrong_head_is_a_fault() {
        let check = |segment: &[u8], expected: HeaderFault| assert_eq!(SegmentHeader::read(segment), Err(expected));
        let mut trace = vec![0; SEGMENT_BYTES_MIN as usize];
        trace[SEGMENT_HEADER_BYTES] = 1;
        check(&[], HeaderFault::Short { bytes: 0 });
        check(&written()[..SEGMENT_HEADER_BYTES - 1], HeaderFault::Short { bytes: 4095 });
        check(&vec![0; SEGMENT_BYTES_MIN as usize], HeaderFault::Unused);
        check(&trace, HeaderFault::Damaged);
        check(&vec![0xff; SEGMENT_BYTES_MIN as usize], HeaderFault::Damaged);
        let found = SEGMENT_VERSION + 1;
        check(&forged(8, &found.to_le_bytes()), HeaderFault::Version { found });
        check(&forged(8, &[0, 0, 0, 0]), HeaderFault::Version { found: 0 });
        check(&forged(0, b"NOTMINE\n"), HeaderFault::Damaged);
        check(&forged(24, &[3, 0]), HeaderFault::Damaged);
        check(&forged(28, &[2, 0, 0, 0]), HeaderFault::Damaged);
        check(&forged(40, &[0; 8]), HeaderFault::Damaged);
        check(&forged(40, &[0xff; 8]), HeaderFault::Damaged);
        check(&forged(48, &[1]), HeaderFault::Damaged);
        check(&forged(56, &[1]), HeaderFault::Damaged);
    }

    #[test]
    fn every_flipped_bit_of_a_head_is_noticed() {
        for bit in 0..8 * USED_BYTES {
            let mut segment = written();
            segment[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::read(&segment), Err(HeaderFault::Damaged), "bit {bit}");
        }
    }

    #[test]
    fn another_use_of_a_file_has_another_seed() {
        let origin = header().origin;
        let others = [
            SegmentHeader { sequence: 42, ..header() },
            SegmentHeader { sequence: 40, ..header() },
            SegmentHeader { origin: Origin { generation: 8, ..origin }, ..header() },
            SegmentHeader { origin: Origin { shard: 1, ..origin }, ..header() },
        ];
        for other in others {
            assert_ne!(other.seed(), header().seed(), "{other:?}");
        }
    }
}
