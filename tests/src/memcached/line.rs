//! A line of a case: what is sent, or what has to come back.
//!
//! | notation | sent | expected |
//! |---|---|---|
//! | `text` | as it is | as it is |
//! | `"a\r\n\x00"`, `"ab"*100` | these bytes, so many times | these bytes |
//! | `{name}` | what was captured | the captured bytes, or any word, which is captured |
//! | `{>name}` | | a number above the captured one, which is captured in its place |
//! | `{*}` | | any bytes |
//! | `{1..9}`, `{1..}` | | a number of this range, both ends included |
//! | `{now+60}`, `{now-1}` | the Unix time in so many seconds | |
//!
//! A quote or brace that is meant as it is stands in quotes.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::text::{is_name, quoted};

/// Bytes that replies left for later lines of a case.
pub type Captures = HashMap<String, Vec<u8>>;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Bytes(Vec<u8>),
    Any,
    Number { least: u64, greatest: u64 },
    Name(String),
    Above(String),
    Now(i64),
}

impl Line {
    /// Reads the notation.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let piece = match first {
                '"' => {
                    let (bytes, after) = quoted(rest)?;
                    rest = after;
                    Piece::Bytes(bytes)
                }
                '{' => {
                    let (inside, after) = rest[1..].split_once('}').ok_or("a brace is not closed")?;
                    rest = after;
                    open_piece(inside)?
                }
                _ => {
                    let end = rest.find(['"', '{']).unwrap_or(rest.len());
                    let bytes = rest.as_bytes()[..end].to_vec();
                    rest = &rest[end..];
                    Piece::Bytes(bytes)
                }
            };
            pieces.push(piece);
        }
        Ok(Self { pieces })
    }

    /// The bytes to send.
    ///
    /// # Errors
    ///
    /// A sentence, if the line leaves something open or names what was not captured.
    pub fn bytes(&self, captures: &Captures) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(text) => bytes.extend_from_slice(text),
                Piece::Name(name) => {
                    bytes.extend_from_slice(captures.get(name).ok_or_else(|| format!("{name} was not captured"))?);
                }
                Piece::Now(seconds) => bytes.extend_from_slice((unix_seconds() + seconds).to_string().as_bytes()),
                open => return Err(format!("{open:?} cannot be sent")),
            }
        }
        Ok(bytes)
    }

    /// Whether `line` looks like this; captures what it names, if so.
    pub fn matches(&self, line: &[u8], captures: &mut Captures) -> bool {
        let mut found = captures.clone();
        let fits = fits(&self.pieces, line, &mut found);
        if fits {
            *captures = found;
        }
        fits
    }
}

fn open_piece(inside: &str) -> Result<Piece, String> {
    if inside == "*" {
        return Ok(Piece::Any);
    }
    if let Some(seconds) = inside.strip_prefix("now") {
        return seconds.parse().map(Piece::Now).map_err(|_| format!("not a number of seconds: {seconds}"));
    }
    if let Some((least, greatest)) = inside.split_once("..") {
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("not a number: {text}"));
        let greatest = if greatest.is_empty() { u64::MAX } else { number(greatest)? };
        return Ok(Piece::Number { least: number(least)?, greatest });
    }
    match inside.strip_prefix('>') {
        Some(name) if is_name(name) => Ok(Piece::Above(name.to_owned())),
        None if is_name(inside) => Ok(Piece::Name(inside.to_owned())),
        _ => Err(format!("not a name: {inside}")),
    }
}

fn fits(pieces: &[Piece], line: &[u8], captures: &mut Captures) -> bool {
    let Some((piece, pieces)) = pieces.split_first() else { return line.is_empty() };
    match piece {
        Piece::Bytes(text) => line.strip_prefix(text.as_slice()).is_some_and(|rest| fits(pieces, rest, captures)),
        Piece::Any => (0..=line.len()).any(|from| fits(pieces, &line[from..], captures)),
        Piece::Number { least, greatest } => {
            let Some((number, rest)) = leading_number(line) else { return false };
            (*least..=*greatest).contains(&number) && fits(pieces, rest, captures)
        }
        Piece::Above(name) => {
            let before = captures.get(name).and_then(|text| leading_number(text)).map(|(number, _)| number);
            let (Some(before), Some((number, rest))) = (before, leading_number(line)) else { return false };
            captures.insert(name.clone(), number.to_string().into_bytes());
            number > before && fits(pieces, rest, captures)
        }
        Piece::Name(name) => {
            let word = match captures.get(name) {
                Some(known) => known.clone(),
                None => line.split(|byte| *byte == b' ').next().unwrap_or_default().to_vec(),
            };
            let Some(rest) = line.strip_prefix(word.as_slice()) else { return false };
            captures.insert(name.clone(), word);
            fits(pieces, rest, captures)
        }
        Piece::Now(_) => false,
    }
}

fn leading_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    let number = std::str::from_utf8(&bytes[..end]).ok()?.parse().ok()?;
    Some((number, &bytes[end..]))
}

fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(since.as_secs()).expect("the clock is before the year 292 billion")
}

#[cfg(test)]
mod tests {
    use super::{Captures, Line};

    #[test]
    fn lines_are_sent_as_they_say() {
        let captures = Captures::from([("cas".to_owned(), b"7".to_vec())]);
        let check = |text: &str, bytes: &[u8]| {
            assert_eq!(Line::parse(text).and_then(|line| line.bytes(&captures)).as_deref(), Ok(bytes), "{text}");
        };
        check("set key 0 0 1", b"set key 0 0 1");
        check("get \"k\"*3 \"{\" \"\\x00\"", b"get kkk { \0");
        check("cas key 0 0 1 {cas}", b"cas key 0 0 1 7");
        assert!(Line::parse("get {other}").expect("it is well written").bytes(&captures).is_err());
    }

    #[test]
    fn lines_are_expected_as_they_say() {
        let check = |text: &str, line: &str, is_match: bool| {
            let mut captures = Captures::from([("cas".to_owned(), b"7".to_vec())]);
            let pattern = Line::parse(text).expect("it is well written");
            assert_eq!(pattern.matches(line.as_bytes(), &mut captures), is_match, "{text}, {line}");
        };
        check("END", "END", true);
        check("END", "END ", false);
        check("VA 1 t{59..60}", "VA 1 t60", true);
        check("VA 1 t{59..60}", "VA 1 t61", false);
        check("a{*}b", "a--b", true);
        check("VALUE k 0 1 {cas}", "VALUE k 0 1 7", true);
        check("VALUE k 0 1 {cas}", "VALUE k 0 1 8", false);
        check("VALUE k 0 1 {>cas}", "VALUE k 0 1 8", true);
        check("VALUE k 0 1 {>cas}", "VALUE k 0 1 7", false);
        check("HD c{new} k{*}", "HD c12 kkey", true);
    }

    #[test]
    fn what_is_not_well_written_is_refused() {
        for text in ["{", "{a b}", "\"a", "{1..x}", "{now+}", "{>}"] {
            assert!(Line::parse(text).is_err(), "{text}");
        }
    }
}
