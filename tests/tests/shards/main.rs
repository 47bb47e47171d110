//! Several shards have to look like one store: atomic commands over keys of different shards, order, completeness.
//!
//! Everything here also holds for one shard, and for `redis-server`; two and four shards (more than some machines
//! have cores) are what it is about.

use locksley_tests::client::Client;
use locksley_tests::server::{Launch, Server};

mod atomicity;
mod model;
mod scan;

/// Numbers of shards that every test here runs with.
const SHARD_COUNTS: [u32; 2] = [2, 4];

/// A server with so many shards; one of four holds its replies until they are durable.
fn start(shards: u32) -> Server {
    let appendfsync = if shards == 4 { "always" } else { "everysec" };
    Launch::subject().shards(shards).flags(["--appendonly", "yes", "--appendfsync", appendfsync]).start()
}

/// Keys spread over the slots, so that every shard owns some.
fn spread_keys(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("spread:{number}")).collect()
}

/// Runs `work` in so many threads, each with a connection and its number, and waits for all.
fn in_parallel(server: &Server, clients: usize, work: impl Fn(usize, &mut Client) + Sync) {
    std::thread::scope(|scope| {
        let work = &work;
        for number in 0..clients {
            let mut client = server.connect();
            scope.spawn(move || work(number, &mut client));
        }
    });
}
