//! What a reply has to look like: the notation of [`reply`](crate::reply) with places left open.
//!
//! | pattern | matches |
//! |---|---|
//! | any reply in its own notation | exactly that; maps and sets in any order |
//! | `*` | anything |
//! | `:*`, `:1..9`, `:1..` | any integer, one in this range (both ends count), one from there on |
//! | `,*` | any double |
//! | `glob"a*b"`, `+glob"..."`, `-glob"..."` | a text, a simple string, an error, with `*` for any bytes |
//! | `$name` | any text or number, remembered for `$name` in later requests |
//! | `unordered[a, b]` | these elements in any order |
//! | `[a, ...]`, `{k: v, ...}` | an array that starts so, a map that has this |
//! | `a \| b` | one or the other |
//! | `closed`, `none` | the connection closes; no reply comes |
//!
//! A pattern is written once, as RESP3 says it. In RESP2 a map is matched as a flat array, a set as an array, a
//! double, big number or verbatim string as a bulk string and a boolean as an integer, which is the rule by
//! which servers themselves fall back.

use std::collections::HashMap;

use crate::reply::{Protocol, Reply};
use crate::text::{is_name, quoted};

/// What a reply has to look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Anything.
    Any,
    /// Exactly this scalar.
    Exact(Reply),
    /// Any integer of a range.
    Integer {
        /// The least one.
        least: i64,
        /// The greatest one.
        greatest: i64,
    },
    /// Any double.
    Double,
    /// A text of one kind, with `*` for any bytes.
    Glob(TextKind, Vec<u8>),
    /// Any scalar, remembered under a name.
    Capture(String),
    /// An aggregate of ordered elements.
    List(ListKind, Vec<Pattern>, Tail),
    /// A map.
    Map(Vec<(Pattern, Pattern)>, Tail),
    /// One of several.
    Either(Vec<Pattern>),
    /// The server closes the connection.
    Closed,
    /// The server sends nothing.
    Nothing,
}

/// Which texts a glob looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// Bulk and verbatim strings.
    Text,
    /// Simple strings.
    Simple,
    /// Errors.
    Error,
}

/// Which aggregate a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// An array in this order.
    Array,
    /// An array in any order.
    Unordered,
    /// A set.
    Set,
    /// A push.
    Push,
}

/// Whether an aggregate may have more elements than the pattern names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// It has exactly these.
    Closed,
    /// It may have others behind them.
    Open,
}

/// Texts that earlier replies of a case left for its later requests.
pub type Captures = HashMap<String, Vec<u8>>;

