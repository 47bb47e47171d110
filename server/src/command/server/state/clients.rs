//! The clients that were active last, as CLIENT LIST tells of them.

use std::cmp::Reverse;

use locksley_engine::Millis;
use serde::Serialize;

use crate::client::{Client, Door};
use crate::command::server::pack::{Reader, write_number, write_numbers, write_text};
use crate::limits::CONSOLE_CLIENT_COUNT_MAX;
use crate::thread::Thread;

/// One client.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ClientFacts {
    /// Its number.
    id: u64,
    /// Milliseconds since it connected.
    age_ms: u64,
    /// Milliseconds since it last sent something.
    idle_ms: u64,
    /// Its selected database.
    db: u64,
    /// Unread bytes of requests that are kept for it.
    input_bytes: u64,
    /// Bytes of replies it has not taken yet.
    output_bytes: u64,
    /// Bytes received from it.
    received_bytes: u64,
    /// Bytes sent to it.
    sent_bytes: u64,
    /// Requests it sent.
    requests: u64,
    /// The thread that serves it.
    shard: u64,
    /// Its address.
    address: String,
    /// By which listener it came: `resp`, `shard`, `memcached` or `http`.
    door: String,
    /// The name that it gave itself.
    name: String,
    /// The name and version of its library, as far as it told.
    library: String,
    /// Its last command.
    command: String,
}

impl ClientFacts {
    fn of(client: &Client, thread: &Thread) -> ClientFacts {
        let since = |then: Millis| thread.now.0.saturating_sub(then.0);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let library = [&client.library_name, &client.library_version].map(|part| text(part)).join(" ");
        ClientFacts {
            id: client.id.0,
            age_ms: since(client.connected_at),
            idle_ms: since(client.active_at),
            db: u64::from(client.db.0),
            input_bytes: client.input_bytes as u64,
            output_bytes: client.output_bytes as u64,
            received_bytes: client.received_bytes,
            sent_bytes: client.sent_bytes,
            requests: client.request_count,
            shard: u64::from(thread.id.0),
            address: client.address.to_string(),
            door: door(client.door).to_owned(),
            name: text(&client.name),
            library: library.trim().to_owned(),
            command: client.last_command.to_owned(),
        }
    }
}

/// The clients of one thread that were active last.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Clients(Vec<ClientFacts>);

impl Clients {
    /// Those of `thread`.
    pub(super) fn of(thread: &Thread) -> Clients {
        let mut all: Vec<&Client> = thread.clients.iter().map(|(_, client)| client).collect();
        if all.len() > CONSOLE_CLIENT_COUNT_MAX {
            all.select_nth_unstable_by_key(CONSOLE_CLIENT_COUNT_MAX, |client| Reverse(client.active_at));
            all.truncate(CONSOLE_CLIENT_COUNT_MAX);
        }
        Clients(all.into_iter().map(|client| ClientFacts::of(client, thread)).collect())
    }

    /// Appends them to a part.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        write_number(self.0.len() as u64, out);
        for client in &self.0 {
            write_numbers(&[client.id, client.age_ms, client.idle_ms, client.db], out);
            write_numbers(&[client.input_bytes, client.output_bytes, client.received_bytes, client.sent_bytes], out);
            write_numbers(&[client.requests, client.shard], out);
            for text in [&client.address, &client.door, &client.name, &client.library, &client.command] {
                write_text(text, out);
            }
        }
    }

    /// Reads what [`Self::write`] wrote.
    pub(super) fn read(reader: &mut Reader<'_>) -> Clients {
        let count = reader.number();
        let client = |_| ClientFacts {
            id: reader.number(),
            age_ms: reader.number(),
            idle_ms: reader.number(),
            db: reader.number(),
            input_bytes: reader.number(),
            output_bytes: reader.number(),
            received_bytes: reader.number(),
            sent_bytes: reader.number(),
            requests: reader.number(),
            shard: reader.number(),
            address: reader.text(),
            door: reader.text(),
            name: reader.text(),
            library: reader.text(),
            command: reader.text(),
        };
        Clients((0..count).map(client).collect())
    }
}

/// Of all threads' clients those that were active last, in the order of their numbers.
pub(super) fn merge(threads: impl Iterator<Item = Clients>) -> Vec<ClientFacts> {
    let mut all: Vec<ClientFacts> = threads.flat_map(|clients| clients.0).collect();
    all.sort_by_key(|client| client.idle_ms);
    all.truncate(CONSOLE_CLIENT_COUNT_MAX);
    all.sort_by_key(|client| client.id);
    all
}

fn door(door: Door) -> &'static str {
    match door {
        Door::Shared => "resp",
        Door::Shard => "shard",
        Door::Memcached => "memcached",
        Door::Http => "http",
    }
}
