//! Bytes as a person reads them: between quotation marks, with what is not printable escaped.

/// Appends `bytes` in quotation marks, escaped as C does (`\n`, `\x00`).
pub(crate) fn quote(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x07 => out.extend(b"\\a"),
            0x08 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_printable_is_escaped() {
        let mut out = Vec::new();
        quote(b"a \"b\"\\\r\n\t\x07\x08\x00\xff~", &mut out);
        assert_eq!(String::from_utf8(out).as_deref(), Ok(r#""a \"b\"\\\r\n\t\a\b\x00\xff~""#));
    }
}
