//! The 80-bit floating-point numbers that `INCRBYFLOAT` computes with in Redis.
//!
//! Redis adds in C's `long double`, which on x86 has a significand of 64 bits, and prints with `%.17Lf`
//! without trailing zeros. Clients see it: 10.5 + 0.1 is `10.6`, where an addition in 64-bit floats gives
//! `10.59999999999999964`. Rust has no such type, so the number is kept as integer significand and binary
//! exponent here; parsing, addition and printing are exact and rounded once, to nearest and ties to even, as
//! the processor and the C library do. Decimal arithmetic was the other way and would have differed from
//! Redis in what long sums of rounded numbers amount to.
//!
//! Invariants:
//! - a finite number is `significand * 2^exponent` with the top bit of the significand set, except for zero
//!   and for numbers at [`EXPONENT_MIN`], which may be short of bits;
//! - a number too large for the format is infinite; one too small is zero.
//!
//! Hexadecimal input is not taken. Numbers of common size stay within 128-bit integers; others go through a
//! vector of limbs.

use crate::limits::FLOAT_TEXT_BYTES_MAX;

/// The exponent of the smallest numbers.
const EXPONENT_MIN: i32 = -16_445;

/// The exponent of the largest numbers.
const EXPONENT_MAX: i32 = 16_320;

/// Decimal exponents beyond this, in either direction, are out of range whatever the digits.
const DECIMAL_EXPONENT_MAX: i64 = 20_000;

/// How many digits follow the point when printed, at most.
const FRACTION_DIGIT_COUNT: usize = 17;

/// 10^17.
const FRACTION_SCALE: u128 = 10u128.pow(FRACTION_DIGIT_COUNT as u32);

/// The largest power of ten that a limb holds, and its exponent.
const LIMB_TEN_POWER: u64 = 10u64.pow(LIMB_TEN_EXPONENT);
const LIMB_TEN_EXPONENT: u32 = 19;

/// A number of the format, not a NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extended {
    is_negative: bool,
    significand: u64,
    exponent: i32,
}

/// The exponent that marks infinity.
const EXPONENT_INFINITE: i32 = i32::MAX;

impl Extended {
    /// The number nearest to what `text` spells in decimal, or infinity if it says so in words.
    ///
    /// `None` when the text is not wholly a number, and when the number is out of the range of the format.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > FLOAT_TEXT_BYTES_MAX {
            return None;
        }
        let (is_negative, unsigned) = take_sign(text);
        if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity") {
            return Some(Self { is_negative, significand: 0, exponent: EXPONENT_INFINITE });
        }
        let decimal = Decimal::parse(unsigned)?;
        if decimal.digits.is_empty() {
            return Some(Self { is_negative, significand: 0, exponent: EXPONENT_MIN });
        }
        let number = decimal.round(is_negative)?;
        (number.is_finite() && number.significand != 0).then_some(number)
    }

    /// The number equal to `value`.
    pub fn from_i64(value: i64) -> Self {
        Self::round(value < 0, u128::from(value.unsigned_abs()), 0)
    }

    /// Whether the number is neither of the infinities.
    pub fn is_finite(&self) -> bool {
        self.exponent != EXPONENT_INFINITE
    }

    /// Appends the number as Redis prints it: no exponent, at most 17 digits behind the point.
    ///
    /// # Panics
    /// If the number is infinite; no such value is ever stored.
    pub fn write(&self, out: &mut Vec<u8>) {
        assert!(self.is_finite(), "an infinity has no text");
        let start = out.len();
        if self.is_negative {
            out.push(b'-');
        }
        if self.exponent > 64 {
            write_limbs(shifted_limbs(self.significand, self.exponent as u32), out);
            return;
        }
        if self.exponent >= 0 {
            out.extend_from_slice((u128::from(self.significand) << self.exponent).to_string().as_bytes());
        } else {
            let scaled =
                shift_right_rounded(u128::from(self.significand) * FRACTION_SCALE, self.exponent.unsigned_abs());
            write_scaled(scaled, out);
        }
        if out[start..] == *b"-0" {
            out.remove(start);
        }
    }

    /// The number of the format nearest to `significand * 2^exponent`.
    ///
    /// A caller that dropped lower bits sets the lowest bit of a significand of more than 65 bits instead.
    fn round(is_negative: bool, significand: u128, exponent: i32) -> Self {
        let bit_count = 128 - significand.leading_zeros() as i32;
        let shift = (bit_count - 64).max(EXPONENT_MIN - exponent);
        let mut exponent = exponent + shift;
        let mut rounded = if shift > 0 {
            shift_right_rounded(significand, shift.unsigned_abs())
        } else {
            significand << shift.unsigned_abs().min(127)
        };
        if rounded > u128::from(u64::MAX) {
            rounded >>= 1;
            exponent += 1;
        }
        if rounded == 0 {
            return Self { is_negative, significand: 0, exponent: EXPONENT_MIN };
        }
        if exponent > EXPONENT_MAX {
            return Self { is_negative, significand: 0, exponent: EXPONENT_INFINITE };
        }
        Self { is_negative, significand: rounded as u64, exponent }
    }
}

