//! Commands that read and write keys of several shards as one step.
//!
//! ```text
//! home                        shard 0              shard 2
//!  │ lock keys, read ───────────▶│ holds
//!  │◀─────────── what they hold ─│
//!  │ lock keys, read ────────────────────────────────▶│ holds
//!  │◀─────────────────────────────── what they hold ─ │
//!  │ decides
//!  │ (where memory or the log may be short: reserve, and wait for yes of all)
//!  │ finish: changes ───────────▶│ writes, releases   │
//!  │ finish: changes ────────────────────────────────▶│ writes, releases
//!  │◀─────────────────── logged ─│                    │
//!  │◀───────────────────────────────────────── logged │
//!  │ replies
//! ```
//!
//! Shards are locked in ascending order, each all or nothing. Without a log the reply does not wait for the writes:
//! nobody reads a held key before they are made. With one it does, since a change that is acknowledged has to outlive
//! the process; under `appendfsync always` each shard says so only when its part is durable. The part of a shard is one
//! group of its log: after a crash it is there as a whole or not at all, but of a command that was not acknowledged
//! some shards may have their part and others not.
//!
//! What is decided cannot be refused any more, so room for it is set aside before: in the log with the lock, as much as
//! a small command takes, and more of it, and memory, by reserving. A transaction of several commands fits the same frame: it plans the keys of all its
//! commands, and decides by running them in order over what was read.

use std::borrow::Cow;

use hashbrown::HashMap;
use locksley_engine::{Db, Encoding, Entry as View, Kind, Millis, Value};

use super::parcel::{HoleId, OwnedRequest};
use crate::command::context::Caller;
use crate::command::effect::{Effect, logged_bytes};
use crate::command::failure::Failure;
use crate::command::row::{PlanRead, PlannedKey};
use crate::command::table::Entry;
use crate::thread::ShardId;

/// Names an atomic command while it is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AtomicId {
    /// The thread of its client.
    pub home: ShardId,
    /// Its number there.
    pub serial: u64,
}

/// Asks a shard to hold keys and to show them.
#[derive(Debug)]
pub(crate) struct AtomicLock {
    /// For whom.
    pub id: AtomicId,
    /// The keys.
    pub keys: Vec<LockKey>,
}

/// A key to hold.
#[derive(Debug)]
pub(crate) struct LockKey {
    /// In which database it is read.
    pub db: Db,
    /// The key.
    pub key: Box<[u8]>,
    /// What is to be read of it.
    pub read: PlanRead,
    /// Its place in the plan.
    pub planned: usize,
}

/// A shard holds the keys.
#[derive(Debug)]
pub(crate) struct AtomicGrant {
    /// For whom.
    pub id: AtomicId,
    /// What it read, by place in the plan.
    pub reads: Vec<(usize, Option<EntryCopy>)>,
    /// Bytes of the log that are set aside for the changes.
    pub log_bytes: u64,
    /// The shard is being filled, and has read nothing.
    pub is_loading: bool,
}

/// The changes of one shard; keys are released after them.
#[derive(Debug)]
pub(crate) struct AtomicFinish {
    /// For whom.
    pub id: AtomicId,
    /// The changes, in order.
    pub effects: Vec<Effect<'static>>,
    /// Whether the client's thread waits to hear that they are made and logged.
    pub is_awaited: bool,
}

/// Room that the changes of one shard take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Of memory, in bytes.
    pub memory_bytes: u64,
    /// Of the log, in bytes.
    pub log_bytes: u64,
}

impl Needs {
    /// What `effects` take.
    pub(crate) fn of(effects: &[Effect<'_>]) -> Needs {
        Needs {
            memory_bytes: effects.iter().map(Effect::memory_bytes).sum(),
            log_bytes: if effects.is_empty() { 0 } else { logged_bytes(effects) },
        }
    }
}

/// An entry that was read for another thread.
#[derive(Clone, Debug)]
pub(crate) struct EntryCopy {
    key: Box<[u8]>,
    value: OwnedValue,
    kind: Kind,
    encoding: Encoding,
    expiry: Option<Millis>,
    client_flags: u32,
    version: u64,
    is_stale: bool,
    was_read: bool,
    memory_bytes: usize,
    idle_ms: u64,
    frequency: u8,
}

#[derive(Clone, Debug)]
enum OwnedValue {
    Bytes(Vec<u8>),
    Integer(i64),
}

impl EntryCopy {
    /// A copy of `view`, without the bytes of its value unless `read` asks for them.
    pub(crate) fn new(view: &View<'_>, read: PlanRead) -> EntryCopy {
        let value = match view.value {
            Value::Integer(integer) => OwnedValue::Integer(integer),
            Value::Bytes(bytes) if read == PlanRead::Value => OwnedValue::Bytes(bytes.to_vec()),
            Value::Bytes(_) => OwnedValue::Bytes(Vec::new()),
        };
        EntryCopy {
            key: Box::from(view.key),
            kind: view.kind,
            value,
            encoding: view.encoding,
            expiry: view.expiry,
            client_flags: view.client_flags,
            version: view.version,
            is_stale: view.is_stale,
            was_read: view.was_read,
            memory_bytes: view.memory_bytes,
            idle_ms: view.idle_ms,
            frequency: view.frequency,
        }
    }

