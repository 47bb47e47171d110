//! What a start refuses, cuts, repairs and says.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;

use locksley_tests::binary::subject;
use locksley_tests::client::Client;
use locksley_tests::directory::{Directory, copy, files_below};
use locksley_tests::process::signal;
use locksley_tests::server::{Ended, Server};
use locksley_tests::wait::{until, until_some};
use locksley_tests::workload::{Pace, Workload, work_all};

use crate::{assert_filled, fill, is_redis, kill, launch, snapshot};

/// Bytes of a segment before its first frame.
const SEGMENT_HEADER_BYTES: u64 = 4096;

/// Where the checksum of a head lies, in segments and snapshots.
const VERSION: std::ops::Range<usize> = 8..12;
const CHECKSUM: std::ops::Range<usize> = 12..16;

/// The files below a directory whose names end so, sorted.
fn files(directory: &Path, end: &str) -> Vec<PathBuf> {
    files_below(directory).into_iter().filter(|path| path.to_string_lossy().ends_with(end)).collect()
}

/// The segments of the newest generation that hold something.
fn newest_segments(directory: &Path) -> Vec<PathBuf> {
    let all = files(&directory.join("wal"), ".wal");
    let newest = all.last().and_then(|path| path.parent()).expect("there is a log").to_owned();
    all.into_iter().filter(|path| path.parent() == Some(&newest) && used_bytes(path) > SEGMENT_HEADER_BYTES).collect()
}

/// Bytes up to the last that is not zero.
fn used_bytes(path: &Path) -> u64 {
    let bytes = fs::read(path).expect("it can be read");
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1)
}

fn flip(path: &Path, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).expect("it can be written");
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).expect("it is that long");
    file.write_all_at(&[byte[0] ^ 0x40], offset).expect("it can be written");
}

fn refused(directory: &Path, shards: u32) -> Ended {
    let ended = launch(directory, shards, "everysec").try_start().expect_err("the start is refused");
    assert_eq!(ended.status.code(), Some(1), "{}", ended.output);
    ended
}

fn tool(words: &[&str], directory: &Path) -> (bool, String) {
    let output = Command::new(subject().1).args(words).arg(directory).output().expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

/// Asserts that the keys are a prefix of those that [`fill`] set; gives how many.
fn filled_count(client: &mut Client, name: &str, count: usize, bytes: usize) -> usize {
    let there =
        (0..count).take_while(|number| client.command(&format!("EXISTS {name}:{number}")).integer() == 1).count();
    assert_filled(client, name, there, bytes);
    for number in there..count {
        assert_eq!(client.command(&format!("EXISTS {name}:{number}")).integer(), 0, "{name}:{number} behind a gap");
    }
    there
}

#[test]
fn a_second_server_on_a_directory_is_refused() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let mut first = launch(directory.path(), 2, "everysec").start();
    let ended = refused(directory.path(), 2);
    let shown = directory.path().to_string_lossy().into_owned();
    for part in ["in use", &shown, &first.pid().to_string()] {
        assert!(ended.output.contains(part), "{part:?} is missing: {}", ended.output);
    }
    first.assert_serves();
}

#[test]
fn damage_before_intact_records_stops_the_start_and_repair_keeps_the_prefix() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let server = launch(directory.path(), 1, "always").start();
    fill(&mut server.connect(), "key", 3_000, 1_000);
    kill(server);
    let segments = newest_segments(directory.path());
    assert!(segments.len() >= 3, "{segments:?}");
    let damaged = &segments[1];
    flip(damaged, SEGMENT_HEADER_BYTES + 300_000);
    let before = Directory::new();
    copy(directory.path(), before.path()).expect("it can be copied");

    for shards in [1, 3] {
        let ended = refused(directory.path(), shards);
        let name = damaged.to_string_lossy().into_owned();
        for part in [&name as &str, "offset", "--repair", "backup"] {
            assert!(ended.output.contains(part), "{part:?} is missing: {}", ended.output);
        }
    }
    let content = |directory: &Path| -> Vec<(PathBuf, Vec<u8>)> {
        let relative = |path: &Path| path.strip_prefix(directory).expect("it lies there").to_owned();
        files(directory, ".wal").iter().map(|path| (relative(path), fs::read(path).expect("it can be read"))).collect()
    };
    assert!(content(directory.path()) == content(before.path()), "a refused start changes nothing");
    let (is_good, text) = tool(&["verify"], directory.path());
    assert!(!is_good && text.contains(&*damaged.file_name().expect("it has one").to_string_lossy()), "{text}");

    let server = launch(directory.path(), 2, "everysec").flags(["--repair"]).start();
    let mut client = server.connect();
    let kept = filled_count(&mut client, "key", 3_000, 1_000);
    // A segment of 1 MiB holds about a thousand; the second one is damaged at 300,000 bytes.
    assert!((1_000..1_600).contains(&kept), "{kept} keys are kept");
    assert!(server.printed().contains("repair"), "{}", server.printed());
    let aside = files(&directory.path().join("damaged"), ".wal");
    assert!(!aside.is_empty(), "what is damaged is moved aside");
    fill(&mut client, "more", 100, 100);
    kill(server);
    let server = launch(directory.path(), 1, "everysec").start();
    let mut client = server.connect();
    assert_eq!(filled_count(&mut client, "key", 3_000, 1_000), kept, "a repaired directory starts as any other");
    assert_filled(&mut client, "more", 100, 100);
}