impl std::ops::Add for Extended {
    type Output = Self;

    /// The number nearest to the sum; infinite when it is too large or a summand is infinite.
    fn add(self, other: Self) -> Self {
        if !self.is_finite() || !other.is_finite() {
            return if self.is_finite() { other } else { self };
        }
        let (large, small) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        if small.significand == 0 && large.significand != 0 {
            return large;
        }
        // 63 guard bits: what is lost below them can only decide a tie, and one bit is enough for that.
        let distance = large.exponent.abs_diff(small.exponent);
        let wide_large = u128::from(large.significand) << 63;
        let wide_small = shift_right_sticky(u128::from(small.significand) << 63, distance);
        let exponent = large.exponent - 63;
        if large.is_negative == small.is_negative {
            return Self::round(large.is_negative, wide_large + wide_small, exponent);
        }
        match wide_large.cmp(&wide_small) {
            std::cmp::Ordering::Greater => Self::round(large.is_negative, wide_large - wide_small, exponent),
            std::cmp::Ordering::Less => Self::round(small.is_negative, wide_small - wide_large, exponent),
            std::cmp::Ordering::Equal => Self::round(false, 0, 0),
        }
    }
}

/// `value / 2^shift` to the nearest integer, ties to even.
fn shift_right_rounded(value: u128, shift: u32) -> u128 {
    match shift {
        0 => value,
        1..=127 => {
            let half = 1u128 << (shift - 1);
            let lost = value & ((half << 1) - 1);
            let kept = value >> shift;
            kept + u128::from(lost > half || (lost == half && kept & 1 == 1))
        }
        128 => u128::from(value > 1 << 127),
        _ => 0,
    }
}

/// `value / 2^shift` rounded down, with the lowest bit set if anything was lost.
fn shift_right_sticky(value: u128, shift: u32) -> u128 {
    if shift >= 128 {
        return u128::from(value != 0);
    }
    let kept = value >> shift;
    kept | u128::from(kept << shift != value)
}

/// Appends `scaled / 10^17` without trailing zeros.
fn write_scaled(scaled: u128, out: &mut Vec<u8>) {
    out.extend_from_slice((scaled / FRACTION_SCALE).to_string().as_bytes());
    let fraction = scaled % FRACTION_SCALE;
    if fraction == 0 {
        return;
    }
    out.extend_from_slice(format!(".{fraction:0FRACTION_DIGIT_COUNT$}").as_bytes());
    while out.last() == Some(&b'0') {
        out.pop();
    }
}

/// The text of a number, taken apart: `0.digits * 10^point`.
struct Decimal {
    /// Digits as numbers, without zeros at either end; none for zero.
    digits: Vec<u8>,
    /// Where the point stands, counted from the first digit.
    point: i64,
}

impl Decimal {
    fn parse(text: &[u8]) -> Option<Self> {
        let mantissa_bytes = text.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(text.len());
        let (mantissa, exponent) = text.split_at(mantissa_bytes);
        let exponent = match exponent {
            [] => 0,
            [_, digits @ ..] => parse_exponent(digits)?,
        };
        let mut parts = mantissa.splitn(2, |&byte| byte == b'.');
        let whole = parts.next().unwrap_or_default();
        let fraction = parts.next().unwrap_or_default();
        let is_number = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
        if whole.is_empty() && fraction.is_empty() || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        let mut digits: Vec<u8> = whole.iter().chain(fraction).map(|byte| byte - b'0').collect();
        while digits.last() == Some(&0) {
            digits.pop();
        }
        let zeros = digits.iter().take_while(|&&digit| digit == 0).count();
        digits.drain(..zeros);
        Some(Self { digits, point: exponent + whole.len() as i64 - zeros as i64 })
    }

