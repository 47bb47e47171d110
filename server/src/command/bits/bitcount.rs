//! BITCOUNT: how many bits of a value are set.

use locksley_wire::resp::Reply;

use super::offset::BitSpan;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;

pub(super) static BITCOUNT: Command = Command {
    name: "bitcount",
    arity: -2,
    flags: Flags::READONLY,
    keys: Keys::FIRST,
    categories: &["bitmap"],
    group: Group::Bitmap,
    since: "2.6.0",
    summary: "Counts the set bits of a string or of a part of it",
    complexity: "O(N), N the length of the part",
    syntax: "key [start end [BYTE | BIT]]",
    run: Run::Owner(bitcount),
};

fn bitcount(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if args.len() == 3 {
        return Err(Failure::SYNTAX);
    }
    let span = BitSpan::parse(args, 2)?;
    let key = context.key(args[1]);
    let (now, touch) = (context.now(), context.caller.touch);
    let count = match context.shard().get(key, now, touch) {
        Some(entry) if !span.is_reversed() => {
            let text = string_value(&entry)?.text();
            span.bits(text.len()).map_or(0, |(first, last)| count_ones(&text, first, last))
        }
        _ => 0,
    };
    reply.integer(count as i64);
    Ok(())
}

/// The set bits of `bytes` from bit `first` to bit `last`, both counted in.
fn count_ones(bytes: &[u8], first: u64, last: u64) -> u64 {
    let bytes = &bytes[(first / 8) as usize..=(last / 8) as usize];
    let (words, rest) = bytes.as_chunks::<8>();
    let in_words: u64 = words.iter().map(|word| u64::from(u64::from_ne_bytes(*word).count_ones())).sum();
    let in_rest: u64 = rest.iter().map(|byte| u64::from(byte.count_ones())).sum();
    let before = bytes[0] & !(0xff >> (first % 8));
    let behind = bytes[bytes.len() - 1] & !(0xff << (7 - last % 8));
    in_words + in_rest - u64::from(before.count_ones()) - u64::from(behind.count_ones())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn set_bits_are_counted() {
        check(&[
            ("SET k foobar", "+OK"),
            ("BITCOUNT k", ":26"),
            ("BITCOUNT k 0 0", ":4"),
            ("BITCOUNT k 1 1", ":6"),
            ("BITCOUNT k 1 1 BYTE", ":6"),
            ("BITCOUNT k 5 30 BIT", ":17"),
            ("BITCOUNT k 5 5 bit", ":1"),
            ("BITCOUNT k -2 -1", ":7"),
            ("BITCOUNT k -1 -2", ":0"),
            ("BITCOUNT k 10 20", ":0"),
            ("BITCOUNT none", ":0"),
            ("SET n 77", "+OK"),
            ("BITCOUNT n", ":10"),
            ("SETRANGE long 0 \"\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\"", ":11"),
            ("BITCOUNT long", ":88"),
            ("BITCOUNT long 3 -4 BIT", ":82"),
        ]);
    }

    #[test]
    fn bad_spans_are_refused_whether_or_not_there_is_a_key() {
        check(&[
            ("BITCOUNT k 0", "-ERR syntax error"),
            ("BITCOUNT k 0 1 WORD", "-ERR syntax error"),
            ("BITCOUNT k 0 1 BIT BIT", "-ERR syntax error"),
            ("BITCOUNT k a 1", "-ERR value is not an integer or out of range"),
        ]);
    }
}
