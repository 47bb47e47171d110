//! Commands over keys of different shards happen at one instant.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use locksley_tests::client::{Client, request};
use locksley_tests::reply::Reply;

use crate::{SHARD_COUNTS, in_parallel, spread_keys, start};

/// `MSET` of one value under all keys.
fn set_all(keys: &[String], value: &str) -> Vec<String> {
    let mut arguments = vec!["MSET".to_owned()];
    for key in keys {
        arguments.extend([key.clone(), value.to_owned()]);
    }
    arguments
}

fn get_all(client: &mut Client, keys: &[String]) -> Vec<Option<String>> {
    let arguments: Vec<&str> = std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
    client.call(&arguments).elements().iter().map(Reply::text).collect()
}

#[test]
fn the_last_of_many_concurrent_msets_wins_everywhere() {
    for shards in SHARD_COUNTS {
        let server = start(shards);
        let keys = spread_keys(16);
        let mut judge = server.connect();
        for round in 0..100 {
            in_parallel(&server, 4, |number, client| {
                for turn in 0..5 {
                    // Writers name the keys in different orders, which must not matter.
                    let mut order = keys.clone();
                    order.rotate_left((number * 5 + turn) % keys.len());
                    let reply = client.call(&set_all(&order, &format!("{round}:{number}:{turn}")));
                    assert_eq!(reply.to_string(), "+OK");
                }
            });
            let values = get_all(&mut judge, &keys);
            assert!(values.iter().all(|value| *value == values[0]), "{shards} shards, round {round}: {values:?}");
        }
    }
}

#[test]
fn a_reader_never_sees_an_mset_go_back() {
    for shards in SHARD_COUNTS {
        let server = start(shards);
        let keys = spread_keys(8);
        let is_over = AtomicBool::new(false);
        server.connect().call(&set_all(&keys, "0"));
        in_parallel(&server, 4, |number, client| {
            if number == 0 {
                for value in 1..=3_000 {
                    client.call(&set_all(&keys, &value.to_string()));
                }
                is_over.store(true, Ordering::Relaxed);
                return;
            }
            // Once any key shows a value, no key may show an older one to a later request.
            let mut seen = 0_i64;
            let mut turn = number;
            while !is_over.load(Ordering::Relaxed) {
                turn += 3;
                let reply = client.call(&["GET", &keys[turn % keys.len()]]);
                let value: i64 = reply.text().and_then(|text| text.parse().ok()).expect("a number is there");
                assert!(value >= seen, "{shards} shards: {value} after {seen}");
                seen = value;
            }
        });
    }
}

#[test]
fn an_mget_never_sees_half_an_mset_of_one_slot() {
    for shards in SHARD_COUNTS {
        let server = start(shards);
        let keys: Vec<String> = (0..8).map(|number| format!("{{slot}}:{number}")).collect();
        let is_over = AtomicBool::new(false);
        server.connect().call(&set_all(&keys, "0"));
        in_parallel(&server, 4, |number, client| {
            if number < 2 {
                for value in 1..=2_000 {
                    client.call(&set_all(&keys, &format!("{number}:{value}")));
                }
                is_over.store(true, Ordering::Relaxed);
                return;
            }
            while !is_over.load(Ordering::Relaxed) {
                let values = get_all(client, &keys);
                assert!(values.iter().all(|value| *value == values[0]), "{shards} shards: {values:?}");
            }
        });
    }
}

/// MGET reads each shard at its own instant, so over several shards it may see an MSET in one and not yet in
/// another; but what it saw, no later MGET may miss.
#[test]
fn an_mget_never_sees_an_mset_go_back() {
    for shards in SHARD_COUNTS {
        let server = start(shards);
        let keys = spread_keys(8);
        let is_over = AtomicBool::new(false);
        server.connect().call(&set_all(&keys, "0"));
        in_parallel(&server, 4, |number, client| {
            if number == 0 {
                for value in 1..=3_000 {
                    client.call(&set_all(&keys, &value.to_string()));
                }
                is_over.store(true, Ordering::Relaxed);
                return;
            }
            let mut newest = 0_i64;
            while !is_over.load(Ordering::Relaxed) {
                let values: Vec<i64> = get_all(client, &keys)
                    .into_iter()
                    .map(|value| value.and_then(|text| text.parse().ok()).expect("a number is there"))
                    .collect();
                assert!(values.iter().all(|value| *value >= newest), "{shards} shards: {values:?} after {newest}");
                newest = values.into_iter().max().expect("several keys were read");
            }
        });
    }
}

