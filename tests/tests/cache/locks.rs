//! Locks: one holder, a fair queue, tokens that only grow.

use locksley_tests::client::Client;
use locksley_tests::reply::Reply;
use locksley_tests::seed::{Random, seed_of_run};
use locksley_tests::server::Server;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::thread;

use crate::{LONG, assert_silent, read, send, until_waiting, ways_to, with_servers};

/// Takes a lock that is free; gives its token.
fn lock(client: &mut Client, name: &str) -> i64 {
    client.call(&["LOCK", name, LONG]).integer()
}

fn wait_for(client: &mut Client, name: &str) {
    send(client, &format!("LOCK {name} {LONG} WAIT {LONG}"));
}

fn unlock(client: &mut Client, name: &str, token: i64) -> i64 {
    client.call(&["UNLOCK", name, &token.to_string()]).integer()
}

/// The token that a waiting client is given.
fn granted(client: &mut Client) -> i64 {
    client.read().expect("its turn has come").integer()
}

fn waiters_of(client: &mut Client, name: &str) -> i64 {
    let info = client.call(&["LOCKINFO", name]);
    let nodes = info.elements();
    let at = nodes.iter().position(|node| node.text().as_deref() == Some("waiters")).expect("it is told");
    nodes[at + 1].integer()
}

#[test]
fn waiters_have_the_lock_in_the_order_they_came() {
    with_servers(|server| {
        let mut last = lock(&mut server.connect(), "name");
        let mut ways: Vec<Client> = (0..3).flat_map(|_| ways_to(server, "name")).collect();
        for (number, client) in ways.iter_mut().enumerate() {
            wait_for(client, "name");
            until_waiting(server, number + 1);
        }
        assert_eq!(waiters_of(&mut server.connect(), "name"), ways.len() as i64);
        assert_eq!(unlock(&mut server.connect(), "name", last), 1);
        for client in &mut ways {
            let token = granted(client);
            assert!(token > last, "token {token} after {last}");
            last = token;
            // Whoever does not wait does not overtake.
            assert_eq!(server.connect().call(&["LOCK", "name", LONG]), Reply::Nil);
            assert_eq!(unlock(client, "name", token), 1);
        }
        until_waiting(server, 0);
        assert_eq!(server.connect().call(&["LOCKINFO", "name"]), Reply::Nil);
    });
}

#[test]
fn a_lock_outlives_the_connection_of_its_holder() {
    with_servers(|server| {
        let count = ways_to(server, "name").len();
        for number in 0..count {
            let token = lock(&mut ways_to(server, "name")[number], "name");
            server.wait_for_clients_to_go();
            let mut other = server.connect();
            assert_eq!(other.call(&["LOCK", "name", LONG]), Reply::Nil, "{number}");
            assert_eq!(unlock(&mut other, "name", token), 1);
        }
    });
}

#[test]
fn waiters_that_go_away_are_skipped() {
    with_servers(|server| {
        for mut last in ways_to(server, "name") {
            let mut holder = server.connect();
            let token = lock(&mut holder, "name");
            let mut others = ways_to(server, "name");
            for (number, other) in others.iter_mut().enumerate() {
                wait_for(other, "name");
                until_waiting(server, number + 1);
            }
            wait_for(&mut last, "name");
            until_waiting(server, others.len() + 1);
            drop(others);
            until_waiting(server, 1);
            assert_eq!(unlock(&mut holder, "name", token), 1);
            let second = granted(&mut last);
            assert!(second > token);
            assert_eq!(unlock(&mut last, "name", second), 1);
        }
    });
}

#[test]
fn when_a_lock_is_over_the_next_waiter_has_it() {
    with_servers(|server| {
        for mut waiter in ways_to(server, "name") {
            let mut holder = server.connect();
            let first = holder.call(&["LOCK", "name", "100"]).integer();
            wait_for(&mut waiter, "name");
            let second = granted(&mut waiter);
            assert!(second > first);
            assert_eq!(unlock(&mut holder, "name", first), 0);
            assert_eq!(holder.command(&format!("RELOCK name {first} 1000")).integer(), 0);
            assert_eq!(unlock(&mut waiter, "name", second), 1);
        }
    });
}

