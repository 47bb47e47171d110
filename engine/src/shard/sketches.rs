//! What the sketches of hot keys and of the miss-ratio curve are told of a shard's reads and changes, and what they answer.
//!
//! Which accesses are drawn is in [`crate::usage`]; everything here runs for those alone, or when somebody asks.

use super::{SLOT_SHARE_BYTES, Shard};
use crate::cell::{Cell, UNIT_BYTES};
use crate::curve::MissCurve;
use crate::entry::{Shape, Value};
use crate::hot::HotKey;
use crate::key::Key;
use crate::op::{ExpiryChange, Op};
use crate::time::Millis;
use crate::usage::{Held, Situation};

impl Shard {
    /// Takes in a read that was drawn, which found `cell`.
    #[cold]
    #[inline(never)]
    pub(super) fn note_read(&mut self, key: Key<'_>, cell: Option<Cell>, now: Millis) {
        let held = cell.map(|cell| self.held(cell));
        self.usage.note_read(key, held, now);
    }

    /// Takes in a change that was drawn, or one of more than a key.
    #[cold]
    #[inline(never)]
    pub(super) fn note_change(&mut self, op: &Op<'_>, is_refused: bool, now: Millis) {
        match *op {
            Op::Flush { db } => self.usage.note_flush(db),
            Op::Swap { first, second } => self.usage.note_swap(first, second),
            _ => {
                // What begins with a deleted prefix is found missing when it is read next.
                let Some(key) = op.key() else { return };
                let found = self.contents.find(key).filter(|found| self.contents.is_shown(found.cell, now));
                let held = found.map(|found| self.held(found.cell));
                // A larger memory would have taken it.
                let held = held.or_else(|| if is_refused { refused(op) } else { None });
                if self.contents.journal.is_replaying() {
                    self.usage.note_replayed(key, held, now);
                } else {
                    self.usage.note_change(key, held, now);
                }
            }
        }
    }

    /// What the sketches are told of an entry.
    fn held(&self, cell: Cell) -> Held {
        let record = self.contents.record(cell);
        Held {
            payload_bytes: record.payload_bytes() as u64,
            memory_bytes: (self.contents.slab.capacity(cell) + SLOT_SHARE_BYTES) as u64,
            expiry: record.fresh_until(),
        }
    }

    /// Lets the sketches of hot keys and of the miss-ratio curve know the time: to be called a few times a second while
    /// the shard is used.
    pub fn tick(&mut self, now: Millis) {
        let situation = self.situation();
        self.usage.tick(&situation, now);
    }

    /// How many of the reads of the last minutes would have missed with more memory, or less.
    pub fn miss_curve(&self, now: Millis) -> MissCurve {
        self.usage.curve.answer(&self.situation(), now)
    }

    /// The curve's own view, for its tests.
    #[cfg(test)]
    pub(crate) fn usage_curve(&self) -> &crate::curve::Curve {
        &self.usage.curve
    }

    fn situation(&self) -> Situation {
        let stats = self.contents.stats;
        let entry_count = self.contents.databases.entry_count();
        Situation {
            policy: self.options.policy,
            sample_count: self.options.sample_count,
            hot_key_threshold: self.options.hot_key_threshold,
            lfu_log_factor: self.options.lfu_log_factor,
            lfu_decay_minutes: self.options.lfu_decay_minutes,
            memory_bytes_max: self.options.memory_bytes_max,
            used_bytes: self.used_bytes(),
            entry_count,
            fixed_bytes: self.outside_bytes + self.usage.resident_bytes(),
            read_count: stats.hits + stats.misses,
            miss_count: stats.misses,
        }
    }

    /// The keys that were used most of late, at most `count`, the hottest first.
    pub fn hot_keys(&self, count: usize, now: Millis) -> Vec<HotKey> {
        self.usage.hot.top(count, now)
    }

    /// Requests for `key` a second, of late; 0 if others are used so much more that nothing is known.
    pub fn key_rate(&self, key: Key<'_>, now: Millis) -> f64 {
        self.usage.hot.rate(key, now)
    }

    /// How many keys are hot at `now`: they passed the threshold, and did not cool down since.
    pub fn hot_key_count(&self, now: Millis) -> u64 {
        self.usage.hot.hot_count(self.options.hot_key_threshold, now) as u64
    }

    /// How often a key became hot since the shard was made or its counters were set to zero; within a minute a key counts
    /// once.
    pub fn hot_key_total(&self) -> u64 {
        self.usage.hot.hot_total()
    }

    /// The keys that became hot since the last call, as they were then.
    pub fn take_hot_keys(&mut self) -> Vec<HotKey> {
        self.usage.hot.take_news()
    }
}

/// What the sketches are told of a value that there was no room for, near enough.
fn refused(op: &Op<'_>) -> Option<Held> {
    let Op::Put { key, value: Value::Bytes(bytes), expiry, .. } = *op else { return None };
    let expiry = match expiry {
        ExpiryChange::At(at) | ExpiryChange::Exactly(at) | ExpiryChange::Graced { until: at, .. } => Some(at),
        ExpiryChange::Keep | ExpiryChange::Clear => None,
    };
    let payload_bytes = (key.bytes.len() + bytes.len()) as u64;
    let cell_bytes = Shape::of(key.bytes.len(), bytes.len(), expiry.is_some(), false).cell_bytes();
    let memory_bytes = (cell_bytes.next_multiple_of(UNIT_BYTES) + SLOT_SHARE_BYTES) as u64;
    Some(Held { payload_bytes, memory_bytes, expiry })
}
