//! Requests of the memcached text protocol, cut from a stream of bytes.
//!
//! A request is a line of words, and for storage commands a data block of announced length behind it. Nothing is copied:
//! what a [`Request`] names lies in the input.
//!
//! ```text
//! line ──storage──▶ block ──▶ request
//!  │                  └─ not ended by \r\n: Malformed::BadDataChunk, its bytes are passed over
//!  ├─ announced too long: Request::TooLarge, then its block is skipped as it comes
//!  └─ anything else ──▶ request
//! ```
//!
//! Invariants:
//! - what is kept between calls is only how many bytes of a block are still to be skipped, and how far a line without
//!   an end was searched;
//! - the same bytes give the same requests however they are split.
//!
//! Source: `doc/protocol.txt` of memcached 1.6; where it is silent, what memcached 1.6.18 answers.

use memchr::memchr;

use super::key;
use crate::limits::{
    MEMCACHED_BLOCK_BYTES_MAX as BLOCK_BYTES_MAX, MEMCACHED_LINE_BYTES_MAX as LINE_BYTES_MAX,
    MEMCACHED_RETRIEVAL_LINE_BYTES_MAX as RETRIEVAL_LINE_BYTES_MAX,
};
use crate::number::INTEGER_TEXT_BYTES_MAX;

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
        /// Bytes of it.
        consumed: usize,
        /// What it asks for.
        request: Result<Request<'a>, Malformed>,
    },
    /// Bytes that are to be passed over without an answer.
    Skipped {
        /// How many.
        consumed: usize,
    },
    /// More bytes are needed.
    Incomplete {
        /// How many at least.
        wanted_bytes: usize,
    },
}

/// A request; keys and blocks lie in the input. Keys were checked: 1 to 250 bytes without space or control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// `get`, `gets`, `gat`, `gats`.
    Retrieve {
        /// Which of them.
        retrieval: Retrieval,
        /// The exptime of `gat` and `gats`, as it was sent.
        exptime: i64,
        /// The words behind: one or more keys.
        keys: Keys<'a>,
    },
    /// `set`, `add`, `replace`, `append`, `prepend`, `cas`.
    Store(Storage<'a>),
    /// A storage command whose block is longer than allowed: the block will be skipped, the old entry is to go.
    TooLarge {
        /// How it was to be stored; only what a `set` would have replaced is to go.
        mode: StoreMode,
        /// Where it was to be stored.
        key: &'a [u8],
        /// No reply is wanted.
        is_silent: bool,
    },
    /// `delete`.
    Delete {
        /// What.
        key: &'a [u8],
        /// No reply is wanted.
        is_silent: bool,
    },
    /// `incr`, `decr`.
    Count {
        /// Which of them.
        arithmetic: Arithmetic,
        /// What.
        key: &'a [u8],
        /// By how much.
        delta: u64,
        /// No reply is wanted.
        is_silent: bool,
    },
    /// `touch`.
    Touch {
        /// What.
        key: &'a [u8],
        /// The exptime, as it was sent.
        exptime: i64,
        /// No reply is wanted.
        is_silent: bool,
    },
    /// `flush_all`.
    FlushAll {
        /// When, as an exptime; 0 is at once.
        exptime: i64,
        /// No reply is wanted.
        is_silent: bool,
    },
    /// `version`.
    Version,
    /// `verbosity`.
    Verbosity {
        /// No reply is wanted.
        is_silent: bool,
    },
    /// `stats`, with the words behind it.
    Stats {
        /// `items`, `slabs`, `reset`, ...; empty for the general ones.
        words: &'a [u8],
    },
    /// `quit`.
    Quit,
    /// `mg`, `ms`, `md`, `ma`, `me`.
    Meta {
        /// Which of them.
        verb: MetaVerb,
        /// The key as it was sent: base64 if the flags say `b`.
        key: &'a [u8],
        /// The rest of the line behind the key (behind the length, for `ms`), for [`super::meta::Flags`].
        flags: &'a [u8],
        /// The block of `ms`.
        value: &'a [u8],
    },
    /// `ms` whose block is longer than allowed, as for [`Request::TooLarge`].
    MetaTooLarge {
        /// The key as it was sent.
        key: &'a [u8],
        /// The flags.
        flags: &'a [u8],
    },
    /// `mn`.
    MetaNoop,
}

/// A retrieval command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retrieval {
    /// `get`.
    Get,
    /// `gets`: with versions.
    Gets,
    /// `gat`: and touch.
    Gat,
    /// `gats`: both.
    Gats,
}

/// Keys of a retrieval, separated by spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys<'a>(pub(crate) &'a [u8]);

