//! Ill-treatment of the HTTP door.

use locksley_tests::connection::Missing;
use locksley_tests::health::Health;
use locksley_tests::http::{HttpClient, chunked, request};
use locksley_tests::limits::RESIDENT_SLACK_BYTES;
use locksley_tests::process::{allow_all_descriptors, resident_bytes};
use locksley_tests::seed::{Random, seed_of_run};
use locksley_tests::server::{Launch, Server};
use locksley_tests::text::quote;
use locksley_tests::wait::until;

use crate::{is_redis, send_until_stuck};

fn start(flags: &[&str]) -> Server {
    Launch::subject().http().shards(2).flags(flags.iter().copied()).start()
}

/// Sends bytes on a connection of their own; gives the status that answers them, and asserts that the server closes then.
fn status_and_close(server: &Server, bytes: &[u8]) -> u16 {
    let mut client = server.connect_http();
    // A server that closes early may refuse the rest.
    let _ = client.connection().send(bytes);
    let response = client.response_to("GET");
    assert_eq!(response.field("connection"), Some("close"), "{response:?}");
    assert!(response.json()["error"].is_string(), "{response:?}");
    let after = client.connection().read_to_close();
    assert!(after.is_empty(), "{} after {response:?}", quote(&after));
    response.status
}

#[test]
fn heads_that_trickle_in_are_given_up_and_hold_nobody_up() {
    if is_redis() {
        return;
    }
    let mut server = start(&["--http-request-timeout", "1"]);
    let health = Health::of(&server);
    // Each of these goes on for ever, a byte at a time: a request line, a field, a body, a chunk.
    let starts: [&[u8]; 4] = [
        b"GET /cache/",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ",
        b"PUT /cache/key HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\n",
        b"PUT /cache/key HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
    ];
    let mut idle = [server.connect_http(), server.connect_http()];
    assert_eq!(idle[1].get("/healthz").status, 200);
    let mut slow: Vec<HttpClient> = (0..40).map(|_| server.connect_http()).collect();
    for (index, client) in slow.iter_mut().enumerate() {
        client.send(starts[index % starts.len()]);
    }
    let mut witness = server.connect_http();
    let mut left: Vec<usize> = (0..slow.len()).collect();
    until("every slow request is given up", || {
        assert_eq!(witness.get("/healthz").status, 200);
        left.retain(|&index| {
            let connection = slow[index].connection();
            // After its answer the server takes no more.
            let _ = connection.send(b"a");
            let mut byte = [0];
            connection.stream().set_nonblocking(true).expect("a socket can be asked");
            let peeked = connection.stream().peek(&mut byte);
            connection.stream().set_nonblocking(false).expect("a socket can be asked");
            !matches!(peeked, Ok(count) if count > 0)
        });
        left.is_empty()
    });
    for (index, client) in slow.iter_mut().enumerate() {
        let response = client.response_to("GET");
        assert_eq!(response.status, 408, "request {index}: {response:?}");
        assert_eq!(response.field("connection"), Some("close"), "{response:?}");
    }
    // Time counts from the first byte of a request, and not while none is on its way.
    for client in &mut idle {
        assert_eq!(client.get("/healthz").status, 200);
    }
    drop((slow, idle, witness));
    health.assert_back(&mut server);
}

