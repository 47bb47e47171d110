//! Log sequence numbers.

/// The number of a change of one shard: 1, 2, 3, ... without gaps as long as a log is kept.
///
/// It is the entry's version too: whatever changes an entry stamps it with the change's number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl Lsn {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Lsn {
        Lsn(self.0 + 1)
    }
}

/// Whose data a file holds: which start of the server wrote it, and for which of its shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Counts the logs that a data directory has seen begin: each start of the server begins one.
    pub generation: u64,
    /// The shard, 0 to `shard_count` - 1.
    pub shard: u16,
    /// Shards of that server; shard `i` owns the hash slots `s` with `s * shard_count / 16384 == i`.
    pub shard_count: u16,
}
