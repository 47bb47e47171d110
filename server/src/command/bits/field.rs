//! Integers of 1 to 64 bits anywhere in a string.
//!
//! A field's most significant bit comes first, as in network formats. A field of 64 bits that does not begin at a byte
//! touches 9 bytes: a window of that many is what is read and written.
//!
//! ```text
//! byte      n         n+1       n+2                    n+8
//! +---------+---------+---------+--- ... ---+---------+---------+
//! |    aaaaa|aaaaaaaaa|aaaaaaaaa|           |aaaaaaaaa|aaa      |   a: the field
//! +---------+---------+---------+--- ... ---+---------+---------+
//! ```

use super::offset::field_offset;
use crate::command::failure::Failure;
use locksley_wire::number::parse_i64;

/// The type of a field is not one.
const BAD_TYPE: Failure =
    Failure::fixed("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.");

/// Most bytes that a field touches.
const WINDOW_BYTES: usize = 9;

/// The size and sign of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FieldType {
    is_signed: bool,
    /// 1 to 64, or 63 without sign.
    width: u32,
}

/// What happens to a result that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    /// Its high bits are dropped.
    Wrap,
    /// It becomes the greatest or the least number that fits.
    Saturate,
    /// Nothing is written.
    Fail,
}

/// A field of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    kind: FieldType,
    /// Of its first bit.
    offset: u64,
}

/// The bytes of a string that a field touches, those behind its end zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    bytes: [u8; WINDOW_BYTES],
}

impl FieldType {
    /// The type that `text` names: `i` or `u` and the number of bits.
    fn parse(text: &[u8]) -> Result<FieldType, Failure> {
        let (is_signed, width_max, digits) = match text {
            [b'i', digits @ ..] => (true, 64, digits),
            [b'u', digits @ ..] => (false, 63, digits),
            _ => return Err(BAD_TYPE),
        };
        match parse_i64(digits) {
            Some(width) if (1..=width_max).contains(&width) => Ok(FieldType { is_signed, width: width as u32 }),
            _ => Err(BAD_TYPE),
        }
    }

    /// The least and the greatest number that fit.
    fn range(self) -> (i128, i128) {
        if self.is_signed {
            (-(1 << (self.width - 1)), (1 << (self.width - 1)) - 1)
        } else {
            (0, (1 << self.width) - 1)
        }
    }

    /// The number whose low bits are those of `bits`.
    fn number(self, bits: u64) -> i64 {
        let unused = 64 - self.width;
        if self.is_signed { (bits << unused) as i64 >> unused } else { (bits << unused >> unused) as i64 }
    }

    /// `number` made to fit; `None` where it may not be.
    fn fit(self, number: i128, overflow: Overflow) -> Option<i64> {
        let (least, greatest) = self.range();
        if (least..=greatest).contains(&number) {
            return Some(number as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.number(number as u64)),
            Overflow::Saturate => Some(number.clamp(least, greatest) as i64),
            Overflow::Fail => None,
        }
    }

    /// `number` as a request gave it, made to fit; a negative one counts as a great one where there is no sign.
    pub(super) fn fit_given(self, number: i64, overflow: Overflow) -> Option<i64> {
        self.fit(if self.is_signed { i128::from(number) } else { i128::from(number as u64) }, overflow)
    }

    /// The sum of a number that fits and any other, made to fit.
    pub(super) fn fit_sum(self, number: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        self.fit(i128::from(number) + i128::from(increment), overflow)
    }
}

impl Field {
    /// The field that a type and an offset name, in a string of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// When one of the two is not valid.
    pub(super) fn parse(kind: &[u8], offset: &[u8], bytes_max: u64) -> Result<Field, Failure> {
        let kind = FieldType::parse(kind)?;
        Ok(Field { kind, offset: field_offset(offset, kind.width, bytes_max)? })
    }

    /// Its type.
    pub(super) fn kind(self) -> FieldType {
        self.kind
    }

    /// The first byte it touches.
    pub(super) fn byte_offset(self) -> usize {
        (self.offset / 8) as usize
    }

    /// How many bytes it touches.
    pub(super) fn byte_count(self) -> usize {
        (self.offset % 8 + u64::from(self.kind.width)).div_ceil(8) as usize
    }

    /// The number in its place in `window`.
    pub(super) fn read(self, window: Window) -> i64 {
        self.kind.number((window.bits() >> self.shift()) as u64)
    }

