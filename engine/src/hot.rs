//! The keys that are used most, by a sketch of bounded memory.
//!
//! Counting every key exactly would take a counter a key. The sketch has [`HOT_KEY_COUNT`] counters, each with its key:
//! an access to a key that has none takes over the counter with the lowest count, and goes on from there. What was
//! inherited that way is kept apart as far as rates are concerned: they are made of what a key was really seen to get
//! since it has its counter, so they are never too high but for chance. A key that gets more than one access in
//! [`HOT_KEY_COUNT`] soon has a counter, and keeps it.
//!
//! All counts decay, to a third in [`DECAY_SECONDS`]: a rate is a mean in which the last ten seconds weigh most. As long
//! as the sketch is young, it is the mean since then.
//!
//! Not every access is counted, but one in [`HotKeys::period`], for that many; the gaps are drawn from 1 to twice the
//! period less one, so that no rhythm of the clients hits always or never. The period follows the load: up to
//! [`DRAWS_PER_SECOND`] everything is counted and nothing estimated; beyond that a counted access takes up to 160 ns and is
//! paid for ten thousand times a second. A burst is not waited out: the period doubles whenever [`DRAWS_PER_TICK_MAX`]
//! were drawn since the last tick.
//!
//! A rate belongs to what clients ask for, a key of a database, whatever is in it: so flushing and swapping databases
//! change nothing here.
//!
//! Invariants:
//! - Each counter has another key; all have a count of at least what their key got since it has the counter.
//! - Counts never grow with time alone, whatever the clock does.
//!
//! Source: Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements in data streams" (ICDT
//! 2005), the Space-Saving algorithm.

use crate::key::{Db, Key};
use crate::limits::{HOT_KEY_BYTES_MAX, HOT_KEY_COUNT};
use crate::time::Millis;

/// Time in which a count decays to 1/e, in seconds.
const DECAY_SECONDS: f64 = 5.0;
/// Counts decay in steps of at least this.
const DECAY_STEP_MS: u64 = 100;
/// After so long nothing that was counted matters any more.
const FORGET_MS: u64 = 60_000;
/// A sketch that is younger has its rates from this time, in seconds.
const WINDOW_SECONDS_MIN: f64 = 1.0;
/// Accesses that are counted a second, about, when there are more.
const DRAWS_PER_SECOND: u64 = 10_000;
/// Accesses that are counted between two ticks before the period doubles.
const DRAWS_PER_TICK_MAX: u32 = 2_000;
/// Longest period.
const PERIOD_MAX: u32 = 4_096;
/// Rates below this are no longer shown.
const RATE_MIN: f64 = 0.01;
/// A key is not above a threshold before it was drawn that often: fewer could be chance.
const DRAWS_TO_BE_HOT: f64 = 16.0;
/// A key that was above the threshold has cooled down at this share of it.
const COOL_SHARE: f64 = 0.5;
/// A key is reported as hot once in this time.
const REPORT_MS: u64 = 60_000;
/// Reports that are remembered for that.
const REPORT_COUNT: usize = 256;
/// Keys that are waiting to be reported, at most.
const NEWS_COUNT_MAX: usize = 64;

/// A key that is used much.
#[derive(Clone, Debug, PartialEq)]
pub struct HotKey {
    /// Its database.
    pub db: Db,
    /// Its bytes, the first [`HOT_KEY_BYTES_MAX`] of them.
    pub key: Box<[u8]>,
    /// How many it has.
    pub key_bytes: usize,
    /// Accesses a second, of late.
    pub requests_per_second: f64,
    /// Bytes of key and value a second that these accesses read or wrote.
    pub bytes_per_second: f64,
}

/// What is known of a key that has a counter.
#[derive(Debug)]
struct Counter {
    db: Db,
    key: Vec<u8>,
    key_bytes: usize,
    /// Accesses since it has the counter.
    own: f64,
    /// Bytes of key and value that these read or wrote.
    bytes: f64,
    is_hot: bool,
}

/// The sketch of a shard.
#[derive(Debug)]
pub(crate) struct HotKeys {
    /// Which key has which counter.
    ids: Vec<u64>,
    /// Accesses, those included that the counter had when its key got it.
    counts: Vec<f64>,
    counters: Vec<Counter>,
    /// The time that the counts are of, in seconds: as the counts decay, so does it.
    window_seconds: f64,
    decayed_at: Millis,
    period: u32,
    random: u64,
    /// Accesses counted since the last tick, and how many they stand for.
    drawn: u32,
    passed: u64,
    ticked_at: Millis,
    /// Keys that were reported as hot, and when; the oldest is overwritten.
    reports: Vec<(u64, Millis)>,
    report_next: usize,
    /// Reports since the start or the last reset.
    report_count: u64,
    news: Vec<HotKey>,
}

