//! Replies of one connection that wait until the log is durable up to a number.
//!
//! Under `appendfsync always` what a turn wrote for a client may show changes that a power cut would undo. It is moved
//! here at the end of the turn, behind what waits already, and moves back to the connection's output as the log
//! becomes durable: the replies of early turns leave while those of later ones wait, so a client that never stops
//! sending is answered all the time.
//!
//! ```text
//! bytes   [ left ............ | turn 7 ....... | turn 8 ... | turn 9 .......... ]
//! marks                       (until 120, end)  (130, end)   (144, end)
//! ```
//!
//! Invariants:
//! - marks ascend in both their number and their end, and the last one's end is the end of `bytes`;
//! - nothing is kept when there is no mark.

use std::collections::VecDeque;

use locksley_engine::Lsn;

use super::limits::POOLED_BUFFER_BYTES_MAX;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Held {
    bytes: Vec<u8>,
    marks: VecDeque<Mark>,
    /// Bytes that left already.
    left_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    until: Lsn,
    end: usize,
}

impl Held {
    /// Whether nothing waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Bytes that wait.
    #[inline]
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.bytes.len() - self.left_bytes
    }

    /// Takes what `output` has behind its first `free_bytes`, to wait until the log is durable up to `until` (and as
    /// long as what waits already).
    pub(crate) fn take(&mut self, output: &mut Vec<u8>, free_bytes: usize, until: Lsn) {
        if output.len() == free_bytes {
            return;
        }
        if self.bytes.is_empty() && free_bytes == 0 {
            std::mem::swap(&mut self.bytes, output);
        } else {
            self.bytes.extend_from_slice(&output[free_bytes..]);
            output.truncate(free_bytes);
        }
        let end = self.bytes.len();
        match self.marks.back_mut() {
            Some(last) if last.until >= until => last.end = end,
            _ => self.marks.push_back(Mark { until, end }),
        }
    }

    /// Appends to `output` what waits no longer now that the log is durable up to `durable`; whether that is anything.
    pub(crate) fn release(&mut self, durable: Lsn, output: &mut Vec<u8>) -> bool {
        let start = self.left_bytes;
        while let Some(mark) = self.marks.front().filter(|mark| mark.until <= durable) {
            self.left_bytes = mark.end;
            self.marks.pop_front();
        }
        if self.left_bytes == start {
            return false;
        }
        if self.marks.is_empty() {
            if start == 0 && output.is_empty() {
                std::mem::swap(&mut self.bytes, output);
            } else {
                output.extend_from_slice(&self.bytes[start..]);
            }
            self.bytes.clear();
            self.left_bytes = 0;
            if self.bytes.capacity() > POOLED_BUFFER_BYTES_MAX {
                self.bytes = Vec::new();
            }
            return true;
        }
        output.extend_from_slice(&self.bytes[start..self.left_bytes]);
        if self.left_bytes > self.bytes.len() / 2 {
            self.compact();
        }
        true
    }

    /// Gives back the room of what left.
    fn compact(&mut self) {
        let left_bytes = std::mem::take(&mut self.left_bytes);
        self.bytes.drain(..left_bytes);
        for mark in &mut self.marks {
            mark.end -= left_bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holds the replies of turns that end with the numbers `untils`, and then releases up to each of `durables`; what
    /// has left by then is compared, turn `n` having written its index four times.
    fn check(untils: &[u64], durables: &[(u64, usize)]) {
        let (mut held, mut output) = (Held::default(), Vec::new());
        let mut all = Vec::new();
        for (index, until) in untils.iter().enumerate() {
            let reply = [b'a' + index as u8; 4];
            all.extend_from_slice(&reply);
            output.extend_from_slice(&reply);
            held.take(&mut output, 0, Lsn(*until));
            assert!(output.is_empty());
        }
        for (durable, turns) in durables {
            held.release(Lsn(*durable), &mut output);
            assert_eq!(output, all[..turns * 4], "{untils:?} durable up to {durable}");
            assert_eq!(held.waiting_bytes(), all.len() - turns * 4);
            assert_eq!(held.is_empty(), turns * 4 == all.len());
        }
    }

    #[test]
    fn early_turns_leave_before_later_ones() {
        check(&[5], &[(4, 0), (5, 1)]);
        check(&[5, 7, 9], &[(6, 1), (8, 2), (100, 3)]);
        check(&[5, 5, 9, 12, 13], &[(5, 2), (9, 3), (12, 4), (13, 5)]);
        // What needs no number itself waits behind what does.
        check(&[5, 0, 6], &[(4, 0), (5, 2), (6, 3)]);
    }

    #[test]
    fn what_is_free_stays_in_the_output() {
        let (mut held, mut output) = (Held::default(), b"free".to_vec());
        held.take(&mut output, 4, Lsn(3));
        assert!(held.is_empty(), "there was nothing to take");
        output.extend_from_slice(b"kept");
        held.take(&mut output, 4, Lsn(3));
        assert_eq!(output, b"free");
        assert!(held.release(Lsn(3), &mut output));
        assert_eq!(output, b"freekept");
        assert!(!held.release(Lsn(9), &mut output));
    }
}
