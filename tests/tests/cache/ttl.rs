//! The settings about times to live: they hold whichever door writes.

use locksley_tests::reply::Reply;
use locksley_tests::server::Server;
use locksley_tests::wait::until;

use crate::{is_redis, launch, win};

/// Milliseconds that a slow machine may take between a write and the question how long it lives.
const SLACK_MS: i64 = 30_000;

/// Starts servers of one and two shards with these settings and runs `check`.
fn with_settings(settings: &[&str], check: impl Fn(&Server)) {
    if is_redis() {
        return;
    }
    for (shards, policy) in crate::SERVERS {
        let mut server = launch(shards, policy).flags(settings.iter().copied()).start();
        check(&server);
        server.assert_lives();
    }
}

/// What a door answers to a write.
#[derive(Debug, PartialEq, Eq)]
enum Written {
    Stored,
    Refused(String),
}

/// Writes `key` through every door, to live for so many seconds if any; gives what each answered, and its key.
fn write_everywhere(server: &Server, name: &str, seconds: Option<u32>) -> Vec<(String, Written)> {
    let mut resp = server.connect();
    let mut memcached = server.connect_memcached();
    let mut http = server.connect_http();
    let exptime = seconds.unwrap_or(0);
    let of_line = |answer: String| match answer.as_str() {
        "STORED" | "HD" | "+OK" => Written::Stored,
        _ => Written::Refused(answer),
    };
    let of_reply = |reply: Reply| match reply {
        Reply::Error(text) => Written::Refused(String::from_utf8_lossy(&text).into_owned()),
        _ => Written::Stored,
    };
    let mut results = Vec::new();
    let ex = seconds.map(|seconds| format!(" EX {seconds}")).unwrap_or_default();
    results.push((format!("{name}:set"), of_reply(resp.command(&format!("SET {name}:set v{ex}")))));
    let token = win(&mut resp, &format!("{name}:setl"));
    results.push((format!("{name}:setl"), of_reply(resp.command(&format!("SETL {name}:setl {token} v{ex}")))));
    if seconds.is_none() {
        for (word, rest) in [
            ("mset", "MSET {k} v"),
            ("append", "APPEND {k} v"),
            ("incr", "INCR {k}"),
            ("setrange", "SETRANGE {k} 0 v"),
            ("setbit", "SETBIT {k} 7 1"),
            ("getset", "GETSET {k} v"),
            ("bitop", "BITOP NOT {k} {k}"),
        ] {
            let key = format!("{name}:{word}");
            results.push((key.clone(), of_reply(resp.command(&rest.replace("{k}", &key)))));
        }
        // What is empty makes no key.
        results.pop();
    }
    let key = format!("{name}:text");
    results.push((key.clone(), of_line(memcached.store(&format!("set {key} 0 {exptime} 1"), b"v"))));
    let key = format!("{name}:meta");
    results.push((key.clone(), of_line(memcached.store(&format!("ms {key} 1 T{exptime}"), b"v"))));
    let key = format!("{name}:rest");
    let query = seconds.map(|seconds| format!("?ttl_seconds={seconds}")).unwrap_or_default();
    let response = http.put(&format!("/cache/{key}{query}"), b"v");
    let is_stored = (200..300).contains(&response.status);
    results.push((key, if is_stored { Written::Stored } else { Written::Refused(response.text()) }));
    results
}

/// Asserts that everything was stored and lives for `least_ms..=most_ms`.
fn assert_lives(server: &Server, results: Vec<(String, Written)>, least_ms: i64, most_ms: i64) {
    let mut client = server.connect();
    for (key, written) in results {
        assert_eq!(written, Written::Stored, "{key}");
        let ttl = client.call(&["PTTL", &key]).integer();
        assert!(
            (least_ms - SLACK_MS..=most_ms).contains(&ttl),
            "{key} lives for {ttl} ms, not {least_ms} to {most_ms}"
        );
    }
}

#[test]
fn what_is_written_without_a_time_to_live_gets_the_default() {
    with_settings(&["--default-ttl", "1000"], |server| {
        assert_lives(server, write_everywhere(server, "none", None), 1_000_000, 1_000_000);
        assert_lives(server, write_everywhere(server, "some", Some(5_000)), 5_000_000, 5_000_000);
        let mut client = server.connect();
        assert_eq!(client.command("SET kept v EX 5000").to_string(), "+OK");
        assert_eq!(client.command("SET kept w KEEPTTL").to_string(), "+OK");
        assert!(client.command("PTTL kept").integer() > 4_000_000);
        // A change leaves the time that there is.
        assert_eq!(client.command("APPEND kept x").integer(), 2);
        assert!(client.command("PTTL kept").integer() > 4_000_000);
    });
}

