//! What a client of memcached may ask for, and what may be wrong with how it asks.
//!
//! Nothing here is copied: keys and blocks lie in the bytes that [`RequestParser`](super::RequestParser) was given.

use super::key;
use super::line::Words;

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
    /// A storage command whose block is longer than allowed: the block will be skipped. What a `set` would have
    /// replaced is to go, so that nobody reads what the client believes replaced.
    TooLarge {
        /// How it was to be stored.
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

/// Keys of a retrieval, at least one, each of them checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys<'a> {
    /// The keys, with spaces between them.
    words: &'a [u8],
    count: u32,
}

impl<'a> Keys<'a> {
    /// A single key.
    #[inline]
    pub(super) fn one(key: &'a [u8]) -> Keys<'a> {
        Keys { words: key, count: 1 }
    }

    /// The keys that `words` holds, which begins and ends with one of them; `None` if there is none, or one that is
    /// no valid key.
    pub(super) fn many(words: &'a [u8]) -> Option<Keys<'a>> {
        let mut count = 0;
        for word in Words(words) {
            if !key::is_valid(word) {
                return None;
            }
            count += 1;
        }
        (count > 0).then_some(Keys { words, count })
    }

    /// The only key, if there is one only.
    #[inline]
    pub fn only(self) -> Option<&'a [u8]> {
        (self.count == 1).then_some(self.words)
    }

    /// How many there are.
    #[inline]
    pub fn count(self) -> usize {
        self.count as usize
    }

    /// The keys in their order.
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        Words(self.words)
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

/// What is wrong with a line or its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// No such command, or one with too few or too many words.
    Unknown,
    /// A number that is none, or a key that may not be one.
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
    /// A request line of HTTP, as a browser sends that was lured here; the connection is to be closed, without a word.
    Http,
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
            Malformed::Http => b"",
        }
    }

    /// Whether the connection has to be closed behind the answer.
    pub fn closes(self) -> bool {
        matches!(self, Malformed::LineTooLong | Malformed::Http)
    }
}
