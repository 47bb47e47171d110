//! The miss-ratio curve: what share of the reads would find their entry if the shard had more memory, or less.

mod miss_curve;

use crate::key::{Db, Key};
use crate::time::Millis;
use crate::usage::{Held, Situation};
pub use miss_curve::{CurvePoint, MissCurve, SIZE_COUNT, SIZE_EIGHTHS, SIZE_NOW};

/// The miniature caches of a shard.
#[derive(Debug)]
pub(crate) struct Curve {
    below: u32,
}

impl Curve {
    /// A curve that has seen nothing.
    pub(crate) fn new(seed: u64) -> Curve {
        let _ = seed;
        Curve { below: 0 }
    }

    /// Keys with the low half of their hash below this are in the sample.
    pub(crate) fn below(&self) -> u32 {
        self.below
    }

    /// Takes in a counted read of a key of the sample, and what it found.
    pub(crate) fn note_read(&mut self, key: Key<'_>, held: Option<Held>, now: Millis) {
        let _ = (key, held, now);
    }

    /// Takes in a change of a key of the sample, after which it holds `held`.
    pub(crate) fn note_change(&mut self, key: Key<'_>, held: Option<Held>, now: Millis) {
        let _ = (key, held, now);
    }

    /// Forgets a database, or all.
    pub(crate) fn note_flush(&mut self, db: Option<Db>) {
        let _ = db;
    }

    /// Notes that two databases changed places.
    pub(crate) fn note_swap(&mut self, first: Db, second: Db) {
        let _ = (first, second);
    }

    /// Lets time pass.
    pub(crate) fn tick(&mut self, situation: &Situation, now: Millis) {
        let _ = (situation, now);
    }

    /// Sets to zero what is counted; which keys are known stays.
    pub(crate) fn reset(&mut self) {}

    /// What the curve says of the last five to ten minutes.
    pub(crate) fn answer(&self, situation: &Situation, now: Millis) -> MissCurve {
        let _ = (situation, now);
        MissCurve::default()
    }

    /// Memory of the miniature caches, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        0
    }
}
