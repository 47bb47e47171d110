//! Key and parameters of a target.

use locksley_engine::Db;
use locksley_wire::http::Target;
use locksley_wire::http::target::decode;
use locksley_wire::number::parse_u64;

use super::Refused;
use crate::limits::{HTTP_KEY_BYTES_MAX, HTTP_TTL_SECONDS_MAX};

/// What parameters an operation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameters {
    /// None.
    None,
    /// `db`.
    Database,
    /// `db` and `prefix`; the prefix is fetched by itself.
    Prefix,
    /// `db`, `flags`, `ttl_seconds` and `absent`.
    Entry,
}

/// The parameters of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// Seconds to live; 0 where none are given.
    pub ttl_seconds: u64,
    /// Client flags; 0 where none are given.
    pub flags: u32,
    /// The database; 0 where none is given.
    pub db: Db,
    /// Whether it is to be noted that there is nothing.
    pub is_absent: bool,
}

impl Query {
    /// Reads the parameters of `target`.
    ///
    /// # Errors
    /// 400 when one is not known, is given twice, or has a value that it cannot have.
    #[inline]
    pub(super) fn parse(target: Target<'_>, wanted: Parameters, database_count: u8) -> Result<Query, Refused> {
        let query = Query { ttl_seconds: 0, flags: 0, db: Db(0), is_absent: false };
        if target.query.is_empty() { Ok(query) } else { query.read(target, wanted, database_count) }
    }

    fn read(mut self, target: Target<'_>, wanted: Parameters, database_count: u8) -> Result<Query, Refused> {
        let mut seen: [&[u8]; 4] = [b""; 4];
        let mut scratch = Vec::new();
        for (count, (name, sent)) in target.parameters().enumerate() {
            let value = decode(sent, &mut scratch).map_err(|_| bad_encoding())?;
            match (name, wanted) {
                (b"db", _) if wanted != Parameters::None => self.db = db(parse_u64(value), database_count)?,
                (b"prefix", Parameters::Prefix) => {}
                (b"flags", Parameters::Entry) => self.flags = flags(parse_u64(value))?,
                (b"ttl_seconds", Parameters::Entry) => self.ttl_seconds = ttl_seconds(parse_u64(value))?,
                (b"absent", Parameters::Entry) => self.is_absent = is_absent(value)?,
                _ => {
                    let name = String::from_utf8_lossy(name);
                    return Err(Refused::new(400, format!("this operation has no parameter {name}")));
                }
            }
            if seen.contains(&name) {
                let name = String::from_utf8_lossy(name);
                return Err(Refused::new(400, format!("the parameter {name} is given twice")));
            }
            seen[count] = name;
        }
        Ok(self)
    }
}

/// The prefix that a target names, as it was sent; empty where none is given.
pub(super) fn sent_prefix(target: Target<'_>) -> &[u8] {
    target.parameters().find(|(name, _)| *name == b"prefix").map_or(b"", |(_, sent)| sent)
}

/// A database's number.
///
/// # Errors
/// 400 when there is none of it.
pub(super) fn db(number: Option<u64>, database_count: u8) -> Result<Db, Refused> {
    let last = u64::from(database_count) - 1;
    let number = number.filter(|number| *number <= last);
    number.map(|number| Db(number as u8)).ok_or_else(|| Refused::new(400, format!("db is a number from 0 to {last}")))
}

/// Client flags.
///
/// # Errors
/// 400 when they are not of 32 bits.
pub(super) fn flags(number: Option<u64>) -> Result<u32, Refused> {
    let flags = number.and_then(|number| u32::try_from(number).ok());
    flags.ok_or_else(|| Refused::new(400, format!("flags is a number from 0 to {}", u32::MAX)))
}

/// Seconds to live.
///
/// # Errors
/// 400 when they are none, or too many.
pub(super) fn ttl_seconds(number: Option<u64>) -> Result<u64, Refused> {
    let seconds = number.filter(|seconds| (1..=HTTP_TTL_SECONDS_MAX).contains(seconds));
    seconds.ok_or_else(|| Refused::new(400, format!("ttl_seconds is a number from 1 to {HTTP_TTL_SECONDS_MAX}")))
}

/// Whether there is said to be nothing.
///
/// # Errors
/// 400 when it is neither said nor denied.
fn is_absent(value: &[u8]) -> Result<bool, Refused> {
    match value {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(Refused::new(400, "absent is true or false")),
    }
}

/// Checks a key, as it is meant.
///
/// # Errors
/// 400 when it is not one that each door can name.
#[inline]
pub(super) fn check_key(key: &[u8]) -> Result<(), Refused> {
    let is_key = (1..=HTTP_KEY_BYTES_MAX).contains(&key.len()) && !key.iter().any(u8::is_ascii_control);
    if is_key { Ok(()) } else { Err(bad_key(key)) }
}

