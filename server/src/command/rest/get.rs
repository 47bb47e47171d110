//! `GET` and `HEAD /cache/{key}`: the value of a key, as JSON or as its bytes.

use locksley_engine::{Entry, Look, Millis, Touch};
use locksley_wire::http::{Manner, Response};
use locksley_wire::number::Digits;
use locksley_wire::resp::Reply;

use super::reply::{JSON_VALUE, RAW_VALUE, begin};
use super::tags::{self, Comparison, tag};
use super::{Form, json};
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;
use crate::config::Config;
use crate::thread::Thread;

pub(super) static GET: Command = Command {
    name: "get",
    arity: -3,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::Rest,
    since: "Locksley 0.1.0",
    summary: "Returns the value, the flags, the version and the time to live of a key",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(get),
};

/// Bytes of a JSON response beside the key and the value.
const JSON_FRAME_BYTES: usize = 80;

fn get(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (manner, touch) = (context.caller.dialect.http(), context.caller.touch);
    let form = Form::decode(args[2]);
    let key = context.key(args[1]);
    let Thread { shard, config, now, .. } = &mut *context.thread;
    let out = reply.buffer();
    let Some(entry) = shard.get(key, *now, touch) else {
        if let Look::Absent { .. } = shard.look(key, *now, Touch::Leave) {
            write_absent(out, manner, config);
        } else {
            write_miss(begin(out, manner, config, 200), form, args[1]);
        }
        return Ok(());
    };
    if args.len() > 3 && tags::names(args[3], Some(entry.version), Comparison::Weak) {
        with_tag(begin(out, manner, config, 304), entry.version).lines(b"Cache-Control: no-store\r\n").end();
        return Ok(());
    }
    let value = string_value(&entry)?.text();
    let response = with_tag(begin(out, manner, config, 200), entry.version);
    match form {
        Form::Raw => {
            let response = response.lines(b"X-Cache: HIT\r\n").number("X-Flags", u64::from(entry.client_flags));
            let response = match entry.expiry {
                Some(expiry) => response.number("X-TTL-Remaining", seconds_left(expiry, *now)),
                None => response,
            };
            response.lines(RAW_VALUE).body(&value);
        }
        Form::Json => {
            let likely_bytes = JSON_FRAME_BYTES + args[1].len() + value.len();
            response.lines(JSON_VALUE).body_with(likely_bytes, |out| {
                out.extend_from_slice(b"{\"hit\":true,");
                json::key(args[1], out);
                out.push(b',');
                members(&entry, &value, *now, out);
                out.push(b'}');
            });
        }
    }
    Ok(())
}

