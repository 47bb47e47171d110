//! The shard: tables, cells, expiry and eviction behind one small interface.
//!
//! A shard keeps its entries in four parts that know nothing of each other: a table for each database maps
//! hashes to cells, the slab holds the cells, the wheel finds entries whose time is over, the evictor says who
//! goes when memory is short. `contents.rs` keeps the first three together, `change.rs` carries out ops,
//! `room.rs` keeps the shard within its memory limit and does background work, and this file is the door.
//!
//! ```text
//!            Shard (shard.rs: reads)
//!              |- change.rs   ops
//!              |- prefixes.rs deletion by prefix
//!              |- room.rs     memory limit, background work
//!              |- durable.rs  log, replay
//!              |- snapshot.rs walking for a snapshot
//!              |- sketches.rs hot keys, miss-ratio curve
//!              '- check.rs    every invariant
//!            Contents (contents.rs) ---- Evictor (../evict)
//!              |- Databases (databases.rs) - Table (../table.rs)
//!              |- Journal (journal.rs) ----- Log (../wal.rs)
//!              |- Slab (../slab.rs)
//!              '- Wheel (../expiry.rs)
//! ```
//!
//! A read touches one line of the table and the entry's cell, copies nothing and allocates nothing; it
//! writes only the access bits, and those only when they change.

mod change;
mod check;
mod contents;
mod databases;
mod durable;
mod journal;
#[cfg(test)]
mod kinds;
mod prefixes;
mod room;
mod sketches;
mod snapshot;

use rapidhash::v3::RapidSecrets;

use crate::cell::Cell;
use crate::entry::{self, Entry, Form, HEADER_BYTES, Kind, Look, Record, Uses};
use crate::evict::{EvictOptions, Evictor};
use crate::expiry::Wheel;
use crate::key::{Db, Key};
use crate::limits;
use crate::lsn::Lsn;
use crate::op::{Applied, Op, Refusal};
use crate::policy::Policy;
use crate::prefixes::{PendingPrefix, Prefixes};
use crate::sizes::SIZE_BIN_COUNT;
use crate::slab::{Slab, SlabOptions};
use crate::snapshot::Item;
use crate::stats::{MemoryUse, ShardStats};
use crate::time::Millis;
use crate::ttl::TtlPolicy;
use crate::usage::Usage;
use crate::watch::{Touched, Watch};
pub(crate) use contents::scale;
use contents::{Cause, Contents, prefix};
use databases::Databases;
use journal::Journal;

/// What an entry's slot takes in its table, on average, in bytes.
const SLOT_SHARE_BYTES: usize = 10;
/// Fencing tokens that a millisecond of the clock is worth: what is lost of them in a crash is made up for by the time
/// that a restart takes.
const FENCE_STEPS_PER_MS: u64 = 1000;
/// Draws of a random entry before the table is searched in order.
const DRAW_COUNT: u32 = 16;

/// How a shard is set up.
#[derive(Clone, Debug)]
pub struct ShardOptions {
    /// Most memory the shard may use, in bytes; 0 means no limit.
    pub memory_bytes_max: u64,
    /// What to evict at the limit.
    pub policy: Policy,
    /// Entries looked at for one eviction by the sampling policies.
    pub sample_count: u32,
    /// LFU: the higher, the more accesses a counter step takes.
    pub lfu_log_factor: u32,
    /// LFU: minutes after which an unused counter loses one.
    pub lfu_decay_minutes: u32,
    /// Requests a second from which on a key is hot; 0 means none is.
    pub hot_key_threshold: u32,
    /// What is made of times to live.
    pub ttl: TtlPolicy,
    /// Logical databases, 1 to 16.
    pub database_count: u8,
    /// Seed of the key hash and of every choice the shard makes.
    pub seed: u64,
}

impl Default for ShardOptions {
    fn default() -> ShardOptions {
        ShardOptions {
            memory_bytes_max: 0,
            policy: Policy::default(),
            sample_count: 5,
            lfu_log_factor: 10,
            lfu_decay_minutes: 1,
            hot_key_threshold: 1_000,
            ttl: TtlPolicy::default(),
            database_count: limits::DATABASE_COUNT_MAX as u8,
            seed: 0,
        }
    }
}

