//! `GET` and `HEAD /cache/{key}`: the value of a key, as JSON or as its bytes.

use locksley_engine::{Entry, Millis};
use locksley_wire::http::Response;
use locksley_wire::number::Digits;
use locksley_wire::resp::Reply;

use super::reply::{JSON_VALUE, RAW_VALUE, begin};
use super::tags::{self, Comparison, tag};
use super::{Form, json};
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;
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
    let found = shard.get(key, *now, touch);
    let out = reply.buffer();
    let Some(entry) = found else {
        write_miss(begin(out, manner, config, 200), form, args[1]);
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
