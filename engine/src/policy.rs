//! The eviction policies by name.

/// What a shard does when a write needs memory that it does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Two FIFO queues and a ghost: Yang et al., "FIFO queues are all you need for cache eviction" (SOSP 2023).
    #[default]
    AllkeysS3fifo,
    /// The least recently used of a sample.
    AllkeysLru,
    /// The least recently used of a sample of the entries that have an expiry.
    VolatileLru,
    /// The least frequently used of a sample.
    AllkeysLfu,
    /// The least frequently used of a sample of the entries that have an expiry.
    VolatileLfu,
    /// Any entry.
    AllkeysRandom,
    /// Any entry that has an expiry.
    VolatileRandom,
    /// The entry that expires soonest.
    VolatileTtl,
    /// The oldest entry.
    AllkeysFifo,
    /// Writes that need memory are refused.
    Noeviction,
}

/// Each policy with its configuration name.
const NAMES: [(Policy, &str); 10] = [
    (Policy::AllkeysS3fifo, "allkeys-s3fifo"),
    (Policy::AllkeysLru, "allkeys-lru"),
    (Policy::VolatileLru, "volatile-lru"),
    (Policy::AllkeysLfu, "allkeys-lfu"),
    (Policy::VolatileLfu, "volatile-lfu"),
    (Policy::AllkeysRandom, "allkeys-random"),
    (Policy::VolatileRandom, "volatile-random"),
    (Policy::VolatileTtl, "volatile-ttl"),
    (Policy::AllkeysFifo, "allkeys-fifo"),
    (Policy::Noeviction, "noeviction"),
];

impl Policy {
    /// The policy called `name`, in any case.
    pub fn from_name(name: &str) -> Option<Policy> {
        NAMES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(policy, _)| *policy)
    }

    /// The name the policy has in a configuration file.
    ///
    /// # Panics
    /// Never: every policy has a row.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(policy, _)| *policy == self).map(|(_, name)| *name).expect("every policy has a row")
    }

    /// The names of all policies, the default first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(_, name)| *name)
    }

    /// Whether access frequency (and not idle time) is what the policy keeps of an entry.
    pub fn keeps_frequency(self) -> bool {
        matches!(self, Policy::AllkeysLfu | Policy::VolatileLfu)
    }
}
