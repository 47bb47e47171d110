//! TTL: of a sample of those that expire soonest, the one that expires first.

use super::{Pool, Store};
use crate::cell::Cell;

pub(super) fn victim(store: &impl Store, sample_count: u32, mut random: impl FnMut() -> u64) -> Option<Cell> {
    let mut first = None;
    // A draw may meet a stale reference.
    for _ in 0..sample_count * 2 {
        if let Some(cell) = store.sample_soonest(random())
            && let Some(expiry) = store.expiry(cell)
            && first.is_none_or(|(earliest, _)| expiry < earliest)
        {
            first = Some((expiry, cell));
        }
    }
    // Everything that ends soonest may have to stay, and a few draws of the rest may meet nothing but stale references.
    first.map(|(_, cell)| cell).or_else(|| Pool::Expiring.draw(store, &mut random))
}
