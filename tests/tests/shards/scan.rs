//! Commands about all keys see every shard, and SCAN finds what stays while the store changes under it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use locksley_tests::client::{Client, request};

use crate::{SHARD_COUNTS, in_parallel, start};

/// Sets so many keys with a prefix.
fn fill(client: &mut Client, prefix: &str, count: usize) {
    let bytes: Vec<u8> = (0..count).flat_map(|number| request(&["SET", &format!("{prefix}:{number}"), "v"])).collect();
    for piece in bytes.chunks(100_000) {
        client.send_raw(piece).expect("the server reads");
    }
    for _ in 0..count {
        assert_eq!(client.read().expect("a reply comes").to_string(), "+OK");
    }
}

/// All keys that one full SCAN gives, each as often as it came.
fn scan(client: &mut Client, options: &[&str]) -> Vec<String> {
    let mut cursor = "0".to_owned();
    let mut keys = Vec::new();
    loop {
        let arguments = [&["SCAN", cursor.as_str()], options].concat();
        let reply = client.call(&arguments);
        let [next, found] = reply.elements() else { panic!("SCAN answers {reply}") };
        keys.extend(found.elements().iter().map(|key| key.text().expect("a key is a text")));
        cursor = next.text().expect("a cursor is a text");
        if cursor == "0" {
            return keys;
        }
    }
}

#[test]
fn a_scan_of_a_resting_store_gives_every_key_once() {
    for shards in SHARD_COUNTS {
        let server = start(shards);
        let mut client = server.connect();
        fill(&mut client, "key", 10_000);
        for options in [&[][..], &["COUNT", "1"], &["COUNT", "1000"], &["MATCH", "key:*", "COUNT", "77"]] {
            // One key at a time would take a request for each.
            let keys = scan(&mut client, if options == ["COUNT", "1"] { &["COUNT", "3"] } else { options });
            let unique: BTreeSet<&String> = keys.iter().collect();
            assert_eq!((keys.len(), unique.len()), (10_000, 10_000), "{shards} shards, {options:?}");
        }
        let some = scan(&mut client, &["MATCH", "key:12*", "COUNT", "500"]);
        assert_eq!(some.len(), 111, "{shards} shards");
    }
}

#[test]
fn a_scan_finds_what_stays_while_the_store_grows_and_shrinks() {
    for shards in SHARD_COUNTS {
        let server = start(shards);
        fill(&mut server.connect(), "stays", 3_000);
        let is_over = AtomicBool::new(false);
        in_parallel(&server, 2, |number, client| {
            if number == 0 {
                while !is_over.load(Ordering::Relaxed) {
                    fill(client, "comes", 20_000);
                    let bytes: Vec<u8> =
                        (0..20_000).flat_map(|number| request(&["DEL", &format!("comes:{number}")])).collect();
                    client.send_raw(&bytes).expect("the server reads");
                    for _ in 0..20_000 {
                        client.read().expect("a reply comes").integer();
                    }
                }
                return;
            }
            for round in 0..10 {
                let found: BTreeSet<String> = scan(client, &["COUNT", "50"]).into_iter().collect();
                for number in 0..3_000 {
                    assert!(found.contains(&format!("stays:{number}")), "{shards} shards, round {round}: {number}");
                }
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn commands_about_all_keys_see_every_shard() {
    for shards in SHARD_COUNTS {
        let server = start(shards);
        let mut client = server.connect();
        fill(&mut client, "key", 1_000);
        assert_eq!(client.command("DBSIZE").integer(), 1_000);
        assert_eq!(client.command("KEYS *").elements().len(), 1_000);
        assert_eq!(client.command("KEYS key:1?").elements().len(), 10);
        let picked: BTreeSet<String> = (0..500).filter_map(|_| client.command("RANDOMKEY").text()).collect();
        assert!(picked.len() > 100, "{shards} shards: RANDOMKEY gives only {} keys", picked.len());
        assert_eq!(client.command("SWAPDB 0 5").to_string(), "+OK");
        assert_eq!(client.command("DBSIZE").integer(), 0);
        assert_eq!(client.command("SELECT 5").to_string(), "+OK");
        assert_eq!(client.command("DBSIZE").integer(), 1_000);
        let mut other = server.connect();
        fill(&mut other, "other", 10);
        assert_eq!(client.command("FLUSHDB").to_string(), "+OK");
        assert_eq!(client.command("DBSIZE").integer(), 0);
        assert_eq!(other.command("DBSIZE").integer(), 10);
        assert_eq!(client.command("FLUSHALL").to_string(), "+OK");
        assert_eq!(other.command("DBSIZE").integer(), 0);
    }
}

#[test]
fn memory_of_every_shard_counts_towards_the_limit() {
    for shards in [1, 2, 4] {
        let server = start(shards);
        let mut client = server.connect();
        // Under noeviction the store fills up to the limit and then refuses, with reads going on.
        assert_eq!(client.command("CONFIG SET maxmemory-policy noeviction maxmemory 64mb").to_string(), "+OK");
        let value = "x".repeat(10_000);
        let mut stored = 0_u32;
        let refusal = loop {
            let reply = client.call(&["SET", &format!("key:{stored}"), &value]).to_string();
            if reply != "+OK" {
                break reply;
            }
            stored += 1;
            assert!(stored < 10_000, "{shards} shards: 100 MB fit into 64 MiB");
        };
        assert_eq!(refusal, "-OOM command not allowed when used memory > 'maxmemory'.", "{shards} shards");
        assert!(stored > 3_000, "{shards} shards: only {stored} values of 10 kB fit into 64 MiB");
        assert_eq!(client.call(&["GET", "key:0"]).text().map(|text| text.len()), Some(10_000));
        assert!(client.info_number("used_memory") <= 65 << 20);
        assert_eq!(client.command("FLUSHALL").to_string(), "+OK");
        assert_eq!(client.call(&["SET", "key", &value]).to_string(), "+OK");
    }
}

#[test]
fn a_store_with_a_policy_stays_under_its_limit() {
    for shards in [1, 2] {
        let server = start(shards);
        let mut client = server.connect();
        assert_eq!(client.command("CONFIG SET maxmemory-policy allkeys-lru maxmemory 64mb").to_string(), "+OK");
        let value = "x".repeat(10_000);
        for number in 0..15_000 {
            let reply = client.call(&["SET", &format!("key:{number}"), &value]).to_string();
            assert_eq!(reply, "+OK", "{shards} shards, value {number}");
        }
        assert!(client.info_number("used_memory") <= 66 << 20, "{}", client.info("used_memory"));
        assert!(client.info_number("evicted_keys") > 5_000);
        assert!(client.command("DBSIZE").integer() > 3_000);
    }
}