#[test]
fn heads_that_never_end_are_refused() {
    if is_redis() {
        return;
    }
    let mut server = start(&[]);
    let health = Health::of(&server);
    let field = [b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ".as_slice(), &vec![b'a'; 200_000]].concat();
    assert_eq!(status_and_close(&server, &field), 431);
    let fields = "X: a\r\n".repeat(20_000);
    let fields = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{fields}");
    assert_eq!(status_and_close(&server, fields.as_bytes()), 431);
    let target = [b"GET /cache/".as_slice(), &vec![b'a'; 200_000]].concat();
    let status = status_and_close(&server, &target);
    assert!([414, 431].contains(&status), "{status}");
    health.assert_back(&mut server);
}

#[test]
fn bytes_that_are_no_request_are_refused() {
    if is_redis() {
        return;
    }
    let mut server = start(&[]);
    let health = Health::of(&server);
    let check = |bytes: &str, status: u16| assert_eq!(status_and_close(&server, bytes.as_bytes()), status, "{bytes:?}");
    let put = "PUT /cache/key HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n";
    // Whoever stands between may read another end of these than we do.
    check(&format!("{put}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400);
    check(&format!("{put}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"), 400);
    check(&format!("{put}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"), 400);
    check(&format!("{put}Content-Length: 5, 6\r\n\r\nabcdef"), 400);
    check(&format!("{put}Content-Length: +5\r\n\r\nabcde"), 400);
    check(&format!("{put}Content-Length: -1\r\n\r\n"), 400);
    check(&format!("{put}Content-Length: 0x5\r\n\r\nabcde"), 400);
    check(&format!("{put}Content-Length: 99999999999999999999\r\n\r\n"), 413);
    check(&format!("{put}Content-Length: \r\n\r\n"), 400);
    check(&format!("{put}Transfer-Encoding: gzip\r\n\r\n"), 501);
    check(&format!("{put}Transfer-Encoding: chunked, gzip\r\n\r\n"), 501);
    check(&format!("{put}Transfer-Encoding: xchunked\r\n\r\n"), 501);
    check(&format!("{put}Content-Length : 5\r\n\r\nabcde"), 400);
    check(&format!("{put}X: a\r\n folded\r\nContent-Length: 1\r\n\r\na"), 400);
    // Chunks.
    for size in ["x", "", "-1", "+1", "1 2", "0x1", "fffffffffffffffff", "1\n"] {
        check(&format!("{put}Transfer-Encoding: chunked\r\n\r\n{size}\r\na\r\n0\r\n\r\n"), 400);
    }
    check(&format!("{put}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"), 400);
    // Heads.
    check("GET /healthz HTTP/1.1\r\n\r\n", 400);
    check("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400);
    check("GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n", 505);
    check("GET /healthz HTTP/1.9\r\nHost: localhost\r\n\r\n", 505);
    check("GET /healthz\r\n\r\n", 400);
    check("GET\r\n\r\n", 400);
    check("\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", 400);
    check("*1\r\n$4\r\nPING\r\n\r\n", 400);
    check("GET /healthz HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", 400);
    check("GET /healthz HTTP/1.1\r\nHost: localhost\r\nA B: c\r\n\r\n", 400);
    check("GET /healthz HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\n\r\n", 417);
    health.assert_back(&mut server);
}

#[test]
fn bodies_beyond_the_limit_are_refused_before_they_come() {
    if is_redis() {
        return;
    }
    let mut server = start(&["--http-max-value", "64kb"]);
    let health = Health::of(&server);
    let before = resident_bytes(server.pid());
    let put = "PUT /cache/key HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n";
    for length in ["70000000", "999999999999"] {
        let status = status_and_close(&server, format!("{put}Content-Length: {length}\r\n\r\n").as_bytes());
        assert_eq!(status, 413, "{length}");
    }
    let long = vec![b'a'; 70_000_000];
    let chunks = [format!("{put}Transfer-Encoding: chunked\r\n\r\n").as_bytes(), &chunked(&long, 10_000)].concat();
    assert_eq!(status_and_close(&server, &chunks), 413);
    let now = resident_bytes(server.pid());
    assert!(now < before + RESIDENT_SLACK_BYTES, "long bodies grew the server from {before} to {now}");
    // The longest value is taken, and one byte more is not.
    let mut client = server.connect_http();
    assert_eq!(client.put("/cache/key", &long[..65_536]).status / 100, 2);
    let refused = client.put("/cache/key", &long[..65_537]);
    assert_eq!(refused.status, 413, "{refused:?}");
    assert!(refused.text().contains("65536"), "{refused:?}");
    let mut client = server.connect_http();
    assert_eq!(client.get_raw("/cache/key").body.len(), 65_536);
    drop(client);
    health.assert_back(&mut server);
}

#[test]
fn promised_bodies_cost_nothing() {
    if is_redis() {
        return;
    }
    let mut server = start(&["--http-max-value", "200mb"]);
    let health = Health::of(&server);
    let before = resident_bytes(server.pid());
    let put = "PUT /cache/key HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n";
    let promises = [
        format!("{put}Content-Length: 100000000\r\n\r\nx"),
        format!("{put}Transfer-Encoding: chunked\r\n\r\n5f5e100\r\nx"),
    ];
    let mut crowd: Vec<HttpClient> = (0..1_000).map(|_| server.connect_http()).collect();
    for (index, client) in crowd.iter_mut().enumerate() {
        client.send(promises[index % 2].as_bytes());
    }
    let mut witness = server.connect_http();
    for _ in 0..100 {
        assert_eq!(witness.get("/healthz").status, 200);
    }
    let now = resident_bytes(server.pid());
    assert!(now < before + RESIDENT_SLACK_BYTES, "promises grew the server from {before} to {now}");
    drop((crowd, witness));
    health.assert_back(&mut server);
}

#[test]
fn ten_thousand_idle_connections_are_held() {
    const CONNECTIONS: usize = 10_000;
    if is_redis() {
        return;
    }
    let allowed = allow_all_descriptors();
    assert!(allowed > CONNECTIONS as u64 + 1_000, "the machine allows {allowed} descriptors; raise its hard limit");
    let mut server = start(&["--maxclients", "11000"]);
    let health = Health::of(&server);
    let before = resident_bytes(server.pid());
    let mut crowd: Vec<HttpClient> = (0..CONNECTIONS).map(|_| server.connect_http()).collect();
    let mut witness = server.connect();
    until("all are counted", || witness.info_number("connected_clients") == CONNECTIONS as i64 + 1);
    for client in crowd.iter_mut().step_by(10) {
        assert_eq!(client.get("/healthz").status, 200);
    }
    let grown = resident_bytes(server.pid()).saturating_sub(before);
    assert!(grown < CONNECTIONS as u64 * 8 * 1024, "an idle connection costs {} bytes", grown / CONNECTIONS as u64);
    for (index, client) in crowd.iter_mut().enumerate().step_by(97) {
        assert_eq!(client.put(&format!("/cache/{index}"), b"x").status / 100, 2);
        assert_eq!(client.get_raw(&format!("/cache/{index}")).body, b"x");
    }
    drop((crowd, witness));
    health.assert_back(&mut server);
}

#[test]
fn a_client_that_reads_no_responses_holds_little_memory_and_nobody_up() {
    if is_redis() {
        return;
    }
    let mut server = start(&[]);
    let health = Health::of(&server);
    let mut witness = server.connect_http();
    assert_eq!(witness.put("/cache/key", &vec![b'x'; 500_000]).status / 100, 2);
    let before = resident_bytes(server.pid());
    let get = request(witness.host(), "GET", "/cache/key", &[("Accept", "application/octet-stream")], b"");
    let mut lazy = server.connect_http();
    let (sent, is_closed) = send_until_stuck(lazy.connection().stream(), &get.repeat(1_000), get.len() * 2_000);
    for _ in 0..100 {
        assert_eq!(witness.get("/healthz").status, 200);
    }
    let now = resident_bytes(server.pid());
    assert!(now < before + RESIDENT_SLACK_BYTES, "{sent} bytes of requests grew the server from {before} to {now}");
    // A server that holds the client back instead of closing it owes it every response.
    if !is_closed {
        for number in 0..sent / get.len() {
            match lazy.try_response_to("GET") {
                Ok(response) => assert_eq!(response.body.len(), 500_000, "response {number}"),
                Err(Missing::Closed(_)) => break,
                Err(missing) => panic!("response {number}: {missing}"),
            }
        }
    }
    drop((lazy, witness));
    health.assert_back(&mut server);
}

#[test]
fn clients_that_go_in_the_middle_of_a_value_leave_nothing() {
    if is_redis() {
        return;
    }
    let mut server = start(&[]);
    let health = Health::of(&server);
    let mut witness = server.connect_http();
    assert_eq!(witness.put("/cache/key", b"before").status / 100, 2);
    let value = vec![b'y'; 500_000];
    let put = request("localhost", "PUT", "/cache/key", &[("Content-Type", "application/octet-stream")], &value);
    for round in 0..100 {
        let mut client = server.connect_http();
        client.send(&put[..=round * put.len() / 101]);
        if round % 2 == 0 {
            client.connection().finish_sending().expect("the socket is open");
        }
        drop(client);
        assert_eq!(witness.get_raw("/cache/key").text(), "before");
    }
    drop(witness);
    health.assert_back(&mut server);
}

/// What answers a request: its method, the status, and the body where it counts.
type Expected = (&'static str, u16, &'static str);

/// Requests of every shape on one connection, and what answers each.
fn mixed_pipeline(host: &str) -> (Vec<u8>, Vec<Expected>) {
    let raw = ("Content-Type", "application/octet-stream");
    let octets = ("Accept", "application/octet-stream");
    let put_chunks = [
        format!("PUT /cache/b HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/octet-stream\r\n").as_bytes(),
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"3;note=\"x\"\r\nab\r\r\n1\r\n\n\r\n0\r\nTrailer: x\r\n\r\n",
    ]
    .concat();
    let requests: [(Vec<u8>, Expected); 9] = [
        (request(host, "PUT", "/cache/a", &[raw], b"a value\r\n\r\n"), ("PUT", 200, "")),
        (request(host, "GET", "/cache/a", &[octets], b""), ("GET", 200, "a value\r\n\r\n")),
        (put_chunks, ("PUT", 200, "")),
        (request(host, "GET", "/cache/b", &[octets], b""), ("GET", 200, "ab\r\n")),
        (request(host, "HEAD", "/cache/a", &[], b""), ("HEAD", 200, "")),
        ([b"\r\n".as_slice(), &request(host, "GET", "/nowhere", &[], b"")].concat(), ("GET", 404, "")),
        (request(host, "DELETE", "/cache/a", &[], b""), ("DELETE", 200, "")),
        (request(host, "GET", "/cache/a", &[], b""), ("GET", 200, "")),
        (request(host, "GET", "/healthz", &[("Connection", "close")], b""), ("GET", 200, "")),
    ];
    let bytes = requests.iter().flat_map(|(bytes, _)| bytes.iter().copied()).collect();
    (bytes, requests.iter().map(|(_, expected)| *expected).collect())
}

fn assert_responses(client: &mut HttpClient, expected: &[Expected], how: &str) {
    for (method, status, body) in expected {
        let response = client.try_response_to(method).unwrap_or_else(|missing| panic!("{how}: {missing}"));
        let is_created = *method == "PUT" && [201, 204].contains(&response.status);
        assert!(response.status == *status || is_created, "{how}: {method} {status}, not {response:?}");
        assert!(body.is_empty() || response.text() == *body, "{how}: {response:?}");
    }
    assert!(client.connection().read_to_close().is_empty(), "{how}");
}

#[test]
fn requests_cut_at_every_place_are_answered() {
    if is_redis() {
        return;
    }
    let mut server = Launch::subject().http().shards(1).start();
    let health = Health::of(&server);
    let mut witness = server.connect_http();
    let (bytes, expected) = mixed_pipeline(witness.host());
    for cut in 1..bytes.len() {
        let mut client = server.connect_http();
        client.send(&bytes[..cut]);
        // One shard serves both connections, so its answer here says that the first piece has been read.
        witness.get("/healthz");
        client.send(&bytes[cut..]);
        assert_responses(&mut client, &expected, &format!("cut at {cut}"));
    }
    drop(witness);
    health.assert_back(&mut server);
}

#[test]
fn requests_that_arrive_byte_by_byte_are_answered() {
    if is_redis() {
        return;
    }
    let mut server = start(&[]);
    let health = Health::of(&server);
    let mut client = server.connect_http();
    let (bytes, expected) = mixed_pipeline(client.host());
    for byte in bytes {
        client.send(&[byte]);
    }
    assert_responses(&mut client, &expected, "byte by byte");
    drop(client);
    health.assert_back(&mut server);
}

#[test]
fn random_bytes_hurt_nobody() {
    if is_redis() {
        return;
    }
    let mut random = Random::new(seed_of_run("random_bytes_hurt_nobody"));
    let mut server = start(&[]);
    let health = Health::of(&server);
    let mut witness = server.connect_http();
    let (pipeline, _) = mixed_pipeline(witness.host());
    for round in 0..300 {
        let mut client = server.connect_http();
        client.connection().send_unless_closed(&random.spoiled(&pipeline));
        drop(client);
        assert_eq!(witness.get("/healthz").status, 200, "round {round}");
    }
    drop(witness);
    health.assert_back(&mut server);
}

#[test]
fn a_long_pipeline_is_answered_in_order() {
    const REQUESTS: usize = 5_000;
    if is_redis() {
        return;
    }
    let mut server = Launch::subject().http().shards(4).start();
    let health = Health::of(&server);
    let mut client = server.connect_http();
    let host = client.host().to_owned();
    let mut bytes = Vec::new();
    for number in 0..REQUESTS {
        let target = format!("/cache/pipeline:{number}");
        let value = number.to_string();
        let raw = ("Content-Type", "application/octet-stream");
        bytes.extend(request(&host, "PUT", &target, &[raw], value.as_bytes()));
        bytes.extend(request(&host, "GET", &target, &[("Accept", "application/octet-stream")], b""));
    }
    let mut sender = client.connection().stream().try_clone().expect("a socket can be shared");
    std::thread::scope(|scope| {
        scope.spawn(move || std::io::Write::write_all(&mut sender, &bytes).expect("the server reads"));
        for number in 0..REQUESTS {
            assert_eq!(client.response_to("PUT").status / 100, 2, "request {number}");
            assert_eq!(client.response_to("GET").text(), number.to_string());
        }
    });
    drop(client);
    health.assert_back(&mut server);
}
