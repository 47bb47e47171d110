//! What each door says while the server loads, when the store is full, and to those who have not said the password.

use std::net::SocketAddr;

use locksley_tests::directory::Directory;
use locksley_tests::http::HttpClient;
use locksley_tests::memcached::{Memcached, MemcachedClient};
use locksley_tests::server::Server;
use locksley_tests::wait::{until, until_some};

use crate::visitor::{Door, Visitor, Wanted};
use crate::{is_redis, keys, launch, visitors};

/// The password of the servers that have one, and the fields that say it: of a bearer, of the user `default`.
const PASSWORD: &str = "secret";
const BEARER: (&str, &str) = ("Authorization", "Bearer secret");
const BASIC: (&str, &str) = ("Authorization", "Basic ZGVmYXVsdDpzZWNyZXQ=");

#[test]
fn each_door_says_that_it_is_loading() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let server = launch(2, Some("no")).directory(directory.path()).start();
    let mut client = server.connect();
    let value = vec![b'v'; 1_500];
    for part in (0..60_000).collect::<Vec<u32>>().chunks(500) {
        let lines = part.iter().map(|number| {
            let key = format!("key:{number}");
            locksley_tests::client::request(&[b"SET", key.as_bytes(), &value])
        });
        client.send_raw(&lines.collect::<Vec<_>>().concat()).expect("the server reads");
        for _ in part {
            assert_eq!(client.read().expect("it answers").to_string(), "+OK");
        }
    }
    server.stop("KILL");
    let server = launch(3, Some("no")).directory(directory.path()).spawn();
    let mut memcached =
        until_some("memcached's port is open", || MemcachedClient::connect(server.memcached_address()).ok());
    let mut http = until_some("HTTP's port is open", || HttpClient::connect(server.http_address()).ok());
    let (mut saw_memcached, mut saw_rest, mut saw_ready) = (false, false, false);
    until("everything is loaded", || {
        // What lives is well, whether or not it is ready.
        assert_eq!(http.get("/healthz").status, 200);
        let ready = http.get("/readyz");
        assert_eq!(http.get("/metrics").status, 200);
        let rest = http.get("/cache/key:1");
        let line = memcached.command("mg key:1 s");
        if line.starts_with("SERVER_ERROR") {
            assert!(line.to_lowercase().contains("loading"), "{line}");
            saw_memcached = true;
        } else {
            assert_eq!(line, "HD s1500");
        }
        if rest.status == 503 {
            assert!(rest.field("retry-after").is_some(), "{rest:?}");
            assert!(rest.text().contains("load"), "{rest:?}");
            saw_rest = true;
        }
        if ready.status == 503 {
            saw_ready = true;
        }
        line.starts_with("HD") && rest.status == 200
    });
    assert!(saw_memcached && saw_rest && saw_ready, "memcached {saw_memcached}, REST {saw_rest}, /readyz {saw_ready}");
    assert_eq!(http.get("/readyz").status, 200);
    assert_eq!(http.get_raw("/cache/key:59999").body, value);
}

#[test]
fn each_door_says_that_the_store_is_full() {
    if is_redis() {
        return;
    }
    for shards in [1, 4] {
        let launch = launch(shards, None).flags(["--maxmemory", "64mb", "--maxmemory-policy", "noeviction"]);
        let mut server = launch.start();
        let mut visitor = Visitor::new(&server);
        visitor.write(Door::Text, "small", Wanted::plain(b"1"));
        let value = vec![b'x'; 500_000];
        // Every shard has a share of the memory: all of them have to be full before each key is refused.
        let mut refused_in_row = 0;
        let mut number = 0;
        while refused_in_row < 200 {
            let reply = visitor.resp.call(&[b"SET", format!("fill:{number}").as_bytes(), &value]).to_string();
            refused_in_row = if reply == "+OK" { 0 } else { refused_in_row + 1 };
            assert!(reply == "+OK" || reply.starts_with("-OOM"), "{reply}");
            number += 1;
            assert!(number < 10_000, "64 MB take {number} values of 500 kB");
        }
        for key in keys(8) {
            let full = "SERVER_ERROR out of memory storing object";
            assert_eq!(visitor.memcached.store(&format!("set {key} 0 0 {}", value.len()), &value), full);
            assert_eq!(visitor.memcached.store(&format!("ms {key} {}", value.len()), &value), full);
            assert_eq!(visitor.memcached.store(&format!("ms {key} {} q", value.len()), &value), full);
            let response = visitor.http.put(&format!("/cache/{key}"), &value);
            assert_eq!(response.status, 503, "{response:?}");
            assert!(response.field("retry-after").is_some(), "{response:?}");
            assert!(response.json()["error"].is_string(), "{response:?}");
        }
        // Reading and deleting go on.
        assert_eq!(visitor.read(Door::Rest, "small").expect("it stays").value, b"1");
        assert_eq!(visitor.read(Door::Meta, "small").expect("it stays").value, b"1");
        assert!(visitor.delete(Door::Rest, "small"));
        assert_eq!(visitor.memcached.command("flush_all"), "OK");
        until("there is room again", || visitor.http.put("/cache/after", &value).status / 100 == 2);
        server.assert_lives();
    }
}

#[test]
fn evicting_policies_refuse_nothing() {
    if is_redis() {
        return;
    }
    let launch = launch(2, None).flags(["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-s3fifo"]);
    let server = launch.start();
    let mut visitor = Visitor::new(&server);
    let value = vec![b'x'; 500_000];
    for number in 0..400 {
        visitor.write(Door::ALL[number % 4], &format!("fill:{number}"), Wanted::plain(&value));
    }
    assert!(visitor.resp.info_number("evicted_keys") > 0);
}

