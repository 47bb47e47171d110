//! The REST door by its rules: what each request answers, field by field. What it shares with other doors is in `doors`,
//! what people type in `clients`, ill-treatment in `abuse`.

use std::collections::BTreeSet;

use locksley_tests::binary::{Kind, subject};
use locksley_tests::http::{HttpClient, chunked, request};
use locksley_tests::server::{Launch, Server};
use serde_json::{Value, json};

/// Numbers of shards that every test runs with.
const SHARD_COUNTS: [u32; 2] = [1, 4];

const OCTETS: (&str, &str) = ("Content-Type", "application/octet-stream");

/// Runs `check` with a client of each kind of server.
fn with_clients(flags: &[&str], check: impl Fn(&Server, &mut HttpClient)) {
    if subject().0 == Kind::Redis {
        println!("skipped: redis-server does not speak HTTP");
        return;
    }
    for shards in SHARD_COUNTS {
        println!("{shards} shards");
        let mut server = Launch::subject().http().shards(shards).flags(flags.iter().copied()).start();
        let mut client = server.connect_http();
        check(&server, &mut client);
        server.assert_lives();
    }
}

/// The results of a batch of puts, by status.
fn statuses(json: &Value) -> Vec<u64> {
    let results = json["results"].as_array().unwrap_or_else(|| panic!("no results: {json}"));
    results.iter().map(|result| result["status"].as_u64().expect("a status")).collect()
}

#[test]
fn a_put_answers_whether_it_made_the_entry() {
    with_clients(&[], |_, client| {
        let made = client.put("/cache/key", b"one");
        assert_eq!((made.status, &made.json()["created"]), (201, &json!(true)), "{made:?}");
        let changed = client.put("/cache/key", b"two");
        assert_eq!((changed.status, &changed.json()["created"]), (200, &json!(false)), "{changed:?}");
        assert!(changed.version() > made.version());
        assert_eq!(changed.json()["version"], changed.version());
        let got = client.get("/cache/key");
        assert_eq!(got.version(), changed.version());
    });
}

#[test]
fn a_get_answers_in_json_or_as_it_is() {
    with_clients(&[], |_, client| {
        client.put("/cache/key?ttl_seconds=1000&flags=9", b"a \"text\" of two\nlines");
        let got = client.get("/cache/key");
        let json = got.json();
        assert_eq!(got.field("content-type"), Some("application/json"));
        assert_eq!((&json["key"], &json["value"]), (&json!("key"), &json!("a \"text\" of two\nlines")));
        assert_eq!((&json["flags"], json.get("encoding")), (&json!(9), None));
        let ttl = json["ttl_remaining"].as_u64().expect("a time to live");
        assert!((900..=1000).contains(&ttl), "{json}");
        client.put("/cache/key", b"\xff\0");
        let json = client.get("/cache/key").json();
        assert_eq!((&json["value"], &json["encoding"]), (&json!("/wA="), &json!("base64")));
        assert_eq!(json["ttl_remaining"], Value::Null);
        for accept in
            ["application/octet-stream", "text/html, application/octet-stream", "application/octet-stream;q=0.5"]
        {
            let raw = client.call("GET", "/cache/key", &[("Accept", accept)], b"");
            assert_eq!(raw.field("content-type"), Some("application/octet-stream"), "{accept}");
            assert_eq!(raw.body, b"\xff\0", "{accept}");
        }
        for accept in ["application/json", "*/*", "text/html"] {
            let response = client.call("GET", "/cache/key", &[("Accept", accept)], b"");
            assert_eq!(response.field("content-type"), Some("application/json"), "{accept}");
        }
    });
}

#[test]
fn head_answers_like_get_without_the_body() {
    with_clients(&[], |_, client| {
        client.put("/cache/key?flags=4", b"12345");
        for target in ["/cache/key", "/cache/missing", "/healthz", "/readyz", "/openapi.json"] {
            let get = client.get(target);
            let head = client.call("HEAD", target, &[], b"");
            assert_eq!((head.status, head.field("etag")), (get.status, get.field("etag")), "{target}");
            assert_eq!(head.field("content-length"), get.field("content-length"), "{target}");
            assert!(head.body.is_empty());
        }
        let raw = client.call("HEAD", "/cache/key", &[("Accept", "application/octet-stream")], b"");
        assert_eq!((raw.field("content-length"), raw.field("x-flags")), (Some("5"), Some("4")), "{raw:?}");
    });
}

