//! The reading end: the records of one segment, and what its end means.
//!
//! A reader never trusts what it reads: each frame is checked whole (length within the segment, kind and flags
//! known, checksum) before a byte of it is believed, its number must be the one expected, and what its frames hold
//! must make a record (key and fields within the frame, lengths within the engine's limits). It stops at the first
//! frame that is not so, and says why and where.
//!
//! A log is read segment after segment:
//!
//! ```text
//!   oldest segment kept ──▶ SegmentReader::oldest ─┐ next() ... None
//!                                                  │ stop() is Clean, the next segment exists
//!   each later segment  ──▶ SegmentReader::new ◀───┘ expected(), into_carried()
//! ```
//!
//! # Invariants
//! - Records come in the order of their numbers, without a gap, each whole; what is not whole is never returned.
//! - A record's bytes are gathered only from frames that fit each other, so they are as many as a record may have.

use crate::lsn::Lsn;
use crate::wal::frame::{self, FRAME_HEAD_BYTES, Frame, Head, flag, kind};
use crate::wal::record::{self, RECORD_BYTES_MAX, Record};
use crate::wal::search::{Beyond, search};
use crate::wal::segment::{SEGMENT_HEADER_BYTES, SegmentHeader, is_zero};

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

/// Reads the records of one segment after another.
pub struct SegmentReader<'a> {
    segment: &'a [u8],
    seed: u32,
    /// The format version of the segment.
    version: u32,
    /// Where the next frame is.
    position: usize,
    /// Where the next record begins; it is `position` but within a record of several frames.
    record_start: usize,
    expected: Lsn,
    /// The head and contents of a record of several frames, as far as they were read.
    carried: Vec<u8>,
    /// What is in `carried` was returned.
    is_returned: bool,
    /// A record may begin in a segment that is kept no more: its continuations are passed over.
    is_oldest: bool,
    stop: Option<Stop>,
}

/// What a frame does to the record being read.
enum Taken<'a> {
    /// It is a whole record.
    Record(Record<'a>),
    /// It is the last frame of the record that is carried.
    Carried,
    /// More frames follow, or the frame belongs to a record that is passed over.
    Part,
}

impl<'a> SegmentReader<'a> {
    /// A reader of `segment`, whose first record must be `expected`; `carried` is what a record that began in the
    /// segment before has of its bytes so far (empty for none), see [`SegmentReader::into_carried`].
    ///
    /// # Panics
    /// When `carried` is not what another reader gave.
    pub fn new(segment: &'a [u8], header: &SegmentHeader, expected: Lsn, carried: Vec<u8>) -> SegmentReader<'a> {
        assert!(carried.is_empty() || carried.len() >= FRAME_HEAD_BYTES, "a record begins with its head");
        SegmentReader {
            segment,
            seed: header.seed(),
            version: header.version,
            position: SEGMENT_HEADER_BYTES,
            record_start: SEGMENT_HEADER_BYTES,
            expected,
            carried,
            is_returned: false,
            is_oldest: false,
            stop: None,
        }
    }

    /// A reader of the first segment of a log that is looked at, because those before are kept no more or of no
    /// use: its records begin with the header's `first_lsn`, and if this one began in a segment before, with the one
    /// after it. As long as no record was read, the segments after it are to be read with this too.
    pub fn oldest(segment: &'a [u8], header: &SegmentHeader) -> SegmentReader<'a> {
        SegmentReader { is_oldest: true, ..SegmentReader::new(segment, header, header.first_lsn, Vec::new()) }
    }

    /// A reader that goes on at `offset`, which [`SegmentReader::offset`] said, where the record `expected` begins.
    pub fn resume(segment: &'a [u8], header: &SegmentHeader, offset: u64, expected: Lsn) -> SegmentReader<'a> {
        let start = offset as usize;
        let reader = SegmentReader::new(segment, header, expected, Vec::new());
        SegmentReader { position: start, record_start: start, ..reader }
    }

    /// The next record; `None` when the reader stops.
    #[expect(clippy::should_implement_trait, reason = "a record may borrow the reader")]
    pub fn next(&mut self) -> Option<Record<'_>> {
        if self.is_returned {
            self.carried = Vec::new();
            self.is_returned = false;
        }
        while self.stop.is_none() {
            let frame = frame::read(self.segment, self.position, self.seed);
            let Some((frame, taken)) = frame.and_then(|frame| Some((frame, self.accept(&frame)?))) else {
                self.stop = Some(self.judge());
                break;
            };
            self.position += frame.padded_bytes;
            if matches!(taken, Taken::Part) {
                continue;
            }
            self.record_start = self.position;
            self.expected = self.expected.next();
            self.is_oldest = false;
            if let Taken::Record(record) = taken {
                return Some(record);
            }
            self.is_returned = true;
            return parse(&self.carried);
        }
        None
    }

    /// Where the next record begins: everything before it was read whole.
    pub fn offset(&self) -> u64 {
        self.record_start as u64
    }

    /// The number of the next record.
    pub fn expected(&self) -> Lsn {
        self.expected
    }

    /// Why the reader stopped.
    ///
    /// # Panics
    /// When it has not.
    pub fn stop(&self) -> Stop {
        self.stop.clone().expect("it was read to where it stopped")
    }

    /// Looks behind the place where the reader stopped, at every multiple of 8 bytes, for frames of this segment.
    pub fn beyond(&self) -> Beyond {
        let rest = self.segment.get(self.position..).unwrap_or_default();
        search(rest, self.seed, self.expected)
    }

    /// What a record that goes on in the next segment has of its bytes so far; empty if none does. Of use only if
    /// the reader stopped cleanly.
    pub fn into_carried(self) -> Vec<u8> {
        if self.is_returned { Vec::new() } else { self.carried }
    }

    /// Takes an intact frame, if it is one that may come now.
    fn accept<'frame>(&mut self, frame: &Frame<'frame>) -> Option<Taken<'frame>> {
        let Frame { head, bytes, .. } = *frame;
        if head.lsn != self.expected || !frame::is_known(self.version, head) {
            return None;
        }
        let contents = &bytes[FRAME_HEAD_BYTES..];
        let has_more = head.flags & flag::MORE != 0;
        if head.kind != kind::CONTINUATION {
            if !self.carried.is_empty() {
                return None;
            }
            if has_more {
                self.carried.extend_from_slice(bytes);
                return Some(Taken::Part);
            }
            return record::parse(head, contents).map(Taken::Record);
        }
        if self.is_oldest && self.carried.is_empty() {
            self.record_start = self.position + frame.padded_bytes;
            if !has_more {
                self.expected = self.expected.next();
                self.is_oldest = false;
            }
            return Some(Taken::Part);
        }
        if self.carried.len() != head.number as usize || self.carried.len() + contents.len() > RECORD_BYTES_MAX {
            return None;
        }
        self.carried.extend_from_slice(contents);
        if has_more {
            return Some(Taken::Part);
        }
        parse(&self.carried).map(|_| Taken::Carried)
    }

