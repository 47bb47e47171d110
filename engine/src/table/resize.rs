//! Growing and shrinking in place, a few slots at a time.
//!
//! **Growing** starts at the high end. The last slots below the boundary are taken out, the boundary goes
//! down to the first of their hashes, and they are put where the new size wants them, which is never left of
//! where they were. They land in the gap that the growth opens, or push the first slots above the boundary on.
//!
//! ```text
//!             low end          gap            high end
//! before  ... a b c d . . . . . . . . . . . e f . g ...      boundary = e
//! after   ... a b . . . . . . . . . . c . d e f . g ...      boundary = c
//! ```
//!
//! **Shrinking** starts at the low end: the first slots above the boundary move left, each to its new home or
//! next to its predecessor, and the boundary goes up. A step may only end before a slot that is at its home,
//! because the slots that follow would otherwise be cut off from theirs.
//!
//! The slots of one hash change sides together, as the boundary is a hash; a flood of one hash is moved in
//! one step, at the cost that every lookup in it has, too.
//!
//! A size is left behind by 1/32 of it at least, and 29/32 of what is gained may be filled before the next
//! growth, so an insertion has 36 slots to move at most: 64 a step end a growth long before the next is due, and if removals and insertions conspire, the
//! steps become longer, never the wait.

use super::geometry::{Geometry, Way, entries_max, entries_min, homes_above, homes_below};
use super::group::GROUP_SLOTS;
use super::slots::PAGE_SLOTS;
use super::{SLACK_SLOTS, Table, cell_of, hash_of};

/// Slots that an insertion or a removal moves while the table is resized.
const STEP_SLOTS: usize = 64;

/// How many times more it moves when the size that the table is going to is already full.
const HURRY_FACTOR: usize = 8;

/// Slots that are taken in hand at once.
const HAND_SLOTS: usize = 64;

/// Slots whose memory is given back with a removal.
const RELEASE_SLOTS: usize = 16 * PAGE_SLOTS;

const _: () = assert!(SLACK_SLOTS >= HAND_SLOTS + GROUP_SLOTS);

impl Table {
    /// The share of resizing that an insertion does, and the beginning of growth.
    #[inline]
    pub(super) fn resize_before_insertion(&mut self) {
        if self.len >= self.len_max || self.geometry.way() != Way::Settled {
            self.resize_for_insertion();
        }
    }

    /// The share of resizing that a removal does, and the beginning of shrinking.
    #[inline]
    pub(super) fn resize_after_removal(&mut self) {
        if self.len < self.len_min || self.releasing || self.geometry.way() != Way::Settled {
            self.resize_for_removal();
        }
    }

    /// Up to about `slots` slots of what is to be done; returns whether more is.
    pub(super) fn resize_step(&mut self, slots: usize) -> bool {
        self.begin_shrinking();
        if self.geometry.way() != Way::Settled {
            self.move_slots(slots);
        } else if self.releasing {
            self.release(slots.saturating_mul(16).max(RELEASE_SLOTS));
        }
        self.releasing || self.geometry.way() != Way::Settled
    }

    /// Makes the table one of `homes` homes at once; nothing in it would have to move.
    pub(super) fn settle(&mut self, homes: usize) {
        self.geometry = Geometry::settled(homes);
        self.settled();
    }

    /// Asserts what holds of the limits.
    pub(super) fn check_resize(&self) {
        assert_eq!(self.len_max, entries_max(self.geometry.homes_wanted()));
        assert!(self.geometry.way() == Way::Settled || !self.releasing, "memory is given back during a resize");
    }

    #[inline(never)]
    fn resize_for_insertion(&mut self) {
        let hurry = self.len >= self.len_max;
        if self.geometry.way() == Way::Settled {
            self.begin_growing();
            self.move_slots(STEP_SLOTS);
        } else {
            self.move_slots(if hurry { STEP_SLOTS * HURRY_FACTOR } else { STEP_SLOTS });
        }
    }

