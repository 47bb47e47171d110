//! `locksley-server doctor`: its lines, and its exit status.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};

use locksley_tests::binary::subject;
use locksley_tests::directory::{Directory, files_below};
use locksley_tests::server::{Launch, free_port};

use super::{PLANTED, is_redis};

/// What the doctor says of a server in `directory` with these further words, under this limit of open files.
fn doctor(directory: &Path, words: &[&str], descriptors: &str) -> (Option<i32>, String) {
    let port = free_port();
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"")])
        .arg(subject().1)
        .args(["doctor", "--port", &port.to_string()])
        .args(["--memcached-port", &(port + 1).to_string(), "--http-port", &(port + 2).to_string(), "--dir"])
        .arg(directory)
        .args(words)
        .output()
        .expect("the doctor runs");
    told(&output)
}

fn told(output: &Output) -> (Option<i32>, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

/// The verdict on a subject.
fn verdict<'a>(page: &'a str, subject: &str) -> &'a str {
    let line = page.lines().find(|line| line.get(6..).is_some_and(|rest| rest.starts_with(subject)));
    line.unwrap_or_else(|| panic!("nothing of {subject}: {page}"))[..4].trim_end()
}

const MANY: &str = "$(ulimit -Hn)";

#[test]
fn every_line_says_good_or_what_to_do() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let (status, page) =
        doctor(directory.path(), &["--maxmemory", "100mb", "--shards", "1", "--maxclients", "100"], MANY);
    assert_eq!(status, Some(0), "{page}");
    let lines: Vec<&str> = page.lines().collect();
    let (head, last) = (lines[0], lines[lines.len() - 1]);
    assert!(head.starts_with("Locksley ") && last.contains(" good, ") && last.contains(" 0 bad: "), "{page}");
    let body = &lines[1..lines.len() - 1];
    for (index, line) in body.iter().enumerate() {
        let is_followed = body.get(index + 1).is_some_and(|next| next.trim_start().starts_with("do: "));
        match line.get(..6) {
            Some("good  ") => assert!(!is_followed, "{page}"),
            Some("warn  " | "bad   ") => assert!(is_followed, "what is to be done: {page}"),
            _ => assert!(line.trim_start().starts_with("do: "), "{line}: {page}"),
        }
    }
    for subject in ["kernel", "io_uring", "nofile", "cores", "memory", "directory", "ports", "password"] {
        assert_eq!(verdict(&page, subject), "good", "{subject}: {page}");
    }
    for subject in ["memlock", "huge pages", "overcommit", "swap", "file system", "disk space", "disk sync", "clock"] {
        assert!(["good", "warn"].contains(&verdict(&page, subject)), "{subject}: {page}");
    }
    assert_eq!(files_below(directory.path()).len(), 0, "nothing is left behind");
}

#[test]
fn a_directory_that_cannot_be_used_is_bad() {
    if is_redis() {
        return;
    }
    let (status, page) = doctor(Path::new("/proc/nowhere/data"), &[], MANY);
    assert_eq!((status, verdict(&page, "directory")), (Some(1), "bad"), "{page}");
    let directory = Directory::new();
    let file = directory.path().join("file");
    std::fs::write(&file, "").expect("the directory can be written");
    let (status, page) = doctor(&file, &[], MANY);
    assert_eq!((status, verdict(&page, "directory")), (Some(1), "bad"), "{page}");
    let (status, page) = doctor(&directory.path().join("a/b"), &[], MANY);
    assert_eq!((status, verdict(&page, "directory")), (Some(0), "good"), "{page}");
}

#[test]
fn a_low_limit_of_open_files_is_a_warning_and_a_very_low_one_is_bad() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let (status, page) = doctor(directory.path(), &["--maxclients", "5000", "--shards", "1"], "1000");
    assert_eq!((status, verdict(&page, "nofile")), (Some(0), "warn"), "{page}");
    assert!(page.contains("maxclients becomes 944") && page.contains("ulimit -Hn 5056"), "{page}");
    let (status, page) = doctor(directory.path(), &["--shards", "1"], "50");
    assert_eq!((status, verdict(&page, "nofile")), (Some(1), "bad"), "{page}");
}

#[test]
fn settings_that_do_not_fit_the_machine_are_judged() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let (status, page) = doctor(directory.path(), &["--maxmemory", "4000000gb"], MANY);
    assert_eq!((status, verdict(&page, "memory")), (Some(1), "bad"), "{page}");
    let (_, page) = doctor(directory.path(), &["--shards", "1000", "--maxmemory", "100mb"], MANY);
    assert_eq!(verdict(&page, "cores"), "warn", "{page}");
    let (_, page) = doctor(directory.path(), &["--bind", "0.0.0.0", "--protected-mode", "no"], MANY);
    assert_eq!(verdict(&page, "password"), "warn", "{page}");
    let (_, page) = doctor(directory.path(), &["--bind", "0.0.0.0", "--requirepass", PLANTED], MANY);
    assert_eq!(verdict(&page, "password"), "good", "{page}");
    assert!(!page.contains(PLANTED), "{page}");
}

#[test]
fn a_port_in_use_is_bad_unless_the_directorys_server_may_have_it() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
    let port = taken.local_addr().expect("it has an address").port().to_string();
    let (status, page) = doctor(directory.path(), &["--http-port", &port], MANY);
    assert_eq!((status, verdict(&page, "ports")), (Some(1), "bad"), "{page}");
    assert!(page.contains(&format!("port {port} is in use")) && page.contains("--http-port"), "{page}");

    let mut server = Launch::subject().start();
    let own = server.port().to_string();
    let (status, page) = doctor(server.directory(), &["--port", &own], MANY);
    assert_eq!((status, verdict(&page, "ports")), (Some(0), "warn"), "{page}");
    assert!(page.contains(&format!("in use by process {}", server.pid())), "{page}");
    server.assert_serves();
}

#[test]
fn words_it_does_not_understand_are_a_sentence() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let (status, page) = doctor(directory.path(), &["--maxmemry", "1"], MANY);
    assert_eq!(status, Some(1));
    assert_eq!(page, "command line: unknown setting 'maxmemry', did you mean 'maxmemory'?\n");
    let help = Command::new(subject().1).args(["doctor", "--help"]).output().expect("the doctor runs");
    let (status, page) = told(&help);
    assert!(status == Some(0) && page.contains("Usage: locksley-server doctor"), "{page}");
}
