//! Who makes a value, who waits for it, and what happens when one of them goes away.

use locksley_tests::client::{Client, NoReply, request};
use locksley_tests::server::Server;
use locksley_tests::wait::until;

use crate::{LONG, assert_silent, launch, read, send, token_of, until_waiting, ways_to, win, with_servers};

/// A request that waits for `key` until a value arrives.
fn wait_for(client: &mut Client, key: &str) {
    send(client, &format!("GETL {key} {LONG} BLOCK {LONG}"));
}

/// Runs `check` with each pair of connections that may hold a lease and wait for its value, and a key of the pair's own.
fn with_pairs(server: &Server, check: impl Fn(&str, Client, Client)) {
    let count = ways_to(server, "key:0").len();
    for (first, second) in (0..count).flat_map(|first| (0..count).map(move |second| (first, second))) {
        if first == second {
            continue;
        }
        let key = format!("key:{first}:{second}");
        let mut ways = ways_to(server, &key);
        // The later one is taken out first, so that the other keeps its place.
        let (high, low) = (ways.remove(first.max(second)), ways.remove(first.min(second)));
        let (holder, waiter) = if first < second { (low, high) } else { (high, low) };
        check(&key, holder, waiter);
    }
}

#[test]
fn a_value_reaches_everybody_who_waits_for_it() {
    with_servers(|server| {
        for round in 0..4 {
            let key = format!("key:{round}");
            let mut ways = ways_to(server, &key);
            let token = win(&mut ways[0], &key);
            for client in &mut ways[1..] {
                wait_for(client, &key);
            }
            until_waiting(server, ways.len() - 1);
            let value = "v".repeat(20_000 * round);
            let reply = ways[0].call(&["SETL", &key, &token.to_string(), &value]);
            assert_eq!(reply.to_string(), "+OK");
            for client in &mut ways[1..] {
                assert_eq!(client.read().expect("the value arrives").text().as_deref(), Some(value.as_str()));
            }
            until_waiting(server, 0);
        }
    });
}

#[test]
fn when_the_holder_disconnects_the_next_waiter_makes_the_value() {
    with_servers(|server| {
        with_pairs(server, |key, mut holder, mut waiter| {
            let first = win(&mut holder, key);
            let mut last = server.connect();
            wait_for(&mut waiter, key);
            until_waiting(server, 1);
            wait_for(&mut last, key);
            until_waiting(server, 2);
            drop(holder);
            let second = token_of(&waiter.read().expect("its turn has come"));
            assert_ne!(first, second);
            assert_eq!(waiter.command(&format!("SETL {key} {first} late")).to_string(), "nil");
            assert_eq!(waiter.command(&format!("SETL {key} {second} value")).to_string(), "+OK");
            assert_eq!(read(&mut last), "\"value\"");
        });
    });
}

#[test]
fn when_the_holder_gives_up_the_next_waiter_makes_the_value() {
    with_servers(|server| {
        with_pairs(server, |key, mut holder, mut waiter| {
            let first = win(&mut holder, key);
            wait_for(&mut waiter, key);
            until_waiting(server, 1);
            assert_eq!(holder.command(&format!("DELL {key} {first}")).integer(), 1);
            let second = token_of(&waiter.read().expect("its turn has come"));
            assert_ne!(first, second);
        });
    });
}

#[test]
fn when_the_lease_is_over_the_next_waiter_makes_the_value() {
    with_servers(|server| {
        for (number, mut waiter) in ways_to(server, "key").into_iter().enumerate() {
            let key = "key";
            let mut holder = server.connect();
            let first = token_of(&holder.call(&["GETL", key, "100"]));
            wait_for(&mut waiter, key);
            let second = token_of(&waiter.read().expect("the lease ends by itself"));
            assert_ne!(first, second, "{number}");
            assert_eq!(holder.command(&format!("SETL {key} {first} late")).to_string(), "nil");
            assert_eq!(waiter.command(&format!("DELL {key} {second}")).integer(), 1);
        }
    });
}

