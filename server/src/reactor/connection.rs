//! The connections of one thread: what was received and not parsed, what is to be sent, and what is in flight.
//!
//! A silent connection holds no buffer: input is parsed where the kernel put it, replies are written to a buffer from
//! the thread's [`Pool`] that goes back when it is sent.
//!
//! ```text
//! free ──accepted──▶ open ──begin to close──▶ closing ──nothing in flight──▶ close queued ──Closed──▶ free
//! ```
//!
//! Invariants:
//! - `input` begins at the first byte of a request and is empty unless a request is incomplete or held back;
//! - a slot is free only when the kernel holds nothing of it; its generation grows then, so that a reply that comes
//!   late from another shard finds nobody.

use bitflags::bitflags;
use locksley_engine::Millis;
use locksley_wire::{http, memcached, resp};

use super::held::Held;
use super::holes::Holes;
use super::limits::{POOLED_BUFFER_BYTES_MAX, POOLED_BUFFER_COUNT_MAX};
use crate::client::Door;

bitflags! {
    /// Where a connection stands.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct State: u32 {
        /// A client is connected.
        const OPEN = 1;
        /// The kernel receives for it.
        const RECEIVING = 1 << 1;
        /// The receive was told to end.
        const RECEIVE_ENDING = 1 << 2;
        /// A send is in flight.
        const SENDING = 1 << 3;
        /// It is closed when its replies are sent.
        const CLOSE_AFTER_REPLIES = 1 << 4;
        /// It is to be closed as soon as nothing is in flight.
        const CLOSING = 1 << 5;
        /// It is on the list of those that have something to send.
        const DIRTY = 1 << 6;
        /// Requests of it are held back: it is on the list of the stalled.
        const STALLED = 1 << 7;
        /// It received bytes in this turn.
        const READY = 1 << 8;
        /// A request of it that several shards take part in has to be over before the next is run.
        const HELD = 1 << 12;
        /// Its next request waits until all earlier replies are there.
        const DRAINING = 1 << 13;
        /// Its output has replies of this turn that may show what is not durable.
        const TAINTED = 1 << 14;
        /// The peer sends no more; it is closed when its requests are answered.
        const HALF_CLOSED = 1 << 9;
        /// Both directions were ended, so that what is in flight ends.
        const SHUT_DOWN = 1 << 10;
        /// The close is in flight.
        const CLOSED = 1 << 11;
        /// Everything was said; what the peer still sends is passed over until it is done.
        const LINGERING = 1 << 15;
        /// Its response does not end: what the peer still sends is passed over until it is gone.
        const STREAMING = 1 << 16;
    }
}

/// Where a connection's protocol stands in its input.
#[derive(Debug)]
pub(crate) enum Parser {
    /// RESP.
    Resp(resp::RequestParser),
    /// The memcached protocol.
    Memcached(memcached::RequestParser),
    /// HTTP.
    Http(http::RequestParser),
}

impl Parser {
    /// At the beginning of what clients of `door` send.
    pub(crate) fn of(door: Door) -> Parser {
        match door {
            Door::Shared | Door::Shard => Parser::default(),
            Door::Memcached => Parser::Memcached(memcached::RequestParser::default()),
            Door::Http => Parser::Http(http::RequestParser::default()),
        }
    }

    /// Goes back to the beginning of a request, with which the input begins.
    pub(crate) fn reset(&mut self) {
        match self {
            Parser::Resp(parser) => parser.reset(),
            Parser::Memcached(parser) => parser.reset(),
            Parser::Http(parser) => parser.reset(),
        }
    }
}

impl Default for Parser {
    fn default() -> Parser {
        Parser::Resp(resp::RequestParser::default())
    }
}

/// One connection.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    /// How often its slot was used before.
    pub generation: u32,
    /// Where it stands.
    pub state: State,
    /// Bytes of the send in flight.
    pub sending_bytes: usize,
    /// The hole of a request that may wait for a key, by which the client is held.
    pub awaited_hole: Option<u32>,
    /// Since when more than the soft limit of its replies is unread, as far as was looked.
    pub slow_since: Option<Millis>,
    /// Received bytes that are not parsed.
    pub input: Vec<u8>,
    /// How long `input` must be before parsing it again can lead anywhere.
    pub input_wanted_bytes: usize,
    /// Where in `input` the parser stands.
    pub parser: Parser,
    /// Since when a request of it is arriving, or since when it lingers; kept for HTTP only.
    pub arriving_since: Option<Millis>,
    /// Replies that are not handed to the kernel.
    pub output: Vec<u8>,
    /// Bytes at the front of `output` that wait for no sync; kept only where replies are held back for one.
    pub free_bytes: usize,
    /// Replies that other shards owe, and what waits behind them.
    pub holes: Holes,
    /// Replies that wait until the log is durable, between `output` and those behind holes.
    pub held: Held,
}

