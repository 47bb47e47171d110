//! The model: a shard and a plain map go through the same history and must agree at every step.
//!
//! Histories are drawn from [`Choices`], which a seed or the bytes of a fuzzer supply, so the same code is a
//! random test and a fuzz target. Everything a shard can do is drawn: all ops, reads, scans that go on while
//! the table changes, background work in small bites, flushes and swaps, other policies and limits, the clock
//! going forward by little and by much, and backwards, and snapshots that are taken meanwhile (`model/snapshots.rs`).
//!
//! What the model cannot know it accepts, once: an entry may be missing if there is a memory limit (then the
//! eviction counter must account for it) or if its time was over at some instant before the clock was set
//! back (then it may have been removed or not). An entry that is there must be right in every part.

mod choices;
mod expected;
mod snapshots;

use std::collections::{BTreeMap, BTreeSet};

pub use choices::{Choices, Seeded, Tape};
use expected::{
    Expected, Kept, canonical, changed_ending, compare, compare_shown, fresh_until, is_shown, is_there, text,
    value_bytes,
};

use crate::limits::{KEY_BYTES_MAX, PREFIX_COUNT_MAX, VALUE_BYTES_MAX};
use crate::{
    Applied, Db, ExpiryChange, FlagsChange, Form, Grace, Look, Millis, Op, Policy, Refusal, SIZE_BIN_COUNT, Shard,
    ShardOptions, ShardStats, Touch, Value,
};

/// How far one write may go beyond the limit: by what tables, wheel and queues grow by at once.
const GROWTH_BYTES_MAX: u64 = 256 << 10;

/// A scan that goes on while other things happen.
struct Sweep {
    db: Db,
    from: u32,
    /// Keys present since it began.
    must: BTreeSet<Vec<u8>>,
    shown: BTreeSet<Vec<u8>>,
}

/// A shard with the map it must agree with.
pub struct Model {
    shard: Shard,
    databases: Vec<BTreeMap<Vec<u8>, Expected>>,
    now: u64,
    /// The latest instant the shard has been told.
    latest: u64,
    key_count: u64,
    value_bytes_max: u64,
    is_limited: bool,
    missing_count: u64,
    version: u64,
    /// The highest fencing token of a lock.
    fence: u64,
    sweep: Option<Sweep>,
    /// The snapshot under way.
    taken: Option<snapshots::Taken>,
}

/// Runs one history of up to `steps` steps.
///
/// # Panics
/// When shard and model disagree.
pub fn run(choices: &mut impl Choices, steps: usize) {
    let mut model = Model::new(choices);
    for step in 0..steps {
        if choices.is_over() {
            break;
        }
        model.step(choices);
        if step % 64 == 0 {
            model.check();
        }
    }
    model.check();
}

impl Model {
    /// A model of a size, limit and policy that `choices` make.
    ///
    /// # Panics
    /// When no address space can be had.
    pub fn new(choices: &mut impl Choices) -> Model {
        let is_limited = choices.draw(2) == 1;
        let key_count = [8, 100, 3000, 100_000][choices.draw(4) as usize];
        let options = ShardOptions {
            memory_bytes_max: if is_limited { (1 << 20) + choices.draw(24 << 20) } else { 0 },
            policy: draw_policy(choices),
            database_count: 1 + choices.draw(4) as u8,
            seed: choices.draw(u64::MAX),
            ..ShardOptions::default()
        };
        let databases = vec![BTreeMap::new(); usize::from(options.database_count)];
        let now = 1_700_000_000_000 + choices.draw(1 << 30);
        Model {
            shard: Shard::new(options).expect("a shard needs address space"),
            databases,
            now,
            latest: now,
            key_count,
            value_bytes_max: [40, 2000, 300_000][choices.draw(3) as usize],
            is_limited,
            missing_count: 0,
            version: 0,
            fence: 0,
            sweep: None,
            taken: None,
        }
    }

