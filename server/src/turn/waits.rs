//! Clients whose reply waits for something that takes long; see [`crate::command::wait`].

use locksley_engine::Millis;
use locksley_wire::resp::Reply;

use super::desk::Desk;
use super::hand::{Hand, Sink};
use super::inbox::Origin;
use crate::command::context::{Caller, Context};
use crate::command::execute::{begin_wait, conclude};
use crate::command::row::Args;
use crate::command::table::Entry;
use crate::command::wait::{Over, Wait};
use crate::reactor::connection::State;
use crate::router::parcel::{HoleId, OwnedRequest};

/// A reply that is waited for.
pub(crate) struct Waiting {
    caller: Caller,
    hole: HoleId,
    entry: Entry,
    request: OwnedRequest,
    wait: Wait,
}

impl Desk {
    /// Runs a request that may have to wait; the client's next request waits with it.
    #[cold]
    pub(super) fn run_wait(&mut self, hand: &mut Hand, entry: Entry, args: Args<'_>, sink: &mut Sink) {
        self.note_command(hand, entry);
        self.connections.get(hand.caller.slot.0).state.remove(State::DRAINING);
        let mut reply = Reply::new(&mut sink.buffer, hand.caller.protocol);
        let wait = begin_wait(&mut self.thread, hand.caller, entry, args, &mut reply);
        if let Some(wait) = wait {
            let hole = self.open_hole(hand, sink);
            self.connections.get(hand.caller.slot.0).state.insert(State::HELD);
            let request = OwnedRequest::new(args.iter().copied());
            self.waits.push(Waiting { caller: hand.caller, hole, entry, request, wait });
        }
        self.obey();
        *hand = Hand::of(&mut self.thread, hand.caller.slot);
    }

    /// Replies to those that waited long enough, and forgets clients that are gone.
    #[inline]
    pub(super) fn look_at_waits(&mut self) {
        if !self.waits.is_empty() {
            self.end_waits();
        }
    }

    /// When the first deadline of those that wait comes.
    pub(super) fn next_deadline(&self) -> Option<Millis> {
        self.waits.iter().filter_map(|waiting| waiting.wait.deadline).min()
    }

    #[cold]
    fn end_waits(&mut self) {
        let mut index = 0;
        while index < self.waits.len() {
            let HoleId { slot, generation, .. } = self.waits[index].hole;
            let connection = self.connections.get_same(slot, generation);
            if connection.is_none_or(|connection| connection.state.contains(State::CLOSING)) {
                self.waits.swap_remove(index);
                continue;
            }
            match self.waits[index].wait.over(&self.thread.shared.persist, self.thread.now) {
                Some(over) => {
                    let waiting = self.waits.swap_remove(index);
                    self.end_wait(&waiting, over);
                }
                None => index += 1,
            }
        }
    }

    fn end_wait(&mut self, waiting: &Waiting, over: Over) {
        let Waiting { caller, hole, entry, request, wait } = waiting;
        let args = request.args();
        let mut bytes = self.pool.take();
        let mut reply = Reply::new(&mut bytes, caller.protocol);
        let mut context = Context { thread: &mut self.thread, caller: *caller };
        let outcome = (wait.then)(&mut context, &args, over, &mut reply);
        if outcome.is_err() {
            reply.truncate(0);
        }
        conclude(&mut self.thread, *caller, *entry, &args, outcome, &mut reply);
        if let Some(connection) = self.connections.get_same(hole.slot, hole.generation) {
            connection.state.remove(State::HELD);
        }
        self.fill(*hole, &bytes, Origin::Here);
        self.pool.give(bytes);
        self.obey();
    }
}
