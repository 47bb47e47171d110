//! What a read returns: a view of one entry.

use crate::time::Millis;

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

/// A view of one live entry.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The key's bytes.
    pub key: &'a [u8],
    /// The value.
    pub value: Value<'a>,
    /// How the value is kept.
    pub encoding: Encoding,
    /// When the entry expires, if it does.
    pub expiry: Option<Millis>,
    /// The memcached client flags, 0 unless set.
    pub client_flags: u32,
    /// The entry's version: grows with each change of the entry, unique within the shard.
    pub version: u64,
    /// Memory the entry takes, its share of the table included, in bytes.
    pub memory_bytes: usize,
    /// Milliseconds since the entry was last counted as used.
    pub idle_ms: u64,
    /// The logarithmic access counter of the LFU policies, 0 to 255.
    pub frequency: u8,
}
