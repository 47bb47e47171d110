//! What a shard holds: tables, cells and expiry references, and the few ways to change them together.
//!
//! Every removal of an entry, whatever its cause, goes through [`Contents::remove`], and an entry that
//! moves goes through [`Contents::move_cells`]: the places where a log, an event or a snapshot has to
//! look.
//!
//! Invariants:
//! - Every live cell of the slab is one entry, in exactly one slot of the table whose number it carries.
//! - `payload_bytes` is the sum of all key and value bytes.
//! - An entry whose prefix was deleted goes before anything else is made of it.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

use super::databases::Databases;
use super::journal::Journal;
use crate::cell::Cell;
use crate::entry::{self, EXPIRY_BYTES, Form, HEADER_BYTES, Header, NEVER, Record};
use crate::evict::{Evictor, Store};
use crate::expiry::{Armed, Cells, Wheel};
use crate::key::Key;
use crate::prefixes::Prefixes;
use crate::sizes::Bin;
use crate::slab::Slab;
use crate::snapshot::Walk;
use crate::stats::ShardStats;
use crate::table::Position;
use crate::time::Millis;
use crate::wal::Removal;

/// References looked at to find entries that expire soonest.
const SOONEST_COUNT: usize = 16;

/// Why an entry is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// An op said so.
    Deleted,
    /// Its time was over.
    Expired,
    /// Memory was needed.
    Evicted,
    /// Its database was flushed, or all that begin with the same prefix were deleted.
    Flushed,
}

impl Cause {
    /// What the log says of it: nothing of what a logged flush did, or a logged deletion.
    fn removal(self) -> Option<Removal> {
        match self {
            Cause::Deleted | Cause::Flushed => None,
            Cause::Expired => Some(Removal::Expired),
            Cause::Evicted => Some(Removal::Evicted),
        }
    }
}

/// Where an entry was found; good until anything is changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// The table's number.
    pub(super) id: u8,
    /// The slot in the table.
    pub(super) position: Position,
    /// The cell.
    pub(super) cell: Cell,
}

/// Everything but the policy.
pub(super) struct Contents {
    pub(super) secrets: RapidSecrets,
    pub(super) databases: Databases,
    pub(super) slab: Slab,
    pub(super) wheel: Wheel,
    pub(super) stats: ShardStats,
    pub(super) payload_bytes: u64,
    pub(super) journal: Journal,
    /// The deletions by prefix under way.
    pub(super) prefixes: Prefixes,
    /// The snapshot under way.
    pub(super) walk: Option<Box<Walk>>,
}

/// The part of a hash that the tables use.
#[inline]
pub(super) fn prefix(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// A number below `below` that `random`'s high bits choose; 0 if there is none.
pub(crate) fn scale(random: u64, below: u64) -> u64 {
    ((u128::from(random) * u128::from(below)) >> 64) as u64
}

/// The header of the entry in `cell`.
#[inline]
pub(super) fn header(slab: &Slab, cell: Cell) -> Header {
    Header::read(slab.slice(cell, HEADER_BYTES))
}

/// The entry in `cell`.
#[inline]
pub(super) fn record(slab: &Slab, cell: Cell) -> Record<'_> {
    Record::read(slab.slice(cell, header(slab, cell).shape().cell_bytes()))
}

impl Contents {
    /// The hash of a key.
    #[inline]
    pub(super) fn hash_of(&self, key: &[u8]) -> u64 {
        rapidhash_v3_seeded(key, &self.secrets)
    }

