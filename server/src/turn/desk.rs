//! Where requests are run: the thread's shard and clients, the connections that replies go to, and what is under way
//! between shards.
//!
//! The desk has no ring: what it wants of the kernel (send, close, read again) it notes in lists that the loop works
//! off at the end of the turn.

use std::collections::VecDeque;

use locksley_wire::resp::Reply;

use super::durable::HeldSince;
use super::hand::{Hand, Sink};
use super::parking::Parked;
use super::shutdown::Lull;
use super::streams::Stream;
use super::waits::Waiting;
use crate::client::{ClientId, ClientSlot};
use crate::command::dialect::write_failure;
use crate::command::failure::Failure;
use crate::command::memcached::flush_all::flush_due;
use crate::command::row;
use crate::command::table::{Entry, Table};
use crate::frontend::batch::{Batch, Call, Manner, Request, Run};
use crate::frontend::refusal;
use crate::reactor::connection::{Connections, Parser, Pool, State};
use crate::reactor::held::Held;
use crate::reactor::holes::Wanted;
use crate::reactor::limits::{LINGER_MS, OUTPUT_PAUSE_BYTES};
use crate::router::atomic::{AtomicId, Atomics, Needs};
use crate::router::gather::Gathers;
use crate::router::locks::Locks;
use crate::router::parcel::HoleId;
use crate::router::post::Post;
use crate::thread::{Order, Thread};
use crate::waiters::WaiterId;

/// What requests run on.
#[expect(clippy::struct_excessive_bools, reason = "each notes one thing that the turn has to see to")]
pub(crate) struct Desk {
    /// Shard, clients, counters.
    pub thread: Thread,
    /// All commands.
    pub table: &'static Table,
    /// The connections.
    pub connections: Connections,
    /// Buffers to write replies to.
    pub pool: Pool,
    /// Connections that have something to send.
    pub dirty: Vec<u32>,
    /// Connections whose requests are held back.
    pub stalled: Vec<u32>,
    /// Some of the stalled may go on.
    pub unstall: bool,
    /// Connections that are to be closed.
    pub closing: Vec<u32>,
    /// Scratch of the prefetch.
    pub keys: Vec<locksley_engine::Key<'static>>,
    /// Parcels for other threads.
    pub post: Post,
    /// Other threads do not keep up: no request is sent to them until they do.
    pub is_congested: bool,
    /// Answers that other shards owe.
    pub owed_count: usize,
    /// Replies in the making.
    pub gathers: Gathers,
    /// Atomic commands of our clients under way.
    pub atomics: Atomics,
    /// Keys of our shard that atomic commands hold.
    pub locks: Locks,
    /// Locks were released: some that wait may be free.
    pub is_released: bool,
    /// Room set aside for atomic commands.
    pub reserved: hashbrown::HashMap<AtomicId, Needs>,
    /// Clients whose reply waits for something that takes long.
    pub waits: Vec<Waiting>,
    /// Requests that wait for keys of our shard.
    pub parked: hashbrown::HashMap<WaiterId, Parked>,
    /// By whom.
    pub parked_by_client: hashbrown::HashMap<ClientId, WaiterId>,
    /// Clients that are held until a key changes, here or on another shard.
    pub held_count: usize,
    /// Replies are held back in this turn until they are durable: by the policy, or because others are.
    pub is_holding: bool,
    /// Connections with replies that wait for the log.
    pub holding: Vec<u32>,
    /// When the replies were written that wait for the log, in the order of their numbers.
    pub held_since: VecDeque<HeldSince>,
    /// Requests are held for a shutdown.
    pub lull: Option<Lull>,
    /// Clients that get an event every so often.
    pub streams: Vec<Stream>,
    /// HTTP connections of which a request is arriving, or that linger.
    pub arriving: Vec<u32>,
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
    /// A desk for `thread` with room for `slot_count` connections.
    pub(crate) fn new(thread: Thread, table: &'static Table, slot_count: u32) -> Desk {
        let shard_count = thread.shared.shard_count;
        Desk {
            thread,
            table,
            connections: Connections::new(slot_count),
            pool: Pool::default(),
            dirty: Vec::new(),
            stalled: Vec::new(),
            unstall: false,
            closing: Vec::new(),
            keys: Vec::new(),
            post: Post::new(shard_count),
            is_congested: false,
            owed_count: 0,
            gathers: Gathers::default(),
            atomics: Atomics::default(),
            locks: Locks::default(),
            is_released: false,
            reserved: hashbrown::HashMap::new(),
            waits: Vec::new(),
            parked: hashbrown::HashMap::new(),
            parked_by_client: hashbrown::HashMap::new(),
            held_count: 0,
            is_holding: false,
            holding: Vec::new(),
            held_since: VecDeque::new(),
            lull: None,
            streams: Vec::new(),
            arriving: Vec::new(),
        }
    }

