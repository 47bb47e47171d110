//! Eviction: which entry goes when a write needs memory that is not there.
//!
//! A policy sees the shard through [`Store`] and keeps what it must know of an entry in 18 access bits of
//! the item's header (`access.rs`). A read calls [`Evictor::touched`], which is a few instructions; a new entry calls
//! [`Evictor::inserted`]; an entry that moves to another cell keeps its bits and calls [`Evictor::moved`]. A
//! write that finds the memory used up calls [`Evictor::evict`] until there is room: each call looks at a
//! bounded number of entries and evicts one, if the policy allows any.
//!
//! ```text
//! allkeys-s3fifo               s3fifo.rs   recent.rs, ghost.rs, hand.rs
//! allkeys-lru, volatile-lru    lru.rs      clock.rs
//! allkeys-lfu, volatile-lfu    lfu.rs
//! volatile-ttl                 ttl.rs
//! allkeys-fifo                 the hand alone
//! allkeys-random, volatile-random, noeviction     nothing
//! ```

mod access;
mod clock;
mod ghost;
mod hand;
mod lfu;
mod lru;
mod recent;
mod s3fifo;
#[cfg(test)]
mod tests;
mod ttl;

use crate::cell::Cell;
use crate::policy::Policy;
use crate::slab::Slab;
use crate::time::Millis;
pub(crate) use access::ACCESS_BITS;
use access::Meaning;
use clock::Clock;
pub(crate) use ghost::Ghost;
use hand::Hand;
use lru::Candidates;
use s3fifo::S3fifo;

/// Draws that may fail before a policy gives up: a draw can meet a stale reference.
const DRAWS_MAX: u32 = 64;
/// Entries chosen for one eviction that may turn out to be such as stay.
const VICTIMS_MAX: u32 = 16;

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
    /// Removes the entry in `cell` and counts it as evicted; `false` if it is one that stays.
    fn evict(&mut self, cell: Cell) -> bool;
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

/// Which entries a sampling policy may evict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pool {
    All,
    Expiring,
}

impl Pool {
    /// Some entry of the pool; `None` if a few draws met none.
    fn draw(self, store: &impl Store, random: &mut impl FnMut() -> u64) -> Option<Cell> {
        (0..DRAWS_MAX).find_map(|_| match self {
            Pool::All => store.sample(random()),
            Pool::Expiring => store.sample_expiring(random()),
        })
    }

    fn has(self, store: &impl Store, cell: Cell) -> bool {
        self == Pool::All || store.expiry(cell).is_some()
    }
}

/// An entry to be evicted.
#[derive(Clone, Copy, Debug)]
struct Victim {
    cell: Cell,
    /// Whether its key goes into the ghost.
    is_remembered: bool,
}

impl Victim {
    fn of(cell: Cell) -> Victim {
        Victim { cell, is_remembered: false }
    }
}

/// The policy in force and its state.
#[derive(Debug)]
pub(crate) struct Evictor {
    options: EvictOptions,
    meaning: Meaning,
    clock: Clock,
    random: Random,
    s3fifo: S3fifo,
    candidates: Candidates,
    hand: Hand,
}

impl Evictor {
    /// The policy of `options` with no memory of entries.
    pub(crate) fn new(options: EvictOptions) -> Evictor {
        Evictor {
            options,
            meaning: meaning(options),
            clock: Clock::new(),
            random: Random::new(options.seed),
            s3fifo: S3fifo::new(),
            candidates: Candidates::default(),
            hand: Hand::default(),
        }
    }

    /// Takes new options; entries keep the access bits they have, whatever policy wrote them.
    pub(crate) fn reconfigure(&mut self, options: EvictOptions) {
        if options.policy != self.options.policy || options.is_limited != self.options.is_limited {
            self.s3fifo.clear();
            self.candidates.clear();
        }
        self.options = options;
        self.meaning = meaning(options);
    }

    /// The access bits of an entry that was used at `now`, having had the bits `access`.
    #[inline]
    pub(crate) fn touched(&mut self, access: u32, now: Millis) -> u32 {
        self.meaning.touched(access, now, &mut self.clock, || self.random.next())
    }

    /// The access bits of an entry that is new in `cell`; `hash` is its key's.
    #[inline]
    pub(crate) fn inserted(&mut self, cell: Cell, hash: u64, now: Millis) -> u32 {
        let access = self.meaning.born(now, &mut self.clock);
        if self.keeps_queues() { self.s3fifo.inserted(cell, hash, access) } else { access }
    }

    /// An entry with the bits `access` moved to the cell `target`; returns its bits there.
    #[inline]
    pub(crate) fn moved(&mut self, target: Cell, access: u32) -> u32 {
        if self.keeps_queues() {
            self.s3fifo.moved(target, access);
        }
        access
    }

    /// Evicts one entry by the policy; `false` if there is none that may go.
    pub(crate) fn evict(&mut self, store: &mut impl Store, now: Millis) -> bool {
        for _ in 0..VICTIMS_MAX {
            let Some(victim) = self.victim(store, now) else { return false };
            let hash = victim.is_remembered.then(|| store.hash(victim.cell));
            let entry_count = store.entry_count();
            if store.evict(victim.cell) {
                if let Some(hash) = hash {
                    self.s3fifo.remember(hash);
                }
                self.clock.count_eviction(entry_count);
                return true;
            }
        }
        false
    }

    /// Forgets all entries: they are gone.
    pub(crate) fn clear(&mut self) {
        self.s3fifo.clear();
        self.candidates.clear();
    }

    /// Milliseconds since the entry was last used, as far as the bits tell.
    #[inline]
    pub(crate) fn idle_ms(&self, access: u32, now: Millis) -> u64 {
        self.meaning.idle_ms(access, now, &self.clock)
    }

    /// The logarithmic use counter at `now`, of the LFU policies; 0 for others.
    #[inline]
    pub(crate) fn frequency(&self, access: u32, now: Millis) -> u8 {
        self.meaning.counter(access, now) as u8
    }

    /// Memory that the policy's own records take.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.s3fifo.resident_bytes()
    }

    #[inline]
    fn keeps_queues(&self) -> bool {
        self.meaning == Meaning::Queues && self.options.is_limited
    }

    fn victim(&mut self, store: &mut impl Store, now: Millis) -> Option<Victim> {
        let Evictor { meaning, clock, random, s3fifo, candidates, hand, .. } = self;
        let count = self.options.sample_count.max(1);
        let mut random = || random.next();
        let cell = match self.options.policy {
            Policy::AllkeysS3fifo => return s3fifo.victim(store),
            Policy::AllkeysLru => candidates.victim(store, Pool::All, count, clock.tick(now), random),
            Policy::VolatileLru => candidates.victim(store, Pool::Expiring, count, clock.tick(now), random),
            Policy::AllkeysLfu => lfu::victim(store, Pool::All, count, *meaning, now, random),
            Policy::VolatileLfu => lfu::victim(store, Pool::Expiring, count, *meaning, now, random),
            Policy::AllkeysRandom => Pool::All.draw(store, &mut random),
            Policy::VolatileRandom => Pool::Expiring.draw(store, &mut random),
            Policy::VolatileTtl => ttl::victim(store, count, random),
            Policy::AllkeysFifo => hand.next(store.slab()),
            Policy::Noeviction => None,
        };
        cell.map(Victim::of)
    }
}

fn meaning(options: EvictOptions) -> Meaning {
    Meaning::of(options.policy, options.lfu_log_factor, options.lfu_decay_minutes)
}

/// Xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" (2016).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Numbers that begin at `seed`.
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed | 1)
    }

    /// The next number.
    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
