//! One record of the log, and what its frames hold.
//!
//! A record is one frame, or, when it is longer than a frame may be, several with the same number, so that a long
//! value runs over the end of a segment into the next.
//!
//! ```text
//!      ┌──────────────────┬────────┬─────┬──────┐     ┌──────────────────┬───────────┐
//!      │ head, 24 bytes   │ fields │ key │ rest │     │ head, 24 bytes   │ more rest │      see frame.rs for the head
//!      └──────────────────┴────────┴─────┴──────┘     └──────────────────┴───────────┘
//!       first frame (MORE if another follows)          Continuation (MORE if another follows)
//!
//! flags     bit 0 GROUPED: belongs to a group that a Commit ends
//!           bit 1 MORE: the record goes on in the next frame, which is of kind Continuation
//!           bit 2 EXPIRY, bit 3 CLIENT_FLAGS, bit 4 INTEGER, bit 5 GRACE: that field is there
//!
//! kind             fields, in this order                             rest     db      other
//!  1 Put           expiry u64 if EXPIRY, client flags u32 if         value    which
//!                  CLIENT_FLAGS, grace u32 and cost u32 if GRACE,
//!                  value i64 if INTEGER (no rest then)
//!  2 Splice        base u64, offset u64                              bytes    which
//!  3 Delete                                                                   which   0 deleted, 1 expired, 2 evicted
//!  4 SetExpiry     base u64, expiry u64 if EXPIRY (else taken away)           which
//!  5 Flush                                                                    which, 255 means all
//!  6 Swap                                                                     one     the other one
//!  7 Commit        the grouped records since the last Commit are one step
//!  8 Mark          durable lsn u64
//!  9 End           the log ends here, by intent
//! 10 Continuation                                                    more of the record's contents
//! 11 Invalidate    base u64, expiry u64 if EXPIRY (else it has none),         which
//!                  grace u32 and cost u32 if GRACE
//! 12 DeletePrefix  (the key is the prefix)                                    which
//! 13 PutAbsent     expiry u64 (EXPIRY is set)                                 which
//! 14 Lock          expiry u64 (EXPIRY is set), token u64                      which
//! ```
//!
//! Kind 11 is in segments from format version 2 on; the kinds after it and the flag GRACE are from version 3 on. The
//! expiry of a value with a grace is where the grace ends. A grace is not longer than that, and there is none without an
//! expiry.
//!
//! All numbers are little-endian; what a kind has no use for is 0. `base` is the version (the number of the last
//! change) that the entry had before, 0 if there was no entry: a replay that finds another one does not fit the log.
//!
//! A record is valid when all its frames are: a frame becomes so with its checksum, which is stored last. A process
//! killed within a record leaves at most its first frames, and a reader goes back to where the record began.

