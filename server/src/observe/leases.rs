//! What came of leases, for INFO.

/// What GETL and its kin answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeaseCounters {
    /// Leases given for a value that was missing or over.
    pub wins: u64,
    /// Leases given for a value that was soon over or out of date.
    pub refreshes: u64,
    /// Callers that were told to wait, or waited.
    pub waits: u64,
    /// Values shown in their grace to those who have no lease.
    pub stale: u64,
    /// Tokens that were not those of a lease.
    pub refused: u64,
}
