//! curl as people type it, and schemathesis, which asks whatever `/openapi.json` allows and more.

use std::fmt;
use std::fs;
use std::process::{Command, Stdio};

use locksley_tests::binary::{Kind, installed, subject, workspace};
use locksley_tests::directory::Directory;
use locksley_tests::python::installed_in_environment;
use locksley_tests::server::{Launch, Server};
use serde_json::{Value, json};

/// Examples that schemathesis tries of each operation.
const EXAMPLES: &str = "60";

/// A server with an HTTP door and these further flags; `None` for `redis-server`, which has none.
fn start(flags: &[&str]) -> Option<Server> {
    if subject().0 == Kind::Redis {
        println!("skipped: redis-server does not speak HTTP");
        return None;
    }
    Some(Launch::subject().http().shards(4).flags(flags.iter().copied()).start())
}

/// What curl got: the status, and what it wrote.
struct Got {
    status: u16,
    body: Vec<u8>,
}

impl fmt::Debug for Got {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.status, self.text())
    }
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Runs curl with these words and a path of the server.
fn curl(server: &Server, words: &[&str], path: &str) -> Got {
    let output = Command::new(installed("curl"))
        .args(["-sS", "-q", "--max-time", "60", "--noproxy", "*", "-w", "\n%{http_code}"])
        .args(words)
        .arg(format!("http://{}{path}", server.http_address()))
        .stdin(Stdio::null())
        .output()
        .expect("curl runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl {words:?} {path}: {}\n{errors}", output.status);
    let at = output.stdout.iter().rposition(|byte| *byte == b'\n').expect("the status is on a line of its own");
    let status = String::from_utf8_lossy(&output.stdout[at + 1..]).parse().expect("a status");
    Got { status, body: output.stdout[..at].to_vec() }
}

const OCTETS: [&str; 2] = ["-H", "Content-Type: application/octet-stream"];
const RAW: [&str; 2] = ["-H", "Accept: application/octet-stream"];

/// The words of a PUT of `value`.
fn put<'a>(value: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["-X", "PUT", "--data-binary", value], &OCTETS[..], more].concat()
}

#[test]
fn curl_stores_reads_and_deletes() {
    let Some(server) = start(&[]) else { return };
    assert_eq!(curl(&server, &put("a value", &[]), "/cache/key?ttl_seconds=1000&flags=7").status / 100, 2);
    let got = curl(&server, &[], "/cache/key");
    let json = got.json();
    assert_eq!(
        (got.status, &json["hit"], &json["value"], &json["flags"]),
        (200, &json!(true), &json!("a value"), &json!(7))
    );
    assert!((1..=1000).contains(&json["ttl_remaining"].as_u64().expect("a time to live")), "{json}");
    assert_eq!(curl(&server, &RAW, "/cache/key").text(), "a value");
    let head = curl(&server, &["-I"], "/cache/key").text();
    assert!(head.to_lowercase().contains("\netag: \""), "{head}");
    assert_eq!(curl(&server, &["-X", "DELETE"], "/cache/key").json()["existed"], true);
    assert_eq!(curl(&server, &["-X", "DELETE"], "/cache/key").json()["existed"], false);
    let miss = curl(&server, &[], "/cache/key");
    assert_eq!((miss.status, &miss.json()["hit"]), (200, &json!(false)));
    // HTTP/1.0 ends the connection, and is answered all the same.
    assert_eq!(curl(&server, &["-0"], "/cache/key").json()["hit"], false);
}

#[test]
fn curl_uploads_and_downloads_files() {
    let Some(server) = start(&["--http-max-value", "8mb"]) else { return };
    let directory = Directory::new();
    let (source, target) = (directory.path().join("source"), directory.path().join("target"));
    // Some of the bytes are no text, and all of them take several reads.
    let bytes: Vec<u8> = (0..5_000_000_u32).map(|number| (number % 251) as u8).collect();
    fs::write(&source, &bytes).expect("the directory can be written");
    let (source, target) = (source.to_str().expect("a path of ASCII"), target.to_str().expect("a path of ASCII"));
    // A body this long waits for leave; one of unknown length comes in chunks.
    for more in [&["-H", "Expect: 100-continue"][..], &["-H", "Transfer-Encoding: chunked"]] {
        let words = [&["-T", source], &OCTETS[..], more].concat();
        assert_eq!(curl(&server, &words, "/cache/file").status / 100, 2, "{more:?}");
        curl(&server, &[&["-o", target], &RAW[..]].concat(), "/cache/file");
        assert!(fs::read(target).expect("curl wrote it") == bytes, "{more:?}");
        let json = curl(&server, &[], "/cache/file").json();
        assert_eq!(json["encoding"], "base64");
        curl(&server, &["-X", "DELETE"], "/cache/file");
    }
    let long = vec![b'x'; 9_000_000];
    fs::write(source, long).expect("the directory can be written");
    assert_eq!(curl(&server, &[&["-T", source], &OCTETS[..]].concat(), "/cache/file").status, 413);
}

