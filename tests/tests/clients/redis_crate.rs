//! The `redis` crate, in both dialects and in its cluster mode.

use std::collections::HashMap;
use std::time::Duration;

use locksley_tests::binary::Kind;
use locksley_tests::server::Server;
use redis::{Commands, Connection, ExistenceCheck, SetExpiry, SetOptions};

use crate::{shard_ports, start, start_cluster};

fn connect(server: &Server, query: &str) -> Connection {
    let url = format!("redis://127.0.0.1:{}/{query}", server.port());
    redis::Client::open(url).expect("a URL").get_connection().expect("the server takes connections")
}

/// The dialects, as the crate's URLs choose them.
const QUERIES: [&str; 2] = ["?protocol=resp2", "?protocol=resp3"];

#[test]
fn strings_and_counters_work() {
    let server = start();
    for query in QUERIES {
        let mut connection = connect(&server, query);
        let () = connection.set("key", b"a\0b\r\n".as_slice()).expect("SET");
        let value: Vec<u8> = connection.get("key").expect("GET");
        assert_eq!(value, b"a\0b\r\n");
        let missing: Option<String> = connection.get("missing").expect("GET");
        assert_eq!(missing, None);
        let count: i64 = connection.incr("counter", 5).expect("INCRBY");
        assert_eq!(count, 5);
        let count: i64 = connection.decr("counter", 2).expect("DECRBY");
        assert_eq!(count, 3);
        let sum: f64 = connection.incr("float", 0.5).expect("INCRBYFLOAT");
        assert!((sum - 0.5).abs() < f64::EPSILON);
        let count: i64 = connection.append("key", "c").expect("APPEND");
        assert_eq!(count, 6);
        let count: i64 = connection.strlen("key").expect("STRLEN");
        assert_eq!(count, 6);
        let () = connection.mset(&[("m1", "1"), ("m2", "2"), ("m3", "3")]).expect("MSET");
        let values: Vec<Option<i64>> = connection.mget(&["m1", "none", "m3"]).expect("MGET");
        assert_eq!(values, [Some(1), None, Some(3)]);
        let is_done: bool = connection.mset_nx(&[("m3", "9"), ("m4", "9")]).expect("MSETNX");
        assert!(!is_done);
        let old: Option<String> = connection.getset("m1", "new").expect("GETSET");
        assert_eq!(old.as_deref(), Some("1"));
        let count: i64 = connection.del(&["m1", "m2", "m4"]).expect("DEL");
        assert_eq!(count, 2);
        redis::cmd("FLUSHALL").exec(&mut connection).expect("FLUSHALL");
    }
}

#[test]
fn expiries_work() {
    let server = start();
    for query in QUERIES {
        let mut connection = connect(&server, query);
        let options = SetOptions::default().conditional_set(ExistenceCheck::NX).with_expiration(SetExpiry::EX(100));
        let first: Option<String> = connection.set_options("key", "one", options.clone()).expect("SET NX EX");
        let second: Option<String> = connection.set_options("key", "two", options).expect("SET NX EX");
        assert_eq!((first.as_deref(), second), (Some("OK"), None));
        let seconds: i64 = connection.ttl("key").expect("TTL");
        assert!((99..=100).contains(&seconds));
        let is_done: bool = connection.expire("key", 1_000).expect("EXPIRE");
        assert!(is_done);
        let is_done: bool = connection.persist("key").expect("PERSIST");
        assert!(is_done);
        let seconds: i64 = connection.ttl("key").expect("TTL");
        assert_eq!(seconds, -1);
        let () = connection.pset_ex("short", "lived", 1).expect("PSETEX");
        locksley_tests::wait::until("the key is gone", || {
            connection.exists("short").is_ok_and(|is_there: bool| !is_there)
        });
        redis::cmd("FLUSHALL").exec(&mut connection).expect("FLUSHALL");
    }
}

