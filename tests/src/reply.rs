//! Replies as trees, read from bytes, and written in the notation of the case files.
//!
//! | notation | RESP |
//! |---|---|
//! | `+OK` | simple string |
//! | `-ERR text` | error |
//! | `:5` | integer |
//! | `"text"` | bulk string |
//! | `nil`, `nil[]` | `_` or `$-1`, and `*-1` |
//! | `[a, b]` | array |
//! | `{k: v}` | map (RESP3) |
//! | `~[a, b]` | set (RESP3) |
//! | `>[a, b]` | push (RESP3) |
//! | `,1.5` | double (RESP3) |
//! | `#t`, `#f` | boolean (RESP3) |
//! | `(12` | big number (RESP3) |
//! | `=txt:"text"` | verbatim string (RESP3) |

use std::fmt::{self, Display};

use crate::text::quote;

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `+text`.
    Simple(Vec<u8>),
    /// `-text`, or the bulk error `!`.
    Error(Vec<u8>),
    /// `:number`.
    Integer(i64),
    /// `$length`, text.
    Bulk(Vec<u8>),
    /// `$-1` in RESP2 and `_` in RESP3.
    Nil,
    /// `*-1`, RESP2 only.
    NilArray,
    /// `*length`, elements.
    Array(Vec<Reply>),
    /// `%length`, pairs.
    Map(Vec<(Reply, Reply)>),
    /// `~length`, elements.
    Set(Vec<Reply>),
    /// `>length`, elements.
    Push(Vec<Reply>),
    /// `,text`.
    Double(String),
    /// `#t` or `#f`.
    Boolean(bool),
    /// `(digits`.
    BigNumber(String),
    /// `=length`, a three-letter format, a colon, text.
    Verbatim(String, Vec<u8>),
}

/// Why bytes are not a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// More bytes are needed; not a fault of the sender yet.
    Incomplete,
    /// A type byte that RESP does not have.
    UnknownType(u8),
    /// A number that is none, or a line without its end.
    BadLine(Vec<u8>),
    /// A bulk string that does not end with CR LF.
    BadEnd,
    /// A RESP3 reply though the client asked for RESP2, or the other way round.
    WrongProtocol(u8),
}

/// Which dialect a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// What every connection starts with.
    Resp2,
    /// After `HELLO 3`.
    Resp3,
}

impl Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Resp2 => "RESP2",
            Self::Resp3 => "RESP3",
        })
    }
}

impl Reply {
    /// Reads one reply at the start of `bytes`; also gives how many bytes it took.
    ///
    /// # Errors
    ///
    /// [`Malformed::Incomplete`] if more bytes are needed, else what is wrong with them.
    pub fn read(bytes: &[u8], protocol: Protocol) -> Result<(Self, usize), Malformed> {
        let mut reader = Reader { bytes, offset: 0, protocol };
        let reply = reader.reply()?;
        Ok((reply, reader.offset))
    }

    /// The text of a string of any kind, an error or a number; `None` for the rest.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Simple(text) | Self::Error(text) | Self::Bulk(text) | Self::Verbatim(_, text) => {
                Some(String::from_utf8_lossy(text).into_owned())
            }
            Self::Integer(number) => Some(number.to_string()),
            Self::Double(text) | Self::BigNumber(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// The elements of an array, a set or a push.
    ///
    /// # Panics
    ///
    /// If the reply is none of these.
    pub fn elements(&self) -> &[Self] {
        match self {
            Self::Array(elements) | Self::Set(elements) | Self::Push(elements) => elements,
            other => panic!("an array was expected, not {other}"),
        }
    }

    /// The number of an integer reply.
    ///
    /// # Panics
    ///
    /// If the reply is not an integer.
    pub fn integer(&self) -> i64 {
        match self {
            Self::Integer(number) => *number,
            other => panic!("an integer was expected, not {other}"),
        }
    }

    /// What RESP2 makes of a RESP3 reply: maps become flat arrays, numbers and verbatim strings become bulk
    /// strings, booleans integers.
    #[must_use]
    pub fn in_resp2(&self) -> Self {
        let all = |elements: &[Self]| Self::Array(elements.iter().map(Self::in_resp2).collect());
        match self {
            Self::Map(pairs) => {
                Self::Array(pairs.iter().flat_map(|(key, value)| [key.in_resp2(), value.in_resp2()]).collect())
            }
            Self::Array(elements) | Self::Set(elements) | Self::Push(elements) => all(elements),
            Self::Double(text) | Self::BigNumber(text) => Self::Bulk(text.clone().into_bytes()),
            Self::Boolean(flag) => Self::Integer(i64::from(*flag)),
            Self::Verbatim(_, text) => Self::Bulk(text.clone()),
            other => other.clone(),
        }
    }
}

