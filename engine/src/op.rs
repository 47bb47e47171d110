//! Every change a shard knows, as data.
//!
//! An op is an effect: it carries the final value and the absolute expiry, so that applying it again
//! to the same state gives the same state. Commands (INCR, SET NX, ...) read first and then apply the op
//! they came to; a shard has one owner, so nothing can happen in between.

use crate::entry::Value;
use crate::key::{Db, Key};
use crate::time::Millis;

/// One change of a shard.
#[derive(Clone, Copy, Debug)]
pub enum Op<'a> {
    /// Make `key` hold `value`, whatever it held before.
    Put {
        /// What to write.
        key: Key<'a>,
        /// Its new value.
        value: Value<'a>,
        /// What becomes of its expiry.
        expiry: ExpiryChange,
        /// What becomes of its client flags.
        client_flags: FlagsChange,
    },
    /// Overwrite `bytes.len()` bytes of the value at `offset`; a gap behind the old end is filled with
    /// zeros, a missing key starts empty, expiry and flags stay.
    Splice {
        /// What to change.
        key: Key<'a>,
        /// Where in the value, in bytes.
        offset: usize,
        /// What to write there.
        bytes: &'a [u8],
    },
    /// Remove `key`.
    Delete {
        /// What to remove.
        key: Key<'a>,
    },
    /// Declare the value of an existing `key` out of date, until a [`Op::Put`] writes it whole; an expiry that is over
    /// removes it.
    Invalidate {
        /// Whose value.
        key: Key<'a>,
        /// What becomes of its expiry.
        expiry: ExpiryChange,
    },
    /// Set (`Some`) or take away (`None`) the expiry of an existing `key`; a time that is over removes it.
    SetExpiry {
        /// Whose expiry.
        key: Key<'a>,
        /// The new one.
        expiry: Option<Millis>,
    },
    /// Note until `expiry` that there is nothing to be cached under `key`, whatever it held before; readers of values see
    /// no entry.
    PutAbsent {
        /// What is absent.
        key: Key<'a>,
        /// When the note ends.
        expiry: Millis,
    },
    /// Make `key` hold a lock, whatever it held before; the shard's fence is `token` at least from then on.
    Lock {
        /// The lock's name.
        key: Key<'a>,
        /// The fencing token of its holder.
        token: u64,
        /// When the lock ends.
        expiry: Millis,
    },
    /// Remove every entry of a database whose key begins with `prefix`: no reader sees one from then on, and their memory
    /// comes back by and by.
    DeletePrefix {
        /// In which database.
        db: Db,
        /// What the keys begin with.
        prefix: &'a [u8],
    },
    /// Remove every entry of one database, or of all.
    Flush {
        /// Which database; `None` means all.
        db: Option<Db>,
    },
    /// Exchange the contents of two databases.
    Swap {
        /// One of the two.
        first: Db,
        /// The other.
        second: Db,
    },
}

impl<'a> Op<'a> {
    /// The one key that is changed, if there is just one.
    #[inline]
    pub fn key(&self) -> Option<Key<'a>> {
        match *self {
            Op::Put { key, .. }
            | Op::Splice { key, .. }
            | Op::Delete { key }
            | Op::Invalidate { key, .. }
            | Op::SetExpiry { key, .. }
            | Op::PutAbsent { key, .. }
            | Op::Lock { key, .. } => Some(key),
            Op::DeletePrefix { .. } | Op::Flush { .. } | Op::Swap { .. } => None,
        }
    }
}

/// What a [`Op::Put`] or [`Op::Invalidate`] does to the entry's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryChange {
    /// The entry keeps the one it has, if any.
    Keep,
    /// The entry has none.
    Clear,
    /// The entry expires at this instant, as far as the [`TtlPolicy`](crate::TtlPolicy) lets it.
    At(Millis),
    /// The entry expires at this instant, whatever the policy says.
    Exactly(Millis),
    /// As [`ExpiryChange::At`] with `until`; the value is kept for a grace behind that, in which only [`Shard::look`]
    /// shows it.
    ///
    /// [`Shard::look`]: crate::Shard::look
    Graced {
        /// When the value ends.
        until: Millis,
        /// For how long it is kept then, in milliseconds.
        grace_ms: u32,
        /// How long it took to make, in milliseconds.
        cost_ms: u32,
    },
}

/// What a [`Op::Put`] does to the entry's client flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagsChange {
    /// The entry keeps what it has.
    Keep,
    /// The entry has these.
    Set(u32),
}

/// What an op did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The entry existed before (for a flush: anything did).
    pub existed: bool,
    /// The version the entry has now; 0 if there is none.
    pub version: u64,
}

/// Why an op was not carried out; the shard is as it was, but for evictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The memory limit is reached and the policy has nothing to evict.
    OutOfMemory {
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// The log has no room for the change: the disk is full.
    LogFull,
    /// The value is to have a time to live and has none.
    TtlRequired,
    /// As many prefixes as there may be are being deleted.
    TooManyPrefixes {
        /// How many.
        count: usize,
    },
    /// The key is longer than [`KEY_BYTES_MAX`](crate::limits::KEY_BYTES_MAX).
    KeyTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The value would be longer than [`VALUE_BYTES_MAX`](crate::limits::VALUE_BYTES_MAX).
    ValueTooLong {
        /// Its length.
        bytes: usize,
    },
}
