//! How the keys of a prefix are deleted: see [`crate::prefixes`] for what is noted of them.

use super::Shard;
use super::contents::{Cause, Contents};
use crate::cell::Cell;
use crate::key::Db;
use crate::limits::{PREFIX_BYTES_MAX, PREFIX_COUNT_MAX, PREFIX_COUNT_REPLAY_MAX};
use crate::op::{Applied, Refusal};
use crate::wal::Body;

/// What was deleted in a table that has no more slots than this is removed on the spot.
const PURGE_AT_ONCE_MAX: usize = 256;
/// Slots whose cells are fetched side by side.
const BATCH_SLOTS: usize = 16;
/// Dead entries that such a batch has room for: a run of one hash goes beyond the slots.
const BATCH_ENTRIES: usize = 2 * BATCH_SLOTS;

impl Shard {
    /// Deletes what begins with `prefix`; `existed` says that the database is not empty.
    ///
    /// # Panics
    /// When the prefix is empty or longer than [`PREFIX_BYTES_MAX`].
    pub(super) fn delete_prefix(&mut self, db: Db, prefix: &[u8]) -> Result<Applied, Refusal> {
        assert!((1..=PREFIX_BYTES_MAX).contains(&prefix.len()), "a prefix has 1 to {PREFIX_BYTES_MAX} bytes");
        let contents = &mut self.contents;
        contents.journal.promise(prefix.len(), 0)?;
        let id = contents.databases.id(db);
        let count = contents.prefixes.count_with(id, prefix);
        if contents.journal.is_replaying() {
            if count > PREFIX_COUNT_REPLAY_MAX {
                contents.purge_all();
            }
        } else if count > PREFIX_COUNT_MAX {
            return Err(Refusal::TooManyPrefixes { count: contents.prefixes.iter().count() });
        }
        let lsn = contents.journal.note(&Body::DeletePrefix { db, prefix });
        let table = &contents.databases.physical(id).table;
        let (existed, is_small) = (!table.is_empty(), table.slot_count() <= PURGE_AT_ONCE_MAX);
        if existed {
            contents.prefixes.add(id, prefix, lsn);
        }
        if is_small && !contents.journal.is_replaying() {
            contents.purge(2 * PURGE_AT_ONCE_MAX);
        }
        Ok(Applied { existed, version: 0 })
    }
}

impl Contents {
    /// Whether the entry in `cell` was deleted by its prefix and only waits to be removed.
    #[inline]
    pub(super) fn is_dead(&self, cell: Cell) -> bool {
        !self.prefixes.is_idle() && self.is_covered(cell)
    }

    #[cold]
    fn is_covered(&self, cell: Cell) -> bool {
        let record = self.record(cell);
        self.prefixes.covers(record.header.table(), record.header.version(), record.key())
    }

    /// Removes entries that were deleted by their prefix, passing up to `steps` slots; returns how many steps are left.
    pub(super) fn purge(&mut self, mut steps: usize) -> usize {
        while steps > 0
            && let Some((id, from)) = self.prefixes.next()
        {
            let mut dead = [None; BATCH_ENTRIES];
            let mut count = 0;
            let passed = BATCH_SLOTS.min(steps);
            let table = &self.databases.physical(id).table;
            table.walk(from, passed, |_, cell| self.slab.prefetch(cell));
            let next = table.walk(from, passed, |_, cell| {
                if self.is_dead(cell) {
                    if let Some(place) = dead.get_mut(count) {
                        *place = Some(cell);
                    }
                    count += 1;
                }
            });
            for cell in dead.iter().flatten() {
                let found = self.find_cell(*cell);
                self.remove(found, Cause::Flushed);
            }
            // More entries of one hash than the batch holds: the rest comes next time.
            if count <= BATCH_ENTRIES {
                self.prefixes.pass(next);
            }
            steps -= passed;
        }
        steps
    }

