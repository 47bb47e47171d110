//! Keys of memcached: their bounds, and the base64 form that lets them hold any byte.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::limits::MEMCACHED_KEY_BYTES_MAX as KEY_BYTES_MAX;

/// Whether `key` may be a key as it was sent: 1 to 250 bytes, no space, no control character.
#[inline]
pub fn is_valid(key: &[u8]) -> bool {
    !key.is_empty() && key.len() <= KEY_BYTES_MAX && key.iter().all(|byte| *byte > b' ' && *byte != 0x7F)
}

/// Decodes a base64 key into `out`; whether it was one.
pub fn decode(key: &[u8], out: &mut Vec<u8>) -> bool {
    STANDARD.decode_vec(key, out).is_ok() && !out.is_empty()
}

/// Appends the base64 form of `key`.
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
    fn keys_have_bounds() {
        assert!(is_valid(&[b'k'; 250]) && is_valid(b"schl\xc3\xbcssel"));
        for key in [&b""[..], &[b'k'; 251], b"a b", b"a\tb", b"\x7f"] {
            assert!(!is_valid(key), "{}", key.escape_ascii());
        }
    }
}
