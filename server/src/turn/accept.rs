//! New connections: who is let in, and what those are told who are not.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::net::SendFlags;

use super::reactor::Reactor;
use crate::client::{Arrival, Client, ClientSlot, Door};
use crate::frontend::refusal;
use crate::reactor::connection::{Parser, State};
use crate::reactor::listener::ends;

impl Reactor {
    /// Lets a connection in, or not.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the ring's table keeps the socket open; this descriptor ends here"
    )]
    pub(super) fn accepted(&mut self, door: Door, socket: OwnedFd) {
        let Ok((address, local_address)) = ends(&socket) else { return };
        let config = &self.desk.thread.config;
        let has_password = !config.requirepass.is_empty();
        if config.protected_mode && !has_password && !is_local(address) {
            return self.turn_away(&socket, refusal::protected(door));
        }
        if self.desk.thread.shared.client_count() >= config.maxclients {
            return self.turn_away(&socket, refusal::too_many_clients(door));
        }
        let Some(slot) = self.desk.connections.open() else {
            return self.turn_away(&socket, refusal::too_many_clients(door));
        };
        if let Err(error) = self.ring.adopt(&socket, slot) {
            tracing::warn!("a connection could not be registered: {error}");
            self.desk.connections.get(slot).state = State::CLOSING;
            self.desk.connections.free(slot);
            return;
        }
        let thread = &mut self.desk.thread;
        thread.counters.connections += 1;
        let client = Client::new(Arrival {
            id: thread.shared.next_client_id(),
            address,
            local_address,
            door,
            at: thread.now,
            // Each HTTP request brings its own password.
            authenticated: !has_password || door == Door::Http,
        });
        thread.add_client(ClientSlot(slot), client);
        let connection = self.desk.connections.get(slot);
        connection.parser = Parser::of(door);
        connection.state.insert(State::RECEIVING);
        self.ring.receive(slot);
    }

    /// Lets connections in that came to a thread which is stalled.
    pub(super) fn take_handed(&mut self) {
        let thread = &self.desk.thread;
        if !thread.shared.handed.has_any(thread.id.0) || thread.shared.is_stopping() {
            return;
        }
        for (door, socket) in thread.shared.handed.take(thread.id.0) {
            self.desk.thread.counters.load.takeovers += 1;
            self.accepted(door, socket);
        }
    }

    /// Tells a connection why it is not served, and closes it.
    #[cold]
    fn turn_away(&mut self, socket: &OwnedFd, reply: &[u8]) {
        self.desk.thread.counters.rejected_connections += 1;
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        // A peer that does not read this learns by the close.
        let _ = rustix::net::send(socket, reply, flags);
    }
}

fn is_local(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
