//! Times to live among the arguments: `EX seconds` and its kin, and what makes them invalid.
//!
//! A time is read as milliseconds since the epoch. Anything that is not positive, or passes 64 bits on the way, is
//! refused; a time that is over already is not, since the entry then just expires at once.

use locksley_engine::{ExpiryChange, Millis};

use super::failure::Failure;
use super::number::integer;

/// What one unit of a time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    /// A thousand milliseconds.
    Seconds,
    /// A millisecond.
    Milliseconds,
}

/// From when a time is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeBase {
    /// From now.
    Now,
    /// From the epoch.
    Epoch,
}

/// An expiry as the request wrote it, not yet looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExpiryText<'a> {
    /// The number.
    pub text: &'a [u8],
    /// Of which unit.
    pub unit: TimeUnit,
    /// From when.
    pub base: TimeBase,
}

/// What the options of a command want of an entry's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExpiryOption<'a> {
    /// There was no such option.
    None,
    /// KEEPTTL.
    Keep,
    /// PERSIST.
    Persist,
    /// EX, PX, EXAT or PXAT.
    At(ExpiryText<'a>),
}

/// The unit and base that an option's name stands for.
pub(crate) fn time_option(word: &[u8]) -> Option<(TimeUnit, TimeBase)> {
    let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
    if is(b"EX") {
        Some((TimeUnit::Seconds, TimeBase::Now))
    } else if is(b"PX") {
        Some((TimeUnit::Milliseconds, TimeBase::Now))
    } else if is(b"EXAT") {
        Some((TimeUnit::Seconds, TimeBase::Epoch))
    } else if is(b"PXAT") {
        Some((TimeUnit::Milliseconds, TimeBase::Epoch))
    } else {
        None
    }
}

impl<'a> ExpiryOption<'a> {
    /// Takes the option at the front of `words` if it is about expiry and goes with what was taken before; returns
    /// how many words it took.
    pub(crate) fn take(&mut self, words: &[&'a [u8]]) -> Option<usize> {
        if words[0].eq_ignore_ascii_case(b"KEEPTTL") {
            return self.replace(ExpiryOption::Keep).then_some(1);
        }
        if words[0].eq_ignore_ascii_case(b"PERSIST") {
            return self.replace(ExpiryOption::Persist).then_some(1);
        }
        let (unit, base) = time_option(words[0])?;
        let text = words.get(1)?;
        self.replace(ExpiryOption::At(ExpiryText { text, unit, base })).then_some(2)
    }

    /// Puts `next` in place of an option of the same name or of none.
    fn replace(&mut self, next: ExpiryOption<'a>) -> bool {
        let is_same_name = match (*self, next) {
            (ExpiryOption::At(old), ExpiryOption::At(new)) => (old.unit, old.base) == (new.unit, new.base),
            (old, new) => old == ExpiryOption::None || old == new,
        };
        if is_same_name {
            *self = next;
        }
        is_same_name
    }

    /// What a write by `command` at `now` does to the expiry; without an option it is cleared.
    ///
    /// # Errors
    /// When the time is not a valid one.
    #[inline]
    pub(crate) fn change(self, command: &str, now: Millis) -> Result<ExpiryChange, Failure> {
        match self {
            ExpiryOption::None | ExpiryOption::Persist => Ok(ExpiryChange::Clear),
            ExpiryOption::Keep => Ok(ExpiryChange::Keep),
            ExpiryOption::At(text) => Ok(ExpiryChange::At(text.instant(command, now)?)),
        }
    }
}

impl ExpiryText<'_> {
    /// The instant it names, which must come after the epoch.
    ///
    /// # Errors
    /// [`Failure::NOT_INTEGER`], or that the expire time is invalid in `command`.
    pub(crate) fn instant(self, command: &str, now: Millis) -> Result<Millis, Failure> {
        let number = integer(self.text)?;
        let instant = if number > 0 { instant_ms(number, self.unit, self.base, now) } else { None };
        match instant {
            Some(instant) => Ok(Millis(instant as u64)),
            None => Err(invalid_expire_time(command)),
        }
    }
}

/// Milliseconds since the epoch, possibly negative; `None` when they do not fit.
pub(crate) fn instant_ms(number: i64, unit: TimeUnit, base: TimeBase, now: Millis) -> Option<i64> {
    let number = match unit {
        TimeUnit::Seconds => number.checked_mul(1000)?,
        TimeUnit::Milliseconds => number,
    };
    match base {
        TimeBase::Now => number.checked_add(now.0 as i64),
        TimeBase::Epoch => Some(number),
    }
}

/// The refusal of a time.
#[cold]
pub(crate) fn invalid_expire_time(command: &str) -> Failure {
    Failure::new(format_args!("ERR invalid expire time in '{command}' command"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_option_is_taken_and_another_kind_refused() {
        let cases: [(&[&[u8]], bool); 8] = [
            (&[b"EX", b"1", b"ex", b"2"], true),
            (&[b"EX", b"1", b"PX", b"2"], false),
            (&[b"EX"], false),
            (&[b"KEEPTTL", b"keepttl"], true),
            (&[b"KEEPTTL", b"EX", b"1"], false),
            (&[b"PXAT", b"1", b"KEEPTTL"], false),
            (&[b"PERSIST", b"EXAT", b"1"], false),
            (&[b"EXPIRE", b"1"], false),
        ];
        for (words, expected) in cases {
            let mut option = ExpiryOption::None;
            let mut at = 0;
            let is_taken = loop {
                if at == words.len() {
                    break true;
                }
                match option.take(&words[at..]) {
                    Some(count) => at += count,
                    None => break false,
                }
            };
            assert_eq!(is_taken, expected, "{words:?}");
        }
    }

    #[test]
    fn a_time_outside_64_bits_is_invalid() {
        let now = Millis(1_000);
        let cases: [(&[u8], TimeUnit, TimeBase, Option<u64>); 9] = [
            (b"5", TimeUnit::Seconds, TimeBase::Now, Some(6_000)),
            (b"5", TimeUnit::Milliseconds, TimeBase::Now, Some(1_005)),
            (b"5", TimeUnit::Seconds, TimeBase::Epoch, Some(5_000)),
            (b"5", TimeUnit::Milliseconds, TimeBase::Epoch, Some(5)),
            (b"0", TimeUnit::Seconds, TimeBase::Now, None),
            (b"-1", TimeUnit::Milliseconds, TimeBase::Epoch, None),
            (b"9223372036854775", TimeUnit::Seconds, TimeBase::Now, None),
            (b"9223372036854776", TimeUnit::Seconds, TimeBase::Epoch, None),
            (b"9223372036854775807", TimeUnit::Milliseconds, TimeBase::Epoch, Some(i64::MAX as u64)),
        ];
        for (text, unit, base, expected) in cases {
            let instant = ExpiryText { text, unit, base }.instant("set", now);
            assert_eq!(instant.ok(), expected.map(Millis), "{}", text.escape_ascii());
        }
    }
}
