//! kill -9 under load: nothing acknowledged is lost, nothing deleted comes back, nothing is torn.
//!
//! Each round starts a server on the directory that the last round left, with another number of shards; judges every
//! key; lets clients change everything at random while snapshots are taken and segments recycled; and kills the server at
//! a random moment. Some rounds end with SIGTERM or SHUTDOWN instead, some kill the server while it starts.
//!
//! `LOCKSLEY_ROUNDS` says how many rounds (`scripts/soak` sets it), `LOCKSLEY_SEED` replays the choices. With `LOCKSLEY_KEEP`
//! the directory of a failure stays, and beside it as it was before the last start.

use std::env;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use locksley_tests::binary::{Kind, subject};
use locksley_tests::client::{Client, NoReply};
use locksley_tests::directory::{Directory, copy};
use locksley_tests::process::signal;
use locksley_tests::seed::{Random, seed_of_run};
use locksley_tests::server::{Server, wait_for_output};
use locksley_tests::wait::until;
use locksley_tests::workload::{Pace, SHARED_DB, Workload, work_all};

use crate::launch;

/// Rounds of each policy when nobody says how many.
const ROUND_COUNT: u64 = 17;
/// Clients; their databases lie below the shared one.
const CLIENT_COUNT: u32 = 4;
/// Longest life of a server under load.
const LOAD_MS_MAX: u64 = 700;

/// How a round ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Kill,
    Terminate,
    Shutdown(&'static str),
}

#[test]
fn kill_under_always_loses_nothing() {
    run("kill_under_always_loses_nothing", "always");
}

#[test]
fn kill_under_everysec_loses_nothing() {
    run("kill_under_everysec_loses_nothing", "everysec");
}

#[test]
fn kill_under_no_sync_loses_nothing() {
    run("kill_under_no_sync_loses_nothing", "no");
}

fn run(name: &str, policy: &str) {
    let (kind, _) = subject();
    if kind == Kind::Redis && policy != "always" {
        println!("skipped: redis-server may hold back what it writes under {policy}");
        return;
    }
    let count = env::var("LOCKSLEY_ROUNDS").map_or(ROUND_COUNT, |text| text.parse().expect("a number of rounds"));
    let seed = seed_of_run(name);
    let mut random = Random::new(seed);
    let directory = Directory::new();
    let before = Directory::new();
    let pace = Pace { pipeline_max: 16, giants: if kind == Kind::Redis { 0 } else { 4 } };
    let mut workloads: Vec<Workload> =
        (0..CLIENT_COUNT).map(|number| Workload::new(number, random.bits(), pace)).collect();
    let (mut acknowledged, mut verified) = (0, 0);
    for round in 0..=count {
        if env::var_os("LOCKSLEY_KEEP").is_some() {
            std::fs::remove_dir_all(before.path()).expect("it was made");
            copy(directory.path(), before.path()).expect("the directory can be copied");
        }
        let shards = 1 + random.below(3) as u32;
        if random.below(4) == 0 {
            kill_while_it_starts(directory.path(), 1 + random.below(3) as u32, policy, random.below(60));
        }
        let mut server = start(directory.path(), shards, policy);
        let mut client = server.connect();
        let context = format!("round {round} of seed {seed}, {policy}, {shards} shards");
        for workload in &mut workloads {
            verified += workload.verify(&mut client, u64::MAX).unwrap_or_else(|wrong| panic!("{context}:\n{wrong}"));
        }
        if kind == Kind::Locksley {
            assert_eq!(client.command("DEBUG CHECK").to_string(), "+OK", "{context}");
        }
        if round == count {
            break;
        }
        let end = match random.below(10) {
            0 => End::Terminate,
            1 => End::Shutdown(["SHUTDOWN NOSAVE", "SHUTDOWN SAVE", "SHUTDOWN"][random.below(3) as usize]),
            _ => End::Kill,
        };
        let client_count = if random.below(5) == 0 { 1 } else { workloads.len() };
        acknowledged += one_round(&mut server, &mut workloads[..client_count], &mut random, end, &context);
    }
    println!("{name}: {count} rounds, {acknowledged} acknowledged requests, {verified} keys found as they must be");
}