    /// Why the frame at `position` is none.
    fn judge(&self) -> Stop {
        let offset = self.position as u64;
        if is_zero(self.segment.get(self.position..).unwrap_or_default()) {
            Stop::Clean { offset }
        } else {
            Stop::Broken { offset }
        }
    }
}

/// The record whose head and contents were carried together.
fn parse(carried: &[u8]) -> Option<Record<'_>> {
    let (head, contents) = carried.split_first_chunk()?;
    record::parse(Head::read(head), contents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Grace, Value};
    use crate::key::Db;
    use crate::time::Millis;
    use crate::wal::tests::{SEGMENT_BYTES, image, options, prepare};
    use crate::wal::{Body, Log};

    /// A log of a short record, one that runs over two borders, and two short ones.
    fn segments() -> Vec<Vec<u8>> {
        let mut log = Log::new(options(5));
        prepare(&mut log, 10);
        for (lsn, value_bytes) in [(5, 10), (6, 30_000), (7, 10), (8, 10)] {
            let value = vec![lsn as u8; value_bytes];
            let put = Body::Put {
                db: Db(0),
                key: b"k",
                value: Value::Bytes(&value),
                expiry: None,
                client_flags: 0,
                grace: Grace::NONE,
            };
            log.append(Lsn(lsn), false, &put);
        }
        image(log)
    }

    fn header(segment: &[u8]) -> SegmentHeader {
        SegmentHeader::read(segment).expect("its head is intact")
    }

    /// The numbers of the records that `reader` reads.
    fn numbers(reader: &mut SegmentReader<'_>) -> Vec<u64> {
        let mut numbers = Vec::new();
        while let Some(record) = reader.next() {
            numbers.push(record.lsn.0);
        }
        numbers
    }

    #[test]
    fn a_log_whose_beginning_is_kept_no_more_is_read_from_the_first_whole_record() {
        let segments = segments();
        assert_eq!(segments.len(), 3);
        let mut first = SegmentReader::oldest(&segments[0], &header(&segments[0]));
        assert_eq!((numbers(&mut first), first.expected()), (vec![5], Lsn(6)));
        assert!(!first.into_carried().is_empty(), "a record goes on");
        let mut second = SegmentReader::oldest(&segments[1], &header(&segments[1]));
        assert_eq!((numbers(&mut second), second.expected()), (vec![], Lsn(6)));
        assert!(matches!(second.stop(), Stop::Clean { .. }) && second.into_carried().is_empty());
        let mut third = SegmentReader::oldest(&segments[2], &header(&segments[2]));
        assert_eq!((numbers(&mut third), third.expected()), (vec![7, 8], Lsn(9)));
        assert!(matches!(third.stop(), Stop::Clean { .. }));
    }

    #[test]
    fn a_continuation_of_nothing_is_no_record() {
        let segments = segments();
        for segment in &segments[1..] {
            let mut reader = SegmentReader::new(segment, &header(segment), Lsn(6), Vec::new());
            assert!(reader.next().is_none());
            assert_eq!(reader.stop(), Stop::Broken { offset: SEGMENT_HEADER_BYTES as u64 });
            assert!(reader.beyond().frame_count > 0);
        }
        // One segment left out.
        let mut first = SegmentReader::new(&segments[0], &header(&segments[0]), Lsn(5), Vec::new());
        assert_eq!(numbers(&mut first), [5]);
        let mut third = SegmentReader::new(&segments[2], &header(&segments[2]), Lsn(6), first.into_carried());
        assert!(third.next().is_none() && matches!(third.stop(), Stop::Broken { .. }));
    }

    #[test]
    fn reading_goes_on_where_it_was_left() {
        let segments = segments();
        let mut carried = Vec::new();
        let mut expected = Lsn(5);
        let mut found = Vec::new();
        for segment in &segments {
            let header = header(segment);
            let mut reader = SegmentReader::new(segment, &header, expected, carried);
            // A reader for each record.
            while let Some(record) = reader.next() {
                found.push(record.lsn.0);
                reader = SegmentReader::resume(segment, &header, reader.offset(), reader.expected());
            }
            expected = reader.expected();
            carried = reader.into_carried();
        }
        assert_eq!((found, expected), (vec![5, 6, 7, 8], Lsn(9)));
    }

    #[test]
    fn a_segment_that_is_no_segment_ends_at_once() {
        let segments = segments();
        let header = header(&segments[0]);
        for segment in [&[][..], &[1; 100], &segments[0][..SEGMENT_HEADER_BYTES]] {
            let mut reader = SegmentReader::new(segment, &header, Lsn(5), Vec::new());
            assert!(reader.next().is_none() && reader.next().is_none());
            assert_eq!(reader.stop(), Stop::Clean { offset: SEGMENT_HEADER_BYTES as u64 });
            assert_eq!(reader.beyond(), Beyond::default());
        }
        let mut reader = SegmentReader::resume(&segments[0], &header, SEGMENT_BYTES + 8, Lsn(5));
        assert!(reader.next().is_none() && reader.beyond() == Beyond::default());
    }

    #[test]
    fn a_kind_that_came_later_is_no_record_of_an_older_version() {
        let (db, short_key, long_key) = (Db(0), [b'k'; 3], [b'k'; 10_000]);
        let grace = Grace { grace_ms: 5, cost_ms: 0 };
        let bodies = |key| {
            let (expiry, value, base, client_flags) = (Some(Millis(9)), Value::Integer(1), 5, 0);
            [
                (2, Body::Invalidate { db, key, base, expiry, grace: Grace::NONE }),
                (3, Body::Invalidate { db, key, base, expiry, grace }),
                (3, Body::Put { db, key, value, expiry, client_flags, grace }),
                (3, Body::PutAbsent { db, key, expiry: Millis(9) }),
                (3, Body::Lock { db, key, token: 1, expiry: Millis(9) }),
            ]
        };
        for (first_version, body) in bodies(&short_key).into_iter().chain(bodies(&long_key)) {
            let mut log = Log::new(options(5));
            prepare(&mut log, 2);
            log.append(Lsn(5), false, &Body::Commit);
            log.append(Lsn(6), false, &body);
            let segments = image(log);
            for version in 1..=3 {
                let expected = if version < first_version { Lsn(6) } else { Lsn(7) };
                let mut carried = Vec::new();
                let mut next = Lsn(5);
                for segment in &segments {
                    let header = SegmentHeader { version, ..header(segment) };
                    let mut reader = SegmentReader::new(segment, &header, next, carried);
                    numbers(&mut reader);
                    next = reader.expected();
                    if version < first_version {
                        assert_eq!(reader.stop(), Stop::Broken { offset: reader.offset() });
                        break;
                    }
                    carried = reader.into_carried();
                }
                assert_eq!(next, expected, "version {version}, {body:?}");
            }
        }
    }

    #[test]
    fn a_number_that_is_not_expected_is_no_record() {
        let segments = segments();
        let header = header(&segments[0]);
        for expected in [0, 4, 6, u64::MAX] {
            let mut reader = SegmentReader::new(&segments[0], &header, Lsn(expected), Vec::new());
            assert!(reader.next().is_none());
            assert_eq!(reader.stop(), Stop::Broken { offset: SEGMENT_HEADER_BYTES as u64 }, "{expected}");
        }
    }
}