impl Display for Reply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(out, true)
    }
}

impl Reply {
    fn write(&self, out: &mut fmt::Formatter<'_>, is_top: bool) -> fmt::Result {
        match self {
            Self::Simple(text) => write!(out, "+{}", word(text, is_top)),
            Self::Error(text) => write!(out, "-{}", word(text, is_top)),
            Self::Integer(number) => write!(out, ":{number}"),
            Self::Bulk(text) => out.write_str(&quote(text)),
            Self::Nil => out.write_str("nil"),
            Self::NilArray => out.write_str("nil[]"),
            Self::Array(elements) => write_list(out, "[", elements),
            Self::Set(elements) => write_list(out, "~[", elements),
            Self::Push(elements) => write_list(out, ">[", elements),
            Self::Map(pairs) => {
                out.write_str("{")?;
                for (index, (key, value)) in pairs.iter().enumerate() {
                    out.write_str(if index == 0 { "" } else { ", " })?;
                    key.write(out, false)?;
                    out.write_str(": ")?;
                    value.write(out, false)?;
                }
                out.write_str("}")
            }
            Self::Double(text) => write!(out, ",{text}"),
            Self::Boolean(flag) => out.write_str(if *flag { "#t" } else { "#f" }),
            Self::BigNumber(digits) => write!(out, "({digits}"),
            Self::Verbatim(format, text) => write!(out, "={format}:{}", quote(text)),
        }
    }
}

fn write_list(out: &mut fmt::Formatter<'_>, open: &str, elements: &[Reply]) -> fmt::Result {
    out.write_str(open)?;
    for (index, element) in elements.iter().enumerate() {
        out.write_str(if index == 0 { "" } else { ", " })?;
        element.write(out, false)?;
    }
    out.write_str("]")
}

/// A simple string as a line goes on to its end; inside an aggregate only plain words go without quotes.
fn word(text: &[u8], is_top: bool) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'@' | b'|' | b'.');
    let is_line = |byte: &u8| (b' '..=b'~').contains(byte);
    let is_bare = !text.is_empty()
        && if is_top {
            text.iter().all(is_line) && !text.starts_with(b"\"") && !text.starts_with(b" ") && !text.ends_with(b" ")
        } else {
            text.iter().all(is_plain)
        };
    if is_bare { String::from_utf8_lossy(text).into_owned() } else { quote(text) }
}

struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
    protocol: Protocol,
}

impl<'a> Reader<'a> {
    fn reply(&mut self) -> Result<Reply, Malformed> {
        let line = self.line()?;
        let (&kind, rest) = line.split_first().ok_or_else(|| Malformed::BadLine(line.to_vec()))?;
        let is_resp3 = matches!(kind, b'_' | b'%' | b'~' | b'>' | b',' | b'#' | b'(' | b'=' | b'!');
        if is_resp3 && self.protocol == Protocol::Resp2 {
            return Err(Malformed::WrongProtocol(kind));
        }
        let text = || String::from_utf8_lossy(rest).into_owned();
        match kind {
            b'+' => Ok(Reply::Simple(rest.to_vec())),
            b'-' => Ok(Reply::Error(rest.to_vec())),
            b':' => Ok(Reply::Integer(number(rest)?)),
            b'_' => Ok(Reply::Nil),
            b',' => Ok(Reply::Double(text())),
            b'(' => Ok(Reply::BigNumber(text())),
            b'#' if rest == b"t" => Ok(Reply::Boolean(true)),
            b'#' if rest == b"f" => Ok(Reply::Boolean(false)),
            b'$' if rest == b"-1" => self.resp2_only(kind, Reply::Nil),
            b'*' if rest == b"-1" => self.resp2_only(kind, Reply::NilArray),
            b'$' => Ok(Reply::Bulk(self.body(rest)?.to_vec())),
            b'!' => Ok(Reply::Error(self.body(rest)?.to_vec())),
            b'=' => {
                let body = self.body(rest)?;
                if body.get(3) != Some(&b':') {
                    return Err(Malformed::BadLine(body.to_vec()));
                }
                Ok(Reply::Verbatim(String::from_utf8_lossy(&body[..3]).into_owned(), body[4..].to_vec()))
            }
            b'*' => Ok(Reply::Array(self.list(rest)?)),
            b'~' => Ok(Reply::Set(self.list(rest)?)),
            b'>' => Ok(Reply::Push(self.list(rest)?)),
            b'%' => {
                let count = number(rest)?;
                let mut pairs = Vec::new();
                for _ in 0..count {
                    pairs.push((self.reply()?, self.reply()?));
                }
                Ok(Reply::Map(pairs))
            }
            other => Err(Malformed::UnknownType(other)),
        }
    }