#[test]
fn of_overlapping_msetnx_one_wins_and_the_others_leave_nothing() {
    for shards in SHARD_COUNTS {
        let server = start(shards);
        let mut judge = server.connect();
        for round in 0..300 {
            let keys: Vec<String> = (0..4).map(|number| format!("round:{round}:{number}")).collect();
            let wins = AtomicI64::new(0);
            // Client n takes keys n and n + 1 in a circle: each overlaps with two others.
            in_parallel(&server, 4, |number, client| {
                let (first, second) = (&keys[number], &keys[(number + 1) % 4]);
                let value = number.to_string();
                let won = client.call(&["MSETNX", first, &value, second, &value]).integer();
                wins.fetch_add(won << (8 * number), Ordering::Relaxed);
            });
            let winners = wins.into_inner();
            let mut expected: Vec<Option<String>> = vec![None; 4];
            for number in (0..4_usize).filter(|number| winners >> (8 * number) & 1 == 1) {
                for key in [number, (number + 1) % 4] {
                    assert_eq!(expected[key], None, "{shards} shards, round {round}: two winners share a key");
                    expected[key] = Some(number.to_string());
                }
            }
            assert_ne!(winners, 0, "{shards} shards, round {round}: nobody won");
            assert_eq!(get_all(&mut judge, &keys), expected, "{shards} shards, round {round}");
        }
    }
}

#[test]
fn renaming_loses_and_doubles_nothing() {
    for shards in SHARD_COUNTS {
        let server = start(shards);
        let places = spread_keys(12);
        let mut judge = server.connect();
        // Six tokens in twelve places; RENAMENX moves one only to a free place, so all six stay.
        for (number, place) in places.iter().take(6).enumerate() {
            judge.call(&["SET", place, &format!("token:{number}")]);
        }
        let moves = AtomicI64::new(0);
        in_parallel(&server, 4, |number, client| {
            for turn in 0..2_000_usize {
                let from = &places[(turn * 7 + number * 3) % 12];
                let to = &places[(turn * 5 + number * 4 + 1) % 12];
                match client.call(&["RENAMENX", from, to]) {
                    Reply::Integer(count) => drop(moves.fetch_add(count, Ordering::Relaxed)),
                    Reply::Error(text) => assert_eq!(text, b"ERR no such key"),
                    other => panic!("RENAMENX answers {other}"),
                }
            }
        });
        assert!(moves.into_inner() > 0, "nothing moved");
        let mut tokens: Vec<String> = get_all(&mut judge, &places).into_iter().flatten().collect();
        tokens.sort();
        let expected: Vec<String> = (0..6).map(|number| format!("token:{number}")).collect();
        assert_eq!(tokens, expected, "{shards} shards");
        assert_eq!(judge.command("DBSIZE").integer(), 6);
    }
}

#[test]
fn one_of_several_renames_of_a_key_succeeds() {
    for shards in SHARD_COUNTS {
        let server = start(shards);
        let mut judge = server.connect();
        for round in 0..300 {
            judge.call(&["FLUSHALL"]);
            judge.call(&["SET", "source", "value", "PX", "1000000"]);
            let wins = AtomicI64::new(0);
            in_parallel(&server, 4, |number, client| {
                let reply = client.call(&["RENAME", "source", &format!("target:{round}:{number}")]);
                match reply {
                    Reply::Simple(_) => drop(wins.fetch_add(1, Ordering::Relaxed)),
                    Reply::Error(text) => assert_eq!(text, b"ERR no such key"),
                    other => panic!("RENAME answers {other}"),
                }
            });
            assert_eq!(wins.into_inner(), 1, "{shards} shards, round {round}");
            let keys = judge.command("KEYS *");
            assert_eq!(keys.elements().len(), 1, "{shards} shards, round {round}: {keys}");
            let target = keys.elements()[0].text().expect("a key is a text");
            assert_eq!(judge.call(&["GET", &target]).to_string(), "\"value\"");
            assert!(judge.call(&["PTTL", &target]).integer() > 0, "the expiry moves along");
        }
    }
}