    /// One step of the history.
    ///
    /// # Panics
    /// When shard and model disagree.
    pub fn step(&mut self, choices: &mut impl Choices) {
        let db = Db(choices.draw(self.databases.len() as u64) as u8);
        match choices.draw(128) {
            0..=29 => self.put(db, choices),
            30..=39 => self.splice(db, choices),
            40..=49 => self.delete(db, choices),
            50..=59 => self.set_expiry(db, choices),
            60..=71 => self.get(db, choices),
            72..=75 => self.fill(db, choices),
            76..=77 => self.empty(db, choices),
            78..=84 => self.pass_time(choices),
            85..=90 => {
                let steps = [0, 1, 7, 100, 5000][choices.draw(5) as usize];
                self.shard.work(Millis(self.now), steps);
            }
            91..=95 => self.sweep(db, choices),
            96 => self.pick(db, choices),
            97 => self.rearrange(db, choices),
            98 => self.reconfigure(choices),
            99 => self.reserve(choices),
            100..=107 => self.snapshot(choices),
            114..=115 => self.delete_prefix(db, choices),
            116..=119 => self.put_absent(db, choices),
            120..=123 => self.lock(db, choices),
            124..=127 => self.look(db, choices),
            _ => self.invalidate(db, choices),
        }
    }

    /// Compares everything.
    ///
    /// # Panics
    /// When shard and model disagree, or the shard with itself.
    pub fn check(&mut self) {
        self.shard.check();
        let now = Millis(self.now);
        for number in 0..self.databases.len() {
            let db = Db(number as u8);
            let mut shown = BTreeSet::new();
            let mut from = Some(0);
            while let Some(prefix) = from {
                let expected = &self.databases[number];
                from = self.shard.scan(db, prefix, 512, now, |entry| {
                    let kept = expected.get(entry.key).expect("only what was written is shown");
                    compare_shown(entry, kept, self.now);
                    assert!(shown.insert(entry.key.to_vec()), "an unchanged table shows each entry once");
                });
                assert!(from.is_none_or(|next| next > prefix), "a scan goes forward");
            }
            assert!(self.shard.len(db) >= shown.len() as u64);
            let live: Vec<Vec<u8>> = self.databases[number]
                .iter()
                .filter(|(key, kept)| is_shown(kept, self.now) && !shown.contains(*key))
                .map(|(key, _)| key.clone())
                .collect();
            for key in &live {
                self.accept_missing(db, key);
            }
            self.check_sizes(db);
            let expiring = self.databases[number].values().filter(|kept| kept.expiry.is_some()).count() as u64;
            let counted = self.shard.expiring(db, now).0;
            let is_purging = self.shard.prefixes().any(|pending| pending.db == db);
            assert!(counted <= expiring || is_purging, "{counted} entries of {expiring} expire");
        }
    }

    /// Compares the histogram of lengths with those of everything there is, what nobody sees any more included.
    fn check_sizes(&self, db: Db) {
        if self.shard.prefixes().any(|pending| pending.db == db) {
            return;
        }
        let mut lengths = [0; SIZE_BIN_COUNT];
        let mut from = Some(0);
        while let Some(prefix) = from {
            from = self.shard.scan_items(db, prefix, 512, |item| {
                if item.form == Form::String {
                    let length = match item.value {
                        Value::Bytes(bytes) => bytes.len(),
                        Value::Integer(integer) => integer.to_string().len(),
                    };
                    lengths[length.checked_ilog2().map_or(0, |power| power as usize + 1)] += 1;
                }
            });
        }
        assert_eq!(lengths, self.shard.string_sizes(db), "lengths of the strings of {db:?}");
    }

    fn put(&mut self, db: Db, choices: &mut impl Choices) {
        let name = self.draw_key(choices);
        let value = self.draw_value(choices);
        let expiry = self.draw_expiry_change(choices);
        let client_flags = match choices.draw(4) {
            0 => FlagsChange::Set(choices.draw(1 << 32) as u32),
            1 => FlagsChange::Keep,
            _ => FlagsChange::Set(0),
        };
        self.put_value(db, &name, &value, expiry, client_flags);
    }

