//! `DELETE /cache?prefix=`: every key that begins with the same bytes is gone at once, as by DELPREFIX.
//!
//! A part that fails is a whole response by itself, which the join passes on.

use locksley_engine::{Op, Refusal};
use locksley_wire::resp::Reply;

use super::reply::{begin, end_json, error};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, JoinInput, Keys, Outcome, Run};

pub(super) static DELETE_PREFIX: Command = Command {
    name: "delete-prefix",
    arity: 2,
    flags: Flags::WRITE,
    keys: Keys::None,
    categories: &["keyspace", "dangerous"],
    group: Group::Rest,
    since: "Locksley 0.1.0",
    summary: "Removes all keys that begin with a prefix",
    complexity: "O(1), and O(N) in the background, N the number of keys in the database",
    syntax: "prefix",
    run: Run::Every { part, join },
};

/// What a shard writes that has done its part.
const DONE: &[u8] = b"+";

fn part(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (db, prefix, now) = (context.caller.db, args[1], context.now());
    match context.shard().apply(Op::DeletePrefix { db, prefix }, now) {
        Ok(_) => reply.buffer().extend_from_slice(DONE),
        Err(refusal @ Refusal::TooManyPrefixes { .. }) => {
            let manner = context.caller.dialect.http();
            error(reply.buffer(), manner, &context.thread.config, 503, Failure::from(refusal).sentence());
        }
        Err(refusal) => return Err(refusal.into()),
    }
    Ok(())
}

fn join(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    match input.parts.iter().find(|part| part.bytes != DONE) {
        Some(failed) => reply.buffer().extend_from_slice(failed.bytes),
        None => end_json(begin(reply.buffer(), input.dialect.http(), input.config, 200), b"{\"deleted\":true}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::rest::testing::check;

    #[test]
    fn keys_of_one_database_that_begin_so_are_gone() {
        check(&[
            ("RESP MSET user:1 a user:2 b other c", "+OK"),
            ("DELETE /cache?prefix=user%3A", r#"200 {"deleted":true}"#),
            ("RESP KEYS *", "*1 $5 other"),
            ("DELETE /cache?prefix=nothing", r#"200 {"deleted":true}"#),
            ("DELETE /cache?db=1&prefix=o", r#"200 {"deleted":true}"#),
            ("RESP DBSIZE", ":1"),
            ("DELETE /cache?prefix=o&db=0", r#"200 {"deleted":true}"#),
            ("RESP DBSIZE", ":0"),
        ]);
    }

    #[test]
    fn a_prefix_is_needed_and_has_bounds() {
        let long = format!("DELETE /cache?prefix={}", "x".repeat(1_025));
        check(&[
            ("RESP SET k v", "+OK"),
            ("DELETE /cache", r#"400 {"error":"prefix must be 1 to 1024 bytes, not 0"}"#),
            ("DELETE /cache?db=0", r#"400 {"error":"prefix must be 1 to 1024 bytes, not 0"}"#),
            ("DELETE /cache?prefix=", r#"400 {"error":"prefix must be 1 to 1024 bytes, not 0"}"#),
            (&long, r#"400 {"error":"prefix must be 1 to 1024 bytes, not 1025"}"#),
            ("DELETE /cache?prefix=%k", r#"400 {"error":"a percent sign needs two hexadecimal digits behind it"}"#),
            ("DELETE /cache?prefix=k&prefix=k", r#"400 {"error":"the parameter prefix is given twice"}"#),
            ("DELETE /cache?prefix=k&flags=1", r#"400 {"error":"this operation has no parameter flags"}"#),
            ("DELETE /cache/k?prefix=k", r#"400 {"error":"this operation has no parameter prefix"}"#),
            ("GET /cache?prefix=k", r#"405 {"error":"this path does not have that method"}"#),
            ("RESP DBSIZE", ":1"),
        ]);
    }
}
