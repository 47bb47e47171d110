//! Joins: one reply made of the replies of several shards.
//!
//! A part that is an error makes the whole reply that error: the first shard that failed speaks for all.

use std::array;

use locksley_wire::resp::{Node, Nodes, Reply};

use super::failure::Failure;
use super::row::{JoinInput, Outcome, ReplyPart};

/// Up to this many parts are joined without memory from the system.
const STACKED_PARTS: usize = 16;

/// The sum of integer replies.
pub(crate) fn sum(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.integer(total(input.parts)?);
    Ok(())
}

/// The sum of the integers that the shards replied.
///
/// # Errors
/// The first error that a shard replied.
pub(crate) fn total(parts: &[ReplyPart<'_>]) -> Result<i64, Failure> {
    check_parts(parts)?;
    let number = |part: &ReplyPart<'_>| match Nodes::new(part.bytes).next_node() {
        Ok(Some(Node::Integer(number))) => number,
        _ => panic!("an integer handler writes one integer reply"),
    };
    Ok(parts.iter().map(number).sum())
}

/// `OK`, if every shard says so.
pub(crate) fn ok(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_parts(input.parts)?;
    reply.ok();
    Ok(())
}

/// The reply of the first shard, for commands that every shard answers alike.
pub(crate) fn first(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.buffer().extend_from_slice(input.parts[0].bytes);
    Ok(())
}

/// An array with one element for each key, in the order of the keys: each part is an array with an element for each
/// of its keys.
pub(crate) fn in_key_order(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_parts(input.parts)?;
    if input.parts.len() <= STACKED_PARTS {
        let mut cursors: [_; STACKED_PARTS] = array::from_fn(|index| input.parts.get(index).map(Cursor::new));
        merge(&mut cursors[..input.parts.len()], reply);
    } else {
        let mut cursors: Vec<_> = input.parts.iter().map(|part| Some(Cursor::new(part))).collect();
        merge(&mut cursors, reply);
    }
    Ok(())
}

/// A place in the elements of one part.
struct Cursor<'a> {
    nodes: Nodes<'a>,
    key_positions: &'a [u32],
}

impl<'a> Cursor<'a> {
    /// The place before the first element.
    fn new(part: &ReplyPart<'a>) -> Cursor<'a> {
        let mut nodes = Nodes::new(part.bytes);
        let header = nodes.next_node();
        assert_eq!(header, Ok(Some(Node::Array(part.key_positions.len()))), "a part has an element for each key");
        Cursor { nodes, key_positions: part.key_positions }
    }
}

fn merge(cursors: &mut [Option<Cursor<'_>>], reply: &mut Reply<'_>) {
    let key_count = cursors.iter().flatten().map(|cursor| cursor.key_positions.len()).sum();
    reply.array(key_count);
    for position in 0..key_count as u32 {
        let cursor = cursors.iter_mut().flatten().find(|cursor| cursor.key_positions.first() == Some(&position));
        let cursor = cursor.expect("each key belongs to one part, and each part's keys ascend");
        cursor.key_positions = &cursor.key_positions[1..];
        match cursor.nodes.next_node() {
            Ok(Some(Node::Bulk(bytes))) => reply.bulk(bytes),
            Ok(Some(Node::Null)) => reply.null(),
            node => panic!("an element is a string or null, not {node:?}"),
        }
    }
}

/// Passes on the error of the first part that is one.
pub(crate) fn check_parts(parts: &[ReplyPart<'_>]) -> Outcome {
    match parts.iter().find_map(|part| part.bytes.strip_prefix(b"-")) {
        Some(text) => Err(Failure::new(String::from_utf8_lossy(text).trim_end())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use locksley_wire::resp::Protocol;

    use super::super::dialect::Dialect;
    use super::super::row::Join;
    use super::*;
    use crate::config::Config;

    fn check(join: Join, parts: &[(&str, &[u32])], expected: &str) {
        let parts: Vec<_> = parts
            .iter()
            .map(|(bytes, key_positions)| ReplyPart { bytes: bytes.as_bytes(), key_positions, is_remembered: false })
            .collect();
        let mut out = Vec::new();
        let input = JoinInput {
            args: &[],
            parts: &parts,
            silent: &[],
            random: 0,
            dialect: Dialect::Resp,
            config: &Config::default(),
        };
        let outcome = join(&input, &mut Reply::new(&mut out, Protocol::Resp2));
        let text = outcome.map_or_else(|failure| failure.text().to_owned(), |()| out.escape_ascii().to_string());
        assert_eq!(text, expected);
    }

    #[test]
    fn numbers_add_up() {
        check(sum, &[(":2\r\n", &[0, 1]), (":40\r\n", &[2])], ":42\\r\\n");
    }

    #[test]
    fn elements_come_in_the_order_of_the_keys() {
        check(
            in_key_order,
            &[("*2\r\n$1\r\na\r\n$-1\r\n", &[1, 3]), ("*1\r\n$0\r\n\r\n", &[0]), ("*1\r\n$1\r\nc\r\n", &[2])],
            "*4\\r\\n$0\\r\\n\\r\\n$1\\r\\na\\r\\n$1\\r\\nc\\r\\n$-1\\r\\n",
        );
    }

    #[test]
    fn more_parts_than_fit_the_stack_are_joined_too() {
        let positions: Vec<[u32; 1]> = (0..20).map(|position| [19 - position]).collect();
        let parts: Vec<_> = positions.iter().map(|positions| ("*1\r\n$-1\r\n", &positions[..])).collect();
        check(in_key_order, &parts, &format!("*20\\r\\n{}", "$-1\\r\\n".repeat(20)));
    }

    #[test]
    fn the_first_error_speaks_for_all() {
        let parts: [(&str, &[u32]); 3] = [("+OK\r\n", &[]), ("-OOM full\r\n", &[]), ("-ERR other\r\n", &[])];
        check(ok, &parts, "OOM full");
        check(sum, &parts, "OOM full");
        check(in_key_order, &parts, "OOM full");
    }
}