    fn put_value(&mut self, db: Db, name: &[u8], value: &Kept, expiry: ExpiryChange, client_flags: FlagsChange) {
        let used_before = self.shard.memory().used;
        let before = self.reconcile(db, name);
        let key = self.shard.key(db, name);
        let given = match value {
            Kept::Bytes(bytes) => Value::Bytes(bytes),
            Kept::Integer(integer) => Value::Integer(*integer),
        };
        let result = self.shard.apply(Op::Put { key, value: given, expiry, client_flags }, Millis(self.now));
        let Some(applied) = self.accept_refusal(result, name, value_bytes(value)) else { return };
        assert_eq!(applied.existed, before.is_some(), "put says whether the key was there");
        let (used, limit) = (self.shard.memory().used, self.shard.options().memory_bytes_max);
        let allowed = used_before.max(limit) + GROWTH_BYTES_MAX;
        assert!(limit == 0 || used <= allowed, "{used} bytes are used, {used_before} before, of {limit}");
        let kept = before.as_ref().and_then(fresh_until);
        let (expiry, grace) = changed_ending(expiry, (kept, Grace::NONE));
        let client_flags = match client_flags {
            FlagsChange::Keep => before.as_ref().map_or(0, |before| before.client_flags),
            FlagsChange::Set(flags) => flags,
        };
        if expiry.is_some_and(|at| at <= self.now) {
            assert_eq!(applied.version, 0, "what is over at once has no version");
            self.forget(db, name);
        } else {
            let value = canonical(value);
            let version = applied.version;
            let nothing = Expected::nothing();
            let expected = Expected { value, spliced: false, expiry, grace, client_flags, version, ..nothing };
            self.keep(db, name, expected);
        }
        self.verify(db, name);
    }

    fn splice(&mut self, db: Db, choices: &mut impl Choices) {
        let name = self.draw_key(choices);
        let before = self.reconcile(db, &name);
        let old = before.as_ref().map_or(Vec::new(), |before| text(&before.value));
        let offset = match choices.draw(4) {
            0 => choices.draw(old.len() as u64 + 1),
            1 => choices.draw(old.len() as u64 + 300),
            _ => old.len() as u64,
        } as usize;
        let count_max = [10, 100, 5000][choices.draw(3) as usize];
        let count = choices.draw(count_max) as usize;
        let bytes: Vec<u8> = (0..count).map(|index| (index * 7 + offset) as u8).collect();
        let key = self.shard.key(db, &name);
        let result = self.shard.apply(Op::Splice { key, offset, bytes: &bytes }, Millis(self.now));
        let Some(applied) = self.accept_refusal(result, &name, offset + count) else { return };
        let base = if applied.existed {
            before.expect("splice says whether the key was there")
        } else {
            // Evicted to make room for its own growth: the splice came after.
            assert!(before.is_none() || self.is_limited, "splice says whether the key was there");
            self.missing_count += u64::from(before.is_some());
            Expected::nothing()
        };
        let mut value = text(&base.value);
        value.resize(value.len().max(offset + count), 0);
        value[offset..][..count].copy_from_slice(&bytes);
        let (value, version) = (Kept::Bytes(value), applied.version);
        let form = Form::String;
        self.keep(db, &name, Expected { form, value, spliced: true, was_read: false, version, ..base });
        self.verify(db, &name);
    }

    fn put_absent(&mut self, db: Db, choices: &mut impl Choices) {
        let name = self.draw_key(choices);
        let expiry = self.draw_expiry(choices);
        let before = self.reconcile(db, &name);
        let key = self.shard.key(db, &name);
        let result = self.shard.apply(Op::PutAbsent { key, expiry }, Millis(self.now));
        let Some(applied) = self.accept_refusal(result, &name, 0) else { return };
        assert_eq!(applied.existed, before.is_some(), "a note says whether the key was there");
        let expected = Expected { form: Form::Absent, spliced: false, ..Expected::nothing() };
        self.keep_until(db, &name, expiry, applied, expected);
    }

