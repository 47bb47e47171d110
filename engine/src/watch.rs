//! Keys of which somebody wants to know when they are changed: those of leases, and those that requests wait for.
//!
//! A watched key is reported once: a change that somebody asked for moves it from the watched keys to the touched ones,
//! where its owner fetches it after the op. Keys are kept in order, so that an op which concerns many of them (a flush, a
//! deletion by prefix) finds its own and reports them in an order that follows from the history alone. A shard without
//! watched keys pays one comparison an op.
//!
//! # Invariants
//! - `count` is the number of keys in `watched`.
//! - A touched key is not watched, unless it was watched again since.

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::key::{Db, Key};
use crate::limits::DATABASE_COUNT_MAX;
use crate::op::Op;

/// A key that was watched and is changed, or was asked to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Its database.
    pub db: Db,
    /// Its bytes.
    pub key: Box<[u8]>,
}

/// The watched keys of a shard.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// By database.
    watched: [BTreeSet<Box<[u8]>>; DATABASE_COUNT_MAX],
    count: usize,
    touched: Vec<Touched>,
}

impl Watch {
    /// Watches `key` until it is touched.
    pub(crate) fn insert(&mut self, key: Key<'_>) {
        self.count += usize::from(self.watched[place(key.db)].insert(Box::from(key.bytes)));
    }

    /// Watches `key` no more, and forgets that it was touched.
    pub(crate) fn remove(&mut self, key: Key<'_>) {
        self.count -= usize::from(self.watched[place(key.db)].remove(key.bytes));
        self.touched.retain(|touched| touched.db != key.db || *touched.key != *key.bytes);
    }

    /// Whether no key is watched.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.count == 0
    }

    /// Whether a key was touched since [`Watch::take`].
    #[inline]
    pub(crate) fn has_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// The keys that were touched since the last call, in order.
    pub(crate) fn take(&mut self) -> Vec<Touched> {
        std::mem::take(&mut self.touched)
    }

    /// Touches what a change that was carried out concerns.
    #[cold]
    pub(crate) fn note(&mut self, op: &Op<'_>) {
        match *op {
            Op::Put { key, .. }
            | Op::Splice { key, .. }
            | Op::Delete { key }
            | Op::Invalidate { key, .. }
            | Op::PutAbsent { key, .. }
            | Op::Lock { key, .. } => self.touch(key),
            Op::DeletePrefix { db, prefix } => self.touch_prefix(db, prefix),
            Op::Flush { db: Some(db) } => self.touch_prefix(db, b""),
            Op::Flush { db: None } => (0..DATABASE_COUNT_MAX).for_each(|db| self.touch_prefix(Db(db as u8), b"")),
            Op::Swap { first, second } => [first, second].into_iter().for_each(|db| self.touch_prefix(db, b"")),
            Op::SetExpiry { .. } => {}
        }
    }

    /// Touches one key.
    pub(crate) fn touch(&mut self, key: Key<'_>) {
        if let Some(bytes) = self.watched[place(key.db)].take(key.bytes) {
            self.count -= 1;
            self.touched.push(Touched { db: key.db, key: bytes });
        }
    }

    /// Touches every watched key of `db` that begins with `prefix`.
    fn touch_prefix(&mut self, db: Db, prefix: &[u8]) {
        let watched = &mut self.watched[place(db)];
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let keys: Vec<Box<[u8]>> =
            watched.range::<[u8], _>(from).take_while(|key| key.starts_with(prefix)).cloned().collect();
        for key in &keys {
            watched.remove(key);
        }
        self.count -= keys.len();
        self.touched.extend(keys.into_iter().map(|key| Touched { db, key }));
    }
}

fn place(db: Db) -> usize {
    usize::from(db.0)
}

#[cfg(test)]
mod tests {
    use crate::{Db, ExpiryChange, FlagsChange, Key, Millis, Op, Refusal, Shard, ShardOptions, Touched, Value};

    const NOW: Millis = Millis(1_000_000);

    fn shard() -> Shard {
        Shard::new(ShardOptions::default()).expect("a shard needs address space")
    }

    fn watched(shard: &mut Shard, keys: &[(u8, &str)]) {
        for (db, key) in keys {
            shard.watch(shard.key(Db(*db), key.as_bytes()));
        }
    }

    fn touched(shard: &mut Shard) -> Vec<(u8, String)> {
        let is_any = shard.has_touched();
        let touched = shard.take_touched().into_iter();
        let touched: Vec<_> =
            touched.map(|Touched { db, key }| (db.0, String::from_utf8_lossy(&key).into_owned())).collect();
        assert!(is_any != touched.is_empty() && !shard.has_touched());
        touched
    }

