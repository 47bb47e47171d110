//! Numbers among the arguments of the cache commands: each has a name and a range, and its error says both.

use std::ops::RangeInclusive;

use locksley_wire::number::parse_u64;

use crate::command::failure::Failure;

/// How much of a bad number its error shows.
const SHOWN_BYTES_MAX: usize = 32;

/// Every token that can have been given out: those of leases are random, those of locks grow; both have 63 bits.
pub(super) const TOKENS: RangeInclusive<u64> = 1..=i64::MAX as u64;

/// The number that `text` spells, which has to be within `range`; `name` is that of the argument in the command's syntax.
///
/// # Errors
/// A failure that names the argument and its range, and shows the text.
#[inline]
pub(super) fn number(name: &str, text: &[u8], range: RangeInclusive<u64>) -> Result<u64, Failure> {
    match parse_u64(text) {
        Some(number) if range.contains(&number) => Ok(number),
        _ => Err(out_of_range(name, text, &range)),
    }
}

/// The token of a lease or a lock that `text` spells.
///
/// # Errors
/// As [`number`].
#[inline]
pub(super) fn token(text: &[u8]) -> Result<u64, Failure> {
    number("token", text, TOKENS)
}

#[cold]
fn out_of_range(name: &str, text: &[u8], range: &RangeInclusive<u64>) -> Failure {
    let shown = text[..text.len().min(SHOWN_BYTES_MAX)].escape_ascii();
    Failure::new(format_args!("ERR {name} must be {} to {}, not '{shown}'", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_canonical_and_within_its_range() {
        let cases: [(&str, Option<u64>); 12] = [
            ("1", Some(1)),
            ("7", Some(7)),
            ("60", Some(60)),
            ("0", None),
            ("61", None),
            ("-1", None),
            ("+7", None),
            ("07", None),
            (" 7", None),
            ("7.0", None),
            ("", None),
            ("18446744073709551616", None),
        ];
        for (text, expected) in cases {
            let refusal = Failure::new(format_args!("ERR ttl_ms must be 1 to 60, not '{text}'"));
            assert_eq!(number("ttl_ms", text.as_bytes(), 1..=60), expected.ok_or(refusal), "{text}");
        }
        let refusal = number("ttl_ms", &[b'\n'; 100], 1..=60).expect_err("it is no number");
        assert_eq!(refusal.text(), format!("ERR ttl_ms must be 1 to 60, not '{}'", "\\n".repeat(SHOWN_BYTES_MAX)));
    }

    #[test]
    fn a_token_has_63_bits_and_is_not_0() {
        let cases = [("1", true), ("9223372036854775807", true), ("9223372036854775808", false), ("0", false)];
        for (text, is_token) in cases {
            assert_eq!(token(text.as_bytes()).is_ok(), is_token, "{text}");
        }
    }
}
