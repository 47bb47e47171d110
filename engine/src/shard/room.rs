//! Memory: how a shard stays within its limit, and the work it does between requests.
//!
//! Used is what the slab charges (live cells, and free memory beside them as far as it is more than
//! normal), tables, wheel, the policy's records, and what the owner says it uses outside. A write that
//! needs a cell asks for room first: due entries, those of deleted prefixes and flushed tables go before anything is evicted, cells
//! are moved together while the free memory between them is what is too much, and then the policy is
//! asked, entry after entry. Each part is bounded: a write that evicted at least as much as it needs is let
//! through though the limit may have been lowered far below what is used; background work does the rest.

use super::Shard;
use super::contents::SlabCells;
use crate::cell::Cell;
use crate::evict::Store;
use crate::op::Refusal;
use crate::policy::Policy;
use crate::time::Millis;

/// Steps of expiry and draining that a write which needs room may take.
const WRITE_STEPS: usize = 64;
/// Steps of moving cells that such a write may take.
const WRITE_MOVES_MIN: usize = 64;
/// One such step more for each of these bytes that a write needs.
const MOVE_BYTES: u64 = 512;
/// Steps of moving cells between two looks at what is used.
const MOVES_AT_ONCE: usize = 32;
/// Searches among all entries before there is said to be none to evict, and among those that expire.
const EVICT_TRIES: [usize; 2] = [64, 4];
/// Rounds of making room for a small write.
const ROUNDS_MIN: u64 = 128;
/// A round more for each of these bytes that a write needs.
const ROUND_BYTES: u64 = 64;
/// Entries that one turn of background work may evict.
const TURN_EVICTIONS: usize = 128;
/// Cells that one turn of background work may move.
const TURN_MOVES: usize = 64;

impl Shard {
    /// Background work at `now`: due expiries, table growth, evacuation, flushed tables, deleted prefixes, eviction down
    /// to the limit; at most `steps` of it. Returns whether more is waiting.
    pub fn work(&mut self, now: Millis, steps: usize) -> bool {
        let mut left = self.contents.expire(now, steps);
        let mut more = left == 0;
        left = self.contents.drain(left);
        more |= self.contents.databases.next_retiring().is_some();
        left = self.contents.purge(left);
        more |= !self.contents.prefixes.is_idle();
        let mut cells = SlabCells(&mut self.contents.slab);
        more |= self.contents.wheel.tidy(&mut left, &mut cells);
        more |= self.contents.databases.step(left.clamp(1, 1024));
        for _ in 0..left.min(TURN_EVICTIONS) {
            if self.excess_bytes(0, 0) == 0 || !self.evict_one(now) {
                break;
            }
        }
        more | self.contents.move_cells(left.clamp(1, TURN_MOVES), &mut self.evictor, &mut self.moved)
    }

    /// All memory that counts towards the limit.
    #[inline]
    pub(super) fn used_bytes(&self) -> u64 {
        self.contents.slab.charged_bytes()
            + self.contents.databases.resident_bytes()
            + self.bookkeeping_bytes()
            + self.outside_bytes
    }

    /// Memory of the expiry wheel, the policy's records and the sketches.
    #[inline]
    pub(super) fn bookkeeping_bytes(&self) -> u64 {
        self.contents.wheel.bytes() as u64 + self.evictor.resident_bytes() + self.usage.resident_bytes()
    }

    /// Makes sure that `bytes` more can be taken at `now`, of which `credit` will be given back.
    #[inline]
    pub(super) fn make_room(&mut self, bytes: u64, credit: u64, now: Millis) -> Result<(), Refusal> {
        if self.excess_bytes(bytes, credit) == 0 {
            return Ok(());
        }
        self.make_room_slowly(bytes, credit, now)
    }

