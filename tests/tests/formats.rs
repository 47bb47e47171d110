//! Data directories of every format version are loaded, for ever, by any number of shards.
//!
//! Each directory in `tests/formats` was written by the first server that had its version: by three shards up to a snapshot and a kill,
//! then by two shards up to another kill, with the zeros at the ends of its files cut off. Version 2 has values that were declared out of date,
//! too; version 3 has values with a grace, notes that there is nothing, locks and a prefix that was deleted. When a new version comes, a directory of it joins; none is ever changed or removed.
//! `LOCKSLEY_WRITE_FORMAT=v4 cargo test -p locksley-tests --test formats` writes one.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use locksley_tests::binary::{Kind, subject, workspace};
use locksley_tests::client::Client;
use locksley_tests::directory::{Directory, copy, files_below};
use locksley_tests::server::{Launch, Server};

/// The version that is written today.
const VERSION: u32 = 3;

/// What three shards did before the snapshot.
const BEFORE_SNAPSHOT: &[&str] = &[
    "SET text hello",
    "SET number 12345",
    "SET negative -9223372036854775808",
    "SET empty-later x",
    "SETRANGE sparse 10 end",
    "SET expiring soon PXAT 99999999999999",
    "SET deleted value",
    "MSET {g}a 1 {g}b 2 {g}c 3",
    "MSET one 1 two 2 three 3 four 4",
    "SELECT 5",
    "SET other database",
    "SET gone flushed",
    "SELECT 3",
    "SET swapped here",
];

/// What they did after it.
const AFTER_SNAPSHOT: &[&str] = &[
    "SELECT 0",
    "APPEND text _world",
    "INCRBY number -45",
    "DEL deleted",
    "SETRANGE sparse 0 start",
    "GETDEL empty-later",
    "RENAME one uno",
    "PEXPIREAT two 88888888888888",
    "PERSIST expiring",
    "COPY three copy DB 7",
    "SWAPDB 3 4",
];

/// What two shards did in the next generation.
const NEXT_GENERATION: &[&str] = &[
    "SELECT 5",
    "FLUSHDB",
    "SET other again",
    "SELECT 0",
    "DECR number",
    "APPEND text !",
    "MSET {g}a 10 {g}b 20 {g}c 30",
    "SETBIT bits 100 1",
    "DEL four",
    "SELECT 4",
    "APPEND swapped _after",
];

/// What is declared out of date, by memcached's commands: in version 2.
const STALE_BEFORE_SNAPSHOT: &[&str] = &["md stale:old I", "md stale:renewed I", "md stale:spliced I"];

const STALE_AFTER_SNAPSHOT: &[&str] = &["md stale:late I", "md stale:limited I T2000000000"];

const STALE_NEXT_GENERATION: &[&str] = &["md stale:last I"];

/// The keys of these, and one that stays as it is.
const STALE_KEYS: [&str; 7] = ["old", "renewed", "spliced", "late", "limited", "last", "fresh"];

/// Command and reply of memcached, of what must be there in the end. Whoever reads a stale value first wins (W), and
/// the next is told so (Z).
const STALE_EXPECTED: &[(&str, &str)] = &[
    ("mg stale:old s t", "HD s5 t-1 X W"),
    ("mg stale:old s t", "HD s5 t-1 Z X"),
    ("mg stale:renewed s t", "HD s7 t-1"),
    ("mg stale:spliced s t", "HD s6 t-1 X W"),
    ("mg stale:late s t", "HD s5 t-1 X W"),
    ("mg stale:limited s", "HD s5 X W"),
    ("mg stale:last s t", "HD s5 t-1 X W"),
    ("mg stale:fresh s t", "HD s5 t-1"),
];

/// What caches need: in version 3. Where `TOKEN` stands, the token goes that the command before it gave.
const CACHE_BEFORE_SNAPSHOT: &[&str] = &[
    "GETL cache:graced 1000",
    // Time passes, so that the value cost some.
    "GETL cache:graced 1000 BLOCK 20",
    "SETL cache:graced TOKEN value PXAT 99999999999999 STALE 1000000",
    "GETL cache:replaced 1000",
    "SETL cache:replaced TOKEN value PXAT 99999999999999 STALE 1000000",
    "GETL cache:spliced 1000",
    "SETL cache:spliced TOKEN value PXAT 99999999999999 STALE 1000000",
    "SETABSENT cache:absent EX 90000000000",
    "SETABSENT cache:filled EX 90000000000",
    "LOCK cache:lock 1000000",
    "PEXPIREAT cache:lock 99999999999999",
    "LOCK cache:unlocked 1000000",
    "MSET cache:prefix:1 x cache:prefix:2 x cache:prefix:3 x",
];

