//! The order of a miniature cache under the policies that go round: S3-FIFO and FIFO.
//!
//! It does what `evict/s3fifo.rs` and `evict/hand.rs` do, with places in a list for cells: an entry takes the place that
//! was freed last, and the order of the main queue is the order of places. So what is new comes up when the hand has
//! been where it lies, and not always a whole round later, as in the cache that is imitated.

use std::collections::VecDeque;

use super::keys::{Keys, NO_KEY};
use crate::evict::Ghost;

/// The bits of a state that count uses, up to all of them.
const USES: u8 = 3;

/// The bit of entries that have left the small queue.
const MAIN: u8 = 4;

/// The small queue is one in so many entries.
const SMALL_SHARE: usize = 10;

/// Before anything was evicted: one in so many entries, and at least as many.
const WAITING_SHARE: usize = 8;
const WAITING_MIN: usize = 16;

/// Entries looked at for one eviction, at most.
const LOOKS_MAX: u32 = 128;

/// The fewest buckets of a ghost.
const GHOST_BUCKETS_MIN: u64 = 4;

/// Which of the policies it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// Two queues and a ghost.
    S3fifo,
    /// The hand alone.
    Fifo,
}

/// The order of one cache.
#[derive(Debug)]
pub(super) struct Queues {
    round: Round,
    size: usize,
    places: Vec<u16>,
    free: Vec<u16>,
    hand: usize,
    rounds: u32,
    /// Places, of which some may have another entry by now, or none.
    small: VecDeque<u16>,
    ghost: Ghost,
    entry_count: usize,
    /// Entries may lack the main bit without being in the small queue, until the hand has been round twice.
    settling_since: Option<u32>,
}

impl Queues {
    pub(super) fn new(round: Round, size: usize) -> Queues {
        Queues {
            round,
            size,
            places: Vec::new(),
            free: Vec::new(),
            hand: 0,
            rounds: 0,
            small: VecDeque::new(),
            ghost: Ghost::new(GHOST_BUCKETS_MIN),
            entry_count: 0,
            settling_since: Some(0),
        }
    }

    /// The states of a key that was used once more, in all caches.
    #[inline]
    pub(super) fn use_all(states: &mut [u8; super::SIZE_COUNT]) {
        for state in states {
            *state = (*state & MAIN) | ((*state & USES) + 1).min(USES);
        }
    }

    pub(super) fn insert(&mut self, keys: &mut Keys, key: u16) {
        let place = if let Some(place) = self.free.pop() {
            self.places[usize::from(place)] = key;
            place
        } else {
            self.places.push(key);
            (self.places.len() - 1) as u16
        };
        self.entry_count += 1;
        let record = keys.record_mut(key);
        record.places[self.size] = place;
        record.states[self.size] = 0;
        if self.round == Round::Fifo {
            return;
        }
        if self.ghost.take(record.name) {
            record.states[self.size] = MAIN;
            return;
        }
        self.small.push_back(place);
        if self.small.len() > (self.entry_count / WAITING_SHARE).max(WAITING_MIN) {
            self.small.pop_front();
            self.settling_since = Some(self.rounds);
        }
    }

    pub(super) fn remove(&mut self, keys: &Keys, key: u16) {
        let place = keys.record(key).places[self.size];
        debug_assert_eq!(self.places[usize::from(place)], key);
        self.places[usize::from(place)] = NO_KEY;
        self.free.push(place);
    }

    /// The entry to be evicted.
    pub(super) fn victim(&mut self, keys: &mut Keys) -> Option<u16> {
        if self.round == Round::Fifo {
            return self.next();
        }
        self.entry_count = self.places.len() - self.free.len();
        self.ghost.size_for(self.entry_count as u64);
        for _ in 0..LOOKS_MAX {
            let is_small_due = self.small.len() > self.entry_count / SMALL_SHARE;
            let victim = if is_small_due { self.look_at_small(keys) } else { self.look_at_main(keys)? };
            if victim.is_some() {
                return victim;
            }
        }
        self.next()
    }

    /// Takes the places together, in their order, after many entries have gone by no order.
    pub(super) fn compact(&mut self, keys: &mut Keys) {
        let hand = self.hand.min(self.places.len());
        let before = self.places[..hand].iter().filter(|key| **key != NO_KEY).count();
        let mut moved = vec![NO_KEY; self.places.len()];
        let kept = self.places.iter().enumerate().filter(|(_, key)| **key != NO_KEY);
        for (after, (place, key)) in (0..).zip(kept) {
            moved[place] = after;
            keys.record_mut(*key).places[self.size] = after;
        }
        self.small.retain_mut(|place| {
            *place = moved[usize::from(*place)];
            *place != NO_KEY
        });
        self.places.retain(|key| *key != NO_KEY);
        self.free.clear();
        self.hand = before;
        self.entry_count = self.places.len();
        // It is made anew, with the size that fits, at the next eviction.
        self.ghost = Ghost::new(GHOST_BUCKETS_MIN);
    }

    pub(super) fn resident_bytes(&self) -> usize {
        let places = self.places.capacity() + self.free.capacity() + self.small.capacity();
        places * size_of::<u16>() + self.ghost.resident_bytes() as usize
    }

    /// The next entry that the hand comes to.
    fn next(&mut self) -> Option<u16> {
        for _ in 0..=self.places.len() {
            if self.hand >= self.places.len() {
                self.hand = 0;
                self.rounds = self.rounds.wrapping_add(1);
            }
            let key = *self.places.get(self.hand)?;
            self.hand += 1;
            if key != NO_KEY {
                return Some(key);
            }
        }
        None
    }

    fn look_at_small(&mut self, keys: &mut Keys) -> Option<u16> {
        let key = self.places[usize::from(self.small.pop_front()?)];
        if key == NO_KEY {
            return None;
        }
        let record = keys.record_mut(key);
        let state = &mut record.states[self.size];
        if *state & MAIN != 0 {
            return None;
        }
        if *state & USES > 0 {
            *state = MAIN;
            return None;
        }
        self.ghost.add(record.name);
        Some(key)
    }

    #[expect(clippy::option_option, reason = "no entry at all is not the same as none to evict")]
    fn look_at_main(&mut self, keys: &mut Keys) -> Option<Option<u16>> {
        let key = self.next()?;
        if self.settling_since.is_some_and(|since| self.rounds.wrapping_sub(since) > 1) {
            self.settling_since = None;
        }
        let state = &mut keys.record_mut(key).states[self.size];
        if *state & MAIN == 0 && self.settling_since.is_none() {
            return Some(None);
        }
        if *state & USES > 0 {
            *state = MAIN | ((*state & USES) - 1);
            return Some(None);
        }
        Some(Some(key))
    }
}

#[cfg(test)]
impl Queues {
    /// Checks that those that are held are in their places, and nobody else.
    pub(super) fn check(&self, keys: &Keys, held: impl Iterator<Item = u16>) {
        let mut count = 0;
        for key in held {
            assert_eq!(self.places[usize::from(keys.record(key).places[self.size])], key);
            count += 1;
        }
        assert_eq!(self.places.len() - self.free.len(), count);
        assert!(self.free.iter().all(|place| self.places[usize::from(*place)] == NO_KEY));
    }
}
