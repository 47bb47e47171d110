//! Ill-treatment of the memcached door.

use locksley_tests::connection::Missing;
use locksley_tests::health::Health;
use locksley_tests::limits::RESIDENT_SLACK_BYTES;
use locksley_tests::memcached::{Memcached, MemcachedClient};
use locksley_tests::process::resident_bytes;
use locksley_tests::seed::{Random, seed_of_run};
use locksley_tests::server::{Launch, Server};

use crate::{is_redis, send_until_stuck};

fn start(flags: &[&str]) -> Server {
    Launch::subject().memcached().shards(2).flags(flags.iter().copied()).start()
}

/// Lets a thousand clients send `promise`, the start of a request, and asserts that it costs the server next to nothing;
/// gives the clients, and the server as it was before.
fn promise(server: &Server, promise: &str) -> Vec<MemcachedClient> {
    let before = resident_bytes(server.pid());
    let mut crowd: Vec<MemcachedClient> = (0..1_000).map(|_| server.connect_memcached()).collect();
    for client in &mut crowd {
        client.send(promise.as_bytes());
    }
    let mut witness = server.connect_memcached();
    for _ in 0..100 {
        assert_eq!(witness.command("mn"), "MN");
    }
    let now = resident_bytes(server.pid());
    assert!(now < before + RESIDENT_SLACK_BYTES, "{promise:?} grew the server from {before} to {now}");
    crowd
}

#[test]
fn promised_values_within_the_limit_cost_nothing() {
    if is_redis() {
        return;
    }
    let mut server = start(&["--memcached-max-value", "200mb"]);
    let health = Health::of(&server);
    for line in ["set key 0 0 100000000\r\nx", "ms key 100000000\r\nx", "append key 0 0 100000000 noreply\r\nx"] {
        let mut crowd = promise(&server, line);
        // One of them keeps its word.
        let client = crowd.last_mut().expect("there is one");
        client.send(&vec![b'x'; 99_999_999]);
        client.send(b"\r\n");
        let reply = if line.contains("noreply") { client.command("mn") } else { client.line() };
        assert!(["STORED", "HD", "MN"].contains(&reply.as_str()), "{line:?}: {reply}");
        assert_eq!(client.command("mn"), "MN");
    }
    health.assert_back(&mut server);
}

#[test]
fn promised_values_beyond_the_limit_cost_nothing_and_are_passed_over() {
    if is_redis() {
        return;
    }
    let mut server = start(&[]);
    let health = Health::of(&server);
    let refusal = "SERVER_ERROR object too large for cache";
    for line in ["set key 0 0 100000000\r\n", "ms key 100000000 q\r\n"] {
        assert_eq!(server.connect_memcached().store("set key 0 0 1", b"x"), "STORED");
        let mut crowd = promise(&server, line);
        let before = resident_bytes(server.pid());
        let client = crowd.last_mut().expect("there is one");
        let block = vec![b'x'; 10_000_000];
        for _ in 0..10 {
            client.send(&block);
        }
        client.send(b"\r\nmn\r\nget key\r\n");
        assert_eq!(client.line(), refusal, "{line:?}");
        assert_eq!(client.line(), "MN", "{line:?}");
        assert!(client.items().is_empty(), "{line:?} leaves the old entry");
        let now = resident_bytes(server.pid());
        assert!(now < before + RESIDENT_SLACK_BYTES, "100 MB to be passed over grew the server from {before} to {now}");
    }
    health.assert_back(&mut server);
}