impl HotKeys {
    /// A sketch that has seen nothing.
    pub(crate) fn new(seed: u64) -> HotKeys {
        HotKeys {
            ids: Vec::with_capacity(HOT_KEY_COUNT),
            counts: Vec::with_capacity(HOT_KEY_COUNT),
            counters: Vec::with_capacity(HOT_KEY_COUNT),
            window_seconds: 0.0,
            decayed_at: Millis(0),
            period: 1,
            random: seed | 1,
            drawn: 0,
            passed: 0,
            ticked_at: Millis(0),
            reports: Vec::new(),
            report_next: 0,
            report_count: 0,
            news: Vec::new(),
        }
    }

    /// Accesses until the next one that is to be counted, at least 1.
    pub(crate) fn gap(&mut self) -> u32 {
        if self.period == 1 {
            return 1;
        }
        // Marsaglia's xorshift: good enough to have no rhythm.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let choices = 2 * u64::from(self.period) - 1;
        1 + crate::shard::scale(self.random, choices) as u32
    }

    /// Counts a drawn access, which stands for as many as the mean of the gaps.
    pub(crate) fn count(&mut self, key: Key<'_>, payload_bytes: u64, now: Millis) {
        self.decay(now);
        let weight = f64::from(self.period);
        let index = self.counter(key);
        self.counts[index] += weight;
        let counter = &mut self.counters[index];
        counter.own += weight;
        counter.bytes += weight * payload_bytes as f64;
        self.passed += u64::from(self.period);
        self.drawn += 1;
        if self.drawn >= DRAWS_PER_TICK_MAX {
            self.drawn = 0;
            self.period = (2 * self.period).min(PERIOD_MAX);
        }
    }

    /// Lets time pass; `left` is the number of accesses until the next one is counted, and so is what it returns. Keys
    /// that get `threshold` requests a second and more become hot; 0 means none do. To be called every tenth of a second
    /// or so while the shard is used.
    pub(crate) fn tick(&mut self, left: u32, threshold: u32, now: Millis) -> u32 {
        self.decay(now);
        let before = self.period;
        let elapsed_ms = now.0.saturating_sub(self.ticked_at.0);
        if let Some(per_second) = self.passed.saturating_mul(1_000).checked_div(elapsed_ms) {
            self.period = per_second.div_ceil(DRAWS_PER_SECOND).clamp(1, u64::from(PERIOD_MAX)) as u32;
        }
        // The clock may have been set back.
        self.ticked_at = now;
        (self.drawn, self.passed) = (0, 0);
        self.watch(f64::from(threshold), now);
        if self.period == 1 {
            return 1;
        }
        let left = u64::from(left) * u64::from(self.period);
        left.div_ceil(u64::from(before)).max(1) as u32
    }

    /// The hottest keys at `now`, at most `count`, hottest first.
    pub(crate) fn top(&self, count: usize, now: Millis) -> Vec<HotKey> {
        let scale = self.scale(now);
        let mut order: Vec<&Counter> = self.counters.iter().filter(|counter| counter.own * scale >= RATE_MIN).collect();
        order.sort_by(|one, other| {
            other.own.total_cmp(&one.own).then_with(|| (one.db, &one.key).cmp(&(other.db, &other.key)))
        });
        order.truncate(count);
        order.into_iter().map(|counter| counter.shown(scale)).collect()
    }

    /// Accesses to a key a second, 0 if it has no counter.
    pub(crate) fn rate(&self, key: Key<'_>, now: Millis) -> f64 {
        self.find(id(key)).map_or(0.0, |index| self.counters[index].own * self.scale(now))
    }

    /// How many keys are hot at `now`.
    pub(crate) fn hot_count(&self, threshold: u32, now: Millis) -> usize {
        let scale = self.scale(now);
        let cool = COOL_SHARE * f64::from(threshold);
        let is_hot = |counter: &&Counter| threshold > 0 && counter.is_hot && counter.own * scale >= cool;
        self.counters.iter().filter(is_hot).count()
    }

    /// How often a key became hot since the sketch was made or its counters were set to zero; within a minute a key counts
    /// once.
    pub(crate) fn hot_total(&self) -> u64 {
        self.report_count
    }

    /// Sets to zero how often keys became hot.
    pub(crate) fn reset(&mut self) {
        self.report_count = 0;
    }

    /// The keys that became hot since the last call, as they were then; one that has cooled down since it was returned
    /// comes again when it gets hot again, but not within a minute.
    pub(crate) fn take_news(&mut self) -> Vec<HotKey> {
        std::mem::take(&mut self.news)
    }

