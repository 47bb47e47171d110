//! The loop itself: sleeps in the ring, sorts completions, feeds the desk, and does what the desk asks of the kernel.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bumpalo::Bump;
use locksley_engine::{Db, Millis};
use locksley_wire::resp::Protocol;
use locksley_wire::resp::request::{Limits, Span, Standing};
use rustix::io::Errno;

use super::arrival::{Ready, Source};
use super::desk::{Desk, Stop};
use crate::client::{Client, ClientSlot, ReplyMode};
use crate::command::table::{Table, table};
use crate::frontend::refusal;
use crate::frontend::resp::{Batch, Input};
use crate::reactor::connection::{Connections, Pool, State};
use crate::reactor::limits::{ARENA_BYTES_MAX, BACKGROUND_STEPS, INPUT_RESERVE_BYTES_MAX, OUTPUT_PAUSE_BYTES};
use crate::reactor::listener::{Listener, ends};
use crate::reactor::ring::{Event, Ring, Sleep};
use crate::thread::Thread;

/// How a reactor is made.
pub(crate) struct ReactorOptions {
    /// The sockets it accepts from.
    pub listeners: Vec<Listener>,
    /// Most connections it can hold.
    pub slot_count: u32,
}

/// The loop of one data thread.
pub(crate) struct Reactor {
    ring: Ring,
    listeners: Vec<Listener>,
    desk: Desk,
    table: &'static Table,
    ready: Vec<Ready>,
    stops: Vec<Stop>,
    spans: Vec<Span>,
    events: Vec<Event>,
    bump: Bump,
    /// Connections whose receive ended though they are open.
    rearm: Vec<u32>,
    /// Some of the stalled connections may go on.
    unstall: bool,
    /// The shard has background work left.
    has_work: bool,
}

impl Reactor {
    /// A reactor over `thread`; made on the thread that runs it.
    ///
    /// # Errors
    /// When the kernel has no ring for it.
    pub(crate) fn new(thread: Thread, options: ReactorOptions) -> io::Result<Reactor> {
        let ReactorOptions { listeners, slot_count } = options;
        let mut ring = Ring::new(slot_count)?;
        for (index, listener) in listeners.iter().enumerate() {
            ring.accept(listener.descriptor(), index as u32);
        }
        let desk = Desk {
            thread,
            connections: Connections::new(slot_count),
            pool: Pool::default(),
            dirty: Vec::new(),
            stalled: Vec::new(),
            closing: Vec::new(),
            is_stopping: false,
        };
        Ok(Reactor {
            ring,
            listeners,
            desk,
            table: table(),
            ready: Vec::new(),
            stops: Vec::new(),
            spans: Vec::new(),
            events: Vec::new(),
            bump: Bump::new(),
            rearm: Vec::new(),
            unstall: false,
            has_work: false,
        })
    }

