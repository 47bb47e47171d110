//! `ma`: counts.

use locksley_engine::{ExpiryChange, Touch};
use locksley_wire::memcached::meta::Flags;
use locksley_wire::memcached::{Arithmetic, StoreMode, reply};
use locksley_wire::number::Digits;
use locksley_wire::resp::Reply;

use super::tokens::{INVALID_OR_DUPLICATE, Tokens};
use super::{push_line, push_number, push_repeated, push_ttl};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::memcached::count::{Counted, Counting, NOT_NUMERIC_TEXT, count};
use crate::command::memcached::exptime;
use crate::command::memcached::store::{Stored, Storing, store};
use crate::command::row::{self, Args, Command, Group, Keys, Outcome, Run};

pub(in crate::command::memcached) static META_ARITHMETIC: Command = Command {
    name: "ma",
    arity: 3,
    flags: row::Flags::WRITE.union(row::Flags::DENYOOM).union(row::Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::Memcached,
    since: "Locksley 0.1.0",
    summary: "Adds to a number or takes from it",
    complexity: "O(1)",
    syntax: "key flags",
    run: Run::Owner(run),
};

/// What was asked for, and what it came to.
#[derive(Clone, Copy)]
struct Number {
    number: u64,
    version: u64,
}

fn run(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let flags = Flags::checked(args[2]);
    let Ok(tokens) = Tokens::read(flags) else {
        reply::client_error(INVALID_OR_DUPLICATE, reply.buffer());
        return Ok(());
    };
    let Some(arithmetic) = arithmetic_of(tokens.mode) else {
        reply::client_error("invalid mode for ma M token", reply.buffer());
        return Ok(());
    };
    let now = context.now();
    let counting = Counting {
        key: args[1],
        arithmetic,
        delta: tokens.delta.unwrap_or(1),
        expiry: tokens.exptime.map_or(ExpiryChange::Keep, |exptime| exptime::expiry(exptime, now)),
        compare: tokens.compare,
    };
    let code: &[u8] = match count(context, &counting)? {
        Counted::Changed { .. } if tokens.is_quiet => return Ok(()),
        Counted::Changed { number, version } => {
            return write(context, args[1], Number { number, version }, flags, reply.buffer());
        }
        Counted::NotNumeric => {
            reply::client_error(NOT_NUMERIC_TEXT, reply.buffer());
            return Ok(());
        }
        Counted::NotFound => match make(context, args[1], &tokens)? {
            Some(made) => return write(context, args[1], made, flags, reply.buffer()),
            None => b"NF",
        },
        Counted::Exists => b"EX",
    };
    push_line(code, args[1], flags, reply.buffer());
    Ok(())
}

fn arithmetic_of(letter: Option<u8>) -> Option<Arithmetic> {
    match letter {
        None | Some(b'I' | b'+') => Some(Arithmetic::Increment),
        Some(b'D' | b'-') => Some(Arithmetic::Decrement),
        Some(_) => None,
    }
}

/// Makes the entry that a miss asks for, if it does.
fn make(context: &mut Context<'_>, key: &[u8], tokens: &Tokens) -> Result<Option<Number>, Failure> {
    let Some(exptime) = tokens.vivify else { return Ok(None) };
    let number = tokens.initial.unwrap_or(0);
    let digits = Digits::of_u64(number);
    let storing = Storing {
        mode: StoreMode::Add,
        key,
        value: digits.as_bytes(),
        client_flags: 0,
        expiry: exptime::expiry(exptime, context.now()),
        compare: None,
    };
    match store(context, &storing)? {
        Stored::Stored { version } => Ok(Some(Number { number, version })),
        Stored::NotStored | Stored::Exists | Stored::NotFound => Ok(None),
    }
}

fn write(context: &mut Context<'_>, key_bytes: &[u8], result: Number, flags: Flags<'_>, out: &mut Vec<u8>) -> Outcome {
    let digits = Digits::of_u64(result.number);
    let shows_value = flags.has(b'v');
    if shows_value {
        out.extend_from_slice(b"VA ");
        out.extend_from_slice(Digits::of_u64(digits.as_bytes().len() as u64).as_bytes());
    } else {
        out.extend_from_slice(b"HD");
    }
    for flag in flags.iter() {
        match flag.letter {
            b'c' => push_number(b'c', result.version, out),
            b't' => {
                let (key, now) = (context.key(key_bytes), context.now());
                let expiry = context.shard().get(key, now, Touch::Leave).and_then(|entry| entry.expiry);
                push_ttl(expiry.map(|expiry| expiry.0.saturating_sub(now.0)), out);
            }
            _ => push_repeated(flag, key_bytes, flags, out),
        }
    }
    out.extend_from_slice(b"\r\n");
    if shows_value {
        out.extend_from_slice(digits.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::memcached::testing::check;

    #[test]
    fn numbers_count_and_are_made() {
        check(&[
            ("ma n", "NF"),
            ("ma n J5", "NF"),
            ("ma n N100 J5 v t", "VA 1 t100|5"),
            ("ma n v", "VA 1|6"),
            ("ma n D10 v", "VA 2|16"),
            ("ma n MD D20 v", "VA 1|0"),
            ("ma n M+ T0 t k O1", "HD t-1 kn O1"),
            ("ma n q v", ""),
            ("ma n C1", "EX"),
            ("ma n Mx", "CLIENT_ERROR invalid mode for ma M token"),
            ("ma n Dx", "CLIENT_ERROR invalid or duplicate flag"),
            ("get n", "VALUE n 0 1|2|END"),
            ("md n I", "HD"),
            ("ma n v", "VA 1|3"),
            ("mg n v", "VA 1 X W|3"),
            ("set n 0 0 1|a", "STORED"),
            ("ma n q", "CLIENT_ERROR cannot increment or decrement non-numeric value"),
        ]);
    }
}