impl<'a> Keys<'a> {
    /// The only key, if there is one only.
    #[inline]
    pub fn only(self) -> Option<&'a [u8]> {
        memchr(b' ', self.0).is_none().then_some(self.0)
    }

    /// The keys in their order.
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.0.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
    }
}

/// A storage command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage<'a> {
    /// On which condition, and how.
    pub mode: StoreMode,
    /// Where.
    pub key: &'a [u8],
    /// Client flags.
    pub flags: u32,
    /// The exptime, as it was sent.
    pub exptime: i64,
    /// The version to compare with, for [`StoreMode::Cas`].
    pub cas: u64,
    /// The data block.
    pub value: &'a [u8],
    /// No reply is wanted.
    pub is_silent: bool,
}

/// How a storage command stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StoreMode {
    /// `set`: whatever there is.
    Set,
    /// `add`: if there is nothing.
    Add,
    /// `replace`: if there is something.
    Replace,
    /// `append`: behind what there is.
    Append,
    /// `prepend`: before what there is.
    Prepend,
    /// `cas`: if what there is has this version.
    Cas,
}

/// `incr` or `decr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// Adds, and wraps at 2^64.
    Increment,
    /// Subtracts, and stops at 0.
    Decrement,
}

/// A meta command that names a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaVerb {
    /// `mg`.
    Get,
    /// `ms`.
    Set,
    /// `md`.
    Delete,
    /// `ma`.
    Arithmetic,
    /// `me`.
    Debug,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// No such command, or one with too few or too many words.
    Unknown,
    /// A word that is none, or a key that is too long.
    BadLine,
    /// `delete` with something behind the key.
    BadDelete,
    /// A data block that is not ended by `\r\n` where it should be.
    BadDataChunk,
    /// A time that is no number.
    InvalidExptime,
    /// A delta that is no unsigned number of 64 bits.
    InvalidDelta,
    /// A line that is too long; the connection is to be closed.
    LineTooLong,
}

impl Malformed {
    /// The line that answers it.
    pub fn text(self) -> &'static [u8] {
        match self {
            Malformed::Unknown => b"ERROR\r\n",
            Malformed::BadLine => b"CLIENT_ERROR bad command line format\r\n",
            Malformed::BadDelete => b"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n",
            Malformed::BadDataChunk => b"CLIENT_ERROR bad data chunk\r\n",
            Malformed::InvalidExptime => b"CLIENT_ERROR invalid exptime argument\r\n",
            Malformed::InvalidDelta => b"CLIENT_ERROR invalid numeric delta argument\r\n",
            Malformed::LineTooLong => b"CLIENT_ERROR line too long\r\n",
        }
    }

    /// Whether the connection has to be closed behind the answer.
    pub fn closes(self) -> bool {
        self == Malformed::LineTooLong
    }
}

/// Where a connection's stream stands between two calls.
#[derive(Debug, Default)]
pub struct RequestParser {
    skip_bytes: u64,
    searched_bytes: usize,
}

/// A line's words, one after the other.
#[derive(Clone, Copy)]
struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    /// Takes the next word, if there is one.
    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let line = without_leading_spaces(self.0);
        let end = memchr(b' ', line).unwrap_or(line.len());
        self.0 = &line[end..];
        (end > 0).then_some(&line[..end])
    }

    /// How many words are left.
    fn count(self) -> usize {
        self.0.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).count()
    }

    /// What is left, without the spaces around it.
    fn rest(self) -> &'a [u8] {
        let mut rest = without_leading_spaces(self.0);
        while let Some(shorter) = rest.strip_suffix(b" ") {
            rest = shorter;
        }
        rest
    }
}

#[inline]
fn without_leading_spaces(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| *byte != b' ').unwrap_or(text.len());
    &text[start..]
}