    /// The entry in `cell`.
    #[inline]
    pub(super) fn record(&self, cell: Cell) -> Record<'_> {
        record(&self.slab, cell)
    }

    /// The header of the entry in `cell`.
    #[inline]
    pub(super) fn header(&self, cell: Cell) -> Header {
        header(&self.slab, cell)
    }

    /// Where `key` is, whether its time is over or not.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the whole of a read is one function")]
    pub(super) fn find(&self, key: Key<'_>) -> Option<Found> {
        let id = self.databases.id(key.db);
        let mut found = None;
        let position = self.databases.physical(id).table.find(prefix(key.hash), |cell| {
            let is_match = self.has_key(cell, key.bytes);
            if is_match {
                found = Some(cell);
            }
            is_match
        })?;
        Some(Found { id, position, cell: found? })
    }

    /// Where `key` is, if it is live at `now`; an entry whose time is over is removed.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the whole of a read is one function")]
    pub(super) fn find_live(&mut self, key: Key<'_>, now: Millis) -> Option<Found> {
        let found = self.find(key)?;
        if self.is_dead(found.cell) {
            self.remove(found, Cause::Flushed);
            return None;
        }
        if self.expiry_or_never(found.cell) <= now.0 && !self.journal.is_replaying() {
            self.remove(found, Cause::Expired);
            return None;
        }
        Some(found)
    }

    /// Where `key` is, if readers of values see it at `now`; an entry whose time is over is removed.
    pub(super) fn find_shown(&mut self, key: Key<'_>, now: Millis) -> Option<Found> {
        self.find_live(key, now).filter(|found| self.is_shown(found.cell, now))
    }

    /// Whether readers of values see an entry whose time is not over at `now`: not if it notes that there is nothing, or
    /// has nothing left but its grace.
    #[inline]
    pub(super) fn is_shown(&self, cell: Cell, now: Millis) -> bool {
        self.header(cell).is_plain() || self.is_shown_slowly(cell, now)
    }

    #[cold]
    fn is_shown_slowly(&self, cell: Cell, now: Millis) -> bool {
        let record = self.record(cell);
        // In a replay nothing is over.
        record.is_shown(now) || self.journal.is_replaying() && record.header.form() != Form::Absent
    }

    /// When the entry in `cell` ends, [`NEVER`] if it does not; touches nothing but its beginning.
    #[inline]
    pub(super) fn expiry_or_never(&self, cell: Cell) -> u64 {
        if !self.header(cell).shape().has_expiry {
            return NEVER;
        }
        entry::expiry_field(self.slab.slice(cell, HEADER_BYTES + EXPIRY_BYTES))
    }

    /// Where the entry in `cell` is.
    pub(super) fn find_cell(&self, cell: Cell) -> Found {
        let record = self.record(cell);
        let id = record.header.table();
        let hash = prefix(self.hash_of(record.key()));
        let position = self.databases.physical(id).table.find(hash, |other| other == cell);
        Found { id, position: position.expect("every live cell is in its table"), cell }
    }

    /// Removes an entry: the one way every entry goes, but for a flush of everything.
    #[inline(never)]
    pub(super) fn remove(&mut self, found: Found, cause: Cause) {
        self.preserve(found);
        let record = record(&self.slab, found.cell);
        let (expiry, payload) = (record.expiry_or_never(), record.payload_bytes() as u64);
        let bin = Bin::of(&record);
        if let Some(removal) = cause.removal()
            && let Some(db) = self.databases.logical(found.id)
        {
            self.journal.note_removal(db, record.key(), removal);
        }
        if expiry != NEVER {
            self.wheel.disarm();
            self.databases.note_expiry(found.id, expiry, NEVER);
        }
        self.payload_bytes -= payload;
        self.databases.sizes_mut(found.id).remove(bin);
        self.databases.remove(found.id, found.position);
        self.slab.free(found.cell);
        match cause {
            Cause::Deleted | Cause::Flushed => {}
            Cause::Expired => self.stats.expired += 1,
            Cause::Evicted => self.stats.evicted += 1,
        }
    }

    /// To be called before an entry changes, leaves its cell by another way than [`Contents::move_cells`], or goes: a
    /// snapshot under way may have to write it first.
    #[inline]
    pub(super) fn preserve(&mut self, found: Found) {
        if self.walk.is_some() {
            self.preserve_for_walk(found);
        }
    }

    /// Everything is about to go at once: a snapshot under way cannot be completed, unless nothing is there.
    pub(super) fn give_up_walk(&mut self) {
        if let Some(walk) = &mut self.walk
            && self.slab.used_bytes() > 0
        {
            walk.give_up();
        }
    }

    #[inline(never)]
    fn preserve_for_walk(&mut self, found: Found) {
        let Contents { walk: Some(walk), databases, slab, .. } = self else { return };
        let hash = databases.physical(found.id).table.hash(found.position);
        walk.preserve(found.id, hash, &record(slab, found.cell));
    }

    /// Removes up to `steps` entries whose time is over; returns how many steps are left.
    pub(super) fn expire(&mut self, now: Millis, mut steps: usize) -> usize {
        // In batches, so that the table lines of one batch are fetched side by side.
        let mut batch = [(0_u32, 0_u32); 16];
        loop {
            let mut count = 0;
            while count < batch.len()
                && let Some(unit) = self.wheel.pop_due(now, &mut steps, &mut SlabCells(&mut self.slab))
            {
                let cell = Cell::new(unit).expect("a due reference was validated");
                let record = record(&self.slab, cell);
                let hash = prefix(rapidhash_v3_seeded(record.key(), &self.secrets));
                self.databases.physical(record.header.table()).table.prefetch(hash);
                batch[count] = (unit, hash);
                count += 1;
            }
            if count == 0 {
                return steps;
            }
            for (unit, hash) in &batch[..count] {
                // A second reference to the same entry may be in the batch.
                let Some(cell) = self.slab.is_live(*unit) else { continue };
                let id = self.header(cell).table();
                let position = self.databases.physical(id).table.find(*hash, |other| other == cell);
                let position = position.expect("every live cell is in its table");
                let cause = if self.is_dead(cell) { Cause::Flushed } else { Cause::Expired };
                self.remove(Found { id, position, cell }, cause);
            }
        }
    }

    /// Removes entries of flushed databases, passing up to `steps` slots; returns how many steps are left.
    pub(super) fn drain(&mut self, mut steps: usize) -> usize {
        const BATCH: usize = 32;
        while steps > 0
            && let Some((id, from)) = self.databases.next_retiring()
        {
            let mut cells = [None; BATCH];
            let mut count = 0;
            let passed = (BATCH / 2).min(steps);
            let next = self.databases.physical(id).table.walk(from, passed, |_, cell| {
                if let Some(place) = cells.get_mut(count) {
                    *place = Some(cell);
                }
                count += 1;
            });
            for cell in cells.iter().flatten() {
                let found = self.find_cell(*cell);
                self.remove(found, Cause::Flushed);
            }
            // More entries of one hash than the batch holds: the rest comes next time.
            if count <= BATCH {
                match next {
                    Some(hash) => self.databases.retired_before(hash),
                    None => self.databases.finish_retiring(),
                }
            }
            steps -= passed;
        }
        steps
    }

    /// Moves cells together within `steps` so that memory becomes free; returns whether more is waiting.
    pub(super) fn move_cells(&mut self, steps: usize, evictor: &mut Evictor, moved: &mut Vec<Cell>) -> bool {
        let Contents { secrets, databases, slab, wheel, .. } = self;
        moved.clear();
        let more = slab.evacuate(steps, |source, target, bytes| {
            let record = Record::read(bytes);
            let id = record.header.table();
            let hash = prefix(rapidhash_v3_seeded(record.key(), secrets));
            let position = databases.physical(id).table.find(hash, |cell| cell == source);
            databases.replace(id, position.expect("every live cell is in its table"), target);
            if let Some(expiry) = record.expiry() {
                wheel.moved(target.unit(), expiry.0);
            }
            moved.push(target);
        });
        for target in moved.iter() {
            let header = header(slab, *target);
            let bytes = slab.slice_mut(*target, HEADER_BYTES);
            header.with_late(false).with_mark(false).write(bytes);
            entry::set_access(bytes, evictor.moved(*target, header.access()));
        }
        more
    }

    /// Whether memory may be made of the entry in `cell`: a lock that went would be given to two.
    fn may_be_evicted(&self, cell: Cell) -> bool {
        self.header(cell).form() != Form::Lock
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the whole of a read is one function")]
    fn has_key(&self, cell: Cell, key: &[u8]) -> bool {
        let shape = self.header(cell).shape();
        shape.key_bytes == key.len() && {
            let end = shape.value_offset();
            &self.slab.slice(cell, end)[shape.key_offset()..] == key
        }
    }
}

