//! Integers as text, exactly as Redis takes and gives them.
//!
//! A number has one spelling: an optional `-`, no `+`, no leading zero, no blank, and `0` for zero. A string
//! that is no number by this rule stays a string, so that it comes back byte for byte.

/// The longest text of an `i64` or `u64`.
pub const INTEGER_TEXT_BYTES_MAX: usize = 20;

/// The `i64` that `text` spells.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let magnitude = parse_u64(digits)?;
    match (is_negative, magnitude) {
        (true, 0) => None,
        (true, _) => 0i64.checked_sub_unsigned(magnitude),
        (false, _) => i64::try_from(magnitude).ok(),
    }
}

/// The `u64` that `text` spells.
#[inline]
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    match text {
        [b'0'] => return Some(0),
        [] | [b'0', ..] => return None,
        _ if text.len() > INTEGER_TEXT_BYTES_MAX => return None,
        _ => {}
    }
    // 19 digits cannot overflow; only a 20th has to be checked.
    let (safe, last) = text.split_at(text.len().min(INTEGER_TEXT_BYTES_MAX - 1));
    let mut value = 0u64;
    for &byte in safe {
        value = value * 10 + parse_digit(byte)?;
    }
    for &byte in last {
        value = value.checked_mul(10)?.checked_add(parse_digit(byte)?)?;
    }
    Some(value)
}

#[inline]
fn parse_digit(byte: u8) -> Option<u64> {
    let digit = byte.wrapping_sub(b'0');
    (digit <= 9).then_some(u64::from(digit))
}

/// The text of an integer, on the stack.
#[derive(Clone, Copy, Debug)]
pub struct Digits {
    buffer: [u8; INTEGER_TEXT_BYTES_MAX],
    start: u8,
}

/// The digits of 00 to 99.
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0u8; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

impl Digits {
    /// The text of an `i64`.
    #[inline]
    pub fn of_i64(value: i64) -> Self {
        let mut digits = Self::of_u64(value.unsigned_abs());
        if value < 0 {
            digits.start -= 1;
            digits.buffer[usize::from(digits.start)] = b'-';
        }
        digits
    }

    /// The text of a `u64`.
    #[inline]
    pub fn of_u64(value: u64) -> Self {
        let mut buffer = [0u8; INTEGER_TEXT_BYTES_MAX];
        let mut start = INTEGER_TEXT_BYTES_MAX;
        let mut rest = value;
        while rest >= 100 {
            start -= 2;
            buffer[start..start + 2].copy_from_slice(&PAIRS[(rest % 100) as usize]);
            rest /= 100;
        }
        if rest >= 10 {
            start -= 2;
            buffer[start..start + 2].copy_from_slice(&PAIRS[rest as usize]);
        } else {
            start -= 1;
            buffer[start] = b'0' + rest as u8;
        }
        Self { buffer, start: start as u8 }
    }

    /// The text itself.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.buffer[usize::from(self.start)..]
    }
}

/// How many bytes the text of `value` has.
#[inline]
pub fn text_bytes(value: i64) -> usize {
    Digits::of_i64(value).as_bytes().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_spelling_of_an_integer_is_taken() {
        #[rustfmt::skip]
        let cases: &[(&str, Option<i64>)] = &[
            ("0", Some(0)), ("1", Some(1)), ("-1", Some(-1)), ("10", Some(10)),
            ("9223372036854775807", Some(i64::MAX)), ("9223372036854775808", None),
            ("-9223372036854775808", Some(i64::MIN)), ("-9223372036854775809", None),
            ("18446744073709551616", None), ("99999999999999999999", None), ("123456789012345678901", None),
            ("", None), ("-", None), ("-0", None), ("00", None), ("01", None), ("-01", None), ("+1", None),
            (" 1", None), ("1 ", None), ("1a", None), ("--1", None), ("0x1", None), ("1.0", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_i64(text.as_bytes()), *expected, "{text:?}");
        }
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b"-1"), None);
    }

    #[test]
    fn integers_come_back_as_they_were_written() {
        let mut values = vec![0, 1, -1, i64::MAX, i64::MIN];
        for exponent in 0..19 {
            let power = 10i64.pow(exponent);
            values.extend([power, power - 1, power + 1, -power, 1 - power, -1 - power]);
        }
        for value in values {
            let digits = Digits::of_i64(value);
            assert_eq!(digits.as_bytes(), value.to_string().as_bytes());
            assert_eq!(parse_i64(digits.as_bytes()), Some(value));
            assert_eq!(text_bytes(value), value.to_string().len());
        }
        assert_eq!(Digits::of_u64(u64::MAX).as_bytes(), u64::MAX.to_string().as_bytes());
    }
}
