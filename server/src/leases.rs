//! Who is to make a value: the leases of a shard, of which a key has one at most.
//!
//! Of all who ask for a value that is missing, over, out of date or soon over, one gets the lease of its key and makes the
//! value; the others wait, or are served what there is. A lease is worth something only while the key is as its holder
//! found it: whoever changes the key ends it, so that nothing is stored that was made of older data.
//!
//! | term | given by | ends, besides by a change of its key |
//! |---|---|---|
//! | [`Term::Held`] | `GETL` | at an instant; when its holder gives it up or disconnects |
//! | [`Term::Open`] | `W` of `mg` | never: memcached's clients neither say how long they take, nor that they are done |
//!
//! This file only keeps the books. The shard watches each key that has a lease; who is told when one ends, is the business
//! of [`command/lease.rs`](crate::command::lease). Leases are not durable. When there are more than are kept, the oldest
//! goes: a value is then made twice, never not at all.
//!
//! ```text
//! by_name    (db, key) ─▶ serial ─▶ kept: name, lease        in the order of their beginnings
//! by_holder  { (holder, serial) }                            of those that are held
//! ends       { (ends, serial) }                              of those that are held
//! ```
//!
//! Invariants:
//! - `by_name` names each lease that is kept; `by_holder` and `ends` have each that is held, and nothing else.
//! - `key_bytes` is the sum of the lengths of their keys.
//! - There are at most [`LEASE_COUNT_MAX`] leases with at most [`LEASE_KEY_BYTES_MAX`] bytes of keys.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use locksley_engine::limits::KEY_BYTES_MAX;
use locksley_engine::{Db, Millis};

use crate::client::ClientId;
use crate::limits::{LEASE_COUNT_MAX, LEASE_KEY_BYTES_MAX};
use crate::name::{Name, NameRef};

/// Leases whose time is over that are forgotten at the beginning of another: two, so that they become fewer.
const FORGOTTEN_COUNT: usize = 2;

// Any one key fits.
const _: () = assert!(KEY_BYTES_MAX <= LEASE_KEY_BYTES_MAX);

/// The right to make a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// By which its holder shows that it has it: random, 1 to 2^63 - 1.
    pub token: u64,
    /// When it was given.
    pub began: Millis,
    /// For how long.
    pub term: Term,
}

/// For how long a lease is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Term {
    /// To a client, until an instant.
    Held {
        /// Which client.
        holder: ClientId,
        /// The instant.
        ends: Millis,
    },
    /// To somebody, until the key changes.
    Open(Won),
}

/// What somebody has won who reads by `mg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Won {
    /// The renewal of a value.
    Value,
    /// A stub, which a miss made so that there is something to win.
    Stub,
}

impl Lease {
    /// When it ends if nothing happens before.
    pub(crate) fn ends(&self) -> Option<Millis> {
        match self.term {
            Term::Held { ends, .. } => Some(ends),
            Term::Open(_) => None,
        }
    }

    /// Whether its time is over at `now`.
    pub(crate) fn is_over(&self, now: Millis) -> bool {
        self.ends().is_some_and(|ends| ends <= now)
    }
}

#[derive(Debug)]
struct Kept {
    name: Name,
    lease: Lease,
}

/// The leases of one shard.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    by_name: HashMap<Name, u64>,
    kept: BTreeMap<u64, Kept>,
    by_holder: BTreeSet<(ClientId, u64)>,
    ends: BTreeSet<(Millis, u64)>,
    key_bytes: usize,
    serial_next: u64,
}

impl Leases {
    /// Leases whose time is not over at `now`.
    pub(crate) fn live_count(&self, now: Millis) -> usize {
        self.kept.len() - self.ends.range(..=(now, u64::MAX)).count()
    }

    /// Whether a lease of this key is kept.
    pub(crate) fn has(&self, db: Db, key: &[u8]) -> bool {
        self.serial(db, key).is_some()
    }

    /// The lease of this key whose time is not over at `now`.
    #[inline]
    pub(crate) fn live(&self, db: Db, key: &[u8], now: Millis) -> Option<Lease> {
        let lease = self.kept[&self.serial(db, key)?].lease;
        (!lease.is_over(now)).then_some(lease)
    }