    /// The entry as a handler sees it.
    pub(crate) fn view(&self) -> View<'_> {
        View {
            key: &self.key,
            kind: self.kind,
            cost_ms: 0,
            value: match &self.value {
                OwnedValue::Bytes(bytes) => Value::Bytes(bytes),
                OwnedValue::Integer(integer) => Value::Integer(*integer),
            },
            encoding: self.encoding,
            expiry: self.expiry,
            client_flags: self.client_flags,
            version: self.version,
            is_stale: self.is_stale,
            was_read: self.was_read,
            memory_bytes: self.memory_bytes,
            idle_ms: self.idle_ms,
            frequency: self.frequency,
        }
    }
}

/// An atomic command under way, at its client's thread.
pub(crate) struct Atomic {
    /// Who calls.
    pub caller: Caller,
    /// Where the reply goes.
    pub hole: HoleId,
    /// The command.
    pub entry: Entry,
    /// The request.
    pub request: OwnedRequest,
    /// The keys it holds, and what was read of them.
    pub planned: Vec<PlannedKey>,
    /// By place in the plan: which shard owns the key.
    pub owners: Vec<u16>,
    /// The shards that take part, ascending.
    pub shards: Vec<u16>,
    /// How many of them hold their keys.
    pub locked_count: usize,
    /// By place in the plan: what was read.
    pub reads: Vec<Option<EntryCopy>>,
    /// By place in `shards`: bytes of the log that are set aside.
    pub log_bytes: Vec<u64>,
    /// What was decided, by shard.
    pub effects: Vec<(u16, Vec<Effect<'static>>)>,
    /// The reply to the client.
    pub reply: Vec<u8>,
    /// Shards that have not said yet whether there is room.
    pub unreserved_count: usize,
    /// What one of them said that has none.
    pub refusal: Option<Failure>,
    /// Shards that have not said yet that their changes are logged.
    pub unfinished_count: usize,
}

impl Atomic {
    /// What the next shard is to hold.
    pub(crate) fn next_lock(&self, id: AtomicId) -> (u16, Box<AtomicLock>) {
        let shard = self.shards[self.locked_count];
        let args = self.request.args();
        let numbered = self.planned.iter().zip(&self.owners).enumerate();
        let keys = numbered.filter(|(_, (_, owner))| **owner == shard).map(|(planned, (key, _))| LockKey {
            db: key.db,
            key: Box::from(args[key.argument]),
            read: key.read,
            planned,
        });
        (shard, Box::new(AtomicLock { id, keys: keys.collect() }))
    }
}

/// The atomic commands under way of one thread's clients.
#[derive(Default)]
pub(crate) struct Atomics {
    under_way: HashMap<u64, Box<Atomic>>,
    serial_next: u64,
}

impl Atomics {
    /// Keeps `atomic`; returns its number.
    pub(crate) fn insert(&mut self, atomic: Atomic) -> u64 {
        let serial = self.serial_next;
        self.serial_next += 1;
        self.under_way.insert(serial, Box::new(atomic));
        serial
    }

    /// Keeps a command again that was taken out for a moment.
    pub(crate) fn put_back(&mut self, serial: u64, atomic: Box<Atomic>) {
        self.under_way.insert(serial, atomic);
    }

    /// The command with this number.
    ///
    /// # Panics
    /// When there is none: a shard answers only what it was asked.
    pub(crate) fn get_mut(&mut self, serial: u64) -> &mut Atomic {
        self.under_way.get_mut(&serial).expect("an answered command is under way")
    }

    /// Takes out the command with this number.
    ///
    /// # Panics
    /// When there is none.
    pub(crate) fn remove(&mut self, serial: u64) -> Box<Atomic> {
        self.under_way.remove(&serial).expect("an answered command is under way")
    }
}

/// The change without borrows, fit to travel.
pub(crate) fn into_owned(effect: Effect<'_>) -> Effect<'static> {
    match effect {
        Effect::Put { db, key, value, encoding, expiry, client_flags, is_stale } => Effect::Put {
            db,
            key: Cow::Owned(key.into_owned()),
            value: Cow::Owned(value.into_owned()),
            encoding,
            expiry,
            client_flags,
            is_stale,
        },
        Effect::Delete { db, key } => Effect::Delete { db, key: Cow::Owned(key.into_owned()) },
    }
}