    /// Runs all requests of `batch` in order; what is held back goes to `stops`.
    pub(crate) fn run(&mut self, batch: &mut Batch<'_>, stops: &mut Vec<Stop>) {
        self.prefetch_batch(batch);
        for run in &batch.runs {
            let requests = &batch.requests[run.first..run.end];
            if let Some(position) = self.run_connection(run, requests) {
                stops.push(Stop { ready: run.ready, position });
            }
        }
        self.run_released();
    }

    /// Runs the requests of one connection; returns where the first begins that was held back.
    fn run_connection(&mut self, run: &Run, requests: &[Request<'_>]) -> Option<usize> {
        let slot = run.slot;
        if !self.connections.get(slot).is_serving() {
            return None;
        }
        let mut sink = self.take_sink(slot);
        let mut hand = Hand::of(&mut self.thread, ClientSlot(slot));
        let mut held = None;
        let mut done_count = 0;
        for request in requests {
            match self.next(slot, &sink, request) {
                Next::Run => {}
                Next::Hold => {
                    held = Some(request.start);
                    break;
                }
                Next::Drop => break,
            }
            done_count += 1;
            self.answer(&mut hand, request, &mut sink);
        }
        if held.is_none()
            && let Some(error) = run.error
            && self.connections.get(slot).is_serving()
        {
            self.thread.counters.count_error("ERR");
            Reply::new(&mut sink.buffer, hand.caller.protocol).protocol_error(error);
            self.connections.get(slot).state.insert(State::CLOSE_AFTER_REPLIES);
        }
        self.finish_run(slot, sink, &requests[..done_count]);
        held
    }

    /// Takes the buffer that the connection's next reply belongs in.
    #[inline]
    pub(super) fn take_sink(&mut self, slot: u32) -> Sink {
        let connection = self.connections.get(slot);
        if !connection.holes.is_empty() {
            return Sink { buffer: std::mem::take(&mut connection.holes.behind), is_behind: true };
        }
        let mut buffer = std::mem::take(&mut connection.output);
        if buffer.capacity() == 0 {
            buffer = self.pool.take();
        }
        Sink { buffer, is_behind: false }
    }

    /// Opens a hole for a reply that comes later; replies written from now on wait behind it.
    pub(crate) fn open_hole(&mut self, hand: &Hand, sink: &mut Sink) -> HoleId {
        let slot = hand.caller.slot.0;
        let connection = self.connections.get(slot);
        if !sink.is_behind {
            connection.taint_if(sink.buffer.len() > connection.free_bytes);
            let behind = std::mem::take(&mut connection.holes.behind);
            connection.output = std::mem::replace(&mut sink.buffer, behind);
            sink.is_behind = true;
        }
        let wanted = if hand.wants_replies { Wanted::Yes } else { Wanted::No };
        let sequence = connection.holes.open(sink.buffer.len(), wanted);
        HoleId { slot, generation: connection.generation, sequence }
    }

    /// Gives the replies to the connection and notes what the client did.
    #[inline]
    fn finish_run(&mut self, slot: u32, sink: Sink, done: &[Request<'_>]) {
        self.thread.counters.requests += done.len() as u64;
        let Some(client) = self.thread.clients.get_mut(ClientSlot(slot)) else {
            self.pool.give(sink.buffer);
            return;
        };
        client.request_count += done.len() as u64;
        client.active_at = self.thread.now;
        if let Some(Request { call: Call::Found(entry), .. }) = done.last() {
            client.last_command = entry.label();
        }
        self.put_sink(slot, sink);
    }

    /// Gives a connection the replies that were written for it.
    #[inline]
    pub(super) fn put_sink(&mut self, slot: u32, sink: Sink) {
        let connection = self.connections.get(slot);
        connection.taint_if(!sink.is_behind && sink.buffer.len() > connection.free_bytes);
        let place = if sink.is_behind { &mut connection.holes.behind } else { &mut connection.output };
        let shown = std::mem::replace(place, sink.buffer);
        if !shown.is_empty() {
            // What a monitor was shown while its own requests ran.
            place.extend_from_slice(&shown);
        }
        self.limit_output(slot);
        self.mark_dirty(slot);
    }

    /// Closes a client that leaves too many replies unread.
    #[inline]
    pub(crate) fn limit_output(&mut self, slot: u32) {
        let limit_bytes = self.thread.config.client_output_buffer_limit.normal.hard_bytes;
        if limit_bytes > 0 && self.connections.get(slot).unsent_bytes() as u64 > limit_bytes {
            self.close_for_output(slot, limit_bytes);
        }
    }

    /// Closes clients that for too long left more replies unread than the soft limit; looks once a second.
    pub(crate) fn close_slow(&mut self) {
        let limit = self.thread.config.client_output_buffer_limit.normal;
        if limit.soft_bytes == 0 {
            return;
        }
        let now = self.thread.now;
        let slots: Vec<u32> = self.thread.clients.iter().map(|(slot, _)| slot.0).collect();
        for slot in slots {
            let connection = self.connections.get(slot);
            if connection.unsent_bytes() as u64 <= limit.soft_bytes {
                connection.slow_since = None;
                continue;
            }
            let since = *connection.slow_since.get_or_insert(now);
            if now.0.saturating_sub(since.0) > u64::from(limit.soft_seconds) * 1000 {
                self.close_for_output(slot, limit.soft_bytes);
            }
        }
    }

    #[cold]
    fn close_for_output(&mut self, slot: u32, limit_bytes: u64) {
        self.thread.counters.output_limit_disconnections += 1;
        tracing::warn!("closed a client that left more than {limit_bytes} bytes of replies unread");
        self.begin_close(slot);
    }

    /// Puts a connection on the list of those that have something to send, or to end.
    #[inline]
    pub(crate) fn mark_dirty(&mut self, slot: u32) {
        let connection = self.connections.get(slot);
        if !connection.state.contains(State::DIRTY) {
            connection.state.insert(State::DIRTY);
            self.dirty.push(slot);
        }
    }

    /// Whether the connection's next request may run now.
    #[inline]
    fn next(&mut self, slot: u32, sink: &Sink, request: &Request<'_>) -> Next {
        let connection = self.connections.get(slot);
        if !connection.is_serving() {
            return Next::Drop;
        }
        let unsent_bytes = connection.unsent_bytes() + sink.buffer.len();
        let is_held =
            connection.state.contains(State::HELD) || self.is_congested && !passes_congestion(request, &self.thread);
        if is_held || unsent_bytes > OUTPUT_PAUSE_BYTES || connection.holes.is_full() {
            return Next::Hold;
        }
        match &request.call {
            Call::Found(entry) if self.thread.pause.holds(entry.row, self.thread.now) => Next::Hold,
            Call::Found(entry) if !connection.holes.is_empty() && matches!(entry.row.run, row::Run::Wait(_)) => {
                connection.state.insert(State::DRAINING);
                Next::Hold
            }
            _ => Next::Run,
        }
    }

    /// Answers one request, or sees to it that another shard does.
    #[inline]
    fn answer(&mut self, hand: &mut Hand, request: &Request<'_>, sink: &mut Sink) {
        let (was_behind, start) = (sink.is_behind, sink.buffer.len());
        let args = request.args;
        if let Some(manner) = request.manner {
            prepare(hand, *manner);
        }
        match &request.call {
            Call::Found(entry) if entry.row.takes(args.len()) => {
                if hand.is_plain || hand.may_run(*entry) {
                    self.dispatch(hand, *entry, args, request.owner, sink);
                } else {
                    self.refuse(hand, *entry, &refusal::NO_AUTH, sink);
                }
            }
            Call::Found(entry) => {
                self.refuse(hand, *entry, &refusal::wrong_argument_count(*entry), sink);
            }
            Call::Unknown if refusal::is_http(args[0]) => {
                tracing::warn!(
                    "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to \
                     Locksley. This is likely due to an attacker attempting to use Cross Protocol Scripting to \
                     compromise your Locksley instance. Connection aborted."
                );
                self.begin_close(hand.caller.slot.0);
            }
            Call::Unknown => self.refuse_unknown(hand, &refusal::unknown_command(args), sink),
            Call::UnknownSubcommand(container) => {
                self.refuse_unknown(hand, &refusal::unknown_subcommand(container, args), sink);
            }
            Call::Answer(bytes) => sink.buffer.extend_from_slice(bytes),
        }
        if let Some(manner) = request.manner {
            let start = if sink.is_behind == was_behind { start } else { 0 };
            self.complete(hand, *manner, start, sink);
        } else if !hand.is_plain {
            let start = if sink.is_behind == was_behind { start } else { 0 };
            self.silence(hand, start, sink);
        }
    }

    /// Takes back a reply that nobody wants, and ends the connection behind the last one.
    fn complete(&mut self, hand: &mut Hand, manner: Manner, start: usize, sink: &mut Sink) {
        if manner.is_silent {
            sink.buffer.truncate(start);
            hand.wants_replies = true;
        }
        if manner.closes {
            let slot = hand.caller.slot.0;
            let connection = self.connections.get(slot);
            if !connection.state.contains(State::STREAMING) {
                connection.state.insert(State::CLOSE_AFTER_REPLIES);
                self.mark_dirty(slot);
            }
        }
    }

    /// Takes back a reply that the client does not want.
    #[cold]
    fn silence(&mut self, hand: &mut Hand, start: usize, sink: &mut Sink) {
        use crate::client::ReplyMode;
        let slot = hand.caller.slot;
        let Some(client) = self.thread.clients.get_mut(slot) else { return };
        if client.reply_mode != ReplyMode::On {
            sink.buffer.truncate(start);
        }
        client.reply_mode = match client.reply_mode {
            ReplyMode::SkipNext => ReplyMode::Skip,
            ReplyMode::Skip => ReplyMode::On,
            mode => mode,
        };
        *hand = Hand::of(&mut self.thread, slot);
    }

    #[cold]
    pub(crate) fn refuse(&mut self, hand: &Hand, entry: Entry, failure: &Failure, sink: &mut Sink) {
        self.thread.counters.count_rejection(entry.index(), failure.code());
        let mut reply = Reply::new(&mut sink.buffer, hand.caller.protocol);
        write_failure(hand.caller.dialect, &self.thread.config, failure, &mut reply);
    }

    #[cold]
    fn refuse_unknown(&mut self, hand: &Hand, text: &[u8], sink: &mut Sink) {
        self.thread.counters.count_error("ERR");
        Reply::new(&mut sink.buffer, hand.caller.protocol).error_bytes(text);
    }

    /// Carries out what handlers asked of the loop.
    #[inline]
    pub(crate) fn obey(&mut self) {
        while let Some(order) = self.thread.orders.pop() {
            match order {
                Order::CloseAfterReplies(ClientSlot(slot)) => {
                    self.connections.get(slot).state.insert(State::CLOSE_AFTER_REPLIES);
                    self.mark_dirty(slot);
                }
                Order::Close(ClientSlot(slot)) => self.begin_close(slot),
                Order::Stream(ClientSlot(slot)) => self.begin_stream(slot),
                Order::Shutdown => self.thread.shared.stop(),
            }
        }
    }

    /// Parts with a client at once; its socket is closed when nothing is in flight on it.
    pub(crate) fn begin_close(&mut self, slot: u32) {
        let connection = self.connections.get(slot);
        if connection.state.contains(State::CLOSING) || !connection.state.contains(State::OPEN) {
            return;
        }
        connection.state.insert(State::CLOSING);
        connection.held = Held::default();
        self.pool.give(std::mem::take(&mut connection.output));
        self.pool.give(std::mem::take(&mut connection.input));
        self.tell_gone(slot);
        self.thread.remove_client(ClientSlot(slot));
        self.closing.push(slot);
    }

    /// Writes bytes that answer no request (a monitor's line) behind all replies written so far.
    pub(crate) fn show(&mut self, slot: u32, bytes: &[u8]) {
        let connection = self.connections.get(slot);
        if connection.holes.is_empty() {
            connection.output.extend_from_slice(bytes);
        } else {
            connection.holes.behind.extend_from_slice(bytes);
        }
        self.limit_output(slot);
        self.mark_dirty(slot);
    }

    /// Whether a stalled connection has to stay so.
    pub(crate) fn is_blocked(&mut self, slot: u32) -> bool {
        let is_paused = self.thread.pause.is_on(self.thread.now);
        let connection = self.connections.get(slot);
        let is_full = connection.unsent_bytes() > OUTPUT_PAUSE_BYTES || connection.holes.is_full();
        let is_draining = connection.state.contains(State::DRAINING) && !connection.holes.is_empty();
        is_paused || is_full || is_draining || self.is_congested || connection.state.contains(State::HELD)
    }

    /// Closes a client whose request is longer than a client may keep unread.
    #[cold]
    pub(crate) fn close_for_query(&mut self, slot: u32) {
        self.thread.counters.query_limit_disconnections += 1;
        tracing::warn!("closed a client whose unread requests passed client-query-buffer-limit");
        self.begin_close(slot);
    }

    /// Adds up the connections' buffers, which count towards the memory limit.
    pub(crate) fn account(&mut self) {
        let mut total_bytes = self.reserved.values().map(|needs| needs.memory_bytes).sum::<u64>();
        for slot in 0..self.connections.slot_count() {
            let connection = self.connections.get(slot);
            if !connection.state.contains(State::OPEN) {
                continue;
            }
            let (input_bytes, output_bytes) = (connection.input.capacity(), connection.unsent_bytes());
            total_bytes += (input_bytes + output_bytes) as u64;
            if let Some(client) = self.thread.clients.get_mut(ClientSlot(slot)) {
                client.input_bytes = connection.input.len();
                client.output_bytes = output_bytes;
            }
        }
        self.thread.shard.set_outside_bytes(total_bytes);
    }

    /// Notes whether the rest of an HTTP connection's input is a request that is arriving, or is none.
    #[inline]
    pub(crate) fn note_arriving(&mut self, slot: u32, is_partial: bool, has_moved: bool) {
        let now = self.thread.now;
        let connection = self.connections.get(slot);
        if !matches!(connection.parser, Parser::Http(_)) {
            return;
        }
        if !is_partial {
            connection.arriving_since = None;
            return;
        }
        if connection.arriving_since.is_none() && !self.arriving.contains(&slot) {
            self.arriving.push(slot);
        }
        if has_moved {
            connection.arriving_since = None;
        }
        connection.arriving_since.get_or_insert(now);
    }

    /// Whether a connection that is over stays open for a while because its peer may be sending still: closing it would
    /// reset it, and the reset may overtake the last response.
    pub(crate) fn lingers(&mut self, slot: u32) -> bool {
        let now = self.thread.now;
        let connection = self.connections.get(slot);
        let is_done = !connection.state.contains(State::RECEIVING)
            || connection.state.intersects(State::HALF_CLOSED.union(State::LINGERING));
        if is_done || !matches!(connection.parser, Parser::Http(_)) {
            return false;
        }
        connection.state.insert(State::LINGERING);
        connection.arriving_since = Some(now);
        self.arriving.push(slot);
        true
    }

    /// Parts with HTTP clients whose request takes too long to arrive, and with those that linger; looks once a second.
    pub(crate) fn close_late(&mut self) {
        let limit_ms = u64::from(self.thread.config.http_request_timeout) * 1000;
        let now = self.thread.now;
        let mut arriving = std::mem::take(&mut self.arriving);
        arriving.retain(|slot| {
            let connection = self.connections.get(*slot);
            let Some(since) = connection.arriving_since else { return false };
            let waited_ms = now.0.saturating_sub(since.0);
            if connection.state.contains(State::LINGERING) {
                if waited_ms <= LINGER_MS {
                    return true;
                }
                self.begin_close(*slot);
                return false;
            }
            if !connection.is_serving() {
                return false;
            }
            if limit_ms == 0 || waited_ms <= limit_ms {
                return true;
            }
            connection.arriving_since = None;
            connection.state.insert(State::CLOSE_AFTER_REPLIES);
            self.show(*slot, refusal::REQUEST_TIMEOUT);
            false
        });
        self.arriving = arriving;
    }

    /// Empties database 0 if that was put off until now and neither loading nor a step over several shards stands in the
    /// way.
    #[inline]
    pub(crate) fn flush_if_due(&mut self) {
        let Thread { flush_at, now, is_loading, .. } = &self.thread;
        let is_due = flush_at.is_some_and(|at| at <= *now);
        if is_due && !is_loading && !self.locks.blocks_whole() {
            flush_due(&mut self.thread);
        }
    }

    /// Closes clients that were silent for longer than `timeout`.
    pub(crate) fn close_idle(&mut self) {
        let (now, timeout_ms) = (self.thread.now, u64::from(self.thread.config.timeout) * 1000);
        if timeout_ms == 0 {
            return;
        }
        let is_idle = |client: &crate::client::Client| {
            !client.is_monitor && now.0.saturating_sub(client.active_at.0) > timeout_ms
        };
        let clients = self.thread.clients.iter();
        let idle: Vec<u32> = clients.filter(|(_, client)| is_idle(client)).map(|(slot, _)| slot.0).collect();
        for slot in idle {
            // Whose reply waits is not silent by its own choice.
            if !self.connections.get(slot).state.contains(State::HELD) {
                self.begin_close(slot);
            }
        }
    }
}

/// Whether a request may run though other threads do not keep up: it needs none of them, or does not wait for them. A
/// server that is stopping is congested for all.
#[cold]
fn passes_congestion(request: &Request<'_>, thread: &Thread) -> bool {
    let is_here = match &request.call {
        Call::Found(entry) => {
            matches!(entry.row.run, row::Run::Home(_) | row::Run::Survey { .. }) || request.owner == Some(thread.id.0)
        }
        Call::Unknown | Call::UnknownSubcommand(_) | Call::Answer(_) => true,
    };
    is_here && !thread.shared.is_stopping()
}

/// Sees to it that a request is answered in its own manner.
fn prepare(hand: &mut Hand, manner: Manner) {
    if let Some(dialect) = manner.dialect {
        hand.caller.dialect = dialect;
    }
    if let Some(db) = manner.db {
        hand.caller.db = db;
    }
    hand.wants_replies = !manner.is_silent;
}
