//! The reading half of `POST /cache/batch`: found and missing keys apart, both in the order of the request.
//!
//! A shard writes the JSON of each entry that it has; the join puts keys before them. So values are escaped where they lie,
//! and copied once more as they are.

use locksley_wire::resp::Reply;

use super::get::members;
use super::reply::{JSON_VALUE, begin};
use super::{json, part};
use crate::command::batch::for_each_key;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, JoinInput, Keys, Outcome, Run};
use crate::command::string_value::string_value;
use crate::limits::HTTP_BATCH_RESPONSE_BYTES_MAX;

pub(super) static BATCH_GET: Command = Command {
    name: "batch-get",
    arity: -2,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::ALL,
    categories: &["string"],
    group: Group::Rest,
    since: "Locksley 0.1.0",
    summary: "Returns those of the given keys that exist with their values, and those that do not",
    complexity: "O(N), N the number of keys",
    syntax: "key [key ...]",
    run: Run::Spread { part: batch_get, join },
};

/// Bytes that a key takes in the response besides its own.
const KEY_FRAME_BYTES: usize = 8;

fn batch_get(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (now, touch) = (context.now(), context.caller.touch);
    let out = reply.buffer();
    let start = out.len();
    part::begin(out);
    for_each_key(context, &args[1..], |shard, key| {
        check_length(out.len() - start)?;
        part::push(out, |out| {
            // What is no string is missing, as it is to MGET.
            if let Some(entry) = shard.get(key, now, touch)
                && let Ok(value) = string_value(&entry)
            {
                out.push(b'{');
                members(&entry, &value.text(), now, out);
                out.push(b'}');
            }
            Ok(())
        })
    })
}

/// Ends a response before it takes more memory than one may.
fn check_length(bytes: usize) -> Outcome {
    if bytes <= HTTP_BATCH_RESPONSE_BYTES_MAX { Ok(()) } else { Err(too_long()) }
}

#[cold]
fn too_long() -> Failure {
    Failure::new(format_args!(
        "TOOLONG the values of this batch have more than {HTTP_BATCH_RESPONSE_BYTES_MAX} bytes in JSON: ask for fewer keys"
    ))
}

fn join(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let keys = &input.args[1..];
    let mut entries: Vec<&[u8]> = vec![b""; keys.len()];
    for part in input.parts {
        for (position, entry) in part.key_positions.iter().zip(part::answers(part)?) {
            entries[*position as usize] = entry;
        }
    }
    let lengths = keys.iter().zip(&entries).map(|(key, entry)| key.len() + entry.len() + KEY_FRAME_BYTES);
    let likely_bytes = lengths.sum();
    check_length(likely_bytes)?;
    let response = begin(reply.buffer(), input.dialect.http(), input.config, 200);
    response.lines(JSON_VALUE).body_with(likely_bytes, |out| {
        let pairs = keys.iter().zip(&entries);
        out.extend_from_slice(b"{\"found\":{");
        for (index, (key, entry)) in pairs.clone().filter(|(_, entry)| !entry.is_empty()).enumerate() {
            separate(index, out);
            json::text(key, out);
            out.push(b':');
            out.extend_from_slice(entry);
        }
        out.extend_from_slice(b"},\"missing\":[");
        for (index, (key, _)) in pairs.filter(|(_, entry)| entry.is_empty()).enumerate() {
            separate(index, out);
            json::text(key, out);
        }
        out.extend_from_slice(b"]}");
    });
    Ok(())
}

/// Puts a comma before all but the first.
pub(super) fn separate(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use crate::command::rest::testing::{Rig, check};

    #[test]
    fn more_than_a_response_may_have_is_refused() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            for number in 0..70 {
                rig.reply(&format!("PUT /cache/k{number} |{}", "v".repeat(1024 * 1024)));
            }
            let names: Vec<String> = (0..70).map(|number| format!("\"k{number}\"")).collect();
            let batch = |count: usize| format!("POST /cache/batch |{{\"get\":[{}]}}", names[..count].join(","));
            let refused = rig.reply(&batch(70));
            assert!(refused.starts_with("400 {\"error\":\"the values of this batch have more than 67108864 bytes"));
            assert!(rig.reply(&batch(60)).starts_with("200 "));
        }
    }

    #[test]
    fn found_and_missing_are_apart_in_order() {
        check(&[
            (r#"POST /cache/batch |{"get":["a"]}"#, r#"200 {"found":{},"missing":["a"]}"#),
            ("PUT /cache/c?flags=9 |3", r#"201 {"key":"c","version":V,"created":true}"#),
            ("RESP SET a 1 EX 5", "+OK"),
            (r#"RESP SET b "\xff""#, "+OK"),
            (
                r#"POST /cache/batch |{"get":["none","c","b","a\nb".."]}"#,
                r#"400 {"error":"the body is no batch in JSON: expected `,` or `]` at line 1 column 30"}"#,
            ),
            (
                r#"POST /cache/batch |{"get":["none","c","b","a","c","nil"]}"#,
                concat!(
                    r#"200 {"found":{"c":{"value":"3","ttl_remaining":null,"version":V,"flags":9},"#,
                    r#""b":{"value":"/w==","encoding":"base64","ttl_remaining":null,"version":V,"flags":0},"#,
                    r#""a":{"value":"1","ttl_remaining":5,"version":V,"flags":0}},"missing":["none","nil"]}"#
                ),
            ),
            (r#"POST /cache/batch |{"get":["c","c"],"db":1}"#, r#"200 {"found":{},"missing":["c"]}"#),
            (r#"POST /cache/batch |{"get":[]}"#, r#"200 {"found":{},"missing":[]}"#),
            (r#"POST /cache/batch |{"get":["\u00e9\""]}"#, "200 {\"found\":{},\"missing\":[\"\u{e9}\\\"\"]}"),
        ]);
    }
}
