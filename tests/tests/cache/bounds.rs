//! A full disk, a full memory, very many waiters, and requests that make no sense.

use std::fs;

use locksley_tests::client::{Client, request};
use locksley_tests::health::Health;
use locksley_tests::mount::Mount;
use locksley_tests::process::allow_all_descriptors;
use locksley_tests::reply::Reply;
use locksley_tests::seed::{Random, seed_of_run};
use locksley_tests::server::Launch;
use locksley_tests::wait::until;

use crate::{LONG, is_redis, launch, read, send, token_of, until_waiting, win};

/// What a write is told when the disk is full.
const DISK_FULL: &str = "-MISCONF Errors writing to the AOF file: No space left on device";

/// What a write is told when the memory is full.
const MEMORY_FULL: &str = "-OOM command not allowed when used memory > 'maxmemory'.";

#[test]
fn ten_thousand_waiters_are_served() {
    const WAITERS: usize = 10_000;
    if is_redis() {
        return;
    }
    let allowed = allow_all_descriptors();
    // Those of the server, and as many here.
    assert!(allowed > WAITERS as u64 + 1_000, "the machine allows {allowed} descriptors; raise its hard limit");
    for (shards, policy) in crate::SERVERS {
        let mut server = launch(shards, policy).flags(["--maxclients", "20000"]).start();
        let health = Health::of(&server);
        let mut holder = server.connect();
        let token = win(&mut holder, "key");
        let mut crowd: Vec<Client> = (0..WAITERS).map(|_| server.connect()).collect();
        for client in &mut crowd {
            send(client, &format!("GETL key {LONG} BLOCK {LONG}"));
        }
        until_waiting(&server, WAITERS);
        // Others are served meanwhile.
        assert_eq!(holder.command("SET other value").to_string(), "+OK");
        // A part of them goes away.
        crowd.truncate(WAITERS - 1_000);
        until_waiting(&server, WAITERS - 1_000);
        assert_eq!(holder.command(&format!("SETL key {token} value")).to_string(), "+OK");
        for client in &mut crowd {
            assert_eq!(read(client), "\"value\"");
        }
        until_waiting(&server, 0);
        drop((crowd, holder));
        health.assert_back(&mut server);
    }
}

#[test]
fn a_thousand_clients_hand_a_lock_on() {
    const WAITERS: usize = 1_000;
    if is_redis() {
        return;
    }
    allow_all_descriptors();
    for (shards, policy) in crate::SERVERS {
        let server = launch(shards, policy).start();
        let mut last = server.connect().call(&["LOCK", "name", LONG]).integer();
        let mut crowd: Vec<Client> = (0..WAITERS).map(|_| server.connect()).collect();
        for client in &mut crowd {
            // Each has it for a millisecond.
            client.send(&["LOCK", "name", "1", "WAIT", LONG]).expect("the server reads");
        }
        until_waiting(&server, WAITERS);
        assert_eq!(server.connect().call(&["UNLOCK", "name", &last.to_string()]).integer(), 1);
        let mut tokens: Vec<i64> =
            crowd.iter_mut().map(|client| client.read().expect("its turn comes").integer()).collect();
        tokens.sort_unstable();
        for token in tokens {
            assert!(token > last, "{token} after {last}");
            last = token;
        }
    }
}

#[test]
fn locks_are_not_evicted() {
    const LOCKS: usize = 200;
    if is_redis() {
        return;
    }
    for policy in ["allkeys-lru", "allkeys-s3fifo", "allkeys-random", "volatile-ttl"] {
        let launch = Launch::subject().shards(2).flags(["--maxmemory", "40mb", "--maxmemory-policy", policy]);
        let mut server = launch.start();
        let mut client = server.connect();
        let tokens: Vec<i64> =
            (0..LOCKS).map(|number| client.command(&format!("LOCK lock:{number} {LONG}")).integer()).collect();
        let value = "v".repeat(10_000);
        let mut number = 0;
        while client.info_number("evicted_keys") < 5_000 {
            let bytes: Vec<u8> = (0..100)
                .flat_map(|step| request(&["SET", &format!("key:{}", number + step), &value, "EX", "100000"]))
                .collect();
            client.send_raw(&bytes).expect("the server reads");
            for _ in 0..100 {
                assert_eq!(read(&mut client), "+OK", "{policy}");
            }
            number += 100;
            assert!(number < 100_000, "{policy}: nothing is evicted");
        }
        for (number, token) in tokens.iter().enumerate() {
            let reply = client.command(&format!("UNLOCK lock:{number} {token}"));
            assert_eq!(reply.integer(), 1, "{policy}: lock:{number} was evicted");
        }
        server.assert_serves();
    }
}

