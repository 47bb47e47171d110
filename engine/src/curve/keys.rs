//! The keys of the sample: what the miniature caches know of them, in one place for all of them.
//!
//! Most keys are in most of the caches at once, so a key has one record, with a bit for each cache that holds it, a byte
//! of state for each and its place in each. A record goes with the last cache that held it. What only keys that expire
//! need lies aside, and takes no memory until there is one.
//!
//! ```text
//! index     | tag: 16, number: 16 | ...  open addressing, at most half full, no gaps left by removals
//! records   | name bytes last held period states[9] database places[9] | ...
//! terms     | until[9] lasting | ...     empty until a key expires
//! ```

use super::SIZE_COUNT;
use crate::key::{Db, Key};

/// The number of no key.
pub(super) const NO_KEY: u16 = u16::MAX;

/// The time at which what does not expire does.
pub(super) const NEVER: u32 = u32::MAX;

/// The bits of all caches.
pub(super) const ALL_HELD: u16 = (1 << SIZE_COUNT) - 1;

/// An index entry that is free.
const FREE: u32 = u32::MAX;

/// Entries of the smallest index.
const INDEX_MIN: usize = 64;

/// How far a database's number is shifted into a hash to make a name: beyond what tells keys of one database apart.
const DB_SHIFT: u32 = 60;

/// What is known of a key.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// The key: its hash and its database.
    pub(super) name: u64,
    /// Memory that its entry takes.
    pub(super) bytes: u32,
    /// The event by which it was last used.
    pub(super) last: u32,
    /// The caches that hold it, a bit each.
    pub(super) held: u16,
    /// LFU: when it was last used.
    pub(super) period: u16,
    /// What each cache's policy keeps of it.
    pub(super) states: [u8; SIZE_COUNT],
    /// The database.
    pub(super) db: Db,
    /// Where it is in each cache.
    pub(super) places: [u16; SIZE_COUNT],
}

/// When a key expires.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// In each cache.
    pub(super) until: [u32; SIZE_COUNT],
    /// How long what is written lasts, [`NEVER`] if it does not expire.
    pub(super) lasting: u32,
}

const ENDLESS: Terms = Terms { until: [NEVER; SIZE_COUNT], lasting: NEVER };

/// The keys of the sample.
#[derive(Debug, Default)]
pub(super) struct Keys {
    index: Vec<u32>,
    records: Vec<Record>,
    free: Vec<u16>,
    terms: Vec<Terms>,
}

/// The name of a key: the hash, of which the lower half chooses the sample, and the database in its highest bits.
pub(super) fn name_of(key: Key<'_>) -> u64 {
    key.hash ^ (u64::from(key.db.0) << DB_SHIFT)
}

fn tag(name: u64) -> u32 {
    (name >> 48) as u32
}

fn number_of(entry: u32) -> u16 {
    entry as u16
}

impl Keys {
    /// Keys there are.
    pub(super) fn len(&self) -> usize {
        self.records.len() - self.free.len()
    }

    /// The key called `name`.
    #[inline]
    pub(super) fn find(&self, name: u64) -> Option<u16> {
        if self.index.is_empty() {
            return None;
        }
        let mut slot = self.home(name);
        loop {
            let entry = self.index[slot];
            if entry == FREE {
                return None;
            }
            if entry >> 16 == tag(name) && self.records[usize::from(number_of(entry))].name == name {
                return Some(number_of(entry));
            }
            slot = (slot + 1) & (self.index.len() - 1);
        }
    }

    /// A new key, which no cache holds.
    pub(super) fn insert(&mut self, name: u64, db: Db, bytes: u32) -> u16 {
        debug_assert!(self.find(name).is_none());
        if (self.len() + 1) * 2 > self.index.len() {
            self.grow();
        }
        let record =
            Record { name, bytes, last: 0, held: 0, period: 0, states: [0; SIZE_COUNT], db, places: [0; SIZE_COUNT] };
        let number = if let Some(number) = self.free.pop() {
            self.records[usize::from(number)] = record;
            if let Some(terms) = self.terms.get_mut(usize::from(number)) {
                *terms = ENDLESS;
            }
            number
        } else {
            assert!(self.records.len() < usize::from(NO_KEY), "the sample is bounded");
            self.records.push(record);
            if !self.terms.is_empty() {
                self.terms.push(ENDLESS);
            }
            (self.records.len() - 1) as u16
        };
        self.link(name, number);
        number
    }

