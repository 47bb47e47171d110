//! Requests that wait for a key of this shard, its own clients' and those of other threads; see [`crate::command::park`].
//!
//! ```text
//! home                                     owner of the key
//! request may wait: hole, client held ───▶ first attempt: waits
//!   (its later requests wait)              ... key touched, lease or lock over, deadline ...
//! hole filled, client goes on ◀─────────── another attempt: replies
//! client closes: Gone ───────────────────▶ waits no longer, its leases end, the next one is served
//! ```
//!
//! A client has one such request at a time, since it is held meanwhile. Replies that nobody waits for any more are sent
//! as empty ones, so that each thread knows what it is owed.

use locksley_wire::resp::Reply;

use super::desk::Desk;
use super::hand::{Hand, Sink};
use super::inbox::Origin;
use crate::client::{ClientId, ClientSlot};
use crate::command::context::Caller;
use crate::command::execute::execute_parkable;
use crate::command::lease;
use crate::command::park::{Attempt, Parking};
use crate::command::row::{Args, Keys, Run};
use crate::command::table::Entry;
use crate::reactor::connection::State;
use crate::router::parcel::{HoleId, Message, OwnedRequest, Token};
use crate::thread::Thread;
use crate::waiters::WaiterId;

/// A request that waits for its key.
pub(crate) struct Parked {
    caller: Caller,
    token: Token,
    entry: Entry,
    request: OwnedRequest,
}

impl Desk {
    /// Runs a request of this thread's client that may have to wait for its key, which this shard owns.
    #[inline]
    pub(super) fn run_parkable(&mut self, hand: &mut Hand, entry: Entry, args: Args<'_>, sink: &mut Sink) {
        let mut reply = Reply::new(&mut sink.buffer, hand.caller.protocol);
        let parking = execute_parkable(&mut self.thread, hand.caller, entry, args, Attempt::First, &mut reply);
        if let Some(parking) = parking {
            self.note_command(hand, entry);
            let hole = self.open_hole(hand, sink);
            self.owed_count += 1;
            self.park_request(hand.caller, Token::Hole(hole), entry, args, parking);
            if self.parked_by_client.contains_key(&hand.caller.id) {
                self.hold_client(hole);
            }
        }
    }

    /// Runs such a request of another thread's client, or one that had to wait for an atomic command before.
    #[inline]
    pub(super) fn run_parkable_for(&mut self, caller: Caller, token: Token, entry: Entry, args: Args<'_>) {
        let mut bytes = self.pool.take();
        let mut reply = Reply::new(&mut bytes, caller.protocol);
        match execute_parkable(&mut self.thread, caller, entry, args, Attempt::First, &mut reply) {
            Some(parking) => self.park_request(caller, token, entry, args, parking),
            None => self.answer_parked(caller, token, &bytes),
        }
        self.pool.give(bytes);
    }

    /// Holds back what a client sends until the hole is filled that a request left which may wait.
    pub(super) fn hold_client(&mut self, hole: HoleId) {
        let connection = self.connections.get(hole.slot);
        assert!(connection.awaited_hole.is_none(), "a client waits for one thing at a time");
        connection.awaited_hole = Some(hole.sequence);
        connection.state.insert(State::HELD);
        self.held_count += 1;
        if connection.state.contains(State::HALF_CLOSED) {
            // Who sends no more may be gone, and must not be given a lock.
            self.begin_close(hole.slot);
        }
    }

    /// Lets a client go on whose awaited hole is filled.
    pub(super) fn release_client(&mut self, slot: u32) {
        let connection = self.connections.get(slot);
        connection.awaited_hole = None;
        connection.state.remove(State::HELD);
        self.held_count -= 1;
        // It was silent because it waited: only from now on it can be idle.
        if let Some(client) = self.thread.clients.get_mut(ClientSlot(slot)) {
            client.active_at = self.thread.now;
        }
    }

    /// Runs what waits for keys that were touched or whose time has come.
    #[inline]
    pub(super) fn serve_waiters(&mut self) {
        self.thread.settle_touched();
        if !self.thread.waiters.is_empty() {
            self.run_waiters();
        }
    }

    /// Lets everybody who waits have an answer at once, since the server is about to stop.
    pub(super) fn end_waiters(&mut self) {
        for id in self.thread.waiters.all() {
            self.run_again(id, Attempt::Last);
        }
    }