#[test]
fn a_full_memory_refuses_what_needs_more() {
    if is_redis() {
        return;
    }
    for shards in [1, 2] {
        let launch = Launch::subject().shards(shards);
        let mut server = launch.flags(["--maxmemory", "30mb", "--maxmemory-policy", "noeviction"]).start();
        let mut client = server.connect();
        let held: Vec<(String, i64)> = (0..20)
            .map(|number| {
                let name = format!("lock:{number}");
                let token = client.call(&["LOCK", &name, LONG]).integer();
                (name, token)
            })
            .collect();
        let leases: Vec<(String, i64)> = (0..20)
            .map(|number| {
                let key = format!("leased:{number}");
                let token = win(&mut client, &key);
                (key, token)
            })
            .collect();
        let value = "v".repeat(100_000);
        let (mut number, mut refused) = (0, 0);
        while refused < 40 {
            let reply = client.call(&["SET", &format!("key:{number}"), &value]).to_string();
            assert!(reply == "+OK" || reply == MEMORY_FULL, "SET answers {reply}");
            refused = if reply == "+OK" { 0 } else { refused + 1 };
            number += 1;
        }
        for (key, token) in &leases {
            let reply = client.call(&["SETL", key, &token.to_string(), &value]).to_string();
            assert_eq!(reply, MEMORY_FULL, "{key}");
            // It may try again, or give up; nobody else was let in.
            assert_eq!(server.connect().call(&["GETL", key, LONG]).to_string(), "[\"wait\", nil, nil]");
            assert_eq!(client.call(&["DELL", key, &token.to_string()]).integer(), 1);
        }
        token_of(&client.call(&["GETL", "another", LONG]));
        for (name, token) in &held {
            assert_eq!(client.call(&["UNLOCK", name, &token.to_string()]).integer(), 1, "{name}");
        }
        // A deletion needs no memory, and gives some back.
        assert_eq!(client.command("DELPREFIX key:").to_string(), "+OK");
        until("there is room again", || client.call(&["SET", "key:0", &value]).to_string() == "+OK");
        client.command(&format!("LOCK again {LONG}")).integer();
        server.assert_serves();
    }
}

