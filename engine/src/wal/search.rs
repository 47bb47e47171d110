//! Looks behind the place where a log stops for intact frames, at every multiple of 8 bytes.
//!
//! What a place may hold is decided by its head first, so that garbage costs next to nothing, and an intact frame
//! is passed over whole. What is left is a value that somebody filled with heads of long frames: one checksum each
//! would take time by the square of the segment. So the checksums that fail have a budget; when it is used up,
//! the checksums of all beginnings of what is left are computed once, and each further one follows from two of
//! these:
//!
//! ```text
//!           ├──────── A ────────┼──────── B ────────┤
//!   crc(0, AB) = shift(crc(0, A), |B|) ^ crc(0, B)             B is what the checksum of a frame is over,
//!   crc(seed, B) = shift(seed, |B|) ^ crc(0, B)                shift appends so many zero bytes to a checksum
//!   so crc(seed, B) = shift(crc(0, A) ^ seed, |B|) ^ crc(0, AB)
//! ```

use crate::lsn::Lsn;
use crate::wal::frame::{self, FRAME_ALIGN, FRAME_HEAD_BYTES, Head};
use crate::wal::record::{self, Body};

/// What was found behind the place where a reader stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beyond {
    /// Intact frames of this segment with the expected number or a higher one.
    pub frame_count: u64,
    /// The highest number that a mark among them says is durable.
    pub marked: Lsn,
}

/// Looks for frames with the number `expected` or a higher one in `rest`, which is what a segment has behind the place
/// where its reader stopped.
pub(super) fn search(rest: &[u8], seed: u32, expected: Lsn) -> Beyond {
    let mut beyond = Beyond::default();
    let mut budget_bytes = rest.len();
    let mut beginnings = None;
    let mut offset = 0;
    while offset < rest.len() {
        let Some((bytes, head)) = frame::candidate(rest, offset) else {
            offset += FRAME_ALIGN;
            continue;
        };
        let is_intact = if bytes.len() <= budget_bytes {
            frame::is_intact(bytes, seed)
        } else {
            beginnings.get_or_insert_with(|| Beginnings::of(rest)).is_intact(offset, bytes, seed)
        };
        if !is_intact {
            budget_bytes = budget_bytes.saturating_sub(bytes.len());
            offset += FRAME_ALIGN;
            continue;
        }
        if head.lsn >= expected {
            beyond.frame_count += 1;
            beyond.marked = beyond.marked.max(marked(head, bytes));
        }
        offset += bytes.len();
    }
    beyond
}

/// The number that a frame says is durable, if it is a mark, or 0.
fn marked(head: Head, bytes: &[u8]) -> Lsn {
    let contents = &bytes[FRAME_HEAD_BYTES..frame::length(bytes)];
    match record::parse(head, contents) {
        Some(record) => match record.body {
            Body::Mark { durable } => durable,
            _ => Lsn(0),
        },
        None => Lsn(0),
    }
}

/// The checksums of all beginnings of some bytes that end at multiples of 8.
struct Beginnings(Vec<u32>);

impl Beginnings {
    fn of(bytes: &[u8]) -> Beginnings {
        let (words, _) = bytes.as_chunks::<FRAME_ALIGN>();
        let mut checksum = crc32fast::Hasher::new();
        let mut checksums = vec![0];
        checksums.extend(words.iter().map(|word| {
            checksum.update(word);
            checksum.clone().finalize()
        }));
        Beginnings(checksums)
    }

