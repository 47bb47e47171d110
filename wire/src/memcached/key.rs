//! Keys of memcached: their bounds, and the base64 form that lets them hold any byte.

use base64::Engine;
use base64::alphabet::STANDARD as STANDARD_ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use crate::limits::MEMCACHED_KEY_BYTES_MAX as KEY_BYTES_MAX;

/// Reads the standard alphabet with padding. memcached lets the unused bits of a last digit be anything.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&STANDARD_ALPHABET, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Whether `key` may be a key as it was sent: 1 to 250 bytes, no space, no control character.
#[inline]
pub fn is_valid(key: &[u8]) -> bool {
    !key.is_empty() && key.len() <= KEY_BYTES_MAX && end(key, 0) == key.len()
}

/// Offset of the first byte of `text`, from `start` on, that no key as sent has: a space, a line end, a control
/// character; the length of `text` if there is none.
///
/// # Panics
/// If `start` lies outside `text`.
#[inline]
pub(super) fn end(text: &[u8], start: usize) -> usize {
    let (eights, rest) = text[start..].as_chunks::<8>();
    let mut at = start;
    for eight in eights {
        let found = foreign_bytes(u64::from_le_bytes(*eight));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + rest.iter().position(|byte| *byte <= b' ' || *byte == DELETE).unwrap_or(rest.len())
}

const DELETE: u8 = 0x7F;

/// Marks bytes of `eight` that no key has, by their highest bit. The lowest mark is exact; above it a borrow may leave
/// false ones.
#[inline]
fn foreign_bytes(eight: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let up_to_space = eight.wrapping_sub(ONES * (u64::from(b' ') + 1)) & !eight;
    let unlike_delete = eight ^ (ONES * u64::from(DELETE));
    let is_delete = unlike_delete.wrapping_sub(ONES) & !unlike_delete;
    (up_to_space | is_delete) & (ONES << 7)
}

/// Appends the key that `key` spells in base64; whether it was such a text.
pub fn decode(key: &[u8], out: &mut Vec<u8>) -> bool {
    !key.is_empty() && LENIENT.decode_vec(key, out).is_ok()
}

/// Appends the base64 form of `key`.
#[expect(clippy::missing_panics_doc, reason = "room is made first")]
pub fn encode(key: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + key.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(key, &mut out[start..]).expect("four bytes for each three are enough");
    out.truncate(start + written);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_base64() {
        for key in [&b"a"[..], b"foo", b"\0\x01 \xff", &[7; 187]] {
            let (mut text, mut back) = (b"k".to_vec(), Vec::new());
            encode(key, &mut text);
            assert!(decode(&text[1..], &mut back));
            assert_eq!(back, key);
        }
        for text in [&b"!!!!"[..], b"abc", b"=", b""] {
            assert!(!decode(text, &mut Vec::new()), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn unused_bits_of_base64_may_be_anything() {
        let mut key = Vec::new();
        assert!(decode(b"Zm9=", &mut key));
        assert_eq!(key, b"fo");
    }

    #[test]
    fn a_key_ends_at_the_first_byte_that_is_not_its() {
        for foreign in (0..=b' ').chain([DELETE]) {
            for length in 0..20 {
                for behind in 0..20 {
                    let mut text = vec![b'!'; length];
                    text.push(foreign);
                    text.extend(std::iter::repeat_n(b'\n', behind));
                    assert_eq!(end(&text, 0), length, "{}", text.escape_ascii());
                }
            }
        }
        for own in (b'!'..DELETE).chain(DELETE + 1..=u8::MAX) {
            assert_eq!(end(&[own; 27], 3), 27);
        }
    }

    #[test]
    fn keys_have_bounds() {
        assert!(is_valid(&[b'k'; 250]) && is_valid(b"schl\xc3\xbcssel"));
        for key in [&b""[..], &[b'k'; 251], b"a b", b"a\tb", b"\x7f"] {
            assert!(!is_valid(key), "{}", key.escape_ascii());
        }
    }
}