#[test]
fn damage_in_a_snapshot_stops_the_start_and_repair_keeps_the_rest() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let server = launch(directory.path(), 2, "everysec").start();
    let mut client = server.connect();
    fill(&mut client, "key", 3_000, 1_000);
    snapshot(&mut client);
    fill(&mut client, "later", 100, 100);
    kill(server);
    let snapshots = files(&directory.path().join("snapshots"), ".snap");
    let damaged = &snapshots[0];
    flip(damaged, 500_000);
    let ended = refused(directory.path(), 1);
    let name = damaged.to_string_lossy().into_owned();
    for part in [&name as &str, "offset", "--repair", "backup"] {
        assert!(ended.output.contains(part), "{part:?} is missing: {}", ended.output);
    }
    let server = launch(directory.path(), 2, "everysec").flags(["--repair"]).start();
    let mut client = server.connect();
    assert_filled(&mut client, "later", 100, 100);
    let there = client.command("DBSIZE").integer();
    // One block of 256 KiB is lost, of about 3 MB.
    assert!((2_500..3_100).contains(&there), "{there} keys are kept");
    assert!(server.printed().contains("repair"), "{}", server.printed());
    kill(server);
    let server = launch(directory.path(), 1, "everysec").start();
    assert_eq!(server.connect().command("DBSIZE").integer(), there, "a repaired directory starts as any other");
}

#[test]
fn a_torn_tail_is_cut_and_reported() {
    if is_redis() {
        return;
    }
    for (what, tear) in [
        ("garbage", (|path, end| append(path, end, b"\x01garbage that is no frame")) as fn(&Path, u64)),
        ("cut", |path, end| {
            OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(end - 20)).expect("it is cut");
        }),
    ] {
        let directory = Directory::new();
        let server = launch(directory.path(), 1, "no").start();
        fill(&mut server.connect(), "key", 500, 200);
        kill(server);
        let last = newest_segments(directory.path()).pop().expect("there is one");
        let end = used_bytes(&last);
        tear(&last, end);
        let server = launch(directory.path(), 2, "everysec").start();
        let mut client = server.connect();
        let kept = filled_count(&mut client, "key", 500, 200);
        assert!(kept >= 499 - usize::from(what == "cut"), "{what}: {kept} keys are kept");
        let printed = server.printed();
        let name = last.file_name().expect("it has one").to_string_lossy().into_owned();
        for part in [&name as &str, "offset", "bytes"] {
            assert!(printed.contains(part), "{what}: {part:?} is missing: {printed}");
        }
        assert!(client.info_number("wal_last_load_cut_bytes") > 0, "{what}");
        kill(server);
        let server = launch(directory.path(), 1, "everysec").start();
        assert_eq!(
            filled_count(&mut server.connect(), "key", 500, 200),
            kept,
            "{what}: the second start finds the same"
        );
    }
}

fn append(path: &Path, offset: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).expect("it can be written");
    file.write_all_at(bytes, offset.next_multiple_of(8)).expect("it can be written");
}

#[test]
fn a_format_of_the_future_is_refused() {
    if is_redis() {
        return;
    }
    for end in [".wal", ".snap"] {
        let directory = Directory::new();
        let server = launch(directory.path(), 1, "everysec").start();
        let mut client = server.connect();
        fill(&mut client, "key", 10, 100);
        snapshot(&mut client);
        kill(server);
        for path in files(directory.path(), end) {
            rewrite_version(&path, 99, if end == ".wal" { 64 } else { 4096 });
        }
        let ended = refused(directory.path(), 1);
        assert!(ended.output.contains("version 99") && ended.output.contains(end), "{}", ended.output);
        let ended =
            launch(directory.path(), 1, "no").flags(["--repair"]).try_start().expect_err("repair does not help");
        assert_eq!(ended.status.code(), Some(1), "{}", ended.output);
    }
}

/// Gives a head of `bytes` another version, with the right checksum.
fn rewrite_version(path: &Path, version: u32, bytes: usize) {
    let mut head = fs::read(path).expect("it can be read");
    head[VERSION].copy_from_slice(&version.to_le_bytes());
    let covered = [&head[..CHECKSUM.start], &head[CHECKSUM.end..bytes]].concat();
    head[CHECKSUM].copy_from_slice(&crc32(&covered).to_le_bytes());
    fs::write(path, head).expect("it can be written");
}