    /// A cell for `bytes` that the slab could not give at once: because of the end of its address space,
    /// whatever the limit is.
    #[cold]
    pub(super) fn take_cell_by_force(&mut self, bytes: usize, now: Millis) -> Result<Cell, Refusal> {
        for _ in 0..ROUNDS_MIN + bytes as u64 / ROUND_BYTES {
            if !self.evict_one(now) {
                break;
            }
            self.contents.move_cells(MOVES_AT_ONCE, &mut self.evictor, &mut self.moved);
            if let Some(cell) = self.contents.slab.allocate(bytes) {
                return Ok(cell);
            }
        }
        Err(Refusal::OutOfMemory { limit_bytes: self.options.memory_bytes_max })
    }

    /// By how much the limit would be passed.
    #[inline]
    fn excess_bytes(&self, bytes: u64, credit: u64) -> u64 {
        match self.options.memory_bytes_max {
            0 => 0,
            limit => (self.used_bytes() + bytes).saturating_sub(credit).saturating_sub(limit),
        }
    }

    #[cold]
    fn make_room_slowly(&mut self, bytes: u64, credit: u64, now: Millis) -> Result<(), Refusal> {
        let limit_bytes = self.options.memory_bytes_max;
        let refusal = Err(Refusal::OutOfMemory { limit_bytes });
        if self.contents.journal.is_replaying() {
            return Ok(());
        }
        if bytes > limit_bytes {
            return refusal;
        }
        let before = self.contents.slab.used_bytes();
        self.contents.expire(now, WRITE_STEPS);
        self.contents.purge(WRITE_STEPS);
        let mut moves = WRITE_MOVES_MIN + (bytes / MOVE_BYTES) as usize;
        let mut is_enough = false;
        for _ in 0..ROUNDS_MIN + bytes / ROUND_BYTES {
            if self.excess_bytes(bytes, credit) == 0 {
                return Ok(());
            }
            if self.contents.databases.next_retiring().is_some() {
                self.contents.drain(WRITE_STEPS);
                continue;
            }
            let slab = &self.contents.slab;
            is_enough = before.saturating_sub(slab.used_bytes()) + credit >= bytes;
            let is_loose = slab.resident_bytes() - slab.used_bytes() > slab.slack_bytes_normal();
            if is_loose && moves > 0 {
                let steps = moves.min(MOVES_AT_ONCE);
                moves -= steps;
                let more = self.contents.move_cells(steps, &mut self.evictor, &mut self.moved);
                // What was evicted is enough once it has been moved together.
                if (more && is_enough) || self.excess_bytes(bytes, credit) == 0 {
                    continue;
                }
            } else if is_loose && is_enough {
                // Background work moves the rest.
                return Ok(());
            }
            if !self.evict_one(now) {
                break;
            }
        }
        let is_enough = is_enough || before.saturating_sub(self.contents.slab.used_bytes()) + credit >= bytes;
        if is_enough { Ok(()) } else { refusal }
    }

    /// Evicts an entry by the policy; `false` if there is none that may go, or the log cannot say that it went.
    fn evict_one(&mut self, now: Millis) -> bool {
        if !self.contents.journal.has_removal_room() {
            return false;
        }
        if self.options.policy == Policy::VolatileTtl {
            let contents = &mut self.contents;
            contents.wheel.freshen(&mut SlabCells(&mut contents.slab));
        }
        if self.evictor.evict(&mut self.contents, now) {
            return true;
        }
        // A bounded search may have come upon nothing by chance.
        let tries = match self.options.policy {
            Policy::Noeviction => 0,
            Policy::VolatileLru | Policy::VolatileLfu | Policy::VolatileRandom | Policy::VolatileTtl => {
                if self.contents.wheel.armed_count() == 0 { 0 } else { EVICT_TRIES[1] }
            }
            _ if self.contents.entry_count() == 0 => 0,
            _ => EVICT_TRIES[0],
        };
        (0..tries).any(|_| self.evictor.evict(&mut self.contents, now))
    }
}
