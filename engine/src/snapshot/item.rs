//! One entry in a snapshot block.
//!
//! ```text
//! byte 0           4             8         16   17      18         19     20             24       32
//!      ┌───────────┬─────────────┬─────────┬────┬───────┬──────────┬──────┬──────────────┬────────┬──────────┬─────────┬─────┬───────┬─────────┐
//!      │ key_bytes │ value_bytes │ version │ db │ flags │ encoding │ zero │ client_flags │ expiry │ grace_ms │ cost_ms │ key │ value │ zeros   │
//!      │ u32       │ u32         │ u64     │ u8 │ u8    │ u8       │ u8   │ u32          │ u64    │ u32      │ u32     │     │       │ to 8    │
//!      └───────────┴─────────────┴─────────┴────┴───────┴──────────┴──────┴──────────────┴────────┴──────────┴─────────┴─────┴───────┴─────────┘
//!                                                                                          if EXPIRY  if GRACE
//! flags     bit 0 EXPIRY: that field is there, milliseconds since the epoch; without it the key begins at 24
//!           bit 1 STALE: the value was declared out of date; from format version 2 on
//!           bit 2 GRACE: these fields are there, and EXPIRY is; from format version 3 on
//! encoding  0 an i64 (8 value bytes); 1 bytes that are not the decimal form of one, written whole; 2 bytes that were
//!           changed in place since; from format version 3 on also
//!           3 no value: the note that there is nothing, which has an expiry, and neither client flags nor other flags
//!           4 a lock, its value is its holder's token, an i64 not below 0; without GRACE
//! ```
//!
//! All numbers are little-endian. An item begins at a multiple of 8 bytes from the block's payload and ends at one.
//! The expiry of a value with a grace is where the grace ends. The higher numbers of `encoding` are for types to come.

use crate::entry::{Encoding, Form, Grace, NEVER, Record, VERSION_MAX, Value};
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
/// Bytes of the fields of the grace.
const GRACE_BYTES: usize = 8;
/// The flag of a value out of date.
const STALE: u8 = 1 << 1;
/// The flag of the fields of the grace.
const GRACE: u8 = 1 << 2;
/// The encoding of what has no value.
const ENCODING_ABSENT: u8 = 3;
/// The encoding of a lock.
const ENCODING_LOCK: u8 = 4;

const _: () = assert!(HEAD_BYTES.is_multiple_of(ITEM_UNIT_BYTES));
const _: () = assert!(VALUE_BYTES_MAX <= u32::MAX as usize && DATABASE_COUNT_MAX <= u8::MAX as usize);

/// An entry as a snapshot keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// The logical database, as it was numbered at the instant.
    pub db: Db,
    /// The key.
    pub key: &'a [u8],
    /// What it holds.
    pub form: Form,
    /// The value, empty if there is none.
    pub value: Value<'a>,
    /// How the value is kept.
    pub encoding: Encoding,
    /// When it goes.
    pub expiry: Option<Millis>,
    /// The grace before that.
    pub grace: Grace,
    /// Its client flags.
    pub client_flags: u32,
    /// Whether the value was declared out of date.
    pub is_stale: bool,
    /// The number of its last change.
    pub version: u64,
}

/// What items may have in a file of a format version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    flags: u8,
    encoding_max: u8,
}

impl Rules {
    /// Those of `version`.
    pub(crate) fn of(version: u32) -> Rules {
        match version {
            1 => Rules { flags: EXPIRY, encoding_max: 2 },
            2 => Rules { flags: EXPIRY | STALE, encoding_max: 2 },
            _ => Rules { flags: EXPIRY | STALE | GRACE, encoding_max: ENCODING_LOCK },
        }
    }
}