#[test]
fn waiters_that_go_away_are_skipped() {
    with_servers(|server| {
        with_pairs(server, |key, mut holder, mut waiter| {
            let first = win(&mut holder, key);
            let mut others: Vec<Client> = (0..3).map(|_| server.connect()).collect();
            for (number, other) in others.iter_mut().enumerate() {
                wait_for(other, key);
                until_waiting(server, number + 1);
            }
            wait_for(&mut waiter, key);
            until_waiting(server, 4);
            // By closing, by saying that it will send nothing more, and by being killed.
            drop(others.remove(0));
            until_waiting(server, 3);
            others[0].finish_sending().expect("the socket is open");
            until_waiting(server, 2);
            let local = others[1].stream().local_addr().expect("it is connected");
            assert_eq!(server.connect().command(&format!("CLIENT KILL ADDR {local}")).integer(), 1);
            until_waiting(server, 1);
            assert_eq!(holder.command(&format!("DELL {key} {first}")).integer(), 1);
            token_of(&waiter.read().expect("its turn has come"));
        });
    });
}

#[test]
fn waiters_are_served_in_the_order_they_came() {
    with_servers(|server| {
        let mut holder = server.connect();
        let first = win(&mut holder, "key");
        let mut ways = ways_to(server, "key");
        for (number, client) in ways.iter_mut().enumerate() {
            wait_for(client, "key");
            until_waiting(server, number + 1);
        }
        assert_eq!(holder.command(&format!("DELL key {first}")).integer(), 1);
        let count = ways.len();
        for (number, mut client) in ways.into_iter().enumerate() {
            token_of(&client.read().expect("its turn has come"));
            until_waiting(server, count - number - 1);
            // It goes away in its turn, and the next one is asked.
            drop(client);
        }
    });
}

#[test]
fn a_write_by_anybody_reaches_those_who_wait() {
    with_servers(|server| {
        with_pairs(server, |key, mut holder, mut waiter| {
            let token = win(&mut holder, key);
            wait_for(&mut waiter, key);
            until_waiting(server, 1);
            assert_eq!(server.connect().call(&["SET", key, "other"]).to_string(), "+OK");
            assert_eq!(read(&mut waiter), "\"other\"");
            assert_eq!(holder.command(&format!("SETL {key} {token} late")).to_string(), "nil");
        });
    });
}

#[test]
fn what_a_waiter_is_told_depends_on_what_was_done() {
    with_servers(|server| {
        for (line, reply) in [
            ("SETABSENT {k} EX 100", "[\"absent\", nil, nil]"),
            ("APPEND {k} grown", "\"grown\""),
            ("MSET {k} set a{k} b", "\"set\""),
            ("DEL {k}", "win"),
            ("DELPREFIX {k}", "win"),
            ("FLUSHDB", "win"),
            ("FLUSHALL ASYNC", "win"),
            ("SWAPDB 0 1", "win"),
        ] {
            let key = "{k}";
            let mut ways = ways_to(server, key);
            let holder = &mut ways[0];
            let token = win(holder, key);
            let waiter = &mut ways[1];
            wait_for(waiter, key);
            until_waiting(server, 1);
            let done = server.connect().command(line).to_string();
            assert!(!done.starts_with('-'), "{line}: {done}");
            let told = waiter.read().unwrap_or_else(|error| panic!("{line}: {error}"));
            if reply == "win" {
                assert_ne!(token_of(&told), token, "{line}");
            } else {
                assert_eq!(told.to_string(), reply, "{line}");
            }
            assert_eq!(ways[0].command(&format!("SETL {key} {token} late")).to_string(), "nil", "{line}");
            drop(ways);
            assert_eq!(server.connect().command("FLUSHALL").to_string(), "+OK");
            server.wait_for_clients_to_go();
        }
    });
}

#[test]
fn a_wait_that_is_too_long_ends_with_wait() {
    with_servers(|server| {
        for mut client in ways_to(server, "key") {
            let mut holder = server.connect();
            let token = win(&mut holder, "key");
            assert_eq!(client.command("GETL key 1000 BLOCK 50").to_string(), "[\"wait\", nil, nil]");
            assert_eq!(holder.command(&format!("SETL key {token} value PX 1")).to_string(), "+OK");
            until("it expires", || client.command("GET key").to_string() == "nil");
        }
        until_waiting(server, 0);
    });
}

