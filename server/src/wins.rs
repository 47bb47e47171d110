//! Who was told to make a value anew: the win tokens of meta commands (`W`, `Z`).
//!
//! Of all readers of an entry that is stale, soon over or a stub, one wins: it is told so, and the others that somebody
//! has. A version names one state of one entry, so the notes are versions and nothing else: whatever changes the entry
//! ends its note, since the entry has another version then. Where a change must not end it (a touch), the note is carried
//! to the new version.
//!
//! Notes are not durable. After a restart, and when there were more of them than are kept, another reader wins: the value
//! is made twice, never not at all.
//!
//! Invariants:
//! - `order` has each noted version; one in it that is not noted was carried on, and is left there until there are as many
//!   of these as notes may be.

use std::collections::VecDeque;

use hashbrown::HashMap;

/// Most notes of a shard.
const COUNT_MAX: usize = 65_536;

/// What is noted of an entry that somebody has won.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Won {
    /// It holds a value.
    Value,
    /// It is a stub, which a miss made so that there is something to win.
    Stub,
}

/// The notes of one shard.
#[derive(Debug, Default)]
pub(crate) struct Wins {
    notes: HashMap<u64, Won>,
    order: VecDeque<u64>,
}

impl Wins {
    /// What is noted of the entry that has `version`.
    #[inline]
    pub(crate) fn of(&self, version: u64) -> Option<Won> {
        if self.notes.is_empty() { None } else { self.notes.get(&version).copied() }
    }

    /// Whether nothing is noted, as in most servers.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// Notes that somebody won the entry that has `version`.
    pub(crate) fn note(&mut self, version: u64, won: Won) {
        self.notes.insert(version, won);
        self.order.push_back(version);
        while self.notes.len() > COUNT_MAX {
            let oldest = self.order.pop_front().expect("each note is in the order");
            self.notes.remove(&oldest);
        }
        if self.order.len() > 2 * COUNT_MAX {
            let notes = &self.notes;
            self.order.retain(|version| notes.contains_key(version));
        }
    }

    /// Lets a note outlive a change that gave its entry the version `new`.
    #[inline]
    pub(crate) fn carry(&mut self, old: u64, new: u64) {
        if !self.notes.is_empty()
            && let Some(won) = self.notes.remove(&old)
        {
            self.note(new, won);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_of_one_version_and_can_be_carried() {
        let mut wins = Wins::default();
        assert_eq!(wins.of(7), None);
        wins.note(7, Won::Stub);
        wins.carry(7, 9);
        wins.carry(8, 10);
        assert_eq!((wins.of(7), wins.of(9), wins.of(10)), (None, Some(Won::Stub), None));
    }

    #[test]
    fn the_oldest_notes_are_forgotten() {
        let mut wins = Wins::default();
        for version in 0..=COUNT_MAX as u64 {
            wins.note(version, Won::Value);
        }
        assert_eq!(wins.of(0), None);
        assert_eq!(wins.of(1), Some(Won::Value));
        assert!(wins.notes.len() == COUNT_MAX && wins.order.len() == COUNT_MAX);
        for version in COUNT_MAX as u64..3 * COUNT_MAX as u64 {
            wins.carry(version, version + 1);
            assert!(wins.order.len() <= 2 * COUNT_MAX + 1);
        }
        assert_eq!(wins.of(1), Some(Won::Value), "a note that is carried on pushes no other out");
    }
}
