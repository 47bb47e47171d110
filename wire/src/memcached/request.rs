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
        todo!()
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

/// What is wrong with a line; the connection goes on, unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// No such command: `ERROR`.
    Unknown,
    /// `CLIENT_ERROR bad command line format`.
    BadLine,
    /// `CLIENT_ERROR bad data chunk`.
    BadDataChunk,
    /// `CLIENT_ERROR invalid exptime argument`.
    InvalidExptime,
    /// `CLIENT_ERROR invalid numeric delta argument`.
    InvalidDelta,
    /// A line that is too long; the connection is to be closed.
    LineTooLong,
}

impl Malformed {
    /// The line that answers it.
    pub fn text(self) -> &'static [u8] {
        todo!()
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

impl RequestParser {
    /// Looks at the request that `input` (not empty) begins with.
    #[inline]
    pub fn parse<'a>(&mut self, _input: &'a [u8], _limits: &Limits) -> Step<'a> {
        todo!()
    }

    /// Forgets where the stream stands: the next input begins with a line.
    pub fn reset(&mut self) {
        *self = RequestParser::default();
    }
}
