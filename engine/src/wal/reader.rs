//! The reading end: the records of one segment, and what its end means.
//!
//! A reader never trusts what it reads: each frame is checked whole (length within the segment, kind and flags
//! known, key and fields within the frame, checksum) before a byte of it is believed, and its number must be the one
//! expected. It stops at the first frame that is not so, and says why and where.

use crate::lsn::Lsn;
use crate::wal::record::Record;
use crate::wal::segment::SegmentHeader;

/// Why a reader stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The frames go up to the end of the segment, or nothing but zeros follows: the log goes on in the next segment
    /// or ends here.
    Clean {
        /// Where the frames end, in bytes from the segment's beginning.
        offset: u64,
    },
    /// What follows is no frame of this log.
    Broken {
        /// Where it begins.
        offset: u64,
    },
}

/// What was found behind the place where a reader stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beyond {
    /// Intact frames of this segment's log with a higher number than expected.
    pub frame_count: u64,
    /// The highest number that a mark among them says is durable.
    pub marked: Lsn,
}

/// Reads the records of one segment after another.
pub struct SegmentReader<'a> {
    _segment: &'a [u8],
}

impl<'a> SegmentReader<'a> {
    /// A reader of `segment`, whose first record must be `expected`; `carried` is what a record that began in the
    /// segment before has of its bytes so far (empty for none), see [`SegmentReader::into_carried`].
    pub fn new(_segment: &'a [u8], _header: &SegmentHeader, _expected: Lsn, _carried: Vec<u8>) -> SegmentReader<'a> {
        todo!()
    }

    /// The next record; `None` when the reader stops.
    #[expect(clippy::should_implement_trait, reason = "a record may borrow the reader")]
    pub fn next(&mut self) -> Option<Record<'_>> {
        todo!()
    }

    /// Where the next record begins: everything before it was read whole.
    pub fn offset(&self) -> u64 {
        todo!()
    }

    /// The number of the next record.
    pub fn expected(&self) -> Lsn {
        todo!()
    }

    /// Why the reader stopped.
    ///
    /// # Panics
    /// When it has not.
    pub fn stop(&self) -> Stop {
        todo!()
    }

    /// Looks behind the place where the reader stopped, at every multiple of 8 bytes, for frames of this segment.
    pub fn beyond(&self) -> Beyond {
        todo!()
    }

    /// What a record that goes on in the next segment has of its bytes so far; empty if none does.
    pub fn into_carried(self) -> Vec<u8> {
        todo!()
    }
}
