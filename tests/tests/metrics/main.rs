//! What monitoring systems see: the page at `/metrics` by itself, by Prometheus and by its `promtool`, and INFO through
//! Debian's `prometheus-redis-exporter`.
//!
//! | file | |
//! |---|---|
//! | `text` | samples of a page, read apart |
//! | `daemon` | a program that runs beside the server |
//! | `page` | the page: how it is asked for, that it agrees with INFO, what `promtool` thinks of it |
//! | `exporter` | the series of `prometheus-redis-exporter`, against INFO and against the page's own |
//! | `prometheus` | Prometheus scrapes, and knows all that rules and dashboard ask for |
//! | `rules` | the alert rules and their tests |

use locksley_tests::binary::{Kind, subject};
use locksley_tests::server::{Launch, Server};

mod daemon;
mod exporter;
mod page;
mod prometheus;
mod rules;
mod text;

/// The password of the servers that have one.
const PASSWORD: &str = "open sesame";

/// Whether the suite runs against the model, which has no HTTP door.
fn is_redis() -> bool {
    let is_redis = subject().0 == Kind::Redis;
    if is_redis {
        println!("skipped: redis-server does not speak HTTP");
    }
    is_redis
}

fn launch(shards: u32) -> Launch {
    Launch::subject().http().memcached().shards(shards)
}

/// Gives a server something to count: entries in two databases, hits and misses, errors, slow commands, at every door.
fn use_server(server: &Server) {
    let mut client = server.connect();
    for line in [
        "CONFIG SET slowlog-log-slower-than 0",
        "CONFIG SET latency-monitor-threshold 1",
        "SET key:1 hello",
        "SET key:2 12 EX 10000",
        "SET key:3 x EX 30000",
        "SELECT 5",
        "SET key:5 there",
        "SELECT 0",
        "GET key:1",
        "GET key:2",
        "GET nothing",
        "MGET key:1 key:2 key:3 nothing",
        "INCR key:1",
        "GET",
        "SETABSENT gone",
        "GET gone",
        "LOCK lock 100000",
    ] {
        client.command(line);
    }
    drop(client);
    let mut memcached = server.connect_memcached();
    assert_eq!(memcached.command("mg key:1 v"), "VA 5");
    drop(memcached);
    assert_eq!(server.connect_http().put("/cache/key:6", b"there").status, 201);
    server.wait_for_clients_to_go();
}