#[test]
fn curl_keeps_to_conditions() {
    let Some(server) = start(&[]) else { return };
    let directory = Directory::new();
    let file = directory.path().join("etag");
    let file = file.to_str().expect("a path of ASCII");
    let absent = ["-H", "If-None-Match: *"];
    assert_eq!(curl(&server, &put("one", &absent), "/cache/key").status / 100, 2);
    assert_eq!(curl(&server, &put("two", &absent), "/cache/key").status, 412);
    curl(&server, &["--etag-save", file], "/cache/key");
    assert_eq!(curl(&server, &["--etag-compare", file], "/cache/key").status, 304);
    let tag = fs::read_to_string(file).expect("curl wrote it");
    let condition = format!("If-Match: {}", tag.trim());
    assert_eq!(curl(&server, &put("two", &["-H", &condition]), "/cache/key").status / 100, 2);
    assert_eq!(curl(&server, &put("three", &["-H", &condition]), "/cache/key").status, 412);
    assert_eq!(curl(&server, &["-X", "DELETE", "-H", &condition], "/cache/key").status, 412);
    assert_eq!(curl(&server, &["--etag-compare", file], "/cache/key").json()["value"], "two");
}

#[test]
fn curl_reads_and_writes_many_keys_at_once() {
    let Some(server) = start(&[]) else { return };
    let json = ["-H", "Content-Type: application/json", "--data-binary"];
    let items: Vec<Value> = (0..50)
        .map(|number| json!({ "key": format!("k:{number}"), "value": format!("v{number}"), "flags": number, "ttl_seconds": 900 }))
        .collect();
    let got = curl(&server, &[&json[..], &[&json!({ "put": items }).to_string()]].concat(), "/cache/batch");
    assert_eq!(got.status, 200, "{got:?}");
    for number in [0, 17, 49] {
        let entry = curl(&server, &[], &format!("/cache/k:{number}")).json();
        assert_eq!((&entry["value"], &entry["flags"]), (&json!(format!("v{number}")), &json!(number)));
    }
    let asked = json!({ "get": ["k:3", "missing", "k:4"] }).to_string();
    let got = curl(&server, &[&json[..], &[&asked]].concat(), "/cache/batch");
    assert!(["k:3", "v3", "k:4", "v4", "missing"].iter().all(|part| got.text().contains(part)), "{got:?}");
    let many: Vec<String> = (0..1_001).map(|number| format!("k:{number}")).collect();
    let got = curl(&server, &[&json[..], &[&json!({ "get": many }).to_string()]].concat(), "/cache/batch");
    assert_eq!(got.status, 400, "{got:?}");
    assert!(got.text().contains("1000") || got.text().contains("1,000"), "{got:?}");
}

