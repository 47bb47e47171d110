//! The largest values and keys.

use std::thread;

use locksley_tests::binary::Kind;
use locksley_tests::client::{Client, request};
use locksley_tests::health::Health;
use locksley_tests::limits::PATIENCE;
use locksley_tests::server::Launch;

/// The longest value.
const VALUE_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Reads `$length`, so many bytes and their end, without keeping them; every byte has to be `expected` of its
/// offset.
fn read_bulk(client: &mut Client, length: usize, expected: impl Fn(usize) -> u8) {
    let header = format!("${length}\r\n");
    let mut got = Vec::new();
    while got.len() < header.len() {
        assert_ne!(client.receive(PATIENCE).expect("bytes come"), 0, "the server closed");
        got.extend(client.take_received());
    }
    let (start, rest) = got.split_at(header.len());
    assert_eq!(start, header.as_bytes());
    let mut offset = 0_usize;
    let mut check = |bytes: &[u8]| {
        for byte in bytes {
            let tail = offset.checked_sub(length).map(|index| b"\r\n"[index]);
            assert_eq!(*byte, tail.unwrap_or_else(|| expected(offset)), "byte {offset}");
            offset += 1;
        }
        offset
    };
    let mut taken = check(rest);
    while taken < length + 2 {
        assert_ne!(client.receive(PATIENCE).expect("bytes come"), 0, "the server closed");
        taken = check(&client.take_received());
    }
}

#[test]
fn a_value_of_half_a_gibibyte_is_kept_and_given_back() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let mut client = server.connect();
    // A period that no power of two divides shows pieces that were swapped or repeated.
    let byte_at = |offset: usize| (offset % 251) as u8;
    let chunk_bytes = 251 * 4096;
    let chunk: Vec<u8> = (0..chunk_bytes).map(byte_at).collect();
    client.send_raw(format!("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n${VALUE_BYTES_MAX}\r\n").as_bytes()).expect("it reads");
    let mut left = VALUE_BYTES_MAX;
    while left > 0 {
        let count = left.min(chunk_bytes);
        client.send_raw(&chunk[..count]).expect("the server reads");
        left -= count;
    }
    client.send_raw(b"\r\n").expect("the server reads");
    assert_eq!(client.read().expect("a reply comes").to_string(), "+OK");
    assert_eq!(client.command("STRLEN key").integer(), VALUE_BYTES_MAX as i64);
    let tail = client.command("GETRANGE key -4 -1");
    let expected: Vec<u8> = (VALUE_BYTES_MAX - 4..VALUE_BYTES_MAX).map(byte_at).collect();
    assert_eq!(tail, locksley_tests::reply::Reply::Bulk(expected));
    assert_eq!(
        client.command("APPEND key x").to_string(),
        "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"
    );
    client.send(&["GET", "key"]).expect("the server reads");
    read_bulk(&mut client, VALUE_BYTES_MAX, byte_at);
    assert_eq!(client.command("DEL key").integer(), 1);
    drop(client);
    health.assert_back(&mut server);
}

#[test]
fn a_key_beyond_the_limit_is_refused_with_the_limit() {
    let mut server = Launch::subject().shards(2).start();
    if server.kind() == Kind::Redis {
        println!("skipped: redis-server takes keys of any length");
        return;
    }
    let health = Health::of(&server);
    let mut client = server.connect();
    let longest = vec![b'k'; 65_536];
    let longer = vec![b'k'; 65_537];
    assert_eq!(client.call(&[b"SET", longest.as_slice(), b"v"]).to_string(), "+OK");
    assert_eq!(client.call(&[b"GET", longest.as_slice()]).to_string(), "\"v\"");
    for arguments in [[b"SET".as_slice(), &longer, b"v"], [b"APPEND".as_slice(), &longer, b"v"]] {
        let refusal = client.call(&arguments).to_string();
        assert!(refusal.starts_with("-ERR") && refusal.contains("65536"), "{refusal}");
    }
    assert_eq!(client.call(&[b"GET", longer.as_slice()]).to_string(), "nil");
    assert_eq!(client.command("DBSIZE").integer(), 1);
    drop(client);
    health.assert_back(&mut server);
}

#[test]
fn several_clients_can_exchange_large_values() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let address = server.address();
    let workers: Vec<_> = (0..4_u8)
        .map(|number| {
            thread::spawn(move || {
                let mut client = Client::connect(address).expect("the server takes connections");
                let value = vec![number; 5_000_000];
                let key = [b'k', number];
                for _ in 0..10 {
                    client.send_raw(&request(&[b"SET".as_slice(), &key, &value])).expect("the server reads");
                    assert_eq!(client.read().expect("a reply comes").to_string(), "+OK");
                    client.send(&[b"GET".as_slice(), &key]).expect("the server reads");
                    read_bulk(&mut client, value.len(), |_| number);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().expect("a worker does not panic");
    }
    health.assert_back(&mut server);
}
