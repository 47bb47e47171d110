//! The writing half of `POST /cache/batch`: each value is stored by itself, and has its own result.
//!
//! Values for one key are stored in the order of the request. There is no order between keys, and a value that cannot be
//! stored keeps none of the others from it.

use locksley_wire::resp::Reply;

use super::batch_get::separate;
use super::put::{self, NOT_MET, PutOptions, store, version};
use super::reply::{JSON, begin};
use super::{json, part};
use crate::command::context::Context;
use crate::command::dialect::status_and_sentence;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, JoinInput, Keys, Outcome, Run};

pub(super) static BATCH_PUT: Command = Command {
    name: "batch-put",
    arity: -4,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: Keys::Range { first: 1, last: -1, step: 3 },
    categories: &["string"],
    group: Group::Rest,
    since: "Locksley 0.1.0",
    summary: "Stores values, each with its own flags, time to live, condition and result",
    complexity: "O(N), N the number of keys",
    syntax: "key [key ...]",
    run: Run::Spread { part: batch_put, join },
};

/// Bytes that a key takes in the response besides its own.
const KEY_FRAME_BYTES: usize = 10;

/// What of an item travels to the shard beside key and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ItemOptions {
    /// Its numbers.
    pub put: PutOptions,
    /// Only if the entry has this version.
    pub if_version: Option<u64>,
}

/// Bytes of [`ItemOptions`].
pub(crate) const ITEM_OPTIONS_BYTES: usize = 21;

impl ItemOptions {
    /// As they travel.
    pub(crate) fn encode(self) -> [u8; ITEM_OPTIONS_BYTES] {
        let mut bytes = [0; ITEM_OPTIONS_BYTES];
        bytes[..12].copy_from_slice(&self.put.encode());
        bytes[12] = u8::from(self.if_version.is_some());
        bytes[13..].copy_from_slice(&self.if_version.unwrap_or(0).to_le_bytes());
        bytes
    }

    /// What `bytes` say.
    ///
    /// # Panics
    /// When they are not what [`ItemOptions::encode`] made.
    pub(crate) fn decode(bytes: &[u8]) -> ItemOptions {
        let (put, condition) = bytes.split_at(12);
        let version = u64::from_le_bytes(condition[1..].try_into().expect("a version is packed"));
        ItemOptions { put: PutOptions::decode(put), if_version: (condition[0] == 1).then_some(version) }
    }
}

fn batch_put(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let out = reply.buffer();
    part::begin(out);
    for item in args[1..].chunks_exact(3) {
        let [key, options, value] = item else { unreachable!("a chunk has three arguments") };
        part::push(out, |out| {
            write_result(context, key, ItemOptions::decode(options), value, out);
            Ok::<(), Failure>(())
        })?;
    }
    Ok(())
}

/// The version that stands for a key that does not exist, as it does for SET IFVER.
const NO_ENTRY: u64 = 0;

/// Stores an item, and appends what came of it: members without the key.
fn write_result(context: &mut Context<'_>, key: &[u8], options: ItemOptions, value: &[u8], out: &mut Vec<u8>) {
    if let Some(wanted) = options.if_version
        && version(context, key).unwrap_or(NO_ENTRY) != wanted
    {
        return write_failed(412, NOT_MET, out);
    }
    match store(context, key, options.put, value) {
        Ok(applied) => {
            let status: &[u8] = if applied.existed { b"\"status\":200," } else { b"\"status\":201," };
            out.extend_from_slice(status);
            put::members(applied, out);
        }
        Err(failure) => {
            let (status, sentence) = status_and_sentence(&failure);
            write_failed(status, sentence, out);
        }
    }
}

#[cold]
fn write_failed(status: u16, sentence: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\"status\":{status},\"error\":").as_bytes());
    json::string(sentence, out);
}

