//! Data directories of every format version are loaded, for ever, by any number of shards.
//!
//! `tests/formats/v1` was written by the first server that had the format: by three shards up to a snapshot and a kill, then by two
//! shards up to another kill, with the zeros at the ends of its files cut off. When a new version comes, a directory of it joins; none is ever
//! changed or removed. `LOCKSLEY_WRITE_FORMAT=v2 cargo test -p locksley-tests --test formats` writes one.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use locksley_tests::binary::{Kind, subject, workspace};
use locksley_tests::client::Client;
use locksley_tests::directory::{Directory, copy, files_below};
use locksley_tests::server::{Launch, Server};

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
    ("DBSIZE", ":113"),
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
    Launch::subject().directory(directory).durable("always").shards(shards).flags(["--wal-segment-size", "1mb"]).start()
}

fn run(client: &mut Client, lines: &[&str]) {
    for line in lines {
        let reply = client.command(line).to_string();
        assert!(!reply.starts_with('-'), "{line}: {reply}");
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
    assert_eq!(client.command("SAVE").to_string(), "+OK");
    run(&mut client, AFTER_SNAPSHOT);
    fill(&mut client);
    server.stop("KILL");
    let server = start(directory, 2);
    run(&mut server.connect(), NEXT_GENERATION);
    server.stop("KILL");
}

fn check(directory: &Path) {
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
            assert_eq!(client.info_number("wal_last_load_cut_bytes"), 0, "{context}");
            server.stop(if shards == 2 { "KILL" } else { "TERM" });
        }
    }
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
    for version in versions {
        check(&version);
    }
}

#[test]
fn a_directory_of_today_is_loaded() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    write(directory.path());
    check(directory.path());
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