const CACHE_AFTER_SNAPSHOT: &[&str] = &[
    "UNLOCK cache:unlocked TOKEN",
    "SET cache:replaced replaced KEEPTTL",
    "APPEND cache:spliced +",
    "SET cache:filled filled",
    "GETL cache:late 1000",
    "SETL cache:late TOKEN value PXAT 99999999999999 STALE 1000000",
    "SETABSENT cache:late-absent EX 90000000000",
    "LOCK cache:late-lock 1000000",
    "PEXPIREAT cache:late-lock 99999999999999",
    "SET cache:prefix:4 x",
    "DELPREFIX cache:prefix:",
    "SET cache:prefix:new new",
];

const CACHE_NEXT_GENERATION: &[&str] = &["SETABSENT cache:last-absent EX 90000000000", "APPEND cache:late +"];

/// Command and reply, of what must be there in the end.
const CACHE_EXPECTED: &[(&str, &str)] = &[
    ("SELECT 0", "+OK"),
    ("MGET cache:graced cache:replaced cache:spliced", "[\"value\", \"replaced\", \"value+\"]"),
    ("MGET cache:late cache:filled cache:unlocked", "[\"value+\", \"filled\", nil]"),
    ("PEXPIRETIME cache:graced", ":99999999999999"),
    ("PEXPIRETIME cache:replaced", ":99999999999999"),
    ("PEXPIRETIME cache:spliced", ":99999999999999"),
    ("PEXPIRETIME cache:late", ":99999999999999"),
    ("EXISTS cache:absent cache:late-absent cache:last-absent", ":0"),
    ("GETL cache:absent 1000", "[\"absent\", nil, nil]"),
    ("GETL cache:late-absent 1000", "[\"absent\", nil, nil]"),
    ("GETL cache:last-absent 1000", "[\"absent\", nil, nil]"),
    ("TYPE cache:lock", "+lock"),
    ("PEXPIRETIME cache:lock", ":99999999999999"),
    ("LOCK cache:lock 1000", "nil"),
    ("UNLOCK cache:late-lock 1", ":0"),
    ("TYPE cache:late-lock", "+lock"),
    ("MGET cache:prefix:1 cache:prefix:2 cache:prefix:3 cache:prefix:4", "[nil, nil, nil, nil]"),
    ("GET cache:prefix:new", "\"new\""),
];

/// Keys of these, notes and locks included.
const CACHE_KEY_COUNT: usize = 11;

/// Command and reply, of what must be there in the end.
const EXPECTED: &[(&str, &str)] = &[
    ("SELECT 0", "+OK"),
    ("GET text", "\"hello_world!\""),
    ("GET number", "\"12299\""),
    ("GET negative", "\"-9223372036854775808\""),
    ("OBJECT ENCODING negative", "\"int\""),
    ("EXISTS empty-later deleted one four", ":0"),
    ("GET sparse", "\"start\\x00\\x00\\x00\\x00\\x00end\""),
    ("PEXPIRETIME expiring", ":-1"),
    ("GET expiring", "\"soon\""),
    ("MGET {g}a {g}b {g}c", "[\"10\", \"20\", \"30\"]"),
    ("MGET uno two three", "[\"1\", \"2\", \"3\"]"),
    ("PEXPIRETIME two", ":88888888888888"),
    ("GETBIT bits 100", ":1"),
    ("BITCOUNT bits", ":1"),
    ("STRLEN long", ":300000"),
    ("STRLEN filler:0", ":300"),
    ("SELECT 3", "+OK"),
    ("DBSIZE", ":0"),
    ("SELECT 4", "+OK"),
    ("GET swapped", "\"here_after\""),
    ("DBSIZE", ":1"),
    ("SELECT 5", "+OK"),
    ("GET other", "\"again\""),
    ("DBSIZE", ":1"),
    ("SELECT 7", "+OK"),
    ("GET copy", "\"3\""),
    ("DBSIZE", ":1"),
];

fn start(directory: &Path, shards: u32) -> Server {
    let launch = Launch::subject().directory(directory).durable("always").shards(shards).memcached();
    launch.flags(["--wal-segment-size", "1mb"]).start()
}