/// A shard that failed as a whole failed for each of its keys; if none did not, the request failed.
fn join(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let keys: Vec<&[u8]> = BATCH_PUT.keys.positions(input.args.len()).map(|position| input.args[position]).collect();
    let mut results = vec![Vec::new(); keys.len()];
    let mut failure = None;
    let mut failed_count = 0;
    for part in input.parts {
        match part::answers(part) {
            Ok(answers) => {
                for (position, answer) in part.key_positions.iter().zip(answers) {
                    results[*position as usize] = answer.to_vec();
                }
            }
            Err(cause) => {
                let (status, sentence) = status_and_sentence(&cause);
                for position in part.key_positions {
                    write_failed(status, sentence, &mut results[*position as usize]);
                }
                failure = Some(cause);
                failed_count += 1;
            }
        }
    }
    if let Some(failure) = failure
        && failed_count == input.parts.len()
    {
        return Err(failure);
    }
    let likely_bytes =
        keys.iter().zip(&results).map(|(key, result)| key.len() + result.len() + KEY_FRAME_BYTES).sum::<usize>();
    begin(reply.buffer(), input.dialect.http(), input.config, 200).lines(JSON).body_with(likely_bytes, |out| {
        out.extend_from_slice(b"{\"results\":[");
        for (index, (key, result)) in keys.iter().zip(&results).enumerate() {
            separate(index, out);
            out.extend_from_slice(b"{\"key\":");
            json::text(key, out);
            out.push(b',');
            out.extend_from_slice(result);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use locksley_engine::Policy;

    use super::*;
    use crate::command::rest::testing::{Rig, check};

    #[test]
    fn options_travel() {
        for if_version in [None, Some(0), Some(u64::MAX)] {
            let options = ItemOptions { put: PutOptions { flags: 7, ttl_seconds: 9 }, if_version };
            assert_eq!(ItemOptions::decode(&options.encode()), options);
        }
    }

    #[test]
    fn each_item_has_its_own_result() {
        check(&[
            (
                r#"POST /cache/batch |{"put":[{"key":"a","value":"1","ttl_seconds":9},{"key":"b","value_base64":"/w==","flags":4}]}"#,
                concat!(
                    r#"200 {"results":[{"key":"a","status":201,"version":V,"created":true},"#,
                    r#"{"key":"b","status":201,"version":V,"created":true}]}"#
                ),
            ),
            ("RESP MGET a b", "*2 $1 1 $1 \\xff"),
            ("RESP TTL a", ":9"),
            (
                r#"POST /cache/batch |{"put":[{"key":"a","value":"2","if_version":0},{"key":"c","value":"3","if_version":1},{"key":"d","value":"4"},{"key":"d","value":"5"}]}"#,
                concat!(
                    r#"200 {"results":[{"key":"a","status":412,"error":"the entry is not what the condition of the request asks for"},"#,
                    r#"{"key":"c","status":412,"error":"the entry is not what the condition of the request asks for"},"#,
                    r#"{"key":"d","status":201,"version":V,"created":true},"#,
                    r#"{"key":"d","status":200,"version":V,"created":false}]}"#
                ),
            ),
            ("RESP MGET a c d", "*3 $1 1 $-1 $1 5"),
            (
                r#"POST /cache/batch |{"put":[{"key":"a","value":"6"},{"key":"","value":""}]}"#,
                r#"400 {"error":"put[1]: a key has 1 to 250 bytes and no control characters; this is one of 0 bytes"}"#,
            ),
            ("RESP GET a", "$1 1"),
            (r#"POST /cache/batch |{"put":[]}"#, r#"200 {"results":[]}"#),
        ]);
    }

    #[test]
    fn a_version_of_one_door_counts_at_the_other() {
        let mut rig = Rig::new(1);
        rig.reply("PUT /cache/k |1");
        let line = r#"POST /cache/batch |{"put":[{"key":"k","value":"2","if_version":1}]}"#;
        let stored = r#"200 {"results":[{"key":"k","status":200,"version":V,"created":false}]}"#;
        assert_eq!(rig.reply(line), stored);
        assert!(rig.reply(line).contains(r#""status":412"#));
    }

    #[test]
    fn a_full_shard_fails_for_its_keys_alone() {
        let line =
            r#"POST /cache/batch |{"put":[{"key":"a","value":"1"},{"key":"b","value":"2"},{"key":"c","value":"3"}]}"#;
        let mut rig = Rig::new(3);
        rig.reply(line);
        rig.inner.configure(|config| {
            config.maxmemory = 1;
            config.maxmemory_policy = Policy::Noeviction;
        });
        assert!(rig.response(line).starts_with("HTTP/1.1 503 "), "all shards are full");
        let part = |bytes| crate::command::row::ReplyPart { bytes, key_positions: &[0], is_remembered: false };
        let other = crate::command::row::ReplyPart { bytes: b"-OOM full", key_positions: &[1], is_remembered: false };
        let input = JoinInput {
            args: &[b"batch-put", b"a", b"", b"", b"b", b"", b""],
            parts: &[part(b"=\x03\0\0\0\"x\""), other],
            silent: &[],
            random: 0,
            dialect: crate::command::dialect::Dialect::of(crate::client::Door::Http),
            config: &rig.inner.threads[0].config,
        };
        let mut out = Vec::new();
        join(&input, &mut Reply::new(&mut out, locksley_wire::resp::Protocol::Resp2)).expect("one shard stored");
        let text = String::from_utf8_lossy(&out);
        let expected =
            r#"{"key":"b","status":503,"error":"the memory limit is reached, and nothing may be evicted"}]}"#;
        assert!(text.contains(r#"{"results":[{"key":"a","x"},"#) && text.ends_with(expected), "{text}");
    }
}
