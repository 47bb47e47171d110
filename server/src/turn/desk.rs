//! Where requests are run: the thread's shard and clients, and the connections that replies go to.
//!
//! The desk has no ring: what it wants of the kernel (send, close, read again) it notes in lists that the loop works
//! off at the end of the turn.

use locksley_engine::Touch;
use locksley_wire::resp::Reply;

use crate::client::{Client, ClientSlot, ReplyMode};
use crate::command::context::Caller;
use crate::command::execute::execute;
use crate::command::failure::Failure;
use crate::command::row::{Flags, Run as Runs};
use crate::command::table::{Entry, Lookup};
use crate::frontend::refusal;
use crate::frontend::resp::{Batch, Request, Run};
use crate::reactor::connection::{Connections, Pool, State};
use crate::reactor::limits::OUTPUT_PAUSE_BYTES;
use crate::thread::{Order, Thread};

/// What requests run on.
pub(crate) struct Desk {
    /// Shard, clients, counters.
    pub thread: Thread,
    /// The connections.
    pub connections: Connections,
    /// Buffers to write replies to.
    pub pool: Pool,
    /// Connections that have something to send.
    pub dirty: Vec<u32>,
    /// Connections whose requests are held back.
    pub stalled: Vec<u32>,
    /// Connections that are to be closed.
    pub closing: Vec<u32>,
    /// The server is to stop.
    pub is_stopping: bool,
}

/// A run that was not run to its end.
pub(crate) struct Stop {
    /// Which of the ready inputs.
    pub ready: usize,
    /// Where in it the first request begins that did not run.
    pub position: usize,
}

/// Whether the next request of a connection may run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Run,
    Hold,
    Drop,
}

impl Desk {
    /// Runs all requests of `batch` in order; what is held back goes to `stops`.
    pub(crate) fn run(&mut self, batch: &Batch<'_>, stops: &mut Vec<Stop>) {
        for run in &batch.runs {
            let requests = &batch.requests[run.first..run.end];
            if let Some(position) = self.run_connection(run, requests) {
                stops.push(Stop { ready: run.ready, position });
            }
        }
    }

