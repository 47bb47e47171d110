//! Words for people: bytes between quotation marks, sizes, numbers, dates.

use std::fmt::Write;

use locksley_engine::{Grace, Millis, Value};

use crate::observe::quote::quote;

/// `bytes` between quotation marks, at most `bytes_max` of them, with how many there are if these are not all.
pub(super) fn shortened(bytes: &[u8], bytes_max: usize) -> String {
    let mut quoted = Vec::new();
    quote(&bytes[..bytes.len().min(bytes_max)], &mut quoted);
    let mut text = String::from_utf8_lossy(&quoted).into_owned();
    if bytes.len() > bytes_max {
        write!(text, "... ({} bytes)", bytes.len()).expect("a string takes all that is written");
    }
    text
}

/// A value as [`shortened`] bytes, or a number as it is.
pub(super) fn value(value: Value<'_>, bytes_max: usize) -> String {
    match value {
        Value::Bytes(bytes) => shortened(bytes, bytes_max),
        Value::Integer(integer) => integer.to_string(),
    }
}

/// What an entry has besides key and value.
pub(super) fn attributes(expiry: Option<Millis>, grace: Grace, client_flags: u32) -> String {
    let mut text = String::new();
    if let Some(at) = expiry {
        let until = Millis(at.0.saturating_sub(u64::from(grace.grace_ms)));
        write!(text, ", expires {}", date(until)).expect("a string takes all that is written");
    }
    if grace.grace_ms != 0 {
        write!(text, ", kept for {} ms more", grace.grace_ms).expect("a string takes all that is written");
    }
    if grace.cost_ms != 0 {
        write!(text, ", made in {} ms", grace.cost_ms).expect("a string takes all that is written");
    }
    if client_flags != 0 {
        write!(text, ", flags {client_flags}").expect("a string takes all that is written");
    }
    text
}

/// A number with its noun, in the plural if it is not one.
pub(super) fn count(number: u64, noun: &str) -> String {
    match (number, noun) {
        (1, _) => format!("1 {noun}"),
        (_, "entry") => format!("{number} entries"),
        _ => format!("{number} {noun}s"),
    }
}

/// A moment of Greenwich time.
///
/// Source: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
pub(super) fn date(at: Millis) -> String {
    let (seconds, millis) = (at.0 / 1_000, at.0 % 1_000);
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    // Years begin in March here, so that the odd day comes last.
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millis:03} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_bytes_are_cut_and_their_length_said() {
        assert_eq!(shortened(b"abc", 3), "\"abc\"");
        assert_eq!(shortened(b"ab\ncdef", 4), "\"ab\\nc\"... (7 bytes)");
        assert_eq!(value(Value::Integer(-5), 1), "-5");
        assert_eq!((count(1, "entry"), count(0, "entry"), count(2, "block")), counts());
    }

    fn counts() -> (String, String, String) {
        ("1 entry".to_owned(), "0 entries".to_owned(), "2 blocks".to_owned())
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (millis, expected) in [
            (0, "1970-01-01 00:00:00.000 UTC"),
            (951_782_400_000, "2000-02-29 00:00:00.000 UTC"),
            (1_700_000_000_123, "2023-11-14 22:13:20.123 UTC"),
            (4_107_542_399_999, "2100-02-28 23:59:59.999 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00:00.000 UTC"),
        ] {
            assert_eq!(date(Millis(millis)), expected);
        }
    }
}
