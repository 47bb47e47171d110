//! The memcached cases against Debian's `memcached`, and against Locksley with one shard and with four.
//!
//! A line that only one of the two servers answers fails here, unless the case says why they differ.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use locksley_tests::binary::Kind;
use locksley_tests::limits::FAILURES_SHOWN;
use locksley_tests::memcached::cases::{CaseFile, all_files};
use locksley_tests::memcached::player::{Failure, Stage, play_file};
use locksley_tests::memcached::{Memcached, MemcachedClient};
use locksley_tests::server::Launch;

/// Plays every file, each against a server of its own.
fn play_all(start: impl Fn(&CaseFile) -> Stage) {
    let failures: Vec<Failure> = all_files().iter().flat_map(|file| play_file(file, &start(file))).collect();
    if !failures.is_empty() {
        let mut text = format!("{} cases fail\n", failures.len());
        for failure in failures.iter().take(FAILURES_SHOWN) {
            write!(text, "\n{failure}\n").expect("a string takes any text");
        }
        panic!("{text}");
    }
}

#[test]
fn memcached_answers_as_the_cases_say() {
    play_all(Stage::memcached);
}

/// Plays every file against Locksley.
fn play_all_on_subject(shards: u32) {
    let launch = Launch::subject().shards(shards);
    if launch.kind() == Kind::Redis {
        println!("skipped: redis-server does not speak with memcached's clients");
        return;
    }
    play_all(|file| Stage::locksley(file, &launch));
}

#[test]
fn one_shard_answers_as_the_cases_say() {
    play_all_on_subject(1);
}

#[test]
fn four_shards_answer_as_the_cases_say() {
    play_all_on_subject(4);
}

/// Statistics that monitors and clients read, of which memcached and Locksley both have each.
const GENERAL: [&str; 33] = [
    "pid",
    "uptime",
    "time",
    "version",
    "pointer_size",
    "rusage_user",
    "rusage_system",
    "max_connections",
    "curr_connections",
    "total_connections",
    "rejected_connections",
    "cmd_get",
    "cmd_set",
    "cmd_flush",
    "cmd_touch",
    "cmd_meta",
    "get_hits",
    "get_misses",
    "delete_misses",
    "delete_hits",
    "incr_misses",
    "incr_hits",
    "decr_misses",
    "decr_hits",
    "cas_misses",
    "cas_hits",
    "cas_badval",
    "touch_hits",
    "touch_misses",
    "bytes_read",
    "bytes_written",
    "curr_items",
    "evictions",
];

/// Asserts that statistics are there, and count what was done.
fn check_stats(mut client: MemcachedClient) {
    client.store("set key 0 0 1", b"1");
    client.retrieve("get key missing");
    for line in ["incr key 1", "incr missing 1", "decr key 1", "touch key 9", "touch missing 9", "delete missing"] {
        client.command(line);
    }
    client.store("cas key 0 0 1 99999999", b"1");
    client.store("cas missing 0 0 1 1", b"1");
    let stats: BTreeMap<String, String> = client.stats("").into_iter().collect();
    let missing: Vec<_> = GENERAL.iter().filter(|name| !stats.contains_key(**name)).collect();
    assert!(missing.is_empty(), "stats lacks {missing:?}");
    let number = |name: &str| stats[name].parse::<u64>().unwrap_or_else(|_| panic!("{name}: {}", stats[name]));
    let counted = [
        ("get_hits", 1),
        ("get_misses", 1),
        ("cmd_get", 2),
        ("incr_hits", 1),
        ("incr_misses", 1),
        ("decr_hits", 1),
        ("touch_hits", 1),
        ("touch_misses", 1),
        ("delete_misses", 1),
        ("cas_badval", 1),
        ("cas_misses", 1),
        ("curr_items", 1),
        ("curr_connections", 1),
    ];
    for (name, least) in counted {
        assert!(number(name) >= least, "{name} is {}", stats[name]);
    }
    for words in ["items", "slabs", "settings", "conns", "sizes"] {
        assert!(client.stats(words).len() < 10_000, "{words}");
    }
    let items = client.stats("items");
    assert!(items.iter().all(|(name, _)| name.starts_with("items:")), "{items:?}");
    let settings: BTreeMap<String, String> = client.stats("settings").into_iter().collect();
    for name in ["maxbytes", "maxconns", "tcpport", "item_size_max", "evictions", "num_threads"] {
        assert!(settings.contains_key(name), "stats settings lacks {name}: {settings:?}");
    }
    assert_eq!(client.command("stats reset"), "RESET");
    let stats: BTreeMap<String, String> = client.stats("").into_iter().collect();
    assert_eq!((stats["get_hits"].as_str(), stats["curr_items"].as_str()), ("0", "1"));
}

#[test]
fn memcached_has_the_statistics_that_are_asked_for() {
    let memcached = Memcached::start::<&str>(&[]);
    check_stats(MemcachedClient::connect(memcached.address()).expect("the server takes connections"));
}

#[test]
fn locksley_has_the_statistics_that_are_asked_for() {
    let launch = Launch::subject().memcached().shards(2);
    if launch.kind() == Kind::Locksley {
        check_stats(launch.start().connect_memcached());
    }
}
