//! Clients that people use, against a running server: the `redis` and `memcache` crates, redis-cli, redis-benchmark,
//! redis-py, memccapable, pymemcache, curl, schemathesis.

use std::process::{Command, Output, Stdio};

use locksley_tests::binary::{Kind, installed};
use locksley_tests::server::{Launch, Server};

mod cluster;
mod http;
mod memcached;
mod redis_benchmark;
mod redis_cli;
mod redis_crate;
mod redis_py;

/// A server with two shards, so that keys live on both sides of a hop.
fn start() -> Server {
    Launch::subject().shards(2).start()
}

/// A server whose shards show themselves as the nodes of a Redis Cluster; `None` for `redis-server`, which needs
/// several processes for it.
fn start_cluster() -> Option<Server> {
    let launch = Launch::subject().shards(2).flags(["--cluster-announce-shards", "yes"]);
    if launch.kind() == Kind::Redis {
        println!("skipped: redis-server has no shards to show");
        return None;
    }
    Some(launch.start())
}

/// Ports of the shards as `CLUSTER SLOTS` names them, by their first slot.
fn shard_ports(server: &Server) -> Vec<u16> {
    let slots = server.connect().command("CLUSTER SLOTS");
    let mut ranges: Vec<(i64, u16)> = slots
        .elements()
        .iter()
        .map(|range| (range.elements()[0].integer(), range.elements()[2].elements()[1].integer() as u16))
        .collect();
    ranges.sort_unstable();
    ranges.into_iter().map(|(_, port)| port).collect()
}

/// Runs an installed program to its end; one that has lost its server may go on for ever, so it is given two minutes.
fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new("timeout")
        .arg("120")
        .arg(installed(program))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs")
}

/// Runs an installed program that has to succeed, and gives what it printed.
fn printed_by(program: &str, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{text}\n{errors}", output.status);
    text
}
