//! The shard: tables, cells, expiry and eviction behind one small interface.
//!
//! This first form keeps its entries in ordered maps; it fixes the interface and its meaning.

use std::collections::BTreeMap;
use std::hash::Hasher;

use crate::entry::{Encoding, Entry, Value};
use crate::key::{Db, Key};
use crate::limits;
use crate::op::{Applied, ExpiryChange, FlagsChange, Op, Refusal};
use crate::policy::Policy;
use crate::stats::{MemoryUse, ShardStats};
use crate::time::Millis;

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

/// One shard.
pub struct Shard {
    options: ShardOptions,
    databases: Vec<BTreeMap<(u64, Vec<u8>), Stored>>,
    stats: ShardStats,
    version: u64,
}

struct Stored {
    bytes: Vec<u8>,
    encoding: Encoding,
    integer: i64,
    expiry: Option<Millis>,
    client_flags: u32,
    version: u64,
}

impl Shard {
    /// An empty shard.
    ///
    /// # Errors
    /// When the address space for it cannot be reserved.
    pub fn new(options: ShardOptions) -> std::io::Result<Shard> {
        let databases = (0..options.database_count).map(|_| BTreeMap::new()).collect();
        Ok(Shard { options, databases, stats: ShardStats::default(), version: 0 })
    }

