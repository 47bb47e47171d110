//! Facts that the client's own thread reports for all.

use super::durability::Durability;
use crate::client::{Client, Door};
use crate::command::context::Context;
use crate::command::server::pack::{Reader, write_number, write_numbers, write_text};

/// Facts of the thread that the client is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::command) struct Home {
    /// The client came by a shard's own port.
    pub is_node: bool,
    /// For each shard, silent or not, for how many milliseconds its thread has been at the turn it is at.
    pub turns_ms: Vec<u64>,
    /// Port of the RESP listener.
    pub port: u64,
    /// The port of the memcached door, 0 for none.
    pub memcached_port: u64,
    /// The port of the HTTP door, 0 for none.
    pub http_port: u64,
    /// When the server started, in milliseconds since 1970.
    pub started_at_ms: u64,
    /// Milliseconds the server has been running.
    pub uptime_ms: u64,
    /// Forty hexadecimal digits that name this run.
    pub run_id: String,
    /// Log, snapshots and loading.
    pub durability: Durability,
    /// Commands that were slow enough for the slow log since the start.
    pub slow_commands: u64,
    /// The configuration file, or nothing.
    pub config_file: String,
    /// Addresses that are listened on.
    pub bind: String,
    /// Memory limit.
    pub maxmemory: u64,
    /// Eviction policy.
    pub policy: String,
    /// Most clients.
    pub maxclients: u64,
    /// The longest requests kept for a client of this thread.
    pub input_bytes_max: u64,
    /// The longest replies kept for a client of this thread.
    pub output_bytes_max: u64,
}

impl Home {
    pub(super) fn of(context: &mut Context<'_>) -> Home {
        let is_node = context.client().door == Door::Shard;
        let thread = &*context.thread;
        let (config, shared) = (&thread.config, &thread.shared);
        let longest = |bytes: fn(&Client) -> usize| {
            thread.clients.iter().map(|(_, client)| bytes(client)).max().unwrap_or(0) as u64
        };
        Home {
            is_node,
            turns_ms: (0..shared.shard_count).map(|shard| shared.pulses.turn_ms(shard, thread.now)).collect(),
            port: u64::from(config.port),
            memcached_port: u64::from(config.memcached_port),
            http_port: u64::from(config.http_port),
            started_at_ms: shared.started_at.0,
            uptime_ms: thread.now.0.saturating_sub(shared.started_at.0),
            run_id: shared.run_id.clone(),
            durability: Durability::of(thread),
            slow_commands: shared.slow_count(),
            config_file: config.file.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
            bind: config.bind.join(" "),
            maxmemory: config.maxmemory,
            policy: config.maxmemory_policy.name().to_owned(),
            maxclients: u64::from(config.maxclients),
            input_bytes_max: longest(|client| client.input_bytes),
            output_bytes_max: longest(|client| client.output_bytes),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        write_number(u64::from(self.is_node), out);
        write_number(self.turns_ms.len() as u64, out);
        write_numbers(&self.turns_ms, out);
        write_number(self.port, out);
        write_number(self.memcached_port, out);
        write_number(self.http_port, out);
        write_number(self.started_at_ms, out);
        write_number(self.uptime_ms, out);
        write_text(&self.run_id, out);
        self.durability.write(out);
        write_number(self.slow_commands, out);
        write_text(&self.config_file, out);
        write_text(&self.bind, out);
        write_number(self.maxmemory, out);
        write_text(&self.policy, out);
        write_number(self.maxclients, out);
        write_number(self.input_bytes_max, out);
        write_number(self.output_bytes_max, out);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Home {
        Home {
            is_node: reader.number() == 1,
            turns_ms: (0..reader.number()).map(|_| reader.number()).collect(),
            port: reader.number(),
            memcached_port: reader.number(),
            http_port: reader.number(),
            started_at_ms: reader.number(),
            uptime_ms: reader.number(),
            run_id: reader.text(),
            durability: Durability::read(reader),
            slow_commands: reader.number(),
            config_file: reader.text(),
            bind: reader.text(),
            maxmemory: reader.number(),
            policy: reader.text(),
            maxclients: reader.number(),
            input_bytes_max: reader.number(),
            output_bytes_max: reader.number(),
        }
    }
}
