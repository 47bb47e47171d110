//! An entry: its bytes in a cell, and the view of it that a read returns.
//!
//! Each entry is one cell of the slab: a header of two words, three fields that are there only when needed,
//! the key, the value. Nothing of an entry lies anywhere else but its table slot, so a lookup touches one
//! table line and then the cell, and header and a key of up to 48 bytes share the cell's first line.
//!
//! ```text
//! byte 0        8        16       24      28                      36
//!      ┌────────┬────────┬────────┬───────┬───────────┬───────────┬─────────┬───────────────┐
//!      │ word 0 │ word 1 │ expiry │ flags │ grace_ms  │ cost_ms   │ key ... │ value ...     │
//!      └────────┴────────┴────────┴───────┴───────────┴───────────┴─────────┴───────────────┘
//!                          u64 ms    u32    u32         u32
//!                         (if has_   (if has_
//!                          expiry)    flags) (if has_grace)
//!
//! word 0   access (low 8): 8 | mark: 1 | has_flags: 1 | has_expiry: 1 | encoding: 2 | stale: 1 | kind: 3
//!          | value bytes: 30 | key bytes: 17
//! word 1   late: 1 | version: 47 | table: 5 | read: 1 | access (high 10): 10
//!
//! kind     1 a string
//!          2 a string with the field of the grace; with the encoding 3 it has no value and notes that there is nothing
//!          5 a lock: its value is an integer, the token of its holder
//! ```
//!
//! Both words are little-endian and drawn with the highest bit first. The access bits straddle the border
//! of the words on purpose: they and `read` are the low 19 bits of the `u32` at byte 7, so a read that counts as a
//! use is one load and at most one store.
//!
//! Invariants:
//! - `kind` is never 0 in a live entry. Its middle bit is `has_grace`, so that where the key begins is found without a
//!   branch; all kinds but the first are looked at behind one test.
//! - The expiry field holds when the entry goes. A value with a grace is over that much earlier, and from then on
//!   only [`Shard::look`](crate::Shard::look) shows it. What does not expire has no grace, and what notes that there
//!   is nothing always expires.
//! - `stale` is set by [`Op::Invalidate`](crate::Op::Invalidate) and cleared when the value is written whole.
//! - `read` is set by a read that counts as a use and cleared when the value changes.
//! - An expiry field may hold [`NEVER`]: entries with long values have both fields from the start and an
//!   entry that lost its expiry keeps the field, so that no change of expiry or flags moves a long value.
//! - An integer takes eight value bytes, least significant first.
//! - `mark` and `late` belong to the expiry wheel, see `expiry.rs`.

use crate::time::Millis;

/// Bytes of the two header words.
pub(crate) const HEADER_BYTES: usize = 16;
/// Bytes of the expiry field.
pub(crate) const EXPIRY_BYTES: usize = 8;
/// Bytes of the client flags field.
pub(crate) const FLAGS_BYTES: usize = 4;
/// Bytes of the grace field.
pub(crate) const GRACE_BYTES: usize = 8;
/// Bytes of an integer value.
pub(crate) const INTEGER_BYTES: usize = 8;
/// From this value length on an entry has both fields from the start.
pub(crate) const FIELDS_ALWAYS_BYTES: usize = 4096;
/// What the expiry field holds when the entry does not expire.
pub(crate) const NEVER: u64 = u64::MAX;
/// Highest version an entry can show.
pub(crate) const VERSION_MAX: u64 = (1 << VERSION_BITS) - 1;

const KEY_BITS: u32 = 17;
const VALUE_BITS: u32 = 30;
const KIND_BITS: u32 = 3;
const ENCODING_BITS: u32 = 2;
const VALUE_SHIFT: u32 = KEY_BITS;
const KIND_SHIFT: u32 = VALUE_SHIFT + VALUE_BITS;
const STALE_SHIFT: u32 = KIND_SHIFT + KIND_BITS;
const ENCODING_SHIFT: u32 = STALE_SHIFT + 1;
const EXPIRY_SHIFT: u32 = ENCODING_SHIFT + ENCODING_BITS;
const FLAGS_SHIFT: u32 = EXPIRY_SHIFT + 1;
const MARK_SHIFT: u32 = FLAGS_SHIFT + 1;
const ACCESS_LOW_SHIFT: u32 = MARK_SHIFT + 1;