#[test]
fn a_copy_is_some_value_that_its_source_had() {
    for shards in SHARD_COUNTS {
        let server = start(shards);
        let long = |digit: char| digit.to_string().repeat(3_000);
        let is_over = AtomicBool::new(false);
        server.connect().call(&["SET", "source", &long('0')]);
        in_parallel(&server, 3, |number, client| match number {
            0 => {
                for turn in 0..3_000_u32 {
                    let digit = char::from_digit(turn % 10, 10).expect("a digit");
                    client.call(&["SET", "source", &long(digit)]);
                }
                is_over.store(true, Ordering::Relaxed);
            }
            1 => {
                while !is_over.load(Ordering::Relaxed) {
                    for target in 0..8 {
                        let reply = client.call(&["COPY", "source", &format!("target:{target}"), "REPLACE"]);
                        assert_eq!(reply.integer(), 1);
                    }
                }
            }
            _ => {
                while !is_over.load(Ordering::Relaxed) {
                    for target in 0..8 {
                        if let Some(text) = client.call(&["GET", &format!("target:{target}")]).text() {
                            assert!(text.len() == 3_000 && text.bytes().all(|byte| byte == text.as_bytes()[0]));
                        }
                    }
                }
            }
        });
    }
}

#[test]
fn counters_lose_no_step() {
    for shards in SHARD_COUNTS {
        let server = start(shards);
        let keys = spread_keys(10);
        in_parallel(&server, 6, |number, client| {
            for turn in 0..50 {
                let bytes: Vec<u8> =
                    (0..100).flat_map(|step| request(&["INCRBY", &keys[(step + turn + number) % 10], "3"])).collect();
                client.send_raw(&bytes).expect("the server reads");
                for _ in 0..100 {
                    client.read().expect("a reply comes").integer();
                }
            }
        });
        let values = get_all(&mut server.connect(), &keys);
        assert!(values.iter().all(|value| value.as_deref() == Some("9000")), "{shards} shards: {values:?}");
    }
}

#[test]
fn a_connection_sees_its_own_writes_in_order() {
    for shards in SHARD_COUNTS {
        let server = start(shards);
        in_parallel(&server, 4, |number, client| {
            let mut expected: BTreeMap<String, String> = BTreeMap::new();
            for turn in 0..200 {
                let mut bytes = Vec::new();
                let mut replies = Vec::new();
                for step in 0..20 {
                    let key = format!("own:{number}:{}", (turn * 20 + step) * 7 % 31);
                    let other = format!("own:{number}:{}", (turn + step * 3) % 31);
                    let value = format!("{turn}:{step}");
                    bytes.extend(request(&["MSET", &key, &value, &other, &value]));
                    expected.insert(key.clone(), value.clone());
                    expected.insert(other.clone(), value.clone());
                    replies.push("+OK".to_owned());
                    bytes.extend(request(&["GET", &key]));
                    replies.push(format!("\"{value}\""));
                    bytes.extend(request(&["RENAME", &key, &other]));
                    replies.push("+OK".to_owned());
                    if key != other {
                        expected.remove(&key);
                        expected.insert(other.clone(), value);
                    }
                    bytes.extend(request(&["EXISTS", &key, &other]));
                    replies.push(if key == other { ":2".to_owned() } else { ":1".to_owned() });
                }
                client.send_raw(&bytes).expect("the server reads");
                for (index, expected) in replies.iter().enumerate() {
                    let reply = client.read().expect("a reply comes").to_string();
                    assert_eq!(reply, *expected, "{shards} shards, turn {turn}, reply {index}");
                }
            }
            for (key, value) in &expected {
                assert_eq!(client.call(&["GET", key]).text().as_ref(), Some(value), "{key}");
            }
        });
    }
}
