//! DELL: gives a lease up, so that another caller may make the value.

use locksley_wire::resp::Reply;

use super::arguments::token;
use crate::command::context::Context;
use crate::command::lease;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static DELL: Command = Command {
    name: "dell",
    arity: 3,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::Cache,
    since: "Locksley 0.1.0",
    summary: "Gives up the lease of a key if the token is its own",
    complexity: "O(1)",
    syntax: "key token",
    run: Run::Owner(dell),
};

fn dell(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let token = token(args[2])?;
    let key = context.key(args[1]);
    let lease = lease::held(context.thread, key, token);
    if lease.is_some() {
        lease::end(context.thread, key);
    }
    reply.integer(i64::from(lease.is_some()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn a_lease_that_is_given_up_is_free_at_once() {
        check(&[
            ("DELL k T0", ":0"),
            ("GETL k 100", "*3 $3 win :T1 $-1"),
            ("DELL k T0", ":0"),
            ("GETL k 100", "*3 $4 wait $-1 $-1"),
            ("DELL k T1", ":1"),
            ("DELL k T1", ":0"),
            ("SETL k T1 v", "$-1"),
            ("GETL k 100", "*3 $3 win :T2 $-1"),
            ("@after 100", ""),
            ("DELL k T2", ":0"),
            ("DELL k x", "-ERR token must be 1 to 9223372036854775807, not 'x'"),
        ]);
    }
}
