//! Which keys are used, and how much: what the sketches of hot keys and of the miss-ratio curve are fed with.
//!
//! Looking at every access would cost more than a read does. So each access pays for one comparison and one countdown,
//! and a few are drawn:
//!
//! - for the **hot keys**, one in as many as [`HotKeys::gap`] says, whichever key it is of: a key is drawn as often as it is used;
//! - for the **curve**, all accesses to the keys whose hash is below [`Curve::below`]: a sample of the keys, each with its
//!   whole history.
//!
//! An access is a counted read, whether it finds something or not, and any change of a key.

use crate::curve::Curve;
use crate::hot::HotKeys;
use crate::key::{Db, Key};
use crate::policy::Policy;
use crate::time::Millis;

/// What a drawn access found, or left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Bytes of key and value.
    pub(crate) payload_bytes: u64,
    /// Memory that it takes, its share of the tables included.
    pub(crate) memory_bytes: u64,
    /// When it goes, if it does.
    pub(crate) expiry: Option<Millis>,
}

/// What the shard is at a tick.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    /// The policy in force.
    pub(crate) policy: Policy,
    /// Entries that the sampling policies look at for one eviction.
    pub(crate) sample_count: u32,
    /// Requests a second from which on a key is hot; 0 means none is.
    pub(crate) hot_key_threshold: u32,
    /// LFU: the higher, the more accesses a counter step takes.
    pub(crate) lfu_log_factor: u32,
    /// LFU: minutes after which an unused counter loses one.
    pub(crate) lfu_decay_minutes: u32,
    /// Most memory the shard may use, in bytes; 0 means no limit.
    pub(crate) memory_bytes_max: u64,
    /// Memory in use, in bytes.
    pub(crate) used_bytes: u64,
    /// Entries of all databases.
    pub(crate) entry_count: u64,
    /// Memory in use that does not depend on how many entries there are.
    pub(crate) fixed_bytes: u64,
    /// Counted reads since the shard was made or its counters were set to zero.
    pub(crate) read_count: u64,
    /// Those that missed.
    pub(crate) miss_count: u64,
}

/// The sketches of a shard.
#[derive(Debug)]
pub(crate) struct Usage {
    pub(crate) hot: HotKeys,
    pub(crate) curve: Curve,
    /// Accesses until one is drawn for the hot keys.
    left: u32,
    /// Keys with the low half of their hash below this are those of the curve.
    below: u32,
    /// Memory of the sketches as of the last tick, in bytes.
    resident_bytes: u64,
}

impl Usage {
    /// Sketches that have seen nothing.
    pub(crate) fn new(seed: u64) -> Usage {
        let (mut hot, curve) = (HotKeys::new(seed), Curve::new(seed));
        Usage { left: hot.gap(), below: curve.below(), hot, curve, resident_bytes: 0 }
    }

    /// Counts an access to a key with this hash; whether it is drawn.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a countdown and a comparison within every read")]
    pub(crate) fn draws(&mut self, hash: u64) -> bool {
        self.left -= 1;
        self.left == 0 || (hash as u32) < self.below
    }

    /// Takes in a drawn read.
    pub(crate) fn note_read(&mut self, key: Key<'_>, held: Option<Held>, now: Millis) {
        if (key.hash as u32) < self.below {
            self.curve.note_read(key, held, now);
            self.below = self.curve.below();
        }
        self.note_hot(key, held, now);
    }

    /// Takes in a drawn change, after which the key holds `held`.
    pub(crate) fn note_change(&mut self, key: Key<'_>, held: Option<Held>, now: Millis) {
        if (key.hash as u32) < self.below {
            self.curve.note_change(key, held, now);
            self.below = self.curve.below();
        }
        self.note_hot(key, held, now);
    }

    /// Takes in a drawn change that was made in an earlier life of the shard: the key is there, and nobody used it.
    pub(crate) fn note_replayed(&mut self, key: Key<'_>, held: Option<Held>, now: Millis) {
        if (key.hash as u32) < self.below {
            self.curve.note_change(key, held, now);
            self.below = self.curve.below();
        }
        if self.left == 0 {
            self.left = self.hot.gap();
        }
    }

    fn note_hot(&mut self, key: Key<'_>, held: Option<Held>, now: Millis) {
        if self.left == 0 {
            self.left = self.hot.gap();
            self.hot.count(key, held.map_or(0, |held| held.payload_bytes), now);
        }
    }

    /// Forgets a database, or all.
    pub(crate) fn note_flush(&mut self, db: Option<Db>) {
        self.curve.note_flush(db);
        self.below = self.curve.below();
    }

    /// Notes that two databases changed places.
    pub(crate) fn note_swap(&mut self, first: Db, second: Db) {
        self.curve.note_swap(first, second);
    }

    /// Lets time pass: to be called a few times a second while the shard is used.
    pub(crate) fn tick(&mut self, situation: &Situation, now: Millis) {
        self.left = self.hot.tick(self.left, situation.hot_key_threshold, now);
        self.curve.tick(situation, now);
        self.below = self.curve.below();
        self.resident_bytes = self.hot.resident_bytes() + self.curve.resident_bytes();
    }

    /// Sets to zero what is counted; which keys are known stays.
    pub(crate) fn reset(&mut self) {
        self.hot.reset();
        self.curve.reset();
    }

    /// Memory of the sketches, as of the last tick, in bytes.
    #[inline]
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.resident_bytes
    }
}
