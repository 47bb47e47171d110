//! Keys that are being deleted by what they begin with.
//!
//! To delete the keys of a prefix is to note it, with the number of the change and the table it concerns. From then on
//! each entry of that table whose key begins so and whose version is not after that number is **dead**: nobody is shown
//! it, whoever comes upon its key removes it, and a walk in the background removes the rest. When the walk has been
//! everywhere, the note is forgotten.
//!
//! One walk serves all notes of a table, however late they came: it goes around, and each note is forgotten when the walk
//! comes to where it was when the note was made.
//!
//! ```text
//!  hash 0                begin            next                     end
//!       ├──────────────────┼────────────────┼───────────────────────┤
//!        for later: around    passed           to be passed
//! ```
//!
//! A lookup asks [`Prefixes::is_idle`] and nothing else while nothing is noted.
//!
//! # Invariants
//! - A dead entry lies where the walk has not been since its note was made.
//! - No note of a table is of a prefix that a later one of the same table covers.

use crate::key::Db;

/// A deletion by prefix that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingPrefix<'a> {
    /// The database.
    pub db: Db,
    /// What the keys begin with.
    pub prefix: &'a [u8],
}

/// A note.
#[derive(Clone, Debug)]
struct Pending {
    /// The physical table.
    table: u8,
    prefix: Box<[u8]>,
    /// The number of the change.
    lsn: u64,
    /// Where the walk was.
    begin: u32,
    /// Whether it has been at the end since, and began anew.
    is_around: bool,
}

/// The deletions by prefix that are under way in a shard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prefixes {
    pending: Vec<Pending>,
    /// The table that was walked last, and the hash from which on it is to be passed next; another table is walked from
    /// its beginning.
    walk: (u8, u32),
}

impl Prefixes {
    /// Whether no deletion is under way.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether an entry is dead.
    pub(crate) fn covers(&self, table: u8, version: u64, key: &[u8]) -> bool {
        self.pending.iter().any(|it| it.covers(table, version, key))
    }

    /// The notes, with the numbers of their tables, in the order they were made.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.pending.iter().map(|it| (it.table, &*it.prefix))
    }

    /// How many notes there would be with one of `prefix` more.
    pub(crate) fn count_with(&self, table: u8, prefix: &[u8]) -> usize {
        1 + self.pending.iter().filter(|it| !it.is_within(table, prefix)).count()
    }

    /// Makes a note; it replaces those whose prefixes begin with this one's.
    pub(crate) fn add(&mut self, table: u8, prefix: &[u8], lsn: u64) {
        self.pending.retain(|it| !it.is_within(table, prefix));
        if !self.pending.iter().any(|it| it.table == table) {
            // Where an earlier walk stood is of no use.
            self.walk = if self.walk.0 == table { (table, 0) } else { self.walk };
        }
        let begin = if self.walk.0 == table { self.walk.1 } else { 0 };
        self.pending.push(Pending { table, prefix: Box::from(prefix), lsn, begin, is_around: false });
    }

    /// Asserts of an entry that is there that the walk has not been at its hash since it died.
    ///
    /// # Panics
    /// When it has.
    pub(crate) fn check(&self, table: u8, version: u64, key: &[u8], hash: u32) {
        for it in &self.pending {
            if it.covers(table, version, key) && self.walk.0 == table {
                let next = self.walk.1;
                let is_left =
                    if it.is_around { (next..it.begin).contains(&hash) } else { !(it.begin..next).contains(&hash) };
                assert!(
                    is_left,
                    "the walk of table {table} stands at {next} and has left a dead entry at {hash}: {it:?}"
                );
            }
        }
    }

    /// Forgets the notes of a table: it was emptied by other means.
    pub(crate) fn forget(&mut self, table: u8) {
        self.pending.retain(|it| it.table != table);
    }

    /// Forgets all notes.
    pub(crate) fn clear(&mut self) {
        self.pending.clear();
    }

    /// Which table to pass next, and from which hash on.
    pub(crate) fn next(&self) -> Option<(u8, u32)> {
        let table = self.pending.first()?.table;
        Some(if self.walk.0 == table { self.walk } else { (table, 0) })
    }

    /// Notes that the walk has removed the dead entries from [`Prefixes::next`] up to `next`, or to the end.
    pub(crate) fn pass(&mut self, next: Option<u32>) {
        let Some((table, _)) = self.next() else { return };
        self.walk = (table, next.unwrap_or(0));
        self.pending.retain(|it| it.table != table || !it.is_over(next));
        if next.is_none() {
            self.pending.iter_mut().filter(|it| it.table == table).for_each(|it| it.is_around = true);
        }
    }
}

impl Pending {
    fn covers(&self, table: u8, version: u64, key: &[u8]) -> bool {
        self.table == table && version <= self.lsn && key.starts_with(&self.prefix)
    }

    /// Whether a later note of `prefix` says all that this one does.
    fn is_within(&self, table: u8, prefix: &[u8]) -> bool {
        self.table == table && self.prefix.starts_with(prefix)
    }