const ACCESS_HIGH_BITS: u32 = 10;
const TABLE_BITS: u32 = 5;
const VERSION_BITS: u32 = 47;
const READ_SHIFT: u32 = ACCESS_HIGH_BITS;
const TABLE_SHIFT: u32 = READ_SHIFT + 1;
const VERSION_SHIFT: u32 = TABLE_SHIFT + TABLE_BITS;
const LATE_SHIFT: u32 = VERSION_SHIFT + VERSION_BITS;

/// Every access bit set.
const ACCESS_MASK: u32 = (1 << crate::evict::ACCESS_BITS) - 1;
/// The bit above them that says whether the entry was read.
const READ: u32 = ACCESS_MASK + 1;
/// Where the `u32` with the access bits begins.
const ACCESS_OFFSET: usize = 7;
/// A string without the field of the grace.
const KIND_STRING: u64 = 1;
/// The bit of kinds that have that field.
const KIND_GRACE: u64 = 1 << 1;
/// A lock.
const KIND_LOCK: u64 = 5;
/// The encoding of what has no value.
const ENCODING_NONE: u64 = 3;

const _: () = assert!(ACCESS_LOW_SHIFT == 8 * ACCESS_OFFSET as u32);
const _: () = assert!(LATE_SHIFT == 63);
const _: () = assert!(crate::evict::ACCESS_BITS == 64 - ACCESS_LOW_SHIFT + ACCESS_HIGH_BITS);
const _: () = assert!(crate::limits::KEY_BYTES_MAX < 1 << KEY_BITS);
const _: () = assert!(crate::limits::VALUE_BYTES_MAX < 1 << VALUE_BITS);
const _: () = assert!(crate::limits::TABLE_COUNT_MAX <= 1 << TABLE_BITS);
const _: () = assert!(size_of::<Header>() == HEADER_BYTES);
const _: () = assert!(KIND_LOCK & KIND_GRACE == 0 && KIND_LOCK < 1 << KIND_BITS);

/// The value of an entry as an op states it or a read returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A byte string. One that is the canonical decimal form of an `i64` is kept as an integer.
    Bytes(&'a [u8]),
    /// A number.
    Integer(i64),
}

/// How a value is kept, for `OBJECT ENCODING`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As an `i64`.
    Integer,
    /// As bytes, written whole.
    Bytes,
    /// As bytes that were changed in place since they were written whole.
    Spliced,
}

/// How a value ends, beside when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grace {
    /// For how long it is kept behind its time, in milliseconds.
    pub grace_ms: u32,
    /// How long it took to make, in milliseconds; 0 if nobody said.
    pub cost_ms: u32,
}

impl Grace {
    /// That of most values.
    pub const NONE: Grace = Grace { grace_ms: 0, cost_ms: 0 };
}

/// What a cell holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A string.
    String,
    /// The note that there is nothing.
    Absent,
    /// A lock.
    Lock,
}

/// The type of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A byte string or an integer.
    String,
    /// A lock: its value is the fencing token of its holder.
    Lock,
}

