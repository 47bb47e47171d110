//! The expiry wheel: finds entries whose time is over without looking at the others.
//!
//! An expired entry is absent for whoever asks for it, wheel or no wheel; the wheel is there so that the
//! memory of entries nobody asks for comes back. It is a hierarchical timer wheel of five levels of 1,024
//! buckets: a bucket of level 0 is one millisecond, one of level 1 the 1,024 ms behind it, and so on for
//! 35,000 years. When the wheel's position enters a bucket of a higher level, the bucket is dealt out to the
//! levels below.
//!
//! A bucket is a list of 4-byte references to cells, not a chain through the entries: that keeps eight
//! bytes out of every header, arming is one append, and disarming is nothing at all. The price is that a
//! reference may be stale (its entry gone, another in the same cell, another expiry), so it proves itself
//! when met: its cell must hold an entry with an expiry, and the bucket where it is met must be the one
//! where that expiry belongs.
//!
//! An expiry that moves to a later time, the common case of a session renewed with every request, needs
//! no new reference: the entry's `late` bit says that its reference stands in an earlier bucket, and
//! whoever meets it there sends it on. Only an expiry that moves forward in time pushes a second reference.
//!
//! Stale references are dropped when met. When there are more than twice as many references as entries
//! that expire, buckets are compacted one after the other, a few references with each new one: a first walk
//! clears the entries' `mark` bits, a second keeps the first reference to each entry, marks the entry and
//! drops every other.
//!
//! The wall clock may be set back. Steps of up to a second are waited out; after a longer one the position
//! follows the clock. References then stand in buckets that were right for the old position. None is missed
//! by that, since a bucket is entered no later than every time it stands for, but until a pass over all
//! buckets has put each into its place (`is_strict`), a reference in the wrong bucket is moved and not dropped.
//!
//! Invariants:
//! - Every entry with an expiry has a reference. Unless the entry is late or the wheel is not strict, one
//!   stands in the bucket where its expiry belongs, or in a bucket on that way that is being emptied.
//! - `next_tick` is not after the first millisecond at which a bucket must be entered.
//! - The position is never after `next_tick`.
//!
//! Source: Varghese and Lauck, "Hashed and hierarchical timing wheels" (SOSP 1987), scheme 6.

mod lists;

use std::collections::HashMap;

use crate::entry::NEVER;
use crate::time::Millis;
use lists::{Chunks, Cursor, List};

/// Levels of the wheel.
const LEVEL_COUNT: usize = 5;
/// Bits of a tick that choose the bucket of a level.
const LEVEL_BITS: u32 = 10;
/// Buckets of a level.
const LEVEL_BUCKETS: usize = 1 << LEVEL_BITS;
/// The last millisecond the wheel can tell from others; the position never gets there.
const TICK_MAX: u64 = (1 << (LEVEL_BITS * LEVEL_COUNT as u32)) - 1;
/// The clock may be this many milliseconds behind the position before the position follows it.
const SET_BACK_MS_MAX: u64 = 1024;
/// References beyond twice the armed entries that are no reason to compact.
const SURPLUS_MAX: usize = 4096;
/// Chunks of stale references that one call of [`Wheel::freshen`] drops.
const FRESHEN_CHUNKS: usize = 64;
/// References that each new one compacts when compaction is due.
const COMPACT_STEPS: usize = 8;

/// What the wheel needs to know of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Armed {
    /// When it expires, in milliseconds since the epoch.
    pub(crate) expiry: u64,
    /// Its expiry was moved to a later time than its reference stands for.
    pub(crate) late: bool,
    /// A reference to it was kept in the bucket being compacted.
    pub(crate) mark: bool,
}

/// The cells that references point to.
pub(crate) trait Cells {
    /// The entry that begins at `unit`, if one does and it has an expiry.
    fn armed(&self, unit: u32) -> Option<Armed>;
    /// Sets both bits of the entry at `unit`, which is armed.
    fn set_bits(&mut self, unit: u32, late: bool, mark: bool);
    /// Asks the CPU for the cell at `unit`.
    fn prefetch(&self, unit: u32);
}

/// A bucket by its number: level times 1,024 plus index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u16);

impl Place {
    #[inline]
    fn level(self) -> u32 {
        u32::from(self.0) >> LEVEL_BITS
    }

    #[inline]
    fn index(self) -> usize {
        usize::from(self.0) & (LEVEL_BUCKETS - 1)
    }
}

