//! The writing end of a shard's log.
//!
//! A record goes straight into the mapped memory: fields, key and value are copied behind the last frame, one
//! checksum is computed over them, and storing it makes the frame valid. A record that is longer than what is left of
//! the segment goes to the next one whole, unless it is longer than a frame may be: then it is cut into frames that
//! fill segment after segment.
//!
//! ```text
//!   segment 0                                    segment 1                                   segment 2
//!  ┌──────┬───┬──────┬────┬───────────┬───────┐ ┌──────┬────────────┬──────────┬───┬─────┐ ┌──────┬──────────────┐
//!  │ head │ 1 │ 2    │ 3  │ 4, first  │ zeros │ │ head │ 4, more    │ 4, last  │ 5 │zeros│ │ head │ 6 (too long  │
//!  │      │   │      │    │   frame   │ < 64  │ │      │            │          │   │     │ │      │ for the rest)│
//!  └──────┴───┴──────┴────┴───────────┴───────┘ └──────┴────────────┴──────────┴───┴─────┘ └──────┴──────────────┘
//! ```
//!
//! # Invariants
//! - A frame begins at a multiple of 8, is whole within its segment and at most a quarter of it long.
//! - Appending a record lowers [`Log::room_bytes`] by at most its [`Log::record_bytes`]: records that together are
//!   not longer than the room can all be appended. Each border between segments is counted as a frame wasted, which
//!   covers what is left of a segment by a record that does not fit, and the head of one more frame.
//! - Behind the last frame the memory is zeros; nothing in front of it is ever stored to again.
//! - A segment is durable when its last record is: it is in what was appended before a sync that is complete.

use std::collections::VecDeque;

use crate::disk::SegmentMemory;
use crate::lsn::{Lsn, Origin};
use crate::wal::frame::{self, FRAME_ALIGN, FRAME_BYTES_MAX, FRAME_HEAD_BYTES, Head, flag, kind, padded};
use crate::wal::record::{Body, FIELD_BYTES_MAX, Parts};
use crate::wal::segment::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SEGMENT_HEADER_BYTES, SEGMENT_VERSION, SegmentHeader};

/// A frame may be as long as this share of its segment.
const FRAME_SHARE: usize = 4;
/// The longest frame of the shortest segment, in bytes.
const FRAME_BYTES_LEAST: usize = SEGMENT_BYTES_MIN as usize / FRAME_SHARE;
/// A record that is cut anyway leaves what is left of a segment alone if it is less than this, in bytes.
const FRAGMENT_BYTES_MIN: usize = 64;

const _: () = assert!(FRAGMENT_BYTES_MIN > FRAME_HEAD_BYTES + FIELD_BYTES_MAX);
const _: () = assert!(FRAGMENT_BYTES_MIN + FRAME_HEAD_BYTES <= FRAME_BYTES_LEAST);
const _: () = assert!((FRAME_BYTES_LEAST - FRAME_HEAD_BYTES).is_multiple_of(FRAME_ALIGN));
const _: () = assert!(SEGMENT_BYTES_MIN as usize - SEGMENT_HEADER_BYTES > FRAME_BYTES_LEAST);

/// How a log is set up.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// Whose log.
    pub origin: Origin,
    /// Whether it begins in a running server, so that it is of use only with a snapshot taken since.
    pub needs_snapshot: bool,
    /// Bytes of a segment, a multiple of 4 KiB from 16 KiB to 4 GiB; 64 MiB but in tests.
    pub segment_bytes: u64,
    /// The number of the first record, 1 at least.
    pub first_lsn: Lsn,
}

/// Memory for a segment, prepared by somebody who may take long.
pub struct Segment {
    /// Its number: [`Log::wanted`] said it.
    pub sequence: u64,
    /// The mapped file, all zeros.
    pub memory: Box<dyn SegmentMemory>,
}

/// A segment that the log will write to no more.
pub struct Finished {
    /// Its number.
    pub sequence: u64,
    /// The number of the last record in it, which may go on in the next segment.
    pub last_lsn: Lsn,
    /// The mapped file, to be unmapped where that may take long.
    pub memory: Box<dyn SegmentMemory>,
}

/// The segment being written.
struct Current {
    segment: Segment,
    seed: u32,
    /// Where the next frame goes.
    offset: usize,
}