#[test]
fn misses_and_deletes_say_what_was_there() {
    with_clients(&[], |_, client| {
        let miss = client.get("/cache/key");
        assert_eq!((miss.status, &miss.json()["hit"], miss.field("etag")), (200, &json!(false), None));
        let raw = client.get_raw("/cache/key");
        assert_eq!((raw.status, raw.body.len(), raw.field("etag")), (200, 0, None), "{raw:?}");
        assert_eq!(raw.field("x-cache"), Some("MISS"));
        assert_eq!(client.delete("/cache/key").json(), json!({ "existed": false }));
        client.put("/cache/key", b"");
        assert_eq!(client.get("/cache/key").json()["hit"], true);
        assert_eq!(client.get_raw("/cache/key").field("x-cache"), Some("HIT"));
        assert_eq!(client.delete("/cache/key").json(), json!({ "existed": true }));
    });
}

#[test]
fn conditions_hold_or_answer_412_and_change_nothing() {
    with_clients(&[], |_, client| {
        let put = |client: &mut HttpClient, fields: &[(&str, &str)], value: &str| {
            client.call("PUT", "/cache/key", &[&[OCTETS], fields].concat(), value.as_bytes()).status
        };
        assert_eq!(put(client, &[("If-Match", "*")], "x"), 412);
        assert_eq!(put(client, &[("If-Match", "\"1\"")], "x"), 412);
        assert_eq!(client.get("/cache/key").json()["hit"], false);
        assert_eq!(put(client, &[("If-None-Match", "*")], "one"), 201);
        assert_eq!(put(client, &[("If-None-Match", "*")], "x"), 412);
        assert_eq!(put(client, &[("If-Match", "*")], "two"), 200);
        let tag = client.get("/cache/key").field("etag").expect("a tag").to_owned();
        let list = format!("\"0\", {tag} , \"abc\"");
        assert_eq!(put(client, &[("If-Match", "\"0\", \"abc\"")], "x"), 412);
        // A weak tag is equal to nothing where a change depends on it.
        assert_eq!(put(client, &[("If-Match", &format!("W/{tag}"))], "x"), 412);
        assert_eq!(put(client, &[("If-None-Match", &tag)], "x"), 412);
        assert_eq!(client.get_raw("/cache/key").text(), "two");
        assert_eq!(put(client, &[("If-Match", &list)], "three"), 200);
        assert_eq!(client.call("DELETE", "/cache/key", &[("If-Match", &tag)], b"").status, 412);
        let tag = client.get("/cache/key").field("etag").expect("a tag").to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"0\", {tag}"), "*".to_owned()] {
            for method in ["GET", "HEAD"] {
                let response = client.call(method, "/cache/key", &[("If-None-Match", &known)], b"");
                assert_eq!((response.status, response.body.len()), (304, 0), "{method} {known}");
                assert_eq!(response.field("etag"), Some(tag.as_str()), "{method} {known}");
            }
        }
        assert_eq!(client.call("GET", "/cache/key", &[("If-None-Match", "\"0\"")], b"").status, 200);
        assert_eq!(client.call("DELETE", "/cache/key", &[("If-Match", &tag)], b"").status, 200);
        for wrong in ["0", "\"1", "abc", "\"1\" \"2\""] {
            let response = client.call("GET", "/cache/key", &[("If-None-Match", wrong)], b"");
            assert_eq!(response.status, 400, "{wrong}");
        }
    });
}

#[test]
fn a_batch_of_gets_tells_found_and_missing_apart() {
    with_clients(&[], |_, client| {
        for number in 0..40 {
            let target = format!("/cache/key:{number}?flags={number}&ttl_seconds=500");
            assert_eq!(client.put(&target, number.to_string().as_bytes()).status, 201);
        }
        client.put("/cache/bytes", b"\xfe");
        let asked: Vec<String> = (0..80).map(|number| format!("key:{number}")).chain(["bytes".to_owned()]).collect();
        let response = client.post("/cache/batch", &json!({ "get": asked }));
        assert_eq!(response.status, 200, "{response:?}");
        let json = response.json();
        let found = json["found"].as_object().expect("what was found");
        let missing: BTreeSet<&str> =
            json["missing"].as_array().expect("what was missing").iter().filter_map(Value::as_str).collect();
        assert_eq!((found.len(), missing.len()), (41, 40));
        for number in 0..40 {
            let entry = &found[&format!("key:{number}")];
            assert_eq!((&entry["value"], &entry["flags"]), (&json!(number.to_string()), &json!(number)));
            let alone = client.get(&format!("/cache/key:{number}")).json();
            assert_eq!(entry["version"], alone["version"]);
            assert!(entry["ttl_remaining"].as_u64().is_some_and(|ttl| (400..=500).contains(&ttl)), "{entry}");
            assert!(missing.contains(format!("key:{}", number + 40).as_str()));
        }
        assert_eq!((&found["bytes"]["value"], &found["bytes"]["encoding"]), (&json!("/g=="), &json!("base64")));
        assert_eq!(client.post("/cache/batch", &json!({ "get": [] })).json(), json!({ "found": {}, "missing": [] }));
        let twice = client.post("/cache/batch", &json!({ "get": ["key:1", "key:1", "none", "none"] })).json();
        assert_eq!(
            (twice["found"].as_object().map(serde_json::Map::len), &twice["missing"]),
            (Some(1), &json!(["none"]))
        );
    });
}

