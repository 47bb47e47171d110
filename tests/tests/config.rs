//! Configuration from outside: the command line, files, CONFIG, and what happens when they are wrong.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use locksley_tests::binary::{Kind, subject};
use locksley_tests::client::Client;
use locksley_tests::reply::Reply;
use locksley_tests::server::{Ended, Launch, wait_for_output};

/// One setting as CONFIG GET tells it.
fn setting(client: &mut Client, name: &str) -> String {
    let reply = client.call(&["CONFIG", "GET", name]);
    let [_, value] = reply.elements() else { panic!("CONFIG GET {name} answers {reply}") };
    value.text().expect("a setting is a text")
}

/// Every setting CONFIG GET knows, with its value, by name.
fn settings(client: &mut Client) -> Vec<(String, String)> {
    let reply = client.command("CONFIG GET *");
    let text = |reply: &Reply| reply.text().expect("a setting is a text");
    let mut settings: Vec<_> = reply.elements().chunks(2).map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
    settings.sort();
    settings
}

/// Starts with what cannot be right; the end has to be status 1 and one understandable sentence.
fn refused(launch: Launch) -> String {
    let Ended { status, output } = launch.try_start().expect_err("the server refuses to start");
    assert_eq!(status.code(), Some(1), "{output}");
    assert!(!output.contains("panicked"), "{output}");
    assert!(!output.trim().is_empty(), "the server ends without a word");
    output
}

#[test]
fn a_bad_flag_ends_start_up_with_a_sentence() {
    for (flags, name) in [
        (["--maxmemory", "lots"], "maxmemory"),
        (["--maxmemory-policy", "whatever"], "maxmemory-policy"),
        (["--timeout", "-5"], "timeout"),
        (["--protected-mode", "maybe"], "protected-mode"),
    ] {
        let output = refused(Launch::subject().flags(flags));
        assert!(output.contains(name), "{flags:?}: {output}");
    }
}

#[test]
fn a_bad_line_of_a_file_is_named() {
    for (text, part) in [
        ("port 7000\nmaxmemory lots\n", "maxmemory"),
        ("# words\n\ntimeout x\n", "timeout"),
        ("maxmemory\n", "maxmemory"),
        ("requirepass \"open\n", "requirepass"),
        ("nosuchsetting 1\n", "nosuchsetting"),
    ] {
        let launch = Launch::subject().config(text);
        let kind = launch.kind();
        let output = refused(launch);
        let line = text.lines().position(|line| line.contains(part)).expect("the line is there") + 1;
        let place = if kind == Kind::Redis { format!("line {line}") } else { format!("server.conf:{line}") };
        assert!(output.contains(&place), "{text:?} should name {place}: {output}");
    }
}

