//! THROTTLE: whether one more request is within a rate.
//!
//! What is kept is a string: the instant of [`gcra`](super::gcra) as its integer, how far it was ahead as its client flags. It expires when
//! it says nothing any more, so that a limit nobody runs into takes no memory. Evicted or deleted, it is a full bucket.

use locksley_engine::{ExpiryChange, FlagsChange, Op, Touch, Value};
use locksley_wire::resp::Reply;

use super::arguments::number;
use super::gcra::{Limit, Rate, State, Verdict};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;
use crate::limits::{THROTTLE_COUNT_MAX, THROTTLE_PERIOD_SECONDS_MAX};

pub(super) static THROTTLE: Command = Command {
    name: "throttle",
    arity: 5,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::Cache,
    since: "Locksley 0.1.0",
    summary: "Counts a request against a rate limit unless it passes it; returns whether it was allowed, how many remain, and after how many milliseconds to try again",
    complexity: "O(1)",
    syntax: "key burst rate period",
    run: Run::Owner(throttle),
};

fn throttle(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let limit = limit(args)?;
    let (key, now) = (context.key(args[1]), context.now());
    let state = match context.shard().get(key, now, Touch::Leave) {
        Some(entry) => {
            let arrival = string_value(&entry)?.integer().ok_or(Failure::NOT_INTEGER)?;
            State { arrival_ns: arrival.try_into().unwrap_or(0), ahead_s: entry.client_flags }
        }
        None => State::default(),
    };
    let shown = match limit.ask(state, now) {
        Verdict::Allowed { state, remaining } => {
            let op = Op::Put {
                key,
                value: Value::Integer(i64::try_from(state.arrival_ns).unwrap_or(i64::MAX)),
                expiry: ExpiryChange::Exactly(state.over_at()),
                client_flags: FlagsChange::Set(state.ahead_s),
            };
            context.shard().apply(op, now)?;
            [1, remaining, 0]
        }
        Verdict::Denied { retry_after_ms } => {
            context.thread.counters.locks.throttled += 1;
            [0, 0, retry_after_ms]
        }
    };
    reply.array(shown.len());
    for number in shown {
        reply.integer(number as i64);
    }
    Ok(())
}

fn limit(args: Args<'_>) -> Result<Limit, Failure> {
    let count = number("rate", args[3], 1..=THROTTLE_COUNT_MAX)?;
    let rate = Rate::new(count, number("period", args[4], 1..=THROTTLE_PERIOD_SECONDS_MAX)?);
    let burst = number("burst", args[2], 1..=THROTTLE_COUNT_MAX.min(rate.burst_max()))?;
    Ok(rate.with_burst(burst))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn a_burst_is_let_through_and_then_the_rate() {
        check(&[
            ("THROTTLE k 3 2 1", "*3 :1 :2 :0"),
            ("THROTTLE k 3 2 1", "*3 :1 :1 :0"),
            ("THROTTLE k 3 2 1", "*3 :1 :0 :0"),
            ("THROTTLE k 3 2 1", "*3 :0 :0 :500"),
            ("THROTTLE other 3 2 1", "*3 :1 :2 :0"),
            ("@after 499", ""),
            ("THROTTLE k 3 2 1", "*3 :0 :0 :1"),
            ("@after 1", ""),
            ("THROTTLE k 3 2 1", "*3 :1 :0 :0"),
            ("THROTTLE k 3 2 1", "*3 :0 :0 :500"),
            ("@after 1200", ""),
            ("THROTTLE k 3 2 1", "*3 :1 :1 :0"),
        ]);
    }

    #[test]
    fn a_limit_nobody_runs_into_takes_no_memory() {
        check(&[
            ("THROTTLE k 10 10 1", "*3 :1 :9 :0"),
            ("THROTTLE k 10 10 1", "*3 :1 :8 :0"),
            ("PTTL k", ":200"),
            ("TYPE k", "+string"),
            ("@after 200", ""),
            ("EXISTS k", ":0"),
        ]);
    }

    #[test]
    fn a_deleted_limit_is_a_full_one() {
        check(&[
            ("THROTTLE k 1 1 60", "*3 :1 :0 :0"),
            ("THROTTLE k 1 1 60", "*3 :0 :0 :60000"),
            ("DEL k", ":1"),
            ("THROTTLE k 1 1 60", "*3 :1 :0 :0"),
        ]);
    }

    #[test]
    fn a_request_denied_changes_nothing() {
        check(&[
            ("THROTTLE k 1 1 60", "*3 :1 :0 :0"),
            ("PTTL k", ":60000"),
            ("@after 10", ""),
            ("THROTTLE k 1 1 60", "*3 :0 :0 :59990"),
            ("PTTL k", ":59990"),
        ]);
    }

    #[test]
    fn a_string_of_another_use_is_taken_if_it_is_a_number() {
        check(&[
            ("SET k hello", "+OK"),
            ("THROTTLE k 1 1 1", "-ERR value is not an integer or out of range"),
            ("SET k 9223372036854775807", "+OK"),
            ("THROTTLE k 1 1 1", "*3 :1 :0 :0"),
            ("SET k -5", "+OK"),
            ("THROTTLE k 1 1 1", "*3 :1 :0 :0"),
        ]);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        check(&[
            ("THROTTLE k 0 1 1", "-ERR burst must be 1 to 1000000000, not '0'"),
            ("THROTTLE k 1000000001 1 1", "-ERR burst must be 1 to 1000000000, not '1000000001'"),
            ("THROTTLE k 101 1 31536000", "-ERR burst must be 1 to 100, not '101'"),
            ("THROTTLE k 100 1 31536000", "*3 :1 :99 :0"),
            ("THROTTLE k 1 0 1", "-ERR rate must be 1 to 1000000000, not '0'"),
            ("THROTTLE k 1 -3 1", "-ERR rate must be 1 to 1000000000, not '-3'"),
            ("THROTTLE k 1 1 0", "-ERR period must be 1 to 31536000, not '0'"),
            ("THROTTLE k 1 1 31536001", "-ERR period must be 1 to 31536000, not '31536001'"),
            ("THROTTLE k 1 1 x", "-ERR period must be 1 to 31536000, not 'x'"),
            ("THROTTLE k 1 1", "-ERR wrong number of arguments for 'throttle' command"),
        ]);
    }
}