    /// Serves until the server stops.
    ///
    /// # Errors
    /// When the kernel refuses the ring.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        while !self.desk.is_stopping {
            self.turn()?;
        }
        Ok(())
    }

    /// One turn.
    fn turn(&mut self) -> io::Result<()> {
        let mut events = std::mem::take(&mut self.events);
        self.ring.wait(self.sleep(), &mut events)?;
        self.desk.thread.begin_turn(now());
        for event in events.drain(..) {
            self.sort(event);
        }
        self.events = events;
        self.take_up_stalled();
        self.run_ready();
        self.ring.buffers.recycle();
        self.has_work = self.desk.thread.shard.work(self.desk.thread.now, BACKGROUND_STEPS);
        self.send();
        self.close();
        for slot in self.rearm.drain(..) {
            let connection = self.desk.connections.get(slot);
            if connection.is_serving() && !connection.state.contains(State::RECEIVING) {
                connection.state.insert(State::RECEIVING);
                self.ring.receive(slot);
            }
        }
        Ok(())
    }

    /// How long nothing has to be done unless something happens.
    fn sleep(&self) -> Sleep {
        if self.has_work {
            return Sleep::No;
        }
        match self.desk.thread.shard.next_due() {
            Some(due) => {
                let wait_ms = due.0.saturating_sub(self.desk.thread.now.0).max(1);
                Sleep::AtMost(Duration::from_millis(wait_ms))
            }
            None => Sleep::Forever,
        }
    }

    fn sort(&mut self, event: Event) {
        match event {
            Event::Received { slot, piece, is_armed } => self.received(slot, Source::Piece(piece), is_armed),
            Event::ReceiveEnded { slot, error } => self.receive_ended(slot, error),
            Event::Sent { slot, buffer, error } => self.sent(slot, buffer, error),
            Event::Accepted { listener, socket, is_armed } => {
                self.accepted(listener, socket);
                if !is_armed {
                    self.ring.accept(self.listeners[listener as usize].descriptor(), listener);
                }
            }
            Event::AcceptFailed { listener, error, is_armed } => {
                tracing::warn!("accepting a connection failed: {error}");
                if !is_armed {
                    self.ring.accept(self.listeners[listener as usize].descriptor(), listener);
                }
            }
            Event::Closed { slot } => self.desk.connections.free(slot),
            Event::Woken => {}
        }
    }

    /// Bytes came in: they are parsed where they are, unless the connection keeps the start of a request.
    fn received(&mut self, slot: u32, source: Source, is_armed: bool) {
        let Source::Piece(piece) = &source else { unreachable!("the kernel reports pieces") };
        self.desk.thread.counters.received_bytes += piece.len() as u64;
        if let Some(client) = self.desk.thread.clients.get_mut(ClientSlot(slot)) {
            client.received_bytes += piece.len() as u64;
        }
        let connection = self.desk.connections.get(slot);
        if !is_armed {
            connection.state.remove(State::RECEIVING);
            self.rearm.push(slot);
        }
        if !connection.is_serving() {
            return;
        }
        if connection.state.contains(State::READY) {
            // A second piece in one turn: rare, so the first may be looked for.
            let earlier = self.ready.iter_mut().find(|ready| ready.slot == slot).expect("it is marked as ready");
            let bytes = self.ring.buffers.bytes(piece);
            match &mut earlier.source {
                Source::Owned(owned) => owned.extend_from_slice(bytes),
                Source::Piece(first) => {
                    let joined = [self.ring.buffers.bytes(first), bytes].concat();
                    earlier.source = Source::Owned(joined);
                }
            }
            return;
        }
        let holds_bytes = !connection.input.is_empty();
        if holds_bytes {
            connection.input.extend_from_slice(self.ring.buffers.bytes(piece));
            let is_held = connection.state.contains(State::STALLED);
            if is_held || connection.input.len() < connection.input_wanted_bytes {
                return;
            }
        }
        connection.state.insert(State::READY);
        let source = if holds_bytes { Source::Owned(std::mem::take(&mut connection.input)) } else { source };
        self.ready.push(Ready::new(slot, source));
    }

    fn receive_ended(&mut self, slot: u32, error: Option<Errno>) {
        let connection = self.desk.connections.get(slot);
        connection.state.remove(State::RECEIVING);
        if connection.state.contains(State::CLOSING) {
            self.desk.closing.push(slot);
            return;
        }
        match error {
            Some(Errno::NOBUFS) => self.rearm.push(slot),
            Some(Errno::CANCELED) => connection.state.remove(State::RECEIVE_ENDING),
            Some(_) => self.desk.begin_close(slot),
            None => {
                connection.state.insert(State::HALF_CLOSED);
                self.desk.mark_dirty(slot);
            }
        }
    }

    fn sent(&mut self, slot: u32, buffer: Vec<u8>, error: Option<Errno>) {
        let connection = self.desk.connections.get(slot);
        connection.state.remove(State::SENDING);
        connection.sending_bytes = 0;
        self.desk.thread.counters.sent_bytes += buffer.len() as u64;
        if connection.state.contains(State::CLOSING) {
            self.desk.closing.push(slot);
        } else if error.is_some() {
            self.desk.begin_close(slot);
        } else {
            let ending = State::CLOSE_AFTER_REPLIES.union(State::HALF_CLOSED).union(State::STALLED);
            self.unstall |= connection.state.contains(State::STALLED);
            if connection.state.intersects(ending) || !connection.output.is_empty() {
                self.desk.mark_dirty(slot);
            }
            if let Some(client) = self.desk.thread.clients.get_mut(ClientSlot(slot)) {
                client.sent_bytes += buffer.len() as u64;
            }
        }
        self.desk.pool.give(buffer);
    }

    fn accepted(&mut self, listener: u32, socket: OwnedFd) {
        let Ok((address, local_address)) = ends(&socket) else { return };
        let config = &self.desk.thread.config;
        let has_password = !config.requirepass.is_empty();
        if config.protected_mode && !has_password && !is_local(address) {
            return self.turn_away(&socket, refusal::PROTECTED);
        }
        if self.desk.connections.len() >= config.maxclients as usize {
            return self.turn_away(&socket, refusal::TOO_MANY_CLIENTS);
        }
        let Some(slot) = self.desk.connections.open() else {
            return self.turn_away(&socket, refusal::TOO_MANY_CLIENTS);
        };
        if let Err(error) = self.ring.adopt(&socket, slot) {
            tracing::warn!("a connection could not be registered: {error}");
            self.desk.connections.get(slot).state = State::CLOSING;
            self.desk.connections.free(slot);
            return;
        }
        let thread = &mut self.desk.thread;
        thread.counters.connections += 1;
        let client = Client {
            id: thread.shared.next_client_id(),
            address,
            local_address,
            door: self.listeners[listener as usize].door,
            connected_at: thread.now,
            active_at: thread.now,
            name: Vec::new(),
            library_name: Vec::new(),
            library_version: Vec::new(),
            db: Db(0),
            protocol: Protocol::Resp2,
            authenticated: !has_password,
            reply_mode: ReplyMode::On,
            no_evict: false,
            no_touch: false,
            is_monitor: false,
            is_readonly: false,
            last_command: "NULL",
            input_bytes: 0,
            output_bytes: 0,
            received_bytes: 0,
            sent_bytes: 0,
            request_count: 0,
        };
        thread.add_client(ClientSlot(slot), client);
        self.desk.connections.get(slot).state.insert(State::RECEIVING);
        self.ring.receive(slot);
    }

    /// Tells a connection why it is not served, and closes it.
    #[cold]
    fn turn_away(&mut self, socket: &OwnedFd, reply: &[u8]) {
        self.desk.thread.counters.rejected_connections += 1;
        let flags = rustix::net::SendFlags::DONTWAIT | rustix::net::SendFlags::NOSIGNAL;
        let _ = rustix::net::send(socket, reply, flags);
    }

    /// Lets stalled connections go on whose reason to stall is over.
    fn take_up_stalled(&mut self) {
        if !std::mem::take(&mut self.unstall) {
            return;
        }
        let stalled = std::mem::take(&mut self.desk.stalled);
        for slot in stalled {
            let connection = self.desk.connections.get(slot);
            if !connection.is_serving() {
                continue;
            }
            if connection.unsent_bytes() > OUTPUT_PAUSE_BYTES {
                self.desk.stalled.push(slot);
                continue;
            }
            connection.state.remove(State::STALLED);
            connection.state.insert(State::READY);
            let input = std::mem::take(&mut connection.input);
            self.ready.push(Ready::new(slot, Source::Owned(input)));
            self.rearm.push(slot);
        }
    }

    /// Cuts and runs all that is ready, batch by batch.
    fn run_ready(&mut self) {
        let mut next = 0;
        while next < self.ready.len() {
            next = self.run_batch(next);
            if self.bump.allocated_bytes() > ARENA_BYTES_MAX {
                self.bump = Bump::new();
            } else {
                self.bump.reset();
            }
        }
        let mut ready = std::mem::take(&mut self.ready);
        for item in ready.drain(..) {
            self.keep_leftover(item);
        }
        self.ready = ready;
    }

    /// Cuts one batch from the ready inputs from `next` on and runs it; returns the first input that is not cut whole.
    fn run_batch(&mut self, mut next: usize) -> usize {
        let Reactor { ring, desk, ready, spans, bump, table, stops, .. } = self;
        let mut cuts = std::mem::take(stops);
        let mut batch = Batch::new(bump);
        let first = next;
        let mut positions = bumpalo::collections::Vec::new_in(bump);
        while next < ready.len() && !batch.is_full() {
            let item = &ready[next];
            let connection = desk.connections.get(item.slot);
            if item.is_stopped || !connection.is_serving() {
                positions.push((item.position, 0));
                next += 1;
                continue;
            }
            let client = desk.thread.clients.get_mut(ClientSlot(item.slot)).expect("an open connection has a client");
            let standing = if client.authenticated { Standing::Authenticated } else { Standing::Unauthenticated };
            let input = Input {
                slot: item.slot,
                ready: next,
                bytes: item.bytes(&ring.buffers),
                position: item.position,
                parser: &mut connection.parser,
                limits: Limits { bulk_bytes_max: desk.thread.config.proto_max_bulk_len, standing, ..Limits::default() },
                request_count_max: if client.authenticated { usize::MAX } else { 1 },
            };
            let cut = batch.cut(table, input, spans);
            positions.push((cut.position, cut.wanted_bytes));
            if cut.goes_on {
                break;
            }
            next += 1;
        }
        desk.run(&batch, &mut cuts);
        drop(batch);
        let positions: &[(usize, usize)] = positions.into_bump_slice();
        for (item, (position, wanted_bytes)) in ready[first..].iter_mut().zip(positions) {
            item.position = *position;
            item.wanted_bytes = *wanted_bytes;
        }
        for stop in cuts.drain(..) {
            let item = &mut ready[stop.ready];
            item.position = stop.position;
            item.wanted_bytes = 0;
            item.is_stopped = true;
        }
        *stops = cuts;
        next
    }

    /// Keeps what of an input was not run: the start of a request, or requests that are held back.
    fn keep_leftover(&mut self, item: Ready) {
        let connection = self.desk.connections.get(item.slot);
        connection.state.remove(State::READY);
        if !connection.is_serving() {
            return;
        }
        if item.is_stopped {
            connection.parser.reset();
            connection.state.insert(State::STALLED);
            self.desk.stalled.push(item.slot);
            if connection.state.contains(State::RECEIVING) && !connection.state.contains(State::RECEIVE_ENDING) {
                connection.state.insert(State::RECEIVE_ENDING);
                self.ring.cancel_receive(item.slot);
            }
        }
        let rest = &item.bytes(&self.ring.buffers)[item.position..];
        if rest.is_empty() {
            if let Source::Owned(bytes) = item.source {
                self.desk.pool.give(bytes);
            }
            return;
        }
        let wanted_bytes = item.wanted_bytes.min(INPUT_RESERVE_BYTES_MAX);
        connection.input_wanted_bytes = rest.len() + item.wanted_bytes;
        connection.input = match item.source {
            Source::Owned(mut bytes) => {
                bytes.drain(..item.position);
                bytes
            }
            Source::Piece(_) => {
                let mut input = self.desk.pool.take();
                input.extend_from_slice(rest);
                input
            }
        };
        connection.input.reserve(wanted_bytes);
    }

    /// One send for each connection that has something to send.
    fn send(&mut self) {
        let mut dirty = std::mem::take(&mut self.desk.dirty);
        for slot in dirty.drain(..) {
            let connection = self.desk.connections.get(slot);
            connection.state.remove(State::DIRTY);
            if connection.state.intersects(State::CLOSING.union(State::SENDING)) {
                continue;
            }
            if connection.output.is_empty() {
                self.desk.pool.give(std::mem::take(&mut connection.output));
                let is_idle = !connection.state.contains(State::STALLED);
                let ending = State::CLOSE_AFTER_REPLIES.union(State::HALF_CLOSED);
                if is_idle && connection.state.intersects(ending) {
                    self.desk.begin_close(slot);
                }
                continue;
            }
            connection.state.insert(State::SENDING);
            connection.sending_bytes = connection.output.len();
            let output = std::mem::take(&mut connection.output);
            self.ring.send(slot, output);
        }
        self.desk.dirty = dirty;
    }

    /// Ends what is in flight on connections that are to be closed, and closes those where nothing is.
    fn close(&mut self) {
        while let Some(slot) = self.desk.closing.pop() {
            let connection = self.desk.connections.get(slot);
            if connection.state.contains(State::CLOSED) {
                continue;
            }
            if connection.state.intersects(State::RECEIVING.union(State::SENDING)) {
                if !connection.state.contains(State::SHUT_DOWN) {
                    connection.state.insert(State::SHUT_DOWN);
                    self.ring.shut_down(slot);
                }
                continue;
            }
            connection.state.insert(State::CLOSED);
            self.ring.close(slot);
        }
    }
}

fn is_local(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// The wall clock.
fn now() -> Millis {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(elapsed.as_millis() as u64)
}
