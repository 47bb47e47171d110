//! Requests of the memcached text protocol, cut from a stream of bytes.
//!
//! A request is a line of words, and for storage commands a data block of announced length behind it. Nothing is copied:
//! what a [`Request`] names lies in the input.
//!
//! ```text
//! line ──storage──▶ block ──▶ request
//!  │                  └─ not ended by \r\n where it should be: BadDataChunk, as many bytes as announced are passed over
//!  ├─ block announced longer than allowed: Request::TooLarge, then the block is skipped as it comes
//!  ├─ storage line with something wrong in it: BadLine, and its block is skipped likewise
//!  └─ anything else ──▶ request, or Malformed
//! ```
//!
//! A `get` of one key, a plain `set`, and meta commands without a block are read in one pass over the line ([`common`],
//! [`common_meta`]); everything else finds the line's end first ([`line`](super::line)), which takes twice as long.
//!
//! Invariants:
//! - what is kept between calls is only how many bytes of a block are still to be skipped, and how far a line was
//!   searched for its end; [`RequestParser::reset`] forgets both, and then the input may begin with any line again;
//! - the same bytes give the same requests however they are split: bounds are on what a line is, never on how it comes;
//! - nothing is allocated.
//!
//! Where memcached 1.6.18 is not followed:
//! - **a block is data, also behind a bad line.** memcached forgets the length that a refused line announces (a key too
//!   long, a time that is no number), and runs what was meant to be stored as commands. Here the block is passed over
//!   wherever the length can be read, as memcached itself does for `ms` with bad flags.
//! - **a line's bound holds however it arrives.** memcached looks at it only while the end is missing, takes longer lines
//!   when they come at once, and multi-gets of any length, which it searches again from the start at every read.
//! - **keys without control characters.** memcached takes all but space, line end and NUL, at which it cuts the line.
//! - **numbers are what they say.** memcached cuts flags to 32 bits, lengths and times to 31, takes a tab as their end and
//!   `-18446744073709551615` for 1.
//!
//! Source: `doc/protocol.txt` of memcached 1.6; where it is silent, what memcached 1.6.18 answers.

use memchr::memchr;

use super::key;
use super::line::{self, Block, Line, Refusal};
use super::request::{Keys, Malformed, MetaVerb, Request, Retrieval, Storage, StoreMode};
use crate::limits::{
    MEMCACHED_KEY_BYTES_MAX as KEY_BYTES_MAX, MEMCACHED_LINE_BYTES_MAX as LINE_BYTES_MAX,
    MEMCACHED_RETRIEVAL_LINE_BYTES_MAX as RETRIEVAL_LINE_BYTES_MAX,
};

/// What a request may be at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest data block, in bytes.
    pub value_bytes_max: u64,
}

/// What parsing came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A request, or a line that is none and has to be answered.
    Request {
        /// Bytes of it; all of the input where the connection is to be closed.
        consumed: usize,
        /// What it asks for.
        request: Result<Request<'a>, Malformed>,
    },
    /// Bytes that are to be passed over without an answer.
    Skipped {
        /// How many, never 0.
        consumed: usize,
    },
    /// More bytes are needed.
    Incomplete {
        /// How many at least, never 0.
        wanted_bytes: usize,
    },
}

/// What ends a data block.
const BLOCK_END: &[u8; 2] = b"\r\n";

/// Where a connection's stream stands between two calls.
#[derive(Debug, Default)]
pub struct RequestParser {
    /// Bytes of a block and its end that are still to be passed over.
    skip_bytes: u64,
    /// How many bytes of an incomplete request cannot hold the end of its line.
    searched_bytes: usize,
}

