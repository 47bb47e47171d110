//! LFU: of a sample, the entry with the lowest counter; of equals, the one whose counter is older.
//!
//! The counter is logarithmic and decays, so yesterday's favourites go; a new entry starts above zero, so
//! it is not the next to go.

use super::access::{Meaning, idle_minutes};
use super::{Pool, Store};
use crate::cell::Cell;
use crate::time::Millis;

pub(super) fn victim(
    store: &impl Store,
    pool: Pool,
    sample_count: u32,
    meaning: Meaning,
    now: Millis,
    mut random: impl FnMut() -> u64,
) -> Option<Cell> {
    let draws = (0..sample_count).filter_map(|_| pool.draw(store, &mut random));
    draws.min_by_key(|cell| {
        let access = store.access(*cell);
        (meaning.counter(access, now), u32::MAX - idle_minutes(access, now))
    })
}