    /// The nearest number of the format; `None` when the exponent is beyond all reach.
    fn round(&self, is_negative: bool) -> Option<Extended> {
        if self.point.abs() > DECIMAL_EXPONENT_MAX {
            return None;
        }
        // The value is the digits as an integer, times 10^power.
        let power = (self.point - self.digits.len() as i64) as i32;
        if self.digits.len() < LIMB_TEN_EXPONENT as usize && (-18..=0).contains(&power) {
            let integer = self.digits.iter().fold(0u128, |value, &digit| value * 10 + u128::from(digit));
            let shift = integer.leading_zeros();
            let divisor = 10u128.pow(power.unsigned_abs());
            let (quotient, rest) = ((integer << shift) / divisor, (integer << shift) % divisor);
            return Some(Extended::round(is_negative, quotient | u128::from(rest != 0), -(shift as i32)));
        }
        Some(self.round_limbs(is_negative, power))
    }

    /// The same for any size.
    fn round_limbs(&self, is_negative: bool, power: i32) -> Extended {
        let mut limbs = Vec::new();
        for &digit in &self.digits {
            multiply_add(&mut limbs, 10, u64::from(digit));
        }
        let mut exponent = 0;
        let mut is_inexact = false;
        if power >= 0 {
            for_each_ten_power(power.unsigned_abs(), |factor| multiply_add(&mut limbs, factor, 0));
        } else {
            // Enough bits in front that more than 65 remain behind the division: a decimal digit takes 3.33.
            let limb_count = power.unsigned_abs() as usize * 10 / 3 / 64 + 3;
            limbs.splice(0..0, std::iter::repeat_n(0, limb_count));
            exponent = -(limb_count as i32 * 64);
            for_each_ten_power(power.unsigned_abs(), |divisor| is_inexact |= divide(&mut limbs, divisor) != 0);
        }
        let (top, dropped_bits, is_cut) = top_bits(&limbs);
        Extended::round(is_negative, top | u128::from(is_cut || is_inexact), exponent + dropped_bits)
    }
}

/// Whether `text` opens with a minus, and what is behind its sign.
fn take_sign(text: &[u8]) -> (bool, &[u8]) {
    match text.split_first() {
        Some((sign @ (b'-' | b'+'), rest)) => (*sign == b'-', rest),
        _ => (false, text),
    }
}

/// The exponent that `text` spells, cut to what is beyond all reach.
fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = take_sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude = digits.iter().fold(0i64, |value, byte| (value * 10 + i64::from(byte - b'0')).min(1 << 40));
    Some(if is_negative { -magnitude } else { magnitude })
}

/// Calls `apply` with powers of ten whose product is `10^power`.
fn for_each_ten_power(power: u32, mut apply: impl FnMut(u64)) {
    for _ in 0..power / LIMB_TEN_EXPONENT {
        apply(LIMB_TEN_POWER);
    }
    if !power.is_multiple_of(LIMB_TEN_EXPONENT) {
        apply(10u64.pow(power % LIMB_TEN_EXPONENT));
    }
}

/// `limbs * factor + summand`, limbs lowest first.
fn multiply_add(limbs: &mut Vec<u64>, factor: u64, summand: u64) {
    let mut carry = u128::from(summand);
    for limb in limbs.iter_mut() {
        carry += u128::from(*limb) * u128::from(factor);
        *limb = carry as u64;
        carry >>= 64;
    }
    if carry != 0 {
        limbs.push(carry as u64);
    }
}

/// Divides by `divisor`, rounding down, and gives the remainder.
fn divide(limbs: &mut Vec<u64>, divisor: u64) -> u64 {
    let mut rest = 0u128;
    for limb in limbs.iter_mut().rev() {
        let value = rest << 64 | u128::from(*limb);
        *limb = (value / u128::from(divisor)) as u64;
        rest = value % u128::from(divisor);
    }
    while limbs.last() == Some(&0) {
        limbs.pop();
    }
    rest as u64
}

/// The highest 128 bits at most, how many bits are below them, and whether one of those is set.
fn top_bits(limbs: &[u64]) -> (u128, i32, bool) {
    let used = limbs.iter().rposition(|&limb| limb != 0).map_or(0, |index| index + 1);
    let limb = |index: usize| used.checked_sub(index + 1).map_or(0, |at| u128::from(limbs[at]));
    if used <= 2 {
        return (if used == 2 { limb(0) << 64 | limb(1) } else { limb(0) }, 0, false);
    }
    let shift = limb(0).leading_zeros() - 64;
    let low = if shift == 0 { 0 } else { limb(2) >> (64 - shift) };
    let top = (limb(0) << 64 | limb(1)) << shift | low;
    let is_third_cut = limb(2) << (64 + shift) & u128::from(u64::MAX) << 64 != 0;
    let is_cut = is_third_cut || limbs[..used - 3].iter().any(|&limb| limb != 0);
    (top, (used as i32 - 2) * 64 - shift as i32, is_cut)
}

