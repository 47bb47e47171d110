//! Notes of absence and values in their grace, as the other doors show them; and what they do to leases.

use locksley_tests::wait::until;

use crate::{LONG, read, send, until_waiting, win, with_servers};

#[test]
fn a_note_of_absence_is_told_by_those_doors_that_have_a_word_for_it() {
    with_servers(|server| {
        let mut client = server.connect();
        let mut memcached = server.connect_memcached();
        let mut http = server.connect_http();
        for number in 0..6 {
            let key = format!("key:{number}");
            assert_eq!(client.call(&["SETABSENT", &key, "EX", "1000"]).to_string(), "+OK");
            assert!(memcached.retrieve(&format!("get {key}")).is_empty());
            assert_eq!(memcached.command(&format!("mg {key} v")), "EN");
            assert_eq!(memcached.command(&format!("mg {key} v A")), "EN A");
            assert_eq!(memcached.command(&format!("mg none:{number} v A")), "EN");
            let response = http.get(&format!("/cache/{key}"));
            assert_eq!(response.status, 404, "{response:?}");
            assert_eq!(response.json()["code"], "absent", "{response:?}");
            assert_eq!(http.get(&format!("/cache/none:{number}")).status, 200);
            assert_eq!(memcached.command(&format!("delete {key}")), "NOT_FOUND");
            assert_eq!(memcached.command(&format!("mg {key} v A")), "EN");
        }
    });
}

#[test]
fn http_writes_notes_of_absence() {
    with_servers(|server| {
        let mut client = server.connect();
        let mut http = server.connect_http();
        for (key, query) in [("plain", ""), ("timed", "&ttl_seconds=1000")] {
            let response = http.put(&format!("/cache/{key}?absent=true{query}"), b"");
            assert!((200..300).contains(&response.status), "{response:?}");
            assert_eq!(client.call(&["GETL", key, LONG]).to_string(), "[\"absent\", nil, nil]");
            assert_eq!(http.get(&format!("/cache/{key}")).status, 404);
            assert_eq!(http.put(&format!("/cache/{key}"), b"value").status, 201);
            assert_eq!(http.get(&format!("/cache/{key}")).json()["value"], "value");
        }
        let response = http.put("/cache/bad?absent=perhaps", b"");
        assert_eq!(response.status, 400, "{response:?}");
        assert_eq!(client.command("EXISTS bad").integer(), 0);
    });
}

#[test]
fn notes_are_counted_as_negative_hits() {
    with_servers(|server| {
        let mut client = server.connect();
        assert_eq!(client.command("SETABSENT key").to_string(), "+OK");
        let before = client.info_number("negative_hits");
        for _ in 0..10 {
            assert_eq!(client.command("GET key").to_string(), "nil");
            assert_eq!(client.command("GET none").to_string(), "nil");
        }
        assert_eq!(client.info_number("negative_hits"), before + 10);
    });
}

#[test]
fn a_write_at_any_door_ends_a_lease_and_reaches_those_who_wait() {
    with_servers(|server| {
        let mut memcached = server.connect_memcached();
        let mut http = server.connect_http();
        let mut holder = server.connect();
        let mut waiter = server.connect();
        for number in 0..12 {
            let key = format!("key:{number}");
            let token = win(&mut holder, &key);
            send(&mut waiter, &format!("GETL {key} {LONG} BLOCK {LONG}"));
            until_waiting(server, 1);
            match number % 3 {
                0 => assert_eq!(memcached.store(&format!("set {key} 0 0 5"), b"value"), "STORED"),
                1 => assert_eq!(memcached.store(&format!("ms {key} 5"), b"value"), "HD"),
                _ => assert_eq!(http.put(&format!("/cache/{key}"), b"value").status, 201),
            }
            assert_eq!(read(&mut waiter), "\"value\"", "{key}");
            assert_eq!(holder.command(&format!("SETL {key} {token} late")).to_string(), "nil", "{key}");
        }
    });
}

#[test]
fn memcached_and_getl_share_the_lease_of_a_key() {
    with_servers(|server| {
        let mut client = server.connect();
        let mut memcached = server.connect_memcached();
        for number in 0..6 {
            // Who won by GETL is followed by mg's Z, and the other way round.
            let key = format!("resp:{number}");
            let token = win(&mut client, &key);
            assert_eq!(client.command(&format!("SETL {key} {token} old PX 1 STALE {LONG}")).to_string(), "+OK");
            until("it is over", || client.call(&["GET", &key]).to_string() == "nil");
            let token = client.command(&format!("GETL {key} {LONG} STALE {LONG}")).elements()[1].integer();
            let (line, value) = memcached.meta(&format!("mg {key} v"));
            assert_eq!((line.as_str(), value.as_deref()), ("VA 3 Z X", Some(&b"old"[..])), "{key}");
            assert_eq!(client.command(&format!("SETL {key} {token} new")).to_string(), "+OK");
            let (line, _) = memcached.meta(&format!("mg {key} v"));
            assert_eq!(line, "VA 3");

            let key = format!("meta:{number}");
            let token = win(&mut client, &key);
            assert_eq!(client.command(&format!("SETL {key} {token} old PX 1 STALE {LONG}")).to_string(), "+OK");
            until("it is over", || client.call(&["GET", &key]).to_string() == "nil");
            let (line, value) = memcached.meta(&format!("mg {key} v"));
            assert_eq!((line.as_str(), value.as_deref()), ("VA 3 X W", Some(&b"old"[..])), "{key}");
            let reply = client.command(&format!("GETL {key} {LONG} STALE {LONG}"));
            assert_eq!(reply.to_string(), "[\"stale\", nil, \"old\"]");
            assert_eq!(memcached.store(&format!("ms {key} 3"), b"new"), "HD");
            assert_eq!(client.call(&["GETL", &key, LONG]).to_string(), "\"new\"");
        }
    });
}

#[test]
fn a_value_that_memcached_invalidated_is_shown_as_stale() {
    with_servers(|server| {
        let mut client = server.connect();
        let mut memcached = server.connect_memcached();
        for number in 0..4 {
            let key = format!("key:{number}");
            assert_eq!(memcached.store(&format!("ms {key} 3"), b"old"), "HD");
            assert_eq!(memcached.command(&format!("md {key} I T1000")), "HD");
            let reply = client.command(&format!("GETL {key} {LONG} STALE {LONG}"));
            assert_eq!(reply.elements()[0].text().as_deref(), Some("refresh"), "{reply}");
            assert_eq!(reply.elements()[2].text().as_deref(), Some("old"), "{reply}");
            let (line, _) = memcached.meta(&format!("mg {key} v"));
            assert_eq!(line, "VA 3 Z X", "{key}");
        }
    });
}