impl RequestParser {
    /// Looks at the request that `input` (not empty) begins with; after [`Step::Incomplete`] the input is the same with
    /// more behind it.
    #[inline]
    pub fn parse<'a>(&mut self, input: &'a [u8], limits: &Limits) -> Step<'a> {
        if self.skip_bytes == 0
            && self.searched_bytes == 0
            && let Some((consumed, request)) = common(input, *limits)
        {
            return Step::Request { consumed, request: Ok(request) };
        }
        self.parse_any(input, *limits)
    }

    /// Forgets where the stream stands: the next input begins with a line.
    pub fn reset(&mut self) {
        *self = RequestParser::default();
    }

    fn parse_any<'a>(&mut self, input: &'a [u8], limits: Limits) -> Step<'a> {
        if self.skip_bytes > 0 {
            let consumed = self.skip_bytes.min(input.len() as u64);
            self.skip_bytes -= consumed;
            return Step::Skipped { consumed: consumed as usize };
        }
        let end = match line_end(input, self.searched_bytes) {
            LineEnd::At(end) => end,
            LineEnd::Missing => {
                self.searched_bytes = input.len();
                return Step::Incomplete { wanted_bytes: 1 };
            }
            LineEnd::TooFar => {
                self.searched_bytes = 0;
                return Step::Request { consumed: input.len(), request: Err(Malformed::LineTooLong) };
            }
        };
        self.searched_bytes = 0;
        let line = &input[..end];
        let start = end + 1;
        match line::read(line.strip_suffix(b"\r").unwrap_or(line)) {
            Ok(Line::Whole(request)) => Step::Request { consumed: start, request: Ok(request) },
            Ok(Line::Block(block)) => self.take_block(input, start, block, limits),
            Err(Refusal { malformed, is_silent, block_bytes }) => {
                if let Some(block_bytes) = block_bytes {
                    self.skip_bytes = block_bytes + BLOCK_END.len() as u64;
                }
                refuse(start, malformed, is_silent)
            }
        }
    }

    /// What a storage line comes to, whose block begins at `start`.
    fn take_block<'a>(&mut self, input: &'a [u8], start: usize, block: Block<'a>, limits: Limits) -> Step<'a> {
        let bytes = block.bytes();
        if bytes > limits.value_bytes_max {
            self.skip_bytes = bytes + BLOCK_END.len() as u64;
            return Step::Request { consumed: start, request: Ok(too_large(block)) };
        }
        let end = start + bytes as usize;
        let consumed = end + BLOCK_END.len();
        if input.len() < consumed {
            // The line is read again then, but not searched for its end.
            self.searched_bytes = start - 1;
            return Step::Incomplete { wanted_bytes: consumed - input.len() };
        }
        if input[end..consumed] != *BLOCK_END {
            return refuse(consumed, Malformed::BadDataChunk, block.is_silent());
        }
        let value = &input[start..end];
        let request = match block {
            Block::Text { storage, .. } => Request::Store(Storage { value, ..storage }),
            Block::Meta { key, flags, .. } => Request::Meta { verb: MetaVerb::Set, key, flags, value },
        };
        Step::Request { consumed, request: Ok(request) }
    }
}

/// What is refused is not answered where no reply is wanted, as in memcached.
fn refuse<'a>(consumed: usize, malformed: Malformed, is_silent: bool) -> Step<'a> {
    if is_silent { Step::Skipped { consumed } } else { Step::Request { consumed, request: Err(malformed) } }
}