/// What a key holds, for readers that see more than live values.
#[derive(Clone, Copy, Debug)]
pub enum Look<'a> {
    /// Nothing.
    Missing,
    /// A note that there is nothing to be cached.
    Absent {
        /// When the note ends.
        expiry: Millis,
    },
    /// A value whose time is over and whose grace is not; its `expiry` is when it ended.
    Over(Entry<'a>),
    /// A live entry.
    Live(Entry<'a>),
}

/// A view of one live entry.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The key's bytes.
    pub key: &'a [u8],
    /// Its type.
    pub kind: Kind,
    /// The value.
    pub value: Value<'a>,
    /// How the value is kept.
    pub encoding: Encoding,
    /// When the entry expires, if it does.
    pub expiry: Option<Millis>,
    /// How long the value took to make, in milliseconds; 0 if nobody said.
    pub cost_ms: u32,
    /// The memcached client flags, 0 unless set.
    pub client_flags: u32,
    /// The entry's version: grows with each change of the entry, unique within the shard.
    pub version: u64,
    /// The value was declared out of date and not written whole since.
    pub is_stale: bool,
    /// A read counted as a use of the entry since its value was last changed, this read left out.
    pub was_read: bool,
    /// Memory the entry takes, its share of the table included, in bytes. A counted read leaves out the
    /// rounding to the cell's size, which only a read that leaves no trace takes the time to look up.
    pub memory_bytes: usize,
    /// Milliseconds since the entry was last counted as used, this read left out.
    pub idle_ms: u64,
    /// The logarithmic access counter of the LFU policies, 0 to 255.
    pub frequency: u8,
}

/// The lengths that decide where everything in a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Length of the key.
    pub(crate) key_bytes: usize,
    /// Length of the value as it is kept.
    pub(crate) value_bytes: usize,
    /// There is an expiry field.
    pub(crate) has_expiry: bool,
    /// There is a client flags field.
    pub(crate) has_flags: bool,
    /// There is a grace field.
    pub(crate) has_grace: bool,
}

impl Shape {
    /// The shape of an entry written whole, without a grace.
    pub(crate) fn of(key_bytes: usize, value_bytes: usize, expires: bool, has_flags: bool) -> Shape {
        let always = value_bytes >= FIELDS_ALWAYS_BYTES;
        let (has_expiry, has_flags) = (expires || always, has_flags || always);
        Shape { key_bytes, value_bytes, has_expiry, has_flags, has_grace: false }
    }

    /// The same with a grace field, or without.
    #[inline]
    pub(crate) fn with_grace(self, has_grace: bool) -> Shape {
        Shape { has_grace, ..self }
    }

    /// Where the key begins.
    #[inline]
    pub(crate) fn key_offset(self) -> usize {
        HEADER_BYTES
            + EXPIRY_BYTES * usize::from(self.has_expiry)
            + FLAGS_BYTES * usize::from(self.has_flags)
            + GRACE_BYTES * usize::from(self.has_grace)
    }

    /// Where the client flags are, which must be there.
    #[inline]
    fn flags_offset(self) -> usize {
        HEADER_BYTES + EXPIRY_BYTES * usize::from(self.has_expiry)
    }

    /// Where the grace is, which must be there.
    #[inline]
    fn grace_offset(self) -> usize {
        self.key_offset() - GRACE_BYTES
    }

    /// Where the value begins.
    #[inline]
    pub(crate) fn value_offset(self) -> usize {
        self.key_offset() + self.key_bytes
    }

    /// Bytes of all of it.
    #[inline]
    pub(crate) fn cell_bytes(self) -> usize {
        self.value_offset() + self.value_bytes
    }
}

/// The two words of an entry, decoded on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    word0: u64,
    word1: u64,
}

impl Header {
    /// The header of an entry; that of what has no value has no encoding.
    #[inline]
    pub(crate) fn new(form: Form, shape: Shape, encoding: Encoding, table: u8, version: u64, access: u32) -> Header {
        debug_assert!(shape.key_bytes < 1 << KEY_BITS && shape.value_bytes < 1 << VALUE_BITS, "lengths are bounded");
        debug_assert!(u32::from(table) < 1 << TABLE_BITS && version <= VERSION_MAX, "ids are bounded");
        debug_assert!(shape.has_grace || form != Form::Absent, "what has no value has the field");
        debug_assert!(!shape.has_grace || form != Form::Lock, "a lock has no grace");
        let kind = match form {
            Form::Lock => KIND_LOCK,
            Form::String | Form::Absent => KIND_STRING << u32::from(shape.has_grace),
        };
        let encoding = match (form, encoding) {
            (Form::Absent, _) => ENCODING_NONE,
            (_, Encoding::Integer) => 0,
            (_, Encoding::Bytes) => 1,
            (_, Encoding::Spliced) => 2,
        };
        let word0 = shape.key_bytes as u64
            | (shape.value_bytes as u64) << VALUE_SHIFT
            | kind << KIND_SHIFT
            | encoding << ENCODING_SHIFT
            | u64::from(shape.has_expiry) << EXPIRY_SHIFT
            | u64::from(shape.has_flags) << FLAGS_SHIFT
            | u64::from(access) << ACCESS_LOW_SHIFT;
        let word1 =
            u64::from(access >> (64 - ACCESS_LOW_SHIFT)) | u64::from(table) << TABLE_SHIFT | version << VERSION_SHIFT;
        Header { word0, word1 }
    }