    fn resp2_only(&self, kind: u8, reply: Reply) -> Result<Reply, Malformed> {
        if self.protocol == Protocol::Resp2 { Ok(reply) } else { Err(Malformed::WrongProtocol(kind)) }
    }

    fn list(&mut self, count: &[u8]) -> Result<Vec<Reply>, Malformed> {
        let count = number(count)?;
        let mut elements = Vec::new();
        for _ in 0..count {
            elements.push(self.reply()?);
        }
        Ok(elements)
    }

    fn body(&mut self, length: &[u8]) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(number(length)?).map_err(|_| Malformed::BadLine(length.to_vec()))?;
        let end = self.offset + length;
        let body = self.bytes.get(self.offset..end).ok_or(Malformed::Incomplete)?;
        let tail = self.bytes.get(end..end + 2).ok_or(Malformed::Incomplete)?;
        if tail != b"\r\n" {
            return Err(Malformed::BadEnd);
        }
        self.offset = end + 2;
        Ok(body)
    }

    fn line(&mut self) -> Result<&'a [u8], Malformed> {
        let rest = &self.bytes[self.offset..];
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or(Malformed::Incomplete)?;
        let line = rest[..end].strip_suffix(b"\r").ok_or_else(|| Malformed::BadLine(rest[..end].to_vec()))?;
        self.offset += end + 1;
        Ok(line)
    }
}

fn number(digits: &[u8]) -> Result<i64, Malformed> {
    let text = std::str::from_utf8(digits).map_err(|_| Malformed::BadLine(digits.to_vec()))?;
    text.parse().map_err(|_| Malformed::BadLine(digits.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::{Malformed, Protocol, Reply};

    #[test]
    fn replies_are_read_and_written() {
        let check = |bytes: &str, notation: &str| {
            let (reply, used) = Reply::read(bytes.as_bytes(), Protocol::Resp3).expect(bytes);
            assert_eq!((reply.to_string().as_str(), used), (notation, bytes.len()), "{bytes:?}");
            for end in 0..bytes.len() {
                assert_eq!(Reply::read(&bytes.as_bytes()[..end], Protocol::Resp3), Err(Malformed::Incomplete));
            }
        };
        check("+OK\r\n", "+OK");
        check("-ERR no such key\r\n", "-ERR no such key");
        check(":-5\r\n", ":-5");
        check("$3\r\na\r\n\r\n", "\"a\\r\\n\"");
        check("_\r\n", "nil");
        check("*2\r\n:1\r\n*0\r\n", "[:1, []]");
        check("%1\r\n+a\r\n~1\r\n#t\r\n", "{+a: ~[#t]}");
        check("=5\r\ntxt:a\r\n", "=txt:\"a\"");
        check("*1\r\n+two words\r\n", "[+\"two words\"]");
    }

    #[test]
    fn a_dialect_not_asked_for_is_malformed() {
        assert_eq!(Reply::read(b"_\r\n", Protocol::Resp2), Err(Malformed::WrongProtocol(b'_')));
        assert_eq!(Reply::read(b"$-1\r\n", Protocol::Resp3), Err(Malformed::WrongProtocol(b'$')));
        assert_eq!(Reply::read(b"*-1\r\n", Protocol::Resp2), Ok((Reply::NilArray, 5)));
    }
}
