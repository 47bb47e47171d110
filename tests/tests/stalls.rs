//! What shows how the server is answers while a shard does not: from new connections, at every door.
//!
//! A shard is stalled by `DEBUG SLEEP seconds shard`. In the tests of answers it sleeps for longer than the test may take,
//! so that whatever is answered was answered meanwhile, on any machine; then the server is killed. In the tests of what
//! comes after, it wakes up.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use locksley_tests::client::{Client, NoReply, request};
use locksley_tests::directory::Directory;
use locksley_tests::http::HttpClient;
use locksley_tests::limits::{PATIENCE, SILENCE};
use locksley_tests::server::{Launch, Server};
use locksley_tests::wait::{until, until_some};

/// Longer than any test takes.
const FOR_EVER: &str = "600";

/// New connections at each door: with so many, all come to one of two threads once in a thousand runs.
const CONNECTION_COUNT: usize = 10;

/// What an operator asks at the door for RESP.
const QUESTIONS: [&str; 15] = [
    "INFO",
    "INFO everything",
    "SLOWLOG GET 128",
    "SLOWLOG LEN",
    "LATENCY LATEST",
    "LATENCY HISTORY command",
    "LATENCY HISTOGRAM",
    "LATENCY DOCTOR",
    "MEMORY STATS",
    "MEMORY DOCTOR",
    "MEMORY MALLOC-STATS",
    "MEMORY CURVE",
    "HOTKEYS",
    "CLIENT LIST",
    "CONFIG GET maxmemory",
];

fn launch() -> Launch {
    let flags =
        ["--enable-debug-command", "yes", "--latency-monitor-threshold", "10", "--slowlog-log-slower-than", "0"];
    Launch::subject().shards(2).memcached().http().flags(flags)
}

fn start() -> Server {
    let server = launch().start();
    let mut client = server.connect();
    for number in 0..1_000 {
        client.command(&format!("SET key:{number} {number}"));
    }
    server
}

/// Stalls a shard; the client whose answer comes when it wakes up.
fn stall(server: &Server, seconds: &str, shard: &str) -> Client {
    let mut sleeper = server.connect();
    sleeper.send(&["DEBUG", "SLEEP", seconds, shard]).expect("the server reads");
    // A key of that shard, since half of them are: nobody answers for it now.
    until("the shard sleeps", || {
        let mut client = server.connect();
        let keys: Vec<String> = (0..20).map(|number| format!("key:{number}")).collect();
        let lines: Vec<u8> = keys.iter().flat_map(|key| request(&["GET", key])).collect();
        client.send_raw(&lines).expect("the server reads");
        keys.iter().any(|_| matches!(client.read_within(SILENCE), Err(NoReply::Silent)))
    });
    sleeper
}

fn is_asleep(sleeper: &mut Client) -> bool {
    matches!(sleeper.read_within(SILENCE), Err(NoReply::Silent))
}

/// A field of a reply to INFO.
fn figure(info: &str, name: &str) -> u64 {
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|digits| digits.trim().parse().ok()).unwrap_or_else(|| panic!("{name} in {info}"))
}

/// The first events of a stream that is asked for now.
fn events(address: SocketAddr, count: usize) -> Vec<String> {
    let mut stream = TcpStream::connect(address).expect("the port is open");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(stream, "GET /console/events HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("the server reads");
    let mut text = Vec::new();
    loop {
        let whole = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = whole.split_once("\r\n\r\n") {
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
            assert!(head.contains("text/event-stream"), "{head}");
            let ended: Vec<&str> = body.split_inclusive("\n\n").filter(|event| event.ends_with("\n\n")).collect();
            if ended.len() >= count {
                return ended.into_iter().map(str::to_owned).collect();
            }
        }
        let mut piece = [0; 16 * 1024];
        let length = stream.read(&mut piece).expect("events go on");
        assert!(length > 0, "the stream ended: {whole}");
        text.extend_from_slice(&piece[..length]);
    }
}

/// Asks everything from new connections at every door.
fn ask_everything(server: &Server) {
    for _ in 0..CONNECTION_COUNT {
        let mut client = server.connect();
        for question in QUESTIONS {
            let reply = client.command(question).to_string();
            assert!(!reply.starts_with('-'), "{question}: {reply}");
        }
    }
    for _ in 0..CONNECTION_COUNT {
        let mut http = server.connect_http();
        for target in ["/metrics", "/", "/console/state", "/healthz", "/openapi.json"] {
            let response = http.get(target);
            assert_eq!(response.status, 200, "{target}: {}", response.text());
            assert!(!response.body.is_empty(), "{target}");
        }
        assert!(http.get("/console/state").json().is_object());
        assert_eq!(http.get("/metrics/nothing").status, 404);
        assert_eq!(http.get("/metrics?x=1").status, 400);
    }
    for _ in 0..CONNECTION_COUNT {
        let mut memcached = server.connect_memcached();
        assert!(memcached.command("version").starts_with("VERSION "));
    }
    for _ in 0..2 {
        for event in events(server.http_address(), 3) {
            let state = event.strip_prefix("data: ").unwrap_or_else(|| panic!("no event: {event}"));
            assert!(serde_json::from_str::<serde_json::Value>(state).is_ok_and(|state| state.is_object()), "{state}");
        }
    }
}

#[test]
fn everything_answers_while_a_shard_sleeps() {
    for shard in ["0", "1"] {
        let server = start();
        let mut sleeper = stall(&server, FOR_EVER, shard);
        ask_everything(&server);
        assert!(is_asleep(&mut sleeper), "what was answered was answered meanwhile");
    }
}

#[test]
fn everything_answers_while_a_shard_sleeps_under_load() {
    let mut server = start();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..4 {
            let (server, is_over) = (&server, &is_over);
            scope.spawn(move || {
                let mut client = server.connect();
                let mut turn = number;
                while !is_over.load(Ordering::Relaxed) {
                    let words = (0..64).map(|step| request(&["SET", &format!("key:{}", (turn + step) % 1_000), "v"]));
                    if client.send_raw(&words.collect::<Vec<_>>().concat()).is_err() {
                        break;
                    }
                    // Those who wait for the shard that sleeps come again, by new connections.
                    if (0..64).any(|_| client.read_within(SILENCE).is_err()) {
                        client = server.connect();
                    }
                    turn += 64;
                }
            });
        }
        let mut sleeper = stall(&server, FOR_EVER, "1");
        ask_everything(&server);
        assert!(is_asleep(&mut sleeper), "what was answered was answered meanwhile");
        is_over.store(true, Ordering::Relaxed);
    });
    server.assert_lives();
}

