//! `PUT /cache/{key}`: stores a value, on a condition if the request has one.

use locksley_engine::{Applied, ExpiryChange, FlagsChange, Millis, Op, Touch, Value};
use locksley_wire::number::Digits;
use locksley_wire::resp::Reply;

use super::json;
use super::reply::{JSON, begin, error};
use super::tags::{self, Comparison, tag};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static PUT: Command = Command {
    name: "put",
    arity: -4,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::Rest,
    since: "Locksley 0.1.0",
    summary: "Stores a value with its flags and its time to live",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(put),
};

/// Why a change was not made.
pub(super) const NOT_MET: &str = "the entry is not what the condition of the request asks for";

/// The numbers of a PUT, as they travel to the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PutOptions {
    /// Client flags.
    pub flags: u32,
    /// Seconds to live; 0: for ever.
    pub ttl_seconds: u64,
}

/// Bytes of [`PutOptions`].
pub(crate) const PUT_OPTIONS_BYTES: usize = 12;

impl PutOptions {
    /// As they travel.
    #[inline]
    pub(crate) fn encode(self) -> [u8; PUT_OPTIONS_BYTES] {
        let mut bytes = [0; PUT_OPTIONS_BYTES];
        bytes[..4].copy_from_slice(&self.flags.to_le_bytes());
        bytes[4..].copy_from_slice(&self.ttl_seconds.to_le_bytes());
        bytes
    }

    /// What `bytes` say.
    ///
    /// # Panics
    /// When they are not what [`PutOptions::encode`] made.
    #[inline]
    pub(crate) fn decode(bytes: &[u8]) -> PutOptions {
        let (flags, ttl_seconds) = bytes.split_first_chunk().expect("flags are packed");
        PutOptions {
            flags: u32::from_le_bytes(*flags),
            ttl_seconds: u64::from_le_bytes(ttl_seconds.try_into().expect("a time to live is packed")),
        }
    }

    /// What the entry's expiry becomes.
    fn expiry(self, now: Millis) -> ExpiryChange {
        match self.ttl_seconds {
            0 => ExpiryChange::Clear,
            seconds => ExpiryChange::At(Millis(now.0 + seconds * 1000)),
        }
    }
}

fn put(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let manner = context.caller.dialect.http();
    if let [_, key, _, _, if_match, if_none_match] = args
        && !is_met(context, key, if_match, if_none_match)
    {
        error(reply.buffer(), manner, &context.thread.config, 412, NOT_MET);
        return Ok(());
    }
    let applied = store(context, args[1], PutOptions::decode(args[2]), args[3])?;
    let status = if applied.existed { 200 } else { 201 };
    let (text, length) = tag(applied.version);
    let response = begin(reply.buffer(), manner, &context.thread.config, status);
    response.field("ETag", &text[..length]).lines(JSON).body_with(args[1].len() + 40, |out| {
        out.push(b'{');
        json::key(args[1], out);
        out.push(b',');
        members(applied, out);
        out.push(b'}');
    });
    Ok(())
}

/// Whether the entry of a key is what If-Match and If-None-Match, as far as they are there, ask for.
pub(super) fn is_met(context: &mut Context<'_>, key: &[u8], if_match: &[u8], if_none_match: &[u8]) -> bool {
    let version = version(context, key);
    (if_match.is_empty() || tags::names(if_match, version, Comparison::Strong))
        && (if_none_match.is_empty() || !tags::names(if_none_match, version, Comparison::Weak))
}

/// The version of a key's entry, if there is one; no use of it.
pub(super) fn version(context: &mut Context<'_>, key: &[u8]) -> Option<u64> {
    let (key, now) = (context.key(key), context.now());
    context.shard().get(key, now, Touch::Leave).map(|entry| entry.version)
}

/// Makes `key` hold `value`.
///
/// # Errors
/// When memory or the log has no room.
#[inline]
pub(super) fn store(
    context: &mut Context<'_>,
    key: &[u8],
    options: PutOptions,
    value: &[u8],
) -> Result<Applied, Failure> {
    let now = context.now();
    let op = Op::Put {
        key: context.key(key),
        value: Value::Bytes(value),
        expiry: options.expiry(now),
        client_flags: FlagsChange::Set(options.flags),
    };
    Ok(context.shard().apply(op, now)?)
}

