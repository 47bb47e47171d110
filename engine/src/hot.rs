//! The keys that are used most, by a sketch of bounded memory.

use crate::key::{Db, Key};
use crate::time::Millis;

/// A key that is used much.
#[derive(Clone, Debug, PartialEq)]
pub struct HotKey {
    /// Its database.
    pub db: Db,
    /// Its bytes.
    pub key: Box<[u8]>,
    /// Accesses a second, of late.
    pub requests_per_second: f64,
    /// Bytes of key and value a second that these accesses read or wrote.
    pub bytes_per_second: f64,
}

/// The sketch of a shard.
#[derive(Debug)]
pub(crate) struct HotKeys {
    period: u32,
}

impl HotKeys {
    /// A sketch that has seen nothing.
    pub(crate) fn new() -> HotKeys {
        HotKeys { period: 64 }
    }

    /// One access in so many is to be counted; at least 1.
    pub(crate) fn period(&self) -> u32 {
        self.period
    }

    /// Counts a drawn access, which stands for [`HotKeys::period`] of them.
    pub(crate) fn count(&mut self, key: Key<'_>, payload_bytes: u64, now: Millis) {
        let _ = (key, payload_bytes, now);
    }

    /// Notes that two databases changed places.
    pub(crate) fn note_swap(&mut self, first: Db, second: Db) {
        let _ = (first, second);
    }

    /// Lets time pass; `left` is the number of accesses until the next one is drawn.
    pub(crate) fn tick(&mut self, left: u32, now: Millis) {
        let _ = (left, now);
    }

    /// The hottest keys at `now`, at most `count`, hottest first.
    pub(crate) fn top(&self, count: usize, now: Millis) -> Vec<HotKey> {
        let _ = (count, now);
        Vec::new()
    }

    /// Memory of the sketch, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        0
    }
}