#[test]
fn a_client_that_reads_no_replies_holds_little_memory_and_nobody_up() {
    if is_redis() {
        return;
    }
    let mut server = start(&[]);
    let health = Health::of(&server);
    let mut witness = server.connect_memcached();
    let value = vec![b'x'; 500_000];
    assert_eq!(witness.store("set key 0 0 500000", &value), "STORED");
    for get in ["get key\r\n", "mg key v\r\n"] {
        let before = resident_bytes(server.pid());
        let mut lazy = server.connect_memcached();
        let (sent, is_closed) =
            send_until_stuck(lazy.connection().stream(), get.repeat(1_000).as_bytes(), get.len() * 2_000);
        for _ in 0..100 {
            assert_eq!(witness.command("mn"), "MN");
        }
        let now = resident_bytes(server.pid());
        assert!(now < before + RESIDENT_SLACK_BYTES, "{sent} bytes of {get:?} grew the server from {before} to {now}");
        // A server that holds the client back instead of closing it owes it every reply.
        if !is_closed && get.starts_with("get key\r") {
            for number in 0..sent / get.len() {
                match lazy.connection().line() {
                    Ok(line) => assert_eq!(line, b"VALUE key 0 500000", "reply {number}"),
                    Err(Missing::Closed(_)) => break,
                    Err(missing) => panic!("reply {number}: {missing}"),
                }
                assert!(lazy.block(500_000) == value, "reply {number}");
                assert_eq!(lazy.line(), "END");
            }
        }
    }
    drop(witness);
    health.assert_back(&mut server);
}

#[test]
fn lines_that_never_end_are_given_up() {
    if is_redis() {
        return;
    }
    let mut server = start(&[]);
    let health = Health::of(&server);
    for start in ["x", "set ", "mg key ", "get ", "gets k ", "delete ", "stats "] {
        let before = resident_bytes(server.pid());
        let mut client = server.connect_memcached();
        // Each word is short enough to be a key.
        let line = [start.as_bytes(), &b"kkkkkkkk ".repeat(1_000_000)].concat();
        let is_given_up = client.connection().send(&line).is_err() || client.connection().send(b"\r\n").is_err();
        let now = resident_bytes(server.pid());
        assert!(now < before + RESIDENT_SLACK_BYTES, "{start:?} grew the server from {before} to {now}");
        if !is_given_up {
            // An error, or nothing, and then the end; never a line that is taken for a request.
            let answer = String::from_utf8_lossy(&client.connection().read_to_close()).into_owned();
            let is_error = answer.is_empty() || answer.starts_with("ERROR") || answer.starts_with("CLIENT_ERROR");
            assert!(is_error && answer.lines().count() <= 1, "{start:?}: {answer}");
        }
    }
    health.assert_back(&mut server);
}

#[test]
fn clients_that_go_in_the_middle_of_a_value_leave_nothing() {
    if is_redis() {
        return;
    }
    let mut server = start(&[]);
    let health = Health::of(&server);
    let mut witness = server.connect_memcached();
    assert_eq!(witness.store("set key 0 0 6", b"before"), "STORED");
    let set = [b"set key 0 0 500000\r\n".as_slice(), &vec![b'y'; 500_000]].concat();
    for round in 0..100 {
        let mut client = server.connect_memcached();
        client.send(&set[..=round * set.len() / 101]);
        if round % 2 == 0 {
            client.connection().finish_sending().expect("the socket is open");
        }
        drop(client);
        assert_eq!(witness.retrieve("get key")[0].value, b"before");
    }
    drop(witness);
    health.assert_back(&mut server);
}

/// Requests of every shape, and all that answers them.
fn mixed_pipeline() -> (Vec<u8>, Vec<u8>) {
    let requests: [(&[u8], &[u8]); 18] = [
        (b"flush_all\r\n", b"OK\r\n"),
        (b"set a 7 0 9\r\nvalue\r\n\0\xff\r\n", b"STORED\r\n"),
        (b"get a\r\n", b"VALUE a 7 9\r\nvalue\r\n\0\xff\r\nEND\r\n"),
        (b"set quiet 0 0 1 noreply\r\n1\r\n", b""),
        (b"get missing quiet a\r\n", b"VALUE quiet 0 1\r\n1\r\nVALUE a 7 9\r\nvalue\r\n\0\xff\r\nEND\r\n"),
        (b"incr quiet 41\r\n", b"42\r\n"),
        (b"nonsense\r\n", b"ERROR\r\n"),
        (b"set b 0 0 2\r\nabc\r\n", b"CLIENT_ERROR bad data chunk\r\nERROR\r\n"),
        (b"set b 0 0 0\r\n\r\n", b"STORED\r\n"),
        (b"ms c 3 F5 q\r\nabc\r\n", b""),
        (b"mg c v f k O9\r\n", b"VA 3 f5 kc O9\r\nabc\r\n"),
        (b"mg missing v q\r\n", b""),
        (b"ms Zm9v 2 b\r\n\r\n\r\n", b"HD\r\n"),
        (b"mg foo s\r\n", b"HD s2\r\n"),
        (b"md c q\r\n", b""),
        (b"ma quiet v\n", b"VA 2\r\n43\r\n"),
        (b"mn\r\n", b"MN\r\n"),
        (b"quit\r\n", b""),
    ];
    let (asked, answered): (Vec<&[u8]>, Vec<&[u8]>) = requests.into_iter().unzip();
    (asked.concat(), answered.concat())
}