    fn lock(&mut self, db: Db, choices: &mut impl Choices) {
        let name = self.draw_key(choices);
        let expiry = self.draw_expiry(choices);
        let before = self.reconcile(db, &name);
        let token = self.shard.next_fence(Millis(self.now));
        assert!(token > self.fence && token >= self.now * 1_000, "tokens grow");
        let key = self.shard.key(db, &name);
        let result = self.shard.apply(Op::Lock { key, token, expiry }, Millis(self.now));
        let Some(applied) = self.accept_refusal(result, &name, 8) else { return };
        assert_eq!(applied.existed, before.is_some(), "a lock says whether the key was there");
        self.fence = token;
        let value = Kept::Integer(token as i64);
        let expected = Expected { form: Form::Lock, value, spliced: false, ..Expected::nothing() };
        self.keep_until(db, &name, expiry, applied, expected);
    }

    /// Keeps what was written until `expiry`, unless that is over.
    fn keep_until(&mut self, db: Db, name: &[u8], expiry: Millis, applied: Applied, expected: Expected) {
        if expiry.0 <= self.now {
            assert_eq!(applied.version, 0, "what is over at once has no version");
            self.forget(db, name);
        } else {
            self.keep(db, name, Expected { expiry: Some(expiry.0), version: applied.version, ..expected });
        }
        self.verify(db, name);
    }

    /// Looks at a key as those do who see more than values.
    fn look(&mut self, db: Db, choices: &mut impl Choices) {
        let name = self.draw_key(choices);
        let touch = [Touch::Count, Touch::CountOnly, Touch::Leave][choices.draw(3) as usize];
        self.reconcile(db, &name);
        let before = self.shard.stats();
        let expected = self.databases[usize::from(db.0)].get(&name).cloned();
        let key = self.shard.key(db, &name);
        let (is_hit, is_negative) = match self.shard.look(key, Millis(self.now), touch) {
            Look::Missing => {
                if expected.is_some_and(|expected| is_there(&expected, self.now)) {
                    self.accept_missing(db, &name);
                }
                (false, false)
            }
            Look::Absent { expiry } => {
                let expected = expected.expect("only what was written is there");
                assert!(expected.form == Form::Absent && is_there(&expected, self.now));
                assert_eq!(Some(expiry.0), expected.expiry);
                (false, true)
            }
            Look::Over(entry) => {
                let expected = expected.expect("only what was written is there");
                assert!(is_there(&expected, self.now) && !is_shown(&expected, self.now), "it is over, and not gone");
                compare(&entry, &expected);
                (false, false)
            }
            Look::Live(entry) => {
                compare_shown(&entry, &expected.expect("only what was written is there"), self.now);
                if touch == Touch::Count
                    && let Some(kept) = self.databases[usize::from(db.0)].get_mut(&name)
                {
                    kept.was_read = true;
                }
                (true, false)
            }
        };
        self.check_counted(touch, before, is_hit, is_negative);
    }

    /// Asserts that a read counted as it should.
    fn check_counted(&self, touch: Touch, before: ShardStats, is_hit: bool, is_negative: bool) {
        let after = self.shard.stats();
        let counted = u64::from(touch != Touch::Leave);
        assert_eq!(after.hits - before.hits, counted * u64::from(is_hit));
        assert_eq!(after.misses - before.misses, counted * u64::from(!is_hit));
        assert_eq!(after.negative_hits - before.negative_hits, counted * u64::from(is_negative));
    }

    fn delete(&mut self, db: Db, choices: &mut impl Choices) {
        let name = self.draw_key(choices);
        self.delete_key(db, &name);
    }

    fn delete_key(&mut self, db: Db, name: &[u8]) {
        let before = self.reconcile(db, name);
        let key = self.shard.key(db, name);
        let applied = self.shard.apply(Op::Delete { key }, Millis(self.now)).expect("a delete is never refused");
        assert_eq!(applied, Applied { existed: before.is_some(), version: 0 });
        self.forget(db, name);
        self.verify(db, name);
    }

