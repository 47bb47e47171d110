//! The value of an entry as a string: the one place where its type is checked and an integer becomes text.

use std::ops::Deref;

use locksley_engine::{Entry, Kind, Value};
use locksley_wire::number::{Digits, parse_i64, text_bytes};
use locksley_wire::resp::Reply;

use super::failure::Failure;

/// A string, kept as bytes or as the integer that they spell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StringValue<'a>(Value<'a>);

/// The bytes of a string; those of an integer are on the stack.
pub(crate) enum Text<'a> {
    /// In the entry.
    Bytes(&'a [u8]),
    /// Spelled for the occasion.
    Digits(Digits),
}

/// The value of `entry`, which must be a string.
///
/// # Errors
/// [`Failure::WRONG_TYPE`] when it is of another type.
#[inline]
pub(crate) fn string_value<'a>(entry: &Entry<'a>) -> Result<StringValue<'a>, Failure> {
    match entry.kind {
        Kind::String => Ok(StringValue(entry.value)),
        Kind::Lock => Err(Failure::WRONG_TYPE),
    }
}

impl<'a> StringValue<'a> {
    /// The integer that the string spells, if it does.
    #[inline]
    pub(crate) fn integer(self) -> Option<i64> {
        match self.0 {
            Value::Integer(integer) => Some(integer),
            Value::Bytes(bytes) => parse_i64(bytes),
        }
    }

    /// Its length in bytes.
    #[inline]
    pub(crate) fn len(self) -> usize {
        match self.0 {
            Value::Integer(integer) => text_bytes(integer),
            Value::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether it is `bytes`.
    pub(crate) fn is(self, bytes: &[u8]) -> bool {
        match self.0 {
            Value::Integer(integer) => parse_i64(bytes) == Some(integer),
            Value::Bytes(value) => value == bytes,
        }
    }

    /// Its bytes.
    #[inline]
    pub(crate) fn text(self) -> Text<'a> {
        match self.0 {
            Value::Integer(integer) => Text::Digits(Digits::of_i64(integer)),
            Value::Bytes(bytes) => Text::Bytes(bytes),
        }
    }

    /// Writes it as one bulk reply.
    #[inline]
    pub(crate) fn write(self, reply: &mut Reply<'_>) {
        match self.0 {
            Value::Integer(integer) => reply.bulk_integer(integer),
            Value::Bytes(bytes) => reply.bulk(bytes),
        }
    }
}

impl Deref for Text<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Text::Bytes(bytes) => bytes,
            Text::Digits(digits) => digits.as_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_and_its_digits_are_the_same_string() {
        for number in [0, -1, 7, i64::MAX, i64::MIN] {
            let digits = number.to_string();
            for value in [StringValue(Value::Integer(number)), StringValue(Value::Bytes(digits.as_bytes()))] {
                assert_eq!(value.integer(), Some(number));
                assert_eq!(value.len(), digits.len());
                assert!(value.is(digits.as_bytes()));
                assert!(!value.is(b"12"));
                assert_eq!(&*value.text(), digits.as_bytes());
            }
        }
    }
}
