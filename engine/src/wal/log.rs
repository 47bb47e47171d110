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
use crate::wal::segment::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SEGMENT_HEADER_BYTES, SegmentHeader};

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
        let parts = Parts::of(is_grouped, body);
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
        let header = SegmentHeader { origin, needs_snapshot, sequence: segment.sequence, first_lsn, segment_bytes };
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