use crate::entry::{Grace, VERSION_MAX, Value};
use crate::key::Db;
use crate::limits::{DATABASE_COUNT_MAX, KEY_BYTES_MAX, PREFIX_BYTES_MAX, TOKEN_MAX, VALUE_BYTES_MAX};
use crate::lsn::Lsn;
use crate::time::Millis;
use crate::wal::frame::{self, DB_ALL, FRAME_HEAD_BYTES, Head, flag, kind};
use crate::wal::segment::SegmentHeader;

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
        /// Its grace, which ends at its expiry.
        grace: Grace,
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
    /// The value of an existing key was declared out of date, and its expiry may have changed.
    Invalidate {
        /// In which database.
        db: Db,
        /// The key.
        key: &'a [u8],
        /// The version the entry had before.
        base: u64,
        /// The expiry it has now, or none.
        expiry: Option<Millis>,
        /// The grace it has now.
        grace: Grace,
    },
    /// There is nothing under the key from here on, whatever it held before.
    PutAbsent {
        /// In which database.
        db: Db,
        /// The key.
        key: &'a [u8],
        /// Until when that is known.
        expiry: Millis,
    },
    /// The key holds a lock from here on, whatever it held before.
    Lock {
        /// In which database.
        db: Db,
        /// The lock's name.
        key: &'a [u8],
        /// The token of its holder, 2^63 - 1 at most.
        token: u64,
        /// When it ends.
        expiry: Millis,
    },
    /// No key of a database begins with this any more.
    DeletePrefix {
        /// Which database.
        db: Db,
        /// What they began with, 1 to [`PREFIX_BYTES_MAX`] bytes.
        prefix: &'a [u8],
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

/// Most bytes that the fields of a record take.
pub(super) const FIELD_BYTES_MAX: usize = 28;
/// Most bytes of a record, the heads of continuations left out.
pub(super) const RECORD_BYTES_MAX: usize = FRAME_HEAD_BYTES + FIELD_BYTES_MAX + KEY_BYTES_MAX + VALUE_BYTES_MAX;

const _: () = assert!(RECORD_BYTES_MAX <= u32::MAX as usize);

/// An [`Body::End`] with the number `lsn`, as it stands in the segment of `header`: for whoever ends a log that
/// nobody has open.
pub fn end_frame(header: &SegmentHeader, lsn: Lsn) -> [u8; FRAME_HEAD_BYTES] {
    let mut frame = [0; FRAME_HEAD_BYTES];
    let mut parts = Parts::new();
    parts.fill(false, &Body::End);
    parts.head(lsn).write(&mut frame, FRAME_HEAD_BYTES);
    frame::seal(&mut frame, header.seed());
    frame
}

/// A record in the pieces that frames are made of.
pub(super) struct Parts<'a> {
    kind: u8,
    flags: u8,
    db: u8,
    other: u8,
    fields: [u8; FIELD_BYTES_MAX],
    field_bytes: usize,
    key: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Nothing yet: see [`Parts::fill`].
    #[inline]
    pub(super) fn new() -> Parts<'a> {
        Parts { kind: 0, flags: 0, db: 0, other: 0, fields: [0; FIELD_BYTES_MAX], field_bytes: 0, key: &[], rest: &[] }
    }

    /// Takes `body` apart. In place: a copy of fields just stored makes the processor wait, for a third of an append.
    ///
    /// # Panics
    /// When it is beyond the engine's limits, so that it could not be read back.
    #[inline]
    pub(super) fn fill(&mut self, is_grouped: bool, body: &Body<'a>) {
        let parts = self;
        parts.flags = if is_grouped { flag::GROUPED } else { 0 };
        match *body {
            Body::Put { db, key, value, expiry, client_flags, grace } => {
                parts.name(kind::PUT, db, key);
                if let Some(at) = expiry {
                    parts.flags |= flag::EXPIRY;
                    parts.push(at.0.to_le_bytes());
                }
                if client_flags != 0 {
                    parts.flags |= flag::CLIENT_FLAGS;
                    parts.push(client_flags.to_le_bytes());
                }
                parts.push_grace(grace);
                match value {
                    Value::Bytes(bytes) => parts.rest = bytes,
                    Value::Integer(integer) => {
                        parts.flags |= flag::INTEGER;
                        parts.push(integer.to_le_bytes());
                    }
                }
            }
            Body::Splice { db, key, base, offset, bytes } => {
                parts.name(kind::SPLICE, db, key);
                assert!(offset <= VALUE_BYTES_MAX.saturating_sub(bytes.len()) as u64, "a value is within its limit");
                parts.push(base.to_le_bytes());
                parts.push(offset.to_le_bytes());
                parts.rest = bytes;
            }
            Body::Delete { db, key, removal } => {
                parts.name(kind::DELETE, db, key);
                parts.other = removal.to_byte();
            }
            Body::SetExpiry { db, key, base, expiry } => {
                parts.name(kind::SET_EXPIRY, db, key);
                parts.push_attributes(base, expiry);
            }
            Body::Invalidate { db, key, base, expiry, grace } => {
                parts.name(kind::INVALIDATE, db, key);
                parts.push_attributes(base, expiry);
                parts.push_grace(grace);
            }
            Body::PutAbsent { db, key, expiry } => {
                parts.name(kind::PUT_ABSENT, db, key);
                parts.push_expiry(expiry);
            }
            Body::Lock { db, key, token, expiry } => {
                parts.name(kind::LOCK, db, key);
                assert!(token <= TOKEN_MAX, "a token is within its limit");
                parts.push_expiry(expiry);
                parts.push(token.to_le_bytes());
            }
            Body::DeletePrefix { db, prefix } => {
                assert!((1..=PREFIX_BYTES_MAX).contains(&prefix.len()), "a prefix is within its limits");
                parts.name(kind::DELETE_PREFIX, db, prefix);
            }
            Body::Flush { db: None } => (parts.kind, parts.db) = (kind::FLUSH, DB_ALL),
            Body::Flush { db: Some(db) } => parts.name(kind::FLUSH, db, &[]),
            Body::Swap { first, second } => {
                parts.name(kind::SWAP, first, &[]);
                assert!(usize::from(second.0) < DATABASE_COUNT_MAX, "a database is within its limit");
                parts.other = second.0;
            }
            Body::Commit => parts.kind = kind::COMMIT,
            Body::Mark { durable } => {
                parts.kind = kind::MARK;
                parts.push(durable.0.to_le_bytes());
            }
            Body::End => parts.kind = kind::END,
        }
        assert!(parts.key.len() <= KEY_BYTES_MAX, "a key is within its limit");
        assert!(parts.rest.len() <= VALUE_BYTES_MAX, "a value is within its limit");
    }

    #[inline]
    fn name(&mut self, kind: u8, db: Db, key: &'a [u8]) {
        assert!(usize::from(db.0) < DATABASE_COUNT_MAX, "a database is within its limit");
        (self.kind, self.db, self.key) = (kind, db.0, key);
    }

    #[inline]
    fn push<const BYTES: usize>(&mut self, field: [u8; BYTES]) {
        self.fields[self.field_bytes..self.field_bytes + BYTES].copy_from_slice(&field);
        self.field_bytes += BYTES;
    }

    /// The fields of a change that leaves the value as it is.
    #[inline]
    fn push_attributes(&mut self, base: u64, expiry: Option<Millis>) {
        self.push(base.to_le_bytes());
        if let Some(at) = expiry {
            self.push_expiry(at);
        }
    }

    #[inline]
    fn push_expiry(&mut self, at: Millis) {
        self.flags |= flag::EXPIRY;
        self.push(at.0.to_le_bytes());
    }

    #[inline]
    fn push_grace(&mut self, grace: Grace) {
        if grace != Grace::NONE {
            self.flags |= flag::GRACE;
            self.push(grace.grace_ms.to_le_bytes());
            self.push(grace.cost_ms.to_le_bytes());
        }
    }

    /// The head of the record's first frame.
    #[inline]
    pub(super) fn head(&self, lsn: Lsn) -> Head {
        let Parts { kind, flags, db, other, .. } = *self;
        Head { lsn, kind, flags, db, other, number: self.key.len() as u32 }
    }

    /// Bytes of fields, key and rest.
    #[inline]
    pub(super) fn content_bytes(&self) -> usize {
        self.field_bytes + self.key.len() + self.rest.len()
    }

    /// Writes fields, key and rest.
    #[inline]
    pub(super) fn write(&self, target: &mut [u8]) {
        let (fields, target) = target.split_at_mut(self.field_bytes);
        let (key, rest) = target.split_at_mut(self.key.len());
        fields.copy_from_slice(&self.fields[..self.field_bytes]);
        key.copy_from_slice(self.key);
        rest.copy_from_slice(self.rest);
    }

    /// Writes as much of fields, key and rest as `target` takes, from their byte `start` on.
    pub(super) fn write_range(&self, start: usize, mut target: &mut [u8]) {
        let mut skipped = start;
        for piece in [&self.fields[..self.field_bytes], self.key, self.rest] {
            let left = &piece[skipped.min(piece.len())..];
            skipped = skipped.saturating_sub(piece.len());
            let taken = left.len().min(target.len());
            let (part, behind) = target.split_at_mut(taken);
            part.copy_from_slice(&left[..taken]);
            target = behind;
        }
        assert!(target.is_empty(), "no more is asked for than there is");
    }
}

