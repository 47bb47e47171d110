//! What lasts: notes of absence, grace, deletions by prefix, locks and the numbers they give. What does not: leases, waiters.
//!
//! Every way to end a server is tried, each followed by a start with another number of shards.

use std::path::Path;

use locksley_tests::client::{Client, request};
use locksley_tests::directory::Directory;
use locksley_tests::reply::Reply;
use locksley_tests::seed::{Random, seed_of_run};
use locksley_tests::server::{Launch, Server};
use locksley_tests::wait::until;

use crate::prefixes::fill;
use crate::{LONG, is_redis, read, send, token_of, until_waiting, win};

/// How a server ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// SHUTDOWN, which takes a snapshot.
    Shutdown,
    /// SHUTDOWN NOSAVE: what is there is in the log.
    Nosave,
    /// The signal that a service manager sends.
    Term,
    /// As the kernel does that needs memory.
    Kill,
    /// A snapshot was taken before the last changes, and then the kernel did it.
    SnapshotThenKill,
}

impl End {
    const ALL: [Self; 5] = [Self::Shutdown, Self::Nosave, Self::Term, Self::Kill, Self::SnapshotThenKill];
}

fn launch(directory: &Path, shards: u32) -> Launch {
    Launch::subject().directory(directory).durable("always").shards(shards).flags(["--wal-segment-size", "1mb"])
}

/// Starts a server and waits until it has loaded everything.
fn start(directory: &Path, shards: u32) -> Server {
    let server = launch(directory, shards).start();
    let mut client = server.connect();
    until("everything is loaded", || client.command("PING").to_string() == "+PONG");
    until("keys are served", || !client.command("GET any").to_string().starts_with("-LOADING"));
    server
}

fn end(mut server: Server, end: End) {
    match end {
        End::Shutdown | End::Nosave => {
            let line = if matches!(end, End::Nosave) { "SHUTDOWN NOSAVE" } else { "SHUTDOWN" };
            send(&mut server.connect(), line);
            let ended = server.wait();
            assert_eq!(ended.status.code(), Some(0), "{line}:\n{}", ended.output);
        }
        End::Term => {
            let ended = server.stop("TERM");
            assert_eq!(ended.status.code(), Some(0), "{}", ended.output);
        }
        End::Kill | End::SnapshotThenKill => {
            server.stop("KILL");
        }
    }
}

fn snapshot(client: &mut Client) {
    let before = client.info_number("rdb_saves");
    assert!(client.command("BGSAVE").to_string().starts_with("+Background saving"));
    until("the snapshot is complete", || {
        client.info_number("rdb_saves") > before && client.info_number("rdb_bgsave_in_progress") == 0
    });
}

/// Stores a value whose time is over, with this grace.
fn put_graced(client: &mut Client, key: &str, value: &str, grace: &str) {
    let token = win(client, key);
    let reply = client.command(&format!("SETL {key} {token} {value} PX 1 STALE {grace}"));
    assert_eq!(reply.to_string(), "+OK");
    until("it is over", || client.command(&format!("GET {key}")).to_string() == "nil");
}

/// What a server is left with, and what has to be there again.
struct Left {
    lock: i64,
    /// The greatest fencing number that was given out.
    fence: i64,
}

/// Makes one of everything, half of it before a snapshot if there is one.
fn leave(server: &Server, how: End) -> Left {
    let mut client = server.connect();
    for number in 0..20 {
        assert_eq!(client.command(&format!("SETABSENT absent:{number} EX 100000")).to_string(), "+OK");
        put_graced(&mut client, &format!("graced:{number}"), "old", LONG);
    }
    fill(&mut client, "page:", 2_000, "old");
    fill(&mut client, "kept:", 100, "kept");
    let lock = client.command(&format!("LOCK lock {LONG}")).integer();
    if matches!(how, End::SnapshotThenKill) {
        snapshot(&mut client);
    }
    for number in 20..40 {
        assert_eq!(client.command(&format!("SETABSENT absent:{number} EX 100000")).to_string(), "+OK");
        put_graced(&mut client, &format!("graced:{number}"), "old", LONG);
    }
    let token = win(&mut client, "fresh");
    assert_eq!(client.command(&format!("SETL fresh {token} value EX 100000 STALE 5000")).to_string(), "+OK");
    assert_eq!(client.command("DELPREFIX page:").to_string(), "+OK");
    assert_eq!(client.command("SET page:7 new").to_string(), "+OK");
    // Of many locks that are gone again the number is left.
    let mut fence = lock;
    for number in 0..20 {
        let name = format!("gone:{number}");
        let token = client.command(&format!("LOCK {name} {LONG}")).integer();
        fence = fence.max(token);
        assert_eq!(client.command(&format!("UNLOCK {name} {token}")).integer(), 1);
    }
    assert_eq!(client.command("THROTTLE limit 2 1 100000").to_string(), "[:1, :1, :0]");
    Left { lock, fence }
}