#[test]
fn a_full_disk_refuses_until_there_is_room() {
    const DISK_BYTES: u64 = 32 << 20;
    if is_redis() {
        return;
    }
    for (policy, shards) in [("always", 1), ("everysec", 2)] {
        let mount = match Mount::memory(DISK_BYTES) {
            Ok(mount) => mount,
            Err(why) => {
                println!("skipped: no file system can be mounted here: {why}");
                return;
            }
        };
        let (ballast, data) = (mount.path().join("ballast"), mount.path().join("data"));
        fs::write(&ballast, vec![0; 10 << 20]).expect("there is room for it");
        fs::create_dir(&data).expect("there is room for it");
        let start = |shards| {
            let launch = Launch::subject().directory(&data).durable(policy).shards(shards);
            launch.flags(["--wal-segment-size", "1mb", "--auto-aof-rewrite-percentage", "0"]).start()
        };
        let server = start(shards);
        let mut client = server.connect();
        let held = client.call(&["LOCK", "held", LONG]).integer();
        let token = win(&mut client, "leased");
        let mut waiter = server.connect();
        send(&mut waiter, &format!("GETL leased {LONG} BLOCK {LONG}"));
        let mut queued = server.connect();
        send(&mut queued, &format!("LOCK held {LONG} WAIT {LONG}"));
        until_waiting(&server, 2);
        let value = "v".repeat(50_000);
        let (mut number, mut refused) = (0, 0);
        while refused < 40 {
            // The last room is for small values; each shard has its own.
            let value = if refused == 0 && number < 1_000 { value.as_str() } else { "v" };
            let reply = client.call(&["SET", &format!("key:{number}"), value]).to_string();
            assert!(reply == "+OK" || reply == DISK_FULL, "SET answers {reply}");
            refused = if reply == "+OK" { 0 } else { refused + 1 };
            number += 1;
        }
        let late = client.call(&["SETL", "leased", &token.to_string(), &value]);
        assert_eq!(late.to_string(), DISK_FULL, "{policy}");
        // The last room takes some small changes yet.
        for line in [
            "SETABSENT absent:{}",
            "DELPREFIX none:{}",
            &format!("LOCK name:{{}} {LONG}"),
            &format!("RELOCK held {held} {LONG}"),
            "THROTTLE limit:{} 1 1 1",
        ] {
            let refused = (0..100_000)
                .map(|number: u32| client.command(&line.replace("{}", &number.to_string())).to_string())
                .find(|reply| reply.starts_with('-') && !reply.contains("prefixes are still being deleted"));
            assert_eq!(refused.as_deref(), Some(DISK_FULL), "{policy}: {line}");
        }
        // What changes no entry goes on.
        assert_eq!(client.command("GET key:0").text().as_deref(), Some(value.as_str()));
        assert_eq!(client.command(&format!("GETL key:0 {LONG}")).text().as_deref(), Some(value.as_str()));
        let other = win(&mut client, "other");
        assert_eq!(client.command(&format!("DELL other {other}")).integer(), 1);
        assert_eq!(client.command("LOCKINFO held").elements()[1].integer(), held);
        until_waiting(&server, 2);
        fs::remove_file(&ballast).expect("it is there");
        until("writes go on by themselves", || {
            let reply = client.command(&format!("SETL leased {token} value")).to_string();
            assert!(reply == "+OK" || reply == DISK_FULL, "{policy}: SETL answers {reply}");
            reply == "+OK"
        });
        assert_eq!(read(&mut waiter), "\"value\"", "{policy}");
        until("the lock can be given back", || client.command(&format!("UNLOCK held {held}")) == Reply::Integer(1));
        let next = queued.read().expect("its turn has come").integer();
        assert!(next > held, "{policy}");
        until("a prefix can be deleted", || client.command("DELPREFIX key:").to_string() == "+OK");
        server.stop("KILL");
        let server = start(3 - shards);
        let mut client = server.connect();
        until("everything is loaded", || !client.command("GET leased").to_string().starts_with('-'));
        assert_eq!(client.command("GET leased").to_string(), "\"value\"");
        assert_eq!(client.command("LOCKINFO held").elements()[1].integer(), next);
        assert_eq!(client.command("KEYS key:*").elements().len(), 0);
    }
}

#[test]
fn spoiled_requests_hurt_nobody() {
    const ROUNDS: u64 = 400;
    if is_redis() {
        return;
    }
    let lines = [
        "GETL key 50 STALE 1000 BLOCK 20",
        "GETL key 1000",
        "SETL key 1234567890123 value PX 1000 STALE 1000",
        "DELL key 1234567890123",
        "SETABSENT key EX 10 TOKEN 1234567890123",
        "DELPREFIX ke",
        "LOCK name 50 WAIT 20",
        "UNLOCK name 1234567890123",
        "RELOCK name 1234567890123 50",
        "LOCKINFO name",
        "THROTTLE limit 10 5 60",
    ];
    let good: Vec<u8> = lines.iter().flat_map(|line| request(&line.split(' ').collect::<Vec<_>>())).collect();
    let seed = seed_of_run("spoiled_requests_hurt_nobody");
    let mut random = Random::new(seed);
    for (shards, policy) in crate::SERVERS {
        let mut server = launch(shards, policy).start();
        let health = Health::of(&server);
        for _ in 0..ROUNDS {
            let mut client = server.connect();
            let cut = 1 + random.below(good.len() as u64) as usize;
            let bytes = random.spoiled(&good[..cut]);
            // A server that closes early may refuse the bytes; some clients go without reading anything.
            let _ = client.send_raw(&bytes);
            if random.below(2) == 0 {
                let _ = client.finish_sending();
                client.read_to_close();
            }
        }
        server.assert_serves();
        until_waiting(&server, 0);
        health.assert_back(&mut server);
    }
}