/// CRC-32 as in zlib, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    // A file in the place of the logs stops even root, whom permissions do not.
    fs::write(directory.path().join("wal"), "not a directory").expect("it can be written");
    let ended = refused(directory.path(), 1);
    assert!(ended.output.contains("wal"), "{}", ended.output);
    let directory = Directory::new();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o555)).expect("it is ours");
    if fs::write(directory.path().join("probe"), "").is_ok() {
        println!("skipped in part: this user may write anywhere");
        return;
    }
    let ended = refused(directory.path(), 1);
    assert!(ended.output.contains(&*directory.path().to_string_lossy()), "{}", ended.output);
}

#[test]
fn sigterm_under_load_loses_nothing_and_leaves_nothing_to_cut() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let pace = Pace { pipeline_max: 16, giants: 4 };
    let mut workloads: Vec<Workload> = (0..3).map(|number| Workload::new(number, 7, pace)).collect();
    for (shards, policy) in [(2, "everysec"), (1, "always"), (3, "no"), (1, "everysec")] {
        let mut server = launch(directory.path(), shards, policy).start();
        let mut client = server.connect();
        assert_eq!(client.info_number("wal_last_load_cut_bytes"), 0);
        for workload in &mut workloads {
            workload.verify(&mut client, u64::MAX).unwrap_or_else(|wrong| panic!("{policy}:\n{wrong}"));
        }
        let pid = server.pid();
        let is_on =
            |done: &std::sync::atomic::AtomicU64| until("the load is on", || done.load(Ordering::Relaxed) > 3_000);
        work_all(&mut workloads, server.address(), is_on, || signal(pid, "TERM"));
        let ended = server.wait();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.output);
    }
}

#[test]
fn clients_are_told_of_loading_and_how_far_it_is() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let server = launch(directory.path(), 2, "no").start();
    let mut client = server.connect();
    fill(&mut client, "key", 60_000, 1_500);
    kill(server);
    // Reading 90 MB takes a while, and a command comes sooner than that.
    let server = launch(directory.path(), 3, "everysec").spawn();
    let mut client = until_some("the port is open", || Client::connect(server.address()).ok());
    let (mut was_loading, mut was_info) = (false, false);
    until("everything is loaded", || {
        let reply = client.command("GET key:1").to_string();
        if !reply.starts_with('-') {
            return true;
        }
        assert_eq!(reply, "-LOADING Redis is loading the dataset in memory");
        was_loading = true;
        let info = client.command("INFO persistence").text().expect("INFO answers a text");
        if info.contains("loading:1") {
            was_info = true;
            for field in ["loading_start_time:", "loading_total_bytes:", "loading_loaded_perc:", "loading_eta_seconds:"]
            {
                assert!(info.contains(field), "{field} is missing: {info}");
            }
        }
        false
    });
    assert!(was_loading && was_info, "the server answered before it had loaded anything: {was_loading} {was_info}");
    assert_filled(&mut client, "key", 60_000, 1_500);
    assert_eq!(client.info_number("loading"), 0);
}

#[test]
fn a_stop_while_loading_leaves_everything() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let server = launch(directory.path(), 2, "no").start();
    fill(&mut server.connect(), "key", 20_000, 1_500);
    kill(server);
    for name in ["TERM", "KILL"] {
        let server: Server = launch(directory.path(), 1, "everysec").spawn();
        let mut client = until_some("the port is open", || Client::connect(server.address()).ok());
        // It is asked before it can have read all, or has served already: both must end well.
        let _ = client.send(&["PING"]);
        let ended = server.stop(name);
        // The signal may come before the server listens to it.
        assert!(matches!(ended.status.code(), Some(0) | None), "{name}: {}\n{}", ended.status, ended.output);
    }
    let server = launch(directory.path(), 2, "everysec").start();
    assert_filled(&mut server.connect(), "key", 20_000, 1_500);
}

#[test]
fn a_file_of_somebody_else_stays() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let server = launch(directory.path(), 1, "everysec").start();
    let mut client = server.connect();
    fill(&mut client, "key", 100, 100);
    snapshot(&mut client);
    let strangers = ["notes.txt", "wal/notes.txt", "snapshots/notes.txt"];
    for name in strangers {
        let mut file = fs::File::create(directory.path().join(name)).expect("it can be made");
        file.write_all(b"mine").expect("it can be written");
    }
    snapshot(&mut client);
    kill(server);
    let server = launch(directory.path(), 2, "everysec").start();
    assert_filled(&mut server.connect(), "key", 100, 100);
    for name in strangers {
        assert_eq!(fs::read(directory.path().join(name)).expect("it is there"), b"mine", "{name}");
    }
}
