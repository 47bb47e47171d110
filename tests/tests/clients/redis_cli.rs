//! redis-cli in its many modes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use locksley_tests::binary::{Kind, installed};
use locksley_tests::client::request;
use locksley_tests::server::Server;

use crate::{printed_by, run, shard_ports, start, start_cluster};

fn cli(server: &Server, arguments: &[&str]) -> String {
    let port = server.port().to_string();
    printed_by("redis-cli", &[&["-p", &port], arguments].concat())
}

fn fill(server: &Server, count: usize) {
    let mut client = server.connect();
    for number in 0..count {
        client.call(&["SET", &format!("key:{number}"), &"x".repeat(1 + number % 50)]);
    }
}

#[test]
fn commands_work_in_both_dialects() {
    let server = start();
    for dialect in ["-2", "-3"] {
        assert_eq!(cli(&server, &[dialect, "SET", "key", "two words"]).trim(), "OK");
        assert_eq!(cli(&server, &[dialect, "GET", "key"]).trim(), "two words");
        assert_eq!(cli(&server, &[dialect, "--no-raw", "GET", "missing"]).trim(), "(nil)");
        assert_eq!(cli(&server, &[dialect, "--no-raw", "INCRBY", "n", "0"]).trim(), "(integer) 0");
        assert_eq!(cli(&server, &[dialect, "--csv", "MGET", "key", "n"]).trim(), "\"two words\",\"0\"");
        assert_eq!(cli(&server, &[dialect, "-n", "3", "DBSIZE"]).trim(), "0");
        assert!(cli(&server, &[dialect, "CONFIG", "GET", "maxmemory"]).starts_with("maxmemory"));
        assert!(cli(&server, &[dialect, "INFO"]).contains("redis_version:7."));
        cli(&server, &["FLUSHALL"]);
    }
    let failing = run("redis-cli", &["-p", &server.port().to_string(), "-e", "INCR"]);
    assert!(!failing.status.success());
}

