//! Commands that read and write keys of several shards as one step.
//!
//! ```text
//! home                        shard 0              shard 2
//!  │ lock keys, read ───────────▶│ holds
//!  │◀─────────── what they hold ─│
//!  │ lock keys, read ────────────────────────────────▶│ holds
//!  │◀─────────────────────────────── what they hold ─ │
//!  │ decides
//!  │ (with a memory limit: reserve, and wait for yes of all)
//!  │ finish: changes ───────────▶│ writes, releases   │
//!  │ finish: changes ────────────────────────────────▶│ writes, releases
//!  │ replies
//! ```
//!
//! Shards are locked in ascending order, each all or nothing. The reply need not wait for the writes: nobody reads a
//! held key before they are made. A transaction of several commands fits the same frame: it plans the keys of all its
//! commands, and decides by running them in order over what was read.

use std::borrow::Cow;

use hashbrown::HashMap;
use locksley_engine::{Db, Encoding, Entry as View, Millis, Value};

use super::parcel::{HoleId, OwnedRequest};
use crate::command::context::Caller;
use crate::command::effect::Effect;
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
}

/// The changes of one shard; keys are released after them.
#[derive(Debug)]
pub(crate) struct AtomicFinish {
    /// For whom.
    pub id: AtomicId,
    /// The changes, in order.
    pub effects: Vec<Effect<'static>>,
}

/// An entry that was read for another thread.
#[derive(Clone, Debug)]
pub(crate) struct EntryCopy {
    key: Box<[u8]>,
    value: OwnedValue,
    encoding: Encoding,
    expiry: Option<Millis>,
    client_flags: u32,
    version: u64,
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
            value,
            encoding: view.encoding,
            expiry: view.expiry,
            client_flags: view.client_flags,
            version: view.version,
            memory_bytes: view.memory_bytes,
            idle_ms: view.idle_ms,
            frequency: view.frequency,
        }
    }

    /// The entry as a handler sees it.
    pub(crate) fn view(&self) -> View<'_> {
        View {
            key: &self.key,
            value: match &self.value {
                OwnedValue::Bytes(bytes) => Value::Bytes(bytes),
                OwnedValue::Integer(integer) => Value::Integer(*integer),
            },
            encoding: self.encoding,
            expiry: self.expiry,
            client_flags: self.client_flags,
            version: self.version,
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
    /// What was decided, by shard.
    pub effects: Vec<(u16, Vec<Effect<'static>>)>,
    /// The reply to the client.
    pub reply: Vec<u8>,
    /// Shards that have not said yet whether there is memory.
    pub unreserved_count: usize,
    /// Whether one of them said no.
    pub is_refused: bool,
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
        Effect::Put { db, key, value, encoding, expiry, client_flags } => Effect::Put {
            db,
            key: Cow::Owned(key.into_owned()),
            value: Cow::Owned(value.into_owned()),
            encoding,
            expiry,
            client_flags,
        },
        Effect::Delete { db, key } => Effect::Delete { db, key: Cow::Owned(key.into_owned()) },
    }
}
