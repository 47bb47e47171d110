//! Deletion by prefix: from its reply on nobody reads what was written before.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use locksley_tests::client::{Client, request};
use locksley_tests::http::HttpClient;
use locksley_tests::memcached::MemcachedClient;
use locksley_tests::reply::Reply;
use locksley_tests::seed::{Random, seed_of_run};
use locksley_tests::server::Server;
use locksley_tests::wait::until;

use crate::{LONG, connect_to, read, shard_port_of, token_of, ways_to, win, with_servers};

/// Keys that begin with `prefix` are set to `value` in this database, many at once.
pub(crate) fn fill(client: &mut Client, prefix: &str, count: usize, value: &str) {
    for part in (0..count).collect::<Vec<_>>().chunks(500) {
        let bytes: Vec<u8> =
            part.iter().flat_map(|number| request(&["SET", &format!("{prefix}{number}"), value])).collect();
        client.send_raw(&bytes).expect("the server reads");
        for _ in part {
            assert_eq!(read(client), "+OK");
        }
    }
}

#[test]
fn nobody_reads_what_a_prefix_has_deleted() {
    const KEYS: usize = 300;
    with_servers(|server| {
        let mut client = server.connect();
        fill(&mut client, "page:", KEYS, "old");
        fill(&mut client, "other:", KEYS, "kept");
        assert_eq!(client.command("DELPREFIX page:").to_string(), "+OK");
        let mut memcached = server.connect_memcached();
        let mut http = server.connect_http();
        for number in 0..KEYS {
            let key = format!("page:{number}");
            let mut owner = connect_to(shard_port_of(server, &key));
            for way in [&mut client, &mut owner] {
                assert_eq!(way.call(&["GET", &key]), Reply::Nil, "{key}");
                assert_eq!(way.call(&["EXISTS", &key]).integer(), 0, "{key}");
            }
            assert!(memcached.retrieve(&format!("get {key}")).is_empty(), "{key}");
            assert_eq!(memcached.command(&format!("mg {key} v")), "EN", "{key}");
            assert_eq!(http.get(&format!("/cache/{key}")).json()["hit"], false, "{key}");
            assert_eq!(client.call(&["GET", &format!("other:{number}")]).to_string(), "\"kept\"");
        }
        until("the memory is back", || client.command("DBSIZE").integer() == KEYS as i64);
    });
}

#[test]
fn scans_do_not_show_what_a_prefix_has_deleted() {
    const KEYS: usize = 20_000;
    with_servers(|server| {
        let mut client = server.connect();
        fill(&mut client, "page:", KEYS, "old");
        fill(&mut client, "other:", 10, "kept");
        assert_eq!(client.command("DELPREFIX page:").to_string(), "+OK");
        let mut cursor = "0".to_owned();
        let mut found = 0;
        loop {
            let reply = client.command(&format!("SCAN {cursor} COUNT 100"));
            for key in reply.elements()[1].elements() {
                let key = key.text().expect("a key");
                assert!(key.starts_with("other:"), "{key} is shown");
                found += 1;
            }
            cursor = reply.elements()[0].text().expect("a cursor");
            if cursor == "0" {
                break;
            }
        }
        assert!(found >= 10, "{found} of 10 keys are shown");
        for _ in 0..100 {
            let key = client.command("RANDOMKEY").text().expect("there are keys");
            assert!(key.starts_with("other:"), "{key} is drawn");
        }
        assert_eq!(client.command("KEYS page:*").elements().len(), 0);
    });
}

#[test]
fn a_deletion_ends_the_leases_under_its_prefix() {
    with_servers(|server| {
        for (number, mut holder) in ways_to(server, "page:1").into_iter().enumerate() {
            let under = win(&mut holder, "page:1");
            let mut other = server.connect();
            let beside = win(&mut other, "pages");
            assert_eq!(server.connect().command("DELPREFIX page:").to_string(), "+OK");
            assert_eq!(holder.command(&format!("SETL page:1 {under} late")).to_string(), "nil", "{number}");
            assert_eq!(other.command(&format!("SETL pages {beside} value")).to_string(), "+OK");
            assert_eq!(other.command("DEL pages").integer(), 1);
            let anew = token_of(&holder.call(&["GETL", "page:1", LONG]));
            assert_eq!(holder.command(&format!("DELL page:1 {anew}")).integer(), 1);
        }
    });
}

#[test]
fn deletions_by_every_door_are_the_same() {
    with_servers(|server| {
        let mut client = server.connect();
        let mut http = server.connect_http();
        fill(&mut client, "page:", 100, "old");
        fill(&mut client, "other:", 100, "kept");
        let response = http.delete("/cache?prefix=page:");
        assert!((200..300).contains(&response.status), "{response:?}");
        assert_eq!(client.command("KEYS page:*").elements().len(), 0);
        assert_eq!(client.command("KEYS other:*").elements().len(), 100);
        for target in ["/cache", "/cache?prefix=", &format!("/cache?prefix={}", "p".repeat(1_025))] {
            let response = http.delete(target);
            assert_eq!(response.status, 400, "{target:.40}: {response:?}");
        }
        assert_eq!(client.command("KEYS other:*").elements().len(), 100);
    });
}