/// Asserts that all that [`leave`] made is there.
fn assert_there(server: &Server, left: &Left, context: &str) {
    let mut client = server.connect();
    for number in 0..40 {
        let reply = client.command(&format!("GETL absent:{number} {LONG}"));
        assert_eq!(reply.to_string(), "[\"absent\", nil, nil]", "{context}: absent:{number}");
        assert_eq!(client.command(&format!("GET graced:{number}")), Reply::Nil, "{context}: graced:{number}");
        let reply = client.command(&format!("GETL graced:{number} {LONG} STALE {LONG}"));
        let token = token_of(&reply);
        assert_eq!(reply.elements()[2].text().as_deref(), Some("old"), "{context}: graced:{number}: {reply}");
        assert_eq!(client.command(&format!("DELL graced:{number} {token}")).integer(), 1, "{context}");
    }
    assert_eq!(client.command("GET fresh").to_string(), "\"value\"", "{context}");
    assert!((1..=100_000).contains(&client.command("TTL fresh").integer()), "{context}");
    for number in (0..2_000).filter(|number| *number != 7) {
        assert_eq!(client.command(&format!("GET page:{number}")), Reply::Nil, "{context}: page:{number}");
    }
    assert_eq!(client.command("GET page:7").to_string(), "\"new\"", "{context}");
    for number in 0..100 {
        assert_eq!(client.command(&format!("GET kept:{number}")).to_string(), "\"kept\"", "{context}");
    }
    assert_eq!(client.command(&format!("LOCK lock {LONG}")), Reply::Nil, "{context}: the lock is held");
    let info = client.command("LOCKINFO lock");
    assert_eq!(info.elements()[1].integer(), left.lock, "{context}: {info}");
    for number in 0..20 {
        let name = format!("gone:{number}");
        let token = client.command(&format!("LOCK {name} {LONG}")).integer();
        assert!(token > left.fence, "{context}: {name} gets {token} after {}", left.fence);
        assert_eq!(client.command(&format!("UNLOCK {name} {token}")).integer(), 1);
    }
    assert_eq!(client.command(&format!("UNLOCK lock {}", left.lock)).integer(), 1, "{context}");
    assert_eq!(client.command("THROTTLE limit 2 1 100000").elements()[1].integer(), 0, "{context}");
}

#[test]
fn what_must_last_lasts_through_every_end_and_another_number_of_shards() {
    if is_redis() {
        return;
    }
    for how in End::ALL {
        for (before, after) in [(1, 1), (2, 2), (1, 2), (2, 1), (2, 3)] {
            let directory = Directory::new();
            let server = start(directory.path(), before);
            let left = leave(&server, how);
            end(server, how);
            let server = start(directory.path(), after);
            assert_there(&server, &left, &format!("{how:?}, {before} to {after} shards"));
        }
    }
}

#[test]
fn what_must_last_lasts_through_many_ends() {
    const ROUNDS: u64 = 8;
    if is_redis() {
        return;
    }
    let seed = seed_of_run("what_must_last_lasts_through_many_ends");
    let mut random = Random::new(seed);
    let directory = Directory::new();
    let mut fence = 0;
    let mut generation = 0;
    for round in 0..ROUNDS {
        let how = End::ALL[random.below(5) as usize];
        let shards = 1 + random.below(3) as u32;
        let context = format!("round {round} of seed {seed}, {shards} shards, ends by {how:?}");
        let server = start(directory.path(), shards);
        let mut client = server.connect();
        if generation > 0 {
            for number in 0..50 {
                let reply = client.command(&format!("GETL absent:{number} {LONG}"));
                assert_eq!(reply.to_string(), "[\"absent\", nil, nil]", "{context}: absent:{number}");
                let reply = client.command(&format!("GETL graced:{number} {LONG} STALE {LONG}"));
                assert_eq!(reply.elements()[2].text(), Some(generation.to_string()), "{context}: {reply}");
                let value = client.command(&format!("GET page:{number}"));
                assert_eq!(value.text(), (number % 5 == 0).then(|| generation.to_string()), "{context}: page:{number}");
            }
        }
        generation += 1;
        for number in 0..50 {
            assert_eq!(client.command(&format!("SETABSENT absent:{number} EX 100000")).to_string(), "+OK");
            assert_eq!(client.command(&format!("DEL graced:{number}")).integer(), 0, "{context}");
            put_graced(&mut client, &format!("graced:{number}"), &generation.to_string(), LONG);
            let name = format!("lock:{number}");
            let token = client.command(&format!("LOCK {name} {LONG}")).integer();
            assert!(token > fence, "{context}: {name} gets {token} after {fence}");
            assert_eq!(client.command(&format!("DEL {name}")).integer(), 1);
            fence = token;
        }
        let is_between = random.below(2) == 0;
        fill(&mut client, "page:", 5_000, "deleted");
        if matches!(how, End::SnapshotThenKill) && is_between {
            // The snapshot is taken while the prefix is pending, if the machine is quick enough.
            send(&mut client, "BGSAVE");
            send(&mut client, "DELPREFIX page:");
            read(&mut client);
            assert_eq!(read(&mut client), "+OK");
        } else {
            assert_eq!(client.command("DELPREFIX page:").to_string(), "+OK");
            if matches!(how, End::SnapshotThenKill) {
                snapshot(&mut client);
            }
        }
        for number in (0..50).step_by(5) {
            assert_eq!(client.command(&format!("SET page:{number} {generation}")).to_string(), "+OK");
        }
        end(server, how);
    }
}