    /// Names an entry: hashes `bytes` once for all later calls.
    #[inline]
    pub fn key<'a>(&self, db: Db, bytes: &'a [u8]) -> Key<'a> {
        let mut hasher = std::hash::DefaultHasher::new();
        hasher.write_u64(self.options.seed);
        hasher.write(bytes);
        Key { db, bytes, hash: hasher.finish() }
    }

    /// Asks the CPU for the table lines of `key`.
    #[inline]
    pub fn prefetch_slot(&self, _key: Key<'_>) {}

    /// Asks the CPU for the cell of `key`, its table line being cached by now.
    #[inline]
    pub fn prefetch_entry(&self, _key: Key<'_>) {}

    /// The live entry of `key` at `now`; an entry whose time is over is removed and counted.
    #[inline]
    pub fn get(&mut self, key: Key<'_>, now: Millis, touch: Touch) -> Option<Entry<'_>> {
        self.expire(key, now);
        let found = self.databases[usize::from(key.db.0)].get_key_value(&(key.hash, key.bytes.to_vec()));
        if touch != Touch::Leave {
            if found.is_some() {
                self.stats.hits += 1;
            } else {
                self.stats.misses += 1;
            }
        }
        found.map(|((_, key), stored)| view(key, stored))
    }

    /// The live entry of `key` at `now`, without leaving a trace: nothing is counted, renewed or removed.
    pub fn peek(&self, key: Key<'_>, now: Millis) -> Option<Entry<'_>> {
        let found = self.databases[usize::from(key.db.0)].get_key_value(&(key.hash, key.bytes.to_vec()));
        found.filter(|(_, stored)| stored.expiry.is_none_or(|at| at > now)).map(|((_, key), stored)| view(key, stored))
    }

    /// Makes sure that `bytes` more can be written at `now`, evicting by policy if need be, so that several ops
    /// can follow of which none is refused for lack of memory.
    ///
    /// # Errors
    /// [`Refusal::OutOfMemory`] when the policy has nothing (more) to evict.
    pub fn reserve(&mut self, bytes: u64, _now: Millis) -> Result<(), Refusal> {
        let limit_bytes = self.options.memory_bytes_max;
        let fits = limit_bytes == 0 || self.memory().used + bytes <= limit_bytes;
        if fits { Ok(()) } else { Err(Refusal::OutOfMemory { limit_bytes }) }
    }

    /// Carries out one change at `now`.
    ///
    /// # Errors
    /// A [`Refusal`] when a limit would be passed.
    #[inline]
    pub fn apply(&mut self, op: Op<'_>, now: Millis) -> Result<Applied, Refusal> {
        self.version += 1;
        let version = self.version;
        match op {
            Op::Put { key, value, expiry, client_flags } => {
                self.expire(key, now);
                limit(
                    key,
                    match value {
                        Value::Bytes(bytes) => bytes.len(),
                        Value::Integer(_) => 8,
                    },
                )?;
                if self.options.memory_bytes_max > 0 && self.memory().used > self.options.memory_bytes_max {
                    return Err(Refusal::OutOfMemory { limit_bytes: self.options.memory_bytes_max });
                }
                let map = &mut self.databases[usize::from(key.db.0)];
                let old = map.remove(&(key.hash, key.bytes.to_vec()));
                let mut stored = store(value);
                stored.version = version;
                stored.expiry = match expiry {
                    ExpiryChange::Keep => old.as_ref().and_then(|old| old.expiry),
                    ExpiryChange::Clear => None,
                    ExpiryChange::At(at) => Some(at),
                };
                stored.client_flags = match client_flags {
                    FlagsChange::Keep => old.as_ref().map_or(0, |old| old.client_flags),
                    FlagsChange::Set(flags) => flags,
                };
                map.insert((key.hash, key.bytes.to_vec()), stored);
                Ok(Applied { existed: old.is_some(), version })
            }
            Op::Splice { key, offset, bytes } => {
                self.expire(key, now);
                limit(key, offset + bytes.len())?;
                let map = &mut self.databases[usize::from(key.db.0)];
                let existed = map.contains_key(&(key.hash, key.bytes.to_vec()));
                let stored = map.entry((key.hash, key.bytes.to_vec())).or_insert_with(|| store(Value::Bytes(b"")));
                let length = stored.bytes.len().max(offset + bytes.len());
                stored.bytes.resize(length, 0);
                stored.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
                stored.encoding = Encoding::Spliced;
                stored.version = version;
                Ok(Applied { existed, version })
            }
            Op::Delete { key } => {
                self.expire(key, now);
                let old = self.databases[usize::from(key.db.0)].remove(&(key.hash, key.bytes.to_vec()));
                Ok(Applied { existed: old.is_some(), version: 0 })
            }
            Op::SetExpiry { key, expiry } => {
                self.expire(key, now);
                match self.databases[usize::from(key.db.0)].get_mut(&(key.hash, key.bytes.to_vec())) {
                    Some(stored) => {
                        stored.expiry = expiry;
                        stored.version = version;
                    }
                    None => return Ok(Applied::default()),
                }
                self.expire(key, now);
                Ok(Applied { existed: true, version })
            }
            Op::Flush { db } => {
                let mut existed = false;
                for (index, map) in self.databases.iter_mut().enumerate() {
                    if db.is_none_or(|db| usize::from(db.0) == index) {
                        existed |= !map.is_empty();
                        map.clear();
                    }
                }
                Ok(Applied { existed, version: 0 })
            }
            Op::Swap { first, second } => {
                self.databases.swap(usize::from(first.0), usize::from(second.0));
                Ok(Applied { existed: true, version: 0 })
            }
        }
    }

    /// Entries of `db`, those included whose time is over but which nobody has met yet.
    pub fn len(&self, db: Db) -> u64 {
        self.databases[usize::from(db.0)].len() as u64
    }

    /// Entries of `db` that have an expiry, and their mean time to live at `now` in milliseconds.
    pub fn expiring(&self, db: Db, now: Millis) -> (u64, u64) {
        let map = &self.databases[usize::from(db.0)];
        let times: Vec<u64> =
            map.values().filter_map(|stored| stored.expiry).map(|at| at.0.saturating_sub(now.0)).collect();
        (times.len() as u64, times.iter().sum::<u64>().checked_div(times.len() as u64).unwrap_or(0))
    }

    /// Calls `each` with the live entries of `db` in hash order from the hash prefix `from` on, until at
    /// least `count` table slots were passed and all entries of the last prefix were shown; returns the
    /// prefix to go on from, or `None` at the end. An entry present during a whole series of calls is shown
    /// at least once, however the table grows meanwhile.
    pub fn scan(&self, db: Db, from: u32, count: usize, now: Millis, mut each: impl FnMut(&Entry<'_>)) -> Option<u32> {
        let mut shown = 0;
        let mut last = None;
        for ((hash, key), stored) in self.databases[usize::from(db.0)].range((u64::from(from) << 32, Vec::new())..) {
            let prefix = (hash >> 32) as u32;
            if shown >= count && last != Some(prefix) {
                return Some(prefix);
            }
            shown += 1;
            last = Some(prefix);
            if stored.expiry.is_none_or(|at| at > now) {
                each(&view(key, stored));
            }
        }
        None
    }

    /// Some live entry of `db`, chosen by `random`.
    pub fn random(&self, db: Db, random: u64, now: Millis) -> Option<Entry<'_>> {
        let map = &self.databases[usize::from(db.0)];
        let live = |(_, stored): &(&(u64, Vec<u8>), &Stored)| stored.expiry.is_none_or(|at| at > now);
        let split = (random, Vec::new());
        map.range(split.clone()..).chain(map.range(..split)).find(live).map(|((_, key), stored)| view(key, stored))
    }

    /// Background work at `now`: due expiries, table growth, evacuation, flushed tables, eviction down to the
    /// limit; at most `steps` of it. Returns whether more is waiting.
    pub fn work(&mut self, now: Millis, _steps: usize) -> bool {
        for map in &mut self.databases {
            let before = map.len();
            map.retain(|_, stored| stored.expiry.is_none_or(|at| at > now));
            self.stats.expired += (before - map.len()) as u64;
        }
        false
    }

    /// When [`Shard::work`] next has something to expire, if ever (never later than the first expiry).
    pub fn next_due(&self) -> Option<Millis> {
        self.databases.iter().flat_map(BTreeMap::values).filter_map(|stored| stored.expiry).min()
    }

    /// Changes limit, policy and the policy's parameters; the seed and the database count stay.
    pub fn reconfigure(&mut self, options: ShardOptions) {
        self.options = ShardOptions { seed: self.options.seed, database_count: self.options.database_count, ..options };
    }

    /// Memory outside the shard that counts towards its limit (connection buffers), in bytes.
    pub fn set_outside_bytes(&mut self, _bytes: u64) {}

    /// The options in force.
    pub fn options(&self) -> &ShardOptions {
        &self.options
    }

    /// The counters.
    pub fn stats(&self) -> ShardStats {
        self.stats
    }

    /// Sets every counter to zero.
    pub fn reset_stats(&mut self) {
        self.stats = ShardStats::default();
    }

    /// Where the memory is.
    pub fn memory(&self) -> MemoryUse {
        let payload =
            self.databases.iter().flatten().map(|((_, key), stored)| key.len() + stored.bytes.len()).sum::<usize>()
                as u64;
        MemoryUse { used: payload, payload, ..MemoryUse::default() }
    }

    /// Walks the whole shard and asserts every invariant.
    ///
    /// # Panics
    /// When one does not hold.
    pub fn check(&self) {}

    fn expire(&mut self, key: Key<'_>, now: Millis) {
        let map = &mut self.databases[usize::from(key.db.0)];
        let name = (key.hash, key.bytes.to_vec());
        if map.get(&name).is_some_and(|stored| stored.expiry.is_some_and(|at| at <= now)) {
            map.remove(&name);
            self.stats.expired += 1;
        }
    }
}

fn limit(key: Key<'_>, bytes: usize) -> Result<(), Refusal> {
    if key.bytes.len() > limits::KEY_BYTES_MAX {
        return Err(Refusal::KeyTooLong { bytes: key.bytes.len() });
    }
    if bytes > limits::VALUE_BYTES_MAX {
        return Err(Refusal::ValueTooLong { bytes });
    }
    Ok(())
}

fn store(value: Value<'_>) -> Stored {
    let (bytes, integer) = match value {
        Value::Bytes(bytes) => {
            let integer = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<i64>().ok());
            (bytes.to_vec(), integer.filter(|integer| integer.to_string().as_bytes() == bytes))
        }
        Value::Integer(integer) => (integer.to_string().into_bytes(), Some(integer)),
    };
    let encoding = if integer.is_some() { Encoding::Integer } else { Encoding::Bytes };
    Stored { bytes, encoding, integer: integer.unwrap_or(0), expiry: None, client_flags: 0, version: 0 }
}

fn view<'a>(key: &'a [u8], stored: &'a Stored) -> Entry<'a> {
    Entry {
        key,
        value: match stored.encoding {
            Encoding::Integer => Value::Integer(stored.integer),
            Encoding::Bytes | Encoding::Spliced => Value::Bytes(&stored.bytes),
        },
        encoding: stored.encoding,
        expiry: stored.expiry,
        client_flags: stored.client_flags,
        version: stored.version,
        memory_bytes: key.len() + stored.bytes.len() + 32,
        idle_ms: 0,
        frequency: 0,
    }
}
