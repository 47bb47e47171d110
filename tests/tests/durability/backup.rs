//! Snapshots as backups, how many are kept, and how large the data directory gets.

use std::fs;
use std::path::{Path, PathBuf};

use locksley_tests::directory::{Directory, bytes_below, copy};
use locksley_tests::wait::{until, until_or};

use crate::{assert_filled, fill, is_redis, kill, launch, snapshot};

/// The complete snapshots in a data directory.
fn complete(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory.join("snapshots")) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_none());
    paths.sort();
    paths
}

#[test]
fn a_snapshot_copied_away_while_serving_is_a_backup() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let server = launch(directory.path(), 3, "everysec").start();
    let mut client = server.connect();
    fill(&mut client, "key", 2_000, 500);
    assert_eq!(client.command("SET brief value PXAT 99999999999999").to_string(), "+OK");
    snapshot(&mut client);
    let backup = Directory::new();
    // Writing goes on meanwhile; the copy is of one snapshot's directory, nothing else.
    client.send(&["FLUSHALL"]).expect("the server reads");
    let newest = complete(directory.path()).pop().expect("there is one");
    let name = newest.file_name().expect("it has one").to_owned();
    copy(&newest, &backup.path().join("snapshots").join(name)).expect("it can be copied");
    assert_eq!(client.read().expect("it answers").to_string(), "+OK");
    for shards in [1, 2, 3] {
        let restored = Directory::new();
        copy(backup.path(), restored.path()).expect("it can be copied");
        let server = launch(restored.path(), shards, "everysec").start();
        let mut client = server.connect();
        assert_filled(&mut client, "key", 2_000, 500);
        assert_eq!(client.command("PEXPIRETIME brief").integer(), 99_999_999_999_999);
        assert_eq!(client.command("DBSIZE").integer(), 2_001);
    }
}

#[test]
fn as_many_snapshots_are_kept_as_were_asked_for() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let server = launch(directory.path(), 2, "everysec").flags(["--snapshot-keep", "3"]).start();
    let mut client = server.connect();
    for round in 1..=6_usize {
        fill(&mut client, "key", 50, 100);
        snapshot(&mut client);
        until_or(
            || complete(directory.path()).len() == round.min(3),
            || format!("{} snapshots are kept after {round}: {:?}", round.min(3), complete(directory.path())),
        );
    }
    assert_eq!(client.command("CONFIG SET snapshot-keep 1").to_string(), "+OK");
    snapshot(&mut client);
    until("one is kept", || complete(directory.path()).len() == 1);
    kill(server);
    let server = launch(directory.path(), 2, "everysec").start();
    assert_filled(&mut server.connect(), "key", 50, 100);
}

/// The bound that docs/operations.md states.
#[test]
fn the_directory_stays_within_its_bound() {
    const SHARDS: u64 = 2;
    const KEEP: u64 = 2;
    const SEGMENT_BYTES: u64 = 1 << 20;
    const MIN_SIZE_BYTES: u64 = 8 << 20;
    const KEYS: usize = 2_000;
    const VALUE_BYTES: usize = 2_000;
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let server = launch(directory.path(), SHARDS as u32, "everysec")
        .flags(["--snapshot-keep", &KEEP.to_string(), "--auto-aof-rewrite-min-size", &MIN_SIZE_BYTES.to_string()])
        .flags(["--auto-aof-rewrite-percentage", "100"])
        .start();
    let mut client = server.connect();
    let (mut written, mut largest) = (0, 0);
    // What is written between two looks of the server's at the log, and while a snapshot is taken, is in the bound;
    // here it is measured, as what the log grew by between two of ours.
    let mut grown_max = 0;
    let mut log_bytes = client.info_number("wal_appended_bytes") as u64;
    let mut saves = 0;
    while written < 20 * MIN_SIZE_BYTES || saves < 5 {
        fill(&mut client, "key", KEYS, VALUE_BYTES);
        written += (KEYS * VALUE_BYTES) as u64;
        let now = client.info_number("rdb_saves");
        if now != saves {
            saves = now;
            let appended = client.info_number("wal_appended_bytes") as u64;
            grown_max = grown_max.max(appended - log_bytes);
            log_bytes = appended;
        }
        largest = largest.max(bytes_below(directory.path()));
        assert!(written < 4 << 30, "only {saves} snapshots were taken");
    }
    let snapshot_bytes = client.info_number("aof_base_size") as u64 * 11 / 10;
    let log_bytes = grown_max.max(MIN_SIZE_BYTES);
    let bound = (KEEP + 1) * snapshot_bytes + 2 * log_bytes + 6 * SHARDS * SEGMENT_BYTES;
    println!("{written} bytes written, {saves} snapshots; largest {largest} bytes, bound {bound}");
    assert!(largest <= bound, "{largest} bytes, more than {bound}");
    until("a snapshot of the end is taken", || client.command("SAVE").to_string() == "+OK");
    let bound = KEEP * snapshot_bytes + 6 * SHARDS * SEGMENT_BYTES;
    until_or(
        || bytes_below(directory.path()) <= bound,
        || format!("after a snapshot there are {} bytes, more than {bound}", bytes_below(directory.path())),
    );
    kill(server);
    let server = launch(directory.path(), 1, "everysec").start();
    assert_filled(&mut server.connect(), "key", KEYS, VALUE_BYTES);
}