    /// The header of the entry that begins at `cell`.
    #[inline]
    pub(crate) fn read(cell: &[u8]) -> Header {
        let (words, _) = cell.split_first_chunk::<HEADER_BYTES>().expect("a cell has room for its header");
        let both = u128::from_le_bytes(*words);
        Header { word0: both as u64, word1: (both >> 64) as u64 }
    }

    /// Writes the header to the beginning of `cell`.
    #[inline]
    pub(crate) fn write(self, cell: &mut [u8]) {
        cell[..8].copy_from_slice(&self.word0.to_le_bytes());
        cell[8..16].copy_from_slice(&self.word1.to_le_bytes());
    }

    /// Length of the key.
    #[inline]
    pub(crate) fn key_bytes(self) -> usize {
        (self.word0 & ((1 << KEY_BITS) - 1)) as usize
    }

    /// Length of the value as it is kept.
    #[inline]
    pub(crate) fn value_bytes(self) -> usize {
        (self.word0 >> VALUE_SHIFT & ((1 << VALUE_BITS) - 1)) as usize
    }

    /// All lengths.
    #[inline]
    pub(crate) fn shape(self) -> Shape {
        Shape {
            key_bytes: self.key_bytes(),
            value_bytes: self.value_bytes(),
            has_expiry: self.word0 >> EXPIRY_SHIFT & 1 != 0,
            has_flags: self.word0 >> FLAGS_SHIFT & 1 != 0,
            has_grace: self.word0 >> KIND_SHIFT & KIND_GRACE != 0,
        }
    }

    /// How the value is kept.
    #[inline]
    pub(crate) fn encoding(self) -> Encoding {
        match self.word0 >> ENCODING_SHIFT & 3 {
            0 => Encoding::Integer,
            1 => Encoding::Bytes,
            _ => Encoding::Spliced,
        }
    }

    /// Whether this is an entry at all.
    pub(crate) fn is_entry(self) -> bool {
        matches!(self.kind_bits(), KIND_STRING | KIND_GRACE | KIND_LOCK)
    }

    /// Whether this is a string that has no grace field.
    #[inline]
    pub(crate) fn is_plain(self) -> bool {
        self.kind_bits() == KIND_STRING
    }

    /// What the cell holds.
    #[inline]
    pub(crate) fn form(self) -> Form {
        match self.kind_bits() {
            KIND_LOCK => Form::Lock,
            KIND_GRACE if self.word0 >> ENCODING_SHIFT & 3 == ENCODING_NONE => Form::Absent,
            _ => Form::String,
        }
    }

    /// The type that readers of values see.
    #[inline]
    pub(crate) fn kind(self) -> Kind {
        if self.kind_bits() == KIND_LOCK { Kind::Lock } else { Kind::String }
    }

    #[inline]
    fn kind_bits(self) -> u64 {
        self.word0 >> KIND_SHIFT & ((1 << KIND_BITS) - 1)
    }

    /// Whether the value was declared out of date.
    #[inline]
    pub(crate) fn is_stale(self) -> bool {
        self.word0 >> STALE_SHIFT & 1 != 0
    }