/// Lets the clients work, and the server end; gives how many requests were acknowledged.
fn one_round(server: &mut Server, workloads: &mut [Workload], random: &mut Random, end: End, context: &str) -> u64 {
    let address = server.address();
    let (pid, life) = (server.pid(), Duration::from_millis(random.below(LOAD_MS_MAX)));
    let least = random.below(500);
    let is_over = AtomicBool::new(false);
    let seed = random.bits();
    let is_log_switched = server.kind() == Kind::Locksley && random.below(6) == 0;
    let server_seen = &*server;
    let acknowledged = thread::scope(|scope| {
        let meddler = scope.spawn(|| meddle(server_seen, seed, &is_over));
        let acknowledged = work_all(
            workloads,
            address,
            |done| {
                until("the load is on", || done.load(Ordering::Relaxed) > least);
                if is_log_switched {
                    switch_log(server_seen);
                }
                // Not a wait for something: the moment of the end is to be any.
                thread::sleep(life);
            },
            || match end {
                End::Kill => signal(pid, "KILL"),
                End::Terminate => signal(pid, "TERM"),
                End::Shutdown(words) => {
                    let mut client = Client::connect(address).expect("the server takes connections");
                    // The server closes without an answer.
                    client.send_raw(format!("{words}\r\n").as_bytes()).expect("the server reads");
                    match client.read() {
                        Err(NoReply::Closed) => {}
                        other => panic!("{words}: {other:?}"),
                    }
                }
            },
        );
        is_over.store(true, Ordering::Relaxed);
        meddler.join().expect("the meddler does not panic");
        acknowledged
    });
    let ended = server.wait();
    if !matches!(end, End::Kill) {
        assert_eq!(ended.status.code(), Some(0), "{context}, {end:?}:\n{}", ended.output);
    }
    acknowledged
}

/// Turns the log off and on; once the snapshot of what there is then is complete, everything counts again.
fn switch_log(server: &Server) {
    let mut client = server.connect();
    for (value, said) in [("no", "changes are logged no more"), ("yes", "changes are logged from now on")] {
        assert_eq!(client.command(&format!("CONFIG SET appendonly {value}")).to_string(), "+OK");
        wait_for_output(server, said);
    }
    until("the new log has its snapshot", || {
        let printed = server.printed();
        printed.rsplit_once("from now on").is_some_and(|(_, behind)| behind.contains("was complete after"))
    });
}

/// Takes snapshots and asks for this and that while the clients work.
fn meddle(server: &Server, seed: u64, is_over: &AtomicBool) {
    let mut random = Random::new(seed);
    let Ok(mut client) = Client::connect(server.address()) else { return };
    let is_locksley = server.kind() == Kind::Locksley;
    while !is_over.load(Ordering::Relaxed) {
        let line = match random.below(8) {
            0..2 => "BGSAVE",
            2..4 => "BGREWRITEAOF",
            4 if is_locksley => "WAITAOF 1 0 1000",
            5 => "INFO persistence",
            6 if is_locksley => "DEBUG CHECK",
            _ => "PING",
        };
        if client.send(&line.split(' ').collect::<Vec<_>>()).is_err() || client.read().is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(random.below(60)));
    }
}

/// Starts a server that has read everything.
fn start(directory: &Path, shards: u32, policy: &str) -> Server {
    let server = launch(directory, shards, policy)
        .flags(["--auto-aof-rewrite-min-size", "4mb", "--auto-aof-rewrite-percentage", "50"])
        .start();
    let mut client = server.connect();
    until("everything is loaded", || client.command(&format!("SELECT {SHARED_DB}")).to_string() == "+OK");
    server
}

/// Starts a server and kills it before it can have done all that belongs to a start.
fn kill_while_it_starts(directory: &Path, shards: u32, policy: &str, life_ms: u64) {
    let server = launch(directory, shards, policy).spawn();
    thread::sleep(Duration::from_millis(life_ms));
    crate::kill(server);
}
