//! One entry behind every door: RESP, memcached's text and meta commands, REST.
//!
//! | file | what it shows |
//! |---|---|
//! | `entries` | what one door writes, all others read: value, client flags, time to live, version |
//! | `versions` | a condition of one door loses to a change through another; versions grow, and survive every end |
//! | `states` | loading, a full store, a password: each door says so in its own words |
//! | `crowd` | clients of all doors change the same keys at one time, and nothing is lost |
//!
//! Every test runs with one shard and with four, where keys lie on shards that the client's connection does not belong
//! to, and with replies held until they are durable.

mod crowd;
mod entries;
mod states;
mod versions;
mod visitor;

use locksley_tests::binary::{Kind, subject};
use locksley_tests::server::{Launch, Server};

use visitor::Visitor;

/// Shards and policy of the servers that every test runs with; no policy is no log.
const SERVERS: [(u32, Option<&str>); 3] = [(1, None), (4, None), (4, Some("always"))];

/// A server with all doors.
fn launch(shards: u32, policy: Option<&str>) -> Launch {
    let launch = Launch::subject().memcached().http().shards(shards);
    match policy {
        None => launch,
        Some(policy) => launch.durable(policy).flags(["--wal-segment-size", "1mb"]),
    }
}

/// Runs `check` against each kind of server with visitors of it, whose connections are spread over the shards.
fn with_visitors(check: impl Fn(&mut [Visitor])) {
    if is_redis() {
        return;
    }
    for (shards, policy) in SERVERS {
        println!("{shards} shards, {policy:?}");
        let mut server = launch(shards, policy).start();
        check(&mut visitors(&server, if shards == 1 { 1 } else { 6 }));
        server.assert_lives();
    }
}

/// So many visitors; the kernel gives each of their connections to any shard.
fn visitors(server: &Server, count: usize) -> Vec<Visitor> {
    (0..count).map(|_| Visitor::new(server)).collect()
}

/// Keys that lie on every shard.
fn keys(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("door:{number}"))
}

/// Whether the program under test is `redis-server`, which has one door; says so.
fn is_redis() -> bool {
    let is_redis = subject().0 == Kind::Redis;
    if is_redis {
        println!("skipped: redis-server has one door");
    }
    is_redis
}