#[test]
fn nothing_lives_longer_than_the_longest() {
    with_settings(&["--max-ttl", "1000"], |server| {
        assert_lives(server, write_everywhere(server, "short", Some(100)), 100_000, 100_000);
        assert_lives(server, write_everywhere(server, "long", Some(1_000_000)), 1_000_000, 1_000_000);
        assert_lives(server, write_everywhere(server, "none", None), 1_000_000, 1_000_000);
        let mut client = server.connect();
        assert_eq!(client.command("SET key v EX 100").to_string(), "+OK");
        for line in [
            "EXPIRE key 1000000",
            "PERSIST key",
            "GETEX key EX 100000",
            "GETEX key PERSIST",
            "SET key v EXAT 99999999999",
        ] {
            let reply = client.command(line).to_string();
            assert!(!reply.starts_with('-'), "{line}: {reply}");
            let ttl = client.command("PTTL key").integer();
            assert!((1..=1_000_000).contains(&ttl), "{line}: {ttl}");
        }
        let mut memcached = server.connect_memcached();
        assert_eq!(memcached.command("touch key 0"), "TOUCHED");
        let ttl = client.command("PTTL key").integer();
        assert!((1..=1_000_000).contains(&ttl), "touch: {ttl}");
        // Locks and rate limits live as long as they say.
        client.command("LOCK lock 2000000").integer();
        assert!(client.command("PTTL lock").integer() > 1_500_000);
    });
}

#[test]
fn a_write_without_a_time_to_live_is_refused_where_one_is_required() {
    with_settings(&["--require-ttl", "yes"], |server| {
        let mut client = server.connect();
        for (key, written) in write_everywhere(server, "none", None) {
            assert!(matches!(written, Written::Refused(_)), "{key}");
            assert_eq!(client.call(&["EXISTS", &key]).integer(), 0, "{key}");
            println!("{key}: {written:?}");
        }
        assert_lives(server, write_everywhere(server, "some", Some(1_000)), 1_000_000, 1_000_000);
        // What has a time to live may be changed, and not be made to live for ever.
        assert_eq!(client.command("APPEND some:set x").integer(), 2);
        assert!(client.command("PERSIST some:set").to_string().starts_with("-ERR"));
        assert!(client.command("GETEX some:set PERSIST").to_string().starts_with("-ERR"));
        assert!(client.command("PTTL some:set").integer() > 900_000);
        // A step over many keys is refused whole.
        assert!(client.command("MSET some:set 1 new:1 2").to_string().starts_with("-ERR"));
        assert_eq!(client.command("GET some:set").to_string(), "\"vx\"");
        assert_eq!(client.command("EXISTS new:1").integer(), 0);
        assert_eq!(client.command("SETABSENT absent").to_string(), "+OK");
        client.command("LOCK lock 60000").integer();
        assert_eq!(client.command("THROTTLE limit 1 1 60").elements()[0].integer(), 1);
        // With a default there is a time to live.
        assert_eq!(client.command("CONFIG SET default-ttl 1000").to_string(), "+OK");
        until("every shard has heard of it", || {
            write_everywhere(server, "none", None).iter().all(|(_, written)| *written == Written::Stored)
        });
    });
}

#[test]
fn jitter_depends_on_the_key_alone() {
    const KEYS: usize = 60;
    const JITTER: [&str; 2] = ["--ttl-jitter", "50"];
    if is_redis() {
        return;
    }
    let mut seen: Option<Vec<i64>> = None;
    for (shards, policy) in crate::SERVERS {
        let server = launch(shards, policy).flags(JITTER).start();
        let mut client = server.connect();
        let mut ends = Vec::new();
        for number in 0..KEYS {
            assert_eq!(client.command(&format!("SET at:{number} v EX 100000")).to_string(), "+OK");
            let ttl = client.command(&format!("PTTL at:{number}")).integer();
            assert!((100_000_000 - SLACK_MS..=150_000_000).contains(&ttl), "{ttl}");
            ends.push(ttl);
        }
        let (least, most) = (ends.iter().min().expect("keys"), ends.iter().max().expect("keys"));
        assert!(most - least > 30_000_000, "{KEYS} keys end within {} ms", most - least);
        if let Some(before) = &seen {
            for (now, before) in ends.iter().zip(before) {
                assert!((now - before).abs() < SLACK_MS, "{now} and {before} of one key in two servers");
            }
        }
        seen = Some(ends);
    }
}

#[test]
fn the_settings_name_their_range() {
    with_settings(&[], |server| {
        let mut client = server.connect();
        for (name, good, bad) in [
            ("default-ttl", "60", "-1"),
            ("max-ttl", "60", "x"),
            ("absent-ttl", "60", "-1"),
            ("ttl-jitter", "100", "101"),
            ("require-ttl", "yes", "perhaps"),
        ] {
            assert_eq!(client.command(&format!("CONFIG SET {name} {good}")).to_string(), "+OK");
            let shown = client.command(&format!("CONFIG GET {name}"));
            assert_eq!(shown.elements()[1].text().as_deref(), Some(good), "{name}");
            let refused = client.command(&format!("CONFIG SET {name} {bad}")).to_string();
            assert!(refused.starts_with("-ERR") && refused.contains(name), "{refused}");
        }
    });
}

#[test]
fn a_note_of_absence_lives_for_its_setting() {
    with_settings(&["--absent-ttl", "1"], |server| {
        let mut client = server.connect();
        assert_eq!(client.command("SETABSENT key").to_string(), "+OK");
        assert_eq!(client.command("SETABSENT long EX 1000").to_string(), "+OK");
        until("it ends", || client.command("GETL key 1000").elements()[0].text().as_deref() == Some("win"));
        assert_eq!(client.command("GETL long 1000").to_string(), "[\"absent\", nil, nil]");
    });
}
