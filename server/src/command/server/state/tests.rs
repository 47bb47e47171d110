//! A state is read as a page reads it: as JSON.

use serde_json::Value;

use crate::command::rest::testing::Rig;
use crate::limits::{CONSOLE_CLIENT_COUNT_MAX, CONSOLE_SLOW_BYTES_MAX, CONSOLE_SLOW_COUNT_MAX};

fn state(rig: &mut Rig) -> Value {
    let response = rig.response("GET /console/state");
    let (head, body) = response.split_once("\r\n\r\n").expect("a response has a head");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    serde_json::from_str(body).expect("a state is JSON")
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is a number"))
}

#[test]
fn a_state_says_what_the_shards_count() {
    for shard_count in [1, 3] {
        let mut rig = Rig::new(shard_count);
        for line in ["RESP MSET a 1 b 2 c 3", "RESP GET a", "RESP GET none", "RESP SET d 4 EX 60", "RESP INCRBY a x"] {
            rig.reply(line);
        }
        let state = state(&mut rig);
        assert_eq!(state["server"]["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(state["server"]["shard_count"], shard_count);
        let total = &state["total"];
        assert_eq!((number(&total["keys"]), number(&total["hits"]), number(&total["misses"])), (4, 1, 1));
        assert_eq!(number(&total["errors"]), 1);
        let shards = state["shards"].as_array().expect("shards are listed");
        assert_eq!(shards.len(), usize::from(shard_count));
        for (id, shard) in shards.iter().enumerate() {
            assert_eq!(shard["id"], id);
            let counted: u64 = shard["histogram"].as_array().expect("a list").iter().map(number).sum();
            assert_eq!(counted, number(&shard["calls"]));
        }
        let sum = |name: &str| shards.iter().map(|shard| number(&shard[name])).sum::<u64>();
        for name in ["keys", "calls", "hits", "memory_used", "memory_slab"] {
            assert_eq!(sum(name), number(&total[name]), "{name}");
        }
        assert_eq!(state["databases"][0]["keys"], 4);
        assert_eq!(state["databases"][0]["expiring"], 1);
        let commands = state["commands"].as_array().expect("commands are listed");
        let named = |name: &str| commands.iter().find(|command| command["name"] == name).expect("it was called");
        assert_eq!((number(&named("get")["calls"]), number(&named("incrby")["failed"])), (2, 1));
        assert_eq!(state["errors"][0]["code"], "ERR");
        assert_eq!(state["durability"]["is_loading"], false);
        assert_eq!(state["durability"]["logs"].as_array().map(Vec::len), Some(usize::from(shard_count)));
        assert_eq!(state["clients"][0]["address"], "127.0.0.1:50000");
    }
}

#[test]
fn what_clients_chose_is_text() {
    let mut rig = Rig::new(3);
    rig.inner.configure(|config| (config.slowlog_log_slower_than, config.slowlog_max_len) = (0, 128));
    rig.reply(r#"RESP SET "<script>\"\n\xff" """#);
    rig.reply("RESP CLIENT SETNAME <img>");
    rig.inner.client().library_name = b"\xff\n".to_vec();
    let state = state(&mut rig);
    let slow = state["slow_log"].as_array().expect("a list");
    assert!(slow.iter().any(|entry| entry["command"] == r#"SET "<script>\"\n\xff" """#), "{slow:?}");
    assert_eq!(state["clients"][0]["name"], "<img>");
    assert_eq!(state["clients"][0]["library"], "\u{fffd}");
    let response = rig.response("GET /console/state");
    let (head, body) = response.split_once("\r\n\r\n").expect("a response has a head");
    assert!(head.contains("\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"), "{head}");
    assert_eq!(body.lines().count(), 1, "it can be the data of an event");
}

#[test]
fn lists_are_bounded() {
    let mut rig = Rig::new(1);
    rig.inner.configure(|config| (config.slowlog_log_slower_than, config.slowlog_max_len) = (0, 1_000));
    for number in 0..2 * CONSOLE_SLOW_COUNT_MAX {
        rig.reply(&format!("RESP SET key:{number} {}", "v".repeat(100)));
    }
    let state = state(&mut rig);
    let slow = state["slow_log"].as_array().expect("a list");
    assert_eq!(slow.len(), CONSOLE_SLOW_COUNT_MAX);
    assert!(
        slow.iter().all(|entry| entry["command"].as_str().expect("text").chars().count() <= CONSOLE_SLOW_BYTES_MAX + 1)
    );
    assert!(slow.is_sorted_by_key(|entry| std::cmp::Reverse(number(&entry["id"]))));
    assert!(state["clients"].as_array().expect("a list").len() <= CONSOLE_CLIENT_COUNT_MAX);
}

#[test]
fn a_state_is_told_while_loading() {
    let mut rig = Rig::new(1);
    rig.inner.threads[0].is_loading = true;
    assert!(rig.reply("GET /console/state").starts_with("200 {"));
    assert!(rig.response("HEAD /console/state").starts_with("HTTP/1.1 200 "));
}
