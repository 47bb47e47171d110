//! redis-benchmark: that it runs to its end without an error, not how fast.

use locksley_tests::server::Server;

use crate::{printed_by, shard_ports, start, start_cluster};

/// The commands of its own that are about strings and keys.
const TESTS: &str = "ping_inline,ping_mbulk,set,get,incr,mset";

fn benchmark(port: u16, further: &[&str]) -> String {
    let port = port.to_string();
    let text = printed_by("redis-benchmark", &[&["-p", &port, "-q", "-n", "20000"], further].concat());
    assert!(!text.to_lowercase().contains("err"), "{text}");
    text
}

fn assert_all_ran(text: &str) {
    for name in ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"] {
        let ran = text.split(['\r', '\n']).any(|line| line.starts_with(name) && line.contains("requests per second"));
        assert!(ran, "{name} is missing:\n{text}");
    }
}

fn assert_well(server: &mut Server) {
    server.assert_serves();
    server.wait_for_clients_to_go();
}

#[test]
fn it_runs_plainly() {
    let mut server = start();
    assert_all_ran(&benchmark(server.port(), &["-t", TESTS]));
    assert_well(&mut server);
}

#[test]
fn it_runs_with_pipelines() {
    let mut server = start();
    assert_all_ran(&benchmark(server.port(), &["-t", TESTS, "-P", "16"]));
    assert_all_ran(&benchmark(server.port(), &["-t", TESTS, "-P", "64", "-r", "10000", "-d", "1024"]));
    assert_well(&mut server);
}

#[test]
fn it_runs_with_threads_and_without_keeping_connections() {
    let mut server = start();
    assert_all_ran(&benchmark(server.port(), &["-t", TESTS, "--threads", "2", "-c", "100"]));
    let text = printed_by(
        "redis-benchmark",
        &["-p", &server.port().to_string(), "-q", "-n", "2000", "-k", "0", "-t", "ping_mbulk"],
    );
    assert!(text.contains("requests per second"), "{text}");
    assert_well(&mut server);
}

#[test]
fn it_runs_a_command_of_its_users() {
    let mut server = start();
    let text = benchmark(server.port(), &["-r", "1000", "-P", "8", "SET", "key:__rand_int__", "value", "EX", "1000"]);
    assert!(text.contains("requests per second"), "{text}");
    let keys = server.connect().command("DBSIZE").integer();
    assert!((900..=1_000).contains(&keys), "{keys} keys");
    assert_well(&mut server);
}

#[test]
fn it_runs_against_the_shards_as_a_cluster() {
    let Some(mut server) = start_cluster() else { return };
    let ports = shard_ports(&server);
    // MSET is left out: its ten keys have no common tag.
    for further in [&["-t", "set,get,incr"][..], &["-t", "set,get,incr", "-P", "16", "-r", "10000"]] {
        let text = benchmark(ports[0], &[&["--cluster"], further].concat());
        for name in ["SET", "GET", "INCR"] {
            let ran = text.split(['\r', '\n']).any(|line| line.starts_with(name) && line.contains("requests per"));
            assert!(ran, "{name} is missing:\n{text}");
        }
    }
    assert_well(&mut server);
}
