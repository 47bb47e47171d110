//! One version behind all doors: conditions hold across them, and versions grow whatever happens to the process.

use std::path::Path;

use locksley_tests::directory::Directory;
use locksley_tests::server::Server;

use crate::visitor::{Door, Visitor, Wanted};
use crate::{is_redis, keys, launch, with_visitors};

#[test]
fn a_condition_loses_to_a_change_through_another_door() {
    with_visitors(|visitors| {
        let count = visitors.len();
        for (key, (reader, writer)) in keys(16).zip(Door::pairs()) {
            visitors[0].write(reader, &key, Wanted::plain(b"one"));
            let version = visitors[0].read(reader, &key).expect("it was written").version;
            visitors[count - 1].write(writer, &key, Wanted::plain(b"two"));
            for door in Door::ALL {
                let how = format!("{door:?} with the version of {reader:?}, after a write of {writer:?}");
                assert!(!visitors[0].write_if(door, &key, b"three", version), "{how}");
                assert!(!visitors[0].delete_if(door, &key, version), "{how}, deleting");
            }
            assert_eq!(visitors[count / 2].read(writer, &key).expect("it stays").value, b"two");
        }
    });
}

#[test]
fn a_condition_holds_with_the_version_that_another_door_read() {
    with_visitors(|visitors| {
        let count = visitors.len();
        for (key, (reader, writer)) in keys(16).zip(Door::pairs()) {
            visitors[0].write(reader, &key, Wanted::plain(b"one"));
            let first = visitors[0].read(reader, &key).expect("it was written").version;
            let how = format!("{writer:?} with the version that {reader:?} read");
            assert!(visitors[count - 1].write_if(writer, &key, b"two", first), "{how}");
            let second = visitors[0].read(reader, &key).expect("it stays");
            assert_eq!(second.value, b"two", "{how}");
            assert!(second.version > first, "{how}: {} after {first}", second.version);
            assert!(!visitors[count - 1].write_if(writer, &key, b"three", first), "{how}, twice");
            assert!(visitors[count - 1].delete_if(writer, &key, second.version), "{how}, deleting");
            assert_eq!(visitors[0].read(reader, &key), None, "{how}");
        }
    });
}

#[test]
fn a_condition_on_what_is_not_there_fails() {
    with_visitors(|visitors| {
        for (door, key) in Door::ALL.into_iter().zip(keys(4)) {
            assert!(!visitors[0].write_if(door, &key, b"x", 1), "{door:?}");
            assert!(!visitors[0].delete_if(door, &key, 1), "{door:?}");
            visitors[0].write(door, &key, Wanted::plain(b"x"));
            let version = visitors[0].read(door, &key).expect("it was written").version;
            assert!(visitors[0].delete(door, &key));
            visitors[0].write(door, &key, Wanted::plain(b"x"));
            // A new entry of the same key is not the one whose version was read.
            assert!(!visitors[0].write_if(door, &key, b"y", version), "{door:?}");
        }
    });
}

/// A change of one entry, whatever it answers.
type Change<'a> = &'a dyn Fn(&mut Visitor);