    /// The header that says so, or not.
    #[inline]
    pub(crate) fn with_stale(self, is_stale: bool) -> Header {
        let word0 = self.word0 & !(1 << STALE_SHIFT) | u64::from(is_stale) << STALE_SHIFT;
        Header { word0, ..self }
    }

    /// Whether a read counted as a use since the value was last changed.
    #[inline]
    pub(crate) fn was_read(self) -> bool {
        self.uses().was_read()
    }

    /// The header that says so, or not.
    #[inline]
    pub(crate) fn with_read(self, was_read: bool) -> Header {
        let word1 = self.word1 & !(1 << READ_SHIFT) | u64::from(was_read) << READ_SHIFT;
        Header { word1, ..self }
    }

    /// The wheel's mark: a reference was kept in the bucket being compacted.
    #[inline]
    pub(crate) fn mark(self) -> bool {
        self.word0 >> MARK_SHIFT & 1 != 0
    }

    /// The header with that mark.
    #[inline]
    pub(crate) fn with_mark(self, mark: bool) -> Header {
        let word0 = self.word0 & !(1 << MARK_SHIFT) | u64::from(mark) << MARK_SHIFT;
        Header { word0, ..self }
    }

    /// The wheel's note that the expiry was moved to a later time without a new reference.
    #[inline]
    pub(crate) fn late(self) -> bool {
        self.word1 >> LATE_SHIFT != 0
    }

    /// The header with that note.
    #[inline]
    pub(crate) fn with_late(self, late: bool) -> Header {
        let word1 = self.word1 & !(1 << LATE_SHIFT) | u64::from(late) << LATE_SHIFT;
        Header { word1, ..self }
    }

    /// The access bits, whose meaning is the eviction policy's.
    #[inline]
    pub(crate) fn access(self) -> u32 {
        self.uses().access()
    }

    /// The access bits and whether the entry was read.
    #[inline]
    pub(crate) fn uses(self) -> Uses {
        let low = (self.word0 >> ACCESS_LOW_SHIFT) as u32;
        Uses(low | ((self.word1 as u32) & ((1 << (ACCESS_HIGH_BITS + 1)) - 1)) << (64 - ACCESS_LOW_SHIFT))
    }

    /// The physical table the entry is in.
    #[inline]
    pub(crate) fn table(self) -> u8 {
        (self.word1 >> TABLE_SHIFT) as u8 & ((1 << TABLE_BITS) - 1)
    }

    /// The entry's version.
    #[inline]
    pub(crate) fn version(self) -> u64 {
        self.word1 >> VERSION_SHIFT & VERSION_MAX
    }

    /// The header with another version.
    #[inline]
    pub(crate) fn with_version(self, version: u64) -> Header {
        debug_assert!(version <= VERSION_MAX, "versions are bounded");
        let word1 = self.word1 & !(VERSION_MAX << VERSION_SHIFT) | version << VERSION_SHIFT;
        Header { word1, ..self }
    }
}

/// What a header remembers of the entry's uses: the access bits, and above them whether it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Uses(u32);

impl Uses {
    /// Of an entry that a read has just given the bits `access`.
    #[inline]
    pub(crate) fn read(access: u32) -> Uses {
        debug_assert!(access <= ACCESS_MASK, "access bits are bounded");
        Uses(access | READ)
    }

    /// The access bits.
    #[inline]
    pub(crate) fn access(self) -> u32 {
        self.0 & ACCESS_MASK
    }

    /// Whether a read counted as a use since the value was last changed.
    #[inline]
    pub(crate) fn was_read(self) -> bool {
        self.0 & READ != 0
    }
}

/// An entry in its cell: `cell` begins with the header and reaches at least to the value's end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// The decoded header.
    pub(crate) header: Header,
    cell: &'a [u8],
}

impl<'a> Record<'a> {
    /// The entry that begins at `cell`.
    #[inline]
    pub(crate) fn read(cell: &'a [u8]) -> Record<'a> {
        Record { header: Header::read(cell), cell }
    }

    /// The key.
    #[inline]
    pub(crate) fn key(&self) -> &'a [u8] {
        let shape = self.header.shape();
        &self.cell[shape.key_offset()..][..shape.key_bytes]
    }

