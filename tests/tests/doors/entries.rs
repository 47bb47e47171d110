//! What one door writes, all others read.

use locksley_tests::reply::Reply;
use locksley_tests::wait::until;

use crate::visitor::{Door, Visitor, Wanted};
use crate::{keys, with_visitors};

/// Reads `key` through every door, each with a visitor of its own, and asserts that they agree; gives the version.
fn agree(visitors: &mut [Visitor], key: &str, wanted: Wanted<'_>, flags: u32) -> u64 {
    let count = visitors.len();
    let mut version = None;
    for (index, door) in Door::ALL.into_iter().enumerate() {
        let seen = visitors[index % count].read(door, key).unwrap_or_else(|| panic!("{door:?} does not see {key}"));
        assert!(seen.value == wanted.value, "{door:?} reads {} bytes of {key}: {seen:?}", seen.value.len());
        if let Some(seen_flags) = seen.flags {
            assert_eq!(seen_flags, flags, "flags of {key} through {door:?}");
        }
        if let Some(ttl) = seen.ttl_seconds {
            match wanted.ttl_seconds {
                None => assert_eq!(ttl, -1, "time to live of {key} through {door:?}"),
                // Doors round up or down, and a slow machine may take some seconds.
                Some(seconds) => {
                    let seconds = i64::from(seconds);
                    assert!((seconds - 30..=seconds).contains(&ttl), "time to live of {key} through {door:?}: {ttl}");
                }
            }
        }
        assert_eq!(*version.get_or_insert(seen.version), seen.version, "version of {key} through {door:?}");
    }
    version.expect("there are doors")
}

/// Asserts that no door sees `key`.
fn agree_on_nothing(visitors: &mut [Visitor], key: &str) {
    let count = visitors.len();
    for (index, door) in Door::ALL.into_iter().enumerate() {
        assert_eq!(visitors[index % count].read(door, key), None, "{door:?} sees {key}");
    }
}

#[test]
fn what_one_door_writes_all_doors_read() {
    let giant = vec![b'g'; 300_000];
    let values: [&[u8]; 6] = [b"a text", b"", b"12345", b"-7", b"\0\xff\r\nEND\r\n\xfe", &giant];
    with_visitors(|visitors| {
        for (number, key) in keys(24).enumerate() {
            let count = visitors.len();
            let door = Door::ALL[number % 4];
            let value = values[number / 4];
            let ttl_seconds = (number % 3 == 0).then_some(1_000);
            let wanted = Wanted { value, flags: 0xdead_beef, ttl_seconds };
            visitors[number % count].write(door, &key, wanted);
            let flags = if door == Door::Resp { 0 } else { 0xdead_beef };
            agree(visitors, &key, wanted, flags);
        }
    });
}

#[test]
fn each_door_writes_over_what_another_wrote() {
    with_visitors(|visitors| {
        for (key, (first, second)) in keys(16).zip(Door::pairs()) {
            let count = visitors.len();
            let old = Wanted { value: b"the value before, which is longer", flags: 7, ttl_seconds: Some(500) };
            visitors[0].write(first, &key, old);
            let before = visitors[0].read(first, &key).expect("it was written").version;
            let new = Wanted { value: b"new", flags: 3, ttl_seconds: None };
            visitors[count - 1].write(second, &key, new);
            let after = agree(visitors, &key, new, if second == Door::Resp { 0 } else { 3 });
            assert!(after > before, "{first:?} then {second:?}: version {after} after {before}");
        }
    });
}

#[test]
fn what_one_door_deletes_is_gone_for_all() {
    with_visitors(|visitors| {
        for (key, (writer, deleter)) in keys(16).zip(Door::pairs()) {
            let count = visitors.len();
            visitors[0].write(writer, &key, Wanted::plain(b"x"));
            assert!(visitors[count - 1].delete(deleter, &key), "{writer:?} then {deleter:?}");
            agree_on_nothing(visitors, &key);
            assert!(!visitors[count / 2].delete(deleter, &key), "{writer:?} then {deleter:?}, twice");
        }
    });
}