/// The record whose frames, put together, are `head` and `contents`; `None` if it makes no sense.
#[inline]
pub(super) fn parse(head: Head, contents: &[u8]) -> Option<Record<'_>> {
    let Head { lsn, kind, flags, db, other, number } = head;
    let mut fields = Fields(contents);
    let has = |flag: u8| flags & flag != 0;
    let db = Db(db);
    let body = match kind {
        kind::PUT => {
            let expiry = if has(flag::EXPIRY) { Some(Millis(fields.u64()?)) } else { None };
            let client_flags = if has(flag::CLIENT_FLAGS) { fields.u32()? } else { 0 };
            let grace = if has(flag::GRACE) { fields.grace(expiry)? } else { Grace::NONE };
            let integer = if has(flag::INTEGER) { Some(fields.u64()?.cast_signed()) } else { None };
            let (key, rest) = fields.key_and_rest(number)?;
            let value = match integer {
                Some(_) if !rest.is_empty() => return None,
                Some(integer) => Value::Integer(integer),
                None => Value::Bytes(rest),
            };
            Body::Put { db, key, value, expiry, client_flags, grace }
        }
        kind::SPLICE => {
            let (base, offset) = (fields.u64()?, fields.u64()?);
            let (key, bytes) = fields.key_and_rest(number)?;
            let end = offset.checked_add(bytes.len() as u64)?;
            if end > VALUE_BYTES_MAX as u64 || base > VERSION_MAX {
                return None;
            }
            Body::Splice { db, key, base, offset, bytes }
        }
        kind::DELETE => Body::Delete { db, key: fields.only(number)?, removal: Removal::from_byte(other)? },
        kind::DELETE_PREFIX => Body::DeletePrefix { db, prefix: fields.only(number)? },
        kind::SET_EXPIRY | kind::INVALIDATE => {
            let base = fields.u64()?;
            let expiry = if has(flag::EXPIRY) { Some(Millis(fields.u64()?)) } else { None };
            if base > VERSION_MAX {
                return None;
            }
            let grace = if has(flag::GRACE) { fields.grace(expiry)? } else { Grace::NONE };
            let key = fields.only(number)?;
            match kind {
                kind::SET_EXPIRY => Body::SetExpiry { db, key, base, expiry },
                _ => Body::Invalidate { db, key, base, expiry, grace },
            }
        }
        kind::PUT_ABSENT | kind::LOCK => {
            if !has(flag::EXPIRY) {
                return None;
            }
            let expiry = Millis(fields.u64()?);
            if kind == kind::PUT_ABSENT {
                Body::PutAbsent { db, key: fields.only(number)?, expiry }
            } else {
                let token = fields.u64().filter(|token| *token <= TOKEN_MAX)?;
                Body::Lock { db, key: fields.only(number)?, token, expiry }
            }
        }
        kind::MARK => {
            let durable = Lsn(fields.u64()?);
            fields.only(0)?;
            // What is durable was appended before.
            if durable >= lsn {
                return None;
            }
            Body::Mark { durable }
        }
        _ => {
            fields.only(0)?;
            match kind {
                kind::FLUSH => Body::Flush { db: (db.0 != DB_ALL).then_some(db) },
                kind::SWAP => Body::Swap { first: db, second: Db(other) },
                kind::COMMIT => Body::Commit,
                kind::END => Body::End,
                _ => return None,
            }
        }
    };
    Some(Record { lsn, is_grouped: has(flag::GROUPED), body })
}