    fn put(key: Key<'_>) -> Op<'_> {
        let value = Value::Bytes(b"value");
        Op::Put { key, value, expiry: ExpiryChange::Clear, client_flags: FlagsChange::Keep }
    }

    #[test]
    fn a_change_of_the_value_touches_and_one_of_the_time_does_not() {
        fn check(name: &str, exists: bool, op: impl for<'a> Fn(Key<'a>) -> Op<'a>, is_touched: bool) {
            let mut shard = shard();
            let key = shard.key(Db(1), b"key");
            if exists {
                shard.apply(put(key), NOW).expect("there is room");
            }
            watched(&mut shard, &[(1, "key"), (0, "key"), (1, "key2")]);
            shard.apply(op(key), NOW).expect("it is allowed");
            assert_eq!(touched(&mut shard), vec![(1, "key".to_owned()); usize::from(is_touched)], "{name}");
        }
        check("put", false, put, true);
        check("put over", true, put, true);
        check("splice", true, |key| Op::Splice { key, offset: 1, bytes: b"x" }, true);
        check("delete", true, |key| Op::Delete { key }, true);
        check("delete of nothing", false, |key| Op::Delete { key }, true);
        check("invalidate", true, |key| Op::Invalidate { key, expiry: ExpiryChange::Keep }, true);
        check("set expiry", true, |key| Op::SetExpiry { key, expiry: Some(Millis(NOW.0 + 1)) }, false);
        check("an expiry that is over", true, |key| Op::SetExpiry { key, expiry: Some(NOW) }, true);
        check("set expiry of nothing", false, |key| Op::SetExpiry { key, expiry: Some(NOW) }, false);
    }

    #[test]
    fn another_end_of_a_lock_touches_it() {
        let mut shard = shard();
        let key = shard.key(Db(0), b"lock");
        shard.apply(Op::Lock { key, token: 7, expiry: Millis(NOW.0 + 1_000) }, NOW).expect("there is room");
        watched(&mut shard, &[(0, "lock")]);
        shard.apply(Op::SetExpiry { key, expiry: Some(Millis(NOW.0 + 1)) }, NOW).expect("it is allowed");
        assert_eq!(touched(&mut shard), [(0, "lock".to_owned())]);
    }

    #[test]
    fn a_touched_key_is_watched_no_more() {
        let mut shard = shard();
        watched(&mut shard, &[(0, "a"), (0, "a"), (0, "b")]);
        for name in [b"b", b"a", b"b"] {
            let key = shard.key(Db(0), name);
            shard.apply(Op::Delete { key }, NOW).expect("a delete is never refused");
        }
        assert_eq!(touched(&mut shard), [(0, "b".to_owned()), (0, "a".to_owned())], "in order, each once");
        let key = shard.key(Db(0), b"a");
        shard.apply(put(key), NOW).expect("there is room");
        assert_eq!(touched(&mut shard), []);
    }

    #[test]
    fn to_unwatch_a_key_forgets_that_it_was_touched() {
        let mut shard = shard();
        watched(&mut shard, &[(0, "a"), (1, "a"), (0, "b")]);
        for (db, name) in [(0, b"a"), (1, b"a")] {
            let key = shard.key(Db(db), name);
            shard.apply(put(key), NOW).expect("there is room");
        }
        shard.unwatch(shard.key(Db(0), b"a"));
        shard.unwatch(shard.key(Db(0), b"b"));
        shard.apply(put(shard.key(Db(0), b"b")), NOW).expect("there is room");
        assert_eq!(touched(&mut shard), [(1, "a".to_owned())]);
    }

    #[test]
    fn what_concerns_many_keys_touches_all_of_them() {
        let all = [(0, "aa"), (0, "ab"), (0, "b"), (2, "a"), (3, "c")];
        let check = |op: Op<'_>, expected: &[usize]| {
            let mut shard = shard();
            watched(&mut shard, &all);
            shard.apply(op, NOW).expect("it is allowed");
            let expected: Vec<_> = expected.iter().map(|index| (all[*index].0, all[*index].1.to_owned())).collect();
            assert_eq!(touched(&mut shard), expected, "{op:?}");
        };
        check(Op::Flush { db: None }, &[0, 1, 2, 3, 4]);
        check(Op::Flush { db: Some(Db(0)) }, &[0, 1, 2]);
        check(Op::Flush { db: Some(Db(1)) }, &[]);
        check(Op::DeletePrefix { db: Db(0), prefix: b"a" }, &[0, 1]);
        check(Op::DeletePrefix { db: Db(0), prefix: b"ab" }, &[1]);
        check(Op::DeletePrefix { db: Db(1), prefix: b"a" }, &[]);
        check(Op::Swap { first: Db(2), second: Db(3) }, &[3, 4]);
        check(Op::Swap { first: Db(1), second: Db(0) }, &[0, 1, 2]);
    }

    #[test]
    fn a_refused_change_touches_nothing() {
        let mut shard = shard();
        shard.reconfigure(ShardOptions { memory_bytes_max: 1, ..ShardOptions::default() });
        watched(&mut shard, &[(0, "a")]);
        let refused = shard.apply(put(shard.key(Db(0), b"a")), NOW);
        assert_eq!(refused, Err(Refusal::OutOfMemory { limit_bytes: 1 }));
        assert_eq!(touched(&mut shard), []);
    }
}
