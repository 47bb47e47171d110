//! S3-FIFO: a small queue for what is new, a main queue for what was used again, a ghost for what is gone.
//!
//! Most entries of a skewed workload are never used again, so a new entry goes into a small queue, a tenth
//! of all, and leaves the cache at its end unless it was used meanwhile; then it enters the main queue, whose
//! hand takes one use from each entry it passes and evicts those that have none. A key that
//! returns soon after its eviction is in the ghost and enters the main queue at once.
//!
//! Here the small queue is a queue of references, the order of the main queue is the order of places in the slab, and an
//! entry has two bits of uses and one that says in which queue it is.
//!
//! Source: Yang et al., "FIFO queues are all you need for cache eviction" (SOSP 2023).
//!
//! # Invariants
//! - An entry without the main bit has a reference in the small queue, or is met by the hand within a round
//!   while `is_settling`.

use super::access::{into_main, is_main, less_used, uses};
use super::ghost::{BUCKETS_MIN, Ghost};
use super::hand::Hand;
use super::recent::Recent;
use super::{Store, Victim};
use crate::cell::Cell;

/// The small queue is one in so many entries.
const SMALL_SHARE: u64 = 10;

/// Entries looked at for one eviction, at most.
const LOOKS_MAX: u32 = 128;

/// The small queue's references before anything was evicted: one in so many entries, and at least as many.
const WAITING_SHARE: u64 = 8;
const WAITING_MIN: u64 = 4096;

/// How far ahead of its use a cell is fetched.
const PREFETCH_AHEAD: usize = 4;

#[derive(Debug)]
pub(super) struct S3fifo {
    small: Recent,
    ghost: Ghost,
    hand: Hand,
    /// Entries there are, as of the last eviction, and those that came since.
    entry_count: u64,
    /// Whether entries may lack the main bit without being in the small queue: under another policy they had
    /// no queue, and before the first eviction the small queue forgets its oldest.
    is_settling: bool,
    /// The hand's rounds when that began.
    settling_since: u32,
}

impl S3fifo {
    pub(super) fn new() -> S3fifo {
        S3fifo {
            small: Recent::default(),
            ghost: Ghost::new(BUCKETS_MIN),
            hand: Hand::default(),
            entry_count: 0,
            is_settling: true,
            settling_since: 0,
        }
    }

    /// The bits of a new entry whose bits would be `access`.
    #[inline]
    pub(super) fn inserted(&mut self, cell: Cell, hash: u64, access: u32) -> u32 {
        self.entry_count += 1;
        if self.ghost.take(hash) {
            return into_main(access);
        }
        self.push(cell);
        access
    }

    /// An entry with the bits `access` has moved to `cell`.
    #[inline]
    pub(super) fn moved(&mut self, cell: Cell, access: u32) {
        if !is_main(access) {
            self.push(cell);
        }
    }

    #[inline]
    fn push(&mut self, cell: Cell) {
        self.small.push(cell);
        if self.small.len() > (self.entry_count / WAITING_SHARE).max(WAITING_MIN) {
            self.small.pop();
            self.settle();
        }
    }

    /// From now on entries may lack both the main bit and a reference.
    pub(super) fn settle(&mut self) {
        self.is_settling = true;
        self.settling_since = self.hand.rounds;
    }

    pub(super) fn victim(&mut self, store: &mut impl Store) -> Option<Victim> {
        self.entry_count = store.entry_count();
        self.ghost.size_for(self.entry_count);
        for _ in 0..LOOKS_MAX {
            let is_small_due = self.small.len() > self.entry_count / SMALL_SHARE;
            let victim = if is_small_due { self.look_at_small(store) } else { self.look_at_main(store)? };
            if victim.is_some() {
                return victim;
            }
        }
        // All were used lately: the next one goes for having come up.
        self.hand.next(store.slab()).map(Victim::of)
    }

    /// Takes the oldest entry out of the small queue: it is evicted, unless it was used.
    fn look_at_small(&mut self, store: &mut impl Store) -> Option<Victim> {
        if let Some(ahead) = self.small.peek(PREFETCH_AHEAD) {
            store.slab().prefetch(ahead);
        }
        let cell = store.slab().is_live(self.small.pop()?.unit())?;
        let access = store.access(cell);
        if is_main(access) {
            return None;
        }
        if uses(access) > 0 {
            store.set_access(cell, into_main(access));
            return None;
        }
        Some(Victim { cell, is_remembered: true })
    }

    /// Moves the hand by an entry; `None` if it finds no more.
    #[expect(clippy::option_option, reason = "no entry at all is not the same as none to evict")]
    fn look_at_main(&mut self, store: &mut impl Store) -> Option<Option<Victim>> {
        let cell = self.hand.next(store.slab())?;
        if self.is_settling && self.hand.rounds.wrapping_sub(self.settling_since) > 1 {
            self.is_settling = false;
        }
        let access = store.access(cell);
        if !is_main(access) && !self.is_settling {
            return Some(None);
        }
        if uses(access) > 0 {
            store.set_access(cell, into_main(access) | uses(less_used(access)));
            return Some(None);
        }
        Some(Some(Victim::of(cell)))
    }

    /// Remembers an entry that is evicted from the small queue.
    pub(super) fn remember(&mut self, hash: u64) {
        self.ghost.add(hash);
    }

    pub(super) fn clear(&mut self) {
        *self = S3fifo::new();
    }

    pub(super) fn resident_bytes(&self) -> u64 {
        self.small.resident_bytes() + self.ghost.resident_bytes()
    }
}
