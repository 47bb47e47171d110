//! What a thread counts about the commands it runs and the clients it serves.

use hashbrown::HashMap;

/// Counters of one command or subcommand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CommandCounters {
    /// Times it ran.
    pub calls: u64,
    /// Nanoseconds it took in all.
    pub nanos: u64,
    /// Times it was refused before it ran.
    pub rejected: u64,
    /// Times it ran and failed.
    pub failed: u64,
}

/// The counters of one thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    /// By [`Entry::index`](crate::command::table::Entry::index).
    pub commands: Vec<CommandCounters>,
    /// Error replies by their code.
    pub errors: HashMap<String, u64>,
    /// Requests answered.
    pub requests: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections refused.
    pub rejected_connections: u64,
    /// Bytes received from clients.
    pub received_bytes: u64,
    /// Bytes sent to clients.
    pub sent_bytes: u64,
}

impl Counters {
    /// Zeroed counters for `command_count` commands and subcommands.
    pub(crate) fn new(command_count: usize) -> Counters {
        Counters { commands: vec![CommandCounters::default(); command_count], ..Counters::default() }
    }

    /// Counts an error reply.
    pub(crate) fn count_error(&mut self, code: &str) {
        match self.errors.get_mut(code) {
            Some(count) => *count += 1,
            None => drop(self.errors.insert(code.to_owned(), 1)),
        }
    }
}
