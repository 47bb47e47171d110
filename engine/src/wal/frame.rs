//! The frames that records are written in, as bytes: sealed by a checksum that comes last, checked before anything
//! is believed.
//!
//! ```text
//! byte 0        4          8          16     17      18    19      20            24
//!      ┌────────┬──────────┬──────────┬──────┬───────┬─────┬───────┬─────────────┬──────────┬─────────┐
//!      │ crc32  │ length   │ lsn      │ kind │ flags │ db  │ other │ number      │ contents │ zeros   │
//!      │ u32    │ u32      │ u64      │ u8   │ u8    │ u8  │ u8    │ u32         │          │ to 8    │
//!      └────────┴──────────┴──────────┴──────┴───────┴─────┴───────┴─────────────┴──────────┴─────────┘
//! crc32     over everything from `length` on, the zeros included, seeded with the segment's seed
//! length    bytes of the frame without the zeros, the 24 of its head included
//! number    bytes of the key; in a Continuation: bytes of the record (head included) in the frames before
//! ```
//!
//! Frames begin at multiples of 8. The checksum is stored when all else is: the memory outlives the process, and one
//! killed between two stores leaves a frame with a checksum of 0, which is the right one once in 2^32 times.

use std::sync::atomic::{Ordering, compiler_fence};

use crate::entry::VERSION_MAX;
use crate::limits::{DATABASE_COUNT_MAX, KEY_BYTES_MAX, PREFIX_BYTES_MAX};
use crate::lsn::Lsn;

/// Bytes of a frame's head.
pub(super) const FRAME_HEAD_BYTES: usize = 24;
/// Longest frame, in bytes.
pub(super) const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// What frames begin at a multiple of.
pub(super) const FRAME_ALIGN: usize = 8;

const LENGTH_OFFSET: usize = 4;

const _: () = assert!(FRAME_HEAD_BYTES.is_multiple_of(FRAME_ALIGN));
const _: () = assert!(FRAME_BYTES_MAX.is_multiple_of(FRAME_ALIGN) && FRAME_BYTES_MAX <= u32::MAX as usize);

/// Kinds of frames.
pub(super) mod kind {
    pub(in crate::wal) const PUT: u8 = 1;
    pub(in crate::wal) const SPLICE: u8 = 2;
    pub(in crate::wal) const DELETE: u8 = 3;
    pub(in crate::wal) const SET_EXPIRY: u8 = 4;
    pub(in crate::wal) const FLUSH: u8 = 5;
    pub(in crate::wal) const SWAP: u8 = 6;
    pub(in crate::wal) const COMMIT: u8 = 7;
    pub(in crate::wal) const MARK: u8 = 8;
    pub(in crate::wal) const END: u8 = 9;
    pub(in crate::wal) const CONTINUATION: u8 = 10;
    pub(in crate::wal) const INVALIDATE: u8 = 11;
    pub(in crate::wal) const DELETE_PREFIX: u8 = 12;
    pub(in crate::wal) const PUT_ABSENT: u8 = 13;
    pub(in crate::wal) const LOCK: u8 = 14;
}

/// Whether segments of a format version have frames with such a head.
pub(super) fn is_known(version: u32, head: Head) -> bool {
    match version {
        1 => head.kind <= kind::CONTINUATION && head.flags & flag::GRACE == 0,
        2 => head.kind <= kind::INVALIDATE && head.flags & flag::GRACE == 0,
        _ => true,
    }
}

/// Flags of frames.
pub(super) mod flag {
    pub(in crate::wal) const GROUPED: u8 = 1;
    pub(in crate::wal) const MORE: u8 = 1 << 1;
    pub(in crate::wal) const EXPIRY: u8 = 1 << 2;
    pub(in crate::wal) const CLIENT_FLAGS: u8 = 1 << 3;
    pub(in crate::wal) const INTEGER: u8 = 1 << 4;
    pub(in crate::wal) const GRACE: u8 = 1 << 5;
}