/// Whether a read counts as a use of its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// It counts as hit or miss and renews the entry for eviction.
    Count,
    /// It counts as hit or miss only (CLIENT NO-TOUCH).
    CountOnly,
    /// It leaves no trace (OBJECT, DEBUG, TTL).
    Leave,
}

/// Why a logged change or an entry of a snapshot could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayFault {
    /// The entry has another version than the one that was changed: something is missing before this.
    Base {
        /// What the record says it was.
        expected: u64,
        /// What it is, 0 for no entry.
        found: u64,
    },
    /// The number is not after the entry's.
    Order {
        /// The record's number.
        lsn: Lsn,
    },
    /// The shard refuses it.
    Refused(Refusal),
}

/// One shard.
pub struct Shard {
    options: ShardOptions,
    /// Whether the options have a policy of times to live.
    has_ttl_policy: bool,
    contents: Contents,
    evictor: Evictor,
    outside_bytes: u64,
    /// The highest fencing token there was.
    fence: u64,
    watch: Watch,
    usage: Usage,
    /// Cells moved by the evacuation under way: kept to be used again.
    moved: Vec<Cell>,
}

impl Shard {
    /// An empty shard.
    ///
    /// # Errors
    /// When the address space for it cannot be reserved.
    ///
    /// # Panics
    /// When `database_count` is not 1 to 16.
    pub fn new(options: ShardOptions) -> std::io::Result<Shard> {
        assert!((1..=limits::DATABASE_COUNT_MAX).contains(&usize::from(options.database_count)), "1 to 16 databases");
        let contents = Contents {
            secrets: RapidSecrets::seed(options.seed),
            databases: Databases::new(options.database_count),
            slab: Slab::new(SlabOptions::default())?,
            wheel: Wheel::new(),
            stats: ShardStats::default(),
            payload_bytes: 0,
            journal: Journal::default(),
            prefixes: Prefixes::default(),
            walk: None,
        };
        let evictor = Evictor::new(evict_options(&options));
        let has_ttl_policy = !options.ttl.is_idle();
        let usage = Usage::new(options.seed);
        Ok(Shard {
            options,
            has_ttl_policy,
            contents,
            evictor,
            outside_bytes: 0,
            fence: 0,
            watch: Watch::default(),
            usage,
            moved: Vec::new(),
        })
    }

