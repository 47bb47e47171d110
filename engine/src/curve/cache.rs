//! A miniature cache: the keys of the sample that a memory of one size would hold.
//!
//! It holds what fits its share of the memory, and evicts by the policy in force. There is one for each size of the
//! curve; all share the records of [`Keys`].

use super::keys::Keys;
use super::pool::{Draw, Moment, Pool, Rules};
use super::queues::{Queues, Round};
use crate::evict::Random;
use crate::policy::Policy;

/// Entries chosen for one eviction that may be none, by a bad draw.
const TRIES_MAX: u32 = 8;

/// How a cache evicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Round after round.
    Rounds(Round),
    /// By draws.
    Draws(Rules),
}

#[derive(Debug)]
enum Order {
    Queues(Queues),
    Pool(Pool),
}

/// How many entries there are, and what they take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Content {
    pub(super) count: u64,
    pub(super) bytes: u64,
}

/// One miniature cache.
#[derive(Debug)]
pub(super) struct Cache {
    size: usize,
    /// Memory it has, in bytes.
    capacity: u64,
    /// Memory its entries take, of each no more than `clip`.
    used: u64,
    /// What an entry counts for at most.
    clip: u32,
    content: Content,
    order: Order,
}

impl Manner {
    /// What `policy` does.
    pub(super) fn of(policy: Policy, sample_count: u32, log_factor: u32, decay_minutes: u32) -> Manner {
        let draws = |draw, is_volatile| {
            let sample_count = sample_count.max(1);
            Manner::Draws(Rules { draw, is_volatile, sample_count, log_factor, decay_minutes })
        };
        match policy {
            Policy::AllkeysS3fifo => Manner::Rounds(Round::S3fifo),
            Policy::AllkeysFifo => Manner::Rounds(Round::Fifo),
            Policy::AllkeysLru => draws(Draw::Oldest, false),
            Policy::VolatileLru => draws(Draw::Oldest, true),
            Policy::AllkeysLfu => draws(Draw::Rarest, false),
            Policy::VolatileLfu => draws(Draw::Rarest, true),
            Policy::AllkeysRandom => draws(Draw::Any, false),
            Policy::VolatileRandom => draws(Draw::Any, true),
            Policy::VolatileTtl => draws(Draw::Soonest, true),
            Policy::Noeviction => draws(Draw::Nobody, false),
        }
    }
}

impl Cache {
    /// An empty cache, the `size`th of the curve.
    pub(super) fn new(size: usize, manner: Manner) -> Cache {
        let order = match manner {
            Manner::Rounds(round) => Order::Queues(Queues::new(round, size)),
            Manner::Draws(_) => Order::Pool(Pool::new(size)),
        };
        Cache { size, capacity: 0, used: 0, clip: u32::MAX, content: Content::default(), order }
    }

    /// What its entries count for, in bytes.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// What its entries are.
    pub(super) fn content(&self) -> Content {
        self.content
    }

    /// Gives it another share of memory; what is too much goes with the next entries that come.
    pub(super) fn set_capacity(&mut self, bytes: u64) {
        self.capacity = bytes;
    }

    /// Memory it has, in bytes.
    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Counts each entry for no more than `clip` bytes from now on.
    pub(super) fn set_clip(&mut self, clip: u32, keys: &Keys) {
        self.clip = clip;
        let numbers = keys.numbers().filter(|number| keys.record(*number).held >> self.size & 1 == 1);
        self.used = numbers.map(|number| self.charge(keys.record(number).bytes)).sum();
    }

    /// Gives it `after` in place of each `before` bytes.
    pub(super) fn scale_capacity(&mut self, after: u64, before: u64) {
        if self.capacity < u64::MAX {
            self.capacity = (u128::from(self.capacity) * u128::from(after) / u128::from(before)) as u64;
        }
    }