    /// The value's bytes as they are kept.
    #[inline]
    pub(crate) fn value_bytes(&self) -> &'a [u8] {
        let shape = self.header.shape();
        &self.cell[shape.value_offset()..][..shape.value_bytes]
    }

    /// Key and value as they are kept, the one behind the other.
    #[inline]
    pub(crate) fn key_and_value(&self) -> &'a [u8] {
        let shape = self.header.shape();
        &self.cell[shape.key_offset()..][..shape.key_bytes + shape.value_bytes]
    }

    /// The value.
    #[inline]
    pub(crate) fn value(&self) -> Value<'a> {
        let bytes = self.value_bytes();
        match self.header.encoding() {
            Encoding::Integer => {
                Value::Integer(i64::from_le_bytes(bytes.try_into().expect("an integer takes eight bytes")))
            }
            Encoding::Bytes | Encoding::Spliced => Value::Bytes(bytes),
        }
    }

    /// Milliseconds since the epoch at which the entry ends, [`NEVER`] if it does not.
    #[inline]
    pub(crate) fn expiry_or_never(&self) -> u64 {
        if self.header.shape().has_expiry { expiry_field(self.cell) } else { NEVER }
    }

    /// When the entry ends, if it does.
    #[inline]
    pub(crate) fn expiry(&self) -> Option<Millis> {
        match self.expiry_or_never() {
            NEVER => None,
            at => Some(Millis(at)),
        }
    }

    /// The grace, none if there is no field.
    #[inline]
    pub(crate) fn grace(&self) -> Grace {
        let shape = self.header.shape();
        if !shape.has_grace {
            return Grace::NONE;
        }
        let field = &self.cell[shape.grace_offset()..][..GRACE_BYTES];
        let half = |offset: usize| u32::from_le_bytes(field[offset..][..4].try_into().expect("a slice of four bytes"));
        Grace { grace_ms: half(0), cost_ms: half(4) }
    }

    /// Milliseconds since the epoch up to which readers of values see the entry, as far as its time goes; [`NEVER`] if
    /// it does not end.
    #[inline]
    pub(crate) fn fresh_until_or_never(&self) -> u64 {
        match self.expiry_or_never() {
            NEVER => NEVER,
            end => end.saturating_sub(u64::from(self.grace().grace_ms)),
        }
    }

    /// The same, if it ends.
    #[inline]
    pub(crate) fn fresh_until(&self) -> Option<Millis> {
        match self.fresh_until_or_never() {
            NEVER => None,
            at => Some(Millis(at)),
        }
    }

    /// Whether readers of values see the entry at `now`.
    #[inline]
    pub(crate) fn is_shown(&self, now: Millis) -> bool {
        if self.header.is_plain() {
            return self.expiry_or_never() > now.0;
        }
        self.header.form() != Form::Absent && self.fresh_until_or_never() > now.0
    }

    /// The client flags, 0 if there is no field.
    #[inline]
    pub(crate) fn client_flags(&self) -> u32 {
        let shape = self.header.shape();
        if !shape.has_flags {
            return 0;
        }
        let offset = shape.flags_offset();
        u32::from_le_bytes(self.cell[offset..][..FLAGS_BYTES].try_into().expect("a slice of four bytes"))
    }

    /// Key and value bytes.
    #[inline]
    pub(crate) fn payload_bytes(&self) -> usize {
        self.header.key_bytes() + self.header.value_bytes()
    }
}

/// Gives the entry that begins at `cell` other access bits.
#[inline]
pub(crate) fn set_access(cell: &mut [u8], access: u32) {
    set_bits(cell, ACCESS_MASK, access);
}

/// Gives the entry that begins at `cell` other access bits, and says whether it was read.
#[inline]
pub(crate) fn set_uses(cell: &mut [u8], uses: Uses) {
    set_bits(cell, ACCESS_MASK | READ, uses.0);
}