    #[inline(never)]
    fn resize_for_removal(&mut self) {
        self.begin_shrinking();
        if self.geometry.way() != Way::Settled {
            self.move_slots(STEP_SLOTS);
        } else if self.releasing {
            self.release(RELEASE_SLOTS);
        }
    }

    /// Sets out for the next size up, unless there is no room: then the table fills up on.
    fn begin_growing(&mut self) {
        let homes = homes_above(self.geometry.homes());
        if self.slots.make_writable(homes + SLACK_SLOTS) {
            self.geometry = self.geometry.resized_to(homes);
            self.len_max = entries_max(homes);
            self.len_min = 0;
            self.releasing = false;
        }
    }

    /// Sets out for a smaller size, if the table has become too large.
    fn begin_shrinking(&mut self) {
        if self.len >= self.len_min || self.geometry.way() != Way::Settled {
            return;
        }
        let Some(homes) = homes_below(self.geometry.homes(), self.len) else { return };
        self.len_min = 0;
        if self.len == 0 {
            self.settle(homes);
        } else {
            self.geometry = self.geometry.resized_to(homes);
            self.len_max = entries_max(homes);
            self.releasing = false;
        }
    }

    /// What follows from having arrived at a size.
    fn settled(&mut self) {
        let homes = self.geometry.homes();
        self.len_max = entries_max(homes);
        self.len_min = entries_min(homes);
        self.releasing = true;
    }

    /// Moves the boundary over about `slots` slots.
    fn move_slots(&mut self, slots: usize) {
        match self.geometry.way() {
            Way::Settled => {}
            Way::Growing => {
                let mut moved = 0;
                while moved < slots && self.geometry.way() == Way::Growing {
                    moved += self.grow();
                }
                if self.geometry.way() == Way::Settled {
                    self.settled();
                }
            }
            Way::Shrinking => {
                self.shrink(slots);
                if self.geometry.way() == Way::Settled {
                    self.settled();
                }
            }
        }
    }

    /// Takes the last slots of the low size over to the high one; returns how many slots it passed.
    fn grow(&mut self) -> usize {
        let boundary = self.geometry.boundary();
        let all = self.slots.all();
        let mut end = self.geometry.low_home((boundary - 1) as u32);
        while all[end] != 0 && u64::from(hash_of(all[end])) < boundary {
            end += 1;
        }
        let begin = end.saturating_sub(HAND_SLOTS);

        let mut hand = [0; HAND_SLOTS];
        let mut count = 0;
        for &slot in &all[begin..end] {
            hand[count] = slot;
            count += usize::from(slot != 0);
        }
        let mut hand = &hand[..count];
        // The slots of a hash that began before the hand stay, to be taken together with the others.
        if begin > 0 && !hand.is_empty() && hash_of(all[begin - 1]) == hash_of(hand[0]) && all[begin - 1] != 0 {
            let hash = hash_of(hand[0]);
            let same = hand.iter().take_while(|&&slot| hash_of(slot) == hash).count();
            if same == count {
                return self.grow_over_one_hash(end);
            }
            hand = &hand[same..];
        }
        let Some(&lowest) = hand.first() else {
            self.geometry.set_boundary(self.geometry.low_hash_from(begin));
            return end - begin;
        };
        // The hand's first slot is the first that equals it; everything behind it is in the hand too.
        let first = begin + all[begin..end].iter().position(|&slot| slot == lowest).expect("it was taken from there");
        self.geometry.set_boundary(u64::from(hash_of(lowest)));
        self.slots.all_mut()[first..end].fill(0);
        self.place(hand, first);
        self.prefetch_below(first);
        self.prefetch_below(self.geometry.high_home(hash_of(lowest)));
        end - first
    }

    /// Asks the CPU for what the next step of growing will touch: two streams that run down through memory.
    #[inline]
    fn prefetch_below(&self, index: usize) {
        for distance in (0..HAND_SLOTS + GROUP_SLOTS).step_by(GROUP_SLOTS) {
            self.slots.prefetch(index.saturating_sub(distance));
        }
    }