    /// Takes in a key, if what may be evicted makes room for it. Keys that no cache holds any more come into `gone`.
    pub(super) fn insert(&mut self, keys: &mut Keys, key: u16, scene: &mut Scene<'_>) {
        let bytes = self.charge(keys.record(key).bytes);
        if bytes > self.capacity || !self.make_room(bytes, keys, scene) {
            return;
        }
        self.used += bytes;
        self.content.count += 1;
        self.content.bytes += u64::from(keys.record(key).bytes);
        keys.record_mut(key).held |= 1 << self.size;
        match (&mut self.order, scene.manner) {
            (Order::Queues(queues), _) => queues.insert(keys, key),
            (Order::Pool(pool), Manner::Draws(rules)) => pool.insert(keys, key, rules),
            (Order::Pool(_), Manner::Rounds(_)) => unreachable!("a cache is made anew with its manner"),
        }
    }

    /// Takes out a key.
    pub(super) fn remove(&mut self, keys: &mut Keys, key: u16) {
        match &mut self.order {
            Order::Queues(queues) => queues.remove(keys, key),
            Order::Pool(pool) => pool.remove(keys, key),
        }
        let record = keys.record_mut(key);
        debug_assert!(record.held >> self.size & 1 == 1, "it holds what it gives up");
        record.held &= !(1 << self.size);
        let bytes = record.bytes;
        self.used -= self.charge(bytes);
        self.content.count -= 1;
        self.content.bytes -= u64::from(bytes);
    }

    /// Notes that a key takes `after` bytes and no longer `before`, or expires at another time, its record saying so
    /// already.
    pub(super) fn changed(&mut self, keys: &mut Keys, key: u16, before: u32, scene: &mut Scene<'_>) {
        let after = keys.record(key).bytes;
        self.used = self.used - self.charge(before) + self.charge(after);
        self.content.bytes = self.content.bytes - u64::from(before) + u64::from(after);
        if let (Order::Pool(pool), Manner::Draws(rules)) = (&mut self.order, scene.manner) {
            pool.reconsider(keys, key, rules);
        }
        self.make_room(0, keys, scene);
    }

    /// Takes places together after many keys have gone.
    pub(super) fn compact(&mut self, keys: &mut Keys) {
        if let Order::Queues(queues) = &mut self.order {
            queues.compact(keys);
        }
    }

    pub(super) fn resident_bytes(&self) -> usize {
        match &self.order {
            Order::Queues(queues) => queues.resident_bytes(),
            Order::Pool(pool) => pool.resident_bytes(),
        }
    }

    fn charge(&self, bytes: u32) -> u64 {
        u64::from(bytes.min(self.clip))
    }

    fn make_room(&mut self, bytes: u64, keys: &mut Keys, scene: &mut Scene<'_>) -> bool {
        while self.used.saturating_add(bytes) > self.capacity {
            let Some(victim) = self.victim(keys, scene) else { return false };
            self.remove(keys, victim);
            if keys.record(victim).held == 0 {
                keys.remove(victim);
            }
        }
        true
    }

    fn victim(&mut self, keys: &mut Keys, scene: &mut Scene<'_>) -> Option<u16> {
        (0..TRIES_MAX).find_map(|_| match (&mut self.order, scene.manner) {
            (Order::Queues(queues), _) => queues.victim(keys),
            (Order::Pool(pool), Manner::Draws(rules)) => pool.victim(keys, rules, scene.now, scene.random),
            (Order::Pool(_), Manner::Rounds(_)) => unreachable!("a cache is made anew with its manner"),
        })
    }
}

#[cfg(test)]
impl Cache {
    /// Checks that what it counts is what it has.
    pub(super) fn check(&self, keys: &Keys) {
        let held = || keys.numbers().filter(|number| keys.record(*number).held >> self.size & 1 == 1);
        let used: u64 = held().map(|number| self.charge(keys.record(number).bytes)).sum();
        assert_eq!(self.used, used);
        match &self.order {
            Order::Queues(queues) => queues.check(keys, held()),
            Order::Pool(pool) => pool.check(keys, held()),
        }
    }
}

/// What a change of a cache is made with.
pub(super) struct Scene<'a> {
    pub(super) manner: &'a Manner,
    pub(super) now: Moment,
    pub(super) random: &'a mut Random,
}
