//! What the policy of times to live means for commands: the engine carries it out, and nothing of it is in the commands but
//! the refusal of an atomic one before any shard has made its part.

use std::borrow::Cow;

use locksley_engine::{Db, Encoding};

use crate::command::effect::Effect;
use crate::command::testing::Rig;
use crate::config::Config;

/// Lines and replies at a server with the settings `config`, of one shard and of three.
fn check(config: &Config, table: &[(&str, &str)]) {
    for shard_count in [1, 3] {
        let mut rig = Rig::with_config(shard_count, config.clone());
        for (index, (line, expected)) in table.iter().enumerate() {
            let reply = rig.reply(line);
            assert_eq!(&reply, expected, "reply to line {index} `{line}` on {shard_count} shards");
        }
    }
}

#[test]
fn what_is_written_without_a_time_gets_the_default() {
    check(
        &Config { default_ttl: 60, ..Config::default() },
        &[
            ("SET a 1", "+OK"),
            ("PTTL a", ":60000"),
            ("MSET b 1 c 2", "+OK"),
            ("PTTL c", ":60000"),
            ("INCR n", ":1"),
            ("PTTL n", ":60000"),
            ("APPEND s text", ":4"),
            ("PTTL s", ":60000"),
            ("SETRANGE r 2 x", ":3"),
            ("PTTL r", ":60000"),
            ("SETBIT bits 7 1", ":0"),
            ("PTTL bits", ":60000"),
            ("BITOP NOT d a", ":1"),
            ("PTTL d", ":60000"),
            ("SET e 1 PX 5", "+OK"),
            ("PTTL e", ":5"),
            ("PERSIST e", ":1"),
            ("PTTL e", ":60000"),
            ("SET e 2 PX 7", "+OK"),
            ("INCR e", ":3"),
            ("SET e 4 KEEPTTL", "+OK"),
            ("RENAME e f", "+OK"),
            ("COPY f g", ":1"),
            ("PTTL g", ":7"),
            ("EXPIRE g 100", ":1"),
            ("PTTL g", ":100000"),
        ],
    );
}

#[test]
fn a_value_without_a_time_is_refused_where_one_is_required() {
    const REFUSED: &str = "-ERR a value needs a time to live (require-ttl is on)";
    check(
        &Config { require_ttl: true, ..Config::default() },
        &[
            ("SET a 1", REFUSED),
            ("SET a 1 KEEPTTL", REFUSED),
            ("MSET b 1 c 2", REFUSED),
            ("MSETNX b 1 c 2", REFUSED),
            ("INCR n", REFUSED),
            ("APPEND s text", REFUSED),
            ("BITFIELD x SET u8 0 1", REFUSED),
            ("DBSIZE", ":0"),
            ("SET a 1 EX 5", "+OK"),
            ("SET a 2 KEEPTTL", "+OK"),
            ("APPEND a 3", ":2"),
            ("BITOP NOT d a", REFUSED),
            ("PERSIST a", REFUSED),
            ("GETEX a PERSIST", REFUSED),
            ("PTTL a", ":5000"),
            ("RENAME a b", "+OK"),
            ("COPY b c", ":1"),
            ("MOVE c 1", ":1"),
            ("PTTL b", ":5000"),
            ("LOCK l 1000", ":1700000000000000"),
            ("THROTTLE t 1 1 1", "*3 :1 :0 :0"),
        ],
    );
}

#[test]
fn a_time_is_bounded_and_a_bound_is_enough_of_a_time() {
    check(
        &Config { max_ttl: 10, ..Config::default() },
        &[
            ("SET a 1", "+OK"),
            ("PTTL a", ":10000"),
            ("MSET a 1 b 2", "+OK"),
            ("PTTL b", ":10000"),
            ("SET a 1 EX 11", "+OK"),
            ("PTTL a", ":10000"),
            ("SET a 1 EX 9", "+OK"),
            ("PTTL a", ":9000"),
            ("EXPIRE a 1000", ":1"),
            ("PTTL a", ":10000"),
            ("GETEX a EX 1000", "$1 1"),
            ("PTTL a", ":10000"),
            ("PERSIST a", ":1"),
            ("PTTL a", ":10000"),
        ],
    );
}

#[test]
fn a_spread_is_the_same_on_every_shard_and_for_every_write() {
    let config = Config { ttl_jitter: 50, default_ttl: 1_000, ..Config::default() };
    let mut replies = Vec::new();
    for shard_count in [1, 3] {
        let mut rig = Rig::with_config(shard_count, config.clone());
        for key in ["a", "b", "c"] {
            for line in [format!("SET {key} 1 PX 1000000"), format!("MSET {key} 1"), format!("SETEX {key} 1000 1")] {
                rig.reply(&line);
                replies.push((key, rig.reply(&format!("PTTL {key}"))));
            }
        }
    }
    replies.sort_unstable();
    replies.dedup();
    assert_eq!(replies.len(), 3, "{replies:?}");
    for (_, reply) in &replies {
        let left: u64 = reply[1..].parse().expect("a number");
        assert!((1_000_000..1_500_000).contains(&left), "{reply}");
    }
}

#[test]
fn what_was_decided_before_the_policy_changed_is_not_refused() {
    let mut rig = Rig::with_config(1, Config { require_ttl: true, ..Config::default() });
    let (db, key, value) = (Db(0), Cow::Borrowed(&b"a"[..]), Cow::Borrowed(&b"1"[..]));
    let encoding = Encoding::Integer;
    let put = Effect::Put { db, key, value, encoding, expiry: None, client_flags: 0, is_stale: false };
    rig.threads[0].apply_decided(&[put]).expect("it was decided");
    assert_eq!(rig.reply("PTTL a"), ":-1");
    assert!(rig.reply("SET a 1").starts_with("-ERR"), "the policy is in force again");
}