/// The database of a Flush that concerns all of them.
pub(super) const DB_ALL: u8 = 255;
/// Highest `other` of a Delete.
pub(super) const REMOVAL_MAX: u8 = 2;

/// What the head of a frame says besides its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) lsn: Lsn,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) db: u8,
    pub(super) other: u8,
    pub(super) number: u32,
}

/// An intact frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) head: Head,
    /// Head and contents, without the zeros.
    pub(super) bytes: &'a [u8],
    /// Bytes up to the next frame.
    pub(super) padded_bytes: usize,
}

/// Rounds up to where the next frame may begin.
#[inline]
pub(super) const fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(FRAME_ALIGN)
}

impl Head {
    /// Writes the head of a frame of `length` bytes, but for the checksum, and the zeros at its end.
    ///
    /// `target` is all of the frame.
    #[inline]
    pub(super) fn write(&self, target: &mut [u8], length: usize) {
        debug_assert!(self.is_plausible() && target.len() == padded(length), "what is written can be read");
        let (_, zeros) = target.split_last_chunk_mut::<FRAME_ALIGN>().expect("a frame is longer than its head");
        *zeros = [0; FRAME_ALIGN];
        let head = target.first_chunk_mut::<FRAME_HEAD_BYTES>().expect("a frame has a head");
        head[4..8].copy_from_slice(&(length as u32).to_le_bytes());
        head[8..16].copy_from_slice(&self.lsn.0.to_le_bytes());
        head[16..20].copy_from_slice(&[self.kind, self.flags, self.db, self.other]);
        head[20..24].copy_from_slice(&self.number.to_le_bytes());
    }

    /// Reads a head; checksum and length are not looked at.
    #[inline]
    pub(super) fn read(head: &[u8; FRAME_HEAD_BYTES]) -> Head {
        let (lsn, _) = head[8..].split_first_chunk::<8>().expect("it lies within the head");
        Head {
            lsn: Lsn(u64::from_le_bytes(*lsn)),
            kind: head[16],
            flags: head[17],
            db: head[18],
            other: head[19],
            number: u32::from_le_bytes([head[20], head[21], head[22], head[23]]),
        }
    }

    /// Whether a frame may have such a head.
    pub(super) fn is_plausible(&self) -> bool {
        let Head { lsn, kind, flags, db, other, number } = *self;
        let known_flags = match kind {
            kind::PUT => flag::GROUPED | flag::MORE | flag::EXPIRY | flag::CLIENT_FLAGS | flag::INTEGER | flag::GRACE,
            kind::INVALIDATE => flag::GROUPED | flag::MORE | flag::EXPIRY | flag::GRACE,
            kind::SET_EXPIRY | kind::PUT_ABSENT | kind::LOCK => flag::GROUPED | flag::MORE | flag::EXPIRY,
            kind::SPLICE | kind::DELETE => flag::GROUPED | flag::MORE,
            kind::CONTINUATION => flag::MORE,
            _ => flag::GROUPED,
        };
        let is_database = usize::from(db) < DATABASE_COUNT_MAX;
        let is_whole_kind = match kind {
            kind::PUT | kind::SPLICE | kind::SET_EXPIRY | kind::INVALIDATE | kind::PUT_ABSENT | kind::LOCK => {
                is_database && other == 0 && number as usize <= KEY_BYTES_MAX
            }
            kind::DELETE => is_database && other <= REMOVAL_MAX && number as usize <= KEY_BYTES_MAX,
            kind::DELETE_PREFIX => {
                is_database && other == 0 && (1..=PREFIX_BYTES_MAX as u32).contains(&number) && flags & flag::MORE == 0
            }
            kind::FLUSH => (is_database || db == DB_ALL) && other == 0 && number == 0,
            kind::SWAP => is_database && usize::from(other) < DATABASE_COUNT_MAX && number == 0,
            kind::COMMIT | kind::MARK | kind::END => db == 0 && other == 0 && number == 0,
            kind::CONTINUATION => db == 0 && other == 0 && number as usize >= FRAME_HEAD_BYTES,
            _ => false,
        };
        is_whole_kind && flags & !known_flags == 0 && (1..=VERSION_MAX).contains(&lsn.0)
    }
}