impl<'a> Item<'a> {
    /// The item of an entry in `db`.
    pub(crate) fn of(db: Db, record: &Record<'a>) -> Item<'a> {
        let header = record.header;
        let form = header.form();
        Item {
            db,
            key: record.key(),
            form,
            value: if form == Form::Absent { Value::Bytes(&[]) } else { record.value() },
            encoding: if form == Form::Absent { Encoding::Bytes } else { header.encoding() },
            expiry: record.expiry(),
            grace: record.grace(),
            client_flags: record.client_flags(),
            is_stale: header.is_stale(),
            version: header.version(),
        }
    }
}

/// Bytes that the item of an entry takes.
#[inline]
pub(crate) fn item_bytes(record: &Record<'_>) -> usize {
    let expires = record.expiry_or_never() != NEVER;
    let fields_bytes = EXPIRY_BYTES * usize::from(expires) + GRACE_BYTES * usize::from(record.grace() != Grace::NONE);
    (HEAD_BYTES + fields_bytes + record.payload_bytes()).next_multiple_of(ITEM_UNIT_BYTES)
}

/// Adds the item of an entry, which was in `db` at the instant, to a block's buffer.
#[inline]
pub(crate) fn write(buffer: &mut Buffer, db: Db, record: &Record<'_>) {
    let header = record.header;
    let expiry = record.expiry_or_never();
    let expires = expiry != NEVER;
    let grace = record.grace();
    let encoding = match (header.form(), header.encoding()) {
        (Form::Absent, _) => ENCODING_ABSENT,
        (Form::Lock, _) => ENCODING_LOCK,
        (Form::String, Encoding::Integer) => 0,
        (Form::String, Encoding::Bytes) => 1,
        (Form::String, Encoding::Spliced) => 2,
    };
    let mut head = [0; HEAD_BYTES + EXPIRY_BYTES + GRACE_BYTES];
    head[0..4].copy_from_slice(&(header.key_bytes() as u32).to_le_bytes());
    head[4..8].copy_from_slice(&(header.value_bytes() as u32).to_le_bytes());
    head[8..16].copy_from_slice(&header.version().to_le_bytes());
    let flags =
        (u8::from(expires) * EXPIRY) | (u8::from(header.is_stale()) * STALE) | (u8::from(grace != Grace::NONE) * GRACE);
    head[16..20].copy_from_slice(&[db.0, flags, encoding, 0]);
    head[20..24].copy_from_slice(&record.client_flags().to_le_bytes());
    head[24..32].copy_from_slice(&expiry.to_le_bytes());
    head[32..36].copy_from_slice(&grace.grace_ms.to_le_bytes());
    head[36..40].copy_from_slice(&grace.cost_ms.to_le_bytes());
    buffer.push(match (expires, grace) {
        (false, _) => &head[..HEAD_BYTES],
        (true, Grace::NONE) => &head[..HEAD_BYTES + EXPIRY_BYTES],
        (true, _) => &head,
    });
    buffer.push(record.key_and_value());
    buffer.pad(ITEM_UNIT_BYTES);
}

/// The item at the beginning of `payload`, and what follows it; `None` if that is no item of a snapshot whose
/// instant is `lsn` and whose items follow `rules`.
#[inline]
pub(crate) fn read(payload: &[u8], lsn: Lsn, rules: Rules) -> Option<(Item<'_>, &[u8])> {
    let (head, fields) = payload.split_first_chunk::<HEAD_BYTES>()?;
    let word = |offset: usize| u32::from_le_bytes([head[offset], head[offset + 1], head[offset + 2], head[offset + 3]]);
    let (key_bytes, value_bytes, client_flags) = (word(0) as usize, word(4) as usize, word(20));
    let version = u64::from(word(8)) | u64::from(word(12)) << 32;
    let [db, flags, encoding, zero] = [head[16], head[17], head[18], head[19]];
    let is_known = usize::from(db) < DATABASE_COUNT_MAX && flags & !rules.flags == 0 && zero == 0;
    let is_bounded = key_bytes <= KEY_BYTES_MAX && value_bytes <= VALUE_BYTES_MAX;
    if !is_known || encoding > rules.encoding_max || !is_bounded || version == 0 || version > lsn.0.min(VERSION_MAX) {
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
    let (grace, contents) = if flags & GRACE == 0 { (Grace::NONE, contents) } else { read_grace(contents, expiry)? };
    let (key, behind) = contents.split_at_checked(key_bytes)?;
    let (value, behind) = behind.split_at_checked(value_bytes)?;
    let padding = (key_bytes + value_bytes).next_multiple_of(ITEM_UNIT_BYTES) - key_bytes - value_bytes;
    let (zeros, rest) = behind.split_at_checked(padding)?;
    if zeros.iter().any(|byte| *byte != 0) {
        return None;
    }
    let form = match encoding {
        ENCODING_ABSENT => Form::Absent,
        ENCODING_LOCK => Form::Lock,
        _ => Form::String,
    };
    let (encoding, value) = match encoding {
        0 | ENCODING_LOCK => (Encoding::Integer, Value::Integer(i64::from_le_bytes(value.try_into().ok()?))),
        1 if integer::canonical(value).is_none() => (Encoding::Bytes, Value::Bytes(value)),
        2 => (Encoding::Spliced, Value::Bytes(value)),
        ENCODING_ABSENT if value.is_empty() => (Encoding::Bytes, Value::Bytes(value)),
        _ => return None,
    };
    let is_possible = match form {
        Form::String => true,
        Form::Absent => flags == EXPIRY && client_flags == 0,
        Form::Lock => flags & GRACE == 0 && matches!(value, Value::Integer(0..)),
    };
    let (db, is_stale) = (Db(db), flags & STALE != 0);
    let item = Item { db, key, form, value, encoding, expiry, grace, client_flags, is_stale, version };
    is_possible.then_some((item, rest))
}

/// The grace of what goes at `expiry`, and what follows it.
fn read_grace(fields: &[u8], expiry: Option<Millis>) -> Option<(Grace, &[u8])> {
    let (field, contents) = fields.split_first_chunk::<GRACE_BYTES>()?;
    let [grace_ms, cost_ms] = [[field[0], field[1], field[2], field[3]], [field[4], field[5], field[6], field[7]]];
    let grace = Grace { grace_ms: u32::from_le_bytes(grace_ms), cost_ms: u32::from_le_bytes(cost_ms) };
    let is_possible = expiry.is_some_and(|at| at.0 >= u64::from(grace.grace_ms)) && grace != Grace::NONE;
    is_possible.then_some((grace, contents))
}