impl Pattern {
    /// Reads a whole pattern.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text {
            "closed" => return Ok(Self::Closed),
            "none" => return Ok(Self::Nothing),
            _ => {}
        }
        // A simple string or error on its own goes on to the end of the line, whatever it contains.
        if let Some(rest) = text.strip_prefix(['+', '-'])
            && !rest.starts_with('"')
            && !rest.starts_with("glob\"")
        {
            let rest = rest.as_bytes().to_vec();
            return Ok(Self::Exact(if text.starts_with('+') { Reply::Simple(rest) } else { Reply::Error(rest) }));
        }
        let (pattern, rest) = either(text)?;
        if rest.is_empty() { Ok(pattern) } else { Err(format!("this is left over: {rest}")) }
    }

    /// Whether `reply` looks like this, remembering captured texts.
    pub fn matches(&self, reply: &Reply, protocol: Protocol, captures: &mut Captures) -> bool {
        let is_resp2 = protocol == Protocol::Resp2;
        match (self, reply) {
            (Self::Exact(expected), _) => {
                *reply == if is_resp2 { expected.in_resp2() } else { expected.clone() }
                    || (!is_resp2 && *expected == Reply::NilArray && *reply == Reply::Nil)
            }
            (Self::Integer { least, greatest }, Reply::Integer(number)) => (least..=greatest).contains(&number),
            (Self::Double, Reply::Double(text)) => !is_resp2 && text.parse::<f64>().is_ok(),
            (Self::Double, Reply::Bulk(text)) => {
                is_resp2 && std::str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok())
            }
            (Self::Glob(kind, glob), _) => match (kind, reply) {
                (TextKind::Text, Reply::Bulk(text) | Reply::Verbatim(_, text))
                | (TextKind::Simple, Reply::Simple(text))
                | (TextKind::Error, Reply::Error(text)) => glob_matches(glob, text),
                _ => false,
            },
            (Self::Capture(name), _) => reply.text().is_some_and(|text| {
                captures.insert(name.clone(), text.into_bytes());
                true
            }),
            (Self::Either(patterns), _) => patterns.iter().any(|one| one.matches(reply, protocol, captures)),
            (Self::List(kind, patterns, tail), _) => {
                let Some(elements) = elements_of(*kind, reply, is_resp2) else { return false };
                if matches!(kind, ListKind::Array | ListKind::Push) {
                    let fits =
                        elements.len() == patterns.len() || (*tail == Tail::Open && elements.len() > patterns.len());
                    fits && patterns.iter().zip(elements).all(|(one, element)| one.matches(element, protocol, captures))
                } else {
                    let is_match = |one: &Pattern, at: usize, captures: &mut Captures| {
                        one.matches(&elements[at], protocol, captures)
                    };
                    matches_in_any_order(patterns, elements.len(), *tail, captures, is_match)
                }
            }
            (Self::Map(expected, tail), _) => {
                let pairs: Vec<(&Reply, &Reply)> = match reply {
                    Reply::Map(pairs) if !is_resp2 => pairs.iter().map(|(key, value)| (key, value)).collect(),
                    Reply::Array(flat) if is_resp2 && flat.len().is_multiple_of(2) => {
                        flat.chunks(2).map(|pair| (&pair[0], &pair[1])).collect()
                    }
                    _ => return false,
                };
                let is_match = |(key, value): &(Pattern, Pattern), at: usize, captures: &mut Captures| {
                    key.matches(pairs[at].0, protocol, captures) && value.matches(pairs[at].1, protocol, captures)
                };
                matches_in_any_order(expected, pairs.len(), *tail, captures, is_match)
            }
            (pattern, _) => *pattern == Self::Any,
        }
    }
}

fn elements_of(kind: ListKind, reply: &Reply, is_resp2: bool) -> Option<&[Reply]> {
    match (kind, reply) {
        (ListKind::Array | ListKind::Unordered, Reply::Array(elements))
        | (ListKind::Set, Reply::Set(elements))
        | (ListKind::Push, Reply::Push(elements)) => Some(elements),
        (ListKind::Set | ListKind::Push, Reply::Array(elements)) if is_resp2 => Some(elements),
        _ => None,
    }
}

/// Gives each pattern a place of its own among `count`, first come first served: enough for cases as people
/// write them, whose patterns do not overlap.
fn matches_in_any_order<P>(
    patterns: &[P],
    count: usize,
    tail: Tail,
    captures: &mut Captures,
    is_match: impl Fn(&P, usize, &mut Captures) -> bool,
) -> bool {
    if count < patterns.len() || (count > patterns.len() && tail == Tail::Closed) {
        return false;
    }
    let mut free: Vec<usize> = (0..count).collect();
    patterns.iter().all(|pattern| {
        let found = free.iter().position(|at| is_match(pattern, *at, captures));
        found.map(|index| free.remove(index)).is_some()
    })
}

/// Whether `text` is `glob`, in which `*` stands for any bytes.
fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
    let mut parts = glob.split(|byte| *byte == b'*');
    let first = parts.next().expect("a split gives at least one part");
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&[u8]> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        let Some(at) = rest.windows(part.len()).position(|window| window == part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

type Parsed<'a> = Result<(Pattern, &'a str), String>;

fn either(text: &str) -> Parsed<'_> {
    let (first, mut rest) = one(text.trim_start())?;
    let mut choices = vec![first];
    while let Some(after) = rest.trim_start().strip_prefix('|') {
        let (next, after) = one(after.trim_start())?;
        choices.push(next);
        rest = after;
    }
    let pattern = if choices.len() == 1 { choices.remove(0) } else { Pattern::Either(choices) };
    Ok((pattern, rest.trim_start()))
}

