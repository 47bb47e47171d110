//! Crash reports: what is in them, what is not, and where they go.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use locksley_tests::directory::Directory;
use locksley_tests::mount::Mount;
use locksley_tests::server::{Launch, Server};

use super::{PLANTED, configure, is_redis};

/// The number of SIGABRT.
const ABORTED: i32 = 6;

/// Crash reports in a directory.
fn reports(directory: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(directory).expect("the directory can be read");
    let paths = names.filter_map(Result::ok).map(|entry| entry.path());
    paths.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("crash-"))).collect()
}

/// A server with something of a user in every place.
fn planted(launch: Launch) -> Server {
    let flags =
        ["--requirepass", PLANTED, "--enable-debug-command", "yes", "--loglevel", "debug", "--http-allowed-hosts"];
    let server = launch.flags(flags).flags(["operator.example"]).start();
    let mut client = server.connect();
    assert_eq!(client.call(&["AUTH", PLANTED]).to_string(), "+OK");
    for number in 0..50 {
        let key = format!("{PLANTED}-{number}");
        assert_eq!(client.call(&["SET", &key, PLANTED]).to_string(), "+OK");
    }
    client.call(&["CLIENT", "SETNAME", PLANTED]);
    client.call(&[PLANTED, PLANTED]);
    configure(&mut client, "timeout", "1234");
    server
}

/// Breaks an invariant, in words that a user chose.
fn crash(server: &mut Server) -> (Option<i32>, String) {
    let mut client = server.connect();
    client.call(&["AUTH", PLANTED]);
    client.send(&["DEBUG", "PANIC", PLANTED]).expect("the server reads");
    client.read_to_close();
    let ended = server.wait();
    (ended.status.signal(), ended.output)
}

#[test]
fn a_crash_leaves_a_report_with_nothing_of_users() {
    if is_redis() {
        return;
    }
    for shards in [1, 4] {
        let mut server = planted(Launch::subject().shards(shards));
        let pid = server.pid();
        let (signal, output) = crash(&mut server);
        assert_eq!(signal, Some(ABORTED), "{output}");
        let found = reports(server.directory());
        let [path] = &found[..] else { panic!("one report, not {found:?}: {output}") };
        let text = fs::read_to_string(path).expect("the report can be read");
        for part in [
            "Locksley 0.",
            "message   DEBUG PANIC ",
            "place     server/src/command/server/debug/",
            "thread    shard-",
            "system    Linux ",
            "\nBacktrace\n",
            "command::server::debug",
            "\nSettings\n",
            "\nrequirepass ***\n",
            "\nhttp-allowed-hosts operator.example\n",
            "\ntimeout 1234\n",
            "\nLast lines of the log\n",
            "Ready to accept connections",
            "CONFIG SET: timeout is 1234 now",
            &format!("process   {pid}, up "),
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains(PLANTED), "{text}");
        assert!(!output.contains(PLANTED), "{output}");
        let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
        assert!(output.contains(&name), "the log names the report: {output}");
        let mode = fs::metadata(path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

/// Asserts that the report is on standard error, whole.
fn assert_on_standard_error(output: &str) {
    for part in ["message   DEBUG PANIC ", "\nBacktrace\n", "\nSettings\n", "the crash report is on standard error"] {
        assert!(output.contains(part), "{part}: {output}");
    }
    assert!(!output.contains(PLANTED), "{output}");
}

#[test]
fn a_report_that_finds_no_directory_is_on_standard_error() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let mut server = planted(Launch::subject().directory(directory.path()));
    fs::remove_dir_all(directory.path()).expect("the directory is ours");
    let (signal, output) = crash(&mut server);
    assert_eq!(signal, Some(ABORTED), "{output}");
    assert_on_standard_error(&output);
}

#[test]
fn a_report_that_finds_a_full_disk_is_on_standard_error() {
    if is_redis() {
        return;
    }
    let disk = match Mount::memory(1024 * 1024) {
        Ok(disk) => disk,
        Err(reason) => return println!("skipped: nothing can be mounted here: {reason}"),
    };
    let mut server = planted(Launch::subject().directory(disk.path()));
    fs::write(disk.path().join("filler"), vec![0; 2 * 1024 * 1024]).expect_err("the disk is smaller");
    let (signal, output) = crash(&mut server);
    assert_eq!(signal, Some(ABORTED), "{output}");
    assert_on_standard_error(&output);
    assert_eq!(reports(disk.path()), Vec::<PathBuf>::new(), "half a report is removed");
}

#[test]
fn a_directory_with_reports_is_a_data_directory_still() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let launch = || Launch::subject().directory(directory.path()).durable("always");
    let mut server = planted(launch());
    crash(&mut server);
    drop(server);
    let server = launch().start();
    let mut client = server.connect();
    assert_eq!(client.command("DBSIZE").to_string(), ":50", "what was acknowledged is there");
    assert_eq!(reports(directory.path()).len(), 1);
}
