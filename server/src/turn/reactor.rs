//! The loop itself: sleeps in the ring, sorts completions, feeds the desk, and does what the desk asks of the kernel.

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bumpalo::Bump;
use locksley_engine::Millis;
use locksley_wire::resp::request::Span;
use rustix::io::Errno;

use super::arrival::{Ready, Source};
use super::desk::{Desk, Stop};
use super::timing::{Timing, note_work};
use crate::client::ClientSlot;
use crate::command::table::table;
use crate::frontend::batch::{Batch, Input};
use crate::persist::Pace;
use crate::persist::sync::Syncs;
use crate::reactor::connection::State;
use crate::reactor::limits::{
    ACCEPT_RETRY_MS, ACCOUNT_INTERVAL_MS, ARENA_BYTES_MAX, BACKGROUND_STEPS, HOP_SPIN_NS, IDLE_CHECK_INTERVAL_MS,
    INPUT_PAUSE_BYTES, INPUT_RESERVE_BYTES_MAX, STOP_WAIT_MS,
};
use crate::reactor::listener::Listener;
use crate::reactor::mesh::{Bells, Mesh};
use crate::reactor::ring::{Event, Ring, Sleep};
use crate::router::parcel::Parcel;
use crate::thread::Thread;

/// How a reactor is made.
pub(crate) struct ReactorOptions {
    /// The sockets it accepts from.
    pub listeners: Vec<Listener>,
    /// Most connections it can hold.
    pub slot_count: u32,
    /// Its ends of the mesh.
    pub mesh: Mesh<Box<Parcel>>,
    /// The bells of all threads.
    pub bells: Bells,
}

/// The loop of one data thread.
#[expect(clippy::struct_excessive_bools, reason = "each notes one thing that the next turn has to see to")]
pub(crate) struct Reactor {
    pub(super) ring: Ring,
    pub(super) listeners: Vec<Listener>,
    pub(super) desk: Desk,
    mesh: Mesh<Box<Parcel>>,
    bells: Bells,
    ready: Vec<Ready>,
    stops: Vec<Stop>,
    spans: Vec<Span>,
    events: Vec<Event>,
    bump: Bump,
    /// Connections whose receive ended though they are open.
    pub(super) rearm: Vec<u32>,
    /// Listeners to accept from again once there may be descriptors.
    accept_later: Vec<u32>,
    accept_at: Millis,
    /// Requests were held back by a pause.
    is_paused: bool,
    /// The shard has background work left.
    has_work: bool,
    accounted_at: Millis,
    idle_checked_at: Millis,
    config_generation: u64,
    is_stop_told: bool,
    /// The syncs of the log.
    pub(super) syncs: Syncs,
    /// Wishes for durable logs that were there when the last sync ended.
    pub(super) sync_wish: u64,
    /// A sync ended that other threads may wait for.
    pub(super) is_sync_to_tell: bool,
    /// Something is to be done when the sends of this turn are over, so that the next wait must not sleep.
    is_awaiting_sends: bool,
    timing: Timing,
}

impl Reactor {
    /// A reactor over `thread`; made on the thread that runs it.
    ///
    /// # Errors
    /// When the kernel has no ring for it.
    pub(crate) fn new(thread: Thread, options: ReactorOptions) -> io::Result<Reactor> {
        let ReactorOptions { listeners, slot_count, mesh, bells } = options;
        let mut ring = Ring::new(slot_count)?;
        bells.hang(thread.id.0, ring.descriptor());
        for (index, listener) in listeners.iter().enumerate() {
            ring.accept(listener.descriptor(), index as u32);
        }
        let config_generation = thread.shared.config_generation();
        Ok(Reactor {
            ring,
            listeners,
            desk: Desk::new(thread, table(), slot_count),
            mesh,
            bells,
            ready: Vec::new(),
            stops: Vec::new(),
            spans: Vec::new(),
            events: Vec::new(),
            bump: Bump::new(),
            rearm: Vec::new(),
            accept_later: Vec::new(),
            accept_at: Millis(0),
            is_paused: false,
            has_work: false,
            accounted_at: Millis(0),
            idle_checked_at: Millis(0),
            config_generation,
            is_stop_told: false,
            syncs: Syncs::default(),
            sync_wish: 0,
            is_sync_to_tell: false,
            is_awaiting_sends: false,
            timing: Timing::default(),
        })
    }

