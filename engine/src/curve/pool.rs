//! The order of a miniature cache under the policies that draw: LRU, LFU, random and TTL.
//!
//! Who may be evicted lies side by side, so that one of them can be drawn. LRU keeps candidates of earlier draws as
//! `evict/lru.rs` does. TTL draws nobody: the shard draws from the wheel's next bucket, which comes to the one that
//! expires first, and here a heap has that one. (Candidates of draws among all gave a new entry that expires soon some time
//! before it was drawn, and twice the hits of the shard.)

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::SIZE_COUNT;
use super::keys::{Keys, NEVER, NO_KEY};
use crate::evict::Random;
use crate::shard::scale;

/// Candidates that are kept.
const CANDIDATES_MAX: usize = 16;

/// Expiries there may be for each member.
const STALE_SHARE: usize = 2;

/// LFU: the counter of a new entry.
const COUNTER_START: u8 = 5;

/// LFU: minutes that make a period, by which uses are told apart.
const PERIOD_MINUTES: u32 = 2;

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Draw {
    /// Who was not used for longest.
    Oldest,
    /// Who was used least.
    Rarest,
    /// Anybody.
    Any,
    /// Who expires first.
    Soonest,
    /// Nobody: what there is no room for is refused.
    Nobody,
}

/// What the draws go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// Who goes first.
    pub(super) draw: Draw,
    /// Whether only what expires may go.
    pub(super) is_volatile: bool,
    /// Draws for one eviction.
    pub(super) sample_count: u32,
    /// LFU: the higher, the more uses a counter step takes.
    pub(super) log_factor: u32,
    /// LFU: minutes after which an unused counter loses one; 0: never.
    pub(super) decay_minutes: u32,
}

/// The order of one cache.
#[derive(Debug)]
pub(super) struct Pool {
    size: usize,
    members: Vec<u16>,
    /// Drawn before, the one to go first last, with the time that it was drawn by.
    candidates: Vec<(u16, u32)>,
    /// TTL: when members expire; what has changed since is stale.
    soonest: BinaryHeap<Reverse<(u32, u16)>>,
}

impl Rules {
    /// The states of a key that was used once more at `period`, in all caches, having been used at `before`.
    pub(super) fn use_all(&self, states: &mut [u8; SIZE_COUNT], before: u16, period: u16, random: &mut Random) {
        if self.draw != Draw::Rarest {
            return;
        }
        let drawn = random.next();
        for state in states {
            let counter = self.counter(*state, before, period);
            let one_in = u64::from(counter.saturating_sub(COUNTER_START)) * u64::from(self.log_factor) + 1;
            // The same number for all, so that the sizes differ by what they are and not by chance.
            *state = if drawn.is_multiple_of(one_in) { counter.saturating_add(1) } else { counter };
        }
    }

    fn counter(&self, state: u8, before: u16, period: u16) -> u8 {
        let minutes = u32::from(period.wrapping_sub(before)) * PERIOD_MINUTES;
        let lost = minutes.checked_div(self.decay_minutes).unwrap_or(0);
        u32::from(state).saturating_sub(lost) as u8
    }
}

/// The period of LFU at a time in minutes.
pub(super) fn period(minutes: u64) -> u16 {
    (minutes / u64::from(PERIOD_MINUTES)) as u16
}

impl Pool {
    pub(super) fn new(size: usize) -> Pool {
        Pool { size, members: Vec::new(), candidates: Vec::new(), soonest: BinaryHeap::new() }
    }

    pub(super) fn insert(&mut self, keys: &mut Keys, key: u16, rules: &Rules) {
        keys.record_mut(key).states[self.size] = COUNTER_START;
        self.enter(keys, key, rules);
    }

    /// Takes a key in that may go by the rules, or that may not, for which there is no place.
    fn enter(&mut self, keys: &mut Keys, key: u16, rules: &Rules) {
        let is_of_pool = !rules.is_volatile || keys.until(key, self.size) != NEVER;
        let may_go = is_of_pool && rules.draw != Draw::Nobody;
        let place = if may_go { self.members.len() as u16 } else { NO_KEY };
        keys.record_mut(key).places[self.size] = place;
        if may_go {
            self.members.push(key);
            if rules.draw == Draw::Soonest {
                self.note_expiry(keys, key);
            }
        }
    }

