//! Clients that follow how the server is: each gets another event every so often, on a response that does not end.
//!
//! An event is a reply of the row [`Verb::State`], as if the client had asked for it; so a stalled shard holds up no
//! stream for longer than a survey's patience. Who has not taken what was written before is passed over, so that a slow
//! reader gets fewer events and not a queue of them.
//!
//! ```text
//! GET /console/events ─▶ head ─▶ streaming ──due──▶ event ──due──▶ event ...
//!                                    └─ peer gone ─▶ closed      └─ password changed ─▶ ends
//! ```
//!
//! What the client sends on such a connection is not looked at; its end is.

use locksley_engine::Millis;

use super::desk::Desk;
use super::hand::Hand;
use super::surveys::Survey;
use crate::client::ClientSlot;
use crate::command::rest::{StateForm, Verb};
use crate::command::row::Run;
use crate::limits::EVENT_INTERVAL_MS;
use crate::reactor::connection::State;

/// One client that follows.
pub(crate) struct Stream {
    slot: u32,
    generation: u32,
    /// When its next event is due.
    due: Millis,
    /// It has got its first event.
    is_begun: bool,
    /// The password that was in force when it asked.
    password: String,
}

impl Desk {
    /// Begins a stream behind the replies that a client has got so far.
    pub(super) fn begin_stream(&mut self, slot: u32) {
        let connection = self.connections.get(slot);
        connection.state.insert(State::STREAMING);
        let generation = connection.generation;
        let password = self.thread.config.requirepass.clone();
        self.streams.push(Stream { slot, generation, due: self.thread.now, is_begun: false, password });
        self.thread.event_stream_count += 1;
    }

    /// Writes the events that are due.
    #[inline]
    pub(super) fn look_at_streams(&mut self) {
        if !self.streams.is_empty() {
            self.write_events();
        }
    }

    /// When the next event is due.
    pub(super) fn next_event_due(&self) -> Option<Millis> {
        self.streams.iter().map(|stream| stream.due).min()
    }

    #[cold]
    fn write_events(&mut self) {
        let now = self.thread.now;
        let mut streams = std::mem::take(&mut self.streams);
        streams.retain_mut(|stream| {
            let connection = self.connections.get_same(stream.slot, stream.generation);
            if connection.is_none_or(|connection| connection.state.contains(State::CLOSING)) {
                return false;
            }
            if self.thread.config.requirepass != stream.password {
                self.end_stream(stream.slot);
                return false;
            }
            // Where the clock was set back, the next event comes no later than it would have.
            stream.due = stream.due.min(Millis(now.0 + EVENT_INTERVAL_MS));
            if stream.due <= now && !self.thread.shared.is_stopping() {
                stream.due = Millis(now.0 + EVENT_INTERVAL_MS);
                // The first follows its head, whenever that leaves.
                if !stream.is_begun || self.has_taken_all(stream.slot) {
                    self.write_event(stream.slot);
                }
                stream.is_begun = true;
            }
            true
        });
        self.thread.event_stream_count = streams.len();
        self.streams = streams;
    }

    /// Closes a stream's connection behind what was written.
    fn end_stream(&mut self, slot: u32) {
        let connection = self.connections.get(slot);
        connection.state.remove(State::STREAMING);
        connection.state.insert(State::CLOSE_AFTER_REPLIES);
        self.mark_dirty(slot);
    }

    /// Whether a client has taken all that was written for it.
    fn has_taken_all(&mut self, slot: u32) -> bool {
        let connection = self.connections.get(slot);
        connection.unsent_bytes() == 0 && connection.holes.is_empty()
    }