    /// Runs the requests of one connection; returns where the first begins that was held back.
    fn run_connection(&mut self, run: &Run, requests: &[Request<'_>]) -> Option<usize> {
        let slot = run.slot;
        let connection = self.connections.get(slot);
        if !connection.is_serving() {
            return None;
        }
        let mut output = std::mem::take(&mut connection.output);
        if output.capacity() == 0 {
            output = self.pool.take();
        }
        let mut held = None;
        let mut done_count = 0;
        let mut caller = self.caller(slot);
        for request in requests {
            match self.next(slot, output.len()) {
                Next::Run => {}
                Next::Hold => {
                    held = Some(request.start);
                    break;
                }
                Next::Drop => break,
            }
            done_count += 1;
            self.answer(&mut caller, request, &mut output);
        }
        if held.is_none()
            && let Some(error) = run.error
            && self.connections.get(slot).is_serving()
        {
            self.thread.counters.count_error("ERR");
            Reply::new(&mut output, caller.protocol).protocol_error(error);
            self.connections.get(slot).state.insert(State::CLOSE_AFTER_REPLIES);
        }
        self.finish_run(slot, output, &requests[..done_count]);
        held
    }

    /// Gives the replies to the connection and notes what the client did.
    fn finish_run(&mut self, slot: u32, output: Vec<u8>, done: &[Request<'_>]) {
        self.thread.counters.requests += done.len() as u64;
        let Some(client) = self.thread.clients.get_mut(ClientSlot(slot)) else {
            self.pool.give(output);
            return;
        };
        client.request_count += done.len() as u64;
        client.active_at = self.thread.now;
        if let Some(Request { call: Lookup::Found(entry), .. }) = done.last() {
            client.last_command = entry.row.name;
        }
        let connection = self.connections.get(slot);
        connection.output = output;
        self.mark_dirty(slot);
    }

    /// Puts a connection on the list of those that have something to send, or to end.
    pub(crate) fn mark_dirty(&mut self, slot: u32) {
        let connection = self.connections.get(slot);
        if !connection.state.contains(State::DIRTY) {
            connection.state.insert(State::DIRTY);
            self.dirty.push(slot);
        }
    }

    /// Whether the connection's next request may run now.
    #[inline]
    fn next(&mut self, slot: u32, output_bytes: usize) -> Next {
        let connection = self.connections.get(slot);
        if !connection.is_serving() {
            return Next::Drop;
        }
        if output_bytes + connection.sending_bytes > OUTPUT_PAUSE_BYTES { Next::Hold } else { Next::Run }
    }

    /// Runs one request and appends its reply.
    #[inline]
    fn answer(&mut self, caller: &mut Hand, request: &Request<'_>, output: &mut Vec<u8>) {
        let start = output.len();
        let args = request.args;
        match &request.call {
            Lookup::Found(entry) if entry.row.takes(args.len()) => {
                if caller.is_plain || entry.row.flags.contains(Flags::NO_AUTH) || caller.is_authenticated {
                    let mut reply = Reply::new(output, caller.protocol);
                    execute(&mut self.thread, caller.caller, *entry, args, &mut reply);
                    if matches!(entry.row.run, Runs::Home(_)) {
                        self.obey();
                        *caller = self.caller(caller.caller.slot.0);
                    }
                } else {
                    self.refuse(caller, Some(*entry), &refusal::NO_AUTH, output);
                }
            }
            Lookup::Found(entry) => {
                self.refuse(caller, Some(*entry), &refusal::wrong_argument_count(*entry), output);
            }
            Lookup::Unknown if refusal::is_http(args[0]) => {
                tracing::warn!(
                    "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to \
                     this server. This is likely due to an attacker attempting to use Cross Protocol Scripting to \
                     compromise your instance. Connection aborted."
                );
                self.begin_close(caller.caller.slot.0);
            }
            Lookup::Unknown => self.refuse(caller, None, &refusal::unknown_command(args), output),
            Lookup::UnknownSubcommand(container) => {
                self.refuse(caller, None, &refusal::unknown_subcommand(container, args), output);
            }
        }
        if !caller.is_plain {
            self.silence(caller, start, output);
        }
    }

    /// Takes back a reply that the client does not want.
    #[cold]
    fn silence(&mut self, hand: &mut Hand, start: usize, output: &mut Vec<u8>) {
        let slot = hand.caller.slot;
        let Some(client) = self.thread.clients.get_mut(slot) else { return };
        if client.reply_mode != ReplyMode::On {
            output.truncate(start);
        }
        client.reply_mode = match client.reply_mode {
            ReplyMode::SkipNext => ReplyMode::Skip,
            ReplyMode::Skip => ReplyMode::On,
            mode => mode,
        };
        *hand = self.caller(slot.0);
    }

    #[cold]
    fn refuse(&mut self, hand: &Hand, entry: Option<Entry>, failure: &Failure, output: &mut Vec<u8>) {
        match entry {
            Some(entry) => self.thread.counters.count_rejection(entry.index(), failure.code()),
            None => self.thread.counters.count_error(failure.code()),
        }
        Reply::new(output, hand.protocol).error(failure.text());
    }

    /// Carries out what a handler asked of the loop.
    #[inline]
    fn obey(&mut self) {
        while let Some(order) = self.thread.orders.pop() {
            match order {
                Order::CloseAfterReplies(ClientSlot(slot)) => {
                    self.connections.get(slot).state.insert(State::CLOSE_AFTER_REPLIES);
                    self.mark_dirty(slot);
                }
                Order::Close(ClientSlot(slot)) => self.begin_close(slot),
                Order::Shutdown => self.is_stopping = true,
            }
        }
    }

    /// Parts with a client at once; its socket is closed when nothing is in flight on it.
    pub(crate) fn begin_close(&mut self, slot: u32) {
        let connection = self.connections.get(slot);
        if connection.state.contains(State::CLOSING) {
            return;
        }
        connection.state.insert(State::CLOSING);
        self.pool.give(std::mem::take(&mut connection.output));
        self.pool.give(std::mem::take(&mut connection.input));
        self.thread.remove_client(ClientSlot(slot));
        self.closing.push(slot);
    }

    fn caller(&mut self, slot: u32) -> Hand {
        Hand::of(&mut self.thread, ClientSlot(slot))
    }
}

/// A caller with what decides at once how its requests are treated.
pub(crate) struct Hand {
    caller: Caller,
    protocol: locksley_wire::resp::Protocol,
    is_authenticated: bool,
    /// Authenticated, and wants all replies.
    is_plain: bool,
}

impl Hand {
    fn of(thread: &mut Thread, slot: ClientSlot) -> Hand {
        let home = thread.id;
        match thread.clients.get_mut(slot) {
            Some(client) => Hand::of_client(client, home, slot),
            None => Hand::of_nobody(home, slot),
        }
    }

    fn of_client(client: &Client, home: crate::thread::ShardId, slot: ClientSlot) -> Hand {
        let touch = if client.no_touch { Touch::CountOnly } else { Touch::Count };
        let (id, db, protocol) = (client.id, client.db, client.protocol);
        Hand {
            caller: Caller { home, slot, id, db, protocol, touch },
            protocol,
            is_authenticated: client.authenticated,
            is_plain: client.authenticated && client.reply_mode == ReplyMode::On,
        }
    }

    /// The caller of a client that was closed by its own request.
    fn of_nobody(home: crate::thread::ShardId, slot: ClientSlot) -> Hand {
        let protocol = locksley_wire::resp::Protocol::Resp2;
        let id = crate::client::ClientId(0);
        let db = locksley_engine::Db(0);
        let caller = Caller { home, slot, id, db, protocol, touch: Touch::Leave };
        Hand { caller, protocol, is_authenticated: false, is_plain: false }
    }
}