#[test]
fn requests_behind_one_that_waits_keep_their_order() {
    with_servers(|server| {
        with_pairs(server, |key, mut holder, mut waiter| {
            let token = win(&mut holder, key);
            // At the port of a shard the keys of others are refused: all of them share a slot.
            let behind = format!("{{{key}}}behind");
            let lines = [
                "PING".to_owned(),
                format!("GETL {key} {LONG} BLOCK {LONG}"),
                format!("SET {behind} 1"),
                format!("INCR {behind}"),
                "ECHO between".to_owned(),
                format!("GETL {key} {LONG} BLOCK {LONG}"),
                format!("MGET {key} {behind}"),
                "PING last".to_owned(),
            ];
            let bytes: Vec<u8> = lines.iter().flat_map(|line| request(&line.split(' ').collect::<Vec<_>>())).collect();
            waiter.send_raw(&bytes).expect("the server reads");
            assert_eq!(read(&mut waiter), "+PONG");
            until_waiting(server, 1);
            assert_silent(&mut waiter);
            assert_eq!(server.connect().call(&["EXISTS", &behind]).integer(), 0);
            assert_eq!(holder.command(&format!("SETL {key} {token} value")).to_string(), "+OK");
            for reply in ["\"value\"", "+OK", ":2", "\"between\"", "\"value\"", "[\"value\", \"2\"]", "\"last\""] {
                assert_eq!(read(&mut waiter), reply);
            }
        });
    });
}

#[test]
fn a_client_that_goes_with_requests_behind_a_wait_leaves_nothing() {
    with_servers(|server| {
        let mut holder = server.connect();
        let token = win(&mut holder, "key");
        for mut client in ways_to(server, "key") {
            let lines = format!("GETL key {LONG} BLOCK {LONG}|SET never 1|GETL other {LONG} BLOCK {LONG}");
            let bytes: Vec<u8> =
                lines.split('|').flat_map(|line| request(&line.split(' ').collect::<Vec<_>>())).collect();
            client.send_raw(&bytes).expect("the server reads");
            until_waiting(server, 1);
            drop(client);
            until_waiting(server, 0);
        }
        assert_eq!(holder.command(&format!("SETL key {token} value")).to_string(), "+OK");
        assert_eq!(holder.command("EXISTS never").integer(), 0);
        token_of(&holder.call(&["GETL", "other", LONG]));
    });
}

#[test]
fn one_client_at_a_time_is_asked_to_renew_before_the_end() {
    // What took half a second to make is renewed before its two seconds are over: the chance is 2 % a request at first,
    // and grows.
    with_servers(|server| {
        let mut maker = server.connect();
        let token = win(&mut maker, "key");
        assert_eq!(maker.command("SET making it PX 500").to_string(), "+OK");
        until("it is made", || maker.command("EXISTS making").integer() == 0);
        assert_eq!(maker.command(&format!("SETL key {token} old PX 2000")).to_string(), "+OK");
        let mut ways = ways_to(server, "key");
        let mut renewal = None;
        while renewal.is_none() {
            for client in &mut ways {
                let reply = client.call(&["GETL", "key", LONG]);
                match reply.to_string().as_str() {
                    "\"old\"" => {}
                    text if text.starts_with("[\"refresh\"") => {
                        assert_eq!(renewal, None, "a second one is asked: {text}");
                        assert_eq!(reply.elements()[2].text().as_deref(), Some("old"));
                        renewal = Some(reply.elements()[1].integer());
                    }
                    text => panic!("nobody was asked before the end: {text}"),
                }
            }
        }
        // The others go on with the value, or wait if it has ended meanwhile.
        for client in &mut ways {
            let text = client.call(&["GETL", "key", LONG]).to_string();
            assert!(text == "\"old\"" || text.starts_with("[\"wait\""), "{text}");
        }
        let token = renewal.expect("somebody was asked");
        assert_eq!(maker.command(&format!("SETL key {token} new EX 1000")).to_string(), "+OK");
        for client in &mut ways {
            assert_eq!(client.call(&["GETL", "key", LONG]).to_string(), "\"new\"");
        }
    });
}