/// The log of one shard, from its first record on.
pub struct Log {
    options: LogOptions,
    frame_bytes_max: usize,
    /// Installed and unused, in order.
    prepared: VecDeque<Segment>,
    current: Option<Current>,
    /// Written and not yet taken, in order.
    finished: VecDeque<Finished>,
    next_sequence: u64,
    last_lsn: Lsn,
    /// The last record that is no mark.
    last_change: Lsn,
    durable_lsn: Lsn,
    appended_bytes: u64,
    is_ended: bool,
}

impl Log {
    /// A log without segments: [`Log::install`] gives it some.
    ///
    /// # Panics
    /// When the options are not within their bounds.
    pub fn new(options: LogOptions) -> Log {
        let LogOptions { segment_bytes, first_lsn, .. } = options;
        assert!((SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&segment_bytes), "a segment has a usual length");
        assert!(segment_bytes.is_multiple_of(SEGMENT_HEADER_BYTES as u64), "a segment is whole pages");
        assert!(first_lsn > Lsn(0), "the first number is 1");
        let before = Lsn(first_lsn.0 - 1);
        Log {
            options,
            frame_bytes_max: FRAME_BYTES_MAX.min(segment_bytes as usize / FRAME_SHARE),
            prepared: VecDeque::new(),
            current: None,
            finished: VecDeque::new(),
            next_sequence: 0,
            last_lsn: before,
            last_change: before,
            durable_lsn: before,
            appended_bytes: 0,
            is_ended: false,
        }
    }

    /// How it was set up.
    pub fn options(&self) -> LogOptions {
        self.options
    }

    /// The sequence number of the segment to prepare next, while fewer than `ahead` unused ones are installed.
    pub fn wanted(&self, ahead: usize) -> Option<u64> {
        (self.prepared.len() < ahead).then_some(self.next_sequence)
    }

    /// Takes a prepared segment, the one after the last installed.
    ///
    /// # Panics
    /// When it is not the one that was wanted.
    pub fn install(&mut self, mut segment: Segment) {
        assert_eq!(segment.sequence, self.next_sequence, "segments are installed in order");
        let bytes = segment.memory.bytes_mut().len();
        assert_eq!(bytes as u64, self.options.segment_bytes, "all segments of a log are of one length");
        self.next_sequence += 1;
        self.prepared.push_back(segment);
    }

    /// Bytes of frames that can surely be appended without another segment.
    #[inline]
    pub fn room_bytes(&self) -> u64 {
        let whole_bytes = self.options.segment_bytes - SEGMENT_HEADER_BYTES as u64;
        let prepared_count = self.prepared.len() as u64;
        let (rest_bytes, border_count) = match &self.current {
            Some(current) => (self.options.segment_bytes - current.offset as u64, prepared_count),
            None => (0, prepared_count.saturating_sub(1)),
        };
        rest_bytes + prepared_count * whole_bytes - border_count * self.frame_bytes_max as u64
    }

    /// Bytes that a record of a key and `payload_bytes` more may take, frames and rounding included.
    #[inline]
    pub fn record_bytes(key_bytes: usize, payload_bytes: usize) -> u64 {
        let content_bytes = FIELD_BYTES_MAX + key_bytes + payload_bytes;
        let frame_count = content_bytes.div_ceil(FRAME_BYTES_LEAST - FRAME_HEAD_BYTES);
        (frame_count * FRAME_HEAD_BYTES + padded(content_bytes)) as u64
    }

    /// Appends a record with the number after the last one.
    ///
    /// # Panics
    /// When `lsn` is not that number, or there is no room: whoever appends has asked [`Log::room_bytes`]. When the
    /// log was ended, or the record is beyond the engine's limits.
    #[inline]
    pub fn append(&mut self, lsn: Lsn, is_grouped: bool, body: &Body<'_>) {
        assert!(lsn == self.last_lsn.next(), "records have consecutive numbers");
        assert!(!self.is_ended, "nothing follows an end");
        let mut parts = Parts::new();
        parts.fill(is_grouped, body);
        let length = FRAME_HEAD_BYTES + parts.content_bytes();
        let frame_bytes = padded(length);
        if frame_bytes > self.frame_bytes_max {
            self.append_in_pieces(lsn, &parts);
        } else {
            if self.rest_bytes() < frame_bytes {
                self.begin_segment(self.last_lsn, lsn);
            }
            let (frame, seed) = self.take(frame_bytes);
            parts.head(lsn).write(frame, length);
            parts.write(&mut frame[FRAME_HEAD_BYTES..length]);
            frame::seal(frame, seed);
        }
        self.last_lsn = lsn;
        match body {
            Body::Mark { durable } => assert!(*durable < lsn, "what is durable was appended before"),
            Body::End => (self.last_change, self.is_ended) = (lsn, true),
            _ => self.last_change = lsn,
        }
    }