/// The wheel's view of the slab.
pub(super) struct SlabCells<'a>(pub(super) &'a mut Slab);

impl Cells for SlabCells<'_> {
    #[inline]
    fn armed(&self, unit: u32) -> Option<Armed> {
        let cell = self.0.is_live(unit)?;
        let record = record(self.0, cell);
        let expiry = record.expiry_or_never();
        (expiry != NEVER).then(|| Armed { expiry, late: record.header.late(), mark: record.header.mark() })
    }

    #[inline]
    fn set_bits(&mut self, unit: u32, late: bool, mark: bool) {
        let cell = Cell::new(unit).expect("the reference was validated");
        let header = header(self.0, cell);
        header.with_late(late).with_mark(mark).write(self.0.slice_mut(cell, HEADER_BYTES));
    }

    #[inline]
    fn prefetch(&self, unit: u32) {
        if let Some(cell) = Cell::new(unit) {
            self.0.prefetch(cell);
        }
    }
}

impl Store for Contents {
    fn slab(&self) -> &Slab {
        &self.slab
    }

    fn entry_count(&self) -> u64 {
        self.databases.entry_count()
    }

    fn access(&self, cell: Cell) -> u32 {
        self.header(cell).access()
    }

    fn set_access(&mut self, cell: Cell, access: u32) {
        entry::set_access(self.slab.slice_mut(cell, HEADER_BYTES), access);
    }