/// A pass over all buckets that drops stale and double references.
#[derive(Clone, Copy, Debug)]
struct Compaction {
    /// The bucket being compacted.
    place: Place,
    phase: Phase,
    /// The pass began after the clock was last set back.
    since_set_back: bool,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The bucket has not been looked at.
    Idle,
    /// Marks are being cleared.
    Clear(Cursor),
    /// The references that were in the bucket, at least one, waiting to be kept or dropped.
    Keep(List),
}

/// The wheel.
pub(crate) struct Wheel {
    buckets: Box<[List]>,
    /// A bit for each bucket that is not empty, those of a compaction's list included.
    occupied: Box<[u64]>,
    chunks: Chunks,
    position: u64,
    next_tick: u64,
    reference_count: usize,
    armed_count: usize,
    is_strict: bool,
    compaction: Option<Compaction>,
}

impl Wheel {
    /// An empty wheel.
    pub(crate) fn new() -> Wheel {
        Wheel {
            buckets: vec![List::EMPTY; LEVEL_COUNT * LEVEL_BUCKETS].into(),
            occupied: vec![0; LEVEL_COUNT * LEVEL_BUCKETS / 64].into(),
            chunks: Chunks::default(),
            position: 0,
            next_tick: u64::MAX,
            reference_count: 0,
            armed_count: 0,
            is_strict: true,
            compaction: None,
        }
    }

    /// Notes that the entry at `unit`, which had no expiry, ends at `expiry`. Its bits must be clear, and once
    /// it is written [`Wheel::settle`] be called.
    #[inline]
    pub(crate) fn arm(&mut self, unit: u32, expiry: u64, now: Millis) {
        debug_assert!(expiry != NEVER, "never is no expiry");
        self.armed_count += 1;
        if self.reference_count == 0 {
            self.restart(now);
        }
        self.push(unit, expiry);
    }

    /// Does a bounded share of dropping stale references; to be called after each [`Wheel::arm`] and
    /// [`Wheel::rearm`], when the entry is as the wheel was told.
    #[inline]
    pub(crate) fn settle(&mut self, cells: &mut impl Cells) {
        if self.has_surplus() {
            self.compact(COMPACT_STEPS, cells);
        }
    }

    /// Notes that an entry that had an expiry has none any more, or is gone.
    #[inline]
    pub(crate) fn disarm(&mut self) {
        debug_assert!(self.armed_count > 0, "only what was armed is disarmed");
        self.armed_count -= 1;
    }

    /// Notes that the expiry of the entry at `unit`, armed until now as `before`, is `expiry` from now on.
    /// Returns what the entry's late bit must become; its mark must become clear, and once it is written
    /// [`Wheel::settle`] be called.
    #[inline]
    pub(crate) fn rearm(&mut self, unit: u32, before: Armed, expiry: u64) -> bool {
        debug_assert!(expiry != NEVER, "never is no expiry");
        if self.is_strict && self.locate(before.expiry) == self.locate(expiry) {
            return before.late;
        }
        if expiry >= before.expiry {
            return true;
        }
        self.push(unit, expiry);
        false
    }

    /// Notes that an entry that ends at `expiry` has moved to `unit`; there its bits must be clear.
    pub(crate) fn moved(&mut self, unit: u32, expiry: u64) {
        self.push(unit, expiry);
    }

    /// A cell whose entry's time is over at `now`; the caller removes the entry. `steps` is what may still be done.
    pub(crate) fn pop_due(&mut self, now: Millis, steps: &mut usize, cells: &mut impl Cells) -> Option<u32> {
        let now = now.0.min(TICK_MAX - 1);
        self.follow(now);
        while self.next_tick <= now {
            self.position = self.next_tick;
            while let Some(place) = self.open_place() {
                if *steps == 0 {
                    return None;
                }
                *steps -= 1;
                let unit = self.pop(place, cells);
                if self.is_due(unit, place.level(), cells) {
                    return Some(unit);
                }
            }
            self.next_tick = self.next_event();
            debug_assert!(self.next_tick > self.position, "the wheel goes forward");
        }
        self.position = self.position.max(now + 1);
        None
    }

