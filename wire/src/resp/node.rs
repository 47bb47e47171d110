//! Replies as a client reads them: of any type of RESP2 and RESP3, nested or not, without copying.
//!
//! [`Nodes`] walks a reply depth first and gives an aggregate as a node with its count, before its children.
//! [`measure`] tells where a whole reply ends, which is all that a client needs that only counts replies.

use std::fmt;

use memchr::memchr;

use crate::number;

/// One element of a reply.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node<'a> {
    /// A status line.
    Simple(&'a [u8]),
    /// An error, with its code.
    Error(&'a [u8]),
    /// An integer.
    Integer(i64),
    /// A string of bytes.
    Bulk(&'a [u8]),
    /// The null of either dialect.
    Null,
    /// An array of so many nodes, which follow.
    Array(usize),
    /// A map of so many pairs, which follow.
    Map(usize),
    /// A set of so many nodes, which follow.
    Set(usize),
    /// A message that answers no request, of so many nodes, which follow.
    Push(usize),
    /// So many pairs about the reply behind them, which is no part of the count.
    Attribute(usize),
    /// A floating-point number as text.
    Double(&'a [u8]),
    /// A truth value.
    Boolean(bool),
    /// An integer of any length as text.
    BigNumber(&'a [u8]),
    /// A text for a person, with its format and a colon in front.
    Verbatim(&'a [u8]),
}

impl Node<'_> {
    /// How many nodes belong to this one and follow it.
    fn child_count(&self) -> usize {
        match *self {
            Self::Array(count) | Self::Set(count) | Self::Push(count) => count,
            Self::Map(count) => count * 2,
            // The reply that the attribute speaks of takes the attribute's place.
            Self::Attribute(count) => count * 2 + 1,
            _ => 0,
        }
    }
}

/// Bytes that are no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MalformedReply {
    /// This byte opens no type of reply.
    UnknownType(u8),
    /// The line of this type byte holds no number where there must be one, or one out of range.
    InvalidNumber(u8),
    /// A string is not followed by a line end.
    MissingLineEnd,
}

impl fmt::Display for MalformedReply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(byte) => write!(formatter, "'{}' opens no reply", byte.escape_ascii()),
            Self::InvalidNumber(byte) => write!(formatter, "a bad number behind '{}'", byte.escape_ascii()),
            Self::MissingLineEnd => formatter.write_str("a string without line end"),
        }
    }
}

impl std::error::Error for MalformedReply {}

/// Most children of one aggregate that are believed.
const CHILD_COUNT_MAX: i64 = 1 << 40;

/// A walk over the nodes at the start of some bytes.
#[derive(Clone, Debug)]
pub struct Nodes<'a> {
    input: &'a [u8],
    position: usize,
}

impl<'a> Nodes<'a> {
    /// A walk from the start of `input`, which begins with a reply.
    pub fn new(input: &'a [u8]) -> Self {
        Self { input, position: 0 }
    }

    /// How many bytes the nodes given so far took.
    pub fn consumed(&self) -> usize {
        self.position
    }

    /// The next node; `None` when the input ends inside it.
    ///
    /// # Errors
    /// [`MalformedReply`] when the bytes are no reply.
    #[inline]
    pub fn next_node(&mut self) -> Result<Option<Node<'a>>, MalformedReply> {
        let Some(&kind) = self.input.get(self.position) else {
            return Ok(None);
        };
        let Some((text, next)) = self.line() else {
            return Ok(None);
        };
        let node = match kind {
            b'+' => Node::Simple(text),
            b'-' => Node::Error(text),
            b':' => Node::Integer(number::parse_i64(text).ok_or(MalformedReply::InvalidNumber(kind))?),
            b'$' | b'=' | b'!' => return self.string(kind, text, next),
            b'_' => Node::Null,
            b'*' => count(kind, text)?.map_or(Node::Null, Node::Array),
            b'%' => Node::Map(required_count(kind, text)?),
            b'~' => Node::Set(required_count(kind, text)?),
            b'>' => Node::Push(required_count(kind, text)?),
            b'|' => Node::Attribute(required_count(kind, text)?),
            b',' => Node::Double(text),
            b'#' => Node::Boolean(text == b"t"),
            b'(' => Node::BigNumber(text),
            other => return Err(MalformedReply::UnknownType(other)),
        };
        self.position = next;
        Ok(Some(node))
    }

    /// The text of the line at the position, and where the next line begins.
    #[inline]
    fn line(&self) -> Option<(&'a [u8], usize)> {
        let begin = self.position + 1;
        let end = begin + memchr(b'\r', &self.input[begin..])?;
        (end + 1 < self.input.len()).then(|| (&self.input[begin..end], end + 2))
    }

    #[inline]
    fn string(&mut self, kind: u8, text: &[u8], begin: usize) -> Result<Option<Node<'a>>, MalformedReply> {
        let Some(length) = count(kind, text)? else {
            self.position = begin;
            return Ok(Some(Node::Null));
        };
        let end = begin + length;
        if end + 2 > self.input.len() {
            return Ok(None);
        }
        if self.input[end..end + 2] != *b"\r\n" {
            return Err(MalformedReply::MissingLineEnd);
        }
        self.position = end + 2;
        let bytes = &self.input[begin..end];
        Ok(Some(match kind {
            b'$' => Node::Bulk(bytes),
            b'=' => Node::Verbatim(bytes),
            _ => Node::Error(bytes),
        }))
    }
}

