//! Versions among the arguments: the numbers that GETV replies and IFVER and DELIFVER take.

use locksley_wire::number::parse_u64;

use crate::command::failure::Failure;

/// How much of a malformed version its error shows.
const SHOWN_BYTES_MAX: usize = 32;

/// The version that `text` spells; 0 is that of a key that does not exist.
///
/// # Errors
/// A failure that shows the text and says what a version is.
pub(super) fn version(text: &[u8]) -> Result<u64, Failure> {
    parse_u64(text).ok_or_else(|| {
        let shown = text[..text.len().min(SHOWN_BYTES_MAX)].escape_ascii();
        Failure::new(format_args!("ERR '{shown}' is not a version (0 to {})", u64::MAX))
    })
}

/// The version that GETV replies for `key`.
#[cfg(test)]
pub(super) fn read_version(rig: &mut crate::command::testing::Rig, key: &str) -> Option<u64> {
    let reply = rig.reply(&format!("GETV {key}"));
    (reply != "*-1").then(|| reply.rsplit(':').next().and_then(|digits| digits.parse().ok()).expect("a version"))
}

/// The version of `k` once `line` has run.
#[cfg(test)]
pub(super) fn version_after(rig: &mut crate::command::testing::Rig, line: &str) -> u64 {
    rig.run(line);
    read_version(rig, "k").expect("the key exists")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_canonical_number_of_64_bits() {
        let cases: [(&str, Option<u64>); 10] = [
            ("0", Some(0)),
            ("7", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", None),
            ("+1", None),
            ("01", None),
            ("1.0", None),
            (" 1", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(version(text.as_bytes()).ok(), expected, "`{text}`");
        }
    }

    #[test]
    fn an_error_shows_no_more_than_fits_a_line() {
        let failure = version(&[b'\n'; 1000]).expect_err("no version");
        assert!(failure.text().len() < 200, "{}", failure.text());
    }
}