/// `significand * 2^shift` as limbs, lowest first.
fn shifted_limbs(significand: u64, shift: u32) -> Vec<u64> {
    let mut limbs = vec![0; shift as usize / 64];
    let wide = u128::from(significand) << (shift % 64);
    limbs.extend([wide as u64, (wide >> 64) as u64]);
    limbs
}

/// Appends the decimal text of `limbs`.
fn write_limbs(mut limbs: Vec<u64>, out: &mut Vec<u8>) {
    let mut groups = Vec::new();
    while limbs.iter().any(|&limb| limb != 0) {
        groups.push(divide(&mut limbs, LIMB_TEN_POWER));
    }
    let mut groups = groups.into_iter().rev();
    out.extend_from_slice(groups.next().unwrap_or(0).to_string().as_bytes());
    for group in groups {
        out.extend_from_slice(format!("{group:019}").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(left: &str, right: &str) -> Option<String> {
        let sum = Extended::parse(left.as_bytes())? + Extended::parse(right.as_bytes())?;
        let mut out = Vec::new();
        sum.is_finite().then(|| sum.write(&mut out))?;
        Some(String::from_utf8(out).expect("digits"))
    }

    #[test]
    fn sums_print_as_in_redis() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, &str)] = &[
            ("10.50", "0.1", "10.6"), ("10.6", "-5", "5.6"), ("5.0e3", "2.0e2", "5200"), ("0", "0.1", "0.1"),
            ("3.0e3", "200", "3200"), ("1", "-1", "0"), ("-0.0", "0", "0"), ("-0", "-0", "0"), (".5", "1.", "1.5"),
            ("0.1", "0.2", "0.3"), ("1.1", "2.2", "3.3"), ("1e-17", "0", "0.00000000000000001"),
            ("1e-18", "0", "0"), ("-1e-18", "0", "0"), ("1e18", "0.5", "1000000000000000000.5"),
            ("1e19", "1", "10000000000000000001"), ("18446744073709551615", "1", "18446744073709551616"),
            ("18446744073709551616", "1", "18446744073709551616"),
            ("1e40", "0", "9999999999999999999783686092270256259072"),
            ("9007199254740993", "0", "9007199254740993"), ("-9223372036854775808", "0", "-9223372036854775808"),
            ("3.14159265358979323846", "0", "3.14159265358979324"), ("1.23456789", "1e-9", "1.234567891"),
            ("1e4932", "-1e4932", "0"), ("1e-4940", "1", "1"),
        ];
        for (left, right, expected) in cases {
            assert_eq!(sum(left, right).as_deref(), Some(*expected), "{left} + {right}");
            assert_eq!(sum(right, left).as_deref(), Some(*expected), "{right} + {left}");
        }
    }

    #[test]
    fn what_is_no_number_of_the_format_is_refused() {
        for text in [
            "",
            ".",
            "-",
            "+",
            "e5",
            "1e",
            "1e+",
            "1x",
            " 1",
            "1 ",
            "nan",
            "1e5000",
            "1e-5000",
            "--1",
            "1.2.3",
            "1e99999999999999999999",
        ] {
            assert_eq!(Extended::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Extended::parse(&[b'1'; FLOAT_TEXT_BYTES_MAX + 1]), None);
        assert!(!Extended::parse(b"-INF").expect("infinity").is_finite());
        assert_eq!(sum("inf", "1"), None);
        assert_eq!(sum("1e4932", "1e4932"), None);
    }

    #[test]
    fn integers_are_exact() {
        for value in [0, 1, -1, 7, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            Extended::from_i64(value).write(&mut out);
            assert_eq!(out, value.to_string().into_bytes());
            assert_eq!(Extended::parse(&out), Some(Extended::from_i64(value)));
        }
    }

    #[test]
    fn the_ways_of_parsing_agree() {
        for text in
            ["1", "123456789", "0.000123", "999999999999999999", "0.1", "3.7", "123.456", "0.000000000000000001"]
        {
            let decimal = Decimal::parse(text.as_bytes()).expect("a number");
            let power = (decimal.point - decimal.digits.len() as i64) as i32;
            assert_eq!(decimal.round(false), Some(decimal.round_limbs(false, power)), "{text}");
        }
    }
}
