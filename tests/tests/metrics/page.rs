//! The page by itself.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use locksley_tests::binary::installed;
use locksley_tests::client::Client;
use locksley_tests::http::HttpClient;
use locksley_tests::wait::{until, until_some};

use crate::text::Page;
use crate::{PASSWORD, is_redis, launch, use_server};

const NATIVE: &str = "/metrics";

/// What `promtool check metrics` says of a page: an exit status of 1 is a page that cannot be read, 3 a name that breaks a
/// custom.
fn check_metrics(page: &str) -> Output {
    let mut child = Command::new(installed("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs");
    let mut input = child.stdin.take().expect("standard input is piped");
    input.write_all(page.as_bytes()).expect("promtool reads");
    drop(input);
    child.wait_with_output().expect("promtool ends")
}

/// Metrics with the fields of INFO that say the same, where asking changes neither.
const SAME: &[(&str, &str)] = &[
    ("locksley_shards", "locksley_shards"),
    ("locksley_connections_limit", "maxclients"),
    ("locksley_connections_rejected_total", "rejected_connections"),
    ("locksley_waiting_requests", "blocked_clients"),
    ("locksley_hits_total", "keyspace_hits"),
    ("locksley_misses_total", "keyspace_misses"),
    ("locksley_negative_hits_total", "negative_hits"),
    ("locksley_evictions_total", "evicted_keys"),
    ("locksley_expirations_total", "expired_keys"),
    ("locksley_errors_total", "total_error_replies"),
    ("locksley_memory_limit_bytes", "maxmemory"),
    ("locksley_memory_payload_bytes", "used_memory_dataset"),
    ("locksley_lock_grants_total", "lock_grants"),
    ("locksley_snapshots_total", "rdb_saves"),
    ("locksley_snapshot_running", "rdb_bgsave_in_progress"),
    ("locksley_snapshot_pending_changes", "rdb_changes_since_last_save"),
    ("locksley_log_enabled", "aof_enabled"),
    ("locksley_log_appended_bytes_total", "wal_appended_bytes"),
    ("locksley_log_syncs_total", "wal_syncs"),
    ("locksley_log_stalls_total", "wal_stalls"),
    ("locksley_loading", "loading"),
];

fn agree(page: &Page, client: &mut Client) {
    for (metric, field) in SAME {
        let expected = client.info_number(field) as f64;
        let found = page.sum(metric);
        assert!((found - expected).abs() < 1e-6, "{metric} is {found}, {field} is {expected}");
    }
    let keys = client.command("DBSIZE").integer() as f64;
    assert!((page.value("locksley_database_keys{db=\"0\"}") - keys).abs() < 1e-6);
}

#[test]
fn the_page_agrees_with_info() {
    if is_redis() {
        return;
    }
    for (shards, fsync) in [(1, "always"), (4, "no")] {
        let server = launch(shards).durable(fsync).start();
        use_server(&server);
        let mut client = server.connect();
        let mut http = server.connect_http();
        assert_eq!(client.command("WAITAOF 1 0 5000").elements().len(), 2);
        let page = Page::read(&http.get(NATIVE).text());
        agree(&page, &mut client);
        let gets = "locksley_command_duration_seconds_count{command=\"get\"}";
        assert!((page.value(gets) - 4.0).abs() < 1e-6, "four calls of GET ran");
        let stages = ["queue", "execute", "log", "send"];
        let requests = |page: &Page, stage: &str| {
            page.value(&format!("locksley_stage_duration_seconds_count{{stage=\"{stage}\"}}"))
        };
        for stage in stages {
            assert_eq!(requests(&page, stage) > 0.0, stage != "log" || fsync == "always", "stage {stage}");
        }
        let before = page;
        client.command("SET key:1 again");
        let page = Page::read(&http.get(NATIVE).text());
        for counter in before.kinds.iter().filter(|(_, kind)| *kind == "counter").map(|(name, _)| name) {
            assert!(page.sum(counter) >= before.sum(counter), "{counter} only grows");
        }
        client.command("CONFIG RESETSTAT");
        let page = Page::read(&http.get(NATIVE).text());
        assert!(page.sum("locksley_hits_total").abs() < 1e-6, "the counters were reset");
    }
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    if is_redis() {
        return;
    }
    let server = launch(2).durable("everysec").start();
    use_server(&server);
    let mut http = server.connect_http();
    let output = check_metrics(&http.get(NATIVE).text());
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{}: {complaints}", output.status);
    server.connect().command("CONFIG SET metrics-redis-names yes");
    let page = http.get(NATIVE).text();
    assert!(page.contains("\nredis_up 1\n"));
    // The other names break customs, and cannot be others.
    let output = check_metrics(&page);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert_ne!(output.status.code(), Some(1), "{complaints}");
    assert!(complaints.lines().all(|line| line.starts_with("redis_")), "{complaints}");
}

#[test]
fn who_asks_wrongly_is_told_so() {
    if is_redis() {
        return;
    }
    let server = launch(2).flags(["--requirepass", PASSWORD]).start();
    let bearer = format!("Bearer {PASSWORD}");
    let known = [("Authorization", bearer.as_str())];
    let ask =
        |method: &str, target: &str, fields: &[(&str, &str)]| server.connect_http().call(method, target, fields, b"");
    let refused = ask("GET", NATIVE, &[]);
    let challenge = refused.field("www-authenticate").unwrap_or_default();
    assert!(refused.status == 401 && challenge.contains("Bearer") && challenge.contains("Basic"), "{refused:?}");
    for (method, target, fields, expected) in [
        ("GET", NATIVE, &[("Authorization", "Bearer wrong")][..], 401),
        ("HEAD", NATIVE, &[], 401),
        ("GET", NATIVE, &known, 200),
        ("GET", "/metrics/", &known, 404),
        ("GET", "/metrics/shard/1", &known, 404),
        ("GET", "/metric", &[], 404),
        ("GET", "/metrics?x", &known, 400),
        ("GET", "/metrics?db=0", &known, 400),
        ("GET", "/metrics?%", &known, 400),
        ("POST", NATIVE, &known, 405),
        ("DELETE", NATIVE, &[], 405),
        ("GET", NATIVE, &[("Authorization", &bearer), ("Host", "evil.example")], 400),
        ("GET", NATIVE, &[("Authorization", &bearer), ("Origin", "https://evil.example")], 403),
    ] {
        assert_eq!(ask(method, target, fields).status, expected, "{method} {target} {fields:?}");
    }
}

#[test]
fn a_stalled_shard_is_told_and_what_it_counted_stays() {
    if is_redis() {
        return;
    }
    let launch = launch(2).flags(["--cluster-announce-shards", "yes", "--enable-debug-command", "yes"]);
    let server = launch.start();
    use_server(&server);
    // A connection of the second thread would be stalled with it.
    let (mut http, before) = until_some("a connection is the first thread's", || {
        let mut http = server.connect_http();
        let page = Page::read(&http.get(NATIVE).text());
        (page.value("locksley_connections{shard=\"0\",door=\"http\"}") > 0.5).then_some((http, page))
    });
    let mut page = || Page::read(&http.get(NATIVE).text());
    // The port of the second shard is its thread's own.
    let mut address = server.address();
    address.set_port(server.port() + 2);
    let mut sleeper = Client::connect(address).expect("a shard takes connections");
    sleeper.send(&["DEBUG", "SLEEP", "3"]).expect("the server reads");
    let silent = |page: &Page, shard: u32| page.value(&format!("locksley_shard_silent{{shard=\"{shard}\"}}")) > 0.5;
    let stalled = until_some("the second shard is silent", || Some(page()).filter(|page| silent(page, 1)));
    assert!(!silent(&stalled, 0), "the first shard is not");
    // A page tells how things were when it was asked for, which may have been at the very beginning.
    let turn = "locksley_shard_turn_seconds{shard=\"1\"}";
    let stalled = until_some("its turn is long", || Some(page()).filter(|page| page.value(turn) > 0.0));
    for counter in ["locksley_hits_total", "locksley_misses_total", "locksley_commands_total", "locksley_keys"] {
        assert!(stalled.sum(counter) >= before.sum(counter), "{counter}");
    }
    assert_eq!(sleeper.read().expect("it wakes up").to_string(), "+OK");
    until("the second shard answers again", || !silent(&page(), 1));
}

#[test]
fn head_has_the_length_and_the_type_of_the_page() {
    if is_redis() {
        return;
    }
    let server = launch(1).start();
    let mut http: HttpClient = server.connect_http();
    let head = http.call("HEAD", NATIVE, &[], b"");
    assert_eq!(head.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!((head.status, head.field("cache-control"), head.body.len()), (200, Some("no-store"), 0));
    let length: usize = head.field("content-length").and_then(|text| text.parse().ok()).expect("a length");
    assert!(length > 1_000, "{length}");
}