/// Replaces the bits of `mask` in the `u32` of the access bits.
#[inline]
fn set_bits(cell: &mut [u8], mask: u32, bits: u32) {
    let field: &mut [u8; 4] = cell[ACCESS_OFFSET..][..4].as_mut().try_into().expect("a slice of four bytes");
    let kept = u32::from_le_bytes(*field) & !mask;
    *field = (kept | bits).to_le_bytes();
}

/// Writes the expiry field, which must be there.
#[inline]
pub(crate) fn set_expiry_field(cell: &mut [u8], expiry: u64) {
    debug_assert!(Header::read(cell).shape().has_expiry, "there is a field to write");
    cell[HEADER_BYTES..][..EXPIRY_BYTES].copy_from_slice(&expiry.to_le_bytes());
}

/// Writes the grace field, if there is one in an entry of that shape.
#[inline]
pub(crate) fn set_grace_field(cell: &mut [u8], shape: Shape, grace: Grace) {
    debug_assert!(shape.has_grace || grace == Grace::NONE, "a grace needs its field");
    if shape.has_grace {
        let field = &mut cell[shape.grace_offset()..][..GRACE_BYTES];
        field[..4].copy_from_slice(&grace.grace_ms.to_le_bytes());
        field[4..].copy_from_slice(&grace.cost_ms.to_le_bytes());
    }
}

/// Writes the fields of an entry of that shape; header, key and value are the caller's.
#[inline]
pub(crate) fn write_fields(cell: &mut [u8], shape: Shape, expiry: u64, client_flags: u32, grace: Grace) {
    debug_assert!(shape.has_expiry || expiry == NEVER, "an expiry needs its field");
    debug_assert!(shape.has_flags || client_flags == 0, "flags need their field");
    set_grace_field(cell, shape, grace);
    if shape.has_expiry {
        cell[HEADER_BYTES..][..EXPIRY_BYTES].copy_from_slice(&expiry.to_le_bytes());
    }
    if shape.has_flags {
        cell[shape.flags_offset()..][..FLAGS_BYTES].copy_from_slice(&client_flags.to_le_bytes());
    }
}