#[test]
fn words_in_place_of_numbers_are_refused_in_words() {
    if is_redis() {
        return;
    }
    let words: Vec<Vec<u8>> = [
        &b""[..],
        b"0",
        b"-1",
        b"+1",
        b"01",
        b" 1",
        b"1 ",
        b"1.0",
        b"1e3",
        b"0x10",
        b"NaN",
        b"inf",
        b"-0",
        b"9223372036854775807",
        b"9223372036854775808",
        b"-9223372036854775808",
        b"18446744073709551616",
        b"\0",
        b"\xff\xfe",
        b"STALE",
        b"\r\n",
        b"\xd9\xa1",
    ]
    .iter()
    .map(|word| word.to_vec())
    .chain([b"9".repeat(5_000), b"x".repeat(100_000)])
    .collect();
    let templates: [&[&str]; 16] = [
        &["GETL", "key", "*"],
        &["GETL", "key", "1000", "STALE", "*"],
        &["GETL", "key", "1000", "BLOCK", "*"],
        &["GETL", "key", "1000", "*"],
        &["SETL", "key", "*", "value"],
        &["SETL", "key", "1", "value", "EX", "*"],
        &["SETL", "key", "1", "value", "EX", "5", "STALE", "*"],
        &["DELL", "key", "*"],
        &["SETABSENT", "none", "TOKEN", "*"],
        &["LOCK", "name", "*"],
        &["LOCK", "name", "1000", "WAIT", "*"],
        &["UNLOCK", "none", "*"],
        &["RELOCK", "none", "*", "1000"],
        &["RELOCK", "none", "1", "*"],
        &["THROTTLE", "limit", "*", "1", "1"],
        &["THROTTLE", "limit", "1", "1", "*"],
    ];
    for shards in [1, 2] {
        let mut server = launch(shards, None).start();
        let mut client = server.connect();
        assert_eq!(client.command("SET key value").to_string(), "+OK");
        client.command(&format!("LOCK name {LONG}")).integer();
        for template in templates {
            for word in &words {
                let request: Vec<&[u8]> =
                    template.iter().map(|part| if *part == "*" { word.as_slice() } else { part.as_bytes() }).collect();
                if let Reply::Error(text) = client.call(&request) {
                    let text = String::from_utf8_lossy(&text);
                    assert!(text.starts_with("ERR "), "{template:?}: {text}");
                    assert!(text.len() < 400 && !text.contains(['\r', '\n']), "{template:?}: {text:.400}");
                }
            }
        }
        assert_eq!(client.command("GET key").to_string(), "\"value\"");
        server.assert_serves();
    }
}

#[test]
fn a_rate_limit_never_runs_out_of_numbers() {
    if is_redis() {
        return;
    }
    let server = launch(1, None).start();
    let mut client = server.connect();
    // Each request is worth a year; more of them than a hundred years have, a burst cannot be.
    for left in (0..100).rev() {
        assert_eq!(client.command("THROTTLE limit 100 1 31536000").to_string(), format!("[:1, :{left}, :0]"));
    }
    let reply = client.command("THROTTLE limit 100 1 31536000");
    assert_eq!(reply.elements()[0].integer(), 0, "{reply}");
    assert!((31_000_000_000..=31_536_000_000).contains(&reply.elements()[2].integer()), "{reply}");
}
