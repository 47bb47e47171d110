//! Offsets of bits among the arguments: of one bit, and of spans in bytes or bits.

use locksley_wire::number::parse_i64;

use crate::command::failure::Failure;
use crate::command::number::integer;
use crate::command::row::Args;

/// An offset is no number, negative, or beyond the longest string.
pub(super) const BAD_OFFSET: Failure = Failure::fixed("ERR bit offset is not an integer or out of range");

/// The offset of a bit in a string of at most `bytes_max` bytes.
///
/// # Errors
/// [`BAD_OFFSET`].
pub(super) fn bit_offset(text: &[u8], bytes_max: u64) -> Result<u64, Failure> {
    check(parse_i64(text), bytes_max)
}

/// The same, where `#n` means the n-th field of `width` bits.
///
/// # Errors
/// [`BAD_OFFSET`].
pub(super) fn field_offset(text: &[u8], width: u32, bytes_max: u64) -> Result<u64, Failure> {
    match text.strip_prefix(b"#") {
        Some(index) => check(parse_i64(index).and_then(|index| index.checked_mul(i64::from(width))), bytes_max),
        None => bit_offset(text, bytes_max),
    }
}

fn check(offset: Option<i64>, bytes_max: u64) -> Result<u64, Failure> {
    let offset = offset.and_then(|offset| u64::try_from(offset).ok());
    offset.filter(|offset| offset / 8 < bytes_max).ok_or(BAD_OFFSET)
}

/// What the offsets of a span count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SpanUnit {
    Bytes,
    Bits,
}

/// A span as the request wrote it: both ends counted in, negative ones from the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct BitSpan {
    first: i64,
    last: Option<i64>,
    unit: SpanUnit,
}

impl BitSpan {
    /// The span that the arguments from `at` on name: `[start [end [BYTE | BIT]]]`.
    ///
    /// # Errors
    /// [`Failure::NOT_INTEGER`] or [`Failure::SYNTAX`].
    pub(super) fn parse(args: Args<'_>, at: usize) -> Result<BitSpan, Failure> {
        let whole = BitSpan { first: 0, last: None, unit: SpanUnit::Bytes };
        match &args[at..] {
            [] => Ok(whole),
            [first] => Ok(BitSpan { first: integer(first)?, ..whole }),
            [first, last] => Ok(BitSpan { first: integer(first)?, last: Some(integer(last)?), ..whole }),
            [first, last, unit] => {
                let span = BitSpan { first: integer(first)?, last: Some(integer(last)?), ..whole };
                if unit.eq_ignore_ascii_case(b"BYTE") {
                    Ok(span)
                } else if unit.eq_ignore_ascii_case(b"BIT") {
                    Ok(BitSpan { unit: SpanUnit::Bits, ..span })
                } else {
                    Err(Failure::SYNTAX)
                }
            }
            _ => Err(Failure::SYNTAX),
        }
    }

    /// Whether the request named the end.
    pub(super) fn has_end(self) -> bool {
        self.last.is_some()
    }

    /// The first and the last bit it takes in of a string of `byte_count` bytes; `None` when it takes none.
    pub(super) fn bits(self, byte_count: usize) -> Option<(u64, u64)> {
        let bits_each = if self.unit == SpanUnit::Bytes { 8 } else { 1 };
        let length = byte_count as i64 * 8 / bits_each;
        let from_end = |offset: i64| if offset < 0 { offset.saturating_add(length).max(0) } else { offset };
        let (first, last) = (from_end(self.first), from_end(self.last.unwrap_or(-1)).min(length - 1));
        (first <= last).then(|| ((first * bits_each) as u64, (last * bits_each + bits_each - 1) as u64))
    }

    /// Whether both ends are named from the end and the first lies behind the last.
    pub(super) fn is_reversed(self) -> bool {
        self.last.is_some_and(|last| self.first < 0 && last < 0 && self.first > last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_bounded_by_the_longest_string() {
        let cases: [(&[u8], Option<u64>); 8] = [
            (b"0", Some(0)),
            (b"79", Some(79)),
            (b"80", None),
            (b"-1", None),
            (b"x", None),
            (b"#9", Some(72)),
            (b"#10", None),
            (b"#9223372036854775807", None),
        ];
        for (text, expected) in cases {
            assert_eq!(field_offset(text, 8, 10).ok(), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn spans_become_bits() {
        let cases = [
            ("", Some((0, 23))),
            ("1", Some((8, 23))),
            ("-1", Some((16, 23))),
            ("0 0", Some((0, 7))),
            ("1 -1 byte", Some((8, 23))),
            ("1 -2 BIT", Some((1, 22))),
            ("-100 100", Some((0, 23))),
            ("3 5", None),
            ("2 1", None),
            ("-9223372036854775808 9223372036854775807 BIT", Some((0, 23))),
        ];
        for (words, expected) in cases {
            let args: Vec<&[u8]> = words.split_whitespace().map(str::as_bytes).collect();
            assert_eq!(BitSpan::parse(&args, 0).expect("a span").bits(3), expected, "{words}");
        }
        assert_eq!(BitSpan::parse(&[], 0).expect("a span").bits(0), None);
    }
}
