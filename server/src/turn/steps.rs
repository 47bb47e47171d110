//! The steps of atomic commands: those of the shards that hold keys, and those of the client's thread.
//!
//! See [`crate::router::atomic`] for the whole picture.

use locksley_wire::resp::Reply;

use super::desk::Desk;
use super::inbox::Origin;
use crate::command::effect::{Effect, check_effects, log_bytes};
use crate::command::execute::conclude;
use crate::command::failure::Failure;
use crate::command::row::{DecideInput, PlanRead, Run};
use crate::reactor::connection::State;
use crate::router::atomic::{Atomic, AtomicFinish, AtomicGrant, AtomicId, AtomicLock, EntryCopy, Needs, into_owned};
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
        // One that was on its way when the shard began to be filled holds its keys like any other, so that it ends.
        let is_loading = self.thread.is_loading;
        let reads = if is_loading { Vec::new() } else { lock.keys.iter().map(read).collect() };
        let log_bytes = self.set_log_aside(lock.id);
        let grant = AtomicGrant { id: lock.id, reads, log_bytes, is_loading };
        if self.is_home(grant.id.home) {
            self.locked(grant);
        } else {
            self.post.push(grant.id.home.0, Message::Locked(Box::new(grant)));
        }
    }

    /// Sets aside as much of the log as a small command takes, if that is there; says how much.
    fn set_log_aside(&mut self, id: AtomicId) -> u64 {
        if self.thread.shard.log().is_none() {
            return u64::MAX;
        }
        let log_bytes = LOG_BYTES_GRANTED + LOG_BYTES_SPARE;
        if !self.thread.shard.has_log_room(log_bytes + self.thread.log_reserved_bytes) {
            return 0;
        }
        self.set_aside(id, Needs { memory_bytes: 0, log_bytes });
        LOG_BYTES_GRANTED
    }

    fn set_aside(&mut self, id: AtomicId, needs: Needs) {
        self.thread.log_reserved_bytes += needs.log_bytes;
        self.reserved.insert(id, needs);
    }

    /// Sets room aside for what an atomic command is going to write.
    pub(crate) fn reserve_here(&mut self, id: AtomicId, needs: Needs) {
        self.give_back(id);
        let needs = Needs { log_bytes: needs.log_bytes + LOG_BYTES_SPARE, ..needs };
        let reserved = self.reserve(needs);
        if reserved.is_ok() {
            self.set_aside(id, needs);
        }
        let refusal = reserved.err().map(Box::new);
        if self.is_home(id.home) {
            self.reserved(id, refusal);
        } else {
            self.post.push(id.home.0, Message::Reserved { id, refusal });
        }
    }

    fn reserve(&mut self, needs: Needs) -> Result<(), Failure> {
        if needs.memory_bytes > 0 {
            self.thread.shard.reserve(needs.memory_bytes, self.thread.now)?;
        }
        self.thread.ensure_log_room(needs.log_bytes)
    }

    /// Takes back what was set aside for a command.
    fn give_back(&mut self, id: AtomicId) {
        if let Some(needs) = self.reserved.remove(&id) {
            self.thread.log_reserved_bytes -= needs.log_bytes;
        }
    }

    /// Carries out what was decided and lets go of the keys.
    ///
    /// # Panics
    /// When the shard refuses: other shards may have made their part, so there is no way back.
    pub(crate) fn finish_here(&mut self, finish: &AtomicFinish) {
        self.give_back(finish.id);
        if !finish.effects.is_empty() {
            let room = self.thread.ensure_log_room(log_bytes(&finish.effects, &self.thread.shard));
            assert!(room.is_ok(), "room in the log was set aside for what was decided on: {room:?}");
            let applied = self.thread.apply_decided(&finish.effects);
            assert!(applied.is_ok(), "a change that was decided on could not be made: {applied:?}");
        }
        self.locks.release(finish.id);
        self.is_released = true;
        if !finish.is_awaited {
            return;
        }
        if self.is_home(finish.id.home) {
            self.finished(finish.id);
        } else {
            self.post.answers(finish.id.home.0).messages.push(Message::Finished { id: finish.id });
        }
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
        atomic.log_bytes.push(grant.log_bytes);
        if grant.is_loading {
            atomic.refusal = Some(Failure::LOADING);
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
        let outcome = match atomic.refusal.take() {
            Some(failure) => Err(failure),
            None => decide(&input, &mut effects, &mut reply)
                .and_then(|()| Ok(check_effects(&effects, &self.thread.shard.options().ttl)?)),
        };
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

    /// With a memory limit, or where more of the log is needed than was set aside, asks the shards that will write
    /// whether they can; else finishes.
    fn reserve_all(&mut self, id: AtomicId) {
        let has_limit = self.thread.config.maxmemory != 0;
        let atomic = self.atomics.get_mut(id.serial);
        let granted = atomic.log_bytes.iter();
        let needs: Vec<(u16, Needs)> = atomic
            .effects
            .iter()
            .zip(granted)
            .map(|((shard, effects), granted)| (*shard, Needs::of(effects), *granted))
            .filter(|(_, needs, granted)| has_limit && needs.memory_bytes > 0 || needs.log_bytes > *granted)
            .map(|(shard, needs, _)| (shard, needs))
            .collect();
        if needs.is_empty() {
            return self.finish_all(id);
        }
        atomic.unreserved_count = needs.len();
        for (shard, needs) in needs {
            if shard == self.thread.id.0 {
                self.reserve_here(id, needs);
            } else {
                self.post.push(shard, Message::Reserve { id, needs });
            }
        }
    }

    /// A shard has set room aside, or said why not.
    pub(crate) fn reserved(&mut self, id: AtomicId, refusal: Option<Box<Failure>>) {
        let atomic = self.atomics.get_mut(id.serial);
        atomic.refusal = atomic.refusal.take().or(refusal.map(|refusal| *refusal));
        atomic.unreserved_count -= 1;
        if atomic.unreserved_count == 0 {
            self.finish_all(id);
        }
    }

    /// Sends every shard its changes, and the client its reply, unless that has to wait until they are logged.
    fn finish_all(&mut self, id: AtomicId) {
        let mut atomic = self.atomics.remove(id.serial);
        if let Some(failure) = atomic.refusal.take() {
            atomic.reply.clear();
            self.thread.counters.count_failure(atomic.entry.index(), failure.code());
            Reply::new(&mut atomic.reply, atomic.caller.protocol).error(failure.text());
            atomic.effects.iter_mut().for_each(|(_, effects)| effects.clear());
        }
        let is_awaited = self.thread.config.appendonly;
        let effects = std::mem::take(&mut atomic.effects);
        atomic.unfinished_count = effects.len();
        let hole = atomic.hole;
        if let Some(connection) = self.connections.get_same(hole.slot, hole.generation) {
            connection.state.remove(State::HELD);
        }
        // The next request may run: it reaches every shard after the changes do.
        self.unstall = true;
        if is_awaited {
            self.atomics.put_back(id.serial, atomic);
        } else {
            self.answer_atomic(&atomic);
        }
        for (shard, effects) in effects {
            let finish = AtomicFinish { id, effects, is_awaited };
            if shard == self.thread.id.0 {
                self.finish_here(&finish);
            } else {
                self.post.push(shard, Message::Finish(Box::new(finish)));
            }
        }
    }

    /// The changes of one shard are made and logged.
    pub(crate) fn finished(&mut self, id: AtomicId) {
        let atomic = self.atomics.get_mut(id.serial);
        atomic.unfinished_count -= 1;
        if atomic.unfinished_count == 0 {
            let atomic = self.atomics.remove(id.serial);
            self.answer_atomic(&atomic);
        }
    }

    fn answer_atomic(&mut self, atomic: &Atomic) {
        self.owed_count -= 1;
        self.fill(atomic.hole, &atomic.reply, Origin::Here);
    }
}

/// Bytes of the log that are set aside with the lock of a shard's keys.
const LOG_BYTES_GRANTED: u64 = 64 * 1024;

/// Bytes that are set aside besides: removals by expiry and eviction do not ask, and go on until the changes are made.
const LOG_BYTES_SPARE: u64 = 64 * 1024;
