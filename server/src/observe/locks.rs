//! What came of the locks and the rate limits of a shard.

/// Outcomes of LOCK and THROTTLE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LockCounters {
    /// Locks that were given to somebody.
    pub granted: u64,
    /// Requests for a lock that had to wait, whatever became of them.
    pub waits: u64,
    /// Requests for a lock that were answered without it.
    pub refused: u64,
    /// Requests beyond a rate limit.
    pub throttled: u64,
}