    /// The number of the last record.
    pub fn last_lsn(&self) -> Lsn {
        self.last_lsn
    }

    /// Up to where the log is durable.
    pub fn durable_lsn(&self) -> Lsn {
        self.durable_lsn
    }

    /// Whether something but marks was appended that is not durable yet.
    pub fn needs_sync(&self) -> bool {
        self.last_change > self.durable_lsn
    }

    /// Whether a segment is written full and not durable yet: it is to be synced under every policy.
    pub fn needs_finished_sync(&self) -> bool {
        self.finished.back().is_some_and(|last| last.last_lsn > self.durable_lsn)
    }

    /// The segments (by sequence, ascending) that must be synced, in this order, to make the log durable up to the
    /// returned number. Nothing is said to be durable before [`Log::end_sync`] of that number.
    pub fn begin_sync(&mut self) -> (Lsn, Vec<u64>) {
        let mut sequences = Vec::new();
        if self.last_lsn > self.durable_lsn {
            let undurable = self.finished.iter().filter(|finished| finished.last_lsn > self.durable_lsn);
            sequences.extend(undurable.map(|finished| finished.sequence));
            sequences.extend(self.current.as_ref().map(|current| current.segment.sequence));
        }
        (self.last_lsn, sequences)
    }

    /// All segments that [`Log::begin_sync`] named for `durable` are synced. Whoever calls this appends a
    /// [`Body::Mark`] next, unless the log is full.
    ///
    /// # Panics
    /// When the log has no such number yet.
    pub fn end_sync(&mut self, durable: Lsn) {
        assert!(durable <= self.last_lsn, "what is durable was appended before");
        self.durable_lsn = self.durable_lsn.max(durable);
    }

    /// The oldest segment that is written full and durable, if there is one.
    pub fn take_finished(&mut self) -> Option<Finished> {
        self.finished.pop_front_if(|oldest| oldest.last_lsn <= self.durable_lsn)
    }

    /// The segment being written, for whoever syncs it through its memory.
    pub fn current_mut(&mut self) -> Option<&mut Segment> {
        self.current.as_mut().map(|current| &mut current.segment)
    }

    /// The segment being written, and where in it the next frame goes.
    #[inline]
    pub fn position(&self) -> Option<(u64, usize)> {
        self.current.as_ref().map(|current| (current.segment.sequence, current.offset))
    }

    /// Bytes appended since the log began, frames and rounding included.
    pub fn appended_bytes(&self) -> u64 {
        self.appended_bytes
    }

    /// Bytes left in the segment being written.
    #[inline]
    fn rest_bytes(&self) -> usize {
        self.current.as_ref().map_or(0, |current| self.options.segment_bytes as usize - current.offset)
    }

    /// Memory for the next frame, and the seed of its checksum.
    #[inline]
    fn take(&mut self, frame_bytes: usize) -> (&mut [u8], u32) {
        self.appended_bytes += frame_bytes as u64;
        let current = self.current.as_mut().expect("a segment with room was begun");
        let start = current.offset;
        current.offset += frame_bytes;
        (&mut current.segment.memory.bytes_mut()[start..start + frame_bytes], current.seed)
    }

    /// Goes on to the next segment, in which the record `first_lsn` begins or goes on; the last in the one before
    /// was `last_lsn`.
    #[cold]
    fn begin_segment(&mut self, last_lsn: Lsn, first_lsn: Lsn) {
        if let Some(Current { segment: Segment { sequence, memory }, .. }) = self.current.take() {
            self.finished.push_back(Finished { sequence, last_lsn, memory });
        }
        let mut segment = self.prepared.pop_front().expect("whoever appends has asked for room");
        let LogOptions { origin, needs_snapshot, segment_bytes, .. } = self.options;
        let (version, sequence) = (SEGMENT_VERSION, segment.sequence);
        let header = SegmentHeader { version, origin, needs_snapshot, sequence, first_lsn, segment_bytes };
        header.write(segment.memory.bytes_mut());
        self.current = Some(Current { segment, seed: header.seed(), offset: SEGMENT_HEADER_BYTES });
    }