    fn delete_prefix(&mut self, db: Db, choices: &mut impl Choices) {
        let name = key_bytes(choices.draw(self.key_count));
        let length = [1, 4, 5, 6, name.len()][choices.draw(5) as usize].clamp(1, name.len().max(1));
        let prefix = name.get(..length).unwrap_or(b"k");
        let had = self.shard.len(db) > 0;
        let pending = self.shard.prefixes().count();
        match self.shard.apply(Op::DeletePrefix { db, prefix }, Millis(self.now)) {
            Ok(applied) => assert_eq!(applied, Applied { existed: had, version: 0 }),
            Err(Refusal::TooManyPrefixes { count }) => {
                assert_eq!((count, pending), (PREFIX_COUNT_MAX, PREFIX_COUNT_MAX));
                return;
            }
            Err(refusal) => panic!("there is no reason for {refusal:?}"),
        }
        let named: Vec<Vec<u8>> =
            self.databases[usize::from(db.0)].keys().filter(|key| key.starts_with(prefix)).cloned().collect();
        for name in &named {
            self.forget(db, name);
        }
        self.verify(db, &name);
    }

    fn set_expiry(&mut self, db: Db, choices: &mut impl Choices) {
        let name = self.draw_key(choices);
        let expiry = (choices.draw(4) > 0).then(|| self.draw_expiry(choices));
        let before = self.reconcile(db, &name);
        let key = self.shard.key(db, &name);
        let applied = self
            .shard
            .apply(Op::SetExpiry { key, expiry }, Millis(self.now))
            .expect("there is always that much memory");
        let Some(before) = before else {
            assert_eq!(applied, Applied::default());
            return;
        };
        assert!(applied.existed);
        if expiry.is_some_and(|at| at.0 <= self.now) {
            assert_eq!(applied.version, 0);
            self.forget(db, &name);
        } else {
            let expiry = expiry.map(|at| at.0);
            let cost_ms = expiry.map_or(0, |_| before.grace.cost_ms);
            let grace = Grace { grace_ms: 0, cost_ms };
            self.keep(db, &name, Expected { expiry, grace, version: applied.version, ..before });
        }
        self.verify(db, &name);
    }

    fn invalidate(&mut self, db: Db, choices: &mut impl Choices) {
        let name = self.draw_key(choices);
        let change = self.draw_expiry_change(choices);
        let before = self.reconcile(db, &name);
        let key = self.shard.key(db, &name);
        let applied = self
            .shard
            .apply(Op::Invalidate { key, expiry: change }, Millis(self.now))
            .expect("there is always that much memory");
        let Some(before) = before else {
            assert_eq!(applied, Applied::default());
            return;
        };
        assert!(applied.existed);
        let (expiry, grace) = changed_ending(change, (before.expiry, before.grace));
        let grace = if before.form == Form::Lock { Grace::NONE } else { grace };
        if expiry.is_some_and(|at| at <= self.now) {
            assert_eq!(applied.version, 0);
            self.forget(db, &name);
        } else {
            self.keep(db, &name, Expected { expiry, grace, is_stale: true, version: applied.version, ..before });
        }
        self.verify(db, &name);
    }

    fn get(&mut self, db: Db, choices: &mut impl Choices) {
        let name = self.draw_key(choices);
        let touch = [Touch::Count, Touch::CountOnly, Touch::Leave][choices.draw(3) as usize];
        let expected = self.reconcile(db, &name);
        let before = self.shard.stats();
        let key = self.shard.key(db, &name);
        self.shard.prefetch_slot(key);
        self.shard.prefetch_entry(key);
        let entry = self.shard.get(key, Millis(self.now), touch);
        match (&entry, &expected) {
            (Some(entry), Some(expected)) => compare_shown(entry, expected, self.now),
            (None, None) => {}
            _ => panic!("get and peek disagree on {name:?}"),
        }
        let is_hit = entry.is_some();
        if touch == Touch::Count
            && let Some(kept) = self.databases[usize::from(db.0)].get_mut(&name).filter(|_| is_hit)
        {
            kept.was_read = true;
        }
        // A note that there is nothing may have been evicted unnoticed.
        let negative_hits = self.shard.stats().negative_hits - before.negative_hits;
        let is_note = self.databases[usize::from(db.0)].get(&name).is_some_and(|kept| kept.form == Form::Absent);
        assert!(negative_hits == 0 || is_note && !is_hit, "only a note is a negative hit");
        let is_negative = negative_hits > 0 || touch == Touch::Leave;
        self.check_counted(touch, before, is_hit, is_negative);
    }