#[cold]
fn bad_key(key: &[u8]) -> Refused {
    let what = match key.len() {
        length if (1..=HTTP_KEY_BYTES_MAX).contains(&length) => "one with a control character".to_owned(),
        length => format!("one of {length} bytes"),
    };
    Refused::new(400, format!("a key has 1 to {HTTP_KEY_BYTES_MAX} bytes and no control characters; this is {what}"))
}

/// A percent sign in the target is no escape.
#[cold]
pub(super) fn bad_encoding() -> Refused {
    Refused::new(400, "a percent sign needs two hexadecimal digits behind it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_or_refused() {
        let query = |ttl_seconds, flags, db| Ok(Query { ttl_seconds, flags, db: Db(db), is_absent: false });
        let last = u64::from(u32::MAX);
        let cases: [(&str, Parameters, Result<Query, &str>); 27] = [
            ("", Parameters::None, query(0, 0, 0)),
            ("db=0", Parameters::Database, query(0, 0, 0)),
            ("db=15", Parameters::Database, query(0, 0, 15)),
            ("db=%31%35", Parameters::Database, query(0, 0, 15)),
            ("ttl_seconds=1&flags=4294967295&db=2", Parameters::Entry, query(1, last as u32, 2)),
            ("ttl_seconds=9007199254740991", Parameters::Entry, query(9_007_199_254_740_991, 0, 0)),
            (
                "flags=1&absent=true&db=1&ttl_seconds=3",
                Parameters::Entry,
                Ok(Query { ttl_seconds: 3, flags: 1, db: Db(1), is_absent: true }),
            ),
            ("absent=false", Parameters::Entry, query(0, 0, 0)),
            ("absent=1", Parameters::Entry, Err("absent is true or false")),
            ("absent=true", Parameters::Database, Err("this operation has no parameter absent")),
            ("absent=true&absent=true", Parameters::Entry, Err("the parameter absent is given twice")),
            ("db=16", Parameters::Database, Err("db is a number from 0 to 15")),
            ("db=-1", Parameters::Database, Err("db is a number from 0 to 15")),
            ("db", Parameters::Database, Err("db is a number from 0 to 15")),
            ("db=01", Parameters::Database, Err("db is a number from 0 to 15")),
            ("flags=4294967296", Parameters::Entry, Err("flags is a number from 0 to 4294967295")),
            ("ttl_seconds=0", Parameters::Entry, Err("ttl_seconds is a number from 1 to 9007199254740991")),
            ("ttl_seconds=9007199254740992", Parameters::Entry, Err("ttl_seconds is a number from 1 to")),
            ("ttl_seconds=1.5", Parameters::Entry, Err("ttl_seconds is a number from 1 to")),
            ("ttl_seconds=", Parameters::Entry, Err("ttl_seconds is a number from 1 to")),
            ("ttl_seconds=%2", Parameters::Entry, Err("a percent sign needs two")),
            ("ttl=1", Parameters::Entry, Err("this operation has no parameter ttl")),
            ("flags=1", Parameters::Database, Err("this operation has no parameter flags")),
            ("db=1", Parameters::None, Err("this operation has no parameter db")),
            ("db=1&db=1", Parameters::Database, Err("the parameter db is given twice")),
            ("flags=1&db=1&flags=1", Parameters::Entry, Err("the parameter flags is given twice")),
            ("flags=1&db=1&ttl_seconds=1&db=1", Parameters::Entry, Err("the parameter db is given twice")),
        ];
        for (text, wanted, expected) in cases {
            let target = Target { path: b"/", query: text.as_bytes() };
            match (Query::parse(target, wanted, 16), expected) {
                (Ok(query), expected) => assert_eq!(Ok(query), expected, "{text}"),
                (Err(refused), Err(sentence)) => {
                    assert_eq!(refused.status, 400);
                    assert!(refused.sentence.starts_with(sentence), "{text}: {}", refused.sentence);
                }
                (Err(refused), Ok(_)) => panic!("{text}: {}", refused.sentence),
            }
        }
    }

    #[test]
    fn keys_are_those_that_each_door_can_name() {
        let long = [b'x'; HTTP_KEY_BYTES_MAX + 1];
        let cases: [(&[u8], bool); 9] = [
            (b"a", true),
            (b"a b/c?d%e", true),
            (b"\xff\x80", true),
            (&long[..HTTP_KEY_BYTES_MAX], true),
            (b"", false),
            (&long, false),
            (b"a\nb", false),
            (b"a\0", false),
            (b"\x7f", false),
        ];
        for (key, expected) in cases {
            assert_eq!(check_key(key).is_ok(), expected, "{}", key.escape_ascii());
        }
    }
}