#[test]
fn pipelines_and_scans_work() {
    let server = start();
    for query in QUERIES {
        let mut connection = connect(&server, query);
        let mut pipeline = redis::pipe();
        for number in 0..1_000 {
            pipeline.set(format!("key:{number}"), number).ignore();
        }
        pipeline.cmd("DBSIZE");
        let (count,): (i64,) = pipeline.query(&mut connection).expect("a pipeline");
        assert_eq!(count, 1_000);
        let mut keys: Vec<String> =
            connection.scan_match("key:*").expect("SCAN").collect::<Result<_, _>>().expect("every key is a text");
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 1_000);
        redis::cmd("FLUSHALL").exec(&mut connection).expect("FLUSHALL");
    }
}

#[test]
fn maps_and_errors_have_their_shapes() {
    let server = start();
    for query in QUERIES {
        let mut connection = connect(&server, query);
        let settings: HashMap<String, String> =
            redis::cmd("CONFIG").arg("GET").arg("maxmemory*").query(&mut connection).expect("CONFIG GET");
        assert!(settings.contains_key("maxmemory-policy"));
        let info: redis::InfoDict = redis::cmd("INFO").query(&mut connection).expect("INFO");
        assert!(info.get::<String>("redis_version").is_some_and(|version| version.starts_with("7.")));
        let () = connection.set("key", "text").expect("SET");
        let error = connection.incr::<_, _, i64>("key", 1).expect_err("a text is no counter");
        assert!(error.to_string().contains("not an integer"), "{error}");
        let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut connection).expect("CLIENT LIST");
        // CLIENT SETINFO came with Redis 7.2; Debian's server is older.
        assert!(server.kind() == Kind::Redis || list.contains("lib-name=redis-rs"), "{list}");
        redis::cmd("FLUSHALL").exec(&mut connection).expect("FLUSHALL");
    }
}

#[test]
fn a_password_and_a_database_come_from_the_url() {
    let server = locksley_tests::server::Launch::subject().shards(2).flags(["--requirepass", "secret"]).start();
    for protocol in ["resp2", "resp3"] {
        let url = format!("redis://:secret@127.0.0.1:{}/7?protocol={protocol}", server.port());
        let client = redis::Client::open(url).expect("a URL");
        let mut connection =
            client.get_connection_with_timeout(Duration::from_secs(30)).expect("the password is right");
        let () = connection.set("key", "seven").expect("SET");
        let info: String = redis::cmd("INFO").arg("keyspace").query(&mut connection).expect("INFO");
        assert!(info.contains("db7:keys=1"), "{info}");
    }
    let url = format!("redis://:wrong@127.0.0.1:{}/", server.port());
    assert!(redis::Client::open(url).expect("a URL").get_connection().is_err());
}

#[test]
fn its_cluster_client_reaches_every_shard() {
    let Some(server) = start_cluster() else { return };
    let nodes: Vec<String> = shard_ports(&server).iter().map(|port| format!("redis://127.0.0.1:{port}/")).collect();
    assert_eq!(nodes.len(), 2);
    for protocol in [redis::ProtocolVersion::RESP2, redis::ProtocolVersion::RESP3] {
        let client = redis::cluster::ClusterClientBuilder::new([nodes[0].clone()])
            .use_protocol(protocol)
            .build()
            .expect("a cluster client");
        let mut connection = client.get_connection().expect("the cluster answers");
        for number in 0..200 {
            let () = connection.set(format!("key:{number}"), number).expect("SET");
        }
        for number in 0..200 {
            let value: i64 = connection.get(format!("key:{number}")).expect("GET");
            assert_eq!(value, number);
        }
        let mut pipeline = redis::cluster::cluster_pipe();
        for number in 0..200 {
            pipeline.get(format!("key:{number}"));
        }
        let values: Vec<i64> = pipeline.query(&mut connection).expect("a pipeline");
        assert_eq!(values, (0..200).collect::<Vec<_>>());
    }
}