#[test]
fn every_kind_of_change_makes_a_higher_version() {
    with_visitors(|visitors| {
        let count = visitors.len();
        for key in keys(5) {
            visitors[0].write(Door::Text, &key, Wanted { value: b"10", flags: 1, ttl_seconds: Some(100) });
            let mut before = visitors[0].read(Door::Meta, &key).expect("it was written").version;
            let changes: [(&str, Change<'_>); 14] = [
                ("incr", &|v| drop(v.memcached.command(&format!("incr {key} 1")))),
                ("decr", &|v| drop(v.memcached.command(&format!("decr {key} 1")))),
                ("ma", &|v| drop(v.memcached.command(&format!("ma {key}")))),
                ("INCR", &|v| drop(v.resp.call(&["INCR", &key]))),
                ("append", &|v| drop(v.memcached.store(&format!("append {key} 0 0 1"), b"1"))),
                ("prepend", &|v| drop(v.memcached.store(&format!("prepend {key} 0 0 1"), b"1"))),
                ("APPEND", &|v| drop(v.resp.call(&["APPEND", &key, "1"]))),
                ("SETRANGE", &|v| drop(v.resp.call(&["SETRANGE", &key, "0", "2"]))),
                ("touch", &|v| drop(v.memcached.command(&format!("touch {key} 200")))),
                ("gat", &|v| drop(v.memcached.retrieve(&format!("gat 300 {key}")))),
                ("EXPIRE", &|v| drop(v.resp.call(&["EXPIRE", &key, "400"]))),
                ("PERSIST", &|v| drop(v.resp.call(&["PERSIST", &key]))),
                ("md I", &|v| drop(v.memcached.command(&format!("md {key} I")))),
                ("PUT", &|v| drop(v.http.put(&format!("/cache/{key}"), b"rest"))),
            ];
            for (number, (name, change)) in changes.into_iter().enumerate() {
                change(&mut visitors[number % count]);
                for door in Door::ALL {
                    let after = visitors[(number + 1) % count].read(door, &key).expect("it stays").version;
                    assert!(after > before, "{name}, read by {door:?}: {after} after {before}");
                }
                before = visitors[0].read(Door::Resp, &key).expect("it stays").version;
            }
        }
    });
}

#[test]
fn reading_makes_no_new_version() {
    with_visitors(|visitors| {
        for (door, key) in Door::ALL.into_iter().zip(keys(4)) {
            visitors[0].write(door, &key, Wanted { value: b"x", flags: 0, ttl_seconds: Some(100) });
            let version = visitors[0].read(door, &key).expect("it was written").version;
            for reader in Door::ALL.into_iter().cycle().take(12) {
                assert_eq!(visitors[0].read(reader, &key).expect("it stays").version, version);
            }
            assert_eq!(visitors[0].memcached.command(&format!("mg {key} h")), "HD h1");
        }
    });
}

/// An entry as it was before an end: key, value, flags, version.
type Before = (String, Vec<u8>, u32, u64);

/// Writes through every door.
fn fill(visitor: &mut Visitor) -> Vec<Before> {
    let mut before = Vec::new();
    for (number, key) in keys(40).enumerate() {
        let door = Door::ALL[number % 4];
        let value = format!("{key} by {door:?}").into_bytes();
        let flags = if door == Door::Resp { 0 } else { number as u32 };
        let ttl_seconds = (number % 5 == 0).then_some(10_000);
        visitor.write(door, &key, Wanted { value: &value, flags, ttl_seconds });
        let version = visitor.read(door, &key).expect("it was written").version;
        before.push((key, value, flags, version));
    }
    before
}

/// Asserts that every entry is as it was through every door, and that the next change of each has a higher version
/// than all before; gives them as they are then.
fn check(visitor: &mut Visitor, before: Vec<Before>, how: &str) -> Vec<Before> {
    let mut after = Vec::new();
    for (number, (key, value, flags, version)) in before.into_iter().enumerate() {
        for door in Door::ALL {
            let seen = visitor.read(door, &key).unwrap_or_else(|| panic!("{how}: {door:?} does not see {key}"));
            assert_eq!((&seen.value, seen.version), (&value, version), "{how}: {key} through {door:?}");
            assert_eq!(seen.flags.unwrap_or(flags), flags, "{how}: flags of {key} through {door:?}");
        }
        let door = Door::ALL[(number + 1) % 4];
        let flags = if door == Door::Resp { 0 } else { flags + 1 };
        if number % 2 == 0 {
            visitor.write(door, &key, Wanted { value: &value, flags, ttl_seconds: None });
        } else {
            assert!(visitor.write_if(door, &key, &value, version), "{how}: {key}, a condition of {door:?}");
        }
        let seen = visitor.read(Door::Text, &key).expect("it was written");
        assert!(seen.version > version, "{how}: {key} has version {} after {version}", seen.version);
        after.push((key, value, seen.flags.expect("gets gives flags"), seen.version));
    }
    after
}

fn restart(directory: &Path, shards: u32) -> Server {
    let server = launch(shards, Some("everysec")).directory(directory).start();
    let mut client = server.connect();
    locksley_tests::wait::until("everything is loaded", || client.command("PING").to_string() == "+PONG");
    server
}

#[test]
fn versions_survive_every_end_and_go_on_growing() {
    if is_redis() {
        return;
    }
    let directory = Directory::new();
    let mut server = restart(directory.path(), 2);
    let mut before = fill(&mut Visitor::new(&server));
    for (signal, snapshot, shards) in
        [("KILL", false, 4), ("TERM", false, 1), ("KILL", true, 3), ("TERM", true, 4), ("KILL", false, 2)]
    {
        if snapshot {
            assert_eq!(server.connect().command("SAVE").to_string(), "+OK");
        }
        server.stop(signal);
        server = restart(directory.path(), shards);
        let how = format!("after {signal}, snapshot: {snapshot}, with {shards} shards");
        before = check(&mut Visitor::new(&server), before, &how);
    }
}

#[test]
fn a_stale_mark_survives_a_kill() {
    if is_redis() {
        return;
    }
    for snapshot in [false, true] {
        let directory = Directory::new();
        let server = restart(directory.path(), 2);
        let mut visitor = Visitor::new(&server);
        visitor.write(Door::Meta, "door:0", Wanted::plain(b"x"));
        assert_eq!(visitor.memcached.command("md door:0 I"), "HD");
        let version = visitor.read(Door::Resp, "door:0").expect("it stays").version;
        if snapshot {
            assert_eq!(visitor.resp.command("SAVE").to_string(), "+OK");
        }
        server.stop("KILL");
        let server = restart(directory.path(), 3);
        let mut visitor = Visitor::new(&server);
        assert_eq!(visitor.read(Door::Resp, "door:0").expect("it stays").version, version);
        assert_eq!(visitor.memcached.command("mg door:0 s"), "HD s1 X W");
        assert_eq!(visitor.memcached.command("mg door:0 s"), "HD s1 Z X");
    }
}
