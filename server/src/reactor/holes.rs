//! The replies that a connection still waits for from other shards, and those that wait behind them.
//!
//! A client reads its replies in the order of its requests. When a request travels to another shard it leaves a hole;
//! what is answered at home after it waits behind the hole until the reply is there.
//!
//! ```text
//! holes   [ 7: empty, at 0 ]      [ 8: filled, at 12 ]     [ 9: empty, at 12 ]
//! behind  ......12 bytes.........                          ......
//!          replies between 7 and 8                          replies after 9
//! ```
//!
//! Invariants:
//! - the positions of the holes ascend;
//! - the first hole is empty: a filled one leaves together with what is behind it.

use std::collections::VecDeque;

use super::limits::{HOLE_BYTES_MAX, HOLE_COUNT_MAX};

/// One reply that is missing, or came before its turn.
#[derive(Debug)]
struct Hole {
    /// Bytes in `behind` before it.
    position: usize,
    reply: Option<Vec<u8>>,
    wanted: Wanted,
}

/// Whether the client wants to see a reply (CLIENT REPLY).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// It does.
    Yes,
    /// It does not: the hole closes without a trace.
    No,
}

/// The holes of one connection.
#[derive(Debug)]
pub(crate) struct Holes {
    waiting: VecDeque<Hole>,
    /// The number of the first hole.
    sequence: u32,
    /// Replies that wait behind holes.
    pub behind: Vec<u8>,
    /// Bytes of `behind` that left already.
    left_bytes: usize,
    filled_bytes: usize,
    /// The running mean of the replies' lengths.
    reply_bytes_mean: usize,
}

impl Default for Holes {
    fn default() -> Holes {
        Holes {
            waiting: VecDeque::new(),
            sequence: 0,
            behind: Vec::new(),
            left_bytes: 0,
            filled_bytes: 0,
            reply_bytes_mean: REPLY_BYTES_ASSUMED,
        }
    }
}

/// How long a connection's first replies from other shards are taken to be.
const REPLY_BYTES_ASSUMED: usize = 64 * 1024;

/// Fewest replies that may be awaited, however long they are.
const COUNT_MIN: usize = 8;

/// Emptied lists of more holes than this are given back.
const KEPT_COUNT_MAX: usize = 256;

impl Holes {
    /// Whether no reply is missing.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether so many replies are awaited that no more should be asked for: their number is bounded by what they will
    /// take when they come, since a thousand requests for a long value fit into one read.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        let count_max = HOLE_BYTES_MAX / self.reply_bytes_mean.max(1);
        self.waiting.len() >= count_max.clamp(COUNT_MIN, HOLE_COUNT_MAX)
    }

    /// Bytes that wait.
    #[inline]
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.behind.len() - self.left_bytes.min(self.behind.len()) + self.filled_bytes
    }

    /// Opens a hole behind `position` bytes of [`Holes::behind`]; returns its number.
    #[inline]
    pub(crate) fn open(&mut self, position: usize, wanted: Wanted) -> u32 {
        self.waiting.push_back(Hole { position, reply: None, wanted });
        self.sequence.wrapping_add(self.waiting.len() as u32 - 1)
    }

    /// Fills hole `sequence`, and appends to `output` all that is complete from the first hole on.
    #[inline]
    pub(crate) fn fill(&mut self, sequence: u32, reply: &[u8], output: &mut Vec<u8>) {
        self.reply_bytes_mean = (self.reply_bytes_mean * 7 + reply.len()) / 8;
        let index = sequence.wrapping_sub(self.sequence) as usize;
        assert!(index < self.waiting.len(), "a reply has a hole");
        let hole = &mut self.waiting[index];
        let reply = if hole.wanted == Wanted::Yes { reply } else { b"" };
        if index > 0 {
            assert!(hole.reply.is_none(), "a hole is filled once");
            hole.reply = Some(reply.to_vec());
            self.filled_bytes += reply.len();
            return;
        }
        output.extend_from_slice(reply);
        self.leave(output);
        while let Some(Hole { reply: Some(_), .. }) = self.waiting.front() {
            let reply = self.waiting[0].reply.take().expect("it was just seen");
            self.filled_bytes -= reply.len();
            output.extend_from_slice(&reply);
            self.leave(output);
        }
    }

    /// Takes away the first hole and moves to `output` what was behind it alone.
    #[inline]
    fn leave(&mut self, output: &mut Vec<u8>) {
        self.waiting.pop_front();
        self.sequence = self.sequence.wrapping_add(1);
        let end = self.waiting.front().map_or(self.behind.len(), |next| next.position);
        output.extend_from_slice(&self.behind[self.left_bytes..end]);
        self.left_bytes = end;
        if self.waiting.is_empty() {
            self.behind.clear();
            self.left_bytes = 0;
            if self.waiting.capacity() > KEPT_COUNT_MAX {
                self.waiting = VecDeque::new();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests are `L` (answered at home) or `R` (at another shard); replies of the latter come in the order `fills`.
    fn check(requests: &str, fills: &[usize]) {
        let (mut holes, mut output) = (Holes::default(), Vec::new());
        let mut numbers = Vec::new();
        let mut expected = Vec::new();
        for (index, kind) in requests.chars().enumerate() {
            let reply = format!("<{index}>").into_bytes();
            expected.extend_from_slice(&reply);
            match kind {
                'R' => numbers.push((holes.open(holes.behind.len(), Wanted::Yes), reply)),
                _ if holes.is_empty() => output.extend_from_slice(&reply),
                _ => holes.behind.extend_from_slice(&reply),
            }
        }
        for fill in fills {
            let (number, reply) = &numbers[*fill];
            holes.fill(*number, reply, &mut output);
        }
        assert!(holes.is_empty(), "{requests} {fills:?}");
        assert_eq!(holes.waiting_bytes(), 0);
        assert_eq!(output, expected, "{requests} {fills:?}");
    }

    #[test]
    fn replies_leave_in_the_order_of_their_requests() {
        check("LL", &[]);
        check("LRL", &[0]);
        check("RLRLLR", &[0, 1, 2]);
        check("RLRLLR", &[2, 1, 0]);
        check("RLRLLR", &[1, 2, 0]);
        check("RRRR", &[3, 0, 2, 1]);
        check("LRRLRLL", &[1, 0, 2]);
    }

    #[test]
    fn long_replies_are_awaited_in_small_numbers() {
        let count = |reply: &[u8]| {
            let (mut holes, mut output) = (Holes::default(), Vec::new());
            for _ in 0..64 {
                let hole = holes.open(0, Wanted::Yes);
                holes.fill(hole, reply, &mut output);
            }
            let mut count = 0;
            while !holes.is_full() {
                holes.open(0, Wanted::Yes);
                count += 1;
            }
            count
        };
        assert_eq!(count(b"+OK"), HOLE_COUNT_MAX);
        assert_eq!(count(&vec![0; 1024 * 1024]), COUNT_MIN);
    }

    #[test]
    fn an_unwanted_reply_leaves_no_trace() {
        let (mut holes, mut output) = (Holes::default(), Vec::new());
        let first = holes.open(0, Wanted::No);
        holes.behind.extend_from_slice(b"after");
        let second = holes.open(5, Wanted::No);
        holes.fill(second, b"two", &mut output);
        holes.fill(first, b"one", &mut output);
        assert_eq!(output, b"after");
        assert!(holes.is_empty());
    }
}