#[test]
fn a_batch_of_puts_answers_for_each_of_them_in_order() {
    with_clients(&[], |_, client| {
        let items: Vec<Value> = (0..40)
            .map(|number| json!({ "key": format!("key:{number}"), "value": number.to_string(), "flags": number }))
            .collect();
        let response = client.post("/cache/batch", &json!({ "put": items }));
        assert_eq!((response.status, statuses(&response.json())), (200, vec![201; 40]));
        let json = response.json();
        for (number, result) in json["results"].as_array().expect("results").iter().enumerate() {
            assert_eq!(result["key"], format!("key:{number}"));
            let entry = client.get(&format!("/cache/key:{number}")).json();
            assert_eq!((&entry["version"], &entry["flags"]), (&result["version"], &json!(number)));
        }
        // Each has its own condition, and fails or not by itself; of two with one key the last one stays.
        let version = json["results"][0]["version"].as_u64().expect("a version");
        let items = json!([
            { "key": "key:0", "value": "new", "if_version": version },
            { "key": "key:1", "value": "new", "if_version": version + 1_000_000 },
            { "key": "fresh", "value": "new", "if_version": 0 },
            { "key": "key:2", "value": "new", "if_version": 0 },
            { "key": "twice", "value": "one" },
            { "key": "twice", "value": "two", "ttl_seconds": 50 },
            { "key": "bytes", "value_base64": "/wA=" },
        ]);
        let response = client.post("/cache/batch", &json!({ "put": items }));
        assert_eq!((response.status, statuses(&response.json())), (200, vec![200, 412, 201, 412, 201, 200, 201]));
        assert_eq!(client.get_raw("/cache/key:0").text(), "new");
        assert_eq!(client.get_raw("/cache/key:1").text(), "1");
        assert_eq!(client.get_raw("/cache/twice").text(), "two");
        assert_eq!(client.get_raw("/cache/bytes").body, b"\xff\0");
    });
}

#[test]
fn a_batch_that_is_not_as_it_should_be_changes_nothing() {
    with_clients(&[], |_, client| {
        let mut check = |body: &Value, part: &str| {
            let response = client.post("/cache/batch", body);
            let error = response.json()["error"].as_str().map(str::to_owned).unwrap_or_default();
            assert!(response.status == 400 && error.contains(part), "{part}: {response:?}");
        };
        let good = json!({ "key": "good", "value": "x" });
        let put = |item: Value| json!({ "put": [good, item] });
        check(&json!({}), "get or put");
        check(&json!({ "get": ["a"], "put": [] }), "get or put");
        check(&json!({ "get": ["a", 7] }), "");
        check(&json!({ "get": ["k".repeat(251)] }), "250");
        check(&json!({ "get": [""] }), "");
        check(&json!({ "get": ["a"], "db": 16 }), "15");
        check(&put(json!({ "key": "b" })), "value");
        check(&put(json!({ "key": "b", "value": "x", "value_base64": "eA==" })), "value");
        check(&put(json!({ "key": "b", "value_base64": "!" })), "");
        check(&put(json!({ "key": "b", "value": "x", "ttl_seconds": 0 })), "ttl_seconds");
        check(&put(json!({ "key": "b", "value": "x", "flags": 4_294_967_296_u64 })), "flags");
        check(&put(json!({ "key": "b", "value": "x", "other": 1 })), "other");
        check(&put(json!({ "key": "k".repeat(251), "value": "x" })), "250");
        check(&put(json!({ "value": "x" })), "key");
        let many: Vec<Value> = (0..1_001).map(|number| json!({ "key": format!("k:{number}"), "value": "x" })).collect();
        check(&json!({ "put": many }), "1000");
        assert_eq!(client.get("/cache/good").json()["hit"], false, "part of a bad batch was stored");
        assert_eq!(client.get("/cache/k:0").json()["hit"], false, "part of a long batch was stored");
        let many: Vec<String> = (0..1_000).map(|number| format!("k:{number}")).collect();
        assert_eq!(client.post("/cache/batch", &json!({ "get": many })).status, 200);
    });
}