/// What a line says, before its block is looked at.
enum Line<'a> {
    Whole(Request<'a>),
    Block { bytes: u64, head: BlockHead<'a> },
}

/// A storage line without its block.
enum BlockHead<'a> {
    Text(Storage<'a>),
    Meta { key: &'a [u8], flags: &'a [u8] },
}

/// What ends a data block.
const BLOCK_END: &[u8; 2] = b"\r\n";

impl RequestParser {
    /// Looks at the request that `input` (not empty) begins with.
    #[inline]
    pub fn parse<'a>(&mut self, input: &'a [u8], limits: &Limits) -> Step<'a> {
        if self.skip_bytes > 0 {
            let consumed = (input.len() as u64).min(self.skip_bytes);
            self.skip_bytes -= consumed;
            return Step::Skipped { consumed: consumed as usize };
        }
        let searched_bytes = self.searched_bytes.min(input.len());
        let Some(found) = memchr(b'\n', &input[searched_bytes..]) else { return self.unended(input) };
        self.searched_bytes = 0;
        let end = searched_bytes + found;
        let line = input[..end].strip_suffix(b"\r").unwrap_or(&input[..end]);
        let consumed = end + 1;
        match read_line(line) {
            Ok(Line::Whole(request)) => Step::Request { consumed, request: Ok(request) },
            Ok(Line::Block { bytes, head }) => self.block(input, consumed, bytes, head, limits),
            Err(malformed) => Step::Request { consumed, request: Err(malformed) },
        }
    }

    /// Forgets where the stream stands: the next input begins with a line.
    pub fn reset(&mut self) {
        *self = RequestParser::default();
    }

    /// A line whose end is not there.
    fn unended<'a>(&mut self, input: &'a [u8]) -> Step<'a> {
        let is_retrieval = input.starts_with(b"get") || input.starts_with(b"gat");
        let bytes_max = if is_retrieval { RETRIEVAL_LINE_BYTES_MAX } else { LINE_BYTES_MAX };
        if input.len() > bytes_max {
            return Step::Request { consumed: input.len(), request: Err(Malformed::LineTooLong) };
        }
        self.searched_bytes = input.len();
        Step::Incomplete { wanted_bytes: 1 }
    }

    /// A line that is there, and the block behind it.
    #[inline]
    fn block<'a>(
        &mut self,
        input: &'a [u8],
        start: usize,
        bytes: u64,
        head: BlockHead<'a>,
        limits: &Limits,
    ) -> Step<'a> {
        if bytes > limits.value_bytes_max {
            self.skip_bytes = bytes + BLOCK_END.len() as u64;
            return Step::Request { consumed: start, request: Ok(too_large(head)) };
        }
        let end = start + bytes as usize;
        let consumed = end + BLOCK_END.len();
        if input.len() < consumed {
            return Step::Incomplete { wanted_bytes: consumed - input.len() };
        }
        if input[end..consumed] != *BLOCK_END {
            return Step::Request { consumed, request: Err(Malformed::BadDataChunk) };
        }
        let value = &input[start..end];
        let request = match head {
            BlockHead::Text(storage) => Request::Store(Storage { value, ..storage }),
            BlockHead::Meta { key, flags } => Request::Meta { verb: MetaVerb::Set, key, flags, value },
        };
        Step::Request { consumed, request: Ok(request) }
    }
}

fn too_large(head: BlockHead<'_>) -> Request<'_> {
    match head {
        BlockHead::Text(Storage { mode, key, is_silent, .. }) => Request::TooLarge { mode, key, is_silent },
        BlockHead::Meta { key, flags } => Request::MetaTooLarge { key, flags },
    }
}

#[inline]
fn read_line(line: &[u8]) -> Result<Line<'_>, Malformed> {
    let mut words = Words(line);
    let name = words.next().ok_or(Malformed::Unknown)?;
    let request = match name {
        b"get" => retrieve(Retrieval::Get, words)?,
        b"set" => return store(StoreMode::Set, words),
        b"mg" => meta(MetaVerb::Get, words)?,
        b"ms" => return meta_set(words),
        b"gets" => retrieve(Retrieval::Gets, words)?,
        b"md" => meta(MetaVerb::Delete, words)?,
        b"ma" => meta(MetaVerb::Arithmetic, words)?,
        b"mn" => Request::MetaNoop,
        b"me" => meta(MetaVerb::Debug, words)?,
        b"delete" => delete(words)?,
        b"incr" => count(Arithmetic::Increment, words)?,
        b"decr" => count(Arithmetic::Decrement, words)?,
        b"add" => return store(StoreMode::Add, words),
        b"replace" => return store(StoreMode::Replace, words),
        b"append" => return store(StoreMode::Append, words),
        b"prepend" => return store(StoreMode::Prepend, words),
        b"cas" => return store(StoreMode::Cas, words),
        b"gat" => retrieve_and_touch(Retrieval::Gat, words)?,
        b"gats" => retrieve_and_touch(Retrieval::Gats, words)?,
        b"touch" => touch(words)?,
        b"flush_all" => flush_all(words)?,
        b"version" => Request::Version,
        b"verbosity" => verbosity(words)?,
        b"stats" => Request::Stats { words: words.rest() },
        b"quit" => Request::Quit,
        _ => return Err(Malformed::Unknown),
    };
    Ok(Line::Whole(request))
}