/// Appends what is told of an entry: `"value"`, `"ttl_remaining"`, `"version"` and `"flags"`.
#[inline]
pub(super) fn members(entry: &Entry<'_>, value: &[u8], now: Millis, out: &mut Vec<u8>) {
    json::member("value", "encoding", value, out);
    out.extend_from_slice(b",\"ttl_remaining\":");
    match entry.expiry {
        Some(expiry) => out.extend_from_slice(Digits::of_u64(seconds_left(expiry, now)).as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"version\":");
    out.extend_from_slice(Digits::of_u64(entry.version).as_bytes());
    out.extend_from_slice(b",\"flags\":");
    out.extend_from_slice(Digits::of_u64(u64::from(entry.client_flags)).as_bytes());
}

/// Seconds until `expiry`, the last one as a whole: what is there has at least one.
#[inline]
fn seconds_left(expiry: Millis, now: Millis) -> u64 {
    expiry.0.saturating_sub(now.0).div_ceil(1000)
}

#[inline]
fn with_tag(response: Response<'_>, version: u64) -> Response<'_> {
    let (text, length) = tag(version);
    response.field("ETag", &text[..length])
}

#[cold]
fn write_absent(out: &mut Vec<u8>, manner: Manner, config: &Config) {
    let body = br#"{"code":"absent","error":"it is noted that there is nothing under this key"}"#;
    begin(out, manner, config, 404).lines(JSON_VALUE).body(body);
}

fn write_miss(response: Response<'_>, form: Form, key: &[u8]) {
    match form {
        Form::Raw => response.lines(b"X-Cache: MISS\r\n").lines(RAW_VALUE).body(b""),
        Form::Json => response.lines(JSON_VALUE).body_with(JSON_FRAME_BYTES, |out| {
            out.extend_from_slice(b"{\"hit\":false,");
            json::key(key, out);
            out.push(b'}');
        }),
    }
}

#[cfg(test)]
mod tests {
    use crate::command::rest::testing::{Rig, check};

    #[test]
    fn a_value_comes_with_all_that_is_known_of_it() {
        check(&[
            ("GET /cache/k", r#"200 {"hit":false,"key":"k"}"#),
            ("PUT /cache/k |hello", r#"201 {"key":"k","version":V,"created":true}"#),
            (
                "GET /cache/k",
                r#"200 {"hit":true,"key":"k","value":"hello","ttl_remaining":null,"version":V,"flags":0}"#,
            ),
            ("PUT /cache/k?ttl_seconds=60&flags=7 |", r#"200 {"key":"k","version":V,"created":false}"#),
            ("GET /cache/k", r#"200 {"hit":true,"key":"k","value":"","ttl_remaining":60,"version":V,"flags":7}"#),
            ("@after 58999", ""),
            ("GET /cache/k", r#"200 {"hit":true,"key":"k","value":"","ttl_remaining":2,"version":V,"flags":7}"#),
            ("@after 1000", ""),
            ("GET /cache/k", r#"200 {"hit":true,"key":"k","value":"","ttl_remaining":1,"version":V,"flags":7}"#),
            ("@after 1", ""),
            ("GET /cache/k", r#"200 {"hit":false,"key":"k"}"#),
        ]);
    }

    #[test]
    fn what_other_doors_wrote_is_seen() {
        check(&[
            ("RESP SET n 12 EX 5", "+OK"),
            ("GET /cache/n", r#"200 {"hit":true,"key":"n","value":"12","ttl_remaining":5,"version":V,"flags":0}"#),
            ("GET /cache/n ~Accept: application/octet-stream", "200 12"),
            ("RESP INCR n", ":13"),
            ("GET /cache/n ~Accept: application/octet-stream", "200 13"),
            (r#"RESP SET k "\xff\x00""#, "+OK"),
            (
                "GET /cache/k",
                r#"200 {"hit":true,"key":"k","value":"/wA=","encoding":"base64","ttl_remaining":null,"version":V,"flags":0}"#,
            ),
            (r#"RESP SET k "a\"b\\\n""#, "+OK"),
            (
                "GET /cache/k",
                r#"200 {"hit":true,"key":"k","value":"a\"b\\\n","ttl_remaining":null,"version":V,"flags":0}"#,
            ),
            ("@db 3", ""),
            ("RESP SET other v", "+OK"),
            ("GET /cache/other", r#"200 {"hit":false,"key":"other"}"#),
            (
                "GET /cache/other?db=3",
                r#"200 {"hit":true,"key":"other","value":"v","ttl_remaining":null,"version":V,"flags":0}"#,
            ),
        ]);
    }

    #[test]
    fn keys_may_have_any_bytes_but_control_characters() {
        check(&[
            ("PUT /cache/a%2Fb |1", r#"201 {"key":"a/b","version":V,"created":true}"#),
            ("GET /cache/a/b ~Accept: application/octet-stream", "200 1"),
            ("RESP GET a/b", "$1 1"),
            ("PUT /cache/100%25%20%3F |2", r#"201 {"key":"100% ?","version":V,"created":true}"#),
            (r#"RESP GET "100% ?""#, "$1 2"),
            ("PUT /cache/%ff%fe |3", r#"201 {"key":"//4=","key_encoding":"base64","version":V,"created":true}"#),
            (r#"RESP GET "\xff\xfe""#, "$1 3"),
            ("GET /cache/%80", r#"200 {"hit":false,"key":"gA==","key_encoding":"base64"}"#),
            ("PUT /cache/batch |4", r#"201 {"key":"batch","version":V,"created":true}"#),
            ("RESP GET batch", "$1 4"),
            ("PUT /cache/a+b |5", r#"201 {"key":"a+b","version":V,"created":true}"#),
        ]);
    }

    #[test]
    fn bytes_come_with_fields() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            let raw = |method: &str| format!("{method} /cache/k ~Accept: application/octet-stream");
            let miss = rig.response(&raw("GET"));
            assert!(miss.starts_with("HTTP/1.1 200 OK\r\n") && miss.contains("\r\nX-Cache: MISS\r\n"), "{miss}");
            assert!(miss.ends_with("\r\nContent-Length: 0\r\n\r\n"), "{miss}");
            rig.reply("PUT /cache/k?ttl_seconds=9&flags=8 |hello");
            let hit = rig.response(&raw("GET"));
            let fields = [
                "ETag: \"1\"",
                "X-Cache: HIT",
                "X-Flags: 8",
                "X-TTL-Remaining: 9",
                "Content-Type: application/octet-stream",
                "Cache-Control: no-store",
                "X-Content-Type-Options: nosniff",
                "Content-Length: 5",
            ];
            for field in fields {
                assert!(hit.contains(&format!("\r\n{field}\r\n")), "{field} in {hit}");
            }
            assert!(hit.ends_with("\r\n\r\nhello"));
            assert_eq!(rig.response(&raw("HEAD")) + "hello", hit);
            let json = rig.response("GET /cache/k");
            let head = rig.response("HEAD /cache/k");
            assert!(json.starts_with(&head) && head.ends_with("\r\n\r\n") && json.len() > head.len());
            rig.reply("PUT /cache/k |hello");
            assert!(!rig.response(&raw("GET")).contains("X-TTL-Remaining"));
        }
    }

    #[test]
    fn an_unchanged_value_is_not_sent_again() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            rig.reply("PUT /cache/k |v");
            for (field, status) in [
                ("\"1\"", "304"),
                ("W/\"1\"", "304"),
                ("\"2\", \"1\"", "304"),
                ("*", "304"),
                ("\"2\"", "200"),
                ("\"11\"", "200"),
                ("1", "400"),
            ] {
                for method in ["GET", "HEAD"] {
                    let response = rig.response(&format!("{method} /cache/k ~If-None-Match: {field}"));
                    assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{field}: {response}");
                    if status == "304" {
                        assert!(response.contains("\r\nETag: \"1\"\r\n") && response.ends_with("\r\n\r\n"));
                    }
                }
            }
            assert_eq!(rig.reply("GET /cache/none ~If-None-Match: *"), r#"200 {"hit":false,"key":"none"}"#);
        }
    }
}