#[test]
fn curl_is_refused_with_a_reason() {
    let Some(server) = start(&[]) else { return };
    let check = |words: &[&str], path: &str, status: u16, part: &str| {
        let got = curl(&server, words, path);
        assert_eq!(got.status, status, "{words:?} {path}: {got:?}");
        let error = got.json()["error"].as_str().map(str::to_lowercase).unwrap_or_default();
        assert!(!error.is_empty() && error.contains(part), "{words:?} {path}: {got:?}");
    };
    let long = "k".repeat(251);
    check(&[], "/nowhere", 404, "");
    check(&[], "/caches", 404, "");
    check(&[], "/cache", 405, "");
    check(&["-X", "PATCH"], "/cache/key", 405, "");
    check(&["-X", "POST"], "/cache/key", 405, "");
    check(&[], &format!("/cache/{long}"), 400, "250");
    check(&[], "/cache/", 400, "");
    check(&[], "/cache/a%2", 400, "");
    check(&put("x", &[]), "/cache/key?ttl_seconds=0", 400, "ttl_seconds");
    check(&put("x", &[]), "/cache/key?ttl_seconds=-5", 400, "ttl_seconds");
    check(&put("x", &[]), "/cache/key?ttl_seconds=abc", 400, "ttl_seconds");
    check(&put("x", &[]), "/cache/key?ttl_seconds=99999999999999999999", 400, "ttl_seconds");
    check(&put("x", &[]), "/cache/key?flags=4294967296", 400, "4294967295");
    check(&put("x", &[]), "/cache/key?flags=-1", 400, "flags");
    check(&[], "/cache/key?db=16", 400, "db");
    check(&[], "/cache/key?db=abc", 400, "db");
    check(&["-H", "Content-Type: application/json", "-d", "{"], "/cache/batch", 400, "");
    check(&["-H", "Content-Type: application/json", "-d", "[]"], "/cache/batch", 400, "");
    check(&["-H", "Content-Type: application/json", "-d", r#"{"get":[7]}"#], "/cache/batch", 400, "");
    check(&["-H", "Content-Type: application/json", "-d", r#"{"nonsense":[]}"#], "/cache/batch", 400, "");
}

#[test]
fn what_a_page_in_a_browser_could_send_is_refused() {
    let Some(server) = start(&[]) else { return };
    let check = |words: &[&str], path: &str, status: u16| {
        let got = curl(&server, words, path);
        assert_eq!(got.status, status, "{words:?} {path}: {got:?}");
    };
    // What a form or a script may send to any host without asking.
    for simple in [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "TEXT/PLAIN;charset=utf-8",
    ] {
        let field = format!("Content-Type: {simple}");
        check(&["-H", &field, "-d", r#"{"put":[{"key":"a","value":"b"}]}"#], "/cache/batch", 415);
    }
    check(&["-H", "Content-Type:", "-d", r#"{"put":[{"key":"a","value":"b"}]}"#], "/cache/batch", 415);
    check(&put("x", &["-H", "Content-Encoding: gzip"]), "/cache/key", 415);
    // Another site's page, and a name that its owner lets point here.
    check(&put("x", &["-H", "Origin: https://evil.example"]), "/cache/key", 403);
    check(&["-H", "Origin: https://evil.example"], "/cache/key", 403);
    check(&["-H", "Origin: null"], "/cache/key", 403);
    check(&["-H", "Host: evil.example"], "/cache/key", 421);
    check(&["-H", "Host: evil.example:8379"], "/healthz", 421);
    check(&["-H", "Host: 127.0.0.1.evil.example"], "/cache/key", 421);
    check(&["-H", "Host: localhost"], "/cache/key", 200);
    // Without leave for any origin there is nothing to ask for.
    let asks = ["-X", "OPTIONS", "-H", "Origin: https://evil.example", "-H", "Access-Control-Request-Method: PUT"];
    check(&asks, "/cache/key", 405);
    assert_eq!(curl(&server, &[], "/cache/key").json()["hit"], false, "nothing was stored");
}

#[test]
fn one_origin_and_more_hosts_can_be_let_in() {
    let flags = ["--http-cors-origin", "https://app.example", "--http-allowed-hosts", "cache.example"];
    let Some(server) = start(&flags) else { return };
    let origin = ["-H", "Origin: https://app.example"];
    assert_eq!(curl(&server, &put("x", &origin), "/cache/key").status / 100, 2);
    let head = curl(&server, &[&["-i"], &origin[..]].concat(), "/cache/key").text().to_lowercase();
    assert!(head.contains("access-control-allow-origin: https://app.example"), "{head}");
    let asks = ["-i", "-X", "OPTIONS", "-H", "Access-Control-Request-Method: PUT"];
    let leave = curl(&server, &[&asks[..], &origin[..]].concat(), "/cache/key");
    assert_eq!(leave.status / 100, 2, "{leave:?}");
    assert!(leave.text().to_lowercase().contains("access-control-allow-methods:"), "{leave:?}");
    assert_eq!(curl(&server, &["-H", "Origin: https://evil.example"], "/cache/key").status, 403);
    assert_eq!(curl(&server, &["-H", "Host: cache.example"], "/cache/key").status, 200);
    assert_eq!(curl(&server, &["-H", "Host: other.example"], "/cache/key").status, 421);
}

#[test]
fn curl_says_a_password_as_a_bearer_and_as_a_user() {
    let Some(server) = start(&["--requirepass", "secret"]) else { return };
    assert_eq!(curl(&server, &[], "/cache/key").status, 401);
    assert_eq!(curl(&server, &["--oauth2-bearer", "secret"], "/cache/key").status, 200);
    assert_eq!(curl(&server, &["--oauth2-bearer", "wrong"], "/cache/key").status, 401);
    assert_eq!(curl(&server, &["-u", "default:secret"], "/cache/key").status, 200);
    assert_eq!(curl(&server, &["-u", "default:wrong"], "/cache/key").status, 401);
    assert_eq!(curl(&server, &["-u", "anybody:secret"], "/cache/key").status, 401);
    assert_eq!(curl(&server, &[], "/healthz").status, 200);
}

#[test]
fn curl_goes_on_with_one_connection() {
    let Some(server) = start(&[]) else { return };
    let base = format!("http://{}", server.http_address());
    let first = format!("{base}/cache/a");
    // The status of the last, and how many connections each of the three needed.
    let words = ["-w", "%{num_connects}\n", &first, "-w", "%{num_connects}\n", &first, "-w", "%{num_connects}\n"];
    let output = Command::new(installed("curl"))
        .args([
            "-sS",
            "-q",
            "--max-time",
            "60",
            "--noproxy",
            "*",
            "-o",
            "/dev/null",
            "-o",
            "/dev/null",
            "-o",
            "/dev/null",
        ])
        .args(words)
        .arg(format!("{base}/healthz"))
        .output()
        .expect("curl runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n0\n0\n", "{output:?}");
}

#[test]
fn schemathesis_finds_nothing_wrong() {
    let Some(mut server) = start(&[]) else { return };
    let document = curl(&server, &[], "/openapi.json");
    assert!(document.json()["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "{document:?}");
    let directory = Directory::new();
    let output = Command::new("timeout")
        .arg("120")
        .arg(installed_in_environment("schemathesis"))
        .arg("--config-file")
        .arg(workspace().join("tests/clients/schemathesis.toml"))
        .args(["run", &format!("http://{}/openapi.json", server.http_address())])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES])
        .args(["--checks", "all", "--continue-on-failure", "--no-shrink", "--no-color", "--request-timeout", "20"])
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .output()
        .expect("schemathesis runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    server.assert_serves();
}
