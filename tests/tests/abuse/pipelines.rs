//! Pipelines far deeper than any sane client's.

use std::io::Write;
use std::thread;

use locksley_tests::client::request;
use locksley_tests::health::Health;
use locksley_tests::server::Launch;

/// Requests of one pipeline.
const DEPTH: usize = 100_000;

#[test]
fn a_hundred_thousand_requests_are_answered_in_order() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let mut client = server.connect();
    let mut writer = client.stream().try_clone().expect("a socket can be cloned");
    let sending = thread::spawn(move || {
        let mut bytes = Vec::new();
        for number in 0..DEPTH {
            // Keys of every shard, so that replies come back from several threads and still in order.
            bytes.extend(request(&["GETSET".to_owned(), format!("key:{}", number % 1000), number.to_string()]));
        }
        writer.write_all(&bytes).expect("the server reads");
    });
    for number in 0..DEPTH {
        let expected = if number < 1000 { "nil".to_owned() } else { format!("\"{}\"", number - 1000) };
        let reply = client.read().unwrap_or_else(|error| panic!("reply {number}: {error}"));
        assert_eq!(reply.to_string(), expected, "reply {number}");
    }
    sending.join().expect("everything was sent");
    drop(client);
    health.assert_back(&mut server);
}

#[test]
fn a_client_that_reads_only_after_sending_everything_is_answered() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let mut client = server.connect();
    client.send_raw(&request(&["INCR", "counter"]).repeat(DEPTH)).expect("the server reads");
    for number in 1..=DEPTH {
        let reply = client.read().unwrap_or_else(|error| panic!("reply {number}: {error}"));
        assert_eq!(reply.integer(), number as i64);
    }
    drop(client);
    health.assert_back(&mut server);
}

#[test]
fn large_and_small_replies_of_a_pipeline_keep_their_order() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let mut client = server.connect();
    let sizes = [0_usize, 1, 100, 4_000, 5_000, 16_000, 17_000, 100_000, 1_500_000];
    for (index, size) in sizes.iter().enumerate() {
        let value = vec![b'a' + index as u8; *size];
        assert_eq!(client.call(&[b"SET", format!("size:{index}").as_bytes(), &value]).to_string(), "+OK");
    }
    let mut writer = client.stream().try_clone().expect("a socket can be cloned");
    let sending = thread::spawn(move || {
        for round in 0..40 {
            let mut bytes = Vec::new();
            for index in 0..sizes.len() {
                bytes.extend(request(&["GET".to_owned(), format!("size:{}", (index * 7 + round) % sizes.len())]));
                bytes.extend(request(&["ECHO".to_owned(), format!("{round}/{index}")]));
            }
            writer.write_all(&bytes).expect("the server reads");
        }
    });
    for round in 0..40 {
        for index in 0..sizes.len() {
            let which = (index * 7 + round) % sizes.len();
            let value = client.read().expect("a value comes").text().expect("it is a text");
            assert_eq!(value.len(), sizes[which], "value {which} of round {round}");
            assert!(value.bytes().all(|byte| byte == b'a' + which as u8), "value {which} of round {round}");
            let echo = client.read().expect("an echo comes").text().expect("it is a text");
            assert_eq!(echo, format!("{round}/{index}"));
        }
    }
    sending.join().expect("everything was sent");
    drop(client);
    health.assert_back(&mut server);
}

#[test]
fn as_many_arguments_as_allowed_are_taken() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let mut client = server.connect();
    let mut arguments = vec!["DEL"];
    arguments.resize(1_048_576, "k");
    client.command("SET k v");
    assert_eq!(client.call(&arguments).to_string(), ":1");
    arguments[0] = "MGET";
    let reply = client.call(&arguments);
    assert_eq!(reply.elements().len(), 1_048_575);
    drop(client);
    health.assert_back(&mut server);
}