    /// Compacts at most `steps` references if that is called for; returns whether more is waiting.
    pub(crate) fn tidy(&mut self, steps: &mut usize, cells: &mut impl Cells) -> bool {
        if self.compaction.is_none() && self.is_strict && !self.has_surplus() {
            return false;
        }
        let done = self.compact(*steps, cells);
        *steps = steps.saturating_sub(done);
        // A pass that waits for a bucket to be emptied has nothing to do before then.
        done > 0 && self.compaction.is_some()
    }

    /// When the wheel next has something to do: not after the first expiry. `None` if nothing is armed.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        (self.next_tick != u64::MAX).then_some(Millis(self.next_tick))
    }

    /// Entries that have an expiry.
    pub(crate) fn armed_count(&self) -> usize {
        self.armed_count
    }

    /// Bytes of all references and buckets.
    pub(crate) fn bytes(&self) -> usize {
        self.chunks.bytes() + size_of_val(&*self.buckets) + size_of_val(&*self.occupied)
    }

    /// A unit at which an entry that expires may begin, chosen by `random`: the reference may be stale.
    pub(crate) fn sample(&self, random: u64) -> Option<u32> {
        self.chunks.sample(random)
    }

    /// The occupied bucket that is entered next.
    fn first_place(&self) -> Option<Place> {
        self.open_place().or_else(|| {
            (0..LEVEL_COUNT).find_map(|level| {
                let start = self.entered(level as u32).index();
                let found = self.next_occupied(level, start).or_else(|| self.next_occupied(level, 0));
                found.map(|index| Place((level * LEVEL_BUCKETS + index) as u16))
            })
        })
    }

    /// Whether a reference in `place` to an entry that ends at `expiry` is where it belongs.
    fn belongs(&self, expiry: u64, place: Place) -> bool {
        let shift = LEVEL_BITS * place.level();
        let tick = expiry.clamp(self.position, TICK_MAX);
        self.locate(expiry) == place || (self.is_open(place) && tick >> shift == self.position >> shift)
    }

    /// Calls `each` with up to `count` references, stale ones among them, of entries that expire soonest.
    pub(crate) fn soonest(&self, count: usize, mut each: impl FnMut(u32)) {
        let mut shown = 0;
        for level in 0..LEVEL_COUNT {
            let start = (self.position >> (LEVEL_BITS * level as u32)) as usize & (LEVEL_BUCKETS - 1);
            let mut index = start;
            while let Some(found) = self.next_occupied(level, index) {
                let mut cursor = Some(Chunks::cursor(self.buckets[level * LEVEL_BUCKETS + found]));
                while let Some(at) = cursor {
                    if shown >= count {
                        return;
                    }
                    cursor = self.chunks.walk(at, |unit| {
                        shown += 1;
                        each(unit);
                    });
                }
                index = found + 1;
            }
        }
    }

    /// Drops the stale ones of the references that [`Wheel::soonest`] shows first, so that evicting by expiry,
    /// which leaves its references behind, always comes to entries: looks at a bounded number.
    pub(crate) fn freshen(&mut self, cells: &mut impl Cells) {
        for _ in 0..FRESHEN_CHUNKS {
            let Some(place) = self.first_place() else { return };
            let mut valid = [0; lists::CHUNK_REFERENCES as usize];
            let mut count = 0;
            for _ in 0..valid.len() {
                if !self.is_occupied(place) {
                    break;
                }
                let unit = self.pop(place, cells);
                let Some(armed) = cells.armed(unit) else { continue };
                if self.belongs(armed.expiry, place) {
                    valid[count] = unit;
                    count += 1;
                } else if armed.late || !self.is_strict {
                    self.send(unit, armed, cells);
                }
            }
            valid[..count].iter().for_each(|unit| self.push_at(place, *unit));
            if count > 0 {
                return;
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        let position = self.position;
        *self = Wheel { position, ..Wheel::new() };
    }

    /// Where a reference to an entry that ends at `expiry` belongs.
    #[inline]
    fn locate(&self, expiry: u64) -> Place {
        let tick = expiry.clamp(self.position, TICK_MAX);
        let level = ((tick ^ self.position) | 1).ilog2() / LEVEL_BITS;
        let index = (tick >> (LEVEL_BITS * level)) as usize & (LEVEL_BUCKETS - 1);
        Place((level as usize * LEVEL_BUCKETS + index) as u16)
    }

    #[inline]
    fn push(&mut self, unit: u32, expiry: u64) {
        let place = self.locate(expiry);
        let tick = expiry.clamp(self.position, TICK_MAX);
        let shift = LEVEL_BITS * place.level();
        self.next_tick = self.next_tick.min(tick >> shift << shift);
        self.push_at(place, unit);
    }

    #[inline]
    fn push_at(&mut self, place: Place, unit: u32) {
        self.chunks.push(&mut self.buckets[usize::from(place.0)], unit);
        self.occupied[usize::from(place.0) / 64] |= 1 << (place.0 % 64);
        self.reference_count += 1;
    }

    /// Takes a reference from an occupied bucket.
    fn pop(&mut self, place: Place, cells: &mut impl Cells) -> u32 {
        if let Some(Compaction { place: compacted, phase, .. }) = &mut self.compaction
            && *compacted == place
        {
            // The bucket is being emptied: what its compaction had put aside goes with it.
            match phase {
                Phase::Clear(_) => *phase = Phase::Idle,
                Phase::Keep(list) if self.buckets[usize::from(place.0)].is_empty() => {
                    std::mem::swap(list, &mut self.buckets[usize::from(place.0)]);
                    *phase = Phase::Idle;
                }
                Phase::Idle | Phase::Keep(_) => {}
            }
        }
        let list = &mut self.buckets[usize::from(place.0)];
        let unit = self.chunks.pop(list, |unit| cells.prefetch(unit)).expect("an occupied bucket holds a reference");
        self.reference_count -= 1;
        self.note_if_empty(place);
        unit
    }

    /// Clears the bit of a bucket that has become empty.
    fn note_if_empty(&mut self, place: Place) {
        let waiting = match self.compaction {
            Some(Compaction { place: compacted, phase: Phase::Keep(list), .. }) => {
                compacted == place && !list.is_empty()
            }
            _ => false,
        };
        if self.buckets[usize::from(place.0)].is_empty() && !waiting {
            self.occupied[usize::from(place.0) / 64] &= !(1 << (place.0 % 64));
        }
    }

    /// Whether the reference to `unit`, met in the open bucket of `level`, says that its entry's time is over;
    /// if it is valid but not due, it is sent to where it belongs.
    fn is_due(&mut self, unit: u32, level: u32, cells: &mut impl Cells) -> bool {
        let Some(armed) = cells.armed(unit) else { return false };
        let shift = LEVEL_BITS * level;
        let belongs = armed.expiry.clamp(self.position, TICK_MAX) >> shift == self.position >> shift;
        if belongs && level == 0 {
            return true;
        }
        if belongs || armed.late || !self.is_strict {
            self.send(unit, armed, cells);
        }
        false
    }

    /// Puts a reference where its entry's expiry belongs.
    fn send(&mut self, unit: u32, armed: Armed, cells: &mut impl Cells) {
        if armed.late || armed.mark {
            cells.set_bits(unit, false, false);
        }
        self.push(unit, armed.expiry);
    }

    /// The occupied bucket that the position has entered, higher levels first.
    fn open_place(&self) -> Option<Place> {
        let aligned = (self.position.trailing_zeros() / LEVEL_BITS).min(LEVEL_COUNT as u32 - 1);
        (0..=aligned).rev().map(|level| self.entered(level)).find(|place| self.is_occupied(*place))
    }

    /// The bucket of `level` that the position is in.
    fn entered(&self, level: u32) -> Place {
        let index = (self.position >> (LEVEL_BITS * level)) as usize & (LEVEL_BUCKETS - 1);
        Place((level as usize * LEVEL_BUCKETS + index) as u16)
    }

    #[inline]
    fn is_occupied(&self, place: Place) -> bool {
        self.occupied[usize::from(place.0) / 64] >> (place.0 % 64) & 1 != 0
    }

    /// The first millisecond after the position (or the position, while a bucket is open) at which an occupied bucket is entered.
    fn next_event(&self) -> u64 {
        if self.open_place().is_some() {
            return self.position;
        }
        let mut next = u64::MAX;
        for level in 0..LEVEL_COUNT {
            let shift = LEVEL_BITS * level as u32;
            let current = (self.position >> shift) as usize & (LEVEL_BUCKETS - 1);
            let round = self.position >> (shift + LEVEL_BITS);
            let event = if let Some(index) = self.next_occupied(level, current + 1) {
                (round << LEVEL_BITS | index as u64) << shift
            } else if self.next_occupied(level, 0).is_some() {
                // Left there by a clock that was set back: to be met in the next round.
                (round + 1) << (shift + LEVEL_BITS)
            } else {
                continue;
            };
            next = next.min(event);
        }
        next
    }

    /// The first occupied bucket of `level` at `from` or behind it.
    fn next_occupied(&self, level: usize, from: usize) -> Option<usize> {
        if from >= LEVEL_BUCKETS {
            return None;
        }
        let words = &self.occupied[level * LEVEL_BUCKETS / 64..][..LEVEL_BUCKETS / 64];
        let first = words[from / 64] & (u64::MAX << (from % 64));
        if first != 0 {
            return Some(from / 64 * 64 + first.trailing_zeros() as usize);
        }
        let behind = words.iter().enumerate().skip(from / 64 + 1).find(|(_, word)| **word != 0)?;
        Some(behind.0 * 64 + behind.1.trailing_zeros() as usize)
    }

    /// Follows a clock that was set back.
    fn follow(&mut self, now: u64) {
        if self.position <= now + SET_BACK_MS_MAX {
            return;
        }
        if self.reference_count == 0 {
            self.restart(Millis(now));
            return;
        }
        self.position = now;
        self.is_strict = false;
        if let Some(compaction) = &mut self.compaction {
            compaction.since_set_back = false;
        }
        self.next_tick = self.next_event();
    }

    /// Takes an empty wheel to `now`.
    fn restart(&mut self, now: Millis) {
        debug_assert_eq!(self.reference_count, 0, "an empty wheel can be turned at will");
        self.position = now.0.min(TICK_MAX - 1);
        self.next_tick = u64::MAX;
        self.is_strict = true;
        self.compaction = None;
    }

    #[inline]
    fn has_surplus(&self) -> bool {
        self.reference_count > 2 * self.armed_count + SURPLUS_MAX
    }

    /// Does up to about `steps` of a pass over all buckets; returns how many were done.
    fn compact(&mut self, steps: usize, cells: &mut impl Cells) -> usize {
        let mut done = 0;
        let mut compaction =
            self.compaction.take().unwrap_or(Compaction { place: Place(0), phase: Phase::Idle, since_set_back: true });
        while done < steps {
            if self.is_open(compaction.place) {
                break;
            }
            let list = &mut self.buckets[usize::from(compaction.place.0)];
            match compaction.phase {
                Phase::Idle if list.is_empty() => match self.next_place(compaction.place) {
                    Some(place) => compaction.place = place,
                    None => return self.finish_pass(compaction, done),
                },
                Phase::Idle => compaction.phase = Phase::Clear(Chunks::cursor(*list)),
                Phase::Clear(cursor) => {
                    let next = self.chunks.walk(cursor, |unit| {
                        done += 1;
                        if let Some(Armed { late, mark: true, .. }) = cells.armed(unit) {
                            cells.set_bits(unit, late, false);
                        }
                    });
                    compaction.phase = match next {
                        Some(cursor) => Phase::Clear(cursor),
                        None => Phase::Keep(std::mem::replace(list, List::EMPTY)),
                    };
                }
                Phase::Keep(mut waiting) => {
                    done += 1;
                    let unit = self.chunks.pop(&mut waiting, |unit| cells.prefetch(unit));
                    self.reference_count -= 1;
                    self.keep(unit.expect("a bucket in this phase has references"), compaction.place, cells);
                    compaction.phase = Phase::Keep(waiting);
                    if waiting.is_empty() {
                        self.note_if_empty(compaction.place);
                        compaction.phase = Phase::Idle;
                        match self.next_place(compaction.place) {
                            Some(place) => compaction.place = place,
                            None => return self.finish_pass(compaction, done),
                        }
                    }
                }
            }
        }
        self.compaction = Some(compaction);
        done
    }

    /// Keeps a reference found in `place` if it is valid and the first to its entry.
    fn keep(&mut self, unit: u32, place: Place, cells: &mut impl Cells) {
        let Some(armed) = cells.armed(unit) else { return };
        if self.locate(armed.expiry) == place {
            if !armed.mark {
                cells.set_bits(unit, false, true);
                self.push_at(place, unit);
            }
        } else if armed.late || !self.is_strict {
            self.send(unit, armed, cells);
        }
    }

    /// Ends a pass; returns `done`.
    fn finish_pass(&mut self, pass: Compaction, done: usize) -> usize {
        self.is_strict |= pass.since_set_back;
        self.compaction = None;
        done
    }

    /// Whether `place` is a bucket that the position has entered.
    fn is_open(&self, place: Place) -> bool {
        let level = place.level();
        self.position.trailing_zeros() >= LEVEL_BITS * level && self.entered(level).index() == place.index()
    }

    /// The next occupied bucket behind `place`.
    fn next_place(&self, place: Place) -> Option<Place> {
        let level = place.level() as usize;
        let same = self.next_occupied(level, place.index() + 1).map(|index| (level, index));
        let found = same.or_else(|| {
            (level + 1..LEVEL_COUNT).find_map(|level| self.next_occupied(level, 0).map(|index| (level, index)))
        });
        found.map(|(level, index)| Place((level * LEVEL_BUCKETS + index) as u16))
    }

    /// Asserts what can be asserted without the entries, and collects every reference with its buckets.
    ///
    /// # Panics
    /// When an invariant does not hold.
    pub(crate) fn references(&self) -> References {
        let mut places: HashMap<u32, Vec<Place>> = HashMap::new();
        let mut count = 0;
        for number in 0..(LEVEL_COUNT * LEVEL_BUCKETS) as u16 {
            let place = Place(number);
            let waiting = match self.compaction {
                Some(Compaction { place: compacted, phase: Phase::Keep(list), .. }) if compacted == place => list,
                _ => List::EMPTY,
            };
            let list = self.buckets[usize::from(number)];
            assert_eq!(self.is_occupied(place), !(list.is_empty() && waiting.is_empty()), "bucket {number}");
            for list in [list, waiting] {
                let mut cursor = Some(Chunks::cursor(list));
                while let Some(at) = cursor {
                    cursor = self.chunks.walk(at, |unit| {
                        count += 1;
                        places.entry(unit).or_default().push(place);
                    });
                }
            }
        }
        assert_eq!(count, self.reference_count, "every reference is in a bucket");
        assert!(self.position <= self.next_tick, "nothing was passed over");
        assert!(self.next_tick <= self.next_event(), "nothing will be passed over");
        References(places)
    }

    /// Asserts that the entry at `unit` will be found when its time is over.
    ///
    /// # Panics
    /// When it will not.
    pub(crate) fn check_armed(&self, unit: u32, armed: Armed, references: &References) {
        let places = references.0.get(&unit).map_or(&[][..], Vec::as_slice);
        assert!(!places.is_empty(), "the entry at unit {unit} has no reference");
        if armed.late || !self.is_strict {
            return;
        }
        let found = places.iter().any(|place| self.belongs(armed.expiry, *place));
        let Armed { expiry, .. } = armed;
        assert!(found, "the entry at unit {unit} ends at {expiry}, position {}, found in {places:?}", self.position);
    }
}

/// Where the references of a wheel are, for its check.
pub(crate) struct References(HashMap<u32, Vec<Place>>);

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries by unit.
    #[derive(Default)]
    struct Entries(HashMap<u32, Armed>);

    impl Cells for Entries {
        fn armed(&self, unit: u32) -> Option<Armed> {
            self.0.get(&unit).copied()
        }

        fn set_bits(&mut self, unit: u32, late: bool, mark: bool) {
            let armed = self.0.get_mut(&unit).unwrap();
            (armed.late, armed.mark) = (late, mark);
        }

        fn prefetch(&self, _unit: u32) {}
    }

    struct World {
        wheel: Wheel,
        entries: Entries,
        now: u64,
        random: u64,
    }

    impl World {
        fn new(seed: u64) -> World {
            World { wheel: Wheel::new(), entries: Entries::default(), now: 1_700_000_000_000, random: seed }
        }

        fn draw(&mut self, below: u64) -> u64 {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.random >> 33) % below
        }

        fn set(&mut self, unit: u32, expiry: u64) {
            let late = match self.entries.armed(unit) {
                None => {
                    self.wheel.arm(unit, expiry, Millis(self.now));
                    false
                }
                Some(before) => self.wheel.rearm(unit, before, expiry),
            };
            self.entries.0.insert(unit, Armed { expiry, late, mark: false });
            self.wheel.settle(&mut self.entries);
        }

        fn remove(&mut self, unit: u32) {
            if self.entries.0.remove(&unit).is_some() {
                self.wheel.disarm();
            }
        }

        fn work(&mut self, mut steps: usize) {
            while let Some(unit) = self.wheel.pop_due(Millis(self.now), &mut steps, &mut self.entries) {
                assert!(self.entries.armed(unit).unwrap().expiry <= self.now, "nothing ends early");
                self.remove(unit);
            }
            self.wheel.tidy(&mut steps, &mut self.entries);
        }

        fn check(&self) {
            let references = self.wheel.references();
            assert_eq!(self.wheel.armed_count(), self.entries.0.len());
            self.entries.0.iter().for_each(|(unit, armed)| self.wheel.check_armed(*unit, *armed, &references));
        }
    }

    #[test]
    fn every_entry_is_found_when_its_time_is_over() {
        let mut world = World::new(1);
        let start = world.now;
        let spans = [0, 1, 2, 1000, 1023, 1024, 1025, 60_000, 3_600_000, 86_400_000 * 400, 1 << 45, 1 << 60];
        for (unit, span) in (1..).zip(spans) {
            world.set(unit, start + span);
        }
        world.check();
        for (gone, span) in (1..).zip(&spans[..spans.len() - 1]) {
            assert!(world.wheel.next_due().unwrap().0 <= start + span);
            world.now = start + span;
            world.work(10_000);
            world.check();
            assert_eq!(world.entries.0.len(), spans.len() - gone, "after {span} ms");
        }
    }

    #[test]
    fn any_history_keeps_every_entry_in_reach() {
        for seed in 0..12 {
            let mut world = World::new(seed);
            for step in 0..4000 {
                let unit = 1 + world.draw(200) as u32;
                let span = match world.draw(4) {
                    0 => world.draw(20),
                    1 => world.draw(5_000),
                    2 => world.draw(5_000_000),
                    _ => world.draw(1 << 31) << world.draw(10),
                };
                match world.draw(12) {
                    0..=5 => world.set(unit, world.now + 1 + span),
                    6 | 7 => world.remove(unit),
                    8 => world.now += world.draw(10),
                    9 => world.now += if world.draw(20) == 0 { span } else { world.draw(2000) },
                    10 if world.draw(10) == 0 => world.now = world.now.saturating_sub(world.draw(3_000_000)),
                    11 if world.draw(2) == 0 => world.wheel.freshen(&mut world.entries),
                    _ => {
                        let steps = world.draw(60) as usize;
                        world.work(steps);
                    }
                }
                if step % 50 == 0 {
                    world.check();
                }
            }
            world.work(1_000_000);
            world.check();
            assert!(world.entries.0.values().all(|armed| armed.expiry > world.now), "seed {seed}");
            world.now = 1 << 49;
            world.work(1_000_000);
            assert!(world.entries.0.is_empty() && world.wheel.reference_count == 0, "seed {seed}");
        }
    }

    #[test]
    fn renewing_an_expiry_takes_no_second_reference() {
        let mut world = World::new(3);
        for round in 0..1000 {
            (1..=100).for_each(|unit| world.set(unit, world.now + 60_000 + round));
            world.now += 1000;
            world.work(1000);
        }
        assert_eq!(world.wheel.reference_count, 100);
        world.check();
    }

    #[test]
    fn stale_references_are_bounded() {
        // Entries deleted and written again in the same cells: the cells' old references look valid.
        let mut world = World::new(4);
        for round in 0..100 {
            for unit in 1..=1000 {
                world.remove(unit);
                world.set(unit, world.now + 3_600_000 - round);
            }
            world.now += 10;
            world.work(0);
            assert!(world.wheel.reference_count <= 3 * 1000 + 2 * SURPLUS_MAX, "{}", world.wheel.reference_count);
        }
        world.check();
        world.now += 3_600_000;
        world.work(1_000_000);
        assert_eq!((world.entries.0.len(), world.wheel.reference_count), (0, 0));
    }

    #[test]
    fn simultaneous_expiries_are_spread_over_turns() {
        let mut world = World::new(5);
        let due = world.now + 5000;
        (1..=10_000).for_each(|unit| world.set(unit, due));
        world.now = due;
        let mut turns = 0;
        while !world.entries.0.is_empty() {
            let before = world.entries.0.len();
            world.work(100);
            assert!(before - world.entries.0.len() <= 100);
            turns += 1;
        }
        assert!((100..=210).contains(&turns), "{turns} turns");
    }
}
