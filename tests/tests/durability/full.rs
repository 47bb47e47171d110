//! A disk that is full: writes are refused in Redis's words, reads go on, and when there is room writes do, by themselves.

use std::fs;
use std::path::Path;

use locksley_tests::client::Client;
use locksley_tests::directory::files_below;
use locksley_tests::mount::Mount;
use locksley_tests::server::Server;
use locksley_tests::wait::until;

use crate::{is_redis, launch};

/// The whole disk.
const DISK_BYTES: u64 = 32 << 20;
/// Length of a value.
const VALUE_BYTES: usize = 50_000;
/// Redis's words.
const REFUSED: &str = "-MISCONF Errors writing to the AOF file: No space left on device";

/// A small disk with ballast on it.
struct Disk {
    mount: Mount,
}

impl Disk {
    /// `None`, and the reason printed, where it cannot be had.
    fn new(ballast_bytes: usize) -> Option<Self> {
        match Mount::memory(DISK_BYTES) {
            Ok(mount) => {
                fs::write(mount.path().join("ballast"), vec![0; ballast_bytes]).expect("there is room for it");
                fs::create_dir(mount.path().join("data")).expect("there is room for it");
                Some(Self { mount })
            }
            Err(why) => {
                println!("skipped: no file system can be mounted here: {why}");
                None
            }
        }
    }

    fn data(&self) -> std::path::PathBuf {
        self.mount.path().join("data")
    }

    fn free(&self) {
        fs::remove_file(self.mount.path().join("ballast")).expect("it is there");
    }

    fn start(&self, shards: u32, policy: &str) -> Server {
        // No snapshot comes by itself: one would make room.
        launch(&self.data(), shards, policy).flags(["--auto-aof-rewrite-percentage", "0"]).start()
    }
}

fn value(number: usize) -> String {
    format!("{number:0VALUE_BYTES$}")
}

/// Sets keys from `first` on until a write is refused; gives the first key that was not set.
fn set_until_refused(client: &mut Client, first: usize) -> usize {
    let mut number = first;
    loop {
        match client.call(&["SET", &format!("key:{number}"), &value(number)]).to_string().as_str() {
            "+OK" => number += 1,
            REFUSED => return number,
            other => panic!("SET answers {other}"),
        }
        assert!(number as u64 * VALUE_BYTES as u64 <= 4 * DISK_BYTES, "the disk does not get full");
    }
}

fn assert_there(client: &mut Client, numbers: std::ops::Range<usize>) {
    for number in numbers {
        assert_eq!(client.call(&["GET", &format!("key:{number}")]).text(), Some(value(number)), "key:{number}");
    }
}

fn temporary_files(directory: &Path) -> Vec<std::path::PathBuf> {
    let is_temporary = |path: &std::path::PathBuf| path.to_string_lossy().contains(".tmp");
    files_below(directory).into_iter().filter(is_temporary).collect()
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_room() {
    if is_redis() {
        return;
    }
    for (policy, shards) in [("everysec", 2), ("always", 1), ("no", 2)] {
        let Some(disk) = Disk::new(10 << 20) else { return };
        let server = disk.start(shards, policy);
        let mut client = server.connect();
        let set = set_until_refused(&mut client, 0);
        // The last room is for small values, and for requests no longer than any below; each shard has its own.
        let (mut filler, mut refused, mut attempt) = (0, 0, 0);
        while refused < 40 {
            let is_set = client.command(&format!("SET {attempt:x} v")).to_string() == "+OK";
            attempt += 1;
            filler += usize::from(is_set);
            refused = if is_set { 0 } else { refused + 1 };
        }
        assert!(set > 50, "{set} values of {VALUE_BYTES} bytes found room on {DISK_BYTES} bytes");
        // Everything that is there can be read, and INFO says how things stand.
        assert_there(&mut client, 0..set);
        assert_eq!(client.info("aof_last_write_status"), "err");
        for line in ["APPEND key:0 x", "MSET a 1 b 2 c 3", "RENAME key:0 key:1", "SETRANGE key:0 5 x"] {
            assert_eq!(client.command(line).to_string(), REFUSED, "{line}");
        }
        // Commands that change nothing go on.
        for line in ["PING", "EXISTS key:0", "STRLEN key:0", "DBSIZE", "TTL key:0"] {
            assert!(!client.command(line).to_string().starts_with('-'), "{line}");
        }
        disk.free();
        until("writes go on by themselves", || {
            let reply = client.call(&["SET", &format!("key:{set}"), &value(set)]).to_string();
            assert!(reply == "+OK" || reply == REFUSED, "SET answers {reply}");
            reply == "+OK"
        });
        until("INFO says so", || client.info("aof_last_write_status") == "ok");
        let more = set_until_refused(&mut client, set + 1);
        assert!(more > set + 20, "only {} more values found room", more - set);
        // The disk is full again: a start on it must find everything, and serve reads at least.
        crate::kill(server);
        let server = disk.start(shards % 2 + 1, policy);
        let mut client = server.connect();
        until("everything is loaded", || !client.command("DBSIZE").to_string().starts_with('-'));
        assert_eq!(client.command("DBSIZE").integer(), (more + filler) as i64);
        assert_there(&mut client, 0..more);
        println!("{policy}: {set} values, then {} more, all there after kill -9 on the full disk", more - set);
    }
}

#[test]
fn a_snapshot_on_a_full_disk_fails_and_goes_away() {
    if is_redis() {
        return;
    }
    // So much that a snapshot of what fits beside it fits into its place.
    let Some(disk) = Disk::new(20 << 20) else { return };
    let server = disk.start(2, "everysec");
    let mut client = server.connect();
    let set = set_until_refused(&mut client, 0);
    let saves = client.info_number("rdb_saves");
    assert!(client.command("BGSAVE").to_string().starts_with("+Background saving"));
    until("the snapshot has failed", || client.info("rdb_last_bgsave_status") == "err");
    assert_eq!(client.info_number("rdb_saves"), saves);
    until("what it had written is gone", || temporary_files(&disk.data()).is_empty());
    assert_there(&mut client, 0..set);
    disk.free();
    until("writes go on", || client.command("SET after room").to_string() == "+OK");
    until("a snapshot is complete", || {
        let is_good = client.info("rdb_last_bgsave_status") == "ok" && client.info_number("rdb_saves") > saves;
        if !is_good && client.info_number("rdb_bgsave_in_progress") == 0 {
            client.command("BGSAVE");
        }
        is_good
    });
    crate::kill(server);
    let server = disk.start(1, "everysec");
    let mut client = server.connect();
    until("everything is loaded", || !client.command("DBSIZE").to_string().starts_with('-'));
    assert_eq!(client.command("GET after").to_string(), "\"room\"");
    assert_there(&mut client, 0..set);
}
