//! One record of the log, and the frames it is written in.
//!
//! A record is one frame, or, when it is longer than [`FRAME_BYTES_MAX`], several with the same number, so
//! that a long value runs over the end of a segment into the next.
//!
//! ```text
//! byte 0        4          8          16     17      18    19      20            24
//!      ┌────────┬──────────┬──────────┬──────┬───────┬─────┬───────┬─────────────┬──────────────────┬─────────┐
//!      │ crc32  │ length   │ lsn      │ kind │ flags │ db  │ other │ key_bytes   │ fields, key, rest │ padding │
//!      │ u32    │ u32      │ u64      │ u8   │ u8    │ u8  │ u8    │ u32         │                  │ to 8    │
//!      └────────┴──────────┴──────────┴──────┴───────┴─────┴───────┴─────────────┴──────────────────┴─────────┘
//! length    bytes of the frame without padding, the 24 of its head included
//! crc32     over everything from `length` on to the end, seeded with the segment's seed
//! flags     bit 0 GROUPED: belongs to a group that a Commit ends
//!           bit 1 MORE: the record goes on in the next frame, which is of kind Continuation
//!           bit 2 EXPIRY, bit 3 CLIENT_FLAGS: that field is there
//!           bit 4 INTEGER: the value is an i64
//! kinds     1 Put           fields: expiry u64 if EXPIRY, client flags u32 if CLIENT_FLAGS; rest: value
//!           2 Splice        fields: base u64, offset u64; rest: bytes
//!           3 Delete        other: why (0 deleted, 1 expired, 2 evicted)
//!           4 SetExpiry     fields: base u64, expiry u64 if EXPIRY (else it is taken away)
//!           5 Flush         db: which, 255 means all
//!           6 Swap          db and other: which two
//!           7 Commit        the records since the last ungrouped one are one step
//!           8 Mark          fields: durable lsn u64
//!           9 End           the log ends here, by intent
//!          10 Continuation  key_bytes: which frame of its record (1, 2, ...); rest: more of its bytes
//! ```
//!
//! All numbers are little-endian. `base` is the version (the number of the last change) that the entry had
//! before, 0 if there was no entry: a replay that finds another one does not fit the log.

use crate::entry::Value;
use crate::key::Db;
use crate::lsn::Lsn;
use crate::time::Millis;

/// A change as the log keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its number.
    pub lsn: Lsn,
    /// Whether it belongs to a group that a [`Body::Commit`] ends.
    pub is_grouped: bool,
    /// What it says.
    pub body: Body<'a>,
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// The key holds this value from here on, whatever it held before.
    Put {
        /// In which database.
        db: Db,
        /// The key.
        key: &'a [u8],
        /// Its value.
        value: Value<'a>,
        /// Its expiry.
        expiry: Option<Millis>,
        /// Its client flags.
        client_flags: u32,
    },
    /// These bytes of the value were overwritten; see [`Op::Splice`](crate::Op::Splice).
    Splice {
        /// In which database.
        db: Db,
        /// The key.
        key: &'a [u8],
        /// The version the entry had before, 0 for none.
        base: u64,
        /// Where in the value.
        offset: u64,
        /// The new bytes.
        bytes: &'a [u8],
    },
    /// The key is gone.
    Delete {
        /// From which database.
        db: Db,
        /// The key.
        key: &'a [u8],
        /// Why.
        removal: Removal,
    },
    /// The expiry of an existing key changed.
    SetExpiry {
        /// In which database.
        db: Db,
        /// The key.
        key: &'a [u8],
        /// The version the entry had before.
        base: u64,
        /// The new expiry, or none.
        expiry: Option<Millis>,
    },
    /// One database is empty, or all are.
    Flush {
        /// Which; `None` means all.
        db: Option<Db>,
    },
    /// Two databases changed places.
    Swap {
        /// One.
        first: Db,
        /// The other.
        second: Db,
    },
    /// The grouped records before this one are one step.
    Commit,
    /// The log was durable up to and including `durable` when this was appended.
    Mark {
        /// Up to where.
        durable: Lsn,
    },
    /// The log ends here.
    End,
}

/// Why an entry went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Somebody asked for it.
    Deleted,
    /// Its time was over.
    Expired,
    /// Memory was needed.
    Evicted,
}

/// Bytes of a frame's head.
pub(crate) const FRAME_HEAD_BYTES: usize = 24;
/// Longest frame, in bytes.
pub(crate) const FRAME_BYTES_MAX: usize = 1024 * 1024;
