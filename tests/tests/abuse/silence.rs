//! Clients that do not read, do not finish, or do nothing at all.

use locksley_tests::client::{Client, request};
use locksley_tests::health::Health;
use locksley_tests::limits::{PATIENCE, RESIDENT_SLACK_BYTES};
use locksley_tests::process::resident_bytes;
use locksley_tests::server::Launch;
use locksley_tests::wait::until;

use crate::{is_redis, send_until_stuck};

#[test]
fn a_client_that_never_reads_holds_little_memory_and_nobody_up() {
    let mut server = Launch::subject().shards(2).flags(["--client-output-buffer-limit", "normal 16mb 16mb 0"]).start();
    let health = Health::of(&server);
    let value = vec![b'x'; 1_000_000];
    let mut witness = server.connect();
    assert_eq!(witness.call(&[b"SET", b"key".as_slice(), &value]).to_string(), "+OK");
    let before = resident_bytes(server.pid());
    let get = request(&["GET", "key"]);
    let mut lazy = server.connect();
    let (sent, is_closed) = send_until_stuck(lazy.stream(), &get.repeat(10_000), get.len() * 2_000);
    for _ in 0..100 {
        assert_eq!(witness.command("PING").to_string(), "+PONG");
    }
    let now = resident_bytes(server.pid());
    assert!(now < before + RESIDENT_SLACK_BYTES, "{sent} bytes of requests grew the server from {before} to {now}");
    // A server that holds the client back instead of closing it owes it every reply.
    if !is_closed {
        let mut count = 0;
        while count < sent / get.len() {
            match lazy.read_within(PATIENCE) {
                Ok(reply) => assert_eq!(reply.text().map(|text| text.len()), Some(value.len()), "reply {count}"),
                Err(locksley_tests::client::NoReply::Closed) => break,
                Err(error) => panic!("reply {count}: {error}"),
            }
            count += 1;
        }
        println!("{count} of {} replies came", sent / get.len());
    }
    drop((lazy, witness));
    health.assert_back(&mut server);
}

#[test]
fn a_client_over_the_soft_output_limit_for_too_long_is_closed() {
    let mut server = Launch::subject().shards(2).flags(["--client-output-buffer-limit", "normal 0 512kb 1"]).start();
    let health = Health::of(&server);
    let mut witness = server.connect();
    let value = vec![b'x'; 40_000_000];
    assert_eq!(witness.call(&[b"SET", b"key".as_slice(), &value]).to_string(), "+OK");
    let mut lazy = server.connect();
    lazy.send_raw(&request(&["GET", "key"])).expect("the server reads");
    until("the client that does not read is closed", || {
        witness.info_number("client_output_buffer_limit_disconnections") == 1
    });
    assert_eq!(witness.command("DEL key").to_string(), ":1");
    drop((lazy, witness));
    health.assert_back(&mut server);
}

/// Lets `count` clients send `promise`, the start of a request, and asserts that it costs the server next to nothing.
fn check_promises(count: usize, promise: &[u8]) {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let before = resident_bytes(server.pid());
    let mut crowd: Vec<Client> = (0..count).map(|_| server.connect()).collect();
    for client in &mut crowd {
        client.send_raw(promise).expect("the server reads");
    }
    let mut witness = server.connect();
    for _ in 0..100 {
        assert_eq!(witness.command("PING").to_string(), "+PONG");
    }
    let now = resident_bytes(server.pid());
    assert!(now < before + RESIDENT_SLACK_BYTES, "{count} promises grew the server from {before} to {now}");
    drop((crowd, witness));
    health.assert_back(&mut server);
}

#[test]
fn a_promised_argument_that_never_comes_costs_nothing() {
    check_promises(100, b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$536870912\r\nx");
}

#[test]
fn many_promised_arguments_cost_nothing() {
    check_promises(200, b"*1048576\r\n$3\r\nDEL\r\n");
}

#[test]
fn a_request_beyond_the_query_buffer_limit_ends_its_client() {
    let mut server = Launch::subject().shards(2).flags(["--client-query-buffer-limit", "1mb"]).start();
    let health = Health::of(&server);
    let mut client = server.connect();
    let chunk = vec![b'x'; 64 * 1024];
    client.send_raw(b"*2\r\n$4\r\nECHO\r\n$100000000\r\n").expect("the server reads");
    let mut sent = 0;
    while client.send_raw(&chunk).is_ok() {
        sent += chunk.len();
        assert!(sent < 100_000_000, "the server took a request of 100 MB against a limit of 1 MiB");
    }
    client.read_to_close();
    health.assert_back(&mut server);
}

#[test]
fn idle_clients_of_every_door_are_closed_after_timeout() {
    if is_redis() {
        return;
    }
    let mut server = Launch::subject().memcached().http().shards(2).start();
    let health = Health::of(&server);
    let mut memcached = server.connect_memcached();
    let mut http = server.connect_http();
    assert_eq!((memcached.command("mn").as_str(), http.get("/healthz").status), ("MN", 200));
    let mut busy = server.connect();
    assert_eq!(busy.command("CONFIG SET timeout 1").to_string(), "+OK");
    assert!(memcached.connection().read_to_close().is_empty());
    assert!(http.connection().read_to_close().is_empty());
    drop((memcached, http, busy));
    assert_eq!(server.connect().command("CONFIG SET timeout 0").to_string(), "+OK");
    health.assert_back(&mut server);
}

#[test]
fn an_idle_client_is_closed_after_timeout() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let mut idle: Vec<Client> = (0..10).map(|_| server.connect()).collect();
    let mut busy = server.connect();
    assert_eq!(busy.command("CONFIG SET timeout 1").to_string(), "+OK");
    for client in &mut idle {
        assert!(client.read_to_close().is_empty());
    }
    let mut fresh = server.connect();
    assert_eq!(fresh.command("CONFIG SET timeout 0").to_string(), "+OK");
    drop((busy, fresh));
    health.assert_back(&mut server);
}