/// Makes a frame valid: everything else of it is written.
#[inline]
pub(super) fn seal(frame: &mut [u8], seed: u32) {
    let (stored, summed) = frame.split_first_chunk_mut().expect("a frame has a head");
    let checksum = checksum(summed, seed);
    // The compiler must not store the checksum earlier; the processor's order is seen by nobody else, since the
    // kernel keeps what was stored before the process was killed.
    compiler_fence(Ordering::Release);
    *stored = checksum.to_le_bytes();
}

/// The frame at `offset` of a segment, if there is an intact one.
#[inline]
pub(super) fn read(segment: &[u8], offset: usize, seed: u32) -> Option<Frame<'_>> {
    let (frame, head) = candidate(segment, offset)?;
    is_intact(frame, seed).then(|| Frame { head, bytes: &frame[..length(frame)], padded_bytes: frame.len() })
}

/// Whether a frame has the checksum that it states.
#[inline]
pub(super) fn is_intact(frame: &[u8], seed: u32) -> bool {
    let (stored, summed) = split_checksum(frame);
    checksum(summed, seed) == stored
}

/// The checksum that a frame states, and what it is over.
#[inline]
pub(super) fn split_checksum(frame: &[u8]) -> (u32, &[u8]) {
    let (stored, summed) = frame.split_first_chunk().expect("a frame has a head");
    (u32::from_le_bytes(*stored), summed)
}

/// The bytes at `offset` of a segment, zeros included, and the head, if these may be a frame as far as can be told
/// without its checksum.
#[inline]
pub(super) fn candidate(segment: &[u8], offset: usize) -> Option<(&[u8], Head)> {
    let rest = segment.get(offset..)?;
    let head = rest.first_chunk::<FRAME_HEAD_BYTES>()?;
    let length = length(rest);
    if !(FRAME_HEAD_BYTES..=FRAME_BYTES_MAX).contains(&length) {
        return None;
    }
    let frame = rest.get(..padded(length))?;
    let head = Head::read(head);
    head.is_plausible().then_some((frame, head))
}

/// The length that a frame's head states. `frame` begins with a head.
#[inline]
pub(super) fn length(frame: &[u8]) -> usize {
    u32::from_le_bytes(*frame[LENGTH_OFFSET..].first_chunk().expect("a frame has a head")) as usize
}

