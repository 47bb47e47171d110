//! SCAN: all keys, a few at a time.
//!
//! Cursor, 64 bits, shown in decimal:
//!
//! ```text
//! 63             48 47             32 31                              0
//! +----------------+-----------------+--------------------------------+
//! |       0        |      shard      |  hash prefix to go on from     |
//! +----------------+-----------------+--------------------------------+
//! ```
//!
//! A shard keeps its keys in the order of their hashes, however it grows, so a prefix is all it needs to go on. The
//! shards are gone through one after the other. 0 is the beginning, and as a reply the end: a scan never goes on from
//! prefix 0 of shard 0, because it shows all keys of a prefix at once. A number below 2^48 also survives clients that
//! keep numbers as doubles.
//!
//! A made-up cursor is as good as any other; one that names a shard which does not exist is at the end.
//!
//! The cursor's shard looks, and so does each behind it that has no more than COUNT keys: a small database is shown in
//! one call, over how many shards it may be spread. The join takes the parts up to the first that did not come to its
//! end.
//!
//! A part: 1 byte, whether the shard looked; the prefix to go on from, or 0 at its end, and the number of keys, 8 bytes
//! each, little endian; then the keys as bulk replies.

use std::cmp::Ordering;

use locksley_engine::{Db, Entry, Millis, Shard};
use locksley_wire::glob::{Case, matches};
use locksley_wire::number::{Digits, parse_u64};
use locksley_wire::resp::Reply;

use super::type_of::type_name;
use crate::client::Door;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::join::check_parts;
use crate::command::number::integer;
use crate::command::row::{Args, Command, Flags, Group, JoinInput, Keys, Outcome, Run};

/// The cursor is no number.
const BAD_CURSOR: Failure = Failure::fixed("ERR invalid cursor");

/// Keys looked at in one call unless COUNT says otherwise.
const COUNT_DEFAULT: usize = 10;

/// How many times COUNT slots of the table are passed in one call, at most, before COUNT keys were seen: a table may be
/// nearly empty, and a call has to end.
const ROUND_COUNT_MAX: usize = 10;

pub(super) static SCAN: Command = Command {
    name: "scan",
    arity: -2,
    flags: Flags::READONLY,
    keys: Keys::None,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "2.8.0",
    summary: "Goes through the keys of the selected database, some at each call",
    complexity: "O(N) a call, N the COUNT",
    syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    run: Run::Every { part: look, join },
};

/// A place in the sequence of all keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    shard: u32,
    prefix: u32,
}

/// What a scan shows, and how much it looks at.
struct Options<'a> {
    pattern: Option<&'a [u8]>,
    type_name: Option<&'a [u8]>,
    count: usize,
}

fn look(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let cursor = Cursor::parse(args[1])?;
    let options = Options::parse(&args[2..])?;
    let (db, now) = (context.caller.db, context.now());
    // Behind a shard's own port, the shard is all there is.
    let here = if context.caller.door == Door::Shard { 0 } else { u32::from(context.thread.id.0) };
    let looks = match here.cmp(&cursor.shard) {
        Ordering::Less => false,
        Ordering::Equal => true,
        Ordering::Greater => context.shard().len(db) <= options.count as u64,
    };
    let start = reply.len();
    reply.buffer().extend_from_slice(&[0; Part::HEADER_BYTES]);
    if !looks {
        return Ok(());
    }
    let mut count = 0u64;
    let prefix = if here == cursor.shard { cursor.prefix } else { 0 };
    let next = walk(context.shard(), (db, prefix), options.count, now, |entry| {
        let is_type = options.type_name.is_none_or(|name| name.eq_ignore_ascii_case(type_name(entry).as_bytes()));
        if is_type && options.pattern.is_none_or(|pattern| matches(pattern, entry.key, Case::Sensitive)) {
            reply.bulk(entry.key);
            count += 1;
        }
    });
    assert!(next.is_none_or(|next| next > prefix), "a scan moves on");
    let header = Part::header(next.unwrap_or(0), count);
    reply.buffer()[start..start + Part::HEADER_BYTES].copy_from_slice(&header);
    Ok(())
}

fn join(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_parts(input.parts)?;
    let cursor = Cursor::parse(input.args[1])?;
    let parts = || input.parts.iter().map(|part| Part::read(part.bytes)).skip(cursor.shard as usize);
    let ended = parts().take_while(Part::is_at_end).count();
    let shard = cursor.shard.saturating_add(ended as u32);
    let (next, taken) = match parts().nth(ended) {
        None => (Cursor::ENDS, ended),
        Some(part) if part.has_looked => (Cursor { shard, prefix: part.next }, ended + 1),
        Some(_) => (Cursor { shard, prefix: 0 }, ended),
    };
    reply.array(2);
    reply.bulk(Digits::of_u64(next.to_number()).as_bytes());
    reply.array(parts().take(taken).map(|part| part.count as usize).sum());
    for part in parts().take(taken) {
        reply.buffer().extend_from_slice(part.keys);
    }
    Ok(())
}

