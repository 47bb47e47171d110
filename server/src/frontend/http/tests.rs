//! The checks of the HTTP door, in their order.

use crate::command::rest::testing::{Rig, check};

const HOST: &str =
    r#"421 {"error":"the Host field names neither the address of this server nor one of http-allowed-hosts"}"#;
const PATH: &str = r#"404 {"error":"there is nothing at this path: see /openapi.json"}"#;
const METHOD: &str = r#"405 {"error":"this path does not have that method"}"#;
const ORIGIN: &str = r#"403 {"error":"pages of this origin may not use this server: see http-cors-origin"}"#;
const TYPE: &str = r#"415 {"error":"a Content-Type is needed that no page can send by itself, as application/octet-stream; or an Authorization field"}"#;
const GONE: &str = r#"200 {"existed":false}"#;

fn status(rig: &mut Rig, line: &str) -> u16 {
    rig.response(line)[9..12].parse().expect("a status is a number")
}

#[test]
fn requests_are_refused_in_an_order() {
    check(&[
        ("PUT /none ~Host: evil ~Origin: http://evil ~Content-Type: |v", HOST),
        ("PUT /none ~Origin: http://evil ~Content-Type: |v", PATH),
        ("POST /cache/k ~Origin: http://evil ~Content-Type: |v", METHOD),
        ("PUT /cache/k ~Origin: http://evil ~Content-Type: |v", ORIGIN),
        ("PUT /cache/k?x=y ~Content-Type: |v", TYPE),
        ("PUT /cache/k?x=y |v", r#"400 {"error":"this operation has no parameter x"}"#),
        ("PUT / |x", METHOD),
        ("GET /console", PATH),
        ("GET /console/none.js", PATH),
        ("GET /console/app.js?v=1", r#"400 {"error":"this operation has no parameter v"}"#),
        ("POST /console/state |{}", METHOD),
        ("GET /cached", PATH),
        ("GET //cache/k", PATH),
        ("PATCH /cache/k", METHOD),
        ("OPTIONS /cache/k", METHOD),
        ("DELETE /healthz", METHOD),
        ("POST /cache/batch ~Content-Type: text/x-json |{}", r#"415 {"error":"a batch is application/json"}"#),
        ("POST /cache/batch?db=1 |{}", r#"400 {"error":"this operation has no parameter db"}"#),
        ("GET /cache/%2", r#"400 {"error":"a percent sign needs two hexadecimal digits behind it"}"#),
        (
            "GET /cache/",
            r#"400 {"error":"a key has 1 to 250 bytes and no control characters; this is one of 0 bytes"}"#,
        ),
        (
            "GET /cache/a%00",
            r#"400 {"error":"a key has 1 to 250 bytes and no control characters; this is one with a control character"}"#,
        ),
        (
            "GET /cache/k ~Accept: text/html",
            r#"406 {"error":"a value can be had as application/json and as application/octet-stream"}"#,
        ),
        (
            "PUT /cache/k ~Content-Encoding: gzip |v",
            r#"415 {"error":"a value is stored as it is sent: Content-Encoding can only be identity"}"#,
        ),
        ("PUT /cache/k ~Content-Encoding: identity |v", r#"201 {"key":"k","version":V,"created":true}"#),
    ]);
}

#[test]
fn a_path_says_which_methods_it_has() {
    let mut rig = Rig::new(1);
    for (line, allowed) in [
        ("POST /cache/k", "GET, HEAD, PUT, DELETE"),
        ("PATCH /cache/batch", "GET, HEAD, PUT, DELETE, POST"),
        ("PUT /readyz", "GET, HEAD"),
    ] {
        let response = rig.response(line);
        assert!(response.contains(&format!("\r\nAllow: {allowed}\r\n")), "{response}");
    }
}

#[test]
fn only_names_of_this_server_are_hosts() {
    let mut rig = Rig::new(1);
    for (host, expected) in [
        ("127.0.0.1:8379", 200),
        ("127.0.0.1", 200),
        ("localhost:1", 200),
        ("LocalHost", 200),
        ("[::ffff:127.0.0.1]:8379", 200),
        ("127.0.0.2", 421),
        ("[::1]:8379", 421),
        ("cache.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1:evil", 421),
    ] {
        assert_eq!(status(&mut rig, &format!("GET /cache/k ~Host: {host}")), expected, "{host}");
    }
    rig.inner.configure(|config| config.http_allowed_hosts = vec!["cache.example".to_owned()]);
    assert_eq!(status(&mut rig, "GET /cache/k ~Host: Cache.Example:80"), 200);
    assert_eq!(status(&mut rig, "GET /cache/k ~Host: other.example"), 421);
    rig.inner.configure(|config| config.http_allowed_hosts = vec!["*".to_owned()]);
    assert_eq!(status(&mut rig, "GET /cache/k ~Host: other.example"), 200);
    rig.inner.configure(|config| config.http_allowed_hosts.clear());
    rig.inner.client().local_address = "10.0.0.5:8379".parse().expect("an address");
    assert_eq!(status(&mut rig, "GET /cache/k ~Host: localhost"), 421);
    assert_eq!(status(&mut rig, "GET /cache/k ~Host: 10.0.0.5"), 200);
    assert_eq!(rig.run(b"GET /healthz HTTP/1.0\r\n\r\n").get(9..12), Some(&b"200"[..]));
}

#[test]
fn what_a_page_can_send_unasked_changes_nothing() {
    let mut rig = Rig::new(1);
    for (media_type, expected) in [
        ("", 415),
        ("text/plain", 415),
        ("Text/Plain; charset=utf-8", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        (";", 415),
        ("application/octet-stream", 201),
        ("image/png", 200),
    ] {
        assert_eq!(status(&mut rig, &format!("PUT /cache/k ~Content-Type: {media_type} |v")), expected, "{media_type}");
    }
    assert_eq!(status(&mut rig, "PUT /cache/k ~Content-Type: ~Authorization: Bearer any |v"), 200);
    assert_eq!(status(&mut rig, "POST /cache/batch ~Content-Type: text/plain |{\"put\":[]}"), 415);
    assert_eq!(status(&mut rig, "DELETE /cache/k ~Content-Type:"), 200);
}

#[test]
fn the_password_is_needed_for_entries() {
    let mut rig = Rig::new(1);
    rig.inner.configure(|config| config.requirepass = "secret".to_owned());
    let refused = rig.response("GET /cache/k");
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    assert!(refused.contains("\r\nWWW-Authenticate: Bearer realm=\"locksley\", Basic realm=\"locksley\"\r\n"));
    for (line, expected) in [
        ("GET /cache/k ~Authorization: Bearer wrong", 401),
        ("PUT /cache/k ~Authorization: Bearer wrong |v", 401),
        ("DELETE /cache/k", 401),
        ("POST /cache/batch |{\"get\":[]}", 401),
        ("GET /cache/k ~Authorization: Bearer secret", 200),
        ("PUT /cache/k ~Content-Type: ~Authorization: Bearer secret |v", 201),
        ("GET /cache/k ~Authorization: Basic ZGVmYXVsdDpzZWNyZXQ=", 200),
        ("GET /cache/k ~Authorization: Basic OnNlY3JldA==", 200),
        ("GET /healthz", 200),
        ("GET /readyz", 200),
        ("GET /openapi.json", 200),
        ("GET /", 200),
        ("GET /console/app.js", 200),
        ("GET /console/state", 401),
        ("HEAD /console/state", 401),
        ("GET /console/state ~Authorization: Bearer secret", 200),
        ("POST /cache/k", 405),
    ] {
        assert_eq!(status(&mut rig, line), expected, "{line}");
    }
    let long = format!("PUT /cache/k |{}", "x".repeat(16 * 1024 + 1));
    let refused = rig.response(&long);
    assert!(refused.starts_with("HTTP/1.1 401 ") && refused.contains("\r\nConnection: close\r\n"), "{refused}");
    let known = format!("PUT /cache/k ~Authorization: Bearer secret |{}", "x".repeat(16 * 1024 + 1));
    assert_eq!(status(&mut rig, &known), 200);
}

#[test]
fn files_of_the_console_come_once() {
    let mut rig = Rig::new(1);
    let page = rig.response("GET /");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("\r\nContent-Type: text/html; charset=utf-8\r\n"));
    for field in [
        "Content-Security-Policy: default-src 'none';",
        "X-Content-Type-Options: nosniff\r\n",
        "Cache-Control: no-cache\r\n",
    ] {
        assert!(page.contains(&format!("\r\n{field}")), "{field} in {page}");
    }
    let (head, _) = page.split_once("\r\n\r\n").expect("a response has a head");
    assert_eq!(rig.response("HEAD /"), format!("{head}\r\n\r\n"));
    let tag = head.lines().find_map(|line| line.strip_prefix("ETag: ")).expect("a file has a tag");
    let again = rig.response(&format!("GET / ~If-None-Match: W/{tag}"));
    assert!(again.starts_with("HTTP/1.1 304 ") && again.ends_with("\r\n\r\n"), "{again}");
    assert!(again.contains("\r\nContent-Security-Policy: ") && again.contains(&format!("\r\nETag: {tag}\r\n")));
    assert_eq!(status(&mut rig, "GET / ~If-None-Match: \"1\""), 200);
    assert_eq!(status(&mut rig, "GET / ~If-None-Match: 1"), 400);
}

#[test]
fn pages_of_one_other_origin_may_be_let_in() {
    let mut rig = Rig::new(1);
    let preflight = "OPTIONS /cache/k ~Origin: https://app.example ~Access-Control-Request-Method: PUT";
    assert_eq!(status(&mut rig, preflight), 405);
    assert_eq!(status(&mut rig, "GET /cache/k ~Origin: http://127.0.0.1:8379"), 200);
    assert!(!rig.response("GET /cache/k").contains("Access-Control"));
    rig.inner.configure(|config| {
        config.http_cors_origin = "https://app.example".to_owned();
        config.requirepass = "secret".to_owned();
    });
    let response = rig.response(preflight);
    for field in [
        "Access-Control-Allow-Origin: https://app.example",
        "Access-Control-Allow-Methods: GET, HEAD, PUT, DELETE",
        "Access-Control-Allow-Headers: Accept, Authorization, Content-Type, If-Match, If-None-Match",
        "Vary: Origin",
    ] {
        assert!(response.contains(&format!("\r\n{field}\r\n")), "{field} in {response}");
    }
    assert!(response.starts_with("HTTP/1.1 204 ") && !response.contains("Content-Length"), "{response}");
    assert_eq!(status(&mut rig, "OPTIONS /cache/k ~Origin: https://evil.example"), 403);
    for line in [
        "GET /cache/k ~Origin: https://app.example ~Authorization: Bearer secret",
        "GET /cache/k ~Origin: https://app.example",
        "POST /cache/batch ~Authorization: Bearer secret |{\"get\":[\"k\"]}",
    ] {
        let response = rig.response(line);
        assert!(response.contains("\r\nAccess-Control-Allow-Origin: https://app.example\r\n"), "{response}");
    }
}

#[test]
fn too_long_values_are_refused_by_their_heads() {
    let mut rig = Rig::new(1);
    rig.inner.configure(|config| config.http_max_value = 1024);
    let response = rig.response(&format!("PUT /cache/k |{}", "x".repeat(1025)));
    assert!(response.starts_with("HTTP/1.1 413 ") && response.contains("\r\nConnection: close\r\n"), "{response}");
    assert!(response.ends_with(r#"{"error":"the body is longer than 1024 bytes"}"#), "{response}");
    assert_eq!(status(&mut rig, &format!("PUT /cache/k |{}", "x".repeat(1024))), 201);
    let batch = format!(r#"POST /cache/batch |{{"put":[{{"key":"k","value":"{}"}}]}}"#, "x".repeat(1024));
    assert_eq!(status(&mut rig, &batch), 200, "a batch has a limit of its own");
}

#[test]
fn a_body_in_chunks_is_put_together() {
    for shard_count in [1, 3] {
        let mut rig = Rig::new(shard_count);
        let head =
            "PUT /cache/k HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n";
        let reply = rig.run(format!("{head}3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n").as_bytes());
        assert!(reply.starts_with(b"HTTP/1.1 201 "), "{}", reply.escape_ascii());
        assert_eq!(rig.reply("RESP GET k"), "$5 abcde");
    }
}

#[test]
fn responses_keep_the_order_of_pipelined_requests() {
    let mut rig = Rig::new(3);
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let requests = [get("/cache/a"), get("/none"), get("/cache/b"), get("/healthz")].concat();
    let text = String::from_utf8_lossy(&rig.run(requests.as_bytes())).into_owned();
    let places =
        [r#""key":"a""#, "nothing at this path", r#""key":"b""#, r#""status":"ok""#].map(|part| text.find(part));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
}

#[test]
fn health_and_readiness_differ_while_loading() {
    let mut rig = Rig::new(1);
    assert_eq!(rig.reply("GET /healthz"), r#"200 {"status":"ok"}"#);
    assert_eq!(rig.reply("GET /readyz"), r#"200 {"status":"ready"}"#);
    assert_eq!(rig.reply("HEAD /readyz"), "200");
    rig.inner.threads[0].is_loading = true;
    assert_eq!(rig.reply("GET /healthz"), r#"200 {"status":"ok"}"#);
    let response = rig.response("GET /readyz");
    assert!(response.starts_with("HTTP/1.1 503 ") && response.contains("\r\nRetry-After: 1\r\n"), "{response}");
    assert_eq!(rig.reply("DELETE /cache/k"), r#"503 {"error":"the data is being loaded"}"#);
    rig.inner.threads[0].is_loading = false;
    rig.inner.threads[0].is_snapshot_failing = true;
    assert_eq!(status(&mut rig, "GET /readyz"), 503);
    assert_eq!(status(&mut rig, "PUT /cache/k |v"), 503);
    rig.inner.threads[0].is_snapshot_failing = false;
    assert_eq!(rig.reply("DELETE /cache/k"), GONE);
}