/// A count; `None` stands for the null of RESP2.
#[inline]
fn count(kind: u8, text: &[u8]) -> Result<Option<usize>, MalformedReply> {
    match number::parse_i64(text) {
        Some(count @ 0..=CHILD_COUNT_MAX) => Ok(Some(count as usize)),
        Some(-1) => Ok(None),
        _ => Err(MalformedReply::InvalidNumber(kind)),
    }
}

fn required_count(kind: u8, text: &[u8]) -> Result<usize, MalformedReply> {
    count(kind, text)?.ok_or(MalformedReply::InvalidNumber(kind))
}

/// The length in bytes of the whole reply at the start of `input`, with all that is nested in it and with
/// attributes in front of it; `None` when the input ends before the reply does.
///
/// # Errors
/// [`MalformedReply`] when the bytes are no reply.
#[inline]
pub fn measure(input: &[u8]) -> Result<Option<usize>, MalformedReply> {
    let mut nodes = Nodes::new(input);
    let mut missing_count = 1usize;
    while missing_count > 0 {
        let Some(node) = nodes.next_node()? else {
            return Ok(None);
        };
        missing_count = (missing_count - 1).saturating_add(node.child_count());
    }
    Ok(Some(nodes.consumed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(input: &[u8]) -> Vec<Node<'_>> {
        let mut walk = Nodes::new(input);
        let mut found = Vec::new();
        while let Some(node) = walk.next_node().expect("well-formed") {
            found.push(node);
        }
        assert_eq!(walk.consumed(), input.len());
        found
    }

    #[test]
    fn every_type_is_read() {
        let input = b"+OK\r\n-ERR no\r\n:-5\r\n$2\r\na\n\r\n$-1\r\n*-1\r\n_\r\n*0\r\n,1.5\r\n#t\r\n#f\r\n(99\r\n=6\r\ntxt:hi\r\n!5\r\nERR x\r\n";
        #[rustfmt::skip]
        let expected = [
            Node::Simple(b"OK"), Node::Error(b"ERR no"), Node::Integer(-5), Node::Bulk(b"a\n"), Node::Null, Node::Null,
            Node::Null, Node::Array(0), Node::Double(b"1.5"), Node::Boolean(true), Node::Boolean(false),
            Node::BigNumber(b"99"), Node::Verbatim(b"txt:hi"), Node::Error(b"ERR x"),
        ];
        assert_eq!(nodes(input), expected);
    }

    #[test]
    fn a_reply_is_measured_with_all_that_is_nested_in_it() {
        #[rustfmt::skip]
        let cases: &[&[u8]] = &[
            b"+OK\r\n",
            b"$3\r\nabc\r\n",
            b"*2\r\n*1\r\n:1\r\n$1\r\nx\r\n",
            b"%2\r\n+a\r\n:1\r\n+b\r\n~2\r\n_\r\n#t\r\n",
            b"|1\r\n+ttl\r\n:3600\r\n*1\r\n+v\r\n",
            b">3\r\n+message\r\n+a\r\n+b\r\n",
            b"*0\r\n",
        ];
        for input in cases {
            for cut in 0..input.len() {
                assert_eq!(measure(&input[..cut]), Ok(None), "{} at {cut}", input.escape_ascii());
            }
            let behind = [input, &b"+next\r\n"[..]].concat();
            assert_eq!(measure(&behind), Ok(Some(input.len())));
        }
    }

    #[test]
    fn bytes_that_are_no_reply_are_told_apart() {
        assert_eq!(measure(b"HTTP/1.1\r\n"), Err(MalformedReply::UnknownType(b'H')));
        assert_eq!(measure(b"$-2\r\n"), Err(MalformedReply::InvalidNumber(b'$')));
        assert_eq!(measure(b":x\r\n"), Err(MalformedReply::InvalidNumber(b':')));
        assert_eq!(measure(b"%-1\r\n"), Err(MalformedReply::InvalidNumber(b'%')));
        assert_eq!(measure(b"$1\r\nabc"), Err(MalformedReply::MissingLineEnd));
    }
}