#[test]
fn limits_are_named_where_they_are_reached() {
    with_clients(&["--http-max-value", "2kb"], |_, client| {
        let longest = "k".repeat(250);
        assert_eq!(client.put(&format!("/cache/{longest}"), b"x").status, 201);
        // What counts is the key, not how it is written.
        assert_eq!(client.get_raw(&format!("/cache/{}", "%6b".repeat(250))).text(), "x");
        for key in ["k".repeat(251), "%6b".repeat(251), "%00".to_owned(), "a%0Ab".to_owned(), "%7F".to_owned()] {
            let response = client.put(&format!("/cache/{key}"), b"x");
            assert_eq!(response.status, 400, "{key}: {response:?}");
        }
        assert_eq!(client.put("/cache/key", &[b'x'; 2048]).status, 201);
        let response = client.put("/cache/key", &[b'x'; 2049]);
        assert!(response.status == 413 && response.text().contains("2048"), "{response:?}");
    });
}

#[test]
fn values_are_taken_whole_or_in_chunks() {
    with_clients(&[], |_, client| {
        let host = client.host().to_owned();
        let value: Vec<u8> = (0..100_000_u32).map(|number| (number % 251) as u8).collect();
        for chunk_bytes in [1, 7, 4_096, 100_000] {
            let value = if chunk_bytes == 1 { &value[..2_000] } else { &value };
            let head = format!(
                "PUT /cache/key HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            );
            client.send(&[head.as_bytes(), &chunked(value, chunk_bytes)].concat());
            assert_eq!(client.response_to("PUT").status / 100, 2, "chunks of {chunk_bytes}");
            assert!(client.get_raw("/cache/key").body == value, "chunks of {chunk_bytes}");
        }
        // Leave is given before the body comes, and the body after.
        let fields = [OCTETS, ("Expect", "100-continue")];
        let bytes = request(&host, "PUT", "/cache/key", &fields, b"after leave");
        let (head, body) = bytes.split_at(bytes.len() - 11);
        client.send(head);
        assert_eq!(client.connection().line().expect("leave"), b"HTTP/1.1 100 Continue");
        assert_eq!(client.connection().line().expect("leave"), b"");
        client.send(body);
        assert_eq!(client.response_to("PUT").status, 200);
        assert_eq!(client.get_raw("/cache/key").text(), "after leave");
    });
}

#[test]
fn connections_are_kept_or_closed_as_asked() {
    with_clients(&[], |server, client| {
        for _ in 0..100 {
            assert_eq!(client.get("/healthz").status, 200);
            // A refusal of an operation is no reason to close.
            assert_eq!(client.get("/nowhere").status, 404);
            assert_eq!(client.call("PATCH", "/cache/key", &[], b"").status, 405);
            assert_eq!(client.get("/cache/key?db=99").status, 400);
        }
        let last = client.call("GET", "/healthz", &[("Connection", "close")], b"");
        assert_eq!(last.field("connection"), Some("close"));
        assert!(client.connection().read_to_close().is_empty());
        let mut old = server.connect_http();
        old.send(b"GET /healthz HTTP/1.0\r\n\r\n");
        assert_eq!(old.response_to("GET").status, 200);
        assert!(old.connection().read_to_close().is_empty());
    });
}

#[test]
fn methods_that_a_path_does_not_have_are_named() {
    with_clients(&[], |_, client| {
        for (target, methods) in [
            ("/cache/key", "GET, HEAD, PUT, DELETE"),
            ("/cache/batch", "GET, HEAD, PUT, DELETE, POST"),
            ("/cache", "DELETE"),
            ("/healthz", "GET, HEAD"),
            ("/openapi.json", "GET, HEAD"),
        ] {
            for method in ["PATCH", "TRACE", "BREW"] {
                let response = client.call(method, target, &[], b"");
                assert_eq!((response.status, response.field("allow")), (405, Some(methods)), "{method} {target}");
            }
        }
    });
}
