//! One entry in a snapshot block.
//!
//! ```text
//! byte 0           4             8         16   17      18         19     20             24        32
//!      ┌───────────┬─────────────┬─────────┬────┬───────┬──────────┬──────┬──────────────┬─────────┬─────┬───────┬─────────┐
//!      │ key_bytes │ value_bytes │ version │ db │ flags │ encoding │ zero │ client_flags │ expiry  │ key │ value │ zeros   │
//!      │ u32       │ u32         │ u64     │ u8 │ u8    │ u8       │ u8   │ u32          │ u64     │     │       │ to 8    │
//!      └───────────┴─────────────┴─────────┴────┴───────┴──────────┴──────┴──────────────┴─────────┴─────┴───────┴─────────┘
//!                                                                                        if EXPIRY
//! flags     bit 0 EXPIRY: that field is there, milliseconds since the epoch; without it the key begins at 24
//!           bit 1 STALE: the value was declared out of date; from format version 2 on
//! encoding  0 an i64 (8 value bytes); 1 bytes that are not the decimal form of one, written whole; 2 bytes that were
//!           changed in place since
//! ```
//!
//! All numbers are little-endian. An item begins at a multiple of 8 bytes from the block's payload and ends at one.
//! The higher numbers of `encoding` are for types to come.

use crate::entry::{Encoding, NEVER, Record, VERSION_MAX, Value};
use crate::integer;
use crate::key::Db;
use crate::limits::{DATABASE_COUNT_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX};
use crate::lsn::Lsn;
use crate::snapshot::buffer::Buffer;
use crate::time::Millis;

/// Bytes before the fields.
const HEAD_BYTES: usize = 24;
/// Bytes of the expiry field.
const EXPIRY_BYTES: usize = 8;
/// Items begin and end at multiples of this.
pub(crate) const ITEM_UNIT_BYTES: usize = 8;
/// The flag of the expiry field.
const EXPIRY: u8 = 1;
/// The flag of a value out of date.
const STALE: u8 = 1 << 1;

const _: () = assert!(HEAD_BYTES.is_multiple_of(ITEM_UNIT_BYTES));
const _: () = assert!(VALUE_BYTES_MAX <= u32::MAX as usize && DATABASE_COUNT_MAX <= u8::MAX as usize);

/// An entry as a snapshot keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// The logical database, as it was numbered at the instant.
    pub db: Db,
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: Value<'a>,
    /// How the value is kept.
    pub encoding: Encoding,
    /// Its expiry.
    pub expiry: Option<Millis>,
    /// Its client flags.
    pub client_flags: u32,
    /// Whether the value was declared out of date.
    pub is_stale: bool,
    /// The number of its last change.
    pub version: u64,
}

/// The flags of items in a file of a format version.
pub(crate) fn known_flags(version: u32) -> u8 {
    if version == 1 { EXPIRY } else { EXPIRY | STALE }
}

/// Bytes that the item of an entry takes.
#[inline]
pub(crate) fn item_bytes(record: &Record<'_>) -> usize {
    let expires = record.expiry_or_never() != NEVER;
    (HEAD_BYTES + EXPIRY_BYTES * usize::from(expires) + record.payload_bytes()).next_multiple_of(ITEM_UNIT_BYTES)
}

/// Adds the item of an entry, which was in `db` at the instant, to a block's buffer.
#[inline]
pub(crate) fn write(buffer: &mut Buffer, db: Db, record: &Record<'_>) {
    let header = record.header;
    let expiry = record.expiry_or_never();
    let expires = expiry != NEVER;
    let encoding = match header.encoding() {
        Encoding::Integer => 0,
        Encoding::Bytes => 1,
        Encoding::Spliced => 2,
    };
    let mut head = [0; HEAD_BYTES + EXPIRY_BYTES];
    head[0..4].copy_from_slice(&(header.key_bytes() as u32).to_le_bytes());
    head[4..8].copy_from_slice(&(header.value_bytes() as u32).to_le_bytes());
    head[8..16].copy_from_slice(&header.version().to_le_bytes());
    let flags = (u8::from(expires) * EXPIRY) | (u8::from(header.is_stale()) * STALE);
    head[16..20].copy_from_slice(&[db.0, flags, encoding, 0]);
    head[20..24].copy_from_slice(&record.client_flags().to_le_bytes());
    head[24..32].copy_from_slice(&expiry.to_le_bytes());
    buffer.push(if expires { &head } else { &head[..HEAD_BYTES] });
    buffer.push(record.key_and_value());
    buffer.pad(ITEM_UNIT_BYTES);
}

/// The item at the beginning of `payload`, and what follows it; `None` if that is no item of a snapshot whose
/// instant is `lsn` and whose items have `known_flags`.
#[inline]
pub(crate) fn read(payload: &[u8], lsn: Lsn, known_flags: u8) -> Option<(Item<'_>, &[u8])> {
    let (head, fields) = payload.split_first_chunk::<HEAD_BYTES>()?;
    let word = |offset: usize| u32::from_le_bytes([head[offset], head[offset + 1], head[offset + 2], head[offset + 3]]);
    let (key_bytes, value_bytes, client_flags) = (word(0) as usize, word(4) as usize, word(20));
    let version = u64::from(word(8)) | u64::from(word(12)) << 32;
    let [db, flags, encoding, zero] = [head[16], head[17], head[18], head[19]];
    let is_known = usize::from(db) < DATABASE_COUNT_MAX && flags & !known_flags == 0 && zero == 0;
    let is_bounded = key_bytes <= KEY_BYTES_MAX && value_bytes <= VALUE_BYTES_MAX;
    if !is_known || !is_bounded || version == 0 || version > lsn.0.min(VERSION_MAX) {
        return None;
    }
    let (expiry, contents) = if flags & EXPIRY == 0 {
        (None, fields)
    } else {
        let (field, contents) = fields.split_first_chunk::<EXPIRY_BYTES>()?;
        let expiry = u64::from_le_bytes(*field);
        if expiry == NEVER {
            return None;
        }
        (Some(Millis(expiry)), contents)
    };
    let (key, behind) = contents.split_at_checked(key_bytes)?;
    let (value, behind) = behind.split_at_checked(value_bytes)?;
    let padding = (key_bytes + value_bytes).next_multiple_of(ITEM_UNIT_BYTES) - key_bytes - value_bytes;
    let (zeros, rest) = behind.split_at_checked(padding)?;
    if zeros.iter().any(|byte| *byte != 0) {
        return None;
    }
    let (encoding, value) = match encoding {
        0 => (Encoding::Integer, Value::Integer(i64::from_le_bytes(value.try_into().ok()?))),
        1 if integer::canonical(value).is_none() => (Encoding::Bytes, Value::Bytes(value)),
        2 => (Encoding::Spliced, Value::Bytes(value)),
        _ => return None,
    };
    let (db, is_stale) = (Db(db), flags & STALE != 0);
    Some((Item { db, key, value, encoding, expiry, client_flags, is_stale, version }, rest))
}