#[test]
fn fencing_numbers_of_one_name_grow_whichever_shard_gives_them() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let mut newest = vec![0; 30];
    for (round, shards) in [1, 3, 2, 1, 2].into_iter().enumerate() {
        let server = start(directory.path(), shards);
        let mut client = server.connect();
        for _ in 0..20 {
            for (number, newest) in newest.iter_mut().enumerate() {
                let token = client.command(&format!("LOCK lock:{number} {LONG}")).integer();
                assert!(token > *newest, "round {round}: lock:{number} gets {token} after {newest}");
                *newest = token;
                assert_eq!(client.command(&format!("UNLOCK lock:{number} {token}")).integer(), 1);
            }
        }
        end(server, End::Kill);
    }
}

#[test]
fn leases_and_waiters_do_not_last() {
    if is_redis() {
        return;
    }
    for how in End::ALL {
        for (before, after) in [(1, 1), (2, 1), (1, 2)] {
            let directory = Directory::new();
            let server = start(directory.path(), before);
            let mut holder = server.connect();
            let token = win(&mut holder, "key");
            let mut waiter = server.connect();
            send(&mut waiter, &format!("GETL key {LONG} BLOCK {LONG}"));
            until_waiting(&server, 1);
            if matches!(how, End::SnapshotThenKill) {
                snapshot(&mut holder);
            }
            end(server, how);
            let server = start(directory.path(), after);
            let mut client = server.connect();
            assert_eq!(client.info_number("waiters"), 0, "{how:?}");
            assert_eq!(client.info_number("leases"), 0, "{how:?}");
            let late = client.command(&format!("SETL key {token} late"));
            assert_eq!(late, Reply::Nil, "{how:?}: a lease of the life before");
            assert_ne!(win(&mut client, "key"), token, "{how:?}");
        }
    }
}

#[test]
fn a_deletion_that_was_pending_at_the_kill_goes_on() {
    const KEYS: usize = 100_000;
    if is_redis() {
        return;
    }
    for (before, after, with_snapshot) in
        [(1, 1, false), (2, 2, false), (2, 1, false), (1, 3, false), (1, 1, true), (2, 2, true), (2, 3, true)]
    {
        let context = format!("{before} to {after} shards, snapshot: {with_snapshot}");
        let directory = Directory::new();
        let server = start(directory.path(), before);
        let mut client = server.connect();
        fill(&mut client, "page:", KEYS, "old");
        fill(&mut client, "kept:", 100, "kept");
        let lines: &[&str] = if with_snapshot { &["DELPREFIX page:", "BGSAVE"] } else { &["DELPREFIX page:"] };
        let bytes: Vec<u8> = lines.iter().flat_map(|line| request(&line.split(' ').collect::<Vec<_>>())).collect();
        client.send_raw(&bytes).expect("the server reads");
        assert_eq!(read(&mut client), "+OK");
        if with_snapshot {
            read(&mut client);
            assert_eq!(client.command("SET page:1 new").to_string(), "+OK");
            until("the snapshot is complete", || client.info_number("rdb_bgsave_in_progress") == 0);
        } else {
            assert_eq!(client.command("SET page:1 new").to_string(), "+OK");
        }
        println!("{context}: {} keys at the end", client.command("DBSIZE").integer());
        end(server, End::Kill);
        let server = start(directory.path(), after);
        let mut client = server.connect();
        for number in (0..KEYS).step_by(97) {
            let expected = if number == 1 { "\"new\"" } else { "nil" };
            assert_eq!(client.command(&format!("GET page:{number}")).to_string(), expected, "{context}: page:{number}");
        }
        assert_eq!(client.command("GET page:1").to_string(), "\"new\"", "{context}");
        assert_eq!(client.command("KEYS page:*").elements().len(), 1, "{context}");
        assert_eq!(client.command("KEYS kept:*").elements().len(), 100, "{context}");
        until("the memory is back", || client.command("DBSIZE").integer() == 101);
    }
}