#[test]
fn a_reload_ends_leases_and_lets_those_who_wait_look_anew() {
    if crate::is_redis() {
        return;
    }
    for (shards, line) in [(1, "DEBUG RELOAD"), (2, "DEBUG RELOAD"), (2, "DEBUG LOADAOF")] {
        let server = launch(shards, Some("always")).flags(["--enable-debug-command", "yes"]).start();
        let mut holder = server.connect();
        for number in 0..6 {
            let (key, name) = (format!("key:{number}"), format!("lock:{number}"));
            let token = win(&mut holder, &key);
            let fence = holder.call(&["LOCK", &name, LONG]).integer();
            let (mut waiter, mut queued) = (server.connect(), server.connect());
            wait_for(&mut waiter, &key);
            send(&mut queued, &format!("LOCK {name} {LONG} WAIT {LONG}"));
            until_waiting(&server, 2);
            assert_eq!(holder.command(line).to_string(), "+OK");
            let second = token_of(&waiter.read().expect("the lease is no more"));
            assert_eq!(holder.command(&format!("SETL {key} {token} late")).to_string(), "nil");
            assert_eq!(waiter.command(&format!("SETL {key} {second} value")).to_string(), "+OK");
            assert_eq!(holder.command(&format!("UNLOCK {name} {fence}")).integer(), 1);
            assert!(queued.read().expect("its turn has come").integer() > fence);
        }
    }
}

#[test]
fn one_that_waits_is_not_idle() {
    if crate::is_redis() {
        return;
    }
    for (shards, policy) in crate::SERVERS {
        let server = launch(shards, policy).flags(["--timeout", "1"]).start();
        // Each is connected when its turn comes, or it would be idle before.
        let last = ways_to(&server, "key").len() - 1;
        for number in [0, last] {
            wait_until_closed_beside(&server, &mut ways_to(&server, "key")[number]);
        }
    }
}

/// Lets a client wait for longer than an idle one is kept, and asserts that it is served.
fn wait_until_closed_beside(server: &Server, waiter: &mut Client) {
    let mut holder = server.connect();
    let token = win(&mut holder, "key");
    wait_for(waiter, "key");
    let mut idle = server.connect();
    assert_eq!(idle.command("PING").to_string(), "+PONG");
    until("an idle client is closed", || {
        // The holder is kept by what it asks.
        assert_eq!(holder.command("PING").to_string(), "+PONG");
        matches!(idle.read_within(std::time::Duration::from_millis(50)), Err(NoReply::Closed))
    });
    assert_eq!(holder.command(&format!("SETL key {token} value")).to_string(), "+OK");
    assert_eq!(read(waiter), "\"value\"");
    assert_eq!(holder.command("DEL key").integer(), 1);
}

#[test]
fn there_are_as_many_leases_as_may_be_and_one_more_ends_the_oldest() {
    const LEASES: usize = 65_536;
    if crate::is_redis() {
        return;
    }
    let server = launch(1, None).start();
    let mut holder = server.connect();
    let mut tokens = Vec::new();
    for part in (0..LEASES + 10).collect::<Vec<_>>().chunks(1_000) {
        let bytes: Vec<u8> =
            part.iter().flat_map(|number| request(&["GETL", &format!("key:{number}"), LONG])).collect();
        holder.send_raw(&bytes).expect("the server reads");
        tokens.extend(part.iter().map(|_| token_of(&holder.read().expect("a lease"))));
    }
    assert_eq!(holder.info_number("leases"), LEASES as i64);
    for (number, token) in tokens.iter().enumerate().filter(|(number, _)| *number < 12 || *number >= LEASES) {
        let reply = holder.command(&format!("SETL key:{number} {token} value")).to_string();
        assert_eq!(reply, if number < 10 { "nil" } else { "+OK" }, "key:{number}");
    }
    drop(holder);
    let mut client = server.connect();
    until("the leases of one who is gone have ended", || client.info_number("leases") == 0);
}

#[test]
fn a_server_with_waiters_ends_when_it_is_told_to() {
    for (shards, policy) in crate::SERVERS {
        if crate::is_redis() {
            return;
        }
        let server = launch(shards, policy).start();
        let mut holder = server.connect();
        win(&mut holder, "key");
        let mut waiter = server.connect();
        wait_for(&mut waiter, "key");
        until_waiting(&server, 1);
        let ended = server.stop("TERM");
        assert_eq!(ended.status.code(), Some(0), "{}", ended.output);
    }
}
