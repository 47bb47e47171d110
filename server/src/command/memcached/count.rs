//! `incr` and `decr`: numbers that count, without a sign and of 64 bits.
//!
//! A number may be spelled as the other doors write it or as a client stored it: blanks before it, a plus, zeros in front
//! and a blank behind it are read over, as memcached does. It is written back without any of them, so the value of a
//! shrinking number becomes shorter, where memcached keeps the length and pads with blanks.

use locksley_engine::{ExpiryChange, FlagsChange, Op, Touch, Value};
use locksley_wire::memcached::{Arithmetic, reply};
use locksley_wire::number::Digits;
use locksley_wire::resp::Reply;

use super::store::put_stale;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Handler, Keys, Outcome, Run};
use crate::command::string_value::{StringValue, string_value};

/// The longest text that is read as a number, in bytes.
const NUMBER_BYTES_MAX: usize = 64;

const fn row(name: &'static str, summary: &'static str, run: Handler) -> Command {
    Command {
        name,
        arity: 3,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
        keys: Keys::FIRST,
        categories: &["string"],
        group: Group::Memcached,
        since: "Locksley 0.1.0",
        summary,
        complexity: "O(1)",
        syntax: "key value [noreply]",
        run: Run::Owner(run),
    }
}

pub(super) static INCR: Command = row("incr", "Adds to a number, which wraps at 2^64", incr);
pub(super) static DECR: Command = row("decr", "Takes from a number, which stops at 0", decr);

pub(super) const NOT_NUMERIC_TEXT: &str = "cannot increment or decrement non-numeric value";

/// How a number is to change, and on which condition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counting<'a> {
    /// Which one.
    pub key: &'a [u8],
    /// Up or down.
    pub arithmetic: Arithmetic,
    /// By how much.
    pub delta: u64,
    /// What becomes of the expiry.
    pub expiry: ExpiryChange,
    /// Only if the entry has this version.
    pub compare: Option<u64>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// It changed.
    Changed {
        /// The new number.
        number: u64,
        /// The version the entry has now; 0 if its time was over at once.
        version: u64,
    },
    /// There is no entry.
    NotFound,
    /// The value is no number.
    NotNumeric,
    /// The entry has another version.
    Exists,
}

/// Changes a number in the caller's database; flags stay.
///
/// # Errors
/// When memory or the log has no room.
pub(crate) fn count(context: &mut Context<'_>, counting: &Counting<'_>) -> Result<Counted, Failure> {
    let key = context.key(counting.key);
    let now = context.now();
    let counted = match context.shard().get(key, now, Touch::Leave) {
        None => Counted::NotFound,
        Some(entry) if counting.compare.is_some_and(|wanted| wanted != entry.version) => Counted::Exists,
        Some(entry) => match number_of(string_value(&entry)?) {
            None => Counted::NotNumeric,
            Some(old) => {
                let is_stale = entry.is_stale;
                let number = changed(old, counting.arithmetic, counting.delta);
                let digits = Digits::of_u64(number);
                let value = i64::try_from(number).map_or(Value::Bytes(digits.as_bytes()), Value::Integer);
                let (expiry, client_flags) = (counting.expiry, FlagsChange::Keep);
                let version = if is_stale {
                    put_stale(context, key, value, expiry, client_flags)?
                } else {
                    context.shard().apply(Op::Put { key, value, expiry, client_flags }, now)?.version
                };
                Counted::Changed { number, version }
            }
        },
    };
    let counters = &mut context.thread.counters.cache;
    let hit_or_miss = match (counting.arithmetic, counted) {
        (Arithmetic::Increment, Counted::Changed { .. }) => Some(&mut counters.incr_hits),
        (Arithmetic::Increment, Counted::NotFound) => Some(&mut counters.incr_misses),
        (Arithmetic::Decrement, Counted::Changed { .. }) => Some(&mut counters.decr_hits),
        (Arithmetic::Decrement, Counted::NotFound) => Some(&mut counters.decr_misses),
        (_, Counted::Exists) => Some(&mut counters.cas_badval),
        (_, Counted::NotNumeric) => None,
    };
    if let Some(count) = hit_or_miss {
        *count += 1;
    }
    Ok(counted)
}