    /// Whether the walk has been everywhere when it stands at `next`, or at the end.
    fn is_over(&self, next: Option<u32>) -> bool {
        match next {
            Some(next) => self.is_around && next >= self.begin,
            None => self.is_around || self.begin == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(prefixes: &Prefixes) -> Vec<(u8, &str)> {
        prefixes.iter().map(|(table, prefix)| (table, str::from_utf8(prefix).expect("it is text"))).collect()
    }

    #[test]
    fn an_entry_is_dead_if_table_prefix_and_version_say_so() {
        let mut prefixes = Prefixes::default();
        assert!(prefixes.is_idle() && !prefixes.covers(1, 1, b"user:1"));
        prefixes.add(1, b"user:", 100);
        for (table, version, key, is_dead) in [
            (1, 100, &b"user:"[..], true),
            (1, 7, b"user:12", true),
            (1, 101, b"user:12", false),
            (2, 7, b"user:12", false),
            (1, 7, b"user", false),
            (1, 7, b"", false),
            (1, 7, b"a user:1", false),
        ] {
            assert_eq!(prefixes.covers(table, version, key), is_dead, "{table} {version} {key:?}");
        }
    }

    #[test]
    fn a_prefix_replaces_those_that_begin_with_it() {
        let mut prefixes = Prefixes::default();
        for (lsn, prefix) in [(1, "a:1"), (2, "a:2"), (3, "b"), (4, "a")] {
            prefixes.add(0, prefix.as_bytes(), lsn);
        }
        prefixes.add(1, b"", 5);
        assert_eq!(noted(&prefixes), [(0, "b"), (0, "a"), (1, "")]);
        assert_eq!(prefixes.count_with(0, b"a:1"), 4, "one that is covered by an earlier one is another one");
        assert_eq!(prefixes.count_with(0, b""), 2);
        prefixes.forget(0);
        assert_eq!(noted(&prefixes), [(1, "")]);
        prefixes.clear();
        assert!(prefixes.is_idle() && prefixes.next().is_none());
    }

    #[test]
    fn a_note_is_forgotten_when_the_walk_has_been_everywhere_since() {
        let mut prefixes = Prefixes::default();
        prefixes.add(3, b"a", 1);
        assert_eq!(prefixes.next(), Some((3, 0)));
        prefixes.pass(Some(500));
        prefixes.add(3, b"b", 2);
        prefixes.add(4, b"c", 3);
        prefixes.pass(Some(900));
        assert_eq!((noted(&prefixes).len(), prefixes.next()), (3, Some((3, 900))));
        prefixes.pass(None);
        assert_eq!(noted(&prefixes), [(3, "b"), (4, "c")], "the first was there from the beginning");
        prefixes.pass(Some(499));
        assert_eq!(prefixes.next(), Some((3, 499)));
        prefixes.pass(Some(500));
        assert_eq!((noted(&prefixes), prefixes.next()), (vec![(4, "c")], Some((4, 0))));
        prefixes.pass(None);
        assert!(prefixes.is_idle());
        prefixes.add(4, b"d", 4);
        assert_eq!(prefixes.next(), Some((4, 0)), "another walk begins");
    }

    #[test]
    fn a_walk_that_lost_its_place_goes_everywhere_again() {
        let mut prefixes = Prefixes::default();
        prefixes.add(0, b"aa", 1);
        prefixes.add(1, b"x", 2);
        prefixes.pass(Some(700));
        prefixes.add(0, b"b", 3);
        // The first goes, so another table is walked next.
        prefixes.add(0, b"a", 4);
        assert_eq!((noted(&prefixes), prefixes.next()), (vec![(1, "x"), (0, "b"), (0, "a")], Some((1, 0))));
        prefixes.pass(None);
        assert_eq!(prefixes.next(), Some((0, 0)));
        prefixes.pass(Some(800));
        prefixes.pass(None);
        prefixes.pass(Some(699));
        assert_eq!(noted(&prefixes), [(0, "b"), (0, "a")]);
        prefixes.pass(Some(700));
        assert!(prefixes.is_idle());
    }

    #[test]
    fn a_note_never_counts_on_a_walk_before_it() {
        // Whatever was noted, replaced or forgotten before: an entry at hash 0 is passed after the note was made.
        for (before, is_forgotten) in [("aa", false), ("b", true), ("a", false)] {
            let mut prefixes = Prefixes::default();
            prefixes.add(0, before.as_bytes(), 1);
            prefixes.pass(Some(700));
            prefixes.add(1, b"x", 2);
            if is_forgotten {
                prefixes.forget(0);
            }
            prefixes.add(0, b"a", 3);
            prefixes.forget(1);
            let mut passed_zero = false;
            while prefixes.iter().any(|(_, prefix)| prefix == b"a") {
                let (_, from) = prefixes.next().expect("there is a note");
                passed_zero |= from == 0;
                prefixes.pass((from < 1_000).then_some(from + 300));
            }
            assert!(passed_zero, "{before}");
        }
    }
}