#[test]
fn an_unknown_setting_names_the_nearest_one() {
    let launch = Launch::subject();
    if launch.kind() == Kind::Redis {
        println!("skipped: redis-server does not guess");
        return;
    }
    for (wrong, right) in [
        ("maxmemroy", "maxmemory"),
        ("max-clients", "maxclients"),
        ("require-pass", "requirepass"),
        ("shard", "shards"),
    ] {
        let output = refused(Launch::subject().flags([format!("--{wrong}"), "1".to_owned()]));
        assert!(output.contains(wrong) && output.contains(&format!("'{right}'")), "{output}");
        let output = refused(Launch::subject().config(&format!("{wrong} 1\n")));
        assert!(output.contains(wrong) && output.contains(&format!("'{right}'")), "{output}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let output = refused(Launch::subject().config("include /nowhere/at-all.conf\n"));
    assert!(output.contains("/nowhere/at-all.conf"), "{output}");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
    let port = taken.local_addr().expect("it has an address").port();
    let output = refused(Launch::subject().port(port));
    assert!(output.contains(&port.to_string()), "{output}");
}

#[test]
fn a_second_server_on_a_port_is_refused() {
    let mut first = Launch::subject().shards(2).start();
    let output = refused(Launch::subject().shards(2).port(first.port()));
    assert!(output.contains(&first.port().to_string()), "{output}");
    first.assert_serves();
}

#[test]
fn flags_are_written_with_a_space_or_an_equals_sign() {
    let launch = Launch::subject();
    let flags: &[&str] = if launch.kind() == Kind::Redis {
        &["--maxmemory", "15gb", "--timeout", "300"]
    } else {
        &["--maxmemory", "15gb", "--timeout=300"]
    };
    let server = launch.flags(flags.iter().copied()).start();
    let mut client = server.connect();
    assert_eq!(setting(&mut client, "maxmemory"), (15_u64 << 30).to_string());
    assert_eq!(setting(&mut client, "timeout"), "300");
}

#[test]
fn memory_is_written_in_units() {
    for (text, bytes) in [
        ("100000000", 100_000_000_u64),
        ("100000k", 100_000_000),
        ("100000kb", 102_400_000),
        ("100m", 100_000_000),
        ("100MB", 104_857_600),
        ("2g", 2_000_000_000),
        ("2Gb", 2_147_483_648),
    ] {
        let server = Launch::subject().flags(["--maxmemory", text]).start();
        assert_eq!(setting(&mut server.connect(), "maxmemory"), bytes.to_string(), "{text}");
    }
}

#[test]
fn flags_win_over_the_file() {
    let server = Launch::subject()
        .config("# A comment.\ntimeout 100\n\nMAXCLIENTS 77\nmaxmemory 1gb\nslowlog-max-len 5\n")
        .flags(["--timeout", "200"])
        .start();
    let mut client = server.connect();
    assert_eq!(setting(&mut client, "timeout"), "200");
    assert_eq!(setting(&mut client, "maxclients"), "77");
    assert_eq!(setting(&mut client, "maxmemory"), (1_u64 << 30).to_string());
    assert_eq!(setting(&mut client, "slowlog-max-len"), "5");
}

#[test]
fn rewriting_keeps_comments_and_writes_what_was_changed() {
    let server = Launch::subject()
        .config("# Keep this comment.\ntimeout 100\n\n# And this one.\nmaxclients 77\nrequirepass \"two words\"\n")
        .start();
    let mut client = server.connect();
    assert_eq!(client.call(&["AUTH", "two words"]).to_string(), "+OK");
    assert_eq!(client.command("CONFIG SET timeout 123 maxmemory 1gb").to_string(), "+OK");
    assert_eq!(client.command("CONFIG SET maxmemory-policy allkeys-lru").to_string(), "+OK");
    assert_eq!(client.command("CONFIG REWRITE").to_string(), "+OK");
    let text = fs::read_to_string(server.directory().join("server.conf")).expect("the file is there");
    for line in ["# Keep this comment.", "timeout 123", "# And this one.", "maxclients 77"] {
        assert!(text.lines().any(|written| written == line), "{line:?} is missing:\n{text}");
    }
    assert!(!text.contains("timeout 100"), "{text}");
    let again = Launch::subject().config(&text).start();
    let mut client = again.connect();
    assert_eq!(client.call(&["AUTH", "two words"]).to_string(), "+OK");
    assert_eq!(setting(&mut client, "timeout"), "123");
    assert_eq!(setting(&mut client, "maxmemory"), (1_u64 << 30).to_string());
    assert_eq!(setting(&mut client, "maxmemory-policy"), "allkeys-lru");
    assert_eq!(setting(&mut client, "maxclients"), "77");
}

#[test]
fn every_setting_takes_its_own_value_back() {
    let server = Launch::subject().start();
    if server.kind() == Kind::Redis {
        println!("skipped: some settings of redis-server cannot be read back");
        return;
    }
    let mut client = server.connect();
    let before = settings(&mut client);
    assert!(before.len() > 20, "CONFIG GET * knows {} settings", before.len());
    for (name, value) in &before {
        let reply = client.call(&["CONFIG", "SET", name, value]).to_string();
        let is_fixed = reply.contains("can't set immutable config");
        assert!(reply == "+OK" || is_fixed, "CONFIG SET {name} {value:?}: {reply}");
    }
    assert_eq!(settings(&mut client), before);
}

#[test]
fn a_refused_set_changes_nothing() {
    let server = Launch::subject().start();
    let mut client = server.connect();
    let before = settings(&mut client);
    for words in [
        "CONFIG SET timeout 5 maxclients x",
        "CONFIG SET timeout 5 nosuch 1",
        "CONFIG SET timeout 5 maxmemory-policy whatever",
        "CONFIG SET timeout 5 databases 3",
        "CONFIG SET timeout 5 timeout 6",
    ] {
        let reply = client.command(words).to_string();
        assert!(reply.starts_with("-ERR"), "{words}: {reply}");
        assert_eq!(settings(&mut client), before, "{words}");
    }
}

#[test]
fn resetstat_takes_the_counters_back() {
    let server = Launch::subject().shards(2).start();
    let mut client = server.connect();
    for number in 0..100 {
        client.command(&format!("SET key:{number} v"));
        client.command(&format!("GET key:{number}"));
        client.command(&format!("GET missing:{number}"));
    }
    assert_eq!((client.info_number("keyspace_hits"), client.info_number("keyspace_misses")), (100, 100));
    assert!(client.info_number("total_commands_processed") >= 300);
    assert_eq!(client.command("CONFIG RESETSTAT").to_string(), "+OK");
    assert_eq!((client.info_number("keyspace_hits"), client.info_number("keyspace_misses")), (0, 0));
    assert!(client.info_number("total_commands_processed") < 20);
    assert_eq!(client.command("DBSIZE").integer(), 100);
}

#[test]
fn the_configuration_of_debian_is_accepted() {
    // What only concerns how Debian starts its service is set back by flags.
    let text = fs::read_to_string("/etc/redis/redis.conf").unwrap_or_else(|_| {
        println!("the file of the package cannot be read; a short one stands in for it");
        "bind 127.0.0.1 -::1\nprotected-mode yes\ntcp-backlog 511\ntimeout 0\ntcp-keepalive 300\ndaemonize yes\n\
         pidfile /run/redis/redis-server.pid\nloglevel notice\ndatabases 16\nalways-show-logo no\n\
         stop-writes-on-bgsave-error yes\nrdbcompression yes\ndbfilename dump.rdb\nreplica-priority 100\n\
         appendonly no\nappendfsync everysec\nhash-max-listpack-entries 512\nstream-node-max-bytes 4096\n\
         client-output-buffer-limit normal 0 0 0\nclient-output-buffer-limit pubsub 32mb 8mb 60\nhz 10\n"
            .to_owned()
    });
    let mut server = Launch::subject().config(&text).flags(["--daemonize", "no", "--logfile", ""]).start();
    server.assert_serves();
    if server.kind() == Kind::Locksley {
        let printed = server.printed();
        for name in ["rdbcompression", "hash-max-listpack-entries"] {
            let count = printed.lines().filter(|line| line.contains(name)).count();
            assert_eq!(count, 1, "{name} is warned about once:\n{printed}");
        }
    }
}

#[test]
fn the_banner_says_what_was_started() {
    let launch = Launch::subject().shards(2).flags(["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let server = launch.start();
    if server.kind() == Kind::Redis {
        println!("skipped: redis-server has another banner");
        return;
    }
    wait_for_output(&server, "Ready to accept connections");
    let printed = server.printed();
    for part in ["shards", "100", "allkeys-lru", &server.port().to_string()] {
        assert!(printed.contains(part), "{part:?} is missing:\n{printed}");
    }
}

#[test]
fn a_missing_directory_is_made() {
    let launch = Launch::subject();
    if launch.kind() == Kind::Redis {
        println!("skipped: redis-server wants its directory to exist");
        return;
    }
    let server = Launch::subject().flags(["--dir", "made/by/the/server"]).start();
    assert!(server.directory().join("made/by/the/server").is_dir());
}

#[test]
fn the_help_lists_every_setting() {
    let (kind, program) = subject();
    if kind == Kind::Redis {
        println!("skipped: redis-server's help does not list its settings");
        return;
    }
    let output = Command::new(&program).arg("--help").output().expect("the program runs");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{help}");
    let server = Launch::subject().start();
    for (name, _) in settings(&mut server.connect()) {
        assert!(help.contains(&format!("--{name}")), "--{name} is missing:\n{help}");
    }
    let version = Command::new(&program).arg("--version").output().expect("the program runs");
    assert!(version.status.success() && String::from_utf8_lossy(&version.stdout).contains("locksley"));
}

#[test]
fn more_databases_than_were_asked_for_do_not_exist() {
    let server = Launch::subject().shards(2).flags(["--databases", "4"]).start();
    let mut client = server.connect();
    assert_eq!(client.command("SELECT 3").to_string(), "+OK");
    assert_eq!(client.command("SELECT 4").to_string(), "-ERR DB index is out of range");
}
