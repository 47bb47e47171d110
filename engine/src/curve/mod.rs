//! The miss-ratio curve: what share of the reads would find their entry if the shard had more memory, or less.
//!
//! An operator wants to know what twice the memory would bring before buying it. The shard plays it out: for each of nine
//! sizes there is a miniature cache, which holds the keys that a memory of that size would hold, but only of a sample
//! of the keys, chosen by their hash, and has so much less memory. Each evicts by the policy in force. (Distances in
//! an LRU stack, which take less, tell of LRU alone: S3-FIFO is up to 8 points away from it.)
//!
//! ```text
//! shard   reads and changes of keys below a threshold ---> Curve (this file)
//!                                                    |- heat.rs    keys used so often that most uses are passed over
//!                                                    |- fills.rs   whether misses make clients write
//!                                                    |- keys.rs    a record a key, for all caches
//!                                                    |- cache.rs   nine caches --- queues.rs  S3-FIFO, FIFO
//!                                                    |                         '-- pool.rs    LRU, LFU, random, TTL
//!                                                    |- window.rs  misses of the last minutes
//!                                                    '- miss_curve.rs  what comes of it
//! ```
//!
//! What is played out where the shard itself did something else:
//! - A read that hits in the shard and misses in a cache would have been followed by a write, which puts the key there,
//!   to last as long as it was last written for; unless misses are not what makes clients write (`fills.rs`).
//! - A write behind a miss of the shard would not have come to a cache that had the key: it is no use of it, and the key
//!   expires there when it would have.
//! - A read of a key that no cache knows but that the shard holds, because it was there before the sample was, misses in
//!   the caches that are smaller than the shard.
//!
//! Only misses are counted in the sample; the reads are all the reads there were. So a key that is read very often moves
//! the curve no more when it is in the sample than when it is not (Waldspurger's "adjustment").
//!
//! Source: Waldspurger, Saemundsson, Ahmad, Park, "Cache Modeling and Optimization using Miniature Simulations" (ATC
//! 2017); Waldspurger, Park, Garthwaite, Ahmad, "Efficient MRC Construction with SHARDS" (FAST 2015).
//!
//! # Invariants
//! - A record is of a key whose hash is below the threshold, and some cache holds it.
//! - A cache's memory in use is the sum of the entries of the keys that have its bit.

mod cache;
mod fills;
mod heat;
mod keys;
mod miss_curve;
mod pool;
mod queues;
#[cfg(test)]
mod tests;
mod window;

use crate::evict::Random;
use crate::key::{Db, Key};
use crate::limits::{CURVE_KEY_COUNT_MAX, CURVE_KEY_COUNT_MIN};
use crate::policy::Policy;
use crate::time::Millis;
use crate::usage::{Held, Situation};
use cache::{Cache, Manner, Scene};
use fills::Fills;
use heat::Heat;
use keys::{ALL_HELD, Keys, NEVER, name_of};
pub use miss_curve::{CurvePoint, MissCurve, SIZE_COUNT, SIZE_EIGHTHS, SIZE_NOW};
use pool::Moment;
use queues::{Queues, Round};
use window::{Counted, Window};

/// The share of the keys in the sample at first, out of 2^32.
const SHARE_START: u32 = 1 << 30;

/// The share below which only the number of keys lowers it.
const SHARE_BUSY: u32 = 1 << 26;

/// The same while there are few keys.
const SHARE_BUSY_FEW: u32 = 1 << 28;

/// What is few.
const KEY_COUNT_FEW: usize = 1024;

/// Accesses that are looked at in a second, unless the share is low already.
const EVENTS_A_SECOND: u64 = 10_000;

/// log2 of the milliseconds by which expiries are told apart.
const TIME_SHIFT: u32 = 6;

/// Milliseconds from one look at all keys that expire to the next.
const SWEEP_MS: u64 = 1000;

/// Keys of the sample are worth this much of the shard's memory: one in so many of these bytes.
const BYTES_PER_KEY: u64 = 8192;

/// An entry of the sample counts for no more than one in so many bytes of the smallest cache.
const CLIP_SHARE: u64 = 64;

/// The same in bytes, at least.
const CLIP_MIN: u128 = 64;

/// log2 of the bytes that densities are told for.
const DENSITY_SHIFT: u32 = 40;

/// Entries of the sample that say what one is on average.
const SEEN_MIN: u64 = 16;