    /// Many entries at once, so that tables grow and pages fill.
    fn fill(&mut self, db: Db, choices: &mut impl Choices) {
        let start = choices.draw(self.key_count);
        let count = choices.draw(self.key_count.min(1500)) + 1;
        let length = [12, 300, 3000][choices.draw(3) as usize];
        let expiry = match choices.draw(3) {
            0 => ExpiryChange::At(self.draw_expiry(choices)),
            _ => ExpiryChange::Keep,
        };
        for number in start..start + count {
            let value = Kept::Bytes(format!("value {number:.>length$}").into_bytes());
            self.put_value(db, &key_bytes(number % self.key_count), &value, expiry, FlagsChange::Keep);
        }
    }

    /// Many deletes at once, so that tables shrink and pages empty.
    fn empty(&mut self, db: Db, choices: &mut impl Choices) {
        let stride = 1 + choices.draw(3) as usize;
        let names: Vec<Vec<u8>> =
            self.databases[usize::from(db.0)].keys().step_by(stride).take(2500).cloned().collect();
        for name in &names {
            self.delete_key(db, name);
        }
    }

    fn pass_time(&mut self, choices: &mut impl Choices) {
        self.now = match choices.draw(12) {
            0..=5 => self.now + choices.draw(30),
            6..=8 => self.now + choices.draw(3000),
            9 => self.now + choices.draw(1 << 25),
            10 => self.now.saturating_sub(choices.draw(900)),
            _ if choices.draw(4) == 0 => self.now.saturating_sub(choices.draw(1 << 25)),
            _ => self.now + choices.draw(1 << 35),
        };
        self.latest = self.latest.max(self.now);
    }

    /// Begins a scan or goes on with the one under way.
    fn sweep(&mut self, db: Db, choices: &mut impl Choices) {
        let now = Millis(self.now);
        let Some(sweep) = &mut self.sweep else {
            self.check();
            let live = self.databases[usize::from(db.0)].iter().filter(|(_, kept)| is_shown(kept, self.now));
            let must = live.map(|(key, _)| key.clone()).collect();
            self.sweep = Some(Sweep { db, from: 0, must, shown: BTreeSet::new() });
            return;
        };
        let count = [1, 10, 100, 1000][choices.draw(4) as usize];
        let expected = &self.databases[usize::from(sweep.db.0)];
        sweep.must.retain(|name| expected.get(name).is_some_and(|kept| is_shown(kept, self.now)));
        let shown = &mut sweep.shown;
        let next = self.shard.scan(sweep.db, sweep.from, count, now, |entry| {
            shown.insert(entry.key.to_vec());
        });
        if let Some(next) = next {
            assert!(next > sweep.from, "a scan goes forward");
            sweep.from = next;
            return;
        }
        let sweep = self.sweep.take().expect("a scan was under way");
        for name in sweep.must.difference(&sweep.shown) {
            let is_there = self.reconcile(sweep.db, name).is_some();
            assert!(!is_there, "{name:?} was there all the time and was not shown");
        }
    }

    fn pick(&mut self, db: Db, choices: &mut impl Choices) {
        self.check();
        let expected = &self.databases[usize::from(db.0)];
        let has_live = expected.values().any(|kept| is_shown(kept, self.now));
        match self.shard.random(db, choices.draw(u64::MAX), Millis(self.now)) {
            Some(entry) => compare_shown(&entry, &expected[entry.key], self.now),
            None => assert!(!has_live, "there was one to pick"),
        }
    }