    fn expiry(&self, cell: Cell) -> Option<Millis> {
        self.record(cell).expiry()
    }

    fn hash(&self, cell: Cell) -> u64 {
        self.hash_of(self.record(cell).key())
    }

    fn sample(&self, random: u64) -> Option<Cell> {
        let chosen = scale(random, self.databases.entry_count());
        let mut before = 0;
        for (_, physical) in self.databases.in_use() {
            before += physical.table.len() as u64;
            if chosen < before {
                // Other bits than those that chose the table.
                let (_, cell) = physical.table.sample(random.rotate_left(32))?;
                return self.may_be_evicted(cell).then_some(cell);
            }
        }
        None
    }

    fn sample_expiring(&self, random: u64) -> Option<Cell> {
        let cell = self.slab.is_live(self.wheel.sample(random)?)?;
        (self.record(cell).expiry().is_some() && self.may_be_evicted(cell)).then_some(cell)
    }

    fn sample_soonest(&self, random: u64) -> Option<Cell> {
        let mut cells = [None; SOONEST_COUNT];
        let mut count = 0;
        self.wheel.soonest(SOONEST_COUNT, |unit| {
            if count < SOONEST_COUNT
                && let Some(cell) = self.slab.is_live(unit)
                && self.record(cell).expiry().is_some()
                && self.may_be_evicted(cell)
            {
                cells[count] = Some(cell);
                count += 1;
            }
        });
        if count == 0 {
            // Locks are short-lived, and all that ends soon may be some.
            return self.sample_expiring(random);
        }
        let chosen = scale(random, count as u64) as usize;
        *cells.get(chosen)?
    }

    fn evict(&mut self, cell: Cell) -> bool {
        let found = self.find_cell(cell);
        let is_gone = self.databases.is_retiring(found.id) || self.is_dead(cell);
        let goes = is_gone || self.may_be_evicted(cell);
        if goes {
            self.remove(found, if is_gone { Cause::Flushed } else { Cause::Evicted });
        }
        goes
    }
}
