//! What a shard counts.

/// Counters of a shard since its start or the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardStats {
    /// Counted reads that found their entry.
    pub hits: u64,
    /// Counted reads that found nothing.
    pub misses: u64,
    /// Counted reads that found a note that there is nothing; they are misses too.
    pub negative_hits: u64,
    /// Entries removed because memory was needed.
    pub evicted: u64,
    /// Entries removed because their time was over.
    pub expired: u64,
}

/// Where a shard's memory is, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// All memory that counts towards the limit: the sum of the parts that are resident.
    pub used: u64,
    /// Keys and values as the clients sent them.
    pub payload: u64,
    /// Cells in use, headers and rounding included.
    pub cells: u64,
    /// Pages and extents of the slab, free cells included.
    pub slab: u64,
    /// Hash tables.
    pub tables: u64,
    /// Expiry wheel, ghosts, sketches and other bookkeeping.
    pub bookkeeping: u64,
}
