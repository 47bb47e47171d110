//! Requests in odd pieces, and bytes that are no requests at all.

use std::io::ErrorKind;

use locksley_tests::client::{Client, request};
use locksley_tests::health::Health;
use locksley_tests::limits::SILENCE;
use locksley_tests::reply::Reply;
use locksley_tests::seed::{Random, seed_of_run};
use locksley_tests::server::{Launch, Server};
use locksley_tests::text::quote;

/// A pipeline with every shape of request: arrays and lines, empty and binary arguments, errors.
fn mixed_pipeline() -> (Vec<u8>, Vec<&'static str>) {
    let requests: [(&[u8], &str); 12] = [
        (&request(&["SET", "key", "value"]), "+OK"),
        (b"GET key\r\n", "\"value\""),
        (&request(&["SET", "", "a\r\nb\0"]), "+OK"),
        (&request(&["GET", ""]), "\"a\\r\\nb\\x00\""),
        (b"\r\n*0\r\nPING\r\n", "+PONG"),
        (&request(&["GET"]), "-ERR wrong number of arguments for 'get' command"),
        (&request(&["INCR", "key"]), "-ERR value is not an integer or out of range"),
        (b"SET other \"two words\"\n", "+OK"),
        (&request(&["MGET", "key", "missing", "other"]), "[\"value\", nil, \"two words\"]"),
        (&request(&["NOSUCH", "a"]), "-\"ERR unknown command 'NOSUCH', with args beginning with: 'a' \""),
        (&request(&["DEL", "key", "other", "", "missing"]), ":3"),
        (b"echo done\r\n", "\"done\""),
    ];
    let bytes = requests.iter().flat_map(|(bytes, _)| bytes.iter().copied()).collect();
    (bytes, requests.iter().map(|(_, reply)| *reply).collect())
}

fn assert_replies(client: &mut Client, replies: &[&str], how: &str) {
    for expected in replies {
        let reply = client.read().unwrap_or_else(|error| panic!("{how}: {error} instead of {expected}"));
        assert_eq!(reply.to_string(), *expected, "{how}");
    }
}

#[test]
fn requests_that_arrive_byte_by_byte_are_answered() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let (bytes, replies) = mixed_pipeline();
    let mut client = server.connect();
    for byte in bytes {
        client.send_raw(&[byte]).expect("the server reads");
    }
    assert_replies(&mut client, &replies, "byte by byte");
    drop(client);
    health.assert_back(&mut server);
}

#[test]
fn requests_cut_at_every_place_are_answered() {
    let mut server = Launch::subject().shards(1).start();
    let health = Health::of(&server);
    let (bytes, replies) = mixed_pipeline();
    let mut witness = server.connect();
    for cut in 1..bytes.len() {
        let mut client = server.connect();
        client.send_raw(&bytes[..cut]).expect("the server reads");
        // One shard serves both connections, so its answer here says that the first piece has been read.
        witness.command("PING");
        client.send_raw(&bytes[cut..]).expect("the server reads");
        assert_replies(&mut client, &replies, &format!("cut at {cut}"));
    }
    drop(witness);
    health.assert_back(&mut server);
}

#[test]
fn requests_in_random_pieces_are_answered() {
    let mut random = Random::new(seed_of_run("requests_in_random_pieces_are_answered"));
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let (bytes, replies) = mixed_pipeline();
    let bytes = bytes.repeat(50);
    let replies: Vec<&str> = replies.repeat(50);
    for _ in 0..20 {
        let mut client = server.connect();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let length = 1 + random.below(700.min(rest.len() as u64)) as usize;
            client.send_raw(&rest[..length]).expect("the server reads");
            rest = &rest[length..];
        }
        assert_replies(&mut client, &replies, "random pieces");
    }
    health.assert_back(&mut server);
}

/// Everything a server sends for some bytes, and whether it closed after them.
fn answer(server: &Server, bytes: &[u8]) -> (String, bool) {
    let mut client = server.connect();
    // A server that has closed already may refuse the rest of the bytes.
    let _ = client.send_raw(bytes);
    let is_closed = loop {
        match client.receive(SILENCE) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break false,
            Err(_) => break true,
        }
    };
    (quote(&client.take_received()), is_closed)
}

