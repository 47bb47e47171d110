//! SETEX and PSETEX: a value with its time to live.

use locksley_engine::ExpiryChange;
use locksley_wire::resp::Reply;

use super::set::put;
use crate::command::context::Context;
use crate::command::expire_options::{ExpiryText, TimeBase, TimeUnit};
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static SETEX: Command = Command {
    name: "setex",
    arity: 4,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "2.0.0",
    summary: "Makes a key hold a string for a number of seconds",
    complexity: "O(1)",
    syntax: "key seconds value",
    run: Run::Owner(setex),
};

pub(super) static PSETEX: Command = Command {
    name: "psetex",
    arity: 4,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "2.6.0",
    summary: "Makes a key hold a string for a number of milliseconds",
    complexity: "O(1)",
    syntax: "key milliseconds value",
    run: Run::Owner(psetex),
};

fn setex(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    put_for(context, args, TimeUnit::Seconds, reply)
}

fn psetex(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    put_for(context, args, TimeUnit::Milliseconds, reply)
}

fn put_for(context: &mut Context<'_>, args: Args<'_>, unit: TimeUnit, reply: &mut Reply<'_>) -> Outcome {
    let command = if unit == TimeUnit::Seconds { SETEX.name } else { PSETEX.name };
    let expiry = ExpiryText { text: args[2], unit, base: TimeBase::Now }.instant(command, context.now())?;
    put(context, args[1], args[3], ExpiryChange::At(expiry))?;
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn the_value_lives_as_long_as_was_said() {
        check(&[
            ("SETEX k 10 v", "+OK"),
            ("PTTL k", ":10000"),
            ("PSETEX k 10 w", "+OK"),
            ("PTTL k", ":10"),
            ("GET k", "$1 w"),
            ("@after 10", ""),
            ("GET k", "$-1"),
        ]);
    }

    #[test]
    fn invalid_times_are_refused() {
        check(&[
            ("SETEX k 0 v", "-ERR invalid expire time in 'setex' command"),
            ("PSETEX k -1 v", "-ERR invalid expire time in 'psetex' command"),
            ("SETEX k 9223372036854776 v", "-ERR invalid expire time in 'setex' command"),
            ("PSETEX k 9223372036854775807 v", "-ERR invalid expire time in 'psetex' command"),
            ("SETEX k ten v", "-ERR value is not an integer or out of range"),
            ("SETEX k 10", "-ERR wrong number of arguments for 'setex' command"),
            ("GET k", "$-1"),
        ]);
    }
}
