//! What names an entry: a database and a byte string, with the hash computed once.

/// A logical database of a shard, 0 to 15.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Db(pub u8);

/// A key with its database and hash; made by [`Shard::key`](crate::Shard::key).
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The database the key lives in.
    pub db: Db,
    /// The key itself, 0 to [`KEY_BYTES_MAX`](crate::limits::KEY_BYTES_MAX) bytes.
    pub bytes: &'a [u8],
    /// The seeded hash of `bytes`; it does not depend on `db`.
    pub hash: u64,
}