fn run(client: &mut Client, lines: &[&str]) {
    for line in lines {
        let reply = client.command(line).to_string();
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
}

/// As [`run`], with the tokens that commands give.
fn run_with_tokens(client: &mut Client, token: &mut String, lines: &[&str]) {
    for line in lines {
        let reply = client.command(&line.replace("TOKEN", token)).to_string();
        assert!(!reply.starts_with('-') && reply != "nil", "{line}: {reply}");
        let given = reply.strip_prefix("[\"win\", :").and_then(|rest| rest.split(',').next());
        if let Some(given) = given.or_else(|| reply.strip_prefix(':').filter(|_| line.starts_with("LOCK"))) {
            given.clone_into(token);
        }
    }
}

fn run_memcached(server: &Server, lines: &[&str]) {
    let mut client = server.connect_memcached();
    for line in lines {
        assert_eq!(client.command(line), "HD", "{line}");
    }
}

/// A value longer than a frame, and some others.
fn fill(client: &mut Client) {
    let long: Vec<u8> = (0..300_000_u32).map(|index| (index % 251) as u8).collect();
    client.call(&[b"SET".as_slice(), b"long", &long]);
    for number in 0..100 {
        client.command(&format!("SET filler:{number} {}", "f".repeat(300)));
    }
}

/// Writes a directory as `tests/formats` has them.
fn write(directory: &Path) {
    let server = start(directory, 3);
    let mut client = server.connect();
    run(&mut client, BEFORE_SNAPSHOT);
    // memcached knows one database.
    client.command("SELECT 0");
    for key in STALE_KEYS {
        client.command(&format!("SET stale:{key} value"));
    }
    run_memcached(&server, STALE_BEFORE_SNAPSHOT);
    let mut token = String::new();
    run_with_tokens(&mut client, &mut token, CACHE_BEFORE_SNAPSHOT);
    assert_eq!(client.command("SAVE").to_string(), "+OK");
    run(&mut client, AFTER_SNAPSHOT);
    run(&mut client, &["SET stale:renewed renewed", "APPEND stale:spliced +"]);
    run_memcached(&server, STALE_AFTER_SNAPSHOT);
    run_with_tokens(&mut client, &mut token, CACHE_AFTER_SNAPSHOT);
    fill(&mut client);
    server.stop("KILL");
    let server = start(directory, 2);
    run(&mut server.connect(), NEXT_GENERATION);
    run_memcached(&server, STALE_NEXT_GENERATION);
    run_with_tokens(&mut server.connect(), &mut token, CACHE_NEXT_GENERATION);
    server.stop("KILL");
}

fn check(directory: &Path, version: u32) {
    for shards in [1, 2, 3] {
        let copied = Directory::new();
        copy(directory, copied.path()).expect("it can be copied");
        for start_number in 1..=2 {
            let server = start(copied.path(), shards);
            let mut client = server.connect();
            let context = format!("{}, {shards} shards, start {start_number}", directory.display());
            for (line, expected) in EXPECTED {
                assert_eq!(client.command(line).to_string(), *expected, "{context}: {line}");
            }
            let newer_count = check_stale(&server, version, &context) + check_cache(&mut client, version, &context);
            client.command("SELECT 0");
            assert_eq!(client.command("DBSIZE").to_string(), format!(":{}", 113 + newer_count), "{context}");
            assert_eq!(client.info_number("wal_last_load_cut_bytes"), 0, "{context}");
            server.stop(if shards == 2 { "KILL" } else { "TERM" });
        }
    }
}

/// Reads what version 2 has beyond version 1; returns how many keys these are.
fn check_stale(server: &Server, version: u32, context: &str) -> usize {
    if version < 2 {
        return 0;
    }
    let mut client = server.connect_memcached();
    for (line, expected) in STALE_EXPECTED {
        assert_eq!(client.command(line), *expected, "{context}: {line}");
    }
    STALE_KEYS.len()
}

/// Reads what version 3 has beyond version 2; returns how many keys these are.
fn check_cache(client: &mut Client, version: u32, context: &str) -> usize {
    if version < 3 {
        return 0;
    }
    for (line, expected) in CACHE_EXPECTED {
        assert_eq!(client.command(line).to_string(), *expected, "{context}: {line}");
    }
    CACHE_KEY_COUNT
}

fn is_redis() -> bool {
    subject().0 == Kind::Redis
}

#[test]
fn directories_of_every_version_are_loaded() {
    if is_redis() {
        return;
    }
    let formats = workspace().join("tests/formats");
    let entries = fs::read_dir(&formats).expect("there are fixtures").filter_map(Result::ok).map(|entry| entry.path());
    let mut versions: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    versions.sort();
    assert!(!versions.is_empty(), "there is no directory in {}", formats.display());
    for path in versions {
        let name = path.file_name().and_then(OsStr::to_str).expect("a directory has a name");
        let version = name.strip_prefix('v').and_then(|number| number.parse().ok()).expect("it is that of a version");
        check(&path, version);
    }
}

#[test]
fn a_directory_of_today_is_loaded() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    write(directory.path());
    check(directory.path(), VERSION);
    if let Some(name) = env::var_os("LOCKSLEY_WRITE_FORMAT") {
        let target = workspace().join("tests/formats").join(name);
        assert!(!target.exists(), "{} stays as it is", target.display());
        copy(directory.path(), &target).expect("it can be copied");
        // What was prepared and not used is all zeros.
        for path in files_below(&target) {
            let bytes = fs::read(&path).expect("it can be read");
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1).next_multiple_of(8);
            if used == 0 || path.ends_with("lock") {
                fs::remove_file(path).expect("it can be removed");
            } else if path.extension().is_some_and(|end| end == "wal") {
                fs::write(path, &bytes[..used.max(4096)]).expect("it can be written");
            }
        }
    }
}