/// How a reader looks at a key.
enum Look {
    Resp(Client),
    Leases(Client),
    Memcached(MemcachedClient),
    Http(HttpClient),
}

impl Look {
    /// A reader of each kind.
    fn all(server: &Server, key: &str) -> Vec<Self> {
        let owner = connect_to(shard_port_of(server, key));
        vec![
            Self::Resp(server.connect()),
            Self::Resp(owner),
            Self::Leases(server.connect()),
            Self::Memcached(server.connect_memcached()),
            Self::Http(server.connect_http()),
        ]
    }

    /// The generation that the value of a key names, if there is one.
    fn generation(&mut self, key: &str) -> Option<u64> {
        let text = match self {
            Self::Resp(client) => client.call(&["GET", key]).text(),
            Self::Leases(client) => match client.call(&["GETL", key, "1"]) {
                Reply::Bulk(value) => Some(String::from_utf8(value).expect("digits were written")),
                _ => None,
            },
            Self::Memcached(client) => {
                let items = client.retrieve(&format!("get {key}"));
                items.into_iter().next().map(|item| String::from_utf8(item.value).expect("digits were written"))
            }
            Self::Http(client) => client.get(&format!("/cache/{key}")).json()["value"].as_str().map(str::to_owned),
        };
        text.map(|text| text.parse().expect("a generation was written"))
    }
}

#[test]
fn no_reader_at_any_door_sees_a_deleted_generation() {
    const GENERATIONS: u64 = 60;
    const KEYS: u64 = 8;
    let seed = seed_of_run("no_reader_at_any_door_sees_a_deleted_generation");
    with_servers(|server| {
        // The newest generation that was deleted before now.
        let deleted = AtomicU64::new(0);
        let is_over = AtomicBool::new(false);
        let reads = AtomicU64::new(0);
        let key = |number| format!("page:{number}");
        thread::scope(|scope| {
            for number in 0..KEYS {
                for mut look in Look::all(server, &key(number)) {
                    let (deleted, is_over, reads) = (&deleted, &is_over, &reads);
                    scope.spawn(move || {
                        while !is_over.load(Ordering::SeqCst) {
                            let floor = deleted.load(Ordering::SeqCst);
                            if let Some(generation) = look.generation(&key(number)) {
                                assert!(generation > floor, "{generation} is read after {floor} was deleted");
                                reads.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    });
                }
            }
            let mut random = Random::new(seed);
            let mut writers = ways_to(server, &key(0));
            writers.truncate(4);
            let mut count = 1;
            for generation in 1..=GENERATIONS {
                for number in 0..KEYS {
                    let writer = random.below(count) as usize;
                    let reply = writers[writer].call(&["SET", &key(number), &generation.to_string()]);
                    assert_eq!(reply.to_string(), "+OK");
                }
                count = writers.len() as u64;
                let prefix = if random.below(2) == 0 { "page:" } else { "pa" };
                let other = random.below(count) as usize;
                assert_eq!(writers[other].call(&["DELPREFIX", prefix]).to_string(), "+OK");
                deleted.store(generation, Ordering::SeqCst);
                let before = reads.load(Ordering::Relaxed);
                if generation % 8 == 0 {
                    // Some generation has to be read, or nothing is shown.
                    let reply = writers[0].call(&["SET", &key(0), &(generation + 1).to_string()]);
                    assert_eq!(reply.to_string(), "+OK");
                    until("it is read", || reads.load(Ordering::Relaxed) > before);
                }
            }
            is_over.store(true, Ordering::SeqCst);
        });
        println!("{reads:?} reads of values");
    });
}

#[test]
fn many_prefixes_at_once_are_deleted_or_refused() {
    const KEYS: usize = 60_000;
    with_servers(|server| {
        let mut client = server.connect();
        for prefix in 0..12 {
            fill(&mut client, &format!("p{prefix}:"), KEYS / 12, "value");
        }
        // In one pipeline, so that the turns between them are few. How many are still pending is the server's affair.
        let bytes: Vec<u8> = (0..12).flat_map(|prefix| request(&["DELPREFIX", &format!("p{prefix}:")])).collect();
        client.send_raw(&bytes).expect("the server reads");
        let mut refused = Vec::new();
        for prefix in 0..12 {
            match read(&mut client).as_str() {
                "+OK" => {}
                "-ERR 8 prefixes are still being deleted; try again" => refused.push(prefix),
                other => panic!("DELPREFIX answers {other}"),
            }
        }
        println!("{} of 12 were refused", refused.len());
        for prefix in 0..12 {
            if !refused.contains(&prefix) {
                assert_eq!(
                    client.command(&format!("MGET p{prefix}:0 p{prefix}:1 p{prefix}:2")).to_string(),
                    "[nil, nil, nil]"
                );
            }
        }
        for prefix in refused {
            until("there is room again", || client.command(&format!("DELPREFIX p{prefix}:")).to_string() == "+OK");
        }
        assert_eq!(client.command("KEYS *").elements().len(), 0);
        until("the memory is back", || client.command("DBSIZE").integer() == 0);
    });
}