fn one(text: &str) -> Parsed<'_> {
    for (word, pattern) in [
        ("nil[]", Pattern::Exact(Reply::NilArray)),
        ("nil", Pattern::Exact(Reply::Nil)),
        ("#t", Pattern::Exact(Reply::Boolean(true))),
        ("#f", Pattern::Exact(Reply::Boolean(false))),
        (":*", Pattern::Integer { least: i64::MIN, greatest: i64::MAX }),
        (",*", Pattern::Double),
        ("*", Pattern::Any),
    ] {
        if let Some(rest) = text.strip_prefix(word) {
            return Ok((pattern, rest));
        }
    }
    for (open, kind) in
        [("unordered[", ListKind::Unordered), ("~[", ListKind::Set), (">[", ListKind::Push), ("[", ListKind::Array)]
    {
        if let Some(rest) = text.strip_prefix(open) {
            return list(kind, rest);
        }
    }
    for (open, kind) in [("glob", TextKind::Text), ("+glob", TextKind::Simple), ("-glob", TextKind::Error)] {
        if let Some(rest) = text.strip_prefix(open) {
            let (glob, rest) = quoted(rest)?;
            return Ok((Pattern::Glob(kind, glob), rest));
        }
    }
    scalar(text)
}

fn scalar(text: &str) -> Parsed<'_> {
    let kind = text.chars().next().ok_or("a pattern is missing")?;
    if kind == '"' {
        let (bytes, rest) = quoted(text)?;
        return Ok((Pattern::Exact(Reply::Bulk(bytes)), rest));
    }
    let rest = &text[kind.len_utf8()..];
    let bare_end = rest.find([',', ']', '}', ' ', ':']).unwrap_or(rest.len());
    let (bare, after) = rest.split_at(bare_end);
    match kind {
        '{' => map(rest),
        '$' if is_name(bare) => Ok((Pattern::Capture(bare.to_owned()), after)),
        ':' => Ok((integer(bare)?, after)),
        ',' => Ok((Pattern::Exact(Reply::Double(bare.to_owned())), after)),
        '(' => Ok((Pattern::Exact(Reply::BigNumber(bare.to_owned())), after)),
        '+' | '-' => {
            let (bytes, after) = if rest.starts_with('"') { quoted(rest)? } else { (bare.as_bytes().to_vec(), after) };
            Ok((Pattern::Exact(if kind == '+' { Reply::Simple(bytes) } else { Reply::Error(bytes) }), after))
        }
        '=' => {
            let (bytes, after) = quoted(after.strip_prefix(':').ok_or("a verbatim string is =txt:\"text\"")?)?;
            Ok((Pattern::Exact(Reply::Verbatim(bare.to_owned(), bytes)), after))
        }
        _ => Err(format!("not a pattern: {text}")),
    }
}

fn integer(text: &str) -> Result<Pattern, String> {
    let number = |text: &str| text.parse::<i64>().map_err(|_| format!("not a number: {text}"));
    match text.split_once("..") {
        None => Ok(Pattern::Exact(Reply::Integer(number(text)?))),
        Some((least, greatest)) => {
            let greatest = if greatest.is_empty() { i64::MAX } else { number(greatest)? };
            Ok(Pattern::Integer { least: number(least)?, greatest })
        }
    }
}

fn list(kind: ListKind, text: &str) -> Parsed<'_> {
    let mut patterns = Vec::new();
    let mut rest = text.trim_start();
    let mut tail = Tail::Closed;
    loop {
        if let Some(after) = rest.strip_prefix(']') {
            return Ok((Pattern::List(kind, patterns, tail), after));
        }
        if let Some(after) = rest.strip_prefix("...") {
            tail = Tail::Open;
            rest = after.trim_start();
        } else {
            let (pattern, after) = either(rest)?;
            patterns.push(pattern);
            rest = after;
        }
        rest = separator(rest, ']')?;
    }
}