#[test]
fn late_answers_do_no_harm() {
    let mut server = start();
    let mut witness = server.connect();
    let before = witness.command("INFO everything").text().expect("INFO answers a text");
    let names = ["total_commands_processed", "total_connections_received", "total_net_input_bytes", "keyspace_hits"];
    let mut last = names.map(|name| figure(&before, name));
    let mut check = |info: &str| {
        let now = names.map(|name| figure(info, name));
        for (index, name) in names.iter().enumerate() {
            assert!(now[index] >= last[index], "{name} goes back from {} to {}", last[index], now[index]);
        }
        last = now;
    };
    for round in 0..2 {
        let mut sleeper = stall(&server, "2", if round == 0 { "0" } else { "1" });
        let mut waiting = Vec::new();
        loop {
            let mut client = server.connect();
            check(&client.command("INFO everything").text().expect("INFO answers a text"));
            // Replies keep their order, whatever is late; every other client is gone before its own come.
            let mut pipelined = server.connect();
            let lines = ["SET a 1", "INFO stats", "GET a", "SLOWLOG LEN", "GET key:7", "CLIENT LIST", "ECHO end"];
            let words: Vec<Vec<u8>> = lines.iter().map(|line| request(&line.split(' ').collect::<Vec<_>>())).collect();
            pipelined.send_raw(&words.concat()).expect("the server reads");
            if waiting.len() % 2 == 0 {
                waiting.push(Some(pipelined));
            } else {
                waiting.push(None);
            }
            if !is_asleep(&mut sleeper) {
                break;
            }
        }
        for mut client in waiting.into_iter().flatten() {
            let mut next = || client.read().expect("it answers").to_string();
            assert_eq!(next(), "+OK");
            assert!(next().contains("total_commands_processed"));
            assert!(next().contains('1'));
            assert!(next().starts_with(':'));
            assert!(next().contains('7'));
            assert!(next().contains("cmd=client|list"));
            assert!(next().contains("end"));
        }
        check(&witness.command("INFO everything").text().expect("INFO answers a text"));
        assert_eq!(witness.command("DBSIZE").integer(), 1_001);
        let events = witness.command("LATENCY LATEST").to_string();
        assert!(events.contains("event-loop-stall"), "{events}");
    }
    drop(witness);
    server.assert_serves();
    server.wait_for_clients_to_go();
}

#[test]
fn streams_of_a_shard_that_slept_go_on() {
    let server = start();
    let address = server.http_address();
    let mut sleeper = None;
    thread::scope(|scope| {
        let streams: Vec<_> = (0..6).map(|_| scope.spawn(move || events(address, 8).len())).collect();
        sleeper = Some(stall(&server, "2", "1"));
        for stream in streams {
            assert!(stream.join().expect("no assertion failed") >= 8);
        }
    });
    let mut sleeper = sleeper.expect("it was set");
    assert_eq!(sleeper.read().expect("it wakes up").to_string(), "+OK");
}

#[test]
fn everything_answers_while_loading() {
    let directory = Directory::new();
    let server = launch().durable("no").directory(directory.path()).start();
    let mut client = server.connect();
    let value = vec![b'v'; 1_500];
    for part in (0..60_000).collect::<Vec<u32>>().chunks(500) {
        let lines = part.iter().map(|number| request(&[b"SET", format!("key:{number}").as_bytes(), &value]));
        client.send_raw(&lines.collect::<Vec<_>>().concat()).expect("the server reads");
        for _ in part {
            assert_eq!(client.read().expect("it answers").to_string(), "+OK");
        }
    }
    server.stop("KILL");
    let server = launch().durable("no").directory(directory.path()).spawn();
    let mut seen_count = 0;
    until("everything is loaded", || {
        let mut client = until_some("the port is open", || Client::connect(server.address()).ok());
        let mut http = until_some("HTTP's port is open", || HttpClient::connect(server.http_address()).ok());
        let is_loading = client.command("GET key:1").to_string().starts_with("-LOADING");
        for question in QUESTIONS {
            let reply = client.command(question).to_string();
            assert!(!reply.starts_with('-'), "{question}: {reply}");
        }
        for target in ["/metrics", "/", "/console/state"] {
            assert_eq!(http.get(target).status, 200, "{target}");
        }
        assert!(!events(server.http_address(), 1).is_empty());
        seen_count += usize::from(is_loading);
        !is_loading
    });
    assert!(seen_count > 0, "it had loaded everything before it was asked");
}