    /// Keeps a lease that begins at `now`, in place of the one that the key has. Calls `each_dropped` with the keys of
    /// others that went: their time was over, or there are too many.
    ///
    /// # Panics
    /// When the key is longer than keys are.
    pub(crate) fn begin(
        &mut self,
        db: Db,
        key: &[u8],
        lease: Lease,
        now: Millis,
        mut each_dropped: impl FnMut(Db, &[u8]),
    ) {
        assert!(key.len() <= KEY_BYTES_MAX, "an entry's key has a bound");
        self.end(db, key);
        for _ in 0..FORGOTTEN_COUNT {
            let Some((_, serial)) = self.ends.first().copied().filter(|(ends, _)| *ends <= now) else { break };
            let Name { db, key } = self.remove(serial).name;
            each_dropped(db, &key);
        }
        while self.kept.len() >= LEASE_COUNT_MAX || self.key_bytes + key.len() > LEASE_KEY_BYTES_MAX {
            let oldest = *self.kept.first_key_value().expect("nothing at all is within the bounds").0;
            let Name { db, key } = self.remove(oldest).name;
            each_dropped(db, &key);
        }
        let serial = self.serial_next;
        self.serial_next += 1;
        let name = Name { db, key: Box::from(key) };
        if let Term::Held { holder, ends } = lease.term {
            self.by_holder.insert((holder, serial));
            self.ends.insert((ends, serial));
        }
        self.key_bytes += key.len();
        self.by_name.insert(name.clone(), serial);
        self.kept.insert(serial, Kept { name, lease });
    }

    /// Ends the lease of a key, if there is one: it is given up, used, or worth nothing any more.
    pub(crate) fn end(&mut self, db: Db, key: &[u8]) -> Option<Lease> {
        let serial = self.serial(db, key)?;
        Some(self.remove(serial).lease)
    }

    /// Ends all leases of a client that is gone, and calls `each` with their keys.
    pub(crate) fn drop_holder(&mut self, holder: ClientId, mut each: impl FnMut(Db, &[u8])) {
        while let Some((_, serial)) = self.by_holder.range((holder, 0)..=(holder, u64::MAX)).next().copied() {
            let Name { db, key } = self.remove(serial).name;
            each(db, &key);
        }
    }

    /// The clock was set back by `by_ms`: ends and beginnings go with it, so that no lease lasts longer than it was to.
    #[cold]
    pub(crate) fn set_back(&mut self, by_ms: u64) {
        let back = |at: Millis| Millis(at.0.saturating_sub(by_ms));
        self.ends = self.ends.iter().map(|(ends, serial)| (back(*ends), *serial)).collect();
        for Kept { lease, .. } in self.kept.values_mut() {
            lease.began = back(lease.began);
            if let Term::Held { ends, .. } = &mut lease.term {
                *ends = back(*ends);
            }
        }
    }

    #[inline]
    fn serial(&self, db: Db, key: &[u8]) -> Option<u64> {
        if self.by_name.is_empty() { None } else { self.by_name.get(&NameRef { db, key }).copied() }
    }

