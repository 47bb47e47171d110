//! What the commands of memcached came to, where the shard and the counters of commands do not tell.

/// Outcomes of conditional commands, in memcached's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CacheCounters {
    /// Values stored.
    pub stored: u64,
    /// Entries removed.
    pub delete_hits: u64,
    /// Removals that found no entry.
    pub delete_misses: u64,
    /// Numbers increased.
    pub incr_hits: u64,
    /// Increases that found no entry.
    pub incr_misses: u64,
    /// Numbers decreased.
    pub decr_hits: u64,
    /// Decreases that found no entry.
    pub decr_misses: u64,
    /// Changes of an entry that had the version asked for.
    pub cas_hits: u64,
    /// Comparisons that found no entry.
    pub cas_misses: u64,
    /// Comparisons that found another version.
    pub cas_badval: u64,
    /// Entries that got another expiry.
    pub touch_hits: u64,
    /// Touches that found no entry.
    pub touch_misses: u64,
    /// Passwords that were wrong.
    pub auth_errors: u64,
}