#[test]
fn commands_come_from_standard_input() {
    let server = start();
    let mut child = Command::new(installed("redis-cli"))
        .args(["-p", &server.port().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-cli runs");
    let mut input = child.stdin.take().expect("standard input is piped");
    input.write_all(b"SET key \"two words\"\nGET key\nSELECT 1\nDBSIZE\n").expect("redis-cli reads");
    drop(input);
    let output = child.wait_with_output().expect("redis-cli ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "OK\ntwo words\nOK\n0\n");
}

#[test]
fn scan_lists_every_key() {
    let server = start();
    fill(&server, 2_500);
    let mut keys: Vec<String> = cli(&server, &["--scan"]).lines().map(str::to_owned).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 2_500);
    assert_eq!(cli(&server, &["--scan", "--pattern", "key:12*"]).lines().count(), 111);
}

#[test]
fn bigkeys_and_memkeys_find_the_largest() {
    let server = start();
    fill(&server, 500);
    server.connect().call(&["SET", "the-largest", &"x".repeat(100_000)]);
    let text = cli(&server, &["--bigkeys"]);
    assert!(text.contains("Biggest string found") && text.contains("the-largest"), "{text}");
    assert!(text.contains("Sampled 501 keys in the keyspace!"), "{text}");
    for arguments in [&["--memkeys"][..], &["--memkeys-samples", "3"]] {
        let text = cli(&server, arguments);
        assert!(text.contains("Biggest string found") && text.contains("the-largest"), "{text}");
        assert!(text.contains("Sampled 501 keys in the keyspace!"), "{text}");
    }
}

#[test]
fn hotkeys_finds_the_key_that_is_read_most() {
    let server = start();
    let mut client = server.connect();
    assert_eq!(client.command("CONFIG SET maxmemory-policy allkeys-lfu").to_string(), "+OK");
    fill(&server, 100);
    for _ in 0..20_000 {
        client.command("GET key:42");
    }
    let text = cli(&server, &["--hotkeys"]);
    assert!(text.contains("hot key found with counter") && text.contains("key:42"), "{text}");
}

#[test]
fn hotkeys_shows_requests_a_second_where_no_policy_counts() {
    let server = start();
    if server.kind() == Kind::Redis {
        println!("skipped: redis-server has no such policies");
        return;
    }
    let mut client = server.connect();
    fill(&server, 300);
    for policy in ["allkeys-s3fifo", "allkeys-fifo"] {
        assert_eq!(client.call(&["CONFIG", "SET", "maxmemory-policy", policy]).to_string(), "+OK");
        for _ in 0..3_000 {
            client.command("GET key:42");
        }
        let text = cli(&server, &["--hotkeys"]);
        assert!(text.contains("Sampled 300 keys in the keyspace!"), "{text}");
        let first = text.lines().find(|line| line.contains("hot key found with counter"));
        assert!(first.is_some_and(|line| line.contains("\"key:42\"")), "{text}");
    }
    assert_eq!(client.command("CONFIG SET maxmemory-policy allkeys-lru").to_string(), "+OK");
    let failed = run("redis-cli", &["-p", &server.port().to_string(), "--hotkeys"]);
    let text = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success() && text.contains("An LFU maxmemory policy is not selected"), "{text}");
}

#[test]
fn pipe_loads_a_stream_of_requests() {
    let server = start();
    let mut child = Command::new(installed("redis-cli"))
        .args(["-p", &server.port().to_string(), "--pipe"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-cli runs");
    let mut input = child.stdin.take().expect("standard input is piped");
    let bytes: Vec<u8> = (0..50_000).flat_map(|number| request(&["SET", &format!("key:{number}"), "value"])).collect();
    input.write_all(&bytes).expect("redis-cli reads");
    drop(input);
    let output = child.wait_with_output().expect("redis-cli ends");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("errors: 0, replies: 50000"), "{text}");
    assert_eq!(server.connect().command("DBSIZE").integer(), 50_000);
}

#[test]
fn latency_is_sampled() {
    let server = start();
    // Without a terminal it samples for the interval and prints: least, greatest, mean, samples.
    let text = cli(&server, &["--latency", "-i", "0.3"]);
    let numbers: Vec<f64> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    assert!(numbers.len() == 4 && numbers[3] >= 1.0, "{text}");
}

#[test]
fn latency_history_prints_a_line_an_interval() {
    let server = start();
    let mut child = Command::new(installed("redis-cli"))
        .args(["-p", &server.port().to_string(), "--no-raw", "--latency-history", "-i", "0.1"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-cli runs");
    let lines: Vec<String> = BufReader::new(child.stdout.take().expect("standard output is piped"))
        .lines()
        .map_while(Result::ok)
        .take(2)
        .collect();
    // It goes on for ever by itself.
    child.kill().expect("redis-cli runs until it is ended");
    child.wait().expect("redis-cli ends");
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line.contains("samples) -- ") && line.contains("seconds range")), "{lines:?}");
}

#[test]
fn stat_prints_rows() {
    let server = start();
    fill(&server, 300);
    let mut child = Command::new(installed("redis-cli"))
        .args(["-p", &server.port().to_string(), "--stat", "-i", "0.05"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-cli runs");
    let rows: Vec<String> = BufReader::new(child.stdout.take().expect("standard output is piped"))
        .lines()
        .map_while(Result::ok)
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .take(3)
        .collect();
    // It goes on for ever by itself.
    child.kill().expect("redis-cli runs until it is ended");
    child.wait().expect("redis-cli ends");
    assert_eq!(rows.len(), 3);
    for row in rows {
        let columns: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(columns[0], "300", "{row}");
        assert!(columns.len() >= 5, "{row}");
    }
}

#[test]
fn monitor_shows_the_traffic() {
    let server = start();
    let mut child = Command::new(installed("redis-cli"))
        .args(["-p", &server.port().to_string(), "MONITOR"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-cli runs");
    let mut lines = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
    assert_eq!(lines.next().expect("a line").expect("a text"), "OK");
    server.connect().command("SET watched value");
    let seen = lines.map_while(Result::ok).find(|line| line.contains("watched"));
    child.kill().expect("redis-cli runs until it is ended");
    child.wait().expect("redis-cli ends");
    assert!(seen.is_some_and(|line| line.contains("\"SET\" \"watched\" \"value\"")));
}

#[test]
fn cluster_mode_follows_the_slots() {
    let Some(server) = start_cluster() else { return };
    let ports = shard_ports(&server);
    for port in &ports {
        let port = port.to_string();
        for number in 0..30 {
            let (key, value) = (format!("key:{number}"), format!("{port}:{number}"));
            assert_eq!(printed_by("redis-cli", &["-c", "-p", &port, "SET", &key, &value]).trim(), "OK");
            assert_eq!(printed_by("redis-cli", &["-c", "-p", &port, "GET", &key]).trim(), value);
        }
    }
    let text = printed_by("redis-cli", &["--cluster", "check", &format!("127.0.0.1:{}", ports[0])]);
    assert!(text.contains("[OK] All 16384 slots covered."), "{text}");
}