fn assert_answered(client: &mut MemcachedClient, expected: &[u8], how: &str) {
    let got = client.connection().read_to_close();
    assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(expected), "{how}");
}

/// Sends the pipeline in two pieces, cut at every place.
fn check_every_cut(connect: impl Fn() -> MemcachedClient) {
    let (bytes, expected) = mixed_pipeline();
    let mut witness = connect();
    for cut in 1..bytes.len() {
        let mut client = connect();
        client.send(&bytes[..cut]);
        // One thread serves both connections, so its answer here says that the first piece has been read.
        assert_eq!(witness.command("mn"), "MN");
        client.send(&bytes[cut..]);
        assert_answered(&mut client, &expected, &format!("cut at {cut}"));
    }
}

#[test]
fn memcached_answers_requests_cut_at_every_place() {
    let memcached = Memcached::start(&["-t", "1"]);
    check_every_cut(|| MemcachedClient::connect(memcached.address()).expect("the server takes connections"));
}

#[test]
fn requests_cut_at_every_place_are_answered() {
    if is_redis() {
        return;
    }
    let mut server = Launch::subject().memcached().shards(1).start();
    let health = Health::of(&server);
    check_every_cut(|| server.connect_memcached());
    health.assert_back(&mut server);
}

#[test]
fn requests_that_arrive_byte_by_byte_are_answered() {
    if is_redis() {
        return;
    }
    let mut server = start(&[]);
    let health = Health::of(&server);
    let mut client = server.connect_memcached();
    let (bytes, expected) = mixed_pipeline();
    for byte in bytes {
        client.send(&[byte]);
    }
    assert_answered(&mut client, &expected, "byte by byte");
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
    let mut witness = server.connect_memcached();
    let (pipeline, _) = mixed_pipeline();
    // Nobody may empty the store behind the back of what is asserted below.
    let pipeline = pipeline.strip_prefix(b"flush_all\r\n").expect("it begins so");
    for round in 0..500 {
        let mut client = server.connect_memcached();
        client.connection().send_unless_closed(&random.spoiled(pipeline));
        drop(client);
        assert_eq!(witness.command("mn"), "MN", "round {round}");
    }
    drop(witness);
    health.assert_back(&mut server);
}

#[test]
fn a_long_pipeline_is_answered_in_order() {
    const REQUESTS: usize = 20_000;
    if is_redis() {
        return;
    }
    let mut server = Launch::subject().memcached().shards(4).start();
    let health = Health::of(&server);
    let mut client = server.connect_memcached();
    let mut bytes = Vec::new();
    for number in 0..REQUESTS {
        let value = number.to_string();
        let length = value.len();
        bytes.extend(format!("set p:{number} 0 0 {length} noreply\r\n{value}\r\nget p:{number}\r\n").into_bytes());
        bytes.extend(format!("mg p:{number} v q\r\nmg none:{number} v q\r\n").into_bytes());
    }
    let mut sender = client.connection().stream().try_clone().expect("a socket can be shared");
    std::thread::scope(|scope| {
        scope.spawn(move || std::io::Write::write_all(&mut sender, &bytes).expect("the server reads"));
        for number in 0..REQUESTS {
            let value = number.to_string();
            let items = client.items();
            assert_eq!((items.len(), items[0].value.as_slice()), (1, value.as_bytes()), "get {number}");
            assert_eq!(client.line(), format!("VA {}", value.len()), "mg {number}");
            assert_eq!(client.block(value.len()), value.as_bytes(), "mg {number}");
        }
    });
    drop(client);
    health.assert_back(&mut server);
}