/// The next word as a key.
#[inline]
fn next_key<'a>(words: &mut Words<'a>) -> Result<&'a [u8], Malformed> {
    let key = words.next().ok_or(Malformed::Unknown)?;
    if key::is_valid(key) { Ok(key) } else { Err(Malformed::BadLine) }
}

#[inline]
fn retrieve(retrieval: Retrieval, words: Words<'_>) -> Result<Request<'_>, Malformed> {
    Ok(Request::Retrieve { retrieval, exptime: 0, keys: keys(words)? })
}

fn retrieve_and_touch(retrieval: Retrieval, mut words: Words<'_>) -> Result<Request<'_>, Malformed> {
    let exptime = words.next().ok_or(Malformed::Unknown)?;
    if words.rest().is_empty() {
        return Err(Malformed::Unknown);
    }
    let exptime = signed(exptime).ok_or(Malformed::InvalidExptime)?;
    Ok(Request::Retrieve { retrieval, exptime, keys: keys(words)? })
}

/// All words left, as keys.
#[inline]
fn keys(words: Words<'_>) -> Result<Keys<'_>, Malformed> {
    let keys = Keys(words.rest());
    if keys.0.is_empty() {
        return Err(Malformed::Unknown);
    }
    if keys.iter().all(key::is_valid) { Ok(keys) } else { Err(Malformed::BadLine) }
}

#[inline]
fn store(mode: StoreMode, mut words: Words<'_>) -> Result<Line<'_>, Malformed> {
    let least = if mode == StoreMode::Cas { 5 } else { 4 };
    if !(least..=least + 1).contains(&words.count()) {
        return Err(Malformed::Unknown);
    }
    let key = next_key(&mut words)?;
    let mut number = || words.next().ok_or(Malformed::BadLine);
    let flags = unsigned(number()?).and_then(|flags| u32::try_from(flags).ok()).ok_or(Malformed::BadLine)?;
    let exptime = signed(number()?).ok_or(Malformed::BadLine)?;
    let bytes = unsigned(number()?).filter(|bytes| *bytes <= BLOCK_BYTES_MAX).ok_or(Malformed::BadLine)?;
    let cas = if mode == StoreMode::Cas { unsigned(number()?).ok_or(Malformed::BadLine)? } else { 0 };
    let is_silent = words.next() == Some(b"noreply");
    let storage = Storage { mode, key, flags, exptime, cas, value: b"", is_silent };
    Ok(Line::Block { bytes, head: BlockHead::Text(storage) })
}

fn delete(mut words: Words<'_>) -> Result<Request<'_>, Malformed> {
    if !(1..=3).contains(&words.count()) {
        return Err(Malformed::Unknown);
    }
    let key = next_key(&mut words)?;
    // A time of 0 was once part of the command, and some clients send it still.
    match (words.next(), words.next()) {
        (None | Some(b"0"), None) => Ok(Request::Delete { key, is_silent: false }),
        (Some(b"noreply"), None) | (Some(b"0"), Some(b"noreply")) => Ok(Request::Delete { key, is_silent: true }),
        _ => Err(Malformed::BadDelete),
    }
}

fn count(arithmetic: Arithmetic, mut words: Words<'_>) -> Result<Request<'_>, Malformed> {
    if !(2..=3).contains(&words.count()) {
        return Err(Malformed::Unknown);
    }
    let key = next_key(&mut words)?;
    let delta = words.next().and_then(unsigned).ok_or(Malformed::InvalidDelta)?;
    Ok(Request::Count { arithmetic, key, delta, is_silent: words.next() == Some(b"noreply") })
}

fn touch(mut words: Words<'_>) -> Result<Request<'_>, Malformed> {
    if !(2..=3).contains(&words.count()) {
        return Err(Malformed::Unknown);
    }
    let key = next_key(&mut words)?;
    let exptime = words.next().and_then(signed).ok_or(Malformed::InvalidExptime)?;
    Ok(Request::Touch { key, exptime, is_silent: words.next() == Some(b"noreply") })
}

fn flush_all(mut words: Words<'_>) -> Result<Request<'_>, Malformed> {
    let is_silent = words.rest().ends_with(b"noreply");
    match (words.count(), words.next()) {
        (0, _) | (1, Some(b"noreply")) => Ok(Request::FlushAll { exptime: 0, is_silent }),
        (1 | 2, Some(exptime)) => {
            let exptime = signed(exptime).ok_or(Malformed::InvalidExptime)?;
            Ok(Request::FlushAll { exptime, is_silent })
        }
        _ => Err(Malformed::Unknown),
    }
}

fn verbosity(mut words: Words<'_>) -> Result<Request<'_>, Malformed> {
    let is_silent = words.rest().ends_with(b"noreply");
    let level = words.next().ok_or(Malformed::Unknown)?;
    unsigned(level).map(|_| Request::Verbosity { is_silent }).ok_or(Malformed::BadLine)
}

fn meta(verb: MetaVerb, mut words: Words<'_>) -> Result<Request<'_>, Malformed> {
    let key = next_key(&mut words)?;
    Ok(Request::Meta { verb, key, flags: words.rest(), value: b"" })
}

fn meta_set(mut words: Words<'_>) -> Result<Line<'_>, Malformed> {
    let key = next_key(&mut words)?;
    let bytes = words.next().and_then(unsigned).filter(|bytes| *bytes <= BLOCK_BYTES_MAX);
    let bytes = bytes.ok_or(Malformed::BadLine)?;
    Ok(Line::Block { bytes, head: BlockHead::Meta { key, flags: words.rest() } })
}

/// The number of 64 bits that `word` spells.
#[inline]
fn unsigned(word: &[u8]) -> Option<u64> {
    if word.is_empty() || word.len() > INTEGER_TEXT_BYTES_MAX {
        return None;
    }
    let mut number = 0u64;
    for byte in word {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(number)
}

/// The number that `word` spells, with a sign or without.
#[inline]
fn signed(word: &[u8]) -> Option<i64> {
    match word.strip_prefix(b"-") {
        Some(digits) => 0i64.checked_sub_unsigned(unsigned(digits)?),
        None => i64::try_from(unsigned(word)?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { value_bytes_max: 1024 };

    fn only(line: &str) -> Result<Request<'_>, Malformed> {
        match RequestParser::default().parse(line.as_bytes(), &LIMITS) {
            Step::Request { consumed, request } => {
                assert!(consumed <= line.len(), "{line:?}");
                request
            }
            other => panic!("{line:?}: {other:?}"),
        }
    }

    #[test]
    fn storage_lines_bring_their_block() {
        let expected = Storage {
            mode: StoreMode::Cas,
            key: b"key",
            flags: 5,
            exptime: -1,
            cas: 77,
            value: b"a\nb",
            is_silent: true,
        };
        assert_eq!(only("cas key 5 -1 3 77 noreply\r\na\nb\r\n"), Ok(Request::Store(expected)));
        assert_eq!(only("set key 5 0 3\r\nabcde"), Err(Malformed::BadDataChunk));
    }

    #[test]
    fn lines_that_are_none_are_told_apart() {
        let cases = [
            ("GET a\r\n", Malformed::Unknown),
            ("\r\n", Malformed::Unknown),
            ("get\r\n", Malformed::Unknown),
            ("set k 0 0\r\n", Malformed::Unknown),
            ("set k x 0 1\r\n", Malformed::BadLine),
            ("set k 0 0 -1\r\n", Malformed::BadLine),
            ("delete k 10\r\n", Malformed::BadDelete),
            ("incr k x\r\n", Malformed::InvalidDelta),
            ("touch k x\r\n", Malformed::InvalidExptime),
            ("get a\x01\r\n", Malformed::BadLine),
        ];
        for (line, expected) in cases {
            assert_eq!(only(line), Err(expected), "{line:?}");
        }
    }

    #[test]
    fn the_same_bytes_in_pieces_are_the_same_requests() {
        let head = b"get a\r\nset b 0 0 3\r\na\r\n\r\nset big 0 0 2000\r\n";
        let tail = b"\r\nmg k v\nms k 2 T0\r\nab\r\nbad\r\nmn\r\n";
        let stream = [&head[..], &[b'x'; 2000], tail].concat();
        let whole = requests(&stream, stream.len());
        assert_eq!(whole.len(), 7);
        for split in 1..stream.len() {
            assert_eq!(requests(&stream, split), whole, "split at {split}");
        }
    }

    /// The requests of `stream`, of which the first `split` bytes come before the rest.
    fn requests(stream: &[u8], split: usize) -> Vec<String> {
        let (mut parser, mut found, mut position) = (RequestParser::default(), Vec::new(), 0);
        for end in [split, stream.len()] {
            while position < end {
                match parser.parse(&stream[position..end], &LIMITS) {
                    Step::Request { consumed, request } => {
                        found.push(format!("{request:?}"));
                        position += consumed;
                    }
                    Step::Skipped { consumed } => position += consumed,
                    Step::Incomplete { .. } => break,
                }
            }
        }
        assert_eq!(position, stream.len());
        found
    }
}
