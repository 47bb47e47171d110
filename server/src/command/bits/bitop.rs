//! BITOP: a value made of others, bit by bit.

use std::borrow::Cow;

use locksley_engine::Encoding;
use locksley_wire::resp::Reply;

use crate::command::effect::{Effect, Effects};
use crate::command::failure::Failure;
use crate::command::row::{
    Args, Command, DecideInput, Flags, Group, Keys, Outcome, PlanInput, PlanRead, PlannedKey, Run,
};
use crate::command::string_value::{StringValue, string_value};

/// NOT was given more than one source.
const NOT_ARITY: Failure = Failure::fixed("ERR BITOP NOT must be called with a single source key.");

/// Where the source keys begin.
const SOURCES: usize = 3;

pub(super) static BITOP: Command = Command {
    name: "bitop",
    arity: -4,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: Keys::Range { first: 2, last: -1, step: 1 },
    categories: &["bitmap"],
    group: Group::Bitmap,
    since: "2.6.0",
    summary: "Combines strings bit by bit and writes the result to a key, or removes that key if it is empty",
    complexity: "O(N), N the sum of the lengths",
    syntax: "<AND | OR | XOR | NOT> destkey key [key ...]",
    run: Run::Atomic { plan, decide },
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    And,
    Or,
    Xor,
    Not,
}

fn plan(input: &PlanInput<'_>, planned: &mut Vec<PlannedKey>) -> Outcome {
    Operator::parse(input.args)?;
    planned.push(PlannedKey { argument: SOURCES - 1, db: input.db, read: PlanRead::Nothing });
    let sources = SOURCES..input.args.len();
    planned.extend(sources.map(|argument| PlannedKey { argument, db: input.db, read: PlanRead::Value }));
    Ok(())
}

fn decide<'a>(input: &DecideInput<'a, '_>, effects: &mut Effects<'a>, reply: &mut Reply<'_>) -> Outcome {
    let operator = Operator::parse(input.args)?;
    let mut result = Vec::new();
    for (index, source) in input.reads[1..].iter().enumerate() {
        let text = source.as_ref().map(string_value).transpose()?.map(StringValue::text);
        let bytes = text.as_deref().unwrap_or_default();
        if index == 0 {
            result.extend_from_slice(bytes);
        } else {
            operator.combine(&mut result, bytes);
        }
    }
    if operator == Operator::Not {
        for byte in &mut result {
            *byte = !*byte;
        }
    }
    reply.integer(result.len() as i64);
    let (db, key) = (input.db, Cow::Borrowed(input.args[SOURCES - 1]));
    effects.push(if result.is_empty() {
        Effect::Delete { db, key }
    } else {
        let value = Cow::Owned(result);
        Effect::Put { db, key, value, encoding: Encoding::Spliced, expiry: None, client_flags: 0, is_stale: false }
    });
    Ok(())
}

impl Operator {
    fn parse(args: Args<'_>) -> Result<Operator, Failure> {
        let is = |name: &[u8]| args[1].eq_ignore_ascii_case(name);
        if is(b"AND") {
            Ok(Operator::And)
        } else if is(b"OR") {
            Ok(Operator::Or)
        } else if is(b"XOR") {
            Ok(Operator::Xor)
        } else if !is(b"NOT") {
            Err(Failure::SYNTAX)
        } else if args.len() == SOURCES + 1 {
            Ok(Operator::Not)
        } else {
            Err(NOT_ARITY)
        }
    }

    /// Combines `bytes` into `result`; the shorter of the two has zeros behind its end.
    fn combine(self, result: &mut Vec<u8>, bytes: &[u8]) {
        if result.len() < bytes.len() {
            result.resize(bytes.len(), 0);
        }
        let (shared, rest) = result.split_at_mut(bytes.len());
        let pairs = shared.iter_mut().zip(bytes);
        match self {
            Operator::And => {
                pairs.for_each(|(target, byte)| *target &= byte);
                rest.fill(0);
            }
            Operator::Or => pairs.for_each(|(target, byte)| *target |= byte),
            Operator::Xor => pairs.for_each(|(target, byte)| *target ^= byte),
            Operator::Not => unreachable!("NOT has one source"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn strings_are_combined_bit_by_bit() {
        check(&[
            ("SET a \"\\x0f\\xff\"", "+OK"),
            ("SET b \"\\x33\"", "+OK"),
            ("BITOP AND d a b", ":2"),
            ("GET d", "$2 \\x03\\x00"),
            ("BITOP or d b a", ":2"),
            ("GET d", "$2 ?\\xff"),
            ("BITOP XOR d a b none", ":2"),
            ("GET d", "$2 <\\xff"),
            ("BITOP NOT d a", ":2"),
            ("GET d", "$2 \\xf0\\x00"),
            ("BITOP AND d a none", ":2"),
            ("GET d", "$2 \\x00\\x00"),
            ("BITOP AND a a", ":2"),
            ("OBJECT ENCODING a", "$3 raw"),
            ("SET n 12", "+OK"),
            ("BITOP OR m n", ":2"),
            ("GET m", "$2 12"),
        ]);
    }

    #[test]
    fn an_empty_result_removes_the_target() {
        check(&[
            ("SET d v EX 10", "+OK"),
            ("BITOP OR d none also-none", ":0"),
            ("EXISTS d", ":0"),
            ("SET d v EX 10", "+OK"),
            ("SET e \"\"", "+OK"),
            ("BITOP NOT d e", ":0"),
            ("EXISTS d", ":0"),
            ("SET d v EX 10", "+OK"),
            ("BITOP NOT d d", ":1"),
            ("TTL d", ":-1"),
        ]);
    }

    #[test]
    fn bad_requests_are_refused() {
        check(&[
            ("BITOP NAND d a b", "-ERR syntax error"),
            ("BITOP NOT d a b", "-ERR BITOP NOT must be called with a single source key."),
            ("BITOP NOT d", "-ERR wrong number of arguments for 'bitop' command"),
        ]);
    }
}
