//! Decimal integers: which byte strings are the canonical form of an `i64`.
//!
//! A value that reads back as the very bytes that were written may be kept as eight bytes and counted
//! on without parsing; any other spelling (`+1`, `01`, `-0`, a space) must stay bytes.

/// Digits and sign of the longest `i64`.
const DECIMAL_BYTES_MAX: usize = 20;

/// The integer whose decimal form is exactly `bytes`.
#[inline]
pub(crate) fn canonical(bytes: &[u8]) -> Option<i64> {
    let (&first, rest) = bytes.split_first()?;
    if bytes.len() > DECIMAL_BYTES_MAX || !(first.is_ascii_digit() || first == b'-') {
        return None;
    }
    if bytes == b"0" {
        return Some(0);
    }
    let negative = first == b'-';
    let digits = if negative { rest } else { bytes };
    if digits.first().is_none_or(|digit| *digit == b'0') {
        return None;
    }
    // Summed on the negative side, whose range is the larger one.
    let mut sum = 0_i64;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        sum = sum.checked_mul(10)?.checked_sub(i64::from(digit - b'0'))?;
    }
    if negative { Some(sum) } else { sum.checked_neg() }
}

/// The decimal form of `value`, written into `buffer`.
pub(crate) fn format(value: i64, buffer: &mut [u8; DECIMAL_BYTES_MAX]) -> &[u8] {
    let mut rest = value.unsigned_abs();
    let mut start = buffer.len();
    loop {
        start -= 1;
        buffer[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        start -= 1;
        buffer[start] = b'-';
    }
    &buffer[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_an_integer() {
        let cases: [(&str, Option<i64>); 19] = [
            ("0", Some(0)),
            ("7", Some(7)),
            ("-7", Some(-7)),
            ("1234567890", Some(1_234_567_890)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("99999999999999999999", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("00", None),
            ("01", None),
            ("+1", None),
            (" 1", None),
            ("1 ", None),
            ("1e3", None),
            ("-1-", None),
        ];
        for (text, expected) in cases {
            assert_eq!(canonical(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn formatting_is_the_inverse() {
        for value in [0, 1, -1, 9, 10, -10, 12_345, i64::MAX, i64::MIN] {
            let mut buffer = [0; 20];
            let text = format(value, &mut buffer);
            assert_eq!(text, value.to_string().as_bytes());
            assert_eq!(canonical(text), Some(value));
        }
    }
}
