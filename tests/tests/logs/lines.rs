//! Lines: which there are, how they look, and what is not in them.

use locksley_tests::client::Client;
use locksley_tests::server::{Launch, Server, wait_for_output};
use locksley_tests::wait::until;
use serde_json::Value;

use super::{PLANTED, WARNING, configure, is_redis, warn};

#[test]
fn the_banner_shows_what_was_set_and_no_secret() {
    if is_redis() {
        return;
    }
    let flags = ["--maxmemory", "15gb", "--requirepass", PLANTED, "--masterauth", PLANTED, "--ttl-jitter", "7"];
    let server = Launch::subject().shards(2).http().flags(flags).start();
    let printed = server.printed();
    let console = format!("console at http://{}/", server.http_address());
    let port = format!("RESP on port {}", server.port());
    for part in [
        "Locksley ",
        "2 shards on ",
        "at most 15.00 GiB of memory, policy allkeys-s3fifo",
        "changes are not logged",
        "maxmemory 15gb",
        "requirepass ***",
        "ttl-jitter 7",
        "appendonly no",
        "save \"\"",
        &server.directory().display().to_string(),
        &console,
        &port,
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    assert!(!printed.contains("lfu-log-factor"), "a default is not shown: {printed}");
    assert!(!printed.contains(PLANTED), "{printed}");
}

#[test]
fn the_level_changes_at_run_time_in_both_directions() {
    if is_redis() {
        return;
    }
    for shards in [1, 2] {
        let server = Launch::subject().shards(shards).start();
        let mut client = server.connect();
        drop(server.connect());
        configure(&mut client, "loglevel", "verbose");
        drop(server.connect());
        wait_for_output(&server, " connected: RESP");
        until("the end of a client is logged", || server.printed().contains(" is gone"));

        configure(&mut client, "loglevel", "warning");
        let quiet_from = server.printed().len();
        configure(&mut client, "timeout", "1000");
        warn(&server);
        wait_for_output(&server, WARNING);
        let quiet = server.printed()[quiet_from..].to_owned();
        // What was said before the level was changed may have been printed after it.
        assert!(!quiet.contains("timeout"), "{quiet}");

        configure(&mut client, "loglevel", "nothing");
        warn(&server);
        configure(&mut client, "loglevel", "notice");
        wait_for_output(&server, "CONFIG SET: loglevel is notice now");
        let printed = server.printed();
        assert_eq!(printed.matches(WARNING).count(), 1, "{printed}");
        assert_eq!(client.call(&["CONFIG", "GET", "loglevel"]).elements().len(), 2);
    }
}

#[test]
fn lines_of_json_parse_whatever_is_in_them() {
    if is_redis() {
        return;
    }
    let server = Launch::subject().shards(2).flags(["--log-format", "json", "--loglevel", "debug"]).start();
    let mut client = server.connect();
    configure(&mut client, "http-cors-origin", "https://a\"b\\c\u{1b}[1m\u{e9}\t");
    warn(&server);
    wait_for_output(&server, WARNING);
    let printed = server.printed();
    let mut levels = Vec::new();
    for line in printed.lines() {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let text = |name: &str| object[name].as_str().unwrap_or_else(|| panic!("no {name}: {line}")).to_owned();
        let time = text("time");
        assert!(time.len() == 27 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{line}");
        assert!(!text("message").is_empty() && !text("thread").is_empty(), "{line}");
        assert_eq!(object.as_object().map(serde_json::Map::len), Some(4), "{line}");
        levels.push(text("level"));
    }
    for level in ["info", "warn", "debug"] {
        assert!(levels.iter().any(|found| found == level), "{level}: {printed}");
    }
    assert!(printed.contains(r#"https://a\"b\\c\u001b[1m"#), "{printed}");

    configure(&mut client, "log-format", "text");
    configure(&mut client, "http-cors-origin", "https://x\u{1b}[1m");
    wait_for_output(&server, r"http-cors-origin is https://x\u{1b}[1m now");
    assert!(!server.printed().contains('\u{1b}'));
}

/// Lines that say `part`, and how many more were left out.
fn told(server: &Server, part: &str) -> (u64, u64) {
    let printed = server.printed();
    let (mut shown, mut left_out) = (0, 0);
    for line in printed.lines().filter(|line| line.contains(part)) {
        match line.split_once(" more line") {
            None => shown += 1,
            Some((before, _)) => {
                let number = before.rsplit(' ').next().and_then(|number| number.parse::<u64>().ok());
                left_out += number.unwrap_or_else(|| panic!("no number: {line}"));
            }
        }
    }
    (shown, left_out)
}

#[test]
fn a_flood_is_limited_and_counted() {
    const COUNT: u64 = 300;
    if is_redis() {
        return;
    }
    let server = Launch::subject().shards(2).start();
    let mut strangers: Vec<Client> = (0..COUNT).map(|_| server.connect()).collect();
    for stranger in &mut strangers {
        stranger.send(&["POST", "/"]).expect("the server reads");
    }
    until("every line is shown or counted", || {
        let (shown, left_out) = told(&server, WARNING);
        shown + left_out == COUNT
    });
    let (shown, left_out) = told(&server, WARNING);
    assert!(left_out > 0, "{shown} lines were shown");
}

#[test]
fn no_line_has_anything_of_users() {
    if is_redis() {
        return;
    }
    let flags = ["--loglevel", "debug", "--requirepass", PLANTED, "--enable-debug-command", "yes"];
    let server = Launch::subject().shards(2).http().memcached().flags(flags).start();
    let mut client = server.connect();
    client.call(&["AUTH", &format!("{PLANTED}-wrong")]);
    client.call(&["AUTH", PLANTED]);
    for command in [
        &["SET", PLANTED, PLANTED][..],
        &["INCR", PLANTED],
        &[PLANTED],
        &["SET", PLANTED],
        &["CLIENT", "SETNAME", PLANTED],
        &["CONFIG", "SET", "requirepass", PLANTED, "masterauth", PLANTED],
        &["CONFIG", "SET", PLANTED, PLANTED],
        &["LOCK", PLANTED, "1000"],
        &["FLUSHALL"],
        &["CLIENT", "KILL", "TYPE", "pubsub"],
    ] {
        client.call(command);
    }
    let mut broken = server.connect();
    broken.send_raw(format!("*1\r\n${PLANTED}\r\n").as_bytes()).expect("the server reads");
    broken.read_to_close();
    warn(&server);
    let authorization = format!("Bearer {PLANTED}");
    let mut web = server.connect_http();
    web.call("PUT", &format!("/cache/{PLANTED}"), &[("Authorization", &authorization)], PLANTED.as_bytes());
    web.call("GET", &format!("/{PLANTED}?{PLANTED}"), &[("Authorization", PLANTED)], b"");
    let mut old = server.connect_memcached();
    old.connection().send_unless_closed(format!("set {PLANTED} 0 0 1\r\nx\r\n{PLANTED}\r\n").as_bytes());
    configure(&mut client, "timeout", "1234");
    wait_for_output(&server, "timeout is 1234 now");
    let printed = server.printed();
    assert!(!printed.contains(PLANTED), "{printed}");
}