#[test]
fn what_one_door_lets_expire_is_gone_for_all() {
    with_visitors(|visitors| {
        for (door, key) in Door::ALL.into_iter().zip(keys(4)) {
            visitors[0].write(door, &key, Wanted { value: b"x", flags: 0, ttl_seconds: Some(1) });
        }
        for key in keys(4) {
            until("it expires", || visitors[0].read(Door::Resp, &key).is_none());
            agree_on_nothing(visitors, &key);
        }
    });
}

#[test]
fn a_touch_through_one_door_is_seen_by_all() {
    with_visitors(|visitors| {
        for (number, key) in keys(8).enumerate() {
            let count = visitors.len();
            visitors[0].write(Door::ALL[number % 4], &key, Wanted::plain(b"x"));
            let before = visitors[0].read(Door::Text, &key).expect("it was written").version;
            let visitor = &mut visitors[number % count];
            match number / 2 {
                0 => assert_eq!(visitor.resp.call(&["EXPIRE", &key, "900"]).integer(), 1),
                1 => assert_eq!(visitor.memcached.command(&format!("touch {key} 900")), "TOUCHED"),
                2 => assert_eq!(visitor.memcached.retrieve(&format!("gat 900 {key}")).len(), 1),
                _ => assert_eq!(visitor.memcached.command(&format!("mg {key} T900")), "HD"),
            }
            let wanted = Wanted { value: b"x", flags: 0, ttl_seconds: Some(900) };
            let after = agree(visitors, &key, wanted, 0);
            assert!(after > before, "the new expiry of {key} is no change: {after} after {before}");
        }
    });
}

#[test]
fn numbers_are_counted_through_every_door() {
    with_visitors(|visitors| {
        for (key, (writer, counter)) in keys(16).zip(Door::pairs()) {
            let count = visitors.len();
            let wanted = Wanted { value: b"41", flags: 5, ttl_seconds: Some(800) };
            visitors[0].write(writer, &key, wanted);
            let before = visitors[0].read(writer, &key).expect("it was written").version;
            assert_eq!(visitors[count - 1].add(counter, &key, 1), 42, "{writer:?} then {counter:?}");
            let flags = if writer == Door::Resp { 0 } else { 5 };
            let after = agree(visitors, &key, Wanted { value: b"42", ..wanted }, flags);
            assert!(after > before, "{writer:?} then {counter:?}: version {after} after {before}");
        }
    });
}

#[test]
fn values_are_extended_through_every_door() {
    with_visitors(|visitors| {
        for (door, key) in Door::ALL.into_iter().zip(keys(4)) {
            let count = visitors.len();
            let wanted = Wanted { value: b"c", flags: 9, ttl_seconds: Some(700) };
            visitors[0].write(door, &key, wanted);
            let visitor = &mut visitors[count - 1];
            assert_eq!(visitor.memcached.store(&format!("append {key} 0 0 1"), b"d"), "STORED");
            assert_eq!(visitor.memcached.store(&format!("prepend {key} 0 0 1"), b"b"), "STORED");
            assert_eq!(visitor.memcached.store(&format!("ms {key} 1 MP"), b"a"), "HD");
            assert_eq!(visitor.memcached.store(&format!("ms {key} 1 MA"), b"e"), "HD");
            assert_eq!(visitor.resp.call(&["APPEND", &key, "f"]).integer(), 6);
            let flags = if door == Door::Resp { 0 } else { 9 };
            agree(visitors, &key, Wanted { value: b"abcdef", ..wanted }, flags);
        }
    });
}

#[test]
fn many_keys_are_read_at_once_through_every_door() {
    with_visitors(|visitors| {
        let all: Vec<String> = keys(60).collect();
        let count = visitors.len();
        for (number, key) in all.iter().enumerate() {
            visitors[number % count].write(Door::ALL[number % 4], key, Wanted::plain(key.as_bytes()));
        }
        let visitor = &mut visitors[count - 1];
        let asked: Vec<&str> = all.iter().map(String::as_str).chain(["door:missing"]).collect();
        let words: Vec<&str> = std::iter::once("MGET").chain(asked.iter().copied()).collect();
        let found = visitor.resp.call(&words);
        let expected = all.iter().map(|key| Reply::Bulk(key.clone().into_bytes())).chain([Reply::Nil]);
        assert_eq!(found, Reply::Array(expected.collect()));
        let items = visitor.memcached.retrieve(&format!("get {}", asked.join(" ")));
        let found: Vec<(&str, &[u8])> = items.iter().map(|item| (item.key.as_str(), item.value.as_slice())).collect();
        let expected: Vec<(&str, &[u8])> = all.iter().map(|key| (key.as_str(), key.as_bytes())).collect();
        assert_eq!(found, expected);
        let response = visitor.http.post("/cache/batch", &serde_json::json!({ "get": asked }));
        assert_eq!(response.status, 200, "{response:?}");
        let text = response.text();
        assert!(all.iter().all(|key| text.contains(key)) && text.contains("door:missing"), "{text}");
    });
}

