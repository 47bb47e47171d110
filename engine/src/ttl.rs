//! What a shard makes of the times to live that are asked for.

/// Bounds and defaults for the expiry of values that are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TtlPolicy {
    /// Time to live of a value written without one, in milliseconds; 0 for none.
    pub default_ms: u64,
    /// Longest time to live, in milliseconds; 0 for no bound.
    pub max_ms: u64,
    /// Up to how many hundredths of itself a time to live is made longer, by the key: 0 to 100.
    pub jitter_percent: u8,
    /// Whether a value without a time to live is refused.
    pub is_required: bool,
}