/// Reads fields one after another.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    #[inline]
    fn u64(&mut self) -> Option<u64> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*field))
    }

    #[inline]
    fn u32(&mut self) -> Option<u32> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*field))
    }

    /// The grace of what goes at `expiry`.
    #[inline]
    fn grace(&mut self, expiry: Option<Millis>) -> Option<Grace> {
        let grace = Grace { grace_ms: self.u32()?, cost_ms: self.u32()? };
        expiry.filter(|at| at.0 >= u64::from(grace.grace_ms) && grace != Grace::NONE).map(|_| grace)
    }

    /// All that is left: a key of `key_bytes`, and a value.
    #[inline]
    fn key_and_rest(&self, key_bytes: u32) -> Option<(&'a [u8], &'a [u8])> {
        let (key, rest) = self.0.split_at_checked(key_bytes as usize)?;
        (rest.len() <= VALUE_BYTES_MAX).then_some((key, rest))
    }

    /// All that is left, if these are `bytes`.
    #[inline]
    fn only(&self, bytes: u32) -> Option<&'a [u8]> {
        (self.0.len() == bytes as usize).then_some(self.0)
    }
}

impl Removal {
    fn to_byte(self) -> u8 {
        match self {
            Removal::Deleted => 0,
            Removal::Expired => 1,
            Removal::Evicted => 2,
        }
    }

    fn from_byte(byte: u8) -> Option<Removal> {
        match byte {
            0 => Some(Removal::Deleted),
            1 => Some(Removal::Expired),
            2 => Some(Removal::Evicted),
            _ => None,
        }
    }
}