#[test]
fn a_flush_through_one_door_empties_all() {
    with_visitors(|visitors| {
        for round in 0..2 {
            let count = visitors.len();
            for (number, key) in keys(20).enumerate() {
                visitors[number % count].write(Door::ALL[number % 4], &key, Wanted::plain(b"x"));
            }
            let visitor = &mut visitors[count - 1];
            if round == 0 {
                assert_eq!(visitor.memcached.command("flush_all"), "OK");
            } else {
                assert_eq!(visitor.resp.command("FLUSHDB").to_string(), "+OK");
            }
            for key in keys(20) {
                agree_on_nothing(visitors, &key);
            }
        }
    });
}

#[test]
fn memcached_works_on_database_0_and_rest_on_any() {
    with_visitors(|visitors| {
        let visitor = &mut visitors[0];
        assert_eq!(visitor.resp.command("SELECT 3").to_string(), "+OK");
        assert_eq!(visitor.resp.command("SET door:0 three").to_string(), "+OK");
        assert_eq!(visitor.read(Door::Text, "door:0"), None);
        assert_eq!(visitor.read(Door::Rest, "door:0"), None);
        assert_eq!(visitor.http.get_raw("/cache/door:0?db=3").text(), "three");
        assert_eq!(visitor.http.put("/cache/door:1?db=3", b"rest").status / 100, 2);
        assert_eq!(visitor.resp.command("GET door:1").to_string(), "\"rest\"");
        assert_eq!(visitor.http.delete("/cache/door:0?db=3").json()["existed"], true);
        assert_eq!(visitor.resp.command("DBSIZE").integer(), 1);
        // What memcached's clients empty is what they see.
        assert_eq!(visitor.memcached.command("flush_all"), "OK");
        assert_eq!(visitor.resp.command("DBSIZE").integer(), 1);
    });
}

#[test]
fn keys_of_any_bytes_are_the_same_through_doors_that_can_say_them() {
    let check = |visitor: &mut Visitor, key: &[u8], base64: &str, encoded: &str| {
        assert_eq!(visitor.resp.call(&[b"SET", key, b"v"]).to_string(), "+OK");
        let (line, value) = visitor.memcached.meta(&format!("mg {base64} b v"));
        assert_eq!((line.as_str(), value.as_deref()), ("VA 1", Some(b"v".as_slice())), "{encoded}");
        assert_eq!(visitor.http.get_raw(&format!("/cache/{encoded}")).text(), "v", "{encoded}");
        assert_eq!(visitor.http.put(&format!("/cache/{encoded}"), b"w").status / 100, 2, "{encoded}");
        assert_eq!(visitor.resp.call(&[b"GET", key]).to_string(), "\"w\"", "{encoded}");
        assert_eq!(visitor.memcached.command(&format!("md {base64} b")), "HD", "{encoded}");
        assert_eq!(visitor.resp.call(&[b"EXISTS", key]).integer(), 0, "{encoded}");
    };
    with_visitors(|visitors| {
        let visitor = &mut visitors[0];
        check(visitor, b"two words", "dHdvIHdvcmRz", "two%20words");
        check(visitor, b"a/b?c=d&e#f%g", "YS9iP2M9ZCZlI2YlZw==", "a%2Fb%3Fc%3Dd%26e%23f%25g");
        check(visitor, "schl\u{fc}ssel".as_bytes(), "c2NobMO8c3NlbA==", "schl%C3%BCssel");
    });
}