    /// Puts slots in order where the high size wants them, from `next` on and in front of all others there.
    fn place(&mut self, mut hand: &[u64], mut next: usize) {
        let all = self.slots.all_mut();
        while let Some((&slot, rest)) = hand.split_first() {
            let index = self.geometry.high_home(hash_of(slot)).max(next);
            if all[index] != 0 {
                // The first slot of the high size: it is at its home at the earliest here, so the rest of the
                // hand is at home here or before.
                self.open_gap(index, hand.len());
                self.slots.all_mut()[index..index + hand.len()].copy_from_slice(hand);
                return;
            }
            all[index] = slot;
            next = index + 1;
            hand = rest;
        }
        self.touch(next);
    }

    /// Takes all slots of the last hash of the low size, the last of which is before `end`, over to the high
    /// size.
    #[cold]
    fn grow_over_one_hash(&mut self, end: usize) -> usize {
        let all = self.slots.all();
        let end = all[..end].iter().rposition(|&slot| slot != 0).expect("the hash has slots") + 1;
        let hash = hash_of(all[end - 1]);
        let count = all[..end].iter().rev().take_while(|&&slot| slot != 0 && hash_of(slot) == hash).count();
        let begin = end - count;
        self.geometry.set_boundary(u64::from(hash));
        let target = self.geometry.high_home(hash).max(begin);
        let target_end = target + count;
        self.reach(target_end);
        let all = self.slots.all();
        if let Some(taken) = (target.max(end)..target_end).find(|&index| all[index] != 0) {
            self.open_gap(taken, target_end - taken);
        }
        // Slots of one hash may change places, so those on the left fill up on the right.
        let moved = count.min(target - begin);
        let all = self.slots.all_mut();
        all.copy_within(begin..begin + moved, target_end - moved);
        all[begin..begin + moved].fill(0);
        self.touch(target_end);
        count
    }

    /// Takes the first slots of the high size over to the low one, about `slots` of them.
    fn shrink(&mut self, slots: usize) {
        let boundary = self.geometry.boundary();
        let homes = self.geometry.homes();
        let all = self.slots.all_mut();
        let mut index = self.geometry.high_home(boundary as u32);
        while all[index] != 0 && u64::from(hash_of(all[index])) < boundary {
            index += 1;
        }
        let end = index.saturating_add(slots);
        let mut next = None;
        let boundary = loop {
            let slot = all[index];
            let hash = hash_of(slot);
            if cell_of(slot).is_none() {
                if index >= homes || index >= end {
                    break self.geometry.high_hash_from(index + 1);
                }
            } else {
                if index >= end && self.geometry.high_home(hash) == index {
                    break u64::from(hash);
                }
                let mut target = self.geometry.low_home(hash);
                match next {
                    Some(next) => target = target.max(next),
                    // The first one comes after what is already in the low size.
                    None => target += all[target..index].iter().take_while(|&&slot| slot != 0).count(),
                }
                debug_assert!(target <= index);
                all[index] = 0;
                all[target] = slot;
                next = Some(target + 1);
            }
            index += 1;
        };
        self.geometry.set_boundary(boundary);
    }

    /// Gives back memory behind the last slot, about `slots` slots of it.
    fn release(&mut self, slots: usize) {
        let all = self.slots.all();
        let homes = self.geometry.homes();
        let spill = all[homes..].iter().take_while(|&&slot| slot != 0).count();
        let floor = (homes + spill).next_multiple_of(PAGE_SLOTS);
        let end = self.touched.next_multiple_of(PAGE_SLOTS);
        let begin = end.saturating_sub(slots.next_multiple_of(PAGE_SLOTS)).max(floor);
        if begin < end {
            self.slots.release(begin, end);
            self.touched = begin;
        }
        self.releasing = begin > floor;
    }
}
