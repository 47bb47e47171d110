//! `DELETE /cache/{key}`: removes a key, on a condition if the request has one.

use locksley_engine::Op;
use locksley_wire::resp::Reply;

use super::put::{NOT_MET, version};
use super::reply::{begin, end_json, error};
use super::tags::{self, Comparison};
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static DELETE: Command = Command {
    name: "delete",
    arity: -2,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::Rest,
    since: "Locksley 0.1.0",
    summary: "Removes a key and tells whether it existed",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(delete),
};

fn delete(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let manner = context.caller.dialect.http();
    if let [_, key, if_match] = args {
        let version = version(context, key);
        if !tags::names(if_match, version, Comparison::Strong) {
            error(reply.buffer(), manner, &context.thread.config, 412, NOT_MET);
            return Ok(());
        }
    }
    let (key, now) = (context.key(args[1]), context.now());
    let applied = context.shard().apply(Op::Delete { key }, now)?;
    let body: &[u8] = if applied.existed { b"{\"existed\":true}" } else { b"{\"existed\":false}" };
    end_json(begin(reply.buffer(), manner, &context.thread.config, 200), body);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::rest::testing::check;

    #[test]
    fn it_tells_whether_there_was_anything() {
        check(&[
            ("DELETE /cache/k", r#"200 {"existed":false}"#),
            ("RESP SET k v", "+OK"),
            ("DELETE /cache/k?db=1", r#"200 {"existed":false}"#),
            ("DELETE /cache/k", r#"200 {"existed":true}"#),
            ("DELETE /cache/k", r#"200 {"existed":false}"#),
        ]);
    }

    #[test]
    fn a_version_is_compared() {
        const NOT_MET: &str = r#"412 {"error":"the entry is not what the condition of the request asks for"}"#;
        check(&[
            ("DELETE /cache/k ~If-Match: *", NOT_MET),
            ("RESP SET k v", "+OK"),
            ("DELETE /cache/k ~If-Match: \"2\"", NOT_MET),
            ("DELETE /cache/k ~If-Match: W/\"1\"", NOT_MET),
            ("DELETE /cache/k ~If-Match: \"1\"", r#"200 {"existed":true}"#),
        ]);
    }
}