/// A record that is being worked on, which must not go meanwhile.
const IN_WORK: u16 = 1 << 15;

const _: () = assert!(CURVE_KEY_COUNT_MAX < keys::NO_KEY as usize && SIZE_COUNT < 15);

/// The miniature caches of a shard.
#[derive(Debug)]
pub(crate) struct Curve {
    below: u32,
    keys: Keys,
    caches: [Cache; SIZE_COUNT],
    manner: Manner,
    random: Random,
    window: Window,
    fills: Fills,
    heat: Heat,
    now: Moment,
    /// The time that moments begin at; before the first tick there is no sample.
    start: Option<Millis>,
    /// The last tick, and the last look at all that expires.
    ticked_at: Millis,
    swept_at: Millis,
    /// Accesses until the sample is too large for the load.
    events_left: u64,
    key_count_max: usize,
    memory_bytes_max: u64,
    /// What an entry of the sample counts for at most, in bytes.
    clip: u32,
    /// Entries that a tebibyte of the shard's memory would have, if it was ever half full.
    density: Option<u128>,
}

impl Curve {
    /// A curve that has seen nothing.
    pub(crate) fn new(seed: u64) -> Curve {
        let manner = Manner::of(Policy::default(), 1, 0, 0);
        Curve {
            below: 0,
            keys: Keys::default(),
            caches: std::array::from_fn(|size| Cache::new(size, manner)),
            manner,
            random: Random::new(seed),
            window: Window::default(),
            fills: Fills::new(),
            heat: Heat::new(),
            now: Moment::default(),
            start: None,
            ticked_at: Millis(0),
            swept_at: Millis(0),
            events_left: EVENTS_A_SECOND,
            key_count_max: CURVE_KEY_COUNT_MIN,
            memory_bytes_max: 0,
            clip: u32::MAX,
            density: None,
        }
    }

    /// Keys with the low half of their hash below this are in the sample.
    #[inline]
    pub(crate) fn below(&self) -> u32 {
        self.below
    }

    /// Takes in a counted read of a key of the sample, and what it found.
    pub(crate) fn note_read(&mut self, key: Key<'_>, held: Option<Held>, now: Millis) {
        let name = name_of(key);
        if held.is_some() && self.heat.passes_over(name) {
            return;
        }
        self.begin(now);
        if name as u32 >= self.below {
            return;
        }
        let known = self.keys.find(name);
        if let Some(number) = known {
            self.expire(number);
        }
        let known = known.filter(|number| self.keys.record(*number).name == name);
        let held_by = match (known, &held) {
            (Some(number), _) => self.keys.record(number).held,
            (None, Some(_)) => ALL_HELD & (ALL_HELD << SIZE_NOW),
            (None, None) => 0,
        };
        if held_by != ALL_HELD {
            self.window.count(ALL_HELD & !held_by, window::weight(self.below));
            self.heat.cool(name);
        }
        if let Some(number) = known {
            self.use_key(number);
        }
        let Some(held) = held else { return self.fills.note_miss(name) };
        match known {
            Some(_) if held_by == ALL_HELD || !self.fills.are_made() => {}
            Some(number) => self.fill(number, ALL_HELD),
            None => self.take_in(name, key.db, &held, if self.fills.are_made() { ALL_HELD } else { held_by }),
        }
    }

    /// Takes in a change of a key of the sample, after which it holds `held`.
    pub(crate) fn note_change(&mut self, key: Key<'_>, held: Option<Held>, now: Millis) {
        let name = name_of(key);
        if held.is_some() && self.heat.passes_over(name) {
            return;
        }
        self.begin(now);
        if name as u32 >= self.below {
            return;
        }
        let known = self.keys.find(name);
        let Some(held) = held else {
            if let Some(number) = known {
                self.drop_key(number);
            }
            return self.heat.cool(name);
        };
        if let Some(number) = known {
            self.expire(number);
        }
        let is_fill = self.fills.note_write(name);
        let Some(number) = known.filter(|number| self.keys.record(*number).name == name) else {
            return self.take_in(name, key.db, &held, ALL_HELD);
        };
        if !is_fill {
            self.use_key(number);
        }
        self.change(number, &held, is_fill);
        self.fill(number, ALL_HELD);
    }

    /// Forgets a database, or all.
    pub(crate) fn note_flush(&mut self, db: Option<Db>) {
        self.drop_keys(|record| db.is_none_or(|db| record.db == db));
        if db.is_none() && self.start.is_some() {
            self.below = SHARE_START;
        }
    }