    fn remove(&mut self, serial: u64) -> Kept {
        let kept = self.kept.remove(&serial).expect("what is named is kept");
        let named = self.by_name.remove(&kept.name);
        assert_eq!(named, Some(serial), "what is kept is named");
        if let Term::Held { holder, ends } = kept.lease.term {
            let was_held = self.by_holder.remove(&(holder, serial));
            let had_end = self.ends.remove(&(ends, serial));
            assert!(was_held && had_end, "what is held is known by its holder and its end");
        }
        self.key_bytes -= kept.name.key.len();
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DB: Db = Db(0);

    fn held(token: u64, holder: u64, ends: u64) -> Lease {
        Lease { token, began: Millis(0), term: Term::Held { holder: ClientId(holder), ends: Millis(ends) } }
    }

    fn open(token: u64) -> Lease {
        Lease { token, began: Millis(0), term: Term::Open(Won::Value) }
    }

    /// Keeps a lease; the keys of those that went for it.
    fn begin(leases: &mut Leases, key: &[u8], lease: Lease, now: u64) -> Vec<Vec<u8>> {
        let mut dropped = Vec::new();
        leases.begin(DB, key, lease, Millis(now), |_, key| dropped.push(key.to_vec()));
        dropped
    }

    fn is_empty(leases: &Leases) -> bool {
        let Leases { by_name, kept, by_holder, ends, key_bytes, .. } = leases;
        by_name.is_empty() && kept.is_empty() && by_holder.is_empty() && ends.is_empty() && *key_bytes == 0
    }

    #[test]
    fn a_key_of_a_database_has_one_lease_until_its_time_is_over() {
        let mut leases = Leases::default();
        begin(&mut leases, b"k", held(1, 7, 100), 0);
        assert_eq!(leases.live(DB, b"k", Millis(99)), Some(held(1, 7, 100)));
        assert_eq!(leases.live(DB, b"k", Millis(100)), None);
        assert_eq!(leases.live(Db(1), b"k", Millis(0)), None);
        assert!(leases.has(DB, b"k") && !leases.has(Db(1), b"k"));
        assert_eq!((leases.live_count(Millis(99)), leases.live_count(Millis(100))), (1, 0));
        begin(&mut leases, b"k", open(2), 50);
        assert_eq!(leases.live(DB, b"k", Millis(u64::MAX)), Some(open(2)));
        assert_eq!(leases.end(DB, b"k"), Some(open(2)));
        assert_eq!(leases.end(DB, b"k"), None);
        assert!(is_empty(&leases));
    }

    #[test]
    fn a_holder_that_goes_takes_its_leases_with_it() {
        let mut leases = Leases::default();
        for (key, lease) in [(b"a", held(1, 7, 100)), (b"b", held(2, 8, 100)), (b"c", held(3, 7, 50)), (b"d", open(4))]
        {
            begin(&mut leases, key, lease, 0);
        }
        let mut dropped = Vec::new();
        leases.drop_holder(ClientId(7), |_, key| dropped.push(key.to_vec()));
        assert_eq!(dropped, [b"a", b"c"]);
        leases.drop_holder(ClientId(7), |_, key| panic!("{key:?} went before"));
        assert_eq!(leases.kept.len(), 2);
        leases.drop_holder(ClientId(8), |_, _| {});
        leases.end(DB, b"d");
        assert!(is_empty(&leases));
    }

    #[test]
    fn a_lease_goes_back_with_the_clock() {
        let mut leases = Leases::default();
        let lease = Lease { began: Millis(1_000), ..held(1, 7, 1_100) };
        begin(&mut leases, b"k", lease, 1_000);
        leases.set_back(900);
        let term = Term::Held { holder: ClientId(7), ends: Millis(200) };
        assert_eq!(leases.live(DB, b"k", Millis(199)), Some(Lease { token: 1, began: Millis(100), term }));
        assert_eq!(leases.live(DB, b"k", Millis(200)), None);
        leases.end(DB, b"k");
        assert!(is_empty(&leases));
    }

    #[test]
    fn those_whose_time_is_over_are_forgotten_by_and_by() {
        let mut leases = Leases::default();
        for (key, ends) in [(b"a", 10), (b"b", 20), (b"c", 30), (b"d", 40)] {
            begin(&mut leases, key, held(1, 7, ends), 0);
        }
        assert_eq!(begin(&mut leases, b"e", held(1, 7, 90), 35), [b"a", b"b"]);
        assert_eq!(begin(&mut leases, b"e", held(1, 7, 90), 35), [b"c"]);
        assert_eq!(leases.kept.len(), 2);
    }

    #[test]
    fn the_oldest_lease_goes_where_there_are_too_many() {
        let mut leases = Leases::default();
        for number in 0..LEASE_COUNT_MAX as u64 {
            assert!(begin(&mut leases, &number.to_le_bytes(), open(number + 1), 0).is_empty());
        }
        // One that takes the place of its key's pushes none out, and is the newest then.
        assert!(begin(&mut leases, &0u64.to_le_bytes(), open(1), 0).is_empty());
        assert_eq!(begin(&mut leases, b"k", open(1), 0), [1u64.to_le_bytes()]);
        assert_eq!(leases.kept.len(), LEASE_COUNT_MAX);
    }

    #[test]
    fn long_keys_count_by_their_length() {
        let mut leases = Leases::default();
        let long_count = LEASE_KEY_BYTES_MAX / KEY_BYTES_MAX;
        for number in 0..long_count {
            assert!(begin(&mut leases, &vec![number as u8; KEY_BYTES_MAX], open(1), 0).is_empty());
        }
        assert!(begin(&mut leases, b"", open(1), 0).is_empty());
        assert_eq!(begin(&mut leases, b"k", open(1), 0), [vec![0; KEY_BYTES_MAX]]);
        assert_eq!(leases.kept.len(), long_count + 1);
    }
}