    /// `window` with `number`, which fits, in the field's place.
    pub(super) fn write(self, window: Window, number: i64) -> Window {
        let mask = (u128::from(u64::MAX) >> (64 - self.kind.width)) << self.shift();
        let placed = u128::from(number as u64) << self.shift() & mask;
        Window::from_bits(window.bits() & !mask | placed)
    }

    /// Bits of a window behind the field.
    fn shift(self) -> u32 {
        WINDOW_BYTES as u32 * 8 - (self.offset % 8) as u32 - self.kind.width
    }
}

impl Window {
    /// The bytes of `text` that `field` touches.
    pub(super) fn of(text: &[u8], field: Field) -> Window {
        let mut bytes = [0; WINDOW_BYTES];
        let rest = text.get(field.byte_offset()..).unwrap_or_default();
        let count = rest.len().min(field.byte_count());
        bytes[..count].copy_from_slice(&rest[..count]);
        Window { bytes }
    }

    /// Those of its bytes that `field` touches.
    pub(super) fn bytes(&self, field: Field) -> &[u8] {
        &self.bytes[..field.byte_count()]
    }

    fn bits(self) -> u128 {
        self.bytes.iter().fold(0, |bits, byte| bits << 8 | u128::from(*byte))
    }

    fn from_bits(bits: u128) -> Window {
        let all = bits.to_be_bytes();
        let mut bytes = [0; WINDOW_BYTES];
        bytes.copy_from_slice(&all[all.len() - WINDOW_BYTES..]);
        Window { bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else_changes() {
        for (kind, numbers) in [
            (&b"u1"[..], &[0, 1][..]),
            (b"i1", &[0, -1]),
            (b"u5", &[0, 31, 17]),
            (b"i13", &[-4096, 4095, -1, 77]),
            (b"u63", &[0, i64::MAX, 12345]),
            (b"i64", &[i64::MIN, i64::MAX, -1, 0]),
        ] {
            for offset in 0..20 {
                for fill in [0x00, 0xff, 0xa5] {
                    let mut text = [fill; 16];
                    let field = Field::parse(kind, offset.to_string().as_bytes(), 100).expect("a field");
                    let original = field.read(Window::of(&text, field));
                    for number in numbers.iter().chain([&original]) {
                        let window = field.write(Window::of(&text, field), *number);
                        text[field.byte_offset()..][..field.byte_count()].copy_from_slice(window.bytes(field));
                        assert_eq!(field.read(Window::of(&text, field)), *number);
                    }
                    assert_eq!(text, [fill; 16], "{} at {offset}", kind.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn types_have_limits() {
        let cases: [(&[u8], bool); 10] = [
            (b"i1", true),
            (b"i64", true),
            (b"u63", true),
            (b"u64", false),
            (b"i65", false),
            (b"i0", false),
            (b"u", false),
            (b"", false),
            (b"x8", false),
            (b"U8", false),
        ];
        for (text, expected) in cases {
            assert_eq!(FieldType::parse(text).is_ok(), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn what_does_not_fit_wraps_saturates_or_fails() {
        let signed = FieldType { is_signed: true, width: 8 };
        let unsigned = FieldType { is_signed: false, width: 8 };
        let widest = FieldType { is_signed: true, width: 64 };
        for (kind, number, increment, wrapped, saturated) in [
            (signed, 127, 1, -128, 127),
            (signed, -128, -1, 127, -128),
            (signed, 0, i64::MIN, 0, -128),
            (unsigned, 255, 1, 0, 255),
            (unsigned, 0, -1, 255, 0),
            (unsigned, 10, -300, 222, 0),
            (widest, i64::MAX, 1, i64::MIN, i64::MAX),
            (widest, i64::MIN, -1, i64::MAX, i64::MIN),
        ] {
            assert_eq!(kind.fit_sum(number, increment, Overflow::Wrap), Some(wrapped));
            assert_eq!(kind.fit_sum(number, increment, Overflow::Saturate), Some(saturated));
            assert_eq!(kind.fit_sum(number, increment, Overflow::Fail), None);
        }
        assert_eq!(unsigned.fit_given(-1, Overflow::Wrap), Some(255));
        assert_eq!(unsigned.fit_given(-1, Overflow::Saturate), Some(255));
        assert_eq!(signed.fit_given(-129, Overflow::Saturate), Some(-128));
        assert_eq!(signed.fit_given(-1, Overflow::Fail), Some(-1));
    }
}
