//! INCRBYFLOAT: numbers with a fraction that count, to the digit as in Redis.

use locksley_engine::{ExpiryChange, FlagsChange, Op, Touch, Value};
use locksley_wire::extended::Extended;
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;

/// The sum is infinite.
const NOT_FINITE: Failure = Failure::fixed("ERR increment would produce NaN or Infinity");

pub(super) static INCRBYFLOAT: Command = Command {
    name: "incrbyfloat",
    arity: 3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "2.6.0",
    summary: "Adds a floating-point number to the value of a key, 0 if there is none",
    complexity: "O(1)",
    syntax: "key increment",
    run: Run::Owner(incrbyfloat),
};

fn incrbyfloat(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = context.key(args[1]);
    let now = context.now();
    let old = match context.shard().get(key, now, Touch::Leave) {
        Some(entry) => Extended::parse(&string_value(&entry)?.text()).ok_or(Failure::NOT_FLOAT)?,
        None => Extended::from_i64(0),
    };
    let increment = Extended::parse(args[2]).ok_or(Failure::NOT_FLOAT)?;
    if !old.is_finite() || !increment.is_finite() {
        return Err(NOT_FINITE);
    }
    let sum = old + increment;
    if !sum.is_finite() {
        return Err(NOT_FINITE);
    }
    let mut text = Vec::with_capacity(32);
    sum.write(&mut text);
    let value = Value::Bytes(&text);
    let op = Op::Put { key, value, expiry: ExpiryChange::Keep, client_flags: FlagsChange::Keep };
    context.shard().apply(op, now)?;
    reply.bulk(&text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn sums_are_those_of_long_doubles() {
        check(&[
            ("SET k 10.50 EX 10", "+OK"),
            ("INCRBYFLOAT k 0.1", "$4 10.6"),
            ("INCRBYFLOAT k -5", "$3 5.6"),
            ("TTL k", ":10"),
            ("SET k 5.0e3", "+OK"),
            ("INCRBYFLOAT k 2.0e2", "$4 5200"),
            ("INCR k", ":5201"),
            ("INCRBYFLOAT k 1", "$4 5202"),
            ("INCRBYFLOAT new 3", "$1 3"),
            ("INCRBYFLOAT new -3", "$1 0"),
            ("INCRBYFLOAT new 1e-20", "$1 0"),
            ("INCRBYFLOAT big 1e20", "$21 100000000000000000000"),
        ]);
    }

    #[test]
    fn what_is_no_finite_number_is_refused() {
        const FLOAT: &str = "-ERR value is not a valid float";
        const NOT_FINITE: &str = "-ERR increment would produce NaN or Infinity";
        check(&[
            ("INCRBYFLOAT k x", FLOAT),
            ("INCRBYFLOAT k \" 1\"", FLOAT),
            ("INCRBYFLOAT k 1x", FLOAT),
            ("INCRBYFLOAT k \"\"", FLOAT),
            ("INCRBYFLOAT k nan", FLOAT),
            ("INCRBYFLOAT k 1e5000", FLOAT),
            ("INCRBYFLOAT k inf", NOT_FINITE),
            ("INCRBYFLOAT k -Infinity", NOT_FINITE),
            ("EXISTS k", ":0"),
            ("SET k v", "+OK"),
            ("INCRBYFLOAT k 1", FLOAT),
            ("SET k 1e4932", "+OK"),
            ("INCRBYFLOAT k 1e4932", NOT_FINITE),
        ]);
    }
}