    /// Notes that two databases changed places: rare enough to know nothing of both.
    pub(crate) fn note_swap(&mut self, first: Db, second: Db) {
        self.drop_keys(|record| record.db == first || record.db == second);
    }

    /// Lets time pass.
    pub(crate) fn tick(&mut self, situation: &Situation, now: Millis) {
        let counted = situation.counted();
        if self.start.is_none() {
            (self.start, self.swept_at) = (Some(now), now);
            self.below = SHARE_START;
            self.window.restart(counted, now);
        }
        let passed = now.0.saturating_sub(self.ticked_at.0).min(1000);
        self.events_left = (self.events_left + passed * EVENTS_A_SECOND / 1000).min(EVENTS_A_SECOND);
        self.ticked_at = now;
        self.advance(now);
        let memory = if situation.memory_bytes_max > 0 { situation.memory_bytes_max } else { situation.used_bytes };
        self.key_count_max =
            (memory / BYTES_PER_KEY).clamp(CURVE_KEY_COUNT_MIN as u64, CURVE_KEY_COUNT_MAX as u64) as usize;
        let manner = situation.manner();
        let limit = situation.memory_bytes_max;
        let is_other_limit = limit.abs_diff(self.memory_bytes_max) > self.memory_bytes_max / 16;
        if manner != self.manner || is_other_limit {
            self.window.restart(counted, now);
        }
        self.memory_bytes_max = limit;
        self.set_clip(memory);
        self.set_capacities(situation);
        if manner != self.manner {
            self.change_manner(manner);
        }
        self.lower_to_bounds();
        if self.keys.has_terms() && now.0 >= self.swept_at.0 + SWEEP_MS {
            self.swept_at = now;
            let numbers: Vec<u16> = self.keys.numbers().collect();
            numbers.into_iter().for_each(|number| self.expire(number));
        }
        self.window.tick(counted, now);
    }

    /// Sets to zero what is counted; which keys are known stays.
    pub(crate) fn reset(&mut self) {
        self.window.reset(self.ticked_at);
    }

    /// What the curve says of the last five to ten minutes.
    pub(crate) fn answer(&self, situation: &Situation, now: Millis) -> MissCurve {
        if self.start.is_none() {
            return MissCurve::default();
        }
        let limit = situation.memory_bytes_max;
        let memory_bytes = if limit > 0 { limit } else { situation.used_bytes };
        MissCurve { memory_bytes, sample_share: self.below, ..self.window.answer(situation.counted(), now) }
    }

