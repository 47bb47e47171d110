//! Numbers among the arguments, with Redis's words for what is none.

use std::ops::RangeInclusive;

use locksley_wire::number::parse_i64;

use super::failure::Failure;

/// The integer that an argument spells.
///
/// # Errors
/// [`Failure::NOT_INTEGER`].
#[inline]
pub(crate) fn integer(text: &[u8]) -> Result<i64, Failure> {
    parse_i64(text).ok_or(Failure::NOT_INTEGER)
}

/// The integer that an argument spells, when it is in `range`.
///
/// # Errors
/// [`Failure::NOT_INTEGER`], or a failure that names the range.
pub(crate) fn integer_within(text: &[u8], range: RangeInclusive<i64>) -> Result<i64, Failure> {
    let value = integer(text)?;
    if range.contains(&value) {
        return Ok(value);
    }
    let (first, last) = range.into_inner();
    Err(Failure::new(format_args!("ERR value is out of range, value must between {first} and {last}")))
}

/// The number of a database, below `database_count`.
///
/// # Errors
/// When it is no integer of 32 bits, or [`Failure::BAD_DB`].
pub(crate) fn database(text: &[u8], database_count: u8) -> Result<locksley_engine::Db, Failure> {
    let number = integer_within(text, i64::from(i32::MIN)..=i64::from(i32::MAX))?;
    match u8::try_from(number) {
        Ok(number) if number < database_count => Ok(locksley_engine::Db(number)),
        _ => Err(Failure::BAD_DB),
    }
}

/// The span of a string of `length` bytes that two offsets name, both counted in and negative ones from the end;
/// `None` when it is empty.
pub(crate) fn span(first: i64, last: i64, length: u64) -> Option<(u64, u64)> {
    if first < 0 && last < 0 && first > last {
        return None;
    }
    let from_end = |offset: i64| if offset < 0 { length.saturating_sub(offset.unsigned_abs()) } else { offset as u64 };
    let (first, last) = (from_end(first), from_end(last).min(length.checked_sub(1)?));
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_count_from_either_end() {
        let cases = [
            (0, -1, 5, Some((0, 4))),
            (1, 2, 5, Some((1, 2))),
            (-3, -2, 5, Some((2, 3))),
            (-100, 100, 5, Some((0, 4))),
            (-100, -50, 5, Some((0, 0))),
            (5, 9, 5, None),
            (3, 1, 5, None),
            (-1, -2, 5, None),
            (0, -1, 0, None),
            (0, 0, 0, None),
            (i64::MIN, i64::MAX, 5, Some((0, 4))),
            (i64::MAX, i64::MIN, 5, None),
        ];
        for (first, last, length, expected) in cases {
            assert_eq!(span(first, last, length), expected, "{first} to {last} of {length}");
        }
    }
}