    /// Appends a record that is longer than a frame may be.
    #[cold]
    fn append_in_pieces(&mut self, lsn: Lsn, parts: &Parts<'_>) {
        let content_bytes = parts.content_bytes();
        let mut written_bytes = 0;
        let mut segment_last_lsn = self.last_lsn;
        while written_bytes < content_bytes {
            let rest_bytes = self.rest_bytes();
            if rest_bytes < FRAGMENT_BYTES_MIN {
                self.begin_segment(segment_last_lsn, lsn);
                continue;
            }
            let left_bytes = content_bytes - written_bytes;
            let piece_bytes = left_bytes.min(rest_bytes.min(self.frame_bytes_max) - FRAME_HEAD_BYTES);
            let mut head = if written_bytes == 0 {
                parts.head(lsn)
            } else {
                let number = (FRAME_HEAD_BYTES + written_bytes) as u32;
                Head { lsn, kind: kind::CONTINUATION, flags: 0, db: 0, other: 0, number }
            };
            if piece_bytes < left_bytes {
                head.flags |= flag::MORE;
            }
            let length = FRAME_HEAD_BYTES + piece_bytes;
            let (frame, seed) = self.take(padded(length));
            head.write(frame, length);
            parts.write_range(written_bytes, &mut frame[FRAME_HEAD_BYTES..length]);
            frame::seal(frame, seed);
            written_bytes += piece_bytes;
            segment_last_lsn = lsn;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Grace, Value};
    use crate::key::Db;
    use crate::wal::tests::{Memory, SEGMENT_BYTES, options, prepare};

    /// Bytes of a segment that frames can take.
    const WHOLE_BYTES: u64 = SEGMENT_BYTES - SEGMENT_HEADER_BYTES as u64;
    /// The longest frame in such a segment.
    const FRAME_BYTES: u64 = FRAME_BYTES_LEAST as u64;

    fn log(prepared_count: usize) -> Log {
        let mut log = Log::new(options(1));
        prepare(&mut log, prepared_count);
        log
    }

    /// Appends a record of `frame_bytes` in all.
    fn append(log: &mut Log, frame_bytes: u64) {
        let value = vec![1; frame_bytes as usize - FRAME_HEAD_BYTES];
        let put = Body::Put {
            db: Db(0),
            key: b"",
            value: Value::Bytes(&value),
            expiry: None,
            client_flags: 0,
            grace: Grace::NONE,
        };
        log.append(log.last_lsn().next(), false, &put);
    }

    #[test]
    fn room_counts_what_borders_may_waste() {
        assert_eq!(log(0).room_bytes(), 0);
        assert_eq!(log(1).room_bytes(), WHOLE_BYTES);
        assert_eq!(log(3).room_bytes(), 3 * WHOLE_BYTES - 2 * FRAME_BYTES);
        let mut log = log(2);
        append(&mut log, 96);
        assert_eq!(log.room_bytes(), 2 * WHOLE_BYTES - FRAME_BYTES - 96);
        // Three records that leave less than another needs, in each segment.
        append(&mut log, 4096);
        append(&mut log, 4096);
        append(&mut log, 4096);
        assert_eq!(log.room_bytes(), WHOLE_BYTES - 4096);
        append(&mut log, 4096);
        append(&mut log, 4096);
        assert_eq!((log.room_bytes(), log.appended_bytes()), (0, 96 + 5 * 4096));
    }

    #[test]
    #[should_panic(expected = "whoever appends has asked for room")]
    fn a_record_without_room_is_the_callers_fault() {
        append(&mut log(0), 24);
    }

    #[test]
    #[should_panic(expected = "records have consecutive numbers")]
    fn a_number_left_out_is_the_callers_fault() {
        log(1).append(Lsn(2), false, &Body::Commit);
    }

    #[test]
    #[should_panic(expected = "nothing follows an end")]
    fn nothing_follows_an_end() {
        let mut log = log(1);
        log.append(Lsn(1), false, &Body::End);
        log.append(Lsn(2), false, &Body::Commit);
    }

    #[test]
    #[should_panic(expected = "segments are installed in order")]
    fn segments_come_in_order() {
        let memory = Box::new(Memory(vec![0; SEGMENT_BYTES as usize]));
        log(1).install(Segment { sequence: 0, memory });
    }

    #[test]
    fn segments_are_wanted_ahead() {
        let mut log = log(2);
        assert_eq!((log.wanted(2), log.wanted(3)), (None, Some(2)));
        append(&mut log, 24);
        assert_eq!((log.wanted(1), log.wanted(2)), (None, Some(2)));
    }

    #[test]
    fn marks_alone_need_no_sync() {
        let mut log = log(1);
        assert!(!log.needs_sync());
        assert_eq!(log.begin_sync(), (Lsn(0), Vec::new()));
        append(&mut log, 24);
        assert!(log.needs_sync());
        let (durable, sequences) = log.begin_sync();
        assert_eq!((durable, sequences), (Lsn(1), vec![0]));
        append(&mut log, 24);
        log.end_sync(durable);
        assert_eq!((log.durable_lsn(), log.needs_sync()), (Lsn(1), true));
        log.append(Lsn(3), false, &Body::Mark { durable });
        let (durable, _) = log.begin_sync();
        log.end_sync(durable);
        log.append(Lsn(4), false, &Body::Mark { durable });
        assert_eq!((log.durable_lsn(), log.needs_sync()), (Lsn(3), false));
        log.append(Lsn(5), false, &Body::End);
        assert!(log.needs_sync(), "the end is to be durable");
    }

    #[test]
    fn a_segment_is_taken_when_it_is_full_and_durable() {
        let mut log = log(4);
        append(&mut log, 4096);
        let (early, sequences) = log.begin_sync();
        assert_eq!(sequences, [0]);
        for _ in 0..5 {
            append(&mut log, 4096);
        }
        // Segment 0 was written on since that sync began, and segment 1 is full but still the current one.
        log.end_sync(early);
        assert!(log.take_finished().is_none() && log.needs_finished_sync());
        let (durable, sequences) = log.begin_sync();
        assert_eq!((durable, sequences), (Lsn(6), vec![0, 1]));
        assert!(log.take_finished().is_none(), "a sync that is not complete counts for nothing");
        log.end_sync(durable);
        assert!(!log.needs_finished_sync());
        let taken = log.take_finished().map(|finished| (finished.sequence, finished.last_lsn));
        assert_eq!(taken, Some((0, Lsn(3))));
        assert!(log.take_finished().is_none(), "the current segment is not finished");
    }

    #[test]
    fn a_record_that_goes_on_is_the_last_of_each_segment_it_is_in() {
        let mut log = log(5);
        append(&mut log, 24);
        append(&mut log, 2 * WHOLE_BYTES);
        append(&mut log, 24);
        let (durable, sequences) = log.begin_sync();
        assert_eq!((durable, sequences), (Lsn(3), vec![0, 1, 2]));
        log.end_sync(Lsn(1));
        assert!(log.take_finished().is_none(), "the record in it is not durable whole");
        log.end_sync(Lsn(2));
        for sequence in 0..2 {
            let taken = log.take_finished().map(|finished| (finished.sequence, finished.last_lsn));
            assert_eq!(taken, Some((sequence, Lsn(2))));
        }
        assert_eq!(log.current_mut().map(|segment| segment.sequence), Some(2));
    }

    #[test]
    fn what_a_record_takes_is_not_more_than_was_said() {
        let limits = [0, 1, 8, 4000, 4027, 4028, 4029, 8000, 12_288, 70_000];
        for payload_bytes in limits {
            let mut log = log(20);
            let value = vec![1; payload_bytes];
            let body = Body::Put {
                db: Db(0),
                key: b"k",
                value: Value::Bytes(&value),
                expiry: None,
                client_flags: 1,
                grace: Grace::NONE,
            };
            log.append(Lsn(1), false, &body);
            assert!(log.appended_bytes() <= Log::record_bytes(1, payload_bytes), "{payload_bytes}");
        }
    }
}