    /// Whether `frame`, which is at `offset`, has the checksum that it states.
    fn is_intact(&self, offset: usize, frame: &[u8], seed: u32) -> bool {
        let (stored, summed) = frame::split_checksum(frame);
        let mut before = crc32fast::Hasher::new_with_initial(self.0[offset / FRAME_ALIGN]);
        before.update(&frame[..frame.len() - summed.len()]);
        let end = self.0[(offset + frame.len()) / FRAME_ALIGN];
        let mut checksum = crc32fast::Hasher::new_with_initial(before.finalize() ^ seed);
        checksum.combine(&crc32fast::Hasher::new_with_initial_len(end, summed.len() as u64));
        checksum.finalize() == stored
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::frame::{flag, kind};

    const SEED: u32 = 99;

    fn frame_of(lsn: u64, kind: u8, contents: &[u8]) -> Vec<u8> {
        let length = FRAME_HEAD_BYTES + contents.len();
        let mut frame = vec![0; frame::padded(length)];
        let head = Head { lsn: Lsn(lsn), kind, flags: 0, db: 0, other: 0, number: 0 };
        head.write(&mut frame, length);
        frame[FRAME_HEAD_BYTES..length].copy_from_slice(contents);
        frame::seal(&mut frame, SEED);
        frame
    }

    fn mark(lsn: u64, durable: u64) -> Vec<u8> {
        frame_of(lsn, kind::MARK, &durable.to_le_bytes())
    }

    #[test]
    fn frames_behind_garbage_are_found() {
        let check = |pieces: &[&[u8]], expected: u64, frame_count: u64, marked: u64| {
            let found = search(&pieces.concat(), SEED, Lsn(expected));
            assert_eq!(found, Beyond { frame_count, marked: Lsn(marked) }, "{pieces:?}");
        };
        let (put, older, newer) = (frame_of(20, kind::PUT, b"value"), mark(21, 9), mark(22, 19));
        check(&[], 1, 0, 0);
        check(&[&[0xff; 100]], 1, 0, 0);
        check(&[&[0xff; 96], &put], 10, 1, 0);
        check(&[&[0xff; 96], &put], 20, 1, 0);
        check(&[&[0xff; 96], &put], 21, 0, 0);
        check(&[&[0; 8], &older, &[1; 8], &put, &newer, &[0; 64]], 10, 3, 19);
        check(&[&[0; 8], &newer, &older], 10, 2, 19);
        check(&[&[0; 4], &newer], 10, 0, 0);
        check(&[&newer[..newer.len() - 1]], 10, 0, 0);
        // A frame within the value of an intact frame is a value.
        check(&[&frame_of(20, kind::PUT, &newer)], 10, 1, 0);
        check(&[&frame_of(9, kind::PUT, &newer)], 10, 0, 0);
    }

    #[test]
    fn checksums_from_beginnings_are_those_of_the_frames() {
        let mut bytes = vec![0x5a; 64];
        for (index, length) in [0, 1, 8, 100, 5000].into_iter().enumerate() {
            bytes.extend(frame_of(index as u64 + 1, kind::PUT, &vec![index as u8; length]));
        }
        let beginnings = Beginnings::of(&bytes);
        let mut intact_count = 0;
        for offset in (0..bytes.len()).step_by(FRAME_ALIGN) {
            if let Some((candidate, _)) = frame::candidate(&bytes, offset) {
                intact_count += 1;
                assert!(beginnings.is_intact(offset, candidate, SEED) && frame::is_intact(candidate, SEED));
                assert!(!beginnings.is_intact(offset, candidate, SEED + 1));
            }
        }
        assert_eq!(intact_count, 5);
    }

    #[test]
    fn heads_of_long_frames_all_over_do_not_take_long() {
        // Each would be a checksum over a mebibyte; all of them would be over 180 GiB.
        let mut bytes = Vec::new();
        let mut head = [0; FRAME_HEAD_BYTES];
        let length = frame::FRAME_BYTES_MAX;
        head[4..8].copy_from_slice(&(length as u32).to_le_bytes());
        head[8] = 200;
        (head[16], head[17]) = (kind::PUT, flag::GROUPED);
        while bytes.len() < 5 * length {
            bytes.extend(head);
        }
        bytes.extend(mark(300, 299));
        assert_eq!(search(&bytes, SEED, Lsn(100)), Beyond { frame_count: 1, marked: Lsn(299) });
    }
}