    fn note_expiry(&mut self, keys: &Keys, key: u16) {
        if self.soonest.len() > STALE_SHARE * (self.members.len() + 1) {
            let members = self.members.iter();
            self.soonest = members.map(|member| Reverse((keys.until(*member, self.size), *member))).collect();
        } else {
            self.soonest.push(Reverse((keys.until(key, self.size), key)));
        }
    }

    pub(super) fn remove(&mut self, keys: &mut Keys, key: u16) {
        let place = keys.record(key).places[self.size];
        if place == NO_KEY {
            return;
        }
        debug_assert_eq!(self.members[usize::from(place)], key);
        self.members.swap_remove(usize::from(place));
        if let Some(moved) = self.members.get(usize::from(place)) {
            keys.record_mut(*moved).places[self.size] = place;
        }
    }

    /// To be called when the expiry of a key has changed.
    pub(super) fn reconsider(&mut self, keys: &mut Keys, key: u16, rules: &Rules) {
        if rules.is_volatile {
            self.remove(keys, key);
            self.enter(keys, key, rules);
        }
    }

    /// The entry to be evicted.
    pub(super) fn victim(&mut self, keys: &Keys, rules: &Rules, now: Moment, random: &mut Random) -> Option<u16> {
        match rules.draw {
            Draw::Nobody => None,
            Draw::Any => self.any(random),
            Draw::Rarest => self.rarest(keys, rules, now, random),
            Draw::Oldest => self.oldest(keys, rules, now, random),
            Draw::Soonest => self.first(keys),
        }
    }

    pub(super) fn resident_bytes(&self) -> usize {
        self.members.capacity() * size_of::<u16>()
            + self.candidates.capacity() * size_of::<(u16, u32)>()
            + self.soonest.capacity() * size_of::<Reverse<(u32, u16)>>()
    }

    fn any(&self, random: &mut Random) -> Option<u16> {
        self.members.get(scale(random.next(), self.members.len() as u64) as usize).copied()
    }

    fn rarest(&self, keys: &Keys, rules: &Rules, now: Moment, random: &mut Random) -> Option<u16> {
        let draws = (0..rules.sample_count).filter_map(|_| self.any(random));
        draws.min_by_key(|key| {
            let record = keys.record(*key);
            let idle = now.period.wrapping_sub(record.period);
            (rules.counter(record.states[self.size], record.period, now.period), u16::MAX - idle)
        })
    }

    fn oldest(&mut self, keys: &Keys, rules: &Rules, now: Moment, random: &mut Random) -> Option<u16> {
        for _ in 0..rules.sample_count {
            let key = self.any(random)?;
            self.offer((key, keys.record(key).last), now);
        }
        while let Some((key, last)) = self.candidates.pop() {
            // It may be gone, used again, or another key by now.
            if self.has(keys, key) && keys.record(key).last == last {
                return Some(key);
            }
        }
        None
    }

    fn first(&mut self, keys: &Keys) -> Option<u16> {
        while let Some(Reverse((until, key))) = self.soonest.pop() {
            if self.has(keys, key) && keys.until(key, self.size) == until {
                return Some(key);
            }
        }
        None
    }

    fn has(&self, keys: &Keys, key: u16) -> bool {
        let record = keys.record(key);
        record.held >> self.size & 1 == 1 && self.members.get(usize::from(record.places[self.size])) == Some(&key)
    }

    fn offer(&mut self, drawn: (u16, u32), now: Moment) {
        if self.candidates.iter().any(|(known, _)| *known == drawn.0) {
            return;
        }
        // Events count around.
        let idle = |last: u32| now.event.wrapping_sub(last);
        let place = self.candidates.partition_point(|(_, last)| idle(*last) < idle(drawn.1));
        if self.candidates.len() < CANDIDATES_MAX {
            self.candidates.insert(place, drawn);
        } else if place > 0 {
            self.candidates.remove(0);
            self.candidates.insert(place - 1, drawn);
        }
    }
}

/// When something happens, in the units of the records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    /// By the time of expiries.
    pub(super) time: u32,
    /// By events.
    pub(super) event: u32,
    /// By the time of LFU.
    pub(super) period: u16,
}

#[cfg(test)]
impl Pool {
    /// Checks that the members are held, and in their places.
    pub(super) fn check(&self, keys: &Keys, held: impl Iterator<Item = u16>) {
        let members = held.filter(|key| keys.record(*key).places[self.size] != NO_KEY);
        let count = members.inspect(|key| {
            assert_eq!(self.members[usize::from(keys.record(*key).places[self.size])], *key);
        });
        assert_eq!(self.members.len(), count.count());
    }
}
