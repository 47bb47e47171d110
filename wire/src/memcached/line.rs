//! One line of a request: its words, and what they ask for.
//!
//! Words are separated by one space or more; spaces may also stand before the first and behind the last. A word
//! `noreply` at the end of a text command asks for silence, about errors too.

use std::ops::RangeInclusive;

use memchr::memchr;

use super::key;
use super::request::{Arithmetic, Keys, Malformed, MetaVerb, Request, Retrieval, Storage, StoreMode};
use crate::limits::MEMCACHED_BLOCK_BYTES_MAX as BLOCK_BYTES_MAX;

/// What a line says, before its block is looked at.
pub(super) enum Line<'a> {
    /// All there is to say.
    Whole(Request<'a>),
    /// That a block follows.
    Block(Block<'a>),
}

/// A storage line, of which the block is missing.
#[derive(Clone, Copy)]
pub(super) enum Block<'a> {
    /// That of a text command.
    Text {
        /// Length of the block.
        bytes: u64,
        /// The rest.
        storage: Storage<'a>,
    },
    /// That of `ms`.
    Meta {
        /// Length of the block.
        bytes: u64,
        /// The key as it was sent.
        key: &'a [u8],
        /// The flags.
        flags: &'a [u8],
    },
}

impl Block<'_> {
    /// Length of the block.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Block::Text { bytes, .. } | Block::Meta { bytes, .. } => *bytes,
        }
    }

    /// Whether errors are not to be told. The quiet mode of `ms` hides no errors.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self, Block::Text { storage: Storage { is_silent: true, .. }, .. })
    }
}

/// Why a line is none.
#[derive(Debug)]
pub(super) struct Refusal {
    /// What is wrong with it.
    pub(super) malformed: Malformed,
    /// No reply is wanted.
    pub(super) is_silent: bool,
    /// Length of the block that it announces nevertheless.
    pub(super) block_bytes: Option<u64>,
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Refusal {
        Refusal { malformed, is_silent: false, block_bytes: None }
    }
}

/// The words of a line.
#[derive(Clone, Debug)]
pub(super) struct Words<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let text = without_leading_spaces(self.0);
        let mut end = key::end(text, 0);
        if text.get(end).is_some_and(|byte| *byte != b' ') {
            end = memchr(b' ', text).unwrap_or(text.len());
        }
        let (word, rest) = text.split_at(end);
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }
}

impl<'a> Words<'a> {
    /// The words that are left as they lie there, without spaces around them.
    fn rest(self) -> &'a [u8] {
        trimmed(self.0)
    }

    /// The words that are left, if there are as many as a command takes.
    fn take(self, counts: RangeInclusive<usize>) -> Result<Taken<'a>, Malformed> {
        let mut taken = Taken { words: [b""; WORD_COUNT_MAX], count: 0 };
        for word in self {
            if taken.count == *counts.end() {
                return Err(Malformed::Unknown);
            }
            taken.words[taken.count] = word;
            taken.count += 1;
        }
        if counts.contains(&taken.count) { Ok(taken) } else { Err(Malformed::Unknown) }
    }
}

/// `text` without spaces around it.
#[inline]
pub(super) fn trimmed(text: &[u8]) -> &[u8] {
    let text = without_leading_spaces(text);
    let end = text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    &text[..end]
}

#[inline]
fn without_leading_spaces(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| *byte != b' ').unwrap_or(text.len());
    &text[start..]
}

/// Most words behind the verb of a text command that names no list of keys; `cas` has them.
const WORD_COUNT_MAX: usize = 6;

/// The words behind a verb; those that were not sent are empty.
struct Taken<'a> {
    words: [&'a [u8]; WORD_COUNT_MAX],
    count: usize,
}

impl Taken<'_> {
    /// Whether the last word asks for silence.
    fn is_silent(&self) -> bool {
        self.count > 0 && self.words[self.count - 1] == b"noreply"
    }

    /// A refusal that is silent where the client wants it so.
    fn refuse(&self, malformed: Malformed) -> Refusal {
        Refusal { malformed, is_silent: self.is_silent(), block_bytes: None }
    }
}

/// Whether a line that begins with these bytes may be one that names many keys.
pub(super) fn is_retrieval(begin: &[u8]) -> bool {
    matches!(Words(begin).next(), Some(b"get" | b"gets" | b"gat" | b"gats"))
}

/// What `line`, without its end, asks for.
///
/// # Errors
/// [`Refusal`] when it is no request.
pub(super) fn read(line: &[u8]) -> Result<Line<'_>, Refusal> {
    let mut words = Words(line);
    let request = match words.next().unwrap_or(b"") {
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
        _ if words.clone().last().is_some_and(|word| word.starts_with(b"HTTP/")) => return Err(Malformed::Http.into()),
        _ => return Err(Malformed::Unknown.into()),
    };
    Ok(Line::Whole(request))
}