    /// Serves until the server stops, then sends what is to be sent.
    ///
    /// # Errors
    /// When the kernel refuses the ring.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        while !self.desk.thread.shared.is_stopping() {
            let sleep = self.sleep();
            self.turn(sleep)?;
        }
        self.tell_all();
        self.stop()
    }

    /// Accepts and runs nothing more, and turns until all threads have sent their replies, or a while has passed.
    fn stop(&mut self) -> io::Result<()> {
        for index in 0..self.listeners.len() {
            self.ring.cancel_accept(index as u32);
        }
        self.desk.is_congested = true;
        let start = now();
        let mut is_counted = false;
        let shared = std::sync::Arc::clone(&self.desk.thread.shared);
        while !shared.are_all_drained() && now().0 - start.0 < STOP_WAIT_MS {
            self.desk.end_waiters();
            self.turn(Sleep::AtMost(Duration::from_millis(1)))?;
            self.desk.is_congested = true;
            let is_sending = self.desk.connections.is_sending() || self.desk.post.is_waiting();
            let is_drained = self.desk.owed_count == 0 && !is_sending;
            if is_drained && !is_counted {
                is_counted = true;
                shared.count_drained();
            }
        }
        while self.syncs.is_in_flight() {
            self.turn(Sleep::Forever)?;
            self.desk.is_congested = true;
        }
        self.end_log();
        Ok(())
    }

    /// One turn.
    fn turn(&mut self, sleep: Sleep) -> io::Result<()> {
        let mut events = std::mem::take(&mut self.events);
        self.wait(sleep, &mut events)?;
        self.begin_turn(now());
        self.desk.begin_holding();
        self.desk.flush_if_due();
        let pace = if events.is_empty() { Pace::Idle } else { Pace::Serving };
        for event in events.drain(..) {
            self.sort(event);
        }
        self.events = events;
        self.read_parcels();
        self.take_up_stalled();
        self.run_ready();
        self.desk.serve_waiters();
        self.desk.look_at_waits();
        self.desk.look_at_surveys();
        self.desk.look_at_streams();
        self.desk.look_at_shutdown();
        self.desk.thread.settle();
        self.ring.buffers.recycle();
        self.work();
        self.persist(pace);
        self.desk.post.send(&mut self.mesh);
        let ring = &mut self.ring;
        self.mesh.flush(|descriptor| ring.wake(descriptor));
        self.send();
        self.close();
        self.rearm();
        self.tell_changes();
        self.end_turn();
        Ok(())
    }

    /// Lets the thread and everybody else know that a turn begins.
    #[inline]
    fn begin_turn(&mut self, now: Millis) {
        let thread = &mut self.desk.thread;
        thread.shared.pulses.begin(thread.id.0, now);
        thread.begin_turn(now);
        self.timing.begin(thread);
    }

    /// Counts the turn; what is left of it, the kernel does.
    #[inline]
    fn end_turn(&mut self) {
        let has_arrived = self.ring.has_news();
        let thread = &mut self.desk.thread;
        self.timing.end(thread, has_arrived);
        thread.shared.pulses.rest(thread.id.0);
    }

    /// Submits and sleeps, spinning before where that is cheaper than being woken.
    fn wait(&mut self, sleep: Sleep, events: &mut Vec<Event>) -> io::Result<()> {
        if sleep == Sleep::No {
            return self.ring.wait(sleep, events);
        }
        let busy_ns = u64::from(self.desk.thread.config.busy_poll_us) * 1000;
        let hop_ns = if self.desk.owed_count > self.desk.held_count { HOP_SPIN_NS } else { 0 };
        if busy_ns.max(hop_ns) > 0 && self.spin(busy_ns.max(hop_ns), events)? {
            return Ok(());
        }
        if self.mesh.fall_asleep() {
            self.ring.wait(sleep, events)?;
            self.mesh.wake_up();
            self.desk.thread.counters.load.wake_ups += 1;
            return Ok(());
        }
        self.ring.wait(Sleep::No, events)
    }

    /// Looks for news for up to `spin_ns` without sleeping; whether there are any.
    fn spin(&mut self, spin_ns: u64, events: &mut Vec<Event>) -> io::Result<bool> {
        self.ring.wait(Sleep::No, events)?;
        if !events.is_empty() {
            return Ok(true);
        }
        let start = Instant::now();
        let longest = Duration::from_nanos(spin_ns);
        while start.elapsed() < longest {
            for _ in 0..16 {
                if self.mesh.has_messages() {
                    return Ok(true);
                }
                std::hint::spin_loop();
            }
            if self.ring.has_news() {
                self.ring.wait(Sleep::No, events)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How long nothing has to be done unless something happens.
    fn sleep(&self) -> Sleep {
        // Room that was found for waiting messages lets stalled connections go on in the next turn.
        let is_relieved = self.desk.is_congested && !self.mesh.is_congested();
        let has_work = self.has_work || self.desk.thread.persist.has_work();
        if has_work || self.desk.unstall || self.is_awaiting_sends || is_relieved {
            return Sleep::No;
        }
        let thread = &self.desk.thread;
        let now = thread.now;
        let mut until = thread.shard.next_due().filter(|_| thread.expiry_held_at.is_none());
        let mut at_most = |at: Millis| until = Some(until.map_or(at, |until| until.min(at)));
        if self.is_paused
            && let Some(end) = thread.pause.end(now)
        {
            at_most(end);
        }
        if let Some(at) = thread.shard.log().and_then(|log| self.syncs.due_at(log, thread.config.appendfsync)) {
            at_most(at);
        }
        let desk = &self.desk;
        let dues = [desk.next_deadline(), desk.next_survey_due(), desk.next_event_due(), thread.waiters.next_at()];
        for at in dues.into_iter().flatten() {
            at_most(at);
        }
        if !self.accept_later.is_empty() {
            at_most(self.accept_at);
        }
        if let Some(at) = thread.flush_at {
            at_most(at);
        }
        let looks_at_clients =
            thread.config.timeout > 0 || thread.config.client_output_buffer_limit.normal.soft_bytes > 0;
        if looks_at_clients && thread.clients.len() > 0 || !self.desk.arriving.is_empty() {
            at_most(Millis(self.idle_checked_at.0 + IDLE_CHECK_INTERVAL_MS));
        }
        if self.mesh.is_congested() {
            at_most(Millis(now.0 + 1));
        }
        let until = until.map(|until| Duration::from_millis(until.0.saturating_sub(now.0).max(1)));
        let company = thread.shard.log().and_then(|log| self.syncs.waits_for(log, thread.config.appendfsync));
        match [until, company].into_iter().flatten().min() {
            Some(longest) => Sleep::AtMost(longest),
            None => Sleep::Forever,
        }
    }

    fn read_parcels(&mut self) {
        let mut read_count = 0;
        while let Some((source, parcel)) = self.mesh.take() {
            self.desk.read_parcel(source, parcel, &self.bump);
            self.bump.reset();
            read_count += 1;
            if read_count == PARCELS_PER_TURN_MAX {
                // The rest is for the next turn, which does not sleep: the mesh refuses to.
                break;
            }
        }
        let was_congested = std::mem::replace(&mut self.desk.is_congested, self.mesh.is_congested());
        self.desk.unstall |= was_congested && !self.desk.is_congested;
    }

    /// Sees to the log, once the turn has made all its changes and before anything leaves.
    #[inline]
    fn persist(&mut self, pace: Pace) {
        if self.desk.is_holding {
            self.desk.hold();
        }
        let is_held = !self.desk.locks.is_idle();
        self.desk.thread.persist.is_held = is_held;
        self.end_turn_of_log(pace);
        self.begin_sync();
    }

    /// Work of the shard and of the clock.
    fn work(&mut self) {
        let thread = &mut self.desk.thread;
        let now = thread.now;
        let before = thread.shard.stats();
        self.has_work = thread.shard.work(thread.expiry_held_at.unwrap_or(now), BACKGROUND_STEPS);
        if self.has_work || thread.shard.stats() != before {
            note_work(thread, &before);
        }
        if self.is_paused && !thread.pause.is_on(now) {
            self.is_paused = false;
            self.desk.unstall = true;
        }
        if !self.accept_later.is_empty() && now >= self.accept_at {
            for listener in std::mem::take(&mut self.accept_later) {
                self.ring.accept(self.listeners[listener as usize].descriptor(), listener);
            }
        }
        if now.0 - self.accounted_at.0.min(now.0) >= ACCOUNT_INTERVAL_MS {
            self.accounted_at = now;
            self.desk.account();
        }
        if now.0 - self.idle_checked_at.0.min(now.0) >= IDLE_CHECK_INTERVAL_MS {
            self.idle_checked_at = now;
            self.desk.close_idle();
            self.desk.close_slow();
            self.desk.close_late();
        }
    }

    /// Wakes the other threads when this one changed what they have to know.
    fn tell_changes(&mut self) {
        let generation = self.desk.thread.shared.config_generation();
        if generation != self.config_generation {
            self.config_generation = generation;
            self.tell_all();
        }
        if std::mem::take(&mut self.is_sync_to_tell) {
            self.tell_all();
        }
        if self.desk.thread.shared.is_stopping() && !self.is_stop_told {
            self.is_stop_told = true;
            self.tell_all();
        }
    }

    fn tell_all(&mut self) {
        let own = self.ring.descriptor();
        for descriptor in self.bells.rings().filter(|descriptor| *descriptor != own) {
            self.ring.wake(descriptor);
        }
    }

    fn sort(&mut self, event: Event) {
        match event {
            Event::Received { slot, piece, is_armed } => self.received(slot, Source::Piece(piece), is_armed),
            Event::ReceiveEnded { slot, error } => self.receive_ended(slot, error),
            Event::Sent { slot, buffer, error, waited } => {
                self.desk.thread.counters.stages.send.record(waited.0, 1);
                self.sent(slot, buffer, error);
            }
            Event::Accepted { listener, socket, is_armed } => {
                self.accepted(self.listeners[listener as usize].door, socket);
                if !is_armed {
                    self.ring.accept(self.listeners[listener as usize].descriptor(), listener);
                }
            }
            Event::AcceptFailed { listener, error, is_armed } => {
                self.accept_failed(listener, error, is_armed);
            }
            Event::Closed { slot } => self.desk.connections.free(slot),
            Event::Synced { tag, error } => self.synced(tag, error),
            Event::Woken => self.take_handed(),
        }
    }

    /// Accepting goes on, after a while if descriptors or memory ran out.
    fn accept_failed(&mut self, listener: u32, error: Errno, is_armed: bool) {
        if is_armed || self.desk.thread.shared.is_stopping() {
            return;
        }
        if error == Errno::CONNABORTED || error == Errno::INTR || error == Errno::AGAIN {
            return self.ring.accept(self.listeners[listener as usize].descriptor(), listener);
        }
        if self.accept_later.is_empty() {
            tracing::warn!("no connection can be accepted for now: {error}");
            self.accept_at = Millis(self.desk.thread.now.0 + ACCEPT_RETRY_MS);
        }
        self.accept_later.push(listener);
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
        let is_stalled = connection.state.contains(State::STALLED);
        let holds_bytes = !connection.input.is_empty() || is_stalled;
        if holds_bytes {
            connection.input.extend_from_slice(self.ring.buffers.bytes(piece));
            let input_bytes = connection.input.len();
            if input_bytes as u64 > self.desk.thread.config.client_query_buffer_limit {
                return self.desk.close_for_query(slot);
            }
            if is_stalled {
                return self.pause_receive(slot);
            }
            if input_bytes < connection.input_wanted_bytes {
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
            Some(Errno::CANCELED) => {
                connection.state.remove(State::RECEIVE_ENDING);
                self.rearm.push(slot);
            }
            Some(_) => self.desk.begin_close(slot),
            None => {
                connection.state.insert(State::HALF_CLOSED);
                if connection.awaited_hole.is_some() || connection.state.contains(State::STREAMING) {
                    return self.desk.begin_close(slot);
                }
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
            self.desk.unstall |= connection.state.contains(State::STALLED);
            if connection.state.intersects(ending) || !connection.output.is_empty() {
                self.desk.mark_dirty(slot);
            }
            if let Some(client) = self.desk.thread.clients.get_mut(ClientSlot(slot)) {
                client.sent_bytes += buffer.len() as u64;
            }
        }
        self.desk.pool.give(buffer);
    }

    /// Lets stalled connections go on whose reason to stall is over.
    fn take_up_stalled(&mut self) {
        if !std::mem::take(&mut self.desk.unstall) {
            return;
        }
        let stalled = std::mem::take(&mut self.desk.stalled);
        for slot in stalled {
            let connection = self.desk.connections.get(slot);
            if !connection.is_serving() || !connection.state.contains(State::STALLED) {
                continue;
            }
            if self.desk.is_blocked(slot) {
                self.desk.stalled.push(slot);
                continue;
            }
            let connection = self.desk.connections.get(slot);
            connection.state.remove(State::STALLED);
            connection.state.insert(State::READY);
            let input = std::mem::take(&mut connection.input);
            self.ready.push(Ready::new(slot, Source::Owned(input)));
            self.rearm.push(slot);
        }
    }

    /// Stops reading from a stalled connection that has sent a lot already.
    fn pause_receive(&mut self, slot: u32) {
        let connection = self.desk.connections.get(slot);
        let is_receiving = connection.state.contains(State::RECEIVING);
        let is_ending = connection.state.contains(State::RECEIVE_ENDING);
        if connection.input.len() > INPUT_PAUSE_BYTES && is_receiving && !is_ending {
            connection.state.insert(State::RECEIVE_ENDING);
            self.ring.cancel_receive(slot);
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
        let Reactor { ring, desk, ready, spans, bump, stops, timing, .. } = self;
        let mut cuts = std::mem::take(stops);
        let mut batch = Batch::new(bump);
        let first = next;
        let mut positions = bumpalo::collections::Vec::new_in(bump);
        while next < ready.len() && !batch.is_full() {
            let item = &ready[next];
            if item.is_stopped || !desk.connections.get(item.slot).is_serving() {
                positions.push((item.position, 0));
                next += 1;
                continue;
            }
            let input = Input {
                slot: item.slot,
                ready: next,
                bytes: item.bytes(&ring.buffers),
                position: item.position,
                request_count_max: usize::MAX,
            };
            let cut = desk.cut(&mut batch, input, spans);
            positions.push((cut.position, cut.wanted_bytes));
            if cut.goes_on {
                break;
            }
            next += 1;
        }
        timing.begin_batch(&mut desk.thread, batch.requests.len());
        desk.run(&mut batch, &mut cuts);
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
        let is_partial = !item.is_stopped && item.position < item.bytes(&self.ring.buffers).len();
        self.desk.note_arriving(item.slot, is_partial, item.position > 0);
        let connection = self.desk.connections.get(item.slot);
        let rest = &item.bytes(&self.ring.buffers)[item.position..];
        if rest.is_empty() && !item.is_stopped {
            if let Source::Owned(bytes) = item.source {
                self.desk.pool.give(bytes);
            }
            return;
        }
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
        let limit = self.desk.thread.config.client_query_buffer_limit;
        if connection.input.len() as u64 > limit {
            return self.desk.close_for_query(item.slot);
        }
        // Sized once for a long argument; where so much is not to be had at once, it grows as bytes come.
        let wanted_bytes = item.wanted_bytes.min(INPUT_RESERVE_BYTES_MAX);
        let _ = connection.input.try_reserve_exact(wanted_bytes);
        if item.is_stopped {
            connection.parser.reset();
            connection.state.insert(State::STALLED);
            self.desk.stalled.push(item.slot);
            self.is_paused |= self.desk.thread.pause.is_on(self.desk.thread.now);
            self.desk.unstall |= !self.desk.is_blocked(item.slot);
            self.pause_receive(item.slot);
        }
    }

    /// One send for each connection that has something to send.
    fn send(&mut self) {
        self.is_awaiting_sends = false;
        let mut dirty = std::mem::take(&mut self.desk.dirty);
        for slot in dirty.drain(..) {
            let connection = self.desk.connections.get(slot);
            connection.state.remove(State::DIRTY);
            if connection.state.intersects(State::CLOSING.union(State::SENDING)) {
                continue;
            }
            if connection.output.is_empty() {
                self.desk.pool.give(std::mem::take(&mut connection.output));
                let is_idle = !connection.state.contains(State::STALLED)
                    && connection.holes.is_empty()
                    && connection.held.is_empty();
                let ending = State::CLOSE_AFTER_REPLIES.union(State::HALF_CLOSED);
                if is_idle && connection.state.intersects(ending) {
                    if self.desk.lingers(slot) {
                        self.ring.shut_down_sending(slot);
                    } else {
                        self.desk.begin_close(slot);
                    }
                }
                continue;
            }
            let follows = State::CLOSE_AFTER_REPLIES.union(State::HALF_CLOSED).union(State::STALLED);
            self.is_awaiting_sends |= connection.state.intersects(follows);
            connection.state.insert(State::SENDING);
            connection.sending_bytes = connection.output.len();
            connection.free_bytes = 0;
            let output = std::mem::take(&mut connection.output);
            self.ring.send(slot, output);
        }
        self.desk.dirty = dirty;
    }

    /// Receives again where the kernel stopped though the connection goes on.
    fn rearm(&mut self) {
        for slot in self.rearm.drain(..) {
            let connection = self.desk.connections.get(slot);
            let is_full = connection.state.contains(State::STALLED) && connection.input.len() > INPUT_PAUSE_BYTES;
            let is_ended = State::RECEIVING.union(State::HALF_CLOSED);
            let is_heard = connection.is_serving()
                || connection.state.contains(State::STREAMING) && !connection.state.contains(State::CLOSING);
            if is_heard && !connection.state.intersects(is_ended) && !is_full {
                connection.state.insert(State::RECEIVING);
                self.ring.receive(slot);
            }
        }
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

/// Most parcels that are read before the clients' own requests have their turn.
const PARCELS_PER_TURN_MAX: usize = 64;

/// The wall clock.
fn now() -> Millis {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(elapsed.as_millis() as u64)
}