#[inline]
fn checksum(summed: &[u8], seed: u32) -> u32 {
    let mut checksum = crc32fast::Hasher::new_with_initial(seed);
    checksum.update(summed);
    checksum.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: u32 = 0x1234_5678;

    fn head(kind: u8) -> Head {
        let number = match kind {
            kind::CONTINUATION => 24,
            kind::DELETE_PREFIX => 1,
            _ => 0,
        };
        Head { lsn: Lsn(1), kind, flags: 0, db: 0, other: 0, number }
    }

    fn sealed(head: Head, contents: &[u8]) -> Vec<u8> {
        let length = FRAME_HEAD_BYTES + contents.len();
        let mut frame = vec![0xaa; padded(length)];
        head.write(&mut frame, length);
        frame[FRAME_HEAD_BYTES..length].copy_from_slice(contents);
        seal(&mut frame, SEED);
        frame
    }

    #[test]
    fn a_frame_reads_back_where_it_was_written() {
        for contents in [&b""[..], b"1", b"1234567", b"12345678", &[7; 1000]] {
            let mut segment = vec![0; 16];
            segment.extend(sealed(head(kind::PUT), contents));
            segment.extend([0; 8]);
            let frame = read(&segment, 16, SEED).expect("it is intact");
            assert_eq!((frame.head, &frame.bytes[FRAME_HEAD_BYTES..]), (head(kind::PUT), contents));
            assert_eq!(16 + frame.padded_bytes + 8, segment.len());
            assert!(read(&segment, 8, SEED).is_none() && read(&segment, segment.len(), SEED).is_none());
            assert!(read(&segment, usize::MAX, SEED).is_none());
            assert!(read(&segment[..16 + frame.padded_bytes - 1], 16, SEED).is_none(), "cut short");
            assert!(read(&segment, 16, SEED + 1).is_none(), "another segment's seed");
        }
    }

    #[test]
    fn every_flipped_bit_of_a_frame_is_noticed() {
        let frame = sealed(head(kind::PUT), b"contents and zeros");
        for bit in 0..8 * frame.len() {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&flipped, 0, SEED).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn a_head_that_makes_no_sense_is_no_frame() {
        let check = |head: Head, is_plausible: bool| assert_eq!(head.is_plausible(), is_plausible, "{head:?}");
        for kind in 0..=u8::MAX {
            check(head(kind), (kind::PUT..=kind::LOCK).contains(&kind));
        }
        let all = flag::GROUPED | flag::MORE | flag::EXPIRY | flag::CLIENT_FLAGS | flag::INTEGER | flag::GRACE;
        check(Head { flags: all, ..head(kind::PUT) }, true);
        check(Head { flags: all + 64, ..head(kind::PUT) }, false);
        check(Head { flags: flag::GRACE, ..head(kind::SET_EXPIRY) }, false);
        check(Head { flags: flag::EXPIRY, ..head(kind::LOCK) }, true);
        check(Head { flags: flag::INTEGER, ..head(kind::LOCK) }, false);
        check(Head { flags: flag::EXPIRY, ..head(kind::SPLICE) }, false);
        check(Head { flags: flag::GROUPED | flag::MORE | flag::EXPIRY, ..head(kind::INVALIDATE) }, true);
        check(Head { flags: flag::CLIENT_FLAGS, ..head(kind::INVALIDATE) }, false);
        check(Head { flags: flag::GROUPED, ..head(kind::CONTINUATION) }, false);
        check(Head { flags: flag::MORE, ..head(kind::MARK) }, false);
        check(Head { number: 1024, ..head(kind::DELETE_PREFIX) }, true);
        check(Head { number: 1025, ..head(kind::DELETE_PREFIX) }, false);
        check(Head { number: 0, ..head(kind::DELETE_PREFIX) }, false);
        check(Head { flags: flag::MORE, ..head(kind::DELETE_PREFIX) }, false);
        check(Head { db: 15, ..head(kind::PUT) }, true);
        check(Head { db: 16, ..head(kind::PUT) }, false);
        check(Head { db: DB_ALL, ..head(kind::FLUSH) }, true);
        check(Head { db: 16, ..head(kind::FLUSH) }, false);
        check(Head { db: 1, ..head(kind::COMMIT) }, false);
        check(Head { other: REMOVAL_MAX, ..head(kind::DELETE) }, true);
        check(Head { other: REMOVAL_MAX + 1, ..head(kind::DELETE) }, false);
        check(Head { other: 1, ..head(kind::PUT) }, false);
        check(Head { other: 15, ..head(kind::SWAP) }, true);
        check(Head { other: 16, ..head(kind::SWAP) }, false);
        check(Head { number: KEY_BYTES_MAX as u32, ..head(kind::PUT) }, true);
        check(Head { number: KEY_BYTES_MAX as u32 + 1, ..head(kind::PUT) }, false);
        check(Head { number: 1, ..head(kind::END) }, false);
        check(Head { number: 23, ..head(kind::CONTINUATION) }, false);
        check(Head { lsn: Lsn(0), ..head(kind::PUT) }, false);
        check(Head { lsn: Lsn(VERSION_MAX), ..head(kind::PUT) }, true);
        check(Head { lsn: Lsn(VERSION_MAX + 1), ..head(kind::PUT) }, false);
    }
}
