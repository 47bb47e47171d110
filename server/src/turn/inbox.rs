//! What other threads say: requests for this shard, answers to ours, and the steps of atomic commands.

use bumpalo::Bump;
use locksley_wire::resp::Reply;

use super::desk::Desk;
use crate::command::context::Caller;
use crate::command::execute::{Joined, execute, execute_part, join};
use crate::command::row::{Args, Run};
use crate::command::table::Entry;
use crate::reactor::connection::State;
use crate::router::locks::Waiting;
use crate::router::parcel::{HoleId, Hop, Message, Parcel, Token};
use crate::thread::ShardId;

/// Where a reply was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// On this thread, wholly or in part.
    Here,
    /// On another, which let it leave when it could.
    Elsewhere,
}

impl Desk {
    /// Reads a parcel of thread `source` and does what it says.
    pub(crate) fn read_parcel(&mut self, source: u16, mut parcel: Box<Parcel>, bump: &Bump) {
        let mut messages = std::mem::take(&mut parcel.messages);
        self.prefetch_parcel(&parcel, &messages);
        for message in messages.drain(..) {
            match message {
                Message::Run(hop) => self.run_hop(&hop, &parcel, bump),
                Message::Reply { token, bytes } => {
                    self.owed_count -= 1;
                    self.take_answer(token, &parcel.bytes[bytes], Origin::Elsewhere);
                }
                Message::Lock(lock) => self.lock_here(lock),
                Message::Locked(grant) => self.locked(*grant),
                Message::Reserve { id, needs } => self.reserve_here(id, needs),
                Message::Reserved { id, refusal } => self.reserved(id, refusal),
                Message::Finish(finish) => self.finish_here(&finish),
                Message::Finished { id } => self.finished(id),
                Message::Gone { client } => self.forget_client(client),
                Message::Monitor(line) => self.show_line(&parcel.bytes[line]),
            }
        }
        debug_assert_ne!(source, self.thread.id.0);
        parcel.messages = messages;
        self.post.keep(parcel);
        self.obey();
        self.run_released();
    }

    /// Runs a request of another thread's client and answers.
    #[inline]
    fn run_hop(&mut self, hop: &Hop, parcel: &Parcel, bump: &Bump) {
        let entry = self.table.entries()[usize::from(hop.entry)];
        let args: Args<'_> = bump.alloc_slice_fill_iter(parcel.args(hop));
        if !self.locks.is_idle() && self.must_wait(entry, args) {
            return self.park(hop.caller, hop.token, entry, args);
        }
        self.run_for(hop.caller, hop.token, entry, args);
    }

    /// Runs a request of another thread's client, whose keys are free, and answers.
    #[inline]
    fn run_for(&mut self, caller: Caller, token: Token, entry: Entry, args: Args<'_>) {
        if matches!(entry.row.run, Run::Park { .. }) {
            return self.run_parkable_for(caller, token, entry, args);
        }
        self.thread.counters.load.hops_answered += 1;
        let Desk { thread, post, .. } = self;
        let parcel = post.answers(caller.home.0);
        let start = parcel.bytes.len();
        let mut reply = Reply::new(&mut parcel.bytes, caller.protocol);
        match token {
            Token::Hole(_) => execute(thread, caller, entry, args, &mut reply),
            Token::Part { .. } => execute_part(thread, caller, entry, args, &mut reply),
        }
        let bytes = start..parcel.bytes.len();
        parcel.messages.push(Message::Reply { token, bytes });
    }

    /// Runs all that waited for keys and waits no longer.
    #[inline]
    pub(crate) fn run_released(&mut self) {
        while std::mem::take(&mut self.is_released) {
            while let Some(waiting) = self.locks.next_free() {
                self.run_waiting(waiting);
            }
        }
    }

    fn run_waiting(&mut self, waiting: Waiting) {
        match waiting {
            Waiting::Lock(lock) => self.grant(&lock),
            Waiting::Gone { caller, token } => self.answer_parked(caller, token, b""),
            Waiting::Request { caller, token, entry, request }
                if caller.home != self.thread.id || matches!(entry.row.run, Run::Park { .. }) =>
            {
                self.run_for(caller, token, entry, &request.args());
            }
            Waiting::Request { caller, token, entry, request } => {
                let mut bytes = self.pool.take();
                let mut reply = Reply::new(&mut bytes, caller.protocol);
                match token {
                    Token::Hole(_) => execute(&mut self.thread, caller, entry, &request.args(), &mut reply),
                    Token::Part { .. } => {
                        execute_part(&mut self.thread, caller, entry, &request.args(), &mut reply);
                    }
                }
                self.owed_count -= 1;
                self.take_answer(token, &bytes, Origin::Here);
                self.pool.give(bytes);
            }
        }
    }

    /// Puts an answer where it was waited for.
    #[inline]
    pub(super) fn take_answer(&mut self, token: Token, bytes: &[u8], origin: Origin) {
        match token {
            Token::Hole(hole) => self.fill(hole, bytes, origin),
            Token::Part { gather, part } => self.take_part(gather, part, bytes),
        }
    }

    /// Fills a connection's hole, if the client is still there.
    #[inline]
    pub(crate) fn fill(&mut self, hole: HoleId, bytes: &[u8], origin: Origin) {
        let Some(connection) = self.connections.get_same(hole.slot, hole.generation) else { return };
        if connection.state.contains(State::CLOSING) {
            return;
        }
        if connection.output.capacity() == 0 {
            connection.output = self.pool.take();
        }
        let start = connection.output.len();
        connection.holes.fill(hole.sequence, bytes, &mut connection.output);
        let grown_bytes = connection.output.len() - start;
        // What came whole from a shard that held it back itself need not wait here; replies behind it may have to.
        let is_settled = origin == Origin::Elsewhere && grown_bytes <= bytes.len();
        connection.taint_if(grown_bytes > 0 && !is_settled);
        self.unstall |= connection.state.contains(State::STALLED);
        if connection.awaited_hole == Some(hole.sequence) {
            self.release_client(hole.slot);
        }
        self.limit_output(hole.slot);
        self.mark_dirty(hole.slot);
    }

    /// Notes one part of a reply, and makes the reply when it was the last.
    fn take_part(&mut self, gather: u32, part: u32, bytes: &[u8]) {
        let Some(gather) = self.gathers.answer(gather, part, bytes) else { return };
        if matches!(gather.entry.row.run, Run::Survey { .. }) {
            // One that did not ask a shard which is silent has no part of it.
            return self.end_survey(&gather);
        }
        let args = gather.request.args();
        let parts = gather.reply_parts();
        let mut bytes = self.pool.take();
        let mut reply = Reply::new(&mut bytes, gather.caller.protocol);
        join(
            &mut self.thread,
            gather.caller,
            gather.entry,
            gather.join,
            &args,
            &Joined { parts: &parts, silent: &[] },
            &mut reply,
        );
        self.fill(gather.hole, &bytes, Origin::Here);
        self.pool.give(bytes);
    }

    /// Whether `home` is this thread.
    pub(crate) fn is_home(&self, home: ShardId) -> bool {
        home == self.thread.id
    }
}