#[test]
fn a_lock_that_was_given_more_time_is_waited_for() {
    with_servers(|server| {
        for mut waiter in ways_to(server, "name") {
            let mut holder = server.connect();
            let token = holder.call(&["LOCK", "name", "1000"]).integer();
            wait_for(&mut waiter, "name");
            until_waiting(server, 1);
            // On a machine that was away for a second the waiter has it already, and nothing is shown.
            if holder.command(&format!("RELOCK name {token} {LONG}")).integer() == 1 {
                assert_silent(&mut waiter);
                assert_eq!(holder.command(&format!("RELOCK name {token} 1")).integer(), 1);
            }
            let second = granted(&mut waiter);
            assert_eq!(unlock(&mut waiter, "name", second), 1);
        }
    });
}

#[test]
fn a_lock_that_anybody_removes_goes_to_the_next_waiter() {
    with_servers(|server| {
        for line in
            ["DEL name", "UNLINK name", "DELPREFIX na", "FLUSHDB", "FLUSHALL", "PEXPIRE name 1", "EXPIRE name 0"]
        {
            for mut waiter in ways_to(server, "name") {
                let first = lock(&mut server.connect(), "name");
                wait_for(&mut waiter, "name");
                until_waiting(server, 1);
                let done = server.connect().command(line).to_string();
                assert!(!done.starts_with('-'), "{line}: {done}");
                let second = granted(&mut waiter);
                assert!(second > first, "{line}");
                assert_eq!(unlock(&mut waiter, "name", second), 1);
            }
        }
    });
}

#[test]
fn a_string_in_place_of_a_lock_is_told_to_all_who_wait() {
    with_servers(|server| {
        lock(&mut server.connect(), "name");
        let mut ways = ways_to(server, "name");
        for client in &mut ways {
            wait_for(client, "name");
        }
        until_waiting(server, ways.len());
        assert_eq!(server.connect().command("SET name value").to_string(), "+OK");
        for client in &mut ways {
            assert_eq!(read(client), "-WRONGTYPE Operation against a key holding the wrong kind of value");
        }
        until_waiting(server, 0);
    });
}

#[test]
fn a_wait_that_is_too_long_ends_without_the_lock() {
    with_servers(|server| {
        let token = lock(&mut server.connect(), "name");
        for mut client in ways_to(server, "name") {
            assert_eq!(client.command(&format!("LOCK name {LONG} WAIT 50")), Reply::Nil);
            assert_eq!(client.command("PING").to_string(), "+PONG");
        }
        assert_eq!(unlock(&mut server.connect(), "name", token), 1);
        lock(&mut server.connect(), "name");
    });
}

/// Holds the lock, and asserts that it is alone and that its token is greater than any before.
fn work(client: &mut Client, name: &str, token: i64, inside: &AtomicU64, newest: &AtomicI64) {
    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two hold {name}");
    let before = newest.swap(token, Ordering::SeqCst);
    assert!(token > before, "token {token} of {name} after {before}");
    assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1, "two hold {name}");
    assert_eq!(unlock(client, name, token), 1);
}

#[test]
fn one_client_at_a_time_holds_a_lock() {
    const CLIENTS: u64 = 12;
    const STEPS: u64 = 60;
    let seed = seed_of_run("one_client_at_a_time_holds_a_lock");
    with_servers(|server: &Server| {
        let locks: Vec<(String, AtomicU64, AtomicI64)> =
            (0..3).map(|number| (format!("lock:{number}"), AtomicU64::new(0), AtomicI64::new(0))).collect();
        thread::scope(|scope| {
            for number in 0..CLIENTS {
                let locks = &locks;
                scope.spawn(move || {
                    let mut random = Random::new(seed + number);
                    let mut client = server.connect();
                    for _ in 0..STEPS {
                        let (name, inside, newest) = &locks[random.below(3) as usize];
                        let wait = if random.below(3) == 0 { "3" } else { LONG };
                        match client.call(&["LOCK", name, LONG, "WAIT", wait]) {
                            Reply::Integer(token) => work(&mut client, name, token, inside, newest),
                            reply => assert_eq!((reply, wait), (Reply::Nil, "3"), "{name}"),
                        }
                        if random.below(10) == 0 {
                            // It goes away while it waits; what it is given nevertheless ends soon.
                            send(&mut client, &format!("LOCK {name} 20 WAIT {LONG}"));
                            client = server.connect();
                        }
                    }
                });
            }
        });
    });
}