fn retrieve(retrieval: Retrieval, words: Words<'_>) -> Result<Request<'_>, Malformed> {
    Ok(Request::Retrieve { retrieval, exptime: 0, keys: keys(words)? })
}

/// memcached answers `gat` and a time alone with `END`; that no key is named is as much an error as it is for `get`.
fn retrieve_and_touch(retrieval: Retrieval, mut words: Words<'_>) -> Result<Request<'_>, Malformed> {
    let exptime = words.next().ok_or(Malformed::Unknown)?;
    let exptime = signed(exptime).ok_or(Malformed::InvalidExptime)?;
    Ok(Request::Retrieve { retrieval, exptime, keys: keys(words)? })
}

/// All words left, as keys. One bad key refuses the line, of which nothing has been answered then.
fn keys(words: Words<'_>) -> Result<Keys<'_>, Malformed> {
    match words.rest() {
        b"" => Err(Malformed::Unknown),
        rest => Keys::many(rest).ok_or(Malformed::BadLine),
    }
}

/// A storage line: key, flags, exptime, length, the version for `cas`, `noreply`. What stands in place of `noreply` is
/// passed over.
fn store(mode: StoreMode, words: Words<'_>) -> Result<Line<'_>, Refusal> {
    let counts = if mode == StoreMode::Cas { 5..=6 } else { 4..=5 };
    let taken = words.take(counts)?;
    let is_silent = taken.is_silent();
    let [key, flags, exptime, bytes, fifth, _] = taken.words;
    let cas = if mode == StoreMode::Cas { fifth } else { b"0" };
    let block_bytes = block_bytes(bytes);
    let storage = (|| {
        let key = valid(key)?;
        let flags = u32::try_from(unsigned(flags)?).ok()?;
        Some(Storage { mode, key, flags, exptime: signed(exptime)?, cas: unsigned(cas)?, value: b"", is_silent })
    })();
    match (storage, block_bytes) {
        (Some(storage), Some(bytes)) => Ok(Line::Block(Block::Text { bytes, storage })),
        _ => Err(Refusal { malformed: Malformed::BadLine, is_silent, block_bytes }),
    }
}

fn delete(words: Words<'_>) -> Result<Request<'_>, Refusal> {
    let taken = words.take(1..=3)?;
    let [key, second, third, ..] = taken.words;
    // A time of 0 was once part of the command, and some clients send it still.
    let is_silent = match (second, third) {
        (b"" | b"0", b"") => false,
        (b"noreply", b"") | (b"0", b"noreply") => true,
        _ => return Err(taken.refuse(Malformed::BadDelete)),
    };
    match valid(key) {
        Some(key) => Ok(Request::Delete { key, is_silent }),
        None => Err(Refusal { malformed: Malformed::BadLine, is_silent, block_bytes: None }),
    }
}

fn count(arithmetic: Arithmetic, words: Words<'_>) -> Result<Request<'_>, Refusal> {
    let taken = words.take(2..=3)?;
    let key = valid(taken.words[0]).ok_or_else(|| taken.refuse(Malformed::BadLine))?;
    let delta = unsigned(taken.words[1]).ok_or_else(|| taken.refuse(Malformed::InvalidDelta))?;
    Ok(Request::Count { arithmetic, key, delta, is_silent: taken.is_silent() })
}

fn touch(words: Words<'_>) -> Result<Request<'_>, Refusal> {
    let taken = words.take(2..=3)?;
    let key = valid(taken.words[0]).ok_or_else(|| taken.refuse(Malformed::BadLine))?;
    let exptime = signed(taken.words[1]).ok_or_else(|| taken.refuse(Malformed::InvalidExptime))?;
    Ok(Request::Touch { key, exptime, is_silent: taken.is_silent() })
}

fn flush_all(words: Words<'_>) -> Result<Request<'_>, Refusal> {
    let taken = words.take(0..=2)?;
    let is_silent = taken.is_silent();
    let exptime = match taken.count - usize::from(is_silent) {
        0 => 0,
        _ => signed(taken.words[0]).ok_or_else(|| taken.refuse(Malformed::InvalidExptime))?,
    };
    Ok(Request::FlushAll { exptime, is_silent })
}

fn verbosity(words: Words<'_>) -> Result<Request<'_>, Refusal> {
    let taken = words.take(1..=2)?;
    match unsigned(taken.words[0]) {
        Some(_) => Ok(Request::Verbosity { is_silent: taken.is_silent() }),
        None => Err(taken.refuse(Malformed::BadLine)),
    }
}

fn meta(verb: MetaVerb, mut words: Words<'_>) -> Result<Request<'_>, Malformed> {
    let missing = if verb == MetaVerb::Debug { Malformed::BadLine } else { Malformed::Unknown };
    let key = words.next().ok_or(missing)?;
    let key = valid(key).ok_or(Malformed::BadLine)?;
    Ok(Request::Meta { verb, key, flags: words.rest(), value: b"" })
}

fn meta_set(mut words: Words<'_>) -> Result<Line<'_>, Refusal> {
    let key = words.next().ok_or(Malformed::Unknown)?;
    let block_bytes = words.next().and_then(block_bytes);
    match (valid(key), block_bytes) {
        (Some(key), Some(bytes)) => Ok(Line::Block(Block::Meta { bytes, key, flags: words.rest() })),
        _ => Err(Refusal { malformed: Malformed::BadLine, is_silent: false, block_bytes }),
    }
}

#[inline]
fn valid(key: &[u8]) -> Option<&[u8]> {
    key::is_valid(key).then_some(key)
}

/// The length of a block that `word` spells, if a block may be announced as long.
fn block_bytes(word: &[u8]) -> Option<u64> {
    unsigned(word).filter(|bytes| *bytes <= BLOCK_BYTES_MAX)
}

/// The number of 64 bits that `word` spells; as in memcached, a plus sign and leading zeros do not matter.
pub(super) fn unsigned(word: &[u8]) -> Option<u64> {
    let digits = word.strip_prefix(b"+").unwrap_or(word);
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { number.checked_mul(10)?.checked_add(u64::from(digit)) }
    })
}

/// The number that `word` spells, with a sign or without.
pub(super) fn signed(word: &[u8]) -> Option<i64> {
    match word.strip_prefix(b"-") {
        Some([b'0'..=b'9', ..]) => 0i64.checked_sub_unsigned(unsigned(&word[1..])?),
        Some(_) => None,
        None => i64::try_from(unsigned(word)?).ok(),
    }
}