/// Appends what is told of a stored value: `"version"` and `"created"`.
pub(super) fn members(applied: Applied, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"version\":");
    out.extend_from_slice(Digits::of_u64(applied.version).as_bytes());
    let created: &[u8] = if applied.existed { b",\"created\":false" } else { b",\"created\":true" };
    out.extend_from_slice(created);
}

#[cfg(test)]
mod tests {
    use locksley_engine::Policy;

    use super::*;
    use crate::command::rest::testing::{Rig, check};

    const NOT_MET: &str = r#"412 {"error":"the entry is not what the condition of the request asks for"}"#;
    const CREATED: &str = r#"201 {"key":"k","version":V,"created":true}"#;
    const CHANGED: &str = r#"200 {"key":"k","version":V,"created":false}"#;

    #[test]
    fn options_travel() {
        for options in [PutOptions { flags: 0, ttl_seconds: 0 }, PutOptions { flags: u32::MAX, ttl_seconds: u64::MAX }]
        {
            assert_eq!(PutOptions::decode(&options.encode()), options);
        }
    }

    #[test]
    fn a_value_is_stored_with_its_options() {
        check(&[
            ("PUT /cache/k?ttl_seconds=10&flags=3 |v", CREATED),
            ("RESP TTL k", ":10"),
            ("PUT /cache/k |v", CHANGED),
            ("RESP TTL k", ":-1"),
            ("RESP GET k", "$1 v"),
            ("PUT /cache/k?ttl_seconds=9007199254740991 |12", CHANGED),
            ("RESP INCR k", ":13"),
            ("RESP PEXPIRETIME k", ":9007200954740991000"),
            ("PUT /cache/k?db=2 |w", CREATED),
            ("@db 2", ""),
            ("RESP GET k", "$1 w"),
            ("PUT /cache/k", CHANGED),
            ("RESP STRLEN k", ":1"),
            ("@db 0", ""),
            ("RESP STRLEN k", ":0"),
        ]);
    }

    #[test]
    fn conditions_are_met_or_nothing_happens() {
        check(&[
            ("PUT /cache/k ~If-Match: * |a", NOT_MET),
            ("PUT /cache/k ~If-Match: \"1\" |a", NOT_MET),
            ("RESP EXISTS k", ":0"),
            ("PUT /cache/k ~If-None-Match: * |a", CREATED),
            ("PUT /cache/k ~If-None-Match: * |b", NOT_MET),
            ("PUT /cache/k ~If-Match: \"2\" |b", NOT_MET),
            ("PUT /cache/k ~If-Match: W/\"1\" |b", NOT_MET),
            ("PUT /cache/k ~If-Match: \"1\" ~If-None-Match: \"1\" |b", NOT_MET),
            ("RESP GET k", "$1 a"),
            ("PUT /cache/k ~If-Match: \"9\", \"1\" |b", CHANGED),
            ("PUT /cache/k ~If-Match: \"1\" |c", NOT_MET),
            ("RESP APPEND k c", ":2"),
            ("PUT /cache/k ~If-Match: \"2\" |d", NOT_MET),
            ("PUT /cache/k ~If-Match: * |d", CHANGED),
            ("PUT /cache/k ~If-None-Match: \"1\" |e", CHANGED),
            ("RESP GET k", "$1 e"),
            ("PUT /cache/k ~If-Match: 1 |f", r#"400 {"error":"If-Match is * or a list of ETags in quotes"}"#),
        ]);
    }

    #[test]
    fn a_full_store_is_unavailable_for_a_while() {
        let mut rig = Rig::new(1);
        rig.reply("PUT /cache/k |v");
        rig.inner.configure(|config| {
            config.maxmemory = 1;
            config.maxmemory_policy = Policy::Noeviction;
        });
        let response = rig.response("PUT /cache/k |w");
        assert!(response.starts_with("HTTP/1.1 503 ") && response.contains("\r\nRetry-After: 1\r\n"), "{response}");
        assert!(response.ends_with(r#"{"error":"the memory limit is reached, and nothing may be evicted"}"#));
        assert!(rig.reply("GET /cache/k").contains(r#""value":"v""#));
    }
}