    /// Removes a key, which no cache holds any more.
    pub(super) fn remove(&mut self, number: u16) {
        let name = self.record(number).name;
        debug_assert_eq!(self.record(number).held, 0);
        let mask = self.index.len() - 1;
        let mut gap = self.home(name);
        while number_of(self.index[gap]) != number || self.index[gap] == FREE {
            debug_assert_ne!(self.index[gap], FREE, "every key is in the index");
            gap = (gap + 1) & mask;
        }
        let mut slot = gap;
        loop {
            slot = (slot + 1) & mask;
            let entry = self.index[slot];
            if entry == FREE {
                break;
            }
            let home = self.home(self.records[usize::from(number_of(entry))].name);
            // It may fill the gap unless that is before its home.
            if (slot.wrapping_sub(home) & mask) >= (slot.wrapping_sub(gap) & mask) {
                self.index[gap] = entry;
                gap = slot;
            }
        }
        self.index[gap] = FREE;
        self.free.push(number);
        // Not taken for one that is there.
        self.record_mut(number).name = !name;
    }

    /// The key `number`.
    #[inline]
    pub(super) fn record(&self, number: u16) -> &Record {
        &self.records[usize::from(number)]
    }

    /// The same, to be changed.
    #[inline]
    pub(super) fn record_mut(&mut self, number: u16) -> &mut Record {
        &mut self.records[usize::from(number)]
    }

    /// When a key expires; `None` if no key does.
    #[inline]
    pub(super) fn terms(&self, number: u16) -> Option<&Terms> {
        self.terms.get(usize::from(number))
    }

    /// When a key expires in the cache of `size`.
    #[inline]
    pub(super) fn until(&self, number: u16, size: usize) -> u32 {
        self.terms(number).map_or(NEVER, |terms| terms.until[size])
    }

    /// The same, to be changed; to be called for keys that expire, and for others only if [`Keys::terms`] has some.
    pub(super) fn terms_mut(&mut self, number: u16) -> &mut Terms {
        if self.terms.is_empty() {
            self.terms.resize(self.records.len(), ENDLESS);
        }
        &mut self.terms[usize::from(number)]
    }

    /// Whether there may be keys that expire.
    #[inline]
    pub(super) fn has_terms(&self) -> bool {
        !self.terms.is_empty()
    }

    /// The numbers of all keys that some cache holds.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u16> + use<'_> {
        let held = self.records.iter().enumerate().filter(|(_, record)| record.held != 0);
        held.map(|(number, _)| number as u16)
    }

    /// Memory of all of it, in bytes.
    pub(super) fn resident_bytes(&self) -> usize {
        self.index.capacity() * size_of::<u32>()
            + self.records.capacity() * size_of::<Record>()
            + self.free.capacity() * size_of::<u16>()
            + self.terms.capacity() * size_of::<Terms>()
    }

    fn home(&self, name: u64) -> usize {
        (name >> 32) as usize & (self.index.len() - 1)
    }

    fn link(&mut self, name: u64, number: u16) {
        let mut slot = self.home(name);
        while self.index[slot] != FREE {
            slot = (slot + 1) & (self.index.len() - 1);
        }
        self.index[slot] = (tag(name) << 16) | u32::from(number);
    }

    fn grow(&mut self) {
        let entries = std::mem::take(&mut self.index);
        self.index = vec![FREE; (entries.len() * 2).max(INDEX_MIN)];
        for entry in entries.into_iter().filter(|entry| *entry != FREE) {
            let number = number_of(entry);
            self.link(self.record(number).name, number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::evict::Random;

    #[test]
    fn keys_are_found_until_they_are_removed() {
        let (mut keys, mut known, mut random) = (Keys::default(), HashMap::new(), Random::new(7));
        for step in 0..100_000_u64 {
            // Few homes, so that runs are long.
            let name = ((random.next() % 3000) << 37) | (random.next() % 2);
            if let Some(number) = known.remove(&name) {
                assert_eq!(keys.find(name), Some(number), "step {step}");
                keys.remove(number);
                assert_eq!(keys.find(name), None, "step {step}");
            } else {
                assert_eq!(keys.find(name), None, "step {step}");
                known.insert(name, keys.insert(name, Db(0), 1));
            }
            assert_eq!(keys.len(), known.len());
        }
        for (name, number) in known {
            assert_eq!(keys.find(name), Some(number));
        }
    }

    #[test]
    fn a_record_is_small() {
        assert_eq!(size_of::<Record>(), 48);
        assert_eq!(size_of::<Terms>(), 40);
    }
}
