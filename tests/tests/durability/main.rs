//! What was acknowledged is there after whatever happened to process, disk and power.
//!
//! | file | what happens |
//! |---|---|
//! | `kill` | kill -9 under load, again and again, with another number of shards each time |
//! | `full` | the disk is full |
//! | `cut` | the power goes |
//! | `start` | what a start refuses, cuts, repairs and says; loading |
//! | `backup` | a snapshot is copied away; how many are kept; how large the directory gets |
//!
//! Debian's `redis-server` can be the subject of `kill` (`LOCKSLEY_SERVER=/usr/bin/redis-server`), which shows whether the
//! suite itself is right.

mod backup;
mod cut;
mod full;
mod kill;
mod start;

use std::path::Path;

use locksley_tests::binary::{Kind, subject};
use locksley_tests::client::Client;
use locksley_tests::server::{Launch, Server};
use locksley_tests::wait::until;

/// Small segments, so that they are finished and recycled all the time.
const SEGMENT: [&str; 2] = ["--wal-segment-size", "1mb"];

/// A server with a log in this directory.
fn launch(directory: &Path, shards: u32, policy: &str) -> Launch {
    let launch = Launch::subject().directory(directory).durable(policy).shards(shards);
    if launch.kind() == Kind::Redis { launch } else { launch.flags(SEGMENT).flags(["--enable-debug-command", "local"]) }
}

/// Whether the program under test is `redis-server`, which this test is not about; says so.
fn is_redis() -> bool {
    let is_redis = subject().0 == Kind::Redis;
    if is_redis {
        println!("skipped: redis-server keeps other files");
    }
    is_redis
}

/// Takes a snapshot and waits until it is complete.
fn snapshot(client: &mut Client) {
    let before = client.info_number("rdb_saves");
    let reply = client.command("BGSAVE").to_string();
    assert!(reply.starts_with("+Background saving"), "BGSAVE: {reply}");
    until("the snapshot is complete", || {
        client.info_number("rdb_saves") > before && client.info_number("rdb_bgsave_in_progress") == 0
    });
    assert_eq!(client.info("rdb_last_bgsave_status"), "ok");
}

/// Kills a server as the kernel does that needs memory.
fn kill(server: Server) {
    server.stop("KILL");
}

/// Sets `count` keys named with `name` to values of `bytes` bytes that tell which they are.
fn fill(client: &mut Client, name: &str, count: usize, bytes: usize) {
    for part in (0..count).collect::<Vec<_>>().chunks(64) {
        let mut pipeline = Vec::new();
        for number in part {
            let value = format!("{number:0bytes$}");
            pipeline.extend(locksley_tests::client::request(&["SET", &format!("{name}:{number}"), &value]));
        }
        client.send_raw(&pipeline).expect("the server reads");
        for _ in part {
            assert_eq!(client.read().expect("it answers").to_string(), "+OK");
        }
    }
}

/// Asserts that the keys that [`fill`] set are as it set them.
fn assert_filled(client: &mut Client, name: &str, count: usize, bytes: usize) {
    for part in (0..count).collect::<Vec<_>>().chunks(64) {
        let keys: Vec<String> = part.iter().map(|number| format!("{name}:{number}")).collect();
        let words: Vec<&str> = std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
        let found = client.call(&words);
        for (number, value) in part.iter().zip(found.elements()) {
            assert_eq!(value.text(), Some(format!("{number:0bytes$}")), "{name}:{number}");
        }
    }
}
