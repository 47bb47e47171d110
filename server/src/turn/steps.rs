//! The steps of atomic commands: those of the shards that hold keys, and those of the client's thread.
//!
//! See [`crate::router::atomic`] for the whole picture.

use locksley_wire::resp::Reply;

use super::desk::Desk;
use crate::command::effect::Effect;
use crate::command::execute::conclude;
use crate::command::failure::Failure;
use crate::command::row::{DecideInput, PlanRead, Run};
use crate::reactor::connection::State;
use crate::router::atomic::{AtomicFinish, AtomicGrant, AtomicId, AtomicLock, EntryCopy, into_owned};
use crate::router::locks::Waiting;
use crate::router::parcel::Message;
use crate::router::route::owner;

impl Desk {
    // Steps at a shard that holds keys.

    /// Holds keys for an atomic command, now or when they are free.
    pub(crate) fn lock_here(&mut self, lock: Box<AtomicLock>) {
        let keys = || lock.keys.iter().map(|key| &*key.key);
        if !self.locks.is_idle() && self.locks.blocks(keys()) {
            let keys: Vec<Box<[u8]>> = keys().map(Box::from).collect();
            self.locks.park(keys.iter().map(|key| &**key), Waiting::Lock(lock));
            return;
        }
        self.grant(&lock);
    }

    /// Holds keys that are free, reads them and tells the client's thread.
    pub(crate) fn grant(&mut self, lock: &AtomicLock) {
        self.locks.hold(lock.keys.iter().map(|key| &*key.key), lock.id);
        let (shard, now) = (&self.thread.shard, self.thread.now);
        let read = |key: &crate::router::atomic::LockKey| {
            let entry = match key.read {
                PlanRead::Nothing => None,
                PlanRead::Presence | PlanRead::Value => shard.peek(shard.key(key.db, &key.key), now),
            };
            (key.planned, entry.map(|entry| EntryCopy::new(&entry, key.read)))
        };
        let grant = AtomicGrant { id: lock.id, reads: lock.keys.iter().map(read).collect() };
        if self.is_home(grant.id.home) {
            self.locked(grant);
        } else {
            self.post.push(grant.id.home.0, Message::Locked(Box::new(grant)));
        }
    }

    /// Sets memory aside for an atomic command.
    pub(crate) fn reserve_here(&mut self, id: AtomicId, bytes: u64) {
        let is_granted = self.thread.shard.reserve(bytes, self.thread.now).is_ok();
        if is_granted {
            self.reserved.insert(id, bytes);
        }
        if self.is_home(id.home) {
            self.reserved(id, is_granted);
        } else {
            self.post.push(id.home.0, Message::Reserved { id, is_granted });
        }
    }

    /// Carries out what was decided and lets go of the keys.
    pub(crate) fn finish_here(&mut self, finish: &AtomicFinish) {
        self.reserved.remove(&finish.id);
        for effect in &finish.effects {
            if let Err(refusal) = effect.apply(&mut self.thread.shard, self.thread.now) {
                tracing::error!("a change that was decided on could not be made: {refusal:?}");
            }
        }
        self.locks.release(finish.id);
        self.is_released = true;
    }

    // Steps at the client's thread.

    /// Asks the next shard to hold its keys.
    pub(crate) fn lock_next(&mut self, serial: u64) {
        let id = AtomicId { home: self.thread.id, serial };
        let (shard, lock) = self.atomics.get_mut(serial).next_lock(id);
        if shard == self.thread.id.0 {
            self.lock_here(lock);
        } else {
            self.post.push(shard, Message::Lock(lock));
        }
    }

    /// A shard holds its keys.
    pub(crate) fn locked(&mut self, grant: AtomicGrant) {
        let serial = grant.id.serial;
        let atomic = self.atomics.get_mut(serial);
        for (planned, read) in grant.reads {
            atomic.reads[planned] = read;
        }
        atomic.locked_count += 1;
        if atomic.locked_count < atomic.shards.len() {
            self.lock_next(serial);
        } else {
            self.decide(serial);
        }
    }