    fn rearrange(&mut self, db: Db, choices: &mut impl Choices) {
        self.check();
        self.sweep = None;
        let now = Millis(self.now);
        let kind = choices.draw(8);
        if let (0..=3, Some(taken)) = (kind, &mut self.taken) {
            taken.was_flushed = true;
        }
        match kind {
            0 => {
                self.shard.apply(Op::Flush { db: None }, now).expect("a flush is never refused");
                self.databases.iter_mut().for_each(BTreeMap::clear);
            }
            1..=3 => {
                let had = self.shard.len(db) > 0;
                let applied = self.shard.apply(Op::Flush { db: Some(db) }, now).expect("a flush is never refused");
                assert_eq!(applied, Applied { existed: had, version: 0 });
                self.databases[usize::from(db.0)].clear();
                assert_eq!(self.shard.len(db), 0);
            }
            _ => {
                let second = Db(choices.draw(self.databases.len() as u64) as u8);
                self.shard.apply(Op::Swap { first: db, second }, now).expect("a swap is never refused");
                self.databases.swap(usize::from(db.0), usize::from(second.0));
            }
        }
    }

    fn reconfigure(&mut self, choices: &mut impl Choices) {
        let mut options = self.shard.options().clone();
        options.policy = draw_policy(choices);
        if self.is_limited {
            options.memory_bytes_max = (1 << 20) + choices.draw(24 << 20);
        }
        self.shard.reconfigure(options);
    }

    fn reserve(&mut self, choices: &mut impl Choices) {
        let bytes = choices.draw(1 << 20);
        let result = self.shard.reserve(bytes, Millis(self.now));
        assert!(result.is_ok() || self.is_limited, "without a limit there is room");
    }

    /// What the shard shows of a key, made sure to be what the model allows, and the model brought in line.
    fn reconcile(&mut self, db: Db, name: &[u8]) -> Option<Expected> {
        let key = self.shard.key(db, name);
        let expected = self.databases[usize::from(db.0)].get(name).cloned();
        if let Some(entry) = self.shard.peek(key, Millis(self.now)) {
            let expected = expected.expect("only what was written is there");
            compare_shown(&entry, &expected, self.now);
            return Some(expected);
        }
        // What is over by now may come back with the clock, as long as the shard has not met it.
        if expected.is_some_and(|expected| is_shown(&expected, self.now)) {
            self.accept_missing(db, name);
        }
        None
    }

    /// Takes note that a key is not there that should be, if there can be a reason.
    fn accept_missing(&mut self, db: Db, name: &[u8]) {
        let kept = &self.databases[usize::from(db.0)][name];
        let was_over = kept.expiry.is_some_and(|at| at <= self.latest);
        assert!(was_over || kept.form != Form::Lock, "{name:?} of {db:?} is a lock, and gone");
        assert!(was_over || self.is_limited, "{name:?} of {db:?} is gone: {:?}", (kept.expiry, self.now));
        if !was_over {
            self.missing_count += 1;
            let evicted = self.shard.stats().evicted;
            assert!(self.missing_count <= evicted, "{} are gone, {evicted} evicted", self.missing_count);
        }
        self.forget(db, name);
    }

    /// The outcome of an op, unless it was refused for a reason.
    fn accept_refusal(&self, result: Result<Applied, Refusal>, name: &[u8], value_bytes: usize) -> Option<Applied> {
        match result {
            Ok(applied) => {
                assert!(name.len() <= KEY_BYTES_MAX && value_bytes <= VALUE_BYTES_MAX, "what is too long is refused");
                Some(applied)
            }
            Err(Refusal::OutOfMemory { .. }) => {
                assert!(self.is_limited, "without a limit there is room");
                None
            }
            Err(Refusal::LogFull) => unreachable!("no log is kept"),
            Err(Refusal::TtlRequired | Refusal::TooManyPrefixes { .. }) => unreachable!("there is no such rule"),
            Err(Refusal::KeyTooLong { bytes }) => {
                assert!(bytes == name.len() && bytes > KEY_BYTES_MAX);
                None
            }
            Err(Refusal::ValueTooLong { bytes }) => {
                assert!(bytes == value_bytes && bytes > VALUE_BYTES_MAX);
                None
            }
        }
    }

    fn keep(&mut self, db: Db, name: &[u8], expected: Expected) {
        assert!(expected.version > self.version, "versions grow");
        self.version = expected.version;
        self.databases[usize::from(db.0)].insert(name.to_vec(), expected);
    }

