//! The server without sockets, seen through the HTTP door.
//!
//! A line is a request: `PUT /cache/k?flags=1 ~If-Match: "1" |value` is method, target, fields, body. `Host` and
//! `Content-Length` are added, and the `Content-Type` that the method usually has, unless they are given. A response is shown as its
//! status and body, with `V` for every version; `RESP` before a line sends it by the door of that protocol instead, and
//! lines that begin with `@` move the world, both as [`command::testing`](crate::command::testing) says; what `@db` selects
//! counts for RESP only.

use bumpalo::Bump;
use locksley_engine::Db;
use locksley_wire::http::RequestParser;

use crate::client::Door;
use crate::command::table::table;
use crate::command::testing;
use crate::frontend::batch::{Batch, Call, Input};
use crate::frontend::http::Facts;

/// Runs each line of `table` in turn, on one shard and then on three, and compares its response.
///
/// # Panics
/// At the first response that differs.
pub(crate) fn check(table: &[(&str, &str)]) {
    for shard_count in [1, 3] {
        let mut rig = Rig::new(shard_count);
        for (index, (line, expected)) in table.iter().enumerate() {
            let reply = rig.reply(line);
            assert_eq!(&reply, expected, "response to line {index} `{line}` on {shard_count} shards");
        }
    }
}

/// Several threads, and one client of the first.
pub(crate) struct Rig {
    /// What is behind the door.
    pub inner: testing::Rig,
    parser: RequestParser,
}

impl Rig {
    /// An empty server of `shard_count` shards.
    pub(crate) fn new(shard_count: u16) -> Rig {
        let mut inner = testing::Rig::new(shard_count);
        inner.client().door = Door::Http;
        Rig { inner, parser: RequestParser::default() }
    }

    /// Runs one line and shows its response as the module's header says.
    pub(crate) fn reply(&mut self, line: &str) -> String {
        if let Some(line) = line.strip_prefix("RESP ") {
            self.inner.client().door = Door::Shared;
            let reply = self.inner.reply(line);
            self.inner.client().door = Door::Http;
            return reply;
        }
        if line.starts_with('@') {
            return self.inner.reply(line);
        }
        let response = self.response(line);
        let (head, body) = response.split_once("\r\n\r\n").expect("a response has a head");
        let status = head.split(' ').nth(1).expect("a response has a status");
        without_versions(format!("{status} {body}").trim_end())
    }

    /// Runs one line and returns the whole response.
    pub(crate) fn response(&mut self, line: &str) -> String {
        String::from_utf8_lossy(&self.run(&request(line))).into_owned()
    }

    /// Runs the requests that `bytes` are and returns the bytes of their responses.
    pub(crate) fn run(&mut self, bytes: &[u8]) -> Vec<u8> {
        let db = self.inner.client().db;
        let out = self.run_all(bytes);
        (self.inner.client().db, self.inner.dialect) = (db, None);
        out
    }

    fn run_all(&mut self, bytes: &[u8]) -> Vec<u8> {
        let bump = Bump::new();
        let mut out = Vec::new();
        let mut position = 0;
        while position < bytes.len() {
            let mut batch = Batch::new(&bump);
            let input = Input { slot: 0, ready: 0, bytes, position, request_count_max: 1 };
            let local_address = self.inner.client().local_address.ip();
            let facts = Facts { thread: &self.inner.threads[0], local_address };
            let cut = batch.cut_http(table(), input, &mut self.parser, facts);
            for request in &batch.requests {
                let manner = request.manner.copied();
                self.inner.dialect = manner.and_then(|manner| manner.dialect);
                self.inner.client().db = manner.and_then(|manner| manner.db).unwrap_or(Db(0));
                match &request.call {
                    Call::Found(entry) => out.extend_from_slice(&self.inner.run_entry(*entry, request.args)),
                    Call::Answer(bytes) => out.extend_from_slice(bytes),
                    Call::Unknown | Call::UnknownSubcommand(_) => unreachable!("the door answers these itself"),
                }
                if manner.is_some_and(|manner| manner.closes) {
                    self.parser.reset();
                    return out;
                }
            }
            assert!(cut.position > position, "a request of a test is whole");
            position = cut.position;
        }
        out
    }
}

/// The bytes of the request that a line stands for.
fn request(line: &str) -> Vec<u8> {
    let (head, body) = line.split_once('|').map_or((line, None), |(head, body)| (head, Some(body)));
    let mut words = head.trim_end().split(" ~");
    let start = words.next().expect("a request has a method and a target");
    let fields: Vec<&str> = words.collect();
    let mut text = format!("{start} HTTP/1.1\r\n");
    let has = |name: &str| fields.iter().any(|field| field.starts_with(name));
    let media_type = if start.starts_with("POST") { "application/json" } else { "application/octet-stream" };
    let added = [("Host", "127.0.0.1:8379"), ("Content-Type", media_type)];
    for (name, value) in added.iter().filter(|(name, _)| !has(name)) {
        text.extend([*name, ": ", *value, "\r\n"]);
    }
    // A field that is only named is left out.
    for field in fields.iter().filter(|field| !field.ends_with(':')) {
        text.extend([*field, "\r\n"]);
    }
    if let Some(body) = body {
        text.extend(["Content-Length: ", &body.len().to_string(), "\r\n\r\n", body]);
    } else {
        text.push_str("\r\n");
    }
    text.into_bytes()
}

/// Puts `V` in place of each version.
fn without_versions(text: &str) -> String {
    let mut shown = String::new();
    for (index, piece) in text.split("\"version\":").enumerate() {
        if index > 0 {
            shown.push_str("\"version\":V");
        }
        shown.push_str(if index > 0 { piece.trim_start_matches(|byte: char| byte.is_ascii_digit()) } else { piece });
    }
    shown
}