    /// Names an entry: hashes `bytes` once for all later calls.
    #[inline]
    pub fn key<'a>(&self, db: Db, bytes: &'a [u8]) -> Key<'a> {
        Key { db, bytes, hash: self.contents.hash_of(bytes) }
    }

    /// Asks the CPU for the table lines of `key`.
    #[inline]
    pub fn prefetch_slot(&self, key: Key<'_>) {
        self.contents.databases.table(key.db).prefetch(prefix(key.hash));
    }

    /// Asks the CPU for the cell of `key`, its table line being cached by now.
    #[inline]
    pub fn prefetch_entry(&self, key: Key<'_>) {
        if let Some(cell) = self.contents.databases.table(key.db).first_candidate(prefix(key.hash)) {
            self.contents.slab.prefetch(cell);
        }
    }

    /// The live entry of `key` at `now`; an entry whose time is over is removed and counted.
    // Inlined, so that the parts of the view that a caller does not use cost it nothing.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "see above")]
    pub fn get(&mut self, key: Key<'_>, now: Millis, touch: Touch) -> Option<Entry<'_>> {
        let (cell, uses) = self.look_up(key, now, touch)?;
        let record = self.contents.record(cell);
        let cell_bytes = self.viewed_bytes(&record, cell, touch);
        Some(self.view(&record, uses, cell_bytes, now))
    }

    /// The live entry of `key` at `now`, without leaving a trace: nothing is counted, renewed or removed.
    pub fn peek(&self, key: Key<'_>, now: Millis) -> Option<Entry<'_>> {
        let found = self.contents.find(key)?;
        self.live_view(found.cell, now)
    }

    /// All that `key` holds at `now`, notes that there is nothing and values in their grace included; a live entry counts
    /// as a hit and is renewed as [`Shard::get`] does it, everything else counts as a miss.
    // Inlined for the same reason as `get`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "unused parts must go away")]
    pub fn look(&mut self, key: Key<'_>, now: Millis, touch: Touch) -> Look<'_> {
        let Some((cell, uses)) = self.look_up(key, now, touch) else { return self.look_behind(key, now) };
        let record = self.contents.record(cell);
        let cell_bytes = self.viewed_bytes(&record, cell, touch);
        Look::Live(self.view(&record, uses, cell_bytes, now))
    }

    /// The fencing token of the next lock: higher than any before, and at least the time in microseconds.
    ///
    /// # Panics
    /// When tokens are used up, which takes a clock that is 290,000 years ahead.
    pub fn next_fence(&self, now: Millis) -> u64 {
        let next = (self.fence + 1).max(now.0.saturating_mul(FENCE_STEPS_PER_MS));
        assert!(next <= limits::TOKEN_MAX, "tokens are not used up");
        next
    }

    /// The highest fencing token there was.
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// Makes sure that the next fencing token is higher than `fence`, which an earlier life of the shard gave out.
    pub fn raise_fence(&mut self, fence: u64) {
        self.fence = self.fence.max(fence);
    }

    /// Watches `key` until it is touched: by any change of its value that somebody asks for, its removal or the flush of
    /// its database included, whether it exists or not. Expiry and eviction are none, nor is another time to live, unless
    /// the entry is a lock or goes by it.
    pub fn watch(&mut self, key: Key<'_>) {
        self.watch.insert(key);
    }

    /// Watches `key` no more, and forgets that it was touched.
    pub fn unwatch(&mut self, key: Key<'_>) {
        self.watch.remove(key);
    }

    /// Whether watched keys were touched since [`Shard::take_touched`].
    #[inline]
    pub fn has_touched(&self) -> bool {
        self.watch.has_touched()
    }

    /// The watched keys that were touched since the last call, in order; they are watched no more.
    pub fn take_touched(&mut self) -> Vec<Touched> {
        self.watch.take()
    }

    /// The deletions by prefix that are under way.
    pub fn prefixes(&self) -> impl Iterator<Item = PendingPrefix<'_>> {
        let Contents { prefixes, databases, .. } = &self.contents;
        // A flush forgets what was being deleted, so each table is a database's.
        prefixes.iter().filter_map(|(table, prefix)| Some(PendingPrefix { db: databases.logical(table)?, prefix }))
    }

    /// Makes sure that `bytes` more can be written at `now`, evicting by policy if need be, so that several ops
    /// can follow of which none is refused for lack of memory.
    ///
    /// # Errors
    /// [`Refusal::OutOfMemory`] when the policy has nothing (more) to evict.
    pub fn reserve(&mut self, bytes: u64, now: Millis) -> Result<(), Refusal> {
        // For no bytes at all, nothing freed would be enough.
        self.make_room(bytes.max(1), 0, now)
    }

    /// Carries out one change at `now`.
    ///
    /// # Errors
    /// A [`Refusal`] when a limit would be passed.
    #[inline]
    pub fn apply(&mut self, op: Op<'_>, now: Millis) -> Result<Applied, Refusal> {
        let applied = match op {
            Op::Put { key, value, expiry, client_flags } => self.put(key, value, expiry, client_flags, now),
            Op::Splice { key, offset, bytes } => self.splice(key, offset, bytes, now),
            Op::Delete { key } => self.delete(key, now),
            Op::SetExpiry { key, expiry } => self.set_expiry(key, expiry, now),
            Op::Invalidate { key, expiry } => self.invalidate(key, expiry, now),
            Op::PutAbsent { key, expiry } => self.put_absent(key, expiry, now),
            Op::Lock { key, token, expiry } => self.lock(key, token, expiry, now),
            Op::DeletePrefix { db, prefix } => self.delete_prefix(db, prefix),
            Op::Flush { db } => self.flush(db),
            Op::Swap { first, second } => self.swap(first, second),
        };
        if op.key().is_none_or(|key| self.usage.draws(key.hash)) {
            self.note_change(&{ op }, applied.is_err(), now);
        }
        match applied {
            Err(_) => self.contents.journal.release(),
            Ok(Applied { existed, .. }) if !self.watch.is_idle() => self.tell_watchers(&{ op }, existed, now),
            Ok(_) => {}
        }
        applied
    }

    /// Notes which watched keys a change concerns that was carried out. Another time to live does if it takes the entry
    /// away, or if that is a lock, for which the end is what counts.
    #[cold]
    fn tell_watchers(&mut self, op: &Op<'_>, existed: bool, now: Millis) {
        self.watch.note(op);
        if let Op::SetExpiry { key, .. } = *op
            && existed
            && self.peek(key, now).is_none_or(|entry| entry.kind == Kind::Lock)
        {
            self.watch.touch(key);
        }
    }

    /// Entries of `db`, those included whose time is over but which nobody has met yet, and notes that there is nothing.
    pub fn len(&self, db: Db) -> u64 {
        self.contents.databases.table(db).len() as u64
    }

    /// Whether `db` has no entries.
    pub fn is_empty(&self, db: Db) -> bool {
        self.len(db) == 0
    }

    /// Entries of `db` that have an expiry, and their mean time to live at `now` in milliseconds.
    pub fn expiring(&self, db: Db, now: Millis) -> (u64, u64) {
        let databases = &self.contents.databases;
        let physical = databases.physical(databases.id(db));
        let mean = physical.expiry_sum.checked_div(u128::from(physical.expiring_count)).unwrap_or(0) as u64;
        (physical.expiring_count, mean.saturating_sub(now.0))
    }

    /// How many strings of `db` have a length of 0 bytes, of 1, of 2 to 3, of 4 to 7, and so on by powers of two; those
    /// included whose time is over but which nobody has met yet.
    pub fn string_sizes(&self, db: Db) -> [u64; SIZE_BIN_COUNT] {
        let databases = &self.contents.databases;
        databases.physical(databases.id(db)).sizes.strings()
    }

    /// Calls `each` with the live entries of `db` in hash order from the hash prefix `from` on, until at
    /// least `count` table slots were passed and all entries of the last prefix were shown; returns the
    /// prefix to go on from, or `None` at the end. An entry present during a whole series of calls is shown
    /// at least once, however the table grows meanwhile.
    pub fn scan(&self, db: Db, from: u32, count: usize, now: Millis, mut each: impl FnMut(&Entry<'_>)) -> Option<u32> {
        self.contents.databases.table(db).walk(from, count, |_, cell| {
            if let Some(entry) = self.live_view(cell, now) {
                each(&entry);
            }
        })
    }

    /// The same for all that a snapshot would take, whether readers see it or not, those whose time is over included.
    pub fn scan_items(&self, db: Db, from: u32, count: usize, mut each: impl FnMut(&Item<'_>)) -> Option<u32> {
        let table = self.contents.databases.table(db);
        table.walk(from, count, |_, cell| {
            if !self.contents.is_dead(cell) {
                each(&Item::of(db, &self.contents.record(cell)));
            }
        })
    }

    /// Some live entry of `db`, chosen by `random`.
    pub fn random(&self, db: Db, random: u64, now: Millis) -> Option<Entry<'_>> {
        let table = self.contents.databases.table(db);
        let mut draw = random;
        let mut from = 0;
        for _ in 0..DRAW_COUNT {
            let (hash, cell) = table.sample(draw)?;
            if let Some(entry) = self.live_view(cell, now) {
                return Some(entry);
            }
            from = hash;
            draw = draw.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(0x9E37_79B9_7F4A_7C15);
        }
        // Nearly all of them are over: the first live one behind the last drawn, around the end.
        let mut next = Some(from);
        let mut is_second_round = false;
        while let Some(hash) = next {
            let mut found = None;
            next = table.walk(hash, limits::TURN_STEPS_MAX, |_, cell| found = found.or(self.live_view(cell, now)));
            if found.is_some() {
                return found;
            }
            if next.is_none() && !is_second_round {
                (next, is_second_round) = (Some(0), true);
            }
        }
        None
    }

    /// When [`Shard::work`] next has something to expire, if ever (never later than the first expiry).
    pub fn next_due(&self) -> Option<Millis> {
        self.contents.wheel.next_due()
    }

    /// Changes limit, policy and the policy's parameters; the seed and the database count stay.
    #[expect(clippy::needless_pass_by_value, reason = "the options are what the shard keeps")]
    pub fn reconfigure(&mut self, options: ShardOptions) {
        self.options = ShardOptions { seed: self.options.seed, database_count: self.options.database_count, ..options };
        self.has_ttl_policy = !self.options.ttl.is_idle();
        self.evictor.reconfigure(evict_options(&self.options));
    }

    /// Memory outside the shard that counts towards its limit (connection buffers), in bytes.
    pub fn set_outside_bytes(&mut self, bytes: u64) {
        self.outside_bytes = bytes;
    }

    /// The options in force.
    pub fn options(&self) -> &ShardOptions {
        &self.options
    }

    /// The counters.
    pub fn stats(&self) -> ShardStats {
        self.contents.stats
    }

    /// Sets every counter to zero.
    pub fn reset_stats(&mut self) {
        self.contents.stats = ShardStats::default();
        self.usage.reset();
    }

    /// Where the memory is.
    pub fn memory(&self) -> MemoryUse {
        let contents = &self.contents;
        MemoryUse {
            used: self.used_bytes(),
            payload: contents.payload_bytes,
            cells: contents.slab.used_bytes(),
            slab: contents.slab.resident_bytes(),
            tables: contents.databases.resident_bytes(),
            bookkeeping: self.bookkeeping_bytes(),
        }
    }

    /// The cell of a live entry, the access counted, and its uses before.
    fn look_up(&mut self, key: Key<'_>, now: Millis, touch: Touch) -> Option<(Cell, Uses)> {
        let Some(found) = self.contents.find_live(key, now) else {
            self.contents.stats.misses += u64::from(touch != Touch::Leave);
            self.use_key(key, None, now, touch);
            return None;
        };
        if !self.contents.is_shown(found.cell, now) {
            self.count_hidden(found.cell, touch);
            self.use_key(key, None, now, touch);
            return None;
        }
        self.contents.stats.hits += u64::from(touch != Touch::Leave);
        self.use_key(key, Some(found.cell), now, touch);
        let before = self.contents.header(found.cell).uses();
        if touch == Touch::Count {
            let after = Uses::read(self.evictor.touched(before.access(), now));
            if after != before {
                entry::set_uses(self.contents.slab.slice_mut(found.cell, HEADER_BYTES), after);
            }
        }
        Some((found.cell, before))
    }

    /// Counts a use of a key by a read that found `cell`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the whole of a read is one function")]
    fn use_key(&mut self, key: Key<'_>, cell: Option<Cell>, now: Millis, touch: Touch) {
        if touch != Touch::Leave && self.usage.draws(key.hash) {
            self.note_read(key, cell, now);
        }
    }

    /// Counts a read of an entry that is not shown.
    #[cold]
    fn count_hidden(&mut self, cell: Cell, touch: Touch) {
        let is_absent = self.contents.header(cell).form() == Form::Absent;
        self.contents.stats.misses += u64::from(touch != Touch::Leave);
        self.contents.stats.negative_hits += u64::from(is_absent && touch != Touch::Leave);
    }

    /// What there is of a key whose entry is not shown, those whose time is over having been removed.
    #[inline(never)]
    fn look_behind(&self, key: Key<'_>, now: Millis) -> Look<'_> {
        let Some(found) = self.contents.find(key) else { return Look::Missing };
        let record = self.contents.record(found.cell);
        if record.header.form() == Form::Absent {
            return Look::Absent { expiry: record.expiry().expect("that there is nothing ends") };
        }
        let cell_bytes = self.contents.slab.capacity(found.cell);
        Look::Over(self.view(&record, record.header.uses(), cell_bytes, now))
    }

    /// The bytes of a cell that a read shows: without the rounding if it counts, which is not worth a look at its page.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "unused parts must go away")]
    fn viewed_bytes(&self, record: &Record<'_>, cell: Cell, touch: Touch) -> usize {
        match touch {
            Touch::Leave => self.contents.slab.capacity(cell),
            Touch::Count | Touch::CountOnly => record.header.shape().cell_bytes(),
        }
    }

    /// The view of the entry in `cell`, if it is live at `now`.
    fn live_view(&self, cell: Cell, now: Millis) -> Option<Entry<'_>> {
        let record = self.contents.record(cell);
        let is_live = record.is_shown(now) && !self.contents.is_dead(cell);
        is_live.then(|| self.view(&record, record.header.uses(), self.contents.slab.capacity(cell), now))
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "unused parts must go away")]
    fn view<'a>(&self, record: &Record<'a>, uses: Uses, cell_bytes: usize, now: Millis) -> Entry<'a> {
        // Apart, since reading a field may panic, which would keep what nobody asks for.
        let (expiry, cost_ms) = if record.header.is_plain() { (record.expiry(), 0) } else { fresh_and_cost(record) };
        Entry {
            key: record.key(),
            kind: record.header.kind(),
            value: record.value(),
            encoding: record.header.encoding(),
            expiry,
            cost_ms,
            client_flags: record.client_flags(),
            version: record.header.version(),
            is_stale: record.header.is_stale(),
            was_read: uses.was_read(),
            memory_bytes: cell_bytes + SLOT_SHARE_BYTES,
            idle_ms: self.evictor.idle_ms(uses.access(), now),
            frequency: self.evictor.frequency(uses.access(), now),
        }
    }
}