#[test]
fn malformed_frames_get_the_answer_that_redis_gives() {
    let frames: &[&[u8]] = &[
        b"*",
        b"*\r\n",
        b"* 1\r\n$4\r\nPING\r\n",
        b"*1 \r\n$4\r\nPING\r\n",
        b"*01\r\n$4\r\nPING\r\n",
        b"*+1\r\n$4\r\nPING\r\n",
        b"*-2\r\nPING\r\n",
        b"*1.0\r\n$4\r\nPING\r\n",
        b"*1\n$4\nPING\n",
        b"*1\r$4\rPING\r",
        b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n",
        b"*1\r\n$3\r\nPING\r\n",
        b"*1\r\n$5\r\nPING\r\nPING\r\n",
        b"*1\r\n$04\r\nPING\r\n",
        b"*1\r\n$ 4\r\nPING\r\n",
        b"*1\r\n$4 \r\nPING\r\n",
        b"*1\r\n$\r\n\r\n",
        b"*1\r\n$0\r\n\r\n",
        b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n",
        b"*1\r\n+PING\r\n",
        b"*1\r\n*1\r\n$4\r\nPING\r\n",
        b"*1\r\n\r\n",
        b"*1\r\n\x00",
        b"*2\r\n$4\r\nECHO\r\n$-1\r\n",
        b"*1\r\n$9223372036854775807\r\n",
        b"*1\r\n$18446744073709551616\r\n",
        b"*9223372036854775807\r\n",
        b"*99999999999999999999\r\n",
        b"$4\r\nPING\r\n",
        b"+PING\r\n",
        b":1\r\n",
        b"%1\r\n$1\r\na\r\n$1\r\nb\r\n",
        b">1\r\n$4\r\nPING\r\n",
        b"\x00\r\n",
        b"\xff\xfe\xfd\r\n",
        b"\"\r\n",
        b"''\r\n",
        b"\"PING\"\r\n",
        b"'PING' extra\r\n",
        b"PI\x00NG\r\n",
        b"PING\r\r\n",
        b"PING\rPING\r\n",
        b"\r\r\r\n",
        b"\n\n\n",
        b"post:\r\n",
        b"POST\r\n",
        b"Host:\r\n",
        b"HOST: x\r\n",
        b"GET /x HTTP/1.0\r\n\r\n",
        b"*2\r\n$4\r\nPOST\r\n$1\r\nx\r\n",
        b"*3\r\n$5\r\nhost:\r\n$1\r\nx\r\n$1\r\ny\r\n",
    ];
    let redis = Launch::redis().start();
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let differing: Vec<String> = frames
        .iter()
        .filter_map(|frame| {
            let (expected, got) = (answer(&redis, frame), answer(&server, frame));
            (expected != got).then(|| format!("{}\n    redis {expected:?}\n    got   {got:?}", quote(frame)))
        })
        .collect();
    assert!(differing.is_empty(), "{} frames:\n{}", differing.len(), differing.join("\n"));
    health.assert_back(&mut server);
}

#[test]
fn damaged_pipelines_get_the_answer_that_redis_gives() {
    let seed = seed_of_run("damaged_pipelines_get_the_answer_that_redis_gives");
    let mut random = Random::new(seed);
    let redis = Launch::redis().start();
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let mut clients = [redis.connect(), server.connect()];
    let pipeline = [request(&["SET", "k", "v"]), b"GET k\r\n".to_vec(), request(&["ECHO", "text"])].concat();
    for round in 0..400 {
        let mut bytes = pipeline.clone();
        for _ in 0..=random.below(2) {
            let at = random.below(bytes.len() as u64) as usize;
            // Bytes that mean something in RESP hit more branches than any byte would. Not NUL: redis-server looks for
            // the end of a line as C looks for the end of a string, and waits for ever behind one.
            let byte = b"*$\r\n0129-+ \"'\xffx"[random.below(15) as usize];
            match random.below(3) {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        for client in &mut clients {
            assert_eq!(client.command("FLUSHALL"), Reply::Simple(b"OK".to_vec()));
        }
        // The end of the stream makes both servers give up on a half request, so nothing is waited for.
        let answers = [&redis, &server].map(|server| {
            let mut client = server.connect();
            let _ = client.send_raw(&bytes);
            let _ = client.finish_sending();
            quote(&client.read_to_close())
        });
        if answers[1] == answers[0] {
            continue;
        }
        // The end of the stream may overtake redis-server's last error; without it, both have to say the same.
        for client in &mut clients {
            assert_eq!(client.command("FLUSHALL"), Reply::Simple(b"OK".to_vec()));
        }
        let answers = [&redis, &server].map(|server| answer(server, &bytes));
        assert_eq!(answers[1], answers[0], "round {round} of seed {seed}: {}", quote(&bytes));
    }
    drop(clients);
    health.assert_back(&mut server);
}
