//! LRU: of a sample, the entry that was not used for longest.
//!
//! Keeping all entries in the order of their last use would take 8 bytes and a write to three entries a
//! read; the longest idle of a few entries drawn at random is a good guess. What was drawn and
//! was not evicted is kept as a candidate for the next evictions if it was idle for long: with a pool of 16 a draw of 5
//! comes close to the real order.
//!
//! Source: the Redis documentation, "Key eviction", "Approximated LRU algorithm".

use super::access::idle_ticks;
use super::{Pool, Store};
use crate::cell::Cell;

/// Candidates that are kept.
const CANDIDATES_MAX: usize = 16;

/// A cell that was drawn, and the access bits it had.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    cell: Cell,
    access: u32,
}

/// The candidates, the longest idle last.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    list: Vec<Candidate>,
}

impl Candidates {
    /// The longest idle of the candidates and `sample_count` fresh draws.
    pub(super) fn victim(
        &mut self,
        store: &impl Store,
        pool: Pool,
        sample_count: u32,
        tick: u32,
        mut random: impl FnMut() -> u64,
    ) -> Option<Cell> {
        for _ in 0..sample_count {
            if let Some(cell) = pool.draw(store, &mut random) {
                self.offer(Candidate { cell, access: store.access(cell) }, tick);
            }
        }
        while let Some(Candidate { cell, access }) = self.list.pop() {
            // It may be gone, used again, or another entry by now.
            if store.slab().is_live(cell.unit()).is_some() && store.access(cell) == access && pool.has(store, cell) {
                return Some(cell);
            }
        }
        None
    }

    pub(super) fn clear(&mut self) {
        self.list.clear();
    }

    fn offer(&mut self, candidate: Candidate, tick: u32) {
        if self.list.iter().any(|known| known.cell == candidate.cell) {
            return;
        }
        let idle = idle_ticks(candidate.access, tick);
        let place = self.list.partition_point(|known| idle_ticks(known.access, tick) < idle);
        if self.list.len() < CANDIDATES_MAX {
            self.list.insert(place, candidate);
        } else if place > 0 {
            self.list.remove(0);
            self.list.insert(place - 1, candidate);
        }
    }
}