/// Until when a value is shown, and what it cost to make.
#[cold]
fn fresh_and_cost(record: &Record<'_>) -> (Option<Millis>, u32) {
    (record.fresh_until(), record.grace().cost_ms)
}

/// What the evictor is told of the options.
fn evict_options(options: &ShardOptions) -> EvictOptions {
    EvictOptions {
        policy: options.policy,
        sample_count: options.sample_count,
        lfu_log_factor: options.lfu_log_factor,
        lfu_decay_minutes: options.lfu_decay_minutes,
        is_limited: options.memory_bytes_max > 0,
        seed: options.seed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
    use crate::{ExpiryChange, FlagsChange, Value};

    const NOW: Millis = Millis(1_700_000_000_000);

    fn put<'a>(shard: &Shard, key: &'a [u8], value: &'a [u8]) -> Op<'a> {
        Op::Put {
            key: shard.key(Db(0), key),
            value: Value::Bytes(value),
            expiry: ExpiryChange::Clear,
            client_flags: FlagsChange::Set(0),
        }
    }

    #[test]
    fn the_longest_value_is_kept_and_a_longer_one_refused() {
        let mut shard = Shard::new(ShardOptions::default()).unwrap();
        let value = vec![7; VALUE_BYTES_MAX + 1];
        let bytes = value.len();
        assert_eq!(shard.apply(put(&shard, b"long", &value), NOW), Err(Refusal::ValueTooLong { bytes }));
        shard.apply(put(&shard, b"long", &value[1..]), NOW).unwrap();
        let entry = shard.peek(shard.key(Db(0), b"long"), NOW).unwrap();
        assert!(entry.value == Value::Bytes(&value[1..]));
        let expiry = Some(Millis(NOW.0 + 1));
        let key = shard.key(Db(0), b"long");
        shard.apply(Op::SetExpiry { key, expiry }, NOW).unwrap();
        let splice = Op::Splice { key, offset: VALUE_BYTES_MAX, bytes: b"x" };
        assert_eq!(shard.apply(splice, NOW), Err(Refusal::ValueTooLong { bytes }));
        shard.check();
        shard.work(Millis(NOW.0 + 1), 10);
        assert_eq!((shard.len(Db(0)), shard.memory().cells), (0, 0));
    }

    #[test]
    fn a_key_too_long_is_refused() {
        let mut shard = Shard::new(ShardOptions::default()).unwrap();
        let key = vec![b'k'; KEY_BYTES_MAX + 1];
        assert_eq!(shard.apply(put(&shard, &key, b""), NOW), Err(Refusal::KeyTooLong { bytes: key.len() }));
        assert!(shard.apply(put(&shard, &key[1..], b""), NOW).is_ok());
        shard.check();
    }

    #[test]
    fn a_full_store_without_eviction_takes_overwrites_and_refuses_more() {
        let limit_bytes = 4 << 20;
        let options =
            ShardOptions { memory_bytes_max: limit_bytes, policy: Policy::Noeviction, ..ShardOptions::default() };
        let mut shard = Shard::new(options).unwrap();
        let value = vec![b'v'; 1000];
        let names: Vec<String> = (0..10_000).map(|number| format!("key:{number}")).collect();
        let taken =
            names.iter().take_while(|name| shard.apply(put(&shard, name.as_bytes(), &value), NOW).is_ok()).count();
        assert!((3000..4200).contains(&taken), "{taken} entries of 1 kB fit 4 MiB");
        let more = shard.apply(put(&shard, b"one more", &value), NOW);
        assert_eq!(more, Err(Refusal::OutOfMemory { limit_bytes }));
        for name in &names[..taken] {
            shard.apply(put(&shard, name.as_bytes(), &value), NOW).unwrap();
        }
        assert_eq!((shard.len(Db(0)), shard.stats().evicted), (taken as u64, 0));
        shard.check();
    }

    #[test]
    fn appending_copies_seldom_and_wastes_little() {
        let mut shard = Shard::new(ShardOptions::default()).unwrap();
        let mut length = 0;
        while length < 300_000 {
            let key = shard.key(Db(0), b"log");
            shard.apply(Op::Splice { key, offset: length, bytes: b"0123456789" }, NOW).unwrap();
            length += 10;
            let waste = shard.memory().cells as usize - length;
            assert!(waste <= 64 + length / 3, "{waste} bytes of waste behind {length}");
        }
        shard.check();
    }

    #[test]
    fn appending_to_a_long_value_stays_in_its_pages() {
        let mut shard = Shard::new(ShardOptions::default()).unwrap();
        let chunk = vec![b'x'; 100_000];
        let splice = |shard: &mut Shard, name: &[u8], offset: usize| {
            let key = shard.key(Db(0), name);
            shard.apply(Op::Splice { key, offset, bytes: &chunk }, NOW).unwrap();
            shard.get(key, NOW, Touch::Leave).map(|entry| entry.key.as_ptr() as usize).unwrap()
        };
        // Two that grow side by side, so that neither can simply take the next page.
        let (mut places, mut moves) = ([0, 0], 0);
        for round in 0..200 {
            for (name, place) in [b"one", b"two"].into_iter().zip(&mut places) {
                let now_at = splice(&mut shard, name, round * chunk.len());
                moves += usize::from(now_at != *place);
                *place = now_at;
            }
        }
        assert!(moves < 60, "{moves} moves for 400 appends");
        shard.check();
    }

    #[test]
    fn every_policy_but_noeviction_makes_room_for_what_fits() {
        for name in Policy::names().filter(|name| *name != "noeviction") {
            let policy = Policy::from_name(name).unwrap();
            let options = ShardOptions { memory_bytes_max: 6 << 20, policy, ..ShardOptions::default() };
            let mut shard = Shard::new(options).unwrap();
            let value = vec![b'v'; 100_000];
            for number in 0..40_000_u64 {
                let name = format!("key:{number}");
                let bytes = if number % 500 == 0 { 100_000 } else { number as usize % 700 };
                let op = Op::Put {
                    key: shard.key(Db(0), name.as_bytes()),
                    value: Value::Bytes(&value[..bytes]),
                    expiry: ExpiryChange::At(Millis(NOW.0 + 1000 + number)),
                    client_flags: FlagsChange::Set(0),
                };
                assert!(shard.apply(op, NOW).is_ok(), "{} refuses entry {number}", policy.name());
            }
            shard.check();
            assert!(shard.memory().used <= (6 << 20) + (256 << 10), "{}", policy.name());
        }
    }
}