fn start_locked() -> Server {
    launch(2, None).flags(["--requirepass", PASSWORD]).start()
}

/// Asserts that memcached clients at `address` have to say `default secret` first.
fn check_token_authentication(address: SocketAddr) {
    let connect = || MemcachedClient::connect(address).expect("the server takes connections");
    let refusal = "CLIENT_ERROR unauthenticated";
    let mut client = connect();
    for line in ["get key", "mg key", "mn", "version", "delete key", "incr key 1", "flush_all", "stats"] {
        assert_eq!(client.command(line), refusal, "{line}");
    }
    for storage in ["add auth 0 0 14", "ms auth 14", "cas auth 0 0 14 1"] {
        assert_eq!(connect().store(storage, b"default secret"), refusal, "{storage}");
    }
    for wrong in ["default wrong", "wrong", "", "default secretx", "user secre", "secret", "default:secret"] {
        let reply = client.store(&format!("set auth 0 0 {}", wrong.len()), wrong.as_bytes());
        assert!(reply.starts_with("CLIENT_ERROR"), "{wrong:?}: {reply}");
    }
    assert_eq!(client.command("get auth"), refusal, "a wrong password lets nobody in");
    assert_eq!(client.store("set auth 0 0 14", b"default secret"), "STORED");
    assert!(client.retrieve("get auth").is_empty(), "the password is not stored");
    assert_eq!(client.store("set key 0 0 1", b"x"), "STORED");
    assert_eq!(client.retrieve("get key").len(), 1);
    // Each connection says it for itself, and another set is one like any other.
    assert_eq!(connect().command("get key"), refusal);
    assert_eq!(client.store("set auth 0 0 14", b"default secret"), "STORED");
    assert_eq!(client.retrieve("get auth").len(), 1);
}

#[test]
fn memcached_itself_wants_its_password_in_a_set() {
    let directory = Directory::new();
    let file = directory.path().join("passwords");
    std::fs::write(&file, "default:secret\n").expect("the directory can be written");
    let memcached = Memcached::start(&["-Y", file.to_str().expect("a path of ASCII")]);
    check_token_authentication(memcached.address());
}

#[test]
fn memcached_clients_say_the_password_in_a_set() {
    if is_redis() {
        return;
    }
    check_token_authentication(start_locked().memcached_address());
}

#[test]
fn rest_wants_the_password_with_each_request() {
    if is_redis() {
        return;
    }
    let server = start_locked();
    let mut http = server.connect_http();
    let check = |http: &mut HttpClient, fields: &[(&str, &str)], is_right: bool| {
        let with = |content_type| [&[("Content-Type", content_type)], fields].concat();
        let put = http.call("PUT", "/cache/key", &with("application/octet-stream"), b"value");
        let get = http.call("GET", "/cache/key", fields, b"");
        let batch = http.call("POST", "/cache/batch", &with("application/json"), br#"{"get":["key"]}"#);
        let delete = http.call("DELETE", "/cache/key", fields, b"");
        for response in [put, get, batch, delete] {
            if is_right {
                assert_eq!(response.status / 100, 2, "{fields:?}: {response:?}");
            } else {
                assert_eq!(response.status, 401, "{fields:?}: {response:?}");
                assert!(response.field("www-authenticate").is_some(), "{response:?}");
            }
        }
    };
    check(&mut http, &[BEARER], true);
    check(&mut http, &[], false);
    check(&mut http, &[BASIC], true);
    for wrong in [
        "Bearer wrong",
        "Bearer secretx",
        "Bearer",
        "Bearer ",
        "Basic",
        "Basic !!!",
        "Basic ZGVmYXVsdDp3cm9uZw==",
        "Basic YW55Ym9keTpzZWNyZXQ=",
        "Basic c2VjcmV0",
        "Digest secret",
        "secret",
    ] {
        check(&mut http, &[("Authorization", wrong)], false);
    }
    check(&mut http, &[("Authorization", "bearer secret")], true);
    for target in ["/healthz", "/readyz", "/openapi.json"] {
        assert_eq!(http.get(target).status, 200, "{target}");
    }
    // Who has said no password is not waited for with a megabyte.
    let refused = http.put("/cache/key", &vec![b'x'; 500_000]).status;
    assert!([401, 413].contains(&refused), "{refused}");
}

#[test]
fn a_password_set_while_running_holds_for_all_doors() {
    if is_redis() {
        return;
    }
    let server = launch(4, None).start();
    let mut visitor = Visitor::new(&server);
    for door in Door::ALL {
        visitor.write(door, "door:0", Wanted::plain(b"x"));
    }
    assert_eq!(visitor.resp.command("CONFIG SET requirepass secret").to_string(), "+OK");
    for mut visitor in visitors(&server, 6) {
        assert!(visitor.resp.command("GET door:0").to_string().starts_with("-NOAUTH"));
        assert!(visitor.memcached.command("get door:0").starts_with("CLIENT_ERROR"));
        assert_eq!(visitor.http.get("/cache/door:0").status, 401);
        assert_eq!(visitor.memcached.store("set auth 0 0 14", b"default secret"), "STORED");
        assert_eq!(visitor.memcached.retrieve("get door:0").len(), 1);
        assert_eq!(visitor.http.call("GET", "/cache/door:0", &[BEARER], b"").status, 200);
    }
}