    /// Tells every thread that a client of this one is gone: it waits no longer, and holds no lease.
    pub(super) fn tell_gone(&mut self, slot: u32) {
        let Some(client) = self.thread.clients.get_mut(ClientSlot(slot)) else { return };
        let (id, is_known_elsewhere) = (client.id, client.is_known_elsewhere);
        if self.connections.get(slot).awaited_hole.take().is_some() {
            self.held_count -= 1;
        }
        self.forget_client(id);
        if is_known_elsewhere {
            for target in (0..self.thread.shared.shard_count).filter(|target| *target != self.thread.id.0) {
                self.post.push(target, Message::Gone { client: id });
            }
        }
    }

    /// Drops the request with which a client waits here, and ends its leases.
    pub(super) fn forget_client(&mut self, client: ClientId) {
        lease::drop_holder(&mut self.thread, client);
        self.locks.forget(client);
        if let Some(id) = self.parked_by_client.get(&client).copied() {
            let parked = self.take_parked(id);
            self.answer_parked(parked.caller, parked.token, b"");
        }
    }

    /// Keeps a request until something changes for it, or answers it where nobody can wait any more.
    #[cold]
    fn park_request(&mut self, caller: Caller, token: Token, entry: Entry, args: Args<'_>, parking: Parking) {
        let key = args[first_key(entry)];
        let Thread { waiters, shard, .. } = &mut self.thread;
        let Some(id) = waiters.push(caller.db, key, parking) else {
            let mut bytes = self.pool.take();
            let mut reply = Reply::new(&mut bytes, caller.protocol);
            execute_parkable(&mut self.thread, caller, entry, args, Attempt::Last, &mut reply);
            self.answer_parked(caller, token, &bytes);
            return self.pool.give(bytes);
        };
        let key = shard.key(caller.db, key);
        shard.watch(key);
        let request = OwnedRequest::new(args.iter().copied());
        self.parked.insert(id, Parked { caller, token, entry, request });
        let other = self.parked_by_client.insert(caller.id, id);
        assert!(other.is_none(), "a client waits for one thing at a time");
    }

    #[cold]
    fn run_waiters(&mut self) {
        while let Some((id, attempt)) = self.thread.waiters.next(self.thread.now) {
            let parked = &self.parked[&id];
            if !self.locks.is_idle() && self.must_wait(parked.entry, &parked.request.args()) {
                // The key is held by an atomic command, after which there is another turn.
                return;
            }
            self.run_again(id, attempt);
            self.thread.settle_touched();
        }
    }

    /// Runs a request that has waited, and answers it unless it waits on.
    fn run_again(&mut self, id: WaiterId, attempt: Attempt) {
        let Parked { caller, token, entry, request } = &self.parked[&id];
        let (caller, token, args) = (*caller, *token, request.args());
        let mut bytes = self.pool.take();
        let mut reply = Reply::new(&mut bytes, caller.protocol);
        let parking = execute_parkable(&mut self.thread, caller, *entry, &args, attempt, &mut reply);
        if let Some(parking) = parking {
            let Thread { waiters, shard, .. } = &mut self.thread;
            let key = shard.key(caller.db, args[first_key(*entry)]);
            shard.watch(key);
            waiters.stay(id, parking.look_at);
        } else {
            self.take_parked(id);
            self.answer_parked(caller, token, &bytes);
        }
        self.pool.give(bytes);
    }

    /// Takes a request out of those that wait.
    fn take_parked(&mut self, id: WaiterId) -> Parked {
        let parked = self.parked.remove(&id).expect("who waits has a request");
        self.parked_by_client.remove(&parked.caller.id);
        self.thread.waiters.leave(id);
        self.thread.unwatch_unused(parked.caller.db, parked.request.args()[first_key(parked.entry)]);
        parked
    }

    /// Gives an answer to whoever waits for it, here or on another thread.
    pub(super) fn answer_parked(&mut self, caller: Caller, token: Token, bytes: &[u8]) {
        if self.is_home(caller.home) {
            self.owed_count -= 1;
            self.take_answer(token, bytes, Origin::Here);
            return;
        }
        let parcel = self.post.answers(caller.home.0);
        let start = parcel.bytes.len();
        parcel.bytes.extend_from_slice(bytes);
        parcel.messages.push(Message::Reply { token, bytes: start..start + bytes.len() });
    }
}

/// Whether a request is of the kind that waits for its key.
#[inline]
pub(super) fn may_wait(entry: Entry, args: Args<'_>) -> bool {
    matches!(entry.row.run, Run::Park { may_wait, .. } if may_wait(args))
}

/// Which argument is the key that is waited for.
fn first_key(entry: Entry) -> usize {
    let Keys::Range { first, .. } = entry.row.keys else { unreachable!("what waits for a key has one") };
    first
}