fn too_large(block: Block<'_>) -> Request<'_> {
    match block {
        Block::Text { storage: Storage { mode, key, is_silent, .. }, .. } => Request::TooLarge { mode, key, is_silent },
        Block::Meta { key, flags, .. } => Request::MetaTooLarge { key, flags },
    }
}

/// Where a line ends.
enum LineEnd {
    /// At this `\n`.
    At(usize),
    /// Not in the input.
    Missing,
    /// Behind the bound.
    TooFar,
}

/// Looks for the end of the line that `input` begins with, of which `searched_bytes` have been looked at.
fn line_end(input: &[u8], searched_bytes: usize) -> LineEnd {
    let find = |bytes_max: usize| {
        let unsearched = input.get(searched_bytes..input.len().min(bytes_max))?;
        Some(searched_bytes + memchr(b'\n', unsearched)?)
    };
    if let Some(end) = find(LINE_BYTES_MAX) {
        return LineEnd::At(end);
    }
    let Some(begin) = input.get(..LINE_BYTES_MAX) else { return LineEnd::Missing };
    if !line::is_retrieval(begin) {
        return LineEnd::TooFar;
    }
    match find(RETRIEVAL_LINE_BYTES_MAX) {
        Some(end) => LineEnd::At(end),
        None if input.len() < RETRIEVAL_LINE_BYTES_MAX => LineEnd::Missing,
        None => LineEnd::TooFar,
    }
}

/// A whole common request that `input` begins with, and its length; `None` for all that is to be looked at more closely.
#[inline]
fn common(input: &[u8], limits: Limits) -> Option<(usize, Request<'_>)> {
    const KEY_START: usize = 4;
    let (verb, _) = input.split_first_chunk::<KEY_START>()?;
    match verb {
        b"get " | b"set " => {}
        [b'm', b'g', b' ', _] => return common_meta(MetaVerb::Get, input),
        [b'm', b'd', b' ', _] => return common_meta(MetaVerb::Delete, input),
        [b'm', b'a', b' ', _] => return common_meta(MetaVerb::Arithmetic, input),
        _ => return None,
    }
    let key_end = key::end(input, KEY_START);
    let key = &input[KEY_START..key_end];
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return None;
    }
    if verb == b"get " {
        let request = Request::Retrieve { retrieval: Retrieval::Get, exptime: 0, keys: Keys::one(key) };
        return Some((after_line(input, key_end)?, request));
    }
    let (flags, at) = number_behind_space(input, key_end)?;
    let (exptime, at) = number_behind_space(input, at)?;
    let (bytes, at) = number_behind_space(input, at)?;
    let start = after_line(input, at)?;
    if bytes > limits.value_bytes_max {
        return None;
    }
    let end = start + bytes as usize;
    let (value, rest) = input.get(start..)?.split_at_checked(bytes as usize)?;
    if !rest.starts_with(BLOCK_END) {
        return None;
    }
    let storage = Storage {
        mode: StoreMode::Set,
        key,
        flags: u32::try_from(flags).ok()?,
        exptime: exptime as i64,
        cas: 0,
        value,
        is_silent: false,
    };
    Some((end + BLOCK_END.len(), Request::Store(storage)))
}

/// A whole meta command of no block, whose key is one space behind its verb, and its length.
#[inline]
fn common_meta(verb: MetaVerb, input: &[u8]) -> Option<(usize, Request<'_>)> {
    const KEY_START: usize = 3;
    let key_end = key::end(input, KEY_START);
    let key = &input[KEY_START..key_end];
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return None;
    }
    // Most flags are few, and looked at once: no search is set up for them.
    let behind = &input[key_end..input.len().min(LINE_BYTES_MAX)];
    let length = behind.iter().position(|byte| *byte == b'\n')?;
    let flags = behind[..length].strip_suffix(b"\r").unwrap_or(&behind[..length]);
    if flags.first().is_some_and(|byte| *byte != b' ') {
        return None;
    }
    let request = Request::Meta { verb, key, flags: line::trimmed(flags), value: b"" };
    Some((key_end + length + 1, request))
}

/// Offset behind the line end at `at`, if there is one.
#[inline]
fn after_line(input: &[u8], at: usize) -> Option<usize> {
    match input.get(at..)? {
        [b'\r', b'\n', ..] => Some(at + 2),
        [b'\n', ..] => Some(at + 1),
        _ => None,
    }
}

/// The short number behind the one space at `at`, and the offset behind it.
#[inline]
fn number_behind_space(input: &[u8], at: usize) -> Option<(u64, usize)> {
    /// Enough for all that is common, and far from overflowing.
    const DIGIT_COUNT_MAX: usize = 10;
    let (b' ', digits) = input.get(at..)?.split_first()? else { return None };
    let mut number = 0;
    for (count, byte) in digits.iter().take(DIGIT_COUNT_MAX + 1).enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (count > 0).then_some((number, at + 1 + count));
        }
        number = number * 10 + u64::from(digit);
    }
    None
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;