    /// Removes all entries that were deleted by their prefix.
    pub(super) fn purge_all(&mut self) {
        while !self.prefixes.is_idle() {
            self.purge(usize::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ExpiryChange, FlagsChange, Millis, Op, Policy, ShardOptions, Touch, Value};

    const NOW: Millis = Millis(1_700_000_000_000);
    const COUNT: usize = 5_000;

    fn put(shard: &mut Shard, key: &str, value: &[u8], expiry: ExpiryChange) -> Applied {
        let key = shard.key(Db(0), key.as_bytes());
        let value = Value::Bytes(value);
        shard.apply(Op::Put { key, value, expiry, client_flags: FlagsChange::Set(0) }, NOW).expect("there is room")
    }

    fn delete(shard: &mut Shard, prefix: &str) -> Result<Applied, Refusal> {
        shard.apply(Op::DeletePrefix { db: Db(0), prefix: prefix.as_bytes() }, NOW)
    }

    fn has(shard: &Shard, key: &str) -> bool {
        shard.peek(shard.key(Db(0), key.as_bytes()), NOW).is_some()
    }

    /// A shard of `a:...`, `b:...` and `ab`.
    fn filled() -> Shard {
        let mut shard = Shard::new(ShardOptions::default()).expect("a shard needs address space");
        for number in 0..COUNT {
            let expiry = [ExpiryChange::Clear, ExpiryChange::At(Millis(NOW.0 + 10_000))][number % 2];
            put(&mut shard, &format!("a:{number}"), &[7; 300], expiry);
            put(&mut shard, &format!("b:{number}"), b"value", expiry);
        }
        put(&mut shard, "ab", b"value", ExpiryChange::Clear);
        shard
    }

    fn shown(shard: &Shard) -> Vec<String> {
        let mut keys = Vec::new();
        let mut from = Some(0);
        while let Some(hash) = from {
            from = shard.scan(Db(0), hash, 1_000, NOW, |entry| {
                keys.push(String::from_utf8(entry.key.to_vec()).expect("keys are text"));
            });
        }
        keys
    }

    #[test]
    fn nobody_sees_a_dead_key_while_the_purge_goes_on() {
        let mut shard = filled();
        let before = shard.memory();
        assert_eq!(delete(&mut shard, "a:"), Ok(Applied { existed: true, version: 0 }));
        let mut turn = 0;
        while shard.prefixes().count() > 0 {
            assert!(turn < COUNT * 4, "the purge comes to an end");
            let name = format!("a:{}", turn * 7 % COUNT);
            let key = shard.key(Db(0), name.as_bytes());
            assert!(shard.peek(key, NOW).is_none(), "{name}");
            if turn % 3 == 0 {
                assert!(shard.get(key, NOW, Touch::Count).is_none(), "{name}");
                assert!(!shard.apply(Op::Delete { key }, NOW).expect("there is room").existed, "{name}");
            }
            let random =
                shard.random(Db(0), (turn as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15), NOW).expect("others are there");
            assert!(!random.key.starts_with(b"a:"));
            if turn % 50 == 0 {
                let mut keys = shown(&shard);
                assert_eq!(keys.len(), COUNT + 1);
                keys.retain(|key| key.starts_with("a:"));
                assert!(keys.is_empty(), "{keys:?}");
                shard.check();
            }
            let more = shard.work(NOW, 40);
            assert!(more || shard.prefixes().count() == 0, "more is waiting");
            turn += 1;
        }
        assert!(turn > 100, "it took its time: {turn} turns");
        assert!(shard.len(Db(0)) == COUNT as u64 + 1 && has(&shard, "ab") && has(&shard, "b:1"));
        while shard.work(NOW, 1_000) {}
        let after = shard.memory();
        let least = (COUNT * 300) as u64;
        assert!(before.cells - after.cells >= least, "{before:?} {after:?}");
        assert!(before.slab - after.slab >= least, "{before:?} {after:?}");
        assert_eq!(shard.stats().expired + shard.stats().evicted, 0, "they were deleted");
        shard.check();
    }

    #[test]
    fn what_is_written_after_it_stays() {
        let mut shard = filled();
        delete(&mut shard, "a:").expect("there is room");
        assert!(!put(&mut shard, "a:1", b"new", ExpiryChange::Keep).existed, "nobody sees what was there");
        let key = shard.key(Db(0), b"a:2");
        let applied = shard.apply(Op::Splice { key, offset: 1, bytes: b"x" }, NOW).expect("there is room");
        assert!(!applied.existed);
        shard.work(NOW, 100);
        put(&mut shard, "a:new", b"new", ExpiryChange::Clear);
        while shard.work(NOW, 100) {}
        let mut left = shown(&shard);
        left.retain(|key| key.starts_with("a:"));
        left.sort_unstable();
        assert_eq!(left, ["a:1", "a:2", "a:new"]);
        let entry = shard.peek(key, NOW).expect("it was written");
        assert_eq!(entry.value, Value::Bytes(b"\0x"));
        assert_eq!(shard.peek(shard.key(Db(0), b"a:1"), NOW).expect("it was written").expiry, None);
        shard.check();
    }

    #[test]
    fn a_swap_takes_the_dead_along_and_a_flush_forgets_them() {
        let mut shard = filled();
        delete(&mut shard, "a:").expect("there is room");
        shard.apply(Op::Swap { first: Db(0), second: Db(3) }, NOW).expect("there is room");
        put(&mut shard, "a:1", b"of another database", ExpiryChange::Clear);
        let pending: Vec<_> = shard.prefixes().map(|pending| (pending.db, pending.prefix.to_vec())).collect();
        assert_eq!(pending, [(Db(3), b"a:".to_vec())]);
        assert!(shard.peek(shard.key(Db(3), b"a:1"), NOW).is_none() && has(&shard, "a:1"));
        shard.apply(Op::Flush { db: Some(Db(3)) }, NOW).expect("there is room");
        assert_eq!(shard.prefixes().count(), 0);
        shard.check();
        assert!(has(&shard, "a:1"));
        while shard.work(NOW, 100) {}
        assert_eq!((shard.len(Db(0)), shard.len(Db(3))), (1, 0));
        shard.check();
    }

    #[test]
    fn one_more_than_there_may_be_is_refused_until_some_are_done() {
        let mut shard = filled();
        for number in 0..PREFIX_COUNT_MAX {
            delete(&mut shard, &format!("a:{number}")).expect("there is room");
        }
        assert_eq!(delete(&mut shard, "b:"), Err(Refusal::TooManyPrefixes { count: PREFIX_COUNT_MAX }));
        assert!(has(&shard, "b:1") && !has(&shard, "a:1") && has(&shard, "a:8"));
        delete(&mut shard, "a:").expect("it replaces the others");
        assert_eq!(shard.prefixes().count(), 1);
        delete(&mut shard, "b:").expect("there is room");
        assert_eq!(shown(&shard), ["ab"]);
        while shard.work(NOW, 100) {}
        assert_eq!(shard.len(Db(0)), 1);
        shard.check();
    }

    #[test]
    fn of_a_small_database_nothing_is_left_for_later() {
        let mut shard = Shard::new(ShardOptions::default()).expect("a shard needs address space");
        assert_eq!(delete(&mut shard, "a"), Ok(Applied::default()));
        for number in 0..100 {
            put(&mut shard, &format!("a:{number}"), b"value", ExpiryChange::Clear);
        }
        assert!(delete(&mut shard, "a:1").expect("there is room").existed);
        assert_eq!((shard.prefixes().count(), shard.len(Db(0))), (0, 89));
        shard.check();
    }

    #[test]
    fn dead_entries_that_end_or_are_evicted_count_as_neither() {
        let mut shard = filled();
        delete(&mut shard, "a:").expect("there is room");
        let used = shard.memory().used;
        let options =
            ShardOptions { policy: Policy::AllkeysRandom, memory_bytes_max: used / 2, ..ShardOptions::default() };
        shard.reconfigure(options);
        shard.reserve(1 << 16, NOW).expect("there is a lot to evict");
        shard.check();
        let left = shown(&shard).len() as u64;
        assert_eq!(left + shard.stats().evicted, COUNT as u64 + 1, "only what somebody can miss is counted");
        let mut shard = filled();
        delete(&mut shard, "a:").expect("there is room");
        shard.work(Millis(NOW.0 + 20_000), 3 * COUNT);
        assert!(shard.stats().expired <= COUNT as u64 / 2, "{:?}", shard.stats());
        shard.check();
    }
}