fn map(text: &str) -> Parsed<'_> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    let mut tail = Tail::Closed;
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((Pattern::Map(pairs, tail), after));
        }
        if let Some(after) = rest.strip_prefix("...") {
            tail = Tail::Open;
            rest = after.trim_start();
        } else {
            let (key, after) = either(rest)?;
            let after = after.strip_prefix(':').ok_or_else(|| format!("a map needs a colon: {after}"))?;
            let (value, after) = either(after)?;
            pairs.push((key, value));
            rest = after;
        }
        rest = separator(rest, '}')?;
    }
}

fn separator(text: &str, close: char) -> Result<&str, String> {
    match text.strip_prefix(',') {
        Some(rest) => Ok(rest.trim_start()),
        None if text.starts_with(close) => Ok(text),
        None => Err(format!("a comma or {close} was expected: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Captures, Pattern};
    use crate::reply::{Protocol, Reply};

    fn matches(pattern: &str, bytes: &str, protocol: Protocol) -> bool {
        let pattern = Pattern::parse(pattern).expect(pattern);
        let (reply, _) = Reply::read(bytes.as_bytes(), protocol).expect(bytes);
        pattern.matches(&reply, protocol, &mut Captures::new())
    }

    #[test]
    fn a_pattern_matches_what_it_says_and_nothing_else() {
        let check = |pattern: &str, same: &[&str], other: &[&str]| {
            for bytes in same {
                assert!(matches(pattern, bytes, Protocol::Resp3), "{pattern} should match {bytes:?}");
            }
            for bytes in other {
                assert!(!matches(pattern, bytes, Protocol::Resp3), "{pattern} should not match {bytes:?}");
            }
        };
        check("+OK", &["+OK\r\n"], &["$2\r\nOK\r\n", "+OKAY\r\n", "-OK\r\n"]);
        check("-ERR a, b [c]", &["-ERR a, b [c]\r\n"], &["-ERR a\r\n"]);
        check(":1..3", &[":1\r\n", ":3\r\n"], &[":0\r\n", ":4\r\n", "+1\r\n"]);
        check("glob\"a*c*\"", &["$3\r\nabc\r\n", "$2\r\nac\r\n"], &["$2\r\nab\r\n", "+ac\r\n"]);
        check("[:1, ...]", &["*1\r\n:1\r\n", "*2\r\n:1\r\n:2\r\n"], &["*0\r\n", "*1\r\n:2\r\n"]);
        check("unordered[:1, :2]", &["*2\r\n:2\r\n:1\r\n"], &["*2\r\n:1\r\n:1\r\n", "*1\r\n:1\r\n"]);
        check("\"a\" | nil", &["$1\r\na\r\n", "_\r\n"], &["$1\r\nb\r\n"]);
        check("{\"a\": :1, ...}", &["%2\r\n+x\r\n:9\r\n$1\r\na\r\n:1\r\n"], &["%1\r\n+x\r\n:9\r\n"]);
        check("[[\"a\", nil], {}]", &["*2\r\n*2\r\n$1\r\na\r\n_\r\n%0\r\n"], &["*0\r\n"]);
    }

    #[test]
    fn resp2_says_the_same_with_fewer_types() {
        let check = |pattern: &str, bytes: &str| {
            assert!(matches(pattern, bytes, Protocol::Resp2), "{pattern} should match {bytes:?}");
        };
        check("{\"a\": :1, \"b\": #t}", "*4\r\n$1\r\nb\r\n:1\r\n$1\r\na\r\n:1\r\n");
        check("~[\"a\"]", "*1\r\n$1\r\na\r\n");
        check(",1.5", "$3\r\n1.5\r\n");
        check("=txt:\"a\"", "$1\r\na\r\n");
        check("nil", "$-1\r\n");
        check("nil[]", "*-1\r\n");
        assert!(!matches("nil", "*-1\r\n", Protocol::Resp2));
        assert!(matches("nil[]", "_\r\n", Protocol::Resp3));
    }

    #[test]
    fn what_is_not_a_pattern_is_refused() {
        for text in ["", "OK", "[", "[:1", "{\"a\"}", "\"a", ":1x", "nil nil"] {
            assert!(Pattern::parse(text).is_err(), "{text:?}");
        }
    }
}
