//! The head of a log segment: one page, of which the first 72 bytes are used.
//!
//! ```text
//! byte 0         8          12       16          24      26           28     32        40         48          56       64
//!      ┌─────────┬──────────┬────────┬───────────┬───────┬────────────┬──────┬─────────┬──────────┬───────────┬────────┐
//!      │ LKSYWAL\n│ version │ crc32  │generation │ shard │shard_count │ flags│sequence │first_lsn │ seg. bytes│ zeros  │
//!      └─────────┴──────────┴────────┴───────────┴───────┴────────────┴──────┴─────────┴──────────┴───────────┴────────┘
//! crc32     over bytes 16 to 64
//! flags     bit 0 NEEDS_SNAPSHOT: this generation began in a running server; it can be replayed only onto a snapshot
//!           that was taken in this generation
//! ```
//!
//! The log writes the head when it begins to use the segment. A segment whose head is all zeros, or is of another
//! generation, shard or sequence than its name says, was prepared and never used.

use crate::lsn::{Lsn, Origin};

/// Bytes in front of the first frame.
pub const SEGMENT_HEADER_BYTES: usize = 4096;

/// What the head of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
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
    /// All zeros: prepared, never used.
    Unused,
    /// Not a log segment, or a damaged one.
    Damaged,
    /// A format that this program does not know.
    Version {
        /// Which.
        found: u32,
    },
}

impl SegmentHeader {
    /// What checksums of this segment's frames begin with.
    pub fn seed(&self) -> u32 {
        todo!()
    }

    /// Writes the head to the beginning of `segment`.
    pub fn write(&self, _segment: &mut [u8]) {
        todo!()
    }

    /// Reads the head of `segment`.
    ///
    /// # Errors
    /// Why there is none.
    pub fn read(_segment: &[u8]) -> Result<SegmentHeader, HeaderFault> {
        todo!()
    }
}