    /// All keys are held: decides, and goes on to reserve or finish.
    fn decide(&mut self, serial: u64) {
        let shard_count = self.thread.shared.shard_count;
        let mut atomic = self.atomics.remove(serial);
        let args = atomic.request.args();
        let reads: Vec<_> = atomic.reads.iter().map(|read| read.as_ref().map(EntryCopy::view)).collect();
        let input = DecideInput { args: &args, db: atomic.caller.db, reads: &reads };
        let mut effects = Vec::new();
        let mut bytes = Vec::new();
        let mut reply = Reply::new(&mut bytes, atomic.caller.protocol);
        let Run::Atomic { decide, .. } = &atomic.entry.row.run else { unreachable!("only these are under way") };
        let outcome = decide(&input, &mut effects, &mut reply).and_then(|()| check_lengths(&effects));
        if outcome.is_err() {
            effects.clear();
            reply.truncate(0);
        }
        conclude(&mut self.thread, atomic.caller, atomic.entry, &args, outcome, &mut reply);
        let mut by_shard: Vec<(u16, Vec<Effect<'static>>)> =
            atomic.shards.iter().map(|shard| (*shard, Vec::new())).collect();
        for effect in effects {
            let shard = owner(effect.key(), shard_count);
            let place = by_shard.iter_mut().find(|(other, _)| *other == shard);
            place.expect("changes are of planned keys").1.push(into_owned(effect));
        }
        drop((reads, args));
        atomic.effects = by_shard;
        atomic.reply = bytes;
        let id = AtomicId { home: self.thread.id, serial };
        self.atomics.put_back(serial, atomic);
        self.reserve_all(id);
    }

    /// With a memory limit, asks all shards that will write whether they can; without, finishes.
    fn reserve_all(&mut self, id: AtomicId) {
        let atomic = self.atomics.get_mut(id.serial);
        let needs: Vec<(u16, u64)> = atomic
            .effects
            .iter()
            .map(|(shard, effects)| (*shard, effects.iter().map(Effect::memory_bytes).sum::<u64>()))
            .filter(|(_, bytes)| *bytes > 0)
            .collect();
        if self.thread.config.maxmemory == 0 || needs.is_empty() {
            return self.finish_all(id);
        }
        atomic.unreserved_count = needs.len();
        for (shard, bytes) in needs {
            if shard == self.thread.id.0 {
                self.reserve_here(id, bytes);
            } else {
                self.post.push(shard, Message::Reserve { id, bytes });
            }
        }
    }

    /// A shard said whether it has the memory.
    pub(crate) fn reserved(&mut self, id: AtomicId, is_granted: bool) {
        let atomic = self.atomics.get_mut(id.serial);
        atomic.is_refused |= !is_granted;
        atomic.unreserved_count -= 1;
        if atomic.unreserved_count == 0 {
            self.finish_all(id);
        }
    }

    /// Sends every shard its changes, and the client its reply.
    fn finish_all(&mut self, id: AtomicId) {
        let mut atomic = self.atomics.remove(id.serial);
        if atomic.is_refused {
            atomic.reply.clear();
            let failure = Failure::OUT_OF_MEMORY;
            self.thread.counters.count_failure(atomic.entry.index(), failure.code());
            Reply::new(&mut atomic.reply, atomic.caller.protocol).error(failure.text());
            atomic.effects.iter_mut().for_each(|(_, effects)| effects.clear());
        }
        for (shard, effects) in std::mem::take(&mut atomic.effects) {
            let finish = AtomicFinish { id, effects };
            if shard == self.thread.id.0 {
                self.finish_here(&finish);
            } else {
                self.post.push(shard, Message::Finish(Box::new(finish)));
            }
        }
        self.owed_count -= 1;
        if let Some(connection) = self.connections.get_same(atomic.hole.slot, atomic.hole.generation) {
            connection.state.remove(State::HELD);
        }
        self.fill(atomic.hole, &atomic.reply);
    }
}

/// Refuses changes that no shard would take.
fn check_lengths(effects: &[Effect<'_>]) -> Result<(), Failure> {
    use locksley_engine::Refusal;
    use locksley_engine::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
    for effect in effects {
        let Effect::Put { key, value, .. } = effect else { continue };
        if key.len() > KEY_BYTES_MAX {
            return Err(Refusal::KeyTooLong { bytes: key.len() }.into());
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(Refusal::ValueTooLong { bytes: value.len() }.into());
        }
    }
    Ok(())
}
