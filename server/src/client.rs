//! What a thread knows of the clients connected to it.

use std::net::SocketAddr;

use locksley_engine::{Db, Millis};
use locksley_wire::resp::Protocol;

/// A client's number: never used twice while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClientId(pub u64);

/// Where its thread keeps a client: the index of its connection, used again after it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClientSlot(pub u32);

/// By which listener a client came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// The port that takes every key.
    Shared,
    /// A shard's own port, which answers MOVED for keys of other shards.
    Shard,
    /// The port for memcached clients.
    Memcached,
    /// The port for HTTP clients.
    Http,
}

impl Door {
    /// What is spoken there.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Door::Shared => "RESP",
            Door::Shard => "RESP, at the port of its shard",
            Door::Memcached => "memcached",
            Door::Http => "HTTP",
        }
    }
}

/// Which replies a client wants (CLIENT REPLY).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplyMode {
    /// All.
    On,
    /// None.
    Off,
    /// None to the command that is running and to the next.
    SkipNext,
    /// None to the command that is running.
    Skip,
}

/// One connected client.
#[expect(clippy::struct_excessive_bools, reason = "each is a mode of its own that a command switches")]
#[derive(Debug)]
pub(crate) struct Client {
    /// Its number.
    pub id: ClientId,
    /// Its address.
    pub address: SocketAddr,
    /// Our address that it connected to.
    pub local_address: SocketAddr,
    /// By which listener it came.
    pub door: Door,
    /// When it connected.
    pub connected_at: Millis,
    /// When it last sent something.
    pub active_at: Millis,
    /// CLIENT SETNAME.
    pub name: Vec<u8>,
    /// CLIENT SETINFO lib-name.
    pub library_name: Vec<u8>,
    /// CLIENT SETINFO lib-ver.
    pub library_version: Vec<u8>,
    /// Its selected database.
    pub db: Db,
    /// The dialect of its replies.
    pub protocol: Protocol,
    /// Whether it may run commands that need authentication.
    pub authenticated: bool,
    /// Which replies it wants.
    pub reply_mode: ReplyMode,
    /// CLIENT NO-EVICT.
    pub no_evict: bool,
    /// CLIENT NO-TOUCH.
    pub no_touch: bool,
    /// It watches all commands (MONITOR).
    pub is_monitor: bool,
    /// It sent READONLY.
    pub is_readonly: bool,
    /// Other shards may have given it leases, or have requests of it that wait.
    pub is_known_elsewhere: bool,
    /// Its last command, `client|list` for a subcommand.
    pub last_command: &'static str,
    /// Unread bytes of requests that are kept for it.
    pub input_bytes: usize,
    /// Bytes of replies it has not taken yet.
    pub output_bytes: usize,
    /// Bytes received from it.
    pub received_bytes: u64,
    /// Bytes sent to it.
    pub sent_bytes: u64,
    /// Requests it sent.
    pub request_count: u64,
}

/// A connection as it was accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// The client's number.
    pub id: ClientId,
    /// Its address.
    pub address: SocketAddr,
    /// Our address that it connected to.
    pub local_address: SocketAddr,
    /// By which listener it came.
    pub door: Door,
    /// When it connected.
    pub at: Millis,
    /// Whether it may run commands that need authentication.
    pub authenticated: bool,
}

impl Client {
    /// A client that has said nothing yet.
    pub(crate) fn new(arrival: Arrival) -> Client {
        let Arrival { id, address, local_address, door, at, authenticated } = arrival;
        Client {
            id,
            address,
            local_address,
            door,
            connected_at: at,
            active_at: at,
            name: Vec::new(),
            library_name: Vec::new(),
            library_version: Vec::new(),
            db: Db(0),
            protocol: Protocol::Resp2,
            authenticated,
            reply_mode: ReplyMode::On,
            no_evict: false,
            no_touch: false,
            is_monitor: false,
            is_readonly: false,
            is_known_elsewhere: false,
            last_command: "NULL",
            input_bytes: 0,
            output_bytes: 0,
            received_bytes: 0,
            sent_bytes: 0,
            request_count: 0,
        }
    }
}

/// The clients of one thread.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    slots: Vec<Option<Client>>,
    count: usize,
}

impl Clients {
    /// Keeps `client` at `slot`, which is free.
    pub(crate) fn insert(&mut self, slot: ClientSlot, client: Client) {
        let index = slot.0 as usize;
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, || None);
        }
        assert!(self.slots[index].is_none(), "a slot holds one client");
        self.slots[index] = Some(client);
        self.count += 1;
    }

    /// Takes the client out of `slot`.
    pub(crate) fn remove(&mut self, slot: ClientSlot) -> Option<Client> {
        let client = self.slots.get_mut(slot.0 as usize)?.take();
        self.count -= usize::from(client.is_some());
        client
    }

    /// The client at `slot`.
    #[inline]
    pub(crate) fn get_mut(&mut self, slot: ClientSlot) -> Option<&mut Client> {
        self.slots.get_mut(slot.0 as usize)?.as_mut()
    }

    /// The client at `slot`, to look at.
    #[inline]
    pub(crate) fn get(&self, slot: ClientSlot) -> Option<&Client> {
        self.slots.get(slot.0 as usize)?.as_ref()
    }

    /// All clients with their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ClientSlot, &Client)> {
        let numbered = self.slots.iter().enumerate();
        numbered.filter_map(|(index, slot)| slot.as_ref().map(|client| (ClientSlot(index as u32), client)))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }
}