    /// Memory of the miniature caches, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let caches: usize = self.caches.iter().map(Cache::resident_bytes).sum();
        (self.keys.resident_bytes() + caches + self.fills.resident_bytes() + self.heat.resident_bytes()) as u64
    }

    /// To be called at the beginning of each access that is looked at.
    fn begin(&mut self, now: Millis) {
        self.advance(now);
        self.now.event = self.now.event.wrapping_add(1);
        self.events_left = self.events_left.saturating_sub(1);
        if self.events_left == 0 {
            self.lower_to_bounds();
        }
    }

    fn advance(&mut self, now: Millis) {
        if self.start.is_none_or(|start| now < start) {
            // A replay has a time of its own.
            return;
        }
        self.now.time = self.time_of(now).max(self.now.time);
        self.now.period = pool::period(now.0 / 60_000);
    }

    /// A time as expiries have it; one that is not long enough ago for the difference to show is over.
    fn time_of(&self, at: Millis) -> u32 {
        let start = self.start.unwrap_or_default();
        let units = at.0.saturating_sub(start.0) >> TIME_SHIFT;
        units.min(u64::from(NEVER - 1)) as u32
    }

    fn until_of(&self, held: &Held) -> u32 {
        held.expiry.map_or(NEVER, |at| self.time_of(at).saturating_add(1).min(NEVER - 1))
    }

    /// Puts a key that has no record into the caches `into`.
    fn take_in(&mut self, name: u64, db: Db, held: &Held, into: u16) {
        if self.keys.len() >= self.key_count_max {
            self.lower_to_bounds();
            if name as u32 >= self.below {
                return;
            }
        }
        let number = self.keys.insert(name, db, held.memory_bytes.min(u64::from(u32::MAX)) as u32);
        let until = self.until_of(held);
        if until != NEVER {
            let lasting = until.saturating_sub(self.now.time);
            self.keys.terms_mut(number).lasting = lasting;
        }
        let record = self.keys.record_mut(number);
        (record.last, record.period) = (self.now.event, self.now.period);
        self.fill(number, into);
    }

    /// Puts a key into those of the caches `into` that do not hold it; a key that none holds goes.
    fn fill(&mut self, number: u16, into: u16) {
        self.keys.record_mut(number).held |= IN_WORK;
        for size in 0..SIZE_COUNT {
            if into & !self.keys.record(number).held & 1 << size == 0 {
                continue;
            }
            if self.keys.has_terms() {
                let now = self.now.time;
                let terms = self.keys.terms_mut(number);
                terms.until[size] = now.saturating_add(terms.lasting);
            }
            let (cache, mut scene) = scene(&mut self.caches, size, &self.manner, self.now, &mut self.random);
            cache.insert(&mut self.keys, number, &mut scene);
        }
        self.finish(number);
    }

    /// Gives a key another size and another expiry; the caches that had it before a fill know of no other expiry.
    fn change(&mut self, number: u16, held: &Held, is_fill: bool) {
        let until = self.until_of(held);
        let bytes = held.memory_bytes.min(u64::from(u32::MAX)) as u32;
        let record = self.keys.record_mut(number);
        let before = std::mem::replace(&mut record.bytes, bytes);
        record.held |= IN_WORK;
        let holders = record.held;
        if until != NEVER || self.keys.has_terms() {
            let now = self.now.time;
            let terms = self.keys.terms_mut(number);
            terms.lasting = if until == NEVER { NEVER } else { until.saturating_sub(now) };
            if !is_fill {
                terms.until = [until; SIZE_COUNT];
            }
        }
        if before != bytes || self.keys.has_terms() {
            for size in (0..SIZE_COUNT).filter(|size| holders >> size & 1 == 1) {
                let (cache, mut scene) = scene(&mut self.caches, size, &self.manner, self.now, &mut self.random);
                cache.changed(&mut self.keys, number, before, &mut scene);
            }
        }
        // The caller puts it where it is not.
        self.keys.record_mut(number).held &= !IN_WORK;
    }

    fn finish(&mut self, number: u16) {
        let record = self.keys.record_mut(number);
        record.held &= !IN_WORK;
        if record.held == 0 {
            self.keys.remove(number);
        }
    }

    fn use_key(&mut self, number: u16) {
        let record = self.keys.record_mut(number);
        match &self.manner {
            Manner::Rounds(Round::S3fifo) => Queues::use_all(&mut record.states),
            Manner::Rounds(Round::Fifo) => {}
            Manner::Draws(rules) => {
                rules.use_all(&mut record.states, record.period, self.now.period, &mut self.random);
            }
        }
        (record.last, record.period) = (self.now.event, self.now.period);
    }

    /// Takes a key out of the caches in which its time is over.
    fn expire(&mut self, number: u16) {
        let Some(terms) = self.keys.terms(number) else { return };
        let now = self.now.time;
        let is_over = |size: usize| terms.until[size] <= now;
        let over = (0..SIZE_COUNT).fold(0, |bits, size| bits | u16::from(is_over(size)) << size);
        let over = over & self.keys.record(number).held;
        if over != 0 {
            self.take_out(number, over);
        }
    }

    fn drop_key(&mut self, number: u16) {
        self.take_out(number, self.keys.record(number).held);
    }

    fn take_out(&mut self, number: u16, of: u16) {
        for (size, cache) in self.caches.iter_mut().enumerate() {
            if of >> size & 1 == 1 {
                cache.remove(&mut self.keys, number);
            }
        }
        if self.keys.record(number).held == 0 {
            self.keys.remove(number);
        }
    }

    fn drop_keys(&mut self, goes: impl Fn(&keys::Record) -> bool) {
        let numbers: Vec<u16> = self.keys.numbers().filter(|number| goes(self.keys.record(*number))).collect();
        numbers.into_iter().for_each(|number| self.drop_key(number));
        for cache in &mut self.caches {
            cache.compact(&mut self.keys);
        }
    }

    /// Makes the sample smaller if there are too many keys in it, or too many accesses to them.
    fn lower_to_bounds(&mut self) {
        if self.events_left == 0 {
            self.events_left = EVENTS_A_SECOND / 10;
            let floor = if self.keys.len() < KEY_COUNT_FEW { SHARE_BUSY_FEW } else { SHARE_BUSY };
            if self.below > floor {
                self.lower((self.below / 2).max(floor));
            }
        }
        while self.keys.len() >= self.key_count_max {
            self.lower(self.below - self.below / 4);
        }
    }

    fn lower(&mut self, below: u32) {
        assert!(below > 0, "a hash is seldom below the lowest threshold");
        let (before, after) = (u64::from(self.below), u64::from(below));
        for cache in &mut self.caches {
            cache.scale_capacity(after, before);
        }
        self.below = below;
        self.drop_keys(|record| record.name as u32 >= below);
    }

    fn change_manner(&mut self, manner: Manner) {
        self.manner = manner;
        let numbers: Vec<u16> = self.keys.numbers().collect();
        let before: Vec<u16> = numbers.iter().map(|number| self.keys.record(*number).held).collect();
        numbers.iter().for_each(|number| self.keys.record_mut(*number).held = IN_WORK);
        for (size, cache) in self.caches.iter_mut().enumerate() {
            let capacity = cache.capacity();
            *cache = Cache::new(size, manner);
            cache.set_capacity(capacity);
            cache.set_clip(self.clip, &self.keys);
        }
        for (number, held) in numbers.into_iter().zip(before) {
            let untils = self.keys.terms(number).map(|terms| terms.until);
            self.fill(number, held);
            if let Some(untils) = untils
                && self.keys.record(number).held != 0
            {
                self.keys.terms_mut(number).until = untils;
            }
        }
    }

    /// Gives each cache its share of the memory that entries have.
    fn set_capacities(&mut self, situation: &Situation) {
        let limit = situation.memory_bytes_max;
        let fixed = situation.fixed_bytes;
        if limit == 0 {
            // Nothing is evicted; of less memory the share is one of what is there.
            let used = self.caches[SIZE_NOW].used();
            for (cache, eighths) in self.caches.iter_mut().zip(SIZE_EIGHTHS) {
                let is_less = eighths < SIZE_EIGHTHS[SIZE_NOW];
                cache.set_capacity(if is_less { used * u64::from(eighths) / 8 } else { u64::MAX });
            }
            return;
        }
        let moving = situation.used_bytes.saturating_sub(fixed);
        if moving > limit.saturating_sub(fixed) / 2 {
            self.density = Some((u128::from(situation.entry_count) << DENSITY_SHIFT) / u128::from(moving));
        }
        let (used, content) = (self.caches[SIZE_NOW].used(), self.caches[SIZE_NOW].content());
        for (cache, eighths) in self.caches.iter_mut().zip(SIZE_EIGHTHS) {
            let memory = u128::from((limit / 8 * u64::from(eighths)).saturating_sub(fixed));
            let counted = match self.density {
                _ if content.count < SEEN_MIN => memory,
                // As many entries as the shard would have, each counting for what those of the sample do on average.
                Some(density) => (memory * density * u128::from(used) / u128::from(content.count)) >> DENSITY_SHIFT,
                None => memory * u128::from(used) / u128::from(content.bytes.max(1)),
            };
            cache.set_capacity(((counted * u128::from(self.below)) >> 32) as u64);
        }
    }

    /// Counts large entries as if they were smaller, so that none is much of the smallest cache. A cache holds as many as
    /// ever (`set_capacities`): this changes how even the sample is.
    fn set_clip(&mut self, memory_bytes: u64) {
        let smallest = (u128::from(memory_bytes) * u128::from(self.below) / u128::from(8 * CLIP_SHARE)) >> 32;
        let wanted = smallest.clamp(CLIP_MIN, u128::from(u32::MAX)) as u32;
        if wanted.abs_diff(self.clip) > self.clip / 4 {
            self.clip = wanted;
            self.caches.iter_mut().for_each(|cache| cache.set_clip(wanted, &self.keys));
        }
    }
}

/// A cache, and what a change of it is made with.
fn scene<'a>(
    caches: &'a mut [Cache; SIZE_COUNT],
    size: usize,
    manner: &'a Manner,
    now: Moment,
    random: &'a mut Random,
) -> (&'a mut Cache, Scene<'a>) {
    (&mut caches[size], Scene { manner, now, random })
}

impl Situation {
    fn counted(&self) -> Counted {
        Counted { reads: self.read_count, misses: self.miss_count }
    }

    fn manner(&self) -> Manner {
        Manner::of(self.policy, self.sample_count, self.lfu_log_factor, self.lfu_decay_minutes)
    }
}
