//! The server without sockets, seen through the memcached door.
//!
//! A line is a request, in which `|` stands for the line end between a line and its block; the one at the end of the
//! request is added. A reply is its bytes with `|` for each line end, the last one left off. `RESP` before a line sends it
//! by the door of that protocol instead, and lines that begin with `@` move the world, both as
//! [`command::testing`](crate::command::testing) says; what `@db` selects counts for RESP only. A flush that is due comes
//! before each request, as in a thread's loop.

use bumpalo::Bump;
use locksley_engine::Db;
use locksley_wire::memcached::{Limits, RequestParser};

use super::flush_all::flush_due;
use crate::client::Door;
use crate::command::table::table;
use crate::command::testing;
use crate::frontend::batch::{Batch, Call, Input};
use crate::frontend::memcached::Access;

/// Runs each line of `table` in turn, on one shard and then on three, and compares its reply.
///
/// # Panics
/// At the first reply that differs.
pub(in crate::command) fn check(table: &[(&str, &str)]) {
    for shard_count in [1, 3] {
        let mut rig = Rig::new(shard_count);
        for (index, (line, expected)) in table.iter().enumerate() {
            let reply = rig.reply(line);
            assert_eq!(&reply, expected, "reply to line {index} `{line}` on {shard_count} shards");
        }
    }
}

/// Several threads, and one client of the first.
pub(in crate::command) struct Rig {
    /// What is behind the door.
    pub inner: testing::Rig,
    parser: RequestParser,
}

impl Rig {
    /// An empty server of `shard_count` shards.
    pub(in crate::command) fn new(shard_count: u16) -> Rig {
        let mut inner = testing::Rig::new(shard_count);
        inner.client().door = Door::Memcached;
        Rig { inner, parser: RequestParser::default() }
    }

    /// Runs one line and shows its reply as the module's header says.
    pub(in crate::command) fn reply(&mut self, line: &str) -> String {
        if let Some(line) = line.strip_prefix("RESP ") {
            self.inner.client().door = Door::Shared;
            let reply = self.inner.reply(line);
            self.inner.client().door = Door::Memcached;
            return reply;
        }
        if line.starts_with('@') {
            return self.inner.reply(line);
        }
        let request = format!("{}\r\n", line.replace('|', "\r\n"));
        let db = std::mem::replace(&mut self.inner.client().db, Db(0));
        let reply = self.run(request.as_bytes());
        self.inner.client().db = db;
        let text = reply.strip_suffix(b"\r\n").unwrap_or(&reply);
        text.escape_ascii().to_string().replace("\\r\\n", "|").replace("\\\"", "\"").replace("\\'", "'")
    }

    /// The version that `gets` shows.
    pub(in crate::command) fn version(&mut self, key: &str) -> u64 {
        let reply = self.reply(&format!("gets {key}"));
        let line = reply.split('|').next().expect("a reply has a line");
        line.rsplit(' ').next().and_then(|version| version.parse().ok()).expect("gets shows a version")
    }

    /// Runs the requests that `bytes` are and returns the bytes of their replies.
    pub(in crate::command) fn run(&mut self, bytes: &[u8]) -> Vec<u8> {
        let bump = Bump::new();
        let mut out = Vec::new();
        let mut position = 0;
        while position < bytes.len() {
            for thread in &mut self.inner.threads {
                if thread.flush_at.is_some_and(|at| at <= thread.now) {
                    flush_due(thread);
                }
            }
            let access = if self.inner.client().authenticated { Access::Full } else { Access::Password };
            let limits = Limits { value_bytes_max: self.inner.threads[0].config.memcached_max_value };
            let mut batch = Batch::new(&bump);
            let input = Input { slot: 0, ready: 0, bytes, position, request_count_max: 1 };
            let cut = batch.cut_memcached(table(), input, &mut self.parser, limits, access);
            assert!(cut.position > position, "a request of a test is whole");
            position = cut.position;
            for request in &batch.requests {
                let is_silent = request.manner.is_some_and(|manner| manner.is_silent);
                let reply = match &request.call {
                    Call::Found(entry) => self.inner.run_entry(*entry, request.args),
                    Call::Answer(bytes) => bytes.to_vec(),
                    Call::Unknown | Call::UnknownSubcommand(_) => unreachable!("the door answers these itself"),
                };
                if !is_silent {
                    out.extend_from_slice(&reply);
                }
            }
        }
        out
    }
}
