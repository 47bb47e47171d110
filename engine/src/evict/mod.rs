//! Eviction: which entry goes when a write needs memory that is not there.
//!
//! A policy is a file here. It sees the shard through [`Store`] and keeps what it must
//! know of an entry in 19 access bits of the item's header, whose meaning is the policy's own:
//!
//! ```text
//! LFU             | counter: 8 | minutes of its last decay: 11 |
//! S3-FIFO         | frequency: 2 | in the small queue: 1 | last use, 8 s: 16 |
//! all others      | last use in seconds: 19 |
//! ```
//!
//! A read calls [`Evictor::touched`], which is a few instructions; a new entry calls [`Evictor::inserted`];
//! an entry that moves to another cell keeps its bits and calls [`Evictor::moved`]. A write that finds the
//! memory used up calls [`Evictor::evict`] until there is room: each call looks at a bounded number of
//! entries and evicts one, if the policy allows any.

use crate::cell::Cell;
use crate::policy::Policy;
use crate::slab::Slab;
use crate::time::Millis;

/// Bits of a header that belong to the policy.
pub(crate) const ACCESS_BITS: u32 = 19;

/// What eviction sees of its shard, and does to it.
pub(crate) trait Store {
    /// The cells.
    fn slab(&self) -> &Slab;
    /// Entries of all databases.
    fn entry_count(&self) -> u64;
    /// The access bits of the entry in `cell`.
    fn access(&self, cell: Cell) -> u32;
    /// Replaces the access bits of the entry in `cell`.
    fn set_access(&mut self, cell: Cell, access: u32);
    /// When the entry in `cell` expires, if it does.
    fn expiry(&self, cell: Cell) -> Option<Millis>;
    /// The whole hash of the key of the entry in `cell`.
    fn hash(&self, cell: Cell) -> u64;
    /// Some entry, chosen by `random`; each about as likely as any other.
    fn sample(&self, random: u64) -> Option<Cell>;
    /// Some entry that has an expiry, chosen by `random`; `None` may also mean that this draw met none.
    fn sample_expiring(&self, random: u64) -> Option<Cell>;
    /// Some entry among those that expire soonest, chosen by `random`; `None` as above.
    fn sample_soonest(&self, random: u64) -> Option<Cell>;
    /// Removes the entry in `cell` and counts it as evicted.
    fn evict(&mut self, cell: Cell);
}

/// What a policy can be told by configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EvictOptions {
    pub(crate) policy: Policy,
    /// Entries that the sampling policies look at for one eviction.
    pub(crate) sample_count: u32,
    /// LFU: the higher, the more accesses a counter step takes.
    pub(crate) lfu_log_factor: u32,
    /// LFU: minutes after which an unused counter loses one; 0: never.
    pub(crate) lfu_decay_minutes: u32,
    /// Whether there is a memory limit: without one, no queue is kept.
    pub(crate) is_limited: bool,
    /// Where the policy's random choices start.
    pub(crate) seed: u64,
}

/// The policy in force and its state.
#[derive(Debug)]
pub(crate) struct Evictor {
    options: EvictOptions,
    random: u64,
}

impl Evictor {
    /// The policy of `options` with no memory of entries.
    pub(crate) fn new(options: EvictOptions) -> Evictor {
        Evictor { options, random: options.seed | 1 }
    }

    /// Takes new options; entries keep the access bits they have, whatever policy wrote them.
    pub(crate) fn reconfigure(&mut self, options: EvictOptions) {
        self.options = options;
    }

    /// The access bits of an entry that was used at `now`, having had the bits `access`.
    #[inline]
    pub(crate) fn touched(&mut self, _access: u32, now: Millis) -> u32 {
        (now.0 / 1000) as u32 & ((1 << ACCESS_BITS) - 1)
    }

    /// The access bits of an entry that is new in `cell`; `hash` is its key's.
    #[inline]
    pub(crate) fn inserted(&mut self, _cell: Cell, _hash: u64, now: Millis) -> u32 {
        self.touched(0, now)
    }

    /// An entry with the bits `access` moved to the cell `target`; returns its bits there.
    #[inline]
    pub(crate) fn moved(&mut self, _target: Cell, access: u32) -> u32 {
        access
    }

    /// Evicts one entry by the policy; `false` if there is none that may go.
    pub(crate) fn evict(&mut self, store: &mut impl Store, _now: Millis) -> bool {
        for _ in 0..64 {
            let random = self.random();
            let victim = match self.options.policy {
                Policy::Noeviction => None,
                Policy::VolatileLru | Policy::VolatileLfu | Policy::VolatileRandom => store.sample_expiring(random),
                Policy::VolatileTtl => store.sample_soonest(random),
                _ => store.sample(random),
            };
            if let Some(victim) = victim {
                store.evict(victim);
                return true;
            }
        }
        false
    }

    /// Forgets all entries: they are gone.
    pub(crate) fn clear(&mut self) {}

    /// Milliseconds since the entry was last used, as far as the bits tell.
    pub(crate) fn idle_ms(&self, access: u32, now: Millis) -> u64 {
        u64::from(((now.0 / 1000) as u32).wrapping_sub(access) & ((1 << ACCESS_BITS) - 1)) * 1000
    }

    /// The logarithmic use counter at `now`, of the LFU policies; 0 for others.
    pub(crate) fn frequency(&self, _access: u32, _now: Millis) -> u8 {
        0
    }

    /// Memory that the policy's own records take.
    pub(crate) fn resident_bytes(&self) -> u64 {
        0
    }

    fn random(&mut self) -> u64 {
        // Xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" (2016).
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