fn changed(old: u64, arithmetic: Arithmetic, delta: u64) -> u64 {
    match arithmetic {
        Arithmetic::Increment => old.wrapping_add(delta),
        Arithmetic::Decrement => old.saturating_sub(delta),
    }
}

/// The number that a value spells, if it does.
fn number_of(value: StringValue<'_>) -> Option<u64> {
    match value.integer() {
        Some(integer) => u64::try_from(integer).ok(),
        None => parse(&value.text()),
    }
}

fn parse(text: &[u8]) -> Option<u64> {
    if text.len() > NUMBER_BYTES_MAX {
        return None;
    }
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let digit_count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digit_count);
    let ends = rest.first().is_none_or(u8::is_ascii_whitespace);
    if digits.is_empty() || !ends {
        return None;
    }
    let add = |sum: u64, digit: &u8| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    digits.iter().try_fold(0, add)
}

fn incr(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    run(context, Arithmetic::Increment, args, reply)
}

fn decr(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    run(context, Arithmetic::Decrement, args, reply)
}

fn run(context: &mut Context<'_>, arithmetic: Arithmetic, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let delta = u64::from_le_bytes(args[2].try_into().expect("a delta is packed"));
    let counting = Counting { key: args[1], arithmetic, delta, expiry: ExpiryChange::Keep, compare: None };
    let counted = count(context, &counting)?;
    let out = reply.buffer();
    match counted {
        Counted::Changed { number, .. } => {
            out.extend_from_slice(Digits::of_u64(number).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Counted::NotFound => out.extend_from_slice(b"NOT_FOUND\r\n"),
        Counted::NotNumeric => reply::client_error(NOT_NUMERIC_TEXT, out),
        Counted::Exists => unreachable!("no version was asked for"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::memcached::testing::check;

    const NOT_NUMERIC: &str = "CLIENT_ERROR cannot increment or decrement non-numeric value";

    #[test]
    fn a_number_goes_up_and_down() {
        check(&[
            ("incr n 1", "NOT_FOUND"),
            ("decr n 1", "NOT_FOUND"),
            ("set n 5 100 2|10", "STORED"),
            ("incr n 5", "15"),
            ("decr n 6", "9"),
            ("get n", "VALUE n 5 1|9|END"),
            ("RESP TTL n", ":100"),
            ("decr n 10", "0"),
            ("incr n 18446744073709551615", "18446744073709551615"),
            ("get n", "VALUE n 5 20|18446744073709551615|END"),
            ("incr n 3", "2"),
            ("incr n 9223372036854775807", "9223372036854775809"),
            ("decr n 9223372036854775807", "2"),
            ("incr n 1 noreply", ""),
            ("decr n 1 noreply", ""),
            ("incr n 0", "2"),
        ]);
    }

    #[test]
    fn numbers_of_the_other_doors_count() {
        check(&[
            ("RESP SET n 41", "+OK"),
            ("incr n 1", "42"),
            ("RESP INCR n", ":43"),
            ("RESP SET n 4", "+OK"),
            ("RESP APPEND n 1", ":2"),
            ("incr n 1", "42"),
            ("RESP SET n -1", "+OK"),
            ("incr n 1", NOT_NUMERIC),
            ("RESP GET n", "$2 -1"),
        ]);
    }

    #[test]
    fn a_number_is_read_as_memcached_reads_it() {
        let cases: [(&str, Option<u64>); 18] = [
            ("0", Some(0)),
            ("12 ", Some(12)),
            ("12  x", Some(12)),
            (" 12", Some(12)),
            ("+12", Some(12)),
            ("012", Some(12)),
            ("0000000000000000000001", Some(1)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            (" ", None),
            ("+", None),
            ("-12", None),
            ("12a", None),
            ("a", None),
            ("1.5", None),
            ("++1", None),
            ("0x10", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(parse(&[b'0'; NUMBER_BYTES_MAX + 1]), None);
    }
}
