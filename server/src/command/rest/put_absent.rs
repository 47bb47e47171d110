//! `PUT /cache/{key}?absent=true`: notes for a while that there is nothing to be cached, on a condition if the request has
//! one.

use locksley_engine::{Millis, Op};
use locksley_wire::resp::Reply;

use super::json;
use super::put::{NOT_MET, PutOptions, is_met};
use super::reply::{JSON, begin, error};
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static PUT_ABSENT: Command = Command {
    name: "put-absent",
    arity: 5,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::Rest,
    since: "Locksley 0.1.0",
    summary: "Notes for a while that there is nothing under a key",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(put_absent),
};

fn put_absent(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let manner = context.caller.dialect.http();
    if !is_met(context, args[1], args[3], args[4]) {
        error(reply.buffer(), manner, &context.thread.config, 412, NOT_MET);
        return Ok(());
    }
    let seconds = match PutOptions::decode(args[2]).ttl_seconds {
        0 => u64::from(context.thread.config.absent_ttl),
        seconds => seconds,
    };
    let (key, now) = (context.key(args[1]), context.now());
    context.shard().apply(Op::PutAbsent { key, expiry: Millis(now.0 + seconds * 1000) }, now)?;
    begin(reply.buffer(), manner, &context.thread.config, 200).lines(JSON).body_with(args[1].len() + 30, |out| {
        out.push(b'{');
        json::key(args[1], out);
        out.extend_from_slice(b",\"absent\":true}");
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::rest::testing::{Rig, check};

    const ABSENT: &str = r#"404 {"code":"absent","error":"it is noted that there is nothing under this key"}"#;
    const NOTED: &str = r#"200 {"key":"k","absent":true}"#;

    #[test]
    fn what_is_absent_is_told_from_what_is_not_there() {
        check(&[
            ("GET /cache/k", r#"200 {"hit":false,"key":"k"}"#),
            ("PUT /cache/k?absent=true", NOTED),
            ("GET /cache/k", ABSENT),
            ("GET /cache/k ~Accept: application/octet-stream", ABSENT),
            ("GET /cache/k ~If-None-Match: *", ABSENT),
            ("GET /cache/k?db=1", r#"200 {"hit":false,"key":"k"}"#),
            ("RESP GET k", "$-1"),
            ("RESP GETL k 1000", "*3 $6 absent $-1 $-1"),
            (r#"POST /cache/batch |{"get":["k"]}"#, r#"200 {"found":{},"missing":["k"]}"#),
            ("DELETE /cache/k", r#"200 {"existed":false}"#),
            ("GET /cache/k", r#"200 {"hit":false,"key":"k"}"#),
            ("RESP SETABSENT k", "+OK"),
            ("GET /cache/k", ABSENT),
            ("PUT /cache/k |v", r#"201 {"key":"k","version":V,"created":true}"#),
            ("GET /cache/k ~Accept: application/octet-stream", "200 v"),
            ("PUT /cache/k?absent=false |w", r#"200 {"key":"k","version":V,"created":false}"#),
            ("PUT /cache/k?absent=true", NOTED),
            ("GET /cache/k", ABSENT),
        ]);
    }

    #[test]
    fn a_note_ends_in_its_time() {
        for (query, ends_ms) in [("", 45_000), ("&ttl_seconds=3", 3_000)] {
            check(&[
                (&format!("PUT /cache/k?absent=true{query}"), NOTED),
                (&format!("@after {}", ends_ms - 1), ""),
                ("GET /cache/k", ABSENT),
                ("@after 1", ""),
                ("GET /cache/k", r#"200 {"hit":false,"key":"k"}"#),
            ]);
        }
    }

    #[test]
    fn the_setting_says_for_how_long() {
        let mut rig = Rig::new(3);
        rig.inner.configure(|config| config.absent_ttl = 7);
        assert_eq!(rig.reply("PUT /cache/k?absent=true"), NOTED);
        rig.reply("@after 6999");
        assert_eq!(rig.reply("GET /cache/k"), ABSENT);
        rig.reply("@after 1");
        assert!(rig.reply("GET /cache/k").contains("\"hit\":false"));
    }

    #[test]
    fn a_condition_is_asked_of_the_value_there_is() {
        const NOT_MET: &str = r#"412 {"error":"the entry is not what the condition of the request asks for"}"#;
        check(&[
            ("PUT /cache/k?absent=true ~If-Match: *", NOT_MET),
            ("RESP SET k v", "+OK"),
            ("PUT /cache/k?absent=true ~If-None-Match: *", NOT_MET),
            ("PUT /cache/k?absent=true ~If-Match: \"9\"", NOT_MET),
            ("RESP GET k", "$1 v"),
            ("PUT /cache/k?absent=true ~If-Match: *", NOTED),
            ("PUT /cache/k ~If-Match: * |w", NOT_MET),
            ("PUT /cache/k ~If-None-Match: * |w", r#"201 {"key":"k","version":V,"created":true}"#),
        ]);
    }

    #[test]
    fn a_lock_is_none_of_the_values() {
        const OTHER: &str = r#"409 {"error":"the entry is of a type that this door does not serve"}"#;
        check(&[
            ("RESP LOCK k 1000", ":1700000000000000"),
            ("GET /cache/k", OTHER),
            ("GET /cache/k ~Accept: application/octet-stream", OTHER),
            (r#"POST /cache/batch |{"get":["k"]}"#, r#"200 {"found":{},"missing":["k"]}"#),
            (
                "PUT /cache/k ~If-None-Match: * |v",
                r#"412 {"error":"the entry is not what the condition of the request asks for"}"#,
            ),
            ("RESP TYPE k", "+lock"),
            ("PUT /cache/k |v", r#"200 {"key":"k","version":V,"created":false}"#),
            ("RESP DEL k", ":1"),
            ("RESP LOCK k 1000", ":1700000000000001"),
            ("DELETE /cache/k", r#"200 {"existed":true}"#),
            ("RESP LOCKINFO k", "$-1"),
        ]);
    }
}