/// What one shard found.
#[derive(Clone, Copy, Debug)]
struct Part<'a> {
    has_looked: bool,
    /// The prefix to go on from; 0 at the end.
    next: u32,
    count: u64,
    keys: &'a [u8],
}

impl<'a> Part<'a> {
    const HEADER_BYTES: usize = 17;

    fn header(next: u32, count: u64) -> [u8; Part::HEADER_BYTES] {
        let mut header = [0; Part::HEADER_BYTES];
        header[0] = 1;
        header[1..9].copy_from_slice(&u64::from(next).to_le_bytes());
        header[9..].copy_from_slice(&count.to_le_bytes());
        header
    }

    fn read(bytes: &'a [u8]) -> Part<'a> {
        let (header, keys) =
            bytes.split_first_chunk::<{ Part::HEADER_BYTES }>().expect("a part begins with its header");
        let (next, count) = header[1..].split_at(8);
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("a header has two numbers of 8 bytes"));
        Part { has_looked: header[0] == 1, next: number(next) as u32, count: number(count), keys }
    }

    fn is_at_end(&self) -> bool {
        self.has_looked && self.next == 0
    }
}

/// Shows the entries of a database from a prefix on to `each`, until `count` were seen or many more slots were passed;
/// returns the prefix to go on from, or `None` at the end.
fn walk(
    shard: &Shard,
    (db, prefix): (Db, u32),
    count: usize,
    now: Millis,
    mut each: impl FnMut(&Entry<'_>),
) -> Option<u32> {
    if shard.len(db) == 0 {
        return None;
    }
    let mut seen = 0;
    let mut next = Some(prefix);
    for _ in 0..ROUND_COUNT_MAX {
        let Some(from) = next.filter(|_| seen < count) else { break };
        next = shard.scan(db, from, count, now, |entry| {
            seen += 1;
            each(entry);
        });
    }
    next
}

impl Cursor {
    /// The beginning, and the end.
    const ENDS: Cursor = Cursor { shard: 0, prefix: 0 };

    fn parse(text: &[u8]) -> Result<Cursor, Failure> {
        let number = parse_u64(text).or_else(|| parse_unusual(text)).ok_or(BAD_CURSOR)?;
        Ok(Cursor { shard: (number >> 32) as u32, prefix: number as u32 })
    }

    fn to_number(self) -> u64 {
        u64::from(self.shard) << 32 | u64::from(self.prefix)
    }
}

/// A number in a spelling that no reply has, but that the C library takes: nothing, a sign, zeros in front.
#[cold]
fn parse_unusual(text: &[u8]) -> Option<u64> {
    let (is_negative, digits) = match text {
        [] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let zero_count = digits.iter().take_while(|byte| **byte == b'0').count();
    let number = match &digits[zero_count..] {
        [] if zero_count > 0 => 0,
        rest => parse_u64(rest)?,
    };
    Some(if is_negative { number.wrapping_neg() } else { number })
}

impl<'a> Options<'a> {
    fn parse(words: &[&'a [u8]]) -> Result<Options<'a>, Failure> {
        let mut options = Options { pattern: None, type_name: None, count: COUNT_DEFAULT };
        for pair in words.chunks(2) {
            let [name, value] = pair else { return Err(Failure::SYNTAX) };
            if name.eq_ignore_ascii_case(b"COUNT") {
                let count = integer(value)?;
                options.count = if count < 1 { return Err(Failure::SYNTAX) } else { count as usize };
            } else if name.eq_ignore_ascii_case(b"MATCH") {
                options.pattern = Some(value).filter(|pattern| **pattern != b"*").copied();
            } else if name.eq_ignore_ascii_case(b"TYPE") {
                options.type_name = Some(value);
            } else {
                return Err(Failure::SYNTAX);
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use locksley_wire::resp::{Node, Nodes};

    use crate::command::testing::{Rig, check};

    /// The cursor and the keys of one call.
    fn call(rig: &mut Rig, line: &str) -> (String, Vec<String>) {
        let bytes = rig.run(line);
        let mut nodes = Nodes::new(&bytes);
        let mut words = Vec::new();
        while let Ok(Some(node)) = nodes.next_node() {
            if let Node::Bulk(word) = node {
                words.push(String::from_utf8(word.to_vec()).unwrap());
            }
        }
        let keys = words.split_off(1);
        (words.remove(0), keys)
    }

    /// All keys of a whole scan with `options`, one for each time it was shown; `between` runs after each call.
    fn scan_all(rig: &mut Rig, options: &str, mut between: impl FnMut(&mut Rig)) -> Vec<String> {
        let mut cursor = "0".to_owned();
        let mut all = Vec::new();
        for _ in 0..100_000 {
            let (next, keys) = call(rig, &format!("SCAN {cursor} {options}"));
            all.extend(keys);
            if next == "0" {
                return all;
            }
            cursor = next;
            between(rig);
        }
        panic!("a scan comes to its end");
    }

    #[test]
    fn a_whole_scan_shows_every_key() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            for number in 0..500 {
                rig.run(&format!("SET key:{number} v"));
            }
            for options in ["", "COUNT 1", "COUNT 1000", "MATCH *", "COUNT 7 MATCH key:* TYPE string", "TYPE STRING"] {
                let keys = scan_all(&mut rig, options, |_| {});
                assert_eq!(keys.len(), 500, "SCAN {options} shows each once while nothing changes");
                assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 500, "SCAN {options}");
            }
            let tens: BTreeSet<_> = scan_all(&mut rig, "MATCH key:?", |_| {}).into_iter().collect();
            assert_eq!(tens.len(), 10);
            assert!(scan_all(&mut rig, "TYPE list", |_| {}).is_empty());
        }
    }

    #[test]
    fn a_key_that_stays_is_shown_while_others_come_and_go() {
        let mut rig = Rig::new(3);
        for number in 0..100 {
            rig.run(&format!("MSET stays:{number} v goes:{number} v"));
        }
        let mut turn = 0;
        let keys = scan_all(&mut rig, "COUNT 5", |rig| {
            rig.run(&format!("DEL goes:{turn}"));
            rig.run(&format!("SET comes:{turn} v"));
            turn += 1;
        });
        let stayed: BTreeSet<_> = keys.into_iter().filter(|key| key.starts_with("stays:")).collect();
        assert_eq!(stayed.len(), 100);
    }

    #[test]
    fn a_made_up_cursor_is_harmless() {
        let mut rig = Rig::new(3);
        rig.run("MSET a 1 b 2 c 3");
        for cursor in ["1", "4294967295", "4294967296", "12884901888", "18446744073709551615", "281474976710656"] {
            let (next, keys) = call(&mut rig, &format!("SCAN {cursor} COUNT 100"));
            assert!(next.parse::<u64>().unwrap() < 3 << 32 && keys.len() <= 3, "SCAN {cursor}");
        }
    }

    #[test]
    fn a_cursor_is_spelled_as_the_c_library_takes_it() {
        for text in ["\"\"", "00", "+0", "-0", "-1", "+007", "018446744073709551615"] {
            assert!(Rig::new(1).reply(&format!("SCAN {text}")).starts_with("*2 $1 0 "), "SCAN {text}");
        }
    }

    #[test]
    fn a_small_database_is_shown_in_one_call() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            assert_eq!(rig.reply("SCAN 0"), "*2 $1 0 *0");
            rig.run("MSET a 1 b 2 c 3");
            let (next, keys) = call(&mut rig, "SCAN 0 COUNT 100");
            assert_eq!((next.as_str(), keys.len()), ("0", 3));
        }
        let mut rig = Rig::new(1);
        rig.run("MSET a 1 b 2 c 3");
        let mut calls = 1;
        assert_eq!(scan_all(&mut rig, "", |_| calls += 1).len(), 3);
        assert!(calls <= 5, "{calls} calls");
    }

    #[test]
    fn bad_requests_are_refused() {
        check(&[
            ("SCAN x", "-ERR invalid cursor"),
            ("SCAN \" 0\"", "-ERR invalid cursor"),
            ("SCAN 0x", "-ERR invalid cursor"),
            ("SCAN -", "-ERR invalid cursor"),
            ("SCAN 18446744073709551616", "-ERR invalid cursor"),
            ("SCAN 0 COUNT 0", "-ERR syntax error"),
            ("SCAN 0 COUNT -5", "-ERR syntax error"),
            ("SCAN 0 COUNT x", "-ERR value is not an integer or out of range"),
            ("SCAN 0 COUNT", "-ERR syntax error"),
            ("SCAN 0 WHAT 1", "-ERR syntax error"),
        ]);
    }
}