impl Connection {
    /// Whether its requests may still be run.
    #[inline]
    pub(crate) fn is_serving(&self) -> bool {
        let ending = State::CLOSE_AFTER_REPLIES.union(State::CLOSING).union(State::STREAMING);
        self.state.contains(State::OPEN) && !self.state.intersects(ending)
    }

    /// Notes whether its output has grown by replies of this thread.
    #[inline]
    pub(crate) fn taint_if(&mut self, has_grown: bool) {
        self.state.set(State::TAINTED, self.state.contains(State::TAINTED) | has_grown);
    }

    /// Bytes of replies that the peer has not taken.
    #[inline]
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.output.len() + self.sending_bytes + self.held.waiting_bytes() + self.holes.waiting_bytes()
    }
}

/// The connections of one thread by slot.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    slots: Vec<Connection>,
    free: Vec<u32>,
    slot_count_max: u32,
}

impl Connections {
    /// Room for `slot_count_max` connections, made when it is needed.
    pub(crate) fn new(slot_count_max: u32) -> Connections {
        Connections { slots: Vec::new(), free: Vec::new(), slot_count_max }
    }

    /// A slot for a new connection, or `None` when all are taken.
    pub(crate) fn open(&mut self) -> Option<u32> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() < self.slot_count_max as usize => {
                self.slots.push(Connection::default());
                self.slots.len() as u32 - 1
            }
            None => return None,
        };
        let connection = &mut self.slots[slot as usize];
        assert_eq!(connection.state, State::empty(), "a free slot holds nothing");
        connection.state = State::OPEN;
        Some(slot)
    }

    /// Frees the slot of a closed connection.
    pub(crate) fn free(&mut self, slot: u32) {
        let connection = &mut self.slots[slot as usize];
        assert!(connection.state.contains(State::CLOSING), "a connection closes before its slot is free");
        let generation = connection.generation.wrapping_add(1);
        *connection = Connection { generation, ..Connection::default() };
        self.free.push(slot);
    }

    /// The connection at `slot`.
    #[inline]
    pub(crate) fn get(&mut self, slot: u32) -> &mut Connection {
        &mut self.slots[slot as usize]
    }

    /// The connection at `slot` if it is still the one of this `generation`.
    #[inline]
    pub(crate) fn get_same(&mut self, slot: u32, generation: u32) -> Option<&mut Connection> {
        let connection = &mut self.slots[slot as usize];
        let is_same = connection.generation == generation && connection.state.contains(State::OPEN);
        is_same.then_some(connection)
    }

    /// Slots that were ever used.
    pub(crate) fn slot_count(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Whether some connection has replies that are not sent.
    pub(crate) fn is_sending(&self) -> bool {
        let busy = State::SENDING.union(State::DIRTY);
        self.slots.iter().any(|connection| connection.state.intersects(busy) || !connection.held.is_empty())
    }
}

/// Emptied buffers, the last one used on top, where the caches still know it.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    buffers: Vec<Vec<u8>>,
}

impl Pool {
    /// An empty buffer.
    #[inline]
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_default()
    }

    /// Takes a buffer back.
    #[inline]
    pub(crate) fn give(&mut self, mut buffer: Vec<u8>) {
        let is_small = buffer.capacity() <= POOLED_BUFFER_BYTES_MAX;
        if is_small && buffer.capacity() > 0 && self.buffers.len() < POOLED_BUFFER_COUNT_MAX {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_used_again_with_another_generation() {
        let mut connections = Connections::new(1);
        let slot = connections.open().expect("room");
        assert!(connections.open().is_none());
        let generation = connections.get(slot).generation;
        assert!(connections.get_same(slot, generation).is_some());
        connections.get(slot).state = State::CLOSING;
        connections.free(slot);
        assert_eq!(connections.open(), Some(slot));
        assert!(connections.get_same(slot, generation).is_none());
    }

    #[test]
    fn the_pool_keeps_small_buffers_only() {
        let mut pool = Pool::default();
        pool.give(Vec::with_capacity(POOLED_BUFFER_BYTES_MAX + 1));
        assert_eq!(pool.take().capacity(), 0);
        pool.give(b"abc".to_vec());
        let buffer = pool.take();
        assert!(buffer.is_empty() && buffer.capacity() >= 3);
    }
}
