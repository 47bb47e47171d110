//! Options of the cache commands: a name and a number, in any order, each once at most.

use std::ops::RangeInclusive;

use locksley_engine::Millis;

use super::arguments::number;
use crate::command::failure::Failure;
use crate::limits::CACHE_TTL_SECONDS_MAX;

/// A name in capitals, and the range of the number behind it.
pub(super) type Keyword = (&'static str, RangeInclusive<u64>);

const MS_MAX: u64 = CACHE_TTL_SECONDS_MAX * 1000;

/// `EX`: a time to live in seconds.
pub(super) const EX: Keyword = ("EX", 1..=CACHE_TTL_SECONDS_MAX);
/// `PX`: a time to live in milliseconds.
pub(super) const PX: Keyword = ("PX", 1..=MS_MAX);
/// `EXAT`: an instant in seconds since the epoch.
pub(super) const EXAT: Keyword = ("EXAT", 1..=CACHE_TTL_SECONDS_MAX);
/// `PXAT`: an instant in milliseconds since the epoch.
pub(super) const PXAT: Keyword = ("PXAT", 1..=MS_MAX);

/// The numbers that `words` give for the keywords `known`, in the order of these.
///
/// # Errors
/// [`Failure::SYNTAX`] when a word is no keyword, stands there twice, or has nothing behind it; a failure that names the
/// keyword and its range when that is no number of the range.
pub(super) fn keywords<const COUNT: usize>(
    words: &[&[u8]],
    known: &[Keyword; COUNT],
) -> Result<[Option<u64>; COUNT], Failure> {
    let mut numbers = [None; COUNT];
    for pair in words.chunks(2) {
        let [word, text] = pair else { return Err(Failure::SYNTAX) };
        let place = known.iter().position(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
        let place = place.filter(|place| numbers[*place].is_none()).ok_or(Failure::SYNTAX)?;
        let (name, range) = &known[place];
        numbers[place] = Some(number(name, text, range.clone())?);
    }
    Ok(numbers)
}

/// The instant that one of the options `EX`, `PX`, `EXAT` and `PXAT` names at `now`, if any of them is there.
///
/// # Errors
/// [`Failure::SYNTAX`] when more than one is.
pub(super) fn instant(times: [Option<u64>; 4], now: Millis) -> Result<Option<Millis>, Failure> {
    match times {
        [None, None, None, None] => Ok(None),
        [Some(seconds), None, None, None] => Ok(Some(Millis(now.0 + seconds * 1000))),
        [None, Some(millis), None, None] => Ok(Some(Millis(now.0 + millis))),
        [None, None, Some(seconds), None] => Ok(Some(Millis(seconds * 1000))),
        [None, None, None, Some(millis)] => Ok(Some(Millis(millis))),
        _ => Err(Failure::SYNTAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_700_000_000_123);

    fn words(line: &str) -> Vec<&[u8]> {
        line.split(' ').filter(|word| !word.is_empty()).map(str::as_bytes).collect()
    }

    #[test]
    fn keywords_come_in_any_order_and_once() {
        let known = [("STALE", 0..=9), ("BLOCK", 1..=60)];
        let range = |text: &str| Failure::new(text);
        let cases = [
            ("", Ok([None, None])),
            ("STALE 0", Ok([Some(0), None])),
            ("block 60", Ok([None, Some(60)])),
            ("BLOCK 1 stale 9", Ok([Some(9), Some(1)])),
            ("STALE", Err(Failure::SYNTAX)),
            ("STALE 1 STALE 1", Err(Failure::SYNTAX)),
            ("STALE 1 BLOCK", Err(Failure::SYNTAX)),
            ("WAIT 1", Err(Failure::SYNTAX)),
            ("STALE 10", Err(range("ERR STALE must be 0 to 9, not '10'"))),
            ("block 0", Err(range("ERR BLOCK must be 1 to 60, not '0'"))),
            ("STALE x WAIT 1", Err(range("ERR STALE must be 0 to 9, not 'x'"))),
        ];
        for (line, expected) in cases {
            assert_eq!(keywords(&words(line), &known), expected, "{line}");
        }
    }

    #[test]
    fn a_time_is_named_in_one_way() {
        let cases = [
            ("", Ok(None)),
            ("EX 2", Ok(Some(Millis(1_700_000_002_123)))),
            ("PX 2", Ok(Some(Millis(1_700_000_000_125)))),
            ("EXAT 2", Ok(Some(Millis(2_000)))),
            ("PXAT 2", Ok(Some(Millis(2)))),
            ("PXAT 9007199254740991000", Ok(Some(Millis(9_007_199_254_740_991_000)))),
            ("EX 2 PX 2", Err(Failure::SYNTAX)),
            ("PXAT 2 EXAT 2", Err(Failure::SYNTAX)),
            ("EX 0", Err(Failure::new("ERR EX must be 1 to 9007199254740991, not '0'"))),
        ];
        for (line, expected) in cases {
            let read = keywords(&words(line), &[EX, PX, EXAT, PXAT]).and_then(|times| instant(times, NOW));
            assert_eq!(read, expected, "{line}");
        }
    }
}