    /// Runs the row of an event for a client.
    fn write_event(&mut self, slot: u32) {
        let entry = self.table.rest(Verb::State);
        let Run::Survey { join: make, memory, .. } = entry.row.run else { unreachable!("the state is surveyed") };
        let args: [&[u8]; 2] = [entry.row.name.as_bytes(), StateForm::Event.encode()];
        let mut sink = self.take_sink(slot);
        let mut hand = Hand::of(&mut self.thread, ClientSlot(slot));
        if self.thread.shared.shard_count > 1 {
            self.run_survey(&mut hand, entry, Survey { make, memory }, &args, &mut sink);
        } else {
            self.run_only_part(&mut hand, entry, make, &args, &mut sink);
        }
        if let Some(client) = self.thread.clients.get_mut(ClientSlot(slot)) {
            client.active_at = self.thread.now;
        }
        self.put_sink(slot, sink);
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::{Seat, World};
    use crate::client::Door;
    use crate::limits::{EVENT_INTERVAL_MS, EVENT_STREAM_COUNT_MAX, SURVEY_PATIENCE_MS};

    const ASK: &str = "GET /console/events HTTP/1.1\r\nHost: localhost\r\n";

    fn world(shard_count: u16) -> (World, Seat) {
        let mut world = World::new(shard_count);
        let seat = world.connect_by(0, Door::Http);
        (world, seat)
    }

    fn pass(world: &mut World, millis: u64) {
        world.now.0 += millis;
        world.rest();
    }

    fn event_count(text: &str) -> usize {
        let events: Vec<&str> = text.split("\n\n").filter(|event| event.starts_with("data: {")).collect();
        for event in &events {
            let state = serde_json::from_str::<serde_json::Value>(&event["data: ".len()..]);
            assert!(state.is_ok_and(|state| state.is_object()), "{event}");
        }
        events.len()
    }

    #[test]
    fn an_event_follows_the_other() {
        for shard_count in [1, 3] {
            let (mut world, seat) = world(shard_count);
            world.send(seat, ASK);
            world.rest();
            let text = world.taken(seat);
            let (head, body) = text.split_once("\r\n\r\n").expect("a head");
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("\r\nContent-Type: text/event-stream"));
            assert!(head.ends_with("\r\nConnection: close") && !head.contains("Content-Length"), "{head}");
            assert_eq!(event_count(body), 1);
            pass(&mut world, EVENT_INTERVAL_MS - 1);
            assert_eq!(world.taken(seat), "");
            pass(&mut world, 1);
            assert_eq!(event_count(&world.taken(seat)), 1);
            pass(&mut world, 10 * EVENT_INTERVAL_MS);
            assert_eq!(event_count(&world.taken(seat)), 1, "what was missed is not made up for");
            world.now.0 -= 3_600_000;
            world.rest();
            pass(&mut world, EVENT_INTERVAL_MS);
            assert_eq!(event_count(&world.taken(seat)), 1, "the clock was set back");
            world.disconnect(seat);
            pass(&mut world, EVENT_INTERVAL_MS);
            assert_eq!(world.desks[0].thread.event_stream_count, 0);
        }
    }

    #[test]
    fn a_slow_reader_is_passed_over() {
        let (mut world, seat) = world(3);
        world.send(seat, ASK);
        for _ in 0..5 {
            pass(&mut world, EVENT_INTERVAL_MS);
        }
        let text = world.taken(seat);
        assert_eq!(event_count(text.split_once("\r\n\r\n").expect("a head").1), 1);
        pass(&mut world, EVENT_INTERVAL_MS);
        assert_eq!(event_count(&world.taken(seat)), 1);
    }

    #[test]
    fn a_silent_shard_holds_up_no_stream() {
        let (mut world, seat) = world(3);
        world.send(seat, ASK);
        world.rest();
        world.taken(seat);
        world.stalled = Some(2);
        pass(&mut world, EVENT_INTERVAL_MS);
        assert_eq!(world.taken(seat), "");
        pass(&mut world, SURVEY_PATIENCE_MS);
        assert_eq!(event_count(&world.taken(seat)), 1);
        pass(&mut world, EVENT_INTERVAL_MS);
        assert_eq!(event_count(&world.taken(seat)), 1, "nobody waits for it again");
    }

    #[test]
    fn another_password_ends_streams() {
        let (mut world, seat) = world(1);
        world.send(seat, ASK);
        world.rest();
        world.taken(seat);
        let changed = world.shared.change_config(|config| {
            config.requirepass = "secret".to_owned();
            Ok::<(), ()>(())
        });
        changed.expect("nothing forbids it");
        pass(&mut world, EVENT_INTERVAL_MS);
        assert_eq!(world.taken(seat), "");
        assert!(!world.desks[0].connections.get(seat.slot).is_serving());
        assert_eq!(world.desks[0].thread.event_stream_count, 0);
    }

    #[test]
    fn streams_are_bounded_and_head_is_none() {
        let (mut world, seat) = world(1);
        world.send(seat, "HEAD /console/events HTTP/1.1\r\nHost: localhost\r\n");
        world.rest();
        let text = world.taken(seat);
        assert!(text.contains("text/event-stream") && text.ends_with("\r\n\r\n"), "{text}");
        for _ in 0..EVENT_STREAM_COUNT_MAX {
            let seat = world.connect_by(0, Door::Http);
            world.send(seat, ASK);
        }
        let last = world.connect_by(0, Door::Http);
        world.send(last, ASK);
        world.rest();
        assert!(world.taken(last).starts_with("HTTP/1.1 503 "), "there are too many");
        world.send(last, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n");
        assert!(world.taken(last).starts_with("HTTP/1.1 200 "), "the connection goes on");
    }
}
