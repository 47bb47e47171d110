//! What a shard held after each of its changes, to be compared with what came back.

use std::collections::{HashMap, HashSet};

use rapidhash::v3::rapidhash_v3;

use crate::key::Db;
use crate::lsn::Lsn;
use crate::snapshot::Item;
use crate::{Shard, Value};

/// Table slots looked at between two calls of a scan.
const SCAN_SLOTS: usize = 4096;

/// An entry, as far as two can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) version: u64,
    /// Of everything else.
    pub(super) digest: u64,
}

/// The entries of a shard by database and key, those whose time is over too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State(pub(super) HashMap<Vec<u8>, Seen>);

/// What a change did to one key; `None` for an entry that is gone.
type Difference = (Vec<u8>, Option<Seen>);

/// Changes that happened at once, as far as a client can tell.
struct Step {
    /// The number of the last of them.
    last: Lsn,
    /// All of them come back, or none.
    is_group: bool,
    differences: Vec<Difference>,
}

/// The states of one shard in one life.
pub(super) struct History {
    base: Lsn,
    first: State,
    now: State,
    steps: Vec<Step>,
    unlogged_count: u64,
    /// Keys that went without a record, because the log had no room: they may be back.
    unlogged: HashSet<Vec<u8>>,
}

impl History {
    /// The history of `shard` from now on.
    pub(super) fn new(shard: &Shard) -> History {
        let first = state(shard);
        History {
            base: shard.last_lsn(),
            now: first.clone(),
            first,
            steps: Vec::new(),
            unlogged_count: shard.unlogged_removal_count(),
            unlogged: HashSet::new(),
        }
    }

    /// The number of the last change before this history.
    pub(super) fn base(&self) -> Lsn {
        self.base
    }

    /// The number of the last change in it.
    pub(super) fn last(&self) -> Lsn {
        self.steps.last().map_or(self.base, |step| step.last)
    }

    /// Notes what became different in `shard`.
    pub(super) fn note(&mut self, shard: &Shard, is_group: bool) {
        let last = shard.last_lsn();
        let unlogged_count = shard.unlogged_removal_count();
        if last == self.last() && unlogged_count == self.unlogged_count {
            return;
        }
        let mut differences = Vec::new();
        let mut count = 0;
        let mut name = Vec::new();
        each(shard, |db, entry| {
            name_into(&mut name, db, entry.key);
            count += 1;
            let before = self.now.0.get(&name);
            // A version stands for all that an entry is.
            if before.is_none_or(|before| before.version != entry.version) {
                differences.push((name.clone(), Some(seen(entry))));
            }
        });
        let added = differences.iter().filter(|(name, _)| !self.now.0.contains_key(name)).count();
        if self.now.0.len() + added != count {
            let there = state(shard);
            let gone = self.now.0.keys().filter(|name| !there.0.contains_key(*name));
            differences.extend(gone.map(|name| (name.clone(), None)));
        }
        self.now.apply(&differences);
        if unlogged_count != self.unlogged_count {
            self.unlogged_count = unlogged_count;
            let gone = differences.iter().filter(|(_, after)| after.is_none());
            self.unlogged.extend(gone.map(|(name, _)| name[1..].to_vec()));
        }
        self.steps.push(Step { last, is_group, differences });
    }

    /// Asserts that `found` is what the shard held when `lsn` was its last change.
    ///
    /// # Panics
    /// When it is not.
    pub(super) fn check(&self, lsn: Lsn, found: &State) {
        assert!(lsn >= self.base, "change {} came back, which is before this life's {}", lsn.0, self.base.0);
        assert!(lsn <= self.last(), "change {} came back, and the last was {}", lsn.0, self.last().0);
        let mut expected = self.first.clone();
        let mut steps = self.steps.iter();
        let mut within = None;
        for step in steps.by_ref() {
            if step.last > lsn {
                within = Some(step);
                break;
            }
            expected.apply(&step.differences);
        }
        let done = self.steps.iter().rev().map(|step| step.last).find(|last| *last <= lsn).unwrap_or(self.base);
        if done == lsn {
            self.assert_is(found, &expected, lsn);
            return;
        }
        let step = within.expect("the number is before the last");
        assert!(!step.is_group, "change {} came back, which is in the middle of a group", lsn.0);
        // Of several changes at once some came back: each key is as it was before or after.
        for (name, after) in &step.differences {
            let before = expected.0.get(name).copied();
            let is = found.0.get(name).copied();
            // What was over goes before something new comes.
            let is_either = is == before || is == *after || is.is_none();
            assert!(is_either, "{} is neither as before nor as after", show(name));
            match is {
                Some(seen) => drop(expected.0.insert(name.clone(), seen)),
                None => drop(expected.0.remove(name)),
            }
        }
        self.assert_is(found, &expected, lsn);
    }

    fn assert_is(&self, found: &State, expected: &State, lsn: Lsn) {
        if found == expected {
            return;
        }
        for (name, seen) in &expected.0 {
            let found = found.0.get(name);
            assert!(found == Some(seen), "after change {}: {} was {seen:?} and is {found:?}", lsn.0, show(name));
        }
        for (name, found) in &found.0 {
            let may_be = expected.0.contains_key(name) || self.unlogged.contains(&name[1..]);
            assert!(may_be, "after change {}: {} is back: {found:?}", lsn.0, show(name));
        }
    }
}

impl State {
    fn apply(&mut self, differences: &[Difference]) {
        for (name, after) in differences {
            match after {
                Some(seen) => drop(self.0.insert(name.clone(), *seen)),
                None => drop(self.0.remove(name)),
            }
        }
    }
}

/// What a shard holds.
pub(super) fn state(shard: &Shard) -> State {
    let mut state = State::default();
    each(shard, |db, entry| {
        let mut name = Vec::new();
        name_into(&mut name, db, entry.key);
        let twin = state.0.insert(name, seen(entry));
        assert!(twin.is_none(), "a key is there once");
    });
    state
}

/// Database and key, as the states keep them.
fn name_into(name: &mut Vec<u8>, db: Db, key: &[u8]) {
    name.clear();
    name.push(db.0);
    name.extend_from_slice(key);
}

fn show(name: &[u8]) -> String {
    format!("key {:?} of database {}", String::from_utf8_lossy(&name[1..]), name[0])
}

fn each(shard: &Shard, mut each: impl FnMut(Db, &Item<'_>)) {
    for db in (0..shard.options().database_count).map(Db) {
        let mut next = Some(0);
        while let Some(from) = next {
            next = shard.scan_items(db, from, SCAN_SLOTS, |item| each(db, item));
        }
    }
}

fn seen(item: &Item<'_>) -> Seen {
    let value = match item.value {
        Value::Bytes(bytes) => rapidhash_v3(bytes),
        Value::Integer(integer) => rapidhash_v3(&integer.to_le_bytes()) ^ 1,
    };
    let Item { form, encoding, expiry, grace, client_flags, is_stale, .. } = *item;
    let rest = format!("{form:?} {encoding:?} {expiry:?} {grace:?} {client_flags} {is_stale} {value}");
    Seen { version: item.version, digest: rapidhash_v3(rest.as_bytes()) }
}
