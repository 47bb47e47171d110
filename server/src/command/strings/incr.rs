//! INCR, DECR, INCRBY and DECRBY: integers that count.

use locksley_engine::{ExpiryChange, FlagsChange, Op, Touch, Value};
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::number::integer;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;

/// The result does not fit.
const OVERFLOW: Failure = Failure::fixed("ERR increment or decrement would overflow");
/// The amount cannot be negated.
const DECREMENT_OVERFLOW: Failure = Failure::fixed("ERR decrement would overflow");

pub(super) static INCR: Command = Command {
    name: "incr",
    arity: 2,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "1.0.0",
    summary: "Adds one to the integer value of a key, 0 if there is none",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(incr),
};

pub(super) static DECR: Command = Command {
    name: "decr",
    arity: 2,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "1.0.0",
    summary: "Takes one from the integer value of a key, 0 if there is none",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(decr),
};

pub(super) static INCRBY: Command = Command {
    name: "incrby",
    arity: 3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "1.0.0",
    summary: "Adds a number to the integer value of a key, 0 if there is none",
    complexity: "O(1)",
    syntax: "key increment",
    run: Run::Owner(incrby),
};

pub(super) static DECRBY: Command = Command {
    name: "decrby",
    arity: 3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "1.0.0",
    summary: "Takes a number from the integer value of a key, 0 if there is none",
    complexity: "O(1)",
    syntax: "key decrement",
    run: Run::Owner(decrby),
};

fn incr(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    add(context, args[1], 1, reply)
}

fn decr(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    add(context, args[1], -1, reply)
}

fn incrby(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    add(context, args[1], integer(args[2])?, reply)
}

fn decrby(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let amount = integer(args[2])?.checked_neg().ok_or(DECREMENT_OVERFLOW)?;
    add(context, args[1], amount, reply)
}

fn add(context: &mut Context<'_>, key: &[u8], amount: i64, reply: &mut Reply<'_>) -> Outcome {
    let key = context.key(key);
    let now = context.now();
    let old = match context.shard().get(key, now, Touch::Leave) {
        Some(entry) => string_value(&entry)?.integer().ok_or(Failure::NOT_INTEGER)?,
        None => 0,
    };
    let sum = old.checked_add(amount).ok_or(OVERFLOW)?;
    let value = Value::Integer(sum);
    let op = Op::Put { key, value, expiry: ExpiryChange::Keep, client_flags: FlagsChange::Keep };
    context.shard().apply(op, now)?;
    reply.integer(sum);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    const INTEGER: &str = "-ERR value is not an integer or out of range";
    const OVERFLOW: &str = "-ERR increment or decrement would overflow";

    #[test]
    fn integers_count_up_and_down() {
        check(&[
            ("INCR n", ":1"),
            ("INCRBY n 41", ":42"),
            ("DECR n", ":41"),
            ("DECRBY n 50", ":-9"),
            ("INCRBY n -1", ":-10"),
            ("DECRBY n -10", ":0"),
            ("GET n", "$1 0"),
            ("DECR other", ":-1"),
            ("OBJECT ENCODING n", "$3 int"),
        ]);
    }

    #[test]
    fn the_time_to_live_stays() {
        check(&[("SET n 5 EX 10", "+OK"), ("INCR n", ":6"), ("PTTL n", ":10000")]);
    }

    #[test]
    fn what_is_no_integer_of_64_bits_is_refused() {
        check(&[
            ("SET k 9223372036854775807", "+OK"),
            ("INCR k", OVERFLOW),
            ("DECRBY k -1", OVERFLOW),
            ("SET k -9223372036854775808", "+OK"),
            ("DECR k", OVERFLOW),
            ("GET k", "$20 -9223372036854775808"),
            ("DECRBY k -9223372036854775808", "-ERR decrement would overflow"),
            ("INCRBY k 9223372036854775808", INTEGER),
            ("INCRBY k 1.0", INTEGER),
            ("INCRBY k \"\"", INTEGER),
            ("SET k v", "+OK"),
            ("INCR k", INTEGER),
            ("SET k 01", "+OK"),
            ("INCR k", INTEGER),
            ("SET k \" 1\"", "+OK"),
            ("INCR k", INTEGER),
            ("SET k 1", "+OK"),
            ("APPEND k 0", ":2"),
            ("INCR k", ":11"),
        ]);
    }
}