    /// Memory of the sketch, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let keys: usize = self.counters.iter().map(|counter| counter.key.capacity()).sum();
        let counter = size_of::<u64>() + size_of::<f64>() + size_of::<Counter>();
        let reports = self.reports.capacity() * size_of::<(u64, Millis)>();
        (HOT_KEY_COUNT * counter + keys + reports) as u64
    }

    /// What makes a rate of a count at `now`.
    fn scale(&self, now: Millis) -> f64 {
        let (factor, window_seconds) = self.decayed(now);
        factor / window_seconds.max(WINDOW_SECONDS_MIN)
    }

    /// By what the counts are to be multiplied at `now`, and which time they are of then.
    fn decayed(&self, now: Millis) -> (f64, f64) {
        let elapsed = now.0.saturating_sub(self.decayed_at.0) as f64 / 1_000.0;
        let factor = (-elapsed / DECAY_SECONDS).exp();
        (factor, self.window_seconds * factor + DECAY_SECONDS * (1.0 - factor))
    }

    fn decay(&mut self, now: Millis) {
        // One that was set back passes from where it is now.
        self.decayed_at = self.decayed_at.min(now);
        match now.0 - self.decayed_at.0 {
            0..DECAY_STEP_MS => return,
            FORGET_MS.. => self.forget(),
            _ => {
                let (factor, window_seconds) = self.decayed(now);
                self.window_seconds = window_seconds;
                for (count, counter) in self.counts.iter_mut().zip(&mut self.counters) {
                    *count *= factor;
                    counter.own *= factor;
                    counter.bytes *= factor;
                }
            }
        }
        self.decayed_at = now;
    }

    fn forget(&mut self) {
        self.ids.clear();
        self.counts.clear();
        self.counters.clear();
        self.window_seconds = 0.0;
    }

    fn find(&self, id: u64) -> Option<usize> {
        self.ids.iter().position(|other| *other == id)
    }

    /// The counter of `key`: its own, a new one, or else the one with the lowest count.
    fn counter(&mut self, key: Key<'_>) -> usize {
        let id = id(key);
        if let Some(index) = self.find(id) {
            return index;
        }
        let Key { db, bytes, .. } = key;
        let kept = &bytes[..bytes.len().min(HOT_KEY_BYTES_MAX)];
        if self.ids.len() < HOT_KEY_COUNT {
            self.ids.push(id);
            self.counts.push(0.0);
            let (key, key_bytes) = (kept.to_vec(), bytes.len());
            self.counters.push(Counter { db, key, key_bytes, own: 0.0, bytes: 0.0, is_hot: false });
            return self.ids.len() - 1;
        }
        let mut lowest = 0;
        for (index, count) in self.counts.iter().enumerate() {
            if *count < self.counts[lowest] {
                lowest = index;
            }
        }
        self.ids[lowest] = id;
        let counter = &mut self.counters[lowest];
        // The allocation stays, so that only keys longer than all before take memory from the system.
        counter.key.clear();
        counter.key.extend_from_slice(kept);
        (counter.db, counter.key_bytes) = (db, bytes.len());
        (counter.own, counter.bytes, counter.is_hot) = (0.0, 0.0, false);
        lowest
    }

    /// Looks which keys became hot, and which cooled down.
    fn watch(&mut self, threshold: f64, now: Millis) {
        let scale = self.scale(now);
        let own_min = DRAWS_TO_BE_HOT * if self.period == 1 { 0.0 } else { f64::from(self.period) };
        for index in 0..self.counters.len() {
            let counter = &mut self.counters[index];
            let rate = counter.own * scale;
            if counter.is_hot {
                counter.is_hot = threshold > 0.0 && rate >= COOL_SHARE * threshold;
            } else if threshold > 0.0 && rate >= threshold && counter.own >= own_min {
                counter.is_hot = true;
                let news = counter.shown(scale);
                if self.may_report(self.ids[index], now) {
                    self.report_count += 1;
                    if self.news.len() < NEWS_COUNT_MAX {
                        self.news.push(news);
                    }
                }
            }
        }
    }

    /// Whether a key was not reported of late; from now on it was.
    fn may_report(&mut self, id: u64, now: Millis) -> bool {
        if let Some((_, at)) = self.reports.iter_mut().find(|(other, _)| *other == id) {
            let is_over = now.0.abs_diff(at.0) >= REPORT_MS;
            if is_over {
                *at = now;
            }
            return is_over;
        }
        if self.reports.len() < REPORT_COUNT {
            self.reports.push((id, now));
        } else {
            self.reports[self.report_next] = (id, now);
            self.report_next = (self.report_next + 1) % REPORT_COUNT;
        }
        true
    }
}

impl Counter {
    fn shown(&self, scale: f64) -> HotKey {
        HotKey {
            db: self.db,
            key: self.key.as_slice().into(),
            key_bytes: self.key_bytes,
            requests_per_second: self.own * scale,
            bytes_per_second: self.bytes * scale,
        }
    }
}

/// What a key is known by: that two keys among so few have one is not to be expected in the life of a server.
fn id(key: Key<'_>) -> u64 {
    key.hash ^ u64::from(key.db.0).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests;
