//! Bytes in JSON: as text where they are UTF-8, else in base64 with a member beside them that says so.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Appends `"name":` and `bytes` as a string; where they are not text, in base64 with `,"encoding_name":"base64"` behind.
#[inline]
pub(super) fn member(name: &str, encoding_name: &str, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    match str::from_utf8(bytes) {
        Ok(text) => string(text, out),
        Err(_) => encoded(encoding_name, bytes, out),
    }
}

/// Appends the member `"key"`.
#[inline]
pub(super) fn key(key: &[u8], out: &mut Vec<u8>) {
    member("key", "key_encoding", key, out);
}

/// Appends `text` as a string.
#[inline]
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("memory takes every write");
}

/// Appends `bytes`, which came as a string of JSON, as one.
pub(super) fn text(bytes: &[u8], out: &mut Vec<u8>) {
    string(str::from_utf8(bytes).expect("strings of JSON are text"), out);
}

#[cold]
fn encoded(encoding_name: &str, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    STANDARD.encode_slice(bytes, &mut out[start..]).expect("four digits take three bytes");
    out.extend_from_slice(b"\",\"");
    out.extend_from_slice(encoding_name.as_bytes());
    out.extend_from_slice(b"\":\"base64\"");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_other_bytes_are_encoded() {
        let cases: [(&[u8], &str); 8] = [
            (b"", r#""v":"""#),
            (b"hello", r#""v":"hello""#),
            (b"a\"b\\c\n\0\x7f", "\"v\":\"a\\\"b\\\\c\\n\\u0000\x7f\""),
            ("h\u{e9}".as_bytes(), "\"v\":\"h\u{e9}\""),
            (b"\xff", r#""v":"/w==","e":"base64""#),
            (b"\xff\xfe", r#""v":"//4=","e":"base64""#),
            (b"abc\xff\xfe\xfd", r#""v":"YWJj//79","e":"base64""#),
            (b"\xed\xa0\x80", r#""v":"7aCA","e":"base64""#),
        ];
        for (bytes, expected) in cases {
            let mut out = Vec::new();
            member("v", "e", bytes, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }
}