    fn forget(&mut self, db: Db, name: &[u8]) {
        self.databases[usize::from(db.0)].remove(name);
        if let Some(sweep) = &mut self.sweep
            && sweep.db == db
        {
            sweep.must.remove(name);
        }
    }

    /// Reads a key back.
    fn verify(&mut self, db: Db, name: &[u8]) {
        self.reconcile(db, name);
    }

    fn draw_key(&self, choices: &mut impl Choices) -> Vec<u8> {
        match choices.draw(200) {
            0 => vec![b'k'; KEY_BYTES_MAX + choices.draw(2) as usize],
            _ => key_bytes(choices.draw(self.key_count)),
        }
    }

    fn draw_value(&self, choices: &mut impl Choices) -> Kept {
        match choices.draw(10) {
            0 => Kept::Integer(choices.draw(u64::MAX) as i64),
            1 => Kept::Bytes((choices.draw(2000) as i64 - 1000).to_string().into_bytes()),
            2 => Kept::Bytes(format!("0{}", choices.draw(100)).into_bytes()),
            3 if choices.draw(40) == 0 => Kept::Bytes(vec![3; choices.draw(3 << 20) as usize]),
            _ => {
                let count = choices.draw(self.value_bytes_max);
                let first = choices.draw(256);
                Kept::Bytes((0..count).map(|index| (index + first) as u8).collect())
            }
        }
    }

    fn draw_expiry_change(&self, choices: &mut impl Choices) -> ExpiryChange {
        match choices.draw(6) {
            0 => ExpiryChange::Keep,
            1 => ExpiryChange::At(self.draw_expiry(choices)),
            2 => ExpiryChange::Exactly(self.draw_expiry(choices)),
            3 => ExpiryChange::Graced {
                until: self.draw_expiry(choices),
                grace_ms: [0, 20, 3_000, 1 << 25][choices.draw(4) as usize],
                cost_ms: choices.draw(3) as u32,
            },
            _ => ExpiryChange::Clear,
        }
    }

    fn draw_expiry(&self, choices: &mut impl Choices) -> Millis {
        Millis(match choices.draw(8) {
            0 => self.now.saturating_sub(choices.draw(3)),
            1..=3 => self.now + choices.draw(50),
            4 | 5 => self.now + choices.draw(100_000),
            6 => self.now + choices.draw(1 << 34),
            _ => self.now + choices.draw(1 << 62),
        })
    }
}

/// The key with that number: some short, some long, one empty.
fn key_bytes(number: u64) -> Vec<u8> {
    match number % 16 {
        0 if number == 0 => Vec::new(),
        1 => format!("{number:0>120}").into_bytes(),
        _ => format!("key:{number}").into_bytes(),
    }
}

fn draw_policy(choices: &mut impl Choices) -> Policy {
    let names: Vec<&str> = Policy::names().collect();
    Policy::from_name(names[choices.draw(names.len() as u64) as usize]).expect("a policy is known by its name")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prints how to replay a history when a test fails in it.
    struct Replay(u64, usize);

    impl Drop for Replay {
        fn drop(&mut self) {
            if std::thread::panicking() {
                let Replay(seed, steps) = self;
                println!("replay: LOCKSLEY_SEED={seed} LOCKSLEY_STEPS={steps} cargo test -p locksley-engine model");
            }
        }
    }

    fn setting(name: &str) -> Option<u64> {
        std::env::var(name).ok().map(|text| text.parse().expect("a number"))
    }

    #[test]
    fn a_shard_agrees_with_a_map() {
        let steps = setting("LOCKSLEY_STEPS").unwrap_or(1500) as usize;
        let seeds = setting("LOCKSLEY_SEED").map_or(1..25, |seed| seed..seed + 1);
        for seed in seeds {
            let _replay = Replay(seed, steps);
            run(&mut Seeded::new(seed), steps);
        }
    }

    #[test]
    fn any_bytes_are_a_history() {
        let mut choices = Seeded::new(7);
        for _ in 0..20 {
            let bytes: Vec<u8> = (0..600).map(|_| choices.draw(256) as u8).collect();
            run(&mut Tape(&bytes), usize::MAX);
        }
    }
}