/// What the expiry field holds, which must be there.
#[inline]
pub(crate) fn expiry_field(cell: &[u8]) -> u64 {
    u64::from_le_bytes(cell[HEADER_BYTES..][..EXPIRY_BYTES].try_into().expect("a slice of eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

    const GRACE: Grace = Grace { grace_ms: 500, cost_ms: u32::MAX };

    fn written(shape: Shape, expiry: u64, flags: u32, key: &[u8], value: &[u8]) -> Vec<u8> {
        let mut cell = vec![0xAA; shape.cell_bytes() + 5];
        Header::new(Form::String, shape, Encoding::Bytes, 31, VERSION_MAX, ACCESS_MASK).write(&mut cell);
        write_fields(&mut cell, shape, expiry, flags, if shape.has_grace { GRACE } else { Grace::NONE });
        cell[shape.key_offset()..][..key.len()].copy_from_slice(key);
        cell[shape.value_offset()..][..value.len()].copy_from_slice(value);
        cell
    }

    #[test]
    fn an_entry_reads_back_as_written() {
        let fields = [(false, false), (true, false), (false, true), (true, true)];
        for ((expires, flagged), graced) in fields.into_iter().flat_map(|pair| [(pair, false), (pair, true)]) {
            for (key, value) in
                [("", ""), ("k", "value"), ("a longer key than one line of sixty-four bytes can hold with it", "v")]
            {
                let shape = Shape::of(key.len(), value.len(), expires, flagged).with_grace(graced);
                let expiry = if expires { 1_700_000_000_000 } else { NEVER };
                let flags = if flagged { 0xDEAD_BEEF } else { 0 };
                let cell = written(shape, expiry, flags, key.as_bytes(), value.as_bytes());
                let record = Record::read(&cell);
                assert_eq!(record.header.shape(), shape);
                assert_eq!(record.key(), key.as_bytes());
                assert_eq!(record.value(), Value::Bytes(value.as_bytes()));
                assert_eq!(record.expiry_or_never(), expiry);
                assert_eq!(record.expiry().is_some(), expires);
                assert_eq!(record.client_flags(), flags);
                assert_eq!((record.header.table(), record.header.version()), (31, VERSION_MAX));
                assert!(record.header.is_entry());
                assert_eq!((record.header.is_plain(), record.header.form()), (!graced, Form::String));
                assert_eq!(record.grace(), if graced { GRACE } else { Grace::NONE });
                let until = if expires && graced { expiry - 500 } else { expiry };
                assert_eq!(record.fresh_until_or_never(), until);
            }
        }
    }

    #[test]
    fn each_form_is_known_by_its_header() {
        for (form, has_grace, kind) in [
            (Form::String, false, Kind::String),
            (Form::String, true, Kind::String),
            (Form::Absent, true, Kind::String),
            (Form::Lock, false, Kind::Lock),
        ] {
            let shape = Shape::of(3, 8, true, false).with_grace(has_grace);
            let header = Header::new(form, shape, Encoding::Integer, 1, 2, 3);
            assert_eq!((header.form(), header.kind(), header.shape()), (form, kind, shape));
            assert_eq!((header.is_entry(), header.is_plain()), (true, form == Form::String && !has_grace));
        }
        assert!(!Header { word0: 0, word1: 0 }.is_entry());
    }

    #[test]
    fn readers_see_a_value_until_its_grace_begins() {
        let shape = Shape::of(1, 1, true, false);
        for (graced, at, is_shown) in
            [(false, 999, true), (false, 1_000, false), (true, 499, true), (true, 500, false), (true, 1_000, false)]
        {
            let cell = written(shape.with_grace(graced), 1_000, 0, b"k", b"v");
            assert_eq!(Record::read(&cell).is_shown(Millis(at)), is_shown, "{graced} {at}");
        }
    }

    #[test]
    fn header_parts_do_not_touch_each_other() {
        let key_bytes = KEY_BYTES_MAX;
        let shape =
            Shape { key_bytes, value_bytes: VALUE_BYTES_MAX, has_expiry: true, has_flags: true, has_grace: true };
        for access in [0, 1, 0x80, 0x100, 0x2AAAA, ACCESS_MASK] {
            for table in [0, 21, 31] {
                for version in [0, 1, VERSION_MAX / 3, VERSION_MAX] {
                    let header = Header::new(Form::String, shape, Encoding::Spliced, table, version, 0);
                    let mut cell = [0; HEADER_BYTES];
                    header.with_mark(true).with_late(true).with_stale(true).with_read(true).write(&mut cell);
                    set_access(&mut cell, access);
                    let read = Header::read(&cell);
                    assert_eq!(read.access(), access);
                    assert!(read.was_read() && read.is_stale());
                    assert_eq!(read.uses(), Uses::read(access));
                    assert_eq!((read.table(), read.version()), (table, version));
                    assert!(read.mark() && read.late() && read.is_entry());
                    assert_eq!(read.shape(), shape);
                    assert_eq!(read.encoding(), Encoding::Spliced);
                    let plain = read.with_mark(false).with_late(false).with_version(7);
                    let plain = plain.with_stale(false).with_read(false);
                    assert!(!plain.mark() && !plain.late() && !plain.was_read() && !plain.is_stale());
                    assert_eq!((plain.version(), plain.table(), plain.access()), (7, table, access));
                }
            }
        }
    }

    #[test]
    fn long_values_have_every_field_from_the_start() {
        let shape = Shape::of(10, FIELDS_ALWAYS_BYTES, false, false);
        assert!(shape.has_expiry && shape.has_flags);
        let cell = written(shape, NEVER, 0, b"0123456789", &[]);
        assert_eq!(Record::read(&cell).expiry(), None);
        assert_eq!(Shape::of(10, FIELDS_ALWAYS_BYTES - 1, false, false).key_offset(), HEADER_BYTES);
    }
}
