//! Where lines go, and what happens when they cannot: the server goes on, and says later what is missing.

use std::fs::{self, File};
use std::io::{Read, Write, pipe};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use locksley_tests::binary::subject;
use locksley_tests::client::Client;
use locksley_tests::directory::Directory;
use locksley_tests::mount::Mount;
use locksley_tests::process::signal;
use locksley_tests::server::{Launch, free_port};
use locksley_tests::wait::{until, until_some};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::{configure, is_redis, start_with_file, text_of};

#[test]
fn a_file_that_is_moved_away_is_begun_anew() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let (path, moved) = (directory.path().join("server.log"), directory.path().join("server.log.1"));
    let server = start_with_file(Launch::subject(), &path);
    let mut client = server.connect();
    configure(&mut client, "timeout", "1001");
    until("the line is in the file", || text_of(&path).contains("timeout is 1001 now"));
    fs::rename(&path, &moved).expect("the directory can be written");
    configure(&mut client, "timeout", "1002");
    until("the line is in a new file", || text_of(&path).contains("timeout is 1002 now"));
    assert!(!text_of(&path).contains("1001") && !text_of(&moved).contains("1002"));
    let ended = server.stop("TERM");
    assert_eq!(ended.status.code(), Some(0));
    assert!(text_of(&path).trim_end().ends_with("bye bye..."), "the last line is written: {}", text_of(&path));
    assert_eq!(ended.output, "", "nothing is on standard output");
}

#[test]
fn a_file_that_cannot_be_made_ends_the_start_with_a_sentence() {
    if is_redis() {
        return;
    }
    let ended = Launch::subject().flags(["--logfile", "/proc/nowhere/log"]).try_start().expect_err("it ends");
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.output.starts_with("the log file /proc/nowhere/log cannot be written"), "{}", ended.output);
}

#[test]
fn a_full_disk_costs_lines_and_says_how_many() {
    if is_redis() {
        return;
    }
    let disk = match Mount::memory(256 * 1024) {
        Ok(disk) => disk,
        Err(reason) => return println!("skipped: nothing can be mounted here: {reason}"),
    };
    let (path, filler) = (disk.path().join("server.log"), disk.path().join("filler"));
    let server = start_with_file(Launch::subject().shards(2), &path);
    let mut client = server.connect();
    configure(&mut client, "timeout", "1001");
    until("the line is in the file", || text_of(&path).contains("timeout is 1001 now"));
    fill(&filler);
    // A page of the file may have room for some lines.
    for number in 0..2_000 {
        configure(&mut client, "http-cors-origin", &format!("https://{number}{}", "x".repeat(3_000)));
    }
    assert_eq!(client.command("SET key value").to_string(), "+OK");
    until("the disk is full of lines", || {
        configure(&mut client, "http-cors-origin", &format!("https://{}", "y".repeat(4_000)));
        !text_of(&path).ends_with('\n')
    });
    fs::remove_file(&filler).expect("the filler is there");
    let mut number = 2_000;
    until("the file says what is missing", || {
        number += 1;
        configure(&mut client, "timeout", &number.to_string());
        text_of(&path).contains("lines of the log could not be written: No space left on device")
    });
}

/// Writes a file until its disk is full.
fn fill(path: &std::path::Path) {
    let mut file = File::create(path).expect("the disk has some room");
    while file.write_all(&[0; 4096]).is_ok() {}
    while file.write_all(&[0; 16]).is_ok() {}
}

#[test]
fn a_standard_output_that_nobody_reads_stops_nobody() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let port = free_port();
    let (mut reader, writer) = pipe().expect("there are pipes");
    fill_pipe(&writer);
    let mut child = Command::new(subject().1)
        .args(["--port", &port.to_string(), "--memcached-port", "0", "--http-port", "0", "--shards", "2"])
        .args(["--appendonly", "no", "--loglevel", "debug", "--dir"])
        .arg(directory.path())
        .stdin(Stdio::null())
        .stdout(writer)
        .spawn()
        .expect("the server can be started");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut client = until_some("the server takes connections", || Client::connect(address).ok());
    until("the server serves", || client.command("SET key value").to_string() == "+OK");
    for number in 0..200 {
        configure(&mut client, "timeout", &(1_000 + number).to_string());
        assert_eq!(client.command("GET key").to_string(), "\"value\"");
    }
    signal(child.id(), "TERM");
    let status = until_some("the server ends", || child.try_wait().expect("the child can be waited for"));
    assert_eq!(status.code(), Some(0), "an end does not wait for a reader either");
    let mut left = Vec::new();
    reader.read_to_end(&mut left).expect("the pipe can be read");
    assert!(left.iter().all(|byte| *byte == b'.'), "what the reader was owed is lost");
}

/// Writes to a pipe until it takes no more.
fn fill_pipe(writer: &std::io::PipeWriter) {
    let flags = fcntl_getfl(writer.as_fd()).expect("a pipe has flags");
    fcntl_setfl(writer.as_fd(), flags | OFlags::NONBLOCK).expect("flags can be set");
    let mut sink = writer;
    while sink.write(&[b'.'; 1024]).is_ok() {}
    while sink.write(b".").is_ok() {}
    fcntl_setfl(writer.as_fd(), flags).expect("flags can be set");
}
