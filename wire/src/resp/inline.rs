//! The words of an inline request, the form of RESP that a person types into telnet.
//!
//! Words stand apart by blanks. `"..."` holds blanks and the escapes `\n`, `\r`, `\t`, `\b`, `\a`, `\xHH` and
//! `\` before any other byte; `'...'` holds blanks and `\'`. Behind a closing quote comes a blank or the end.
//! A quote may open inside a word: `a"b c"` is one word.

/// The blanks of C's `isspace`.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// The words of `line`, unquoted; `None` when its quotes do not match.
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        let begin = rest.iter().position(|&byte| !is_blank(byte));
        let Some(begin) = begin else {
            return Some(words);
        };
        let (word, behind) = take_word(&rest[begin..])?;
        words.push(word);
        rest = behind;
    }
}

/// The first word of `text` and what follows it.
fn take_word(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => break,
            b'"' | b'\'' => {
                rest = take_quoted(byte, behind, &mut word)?;
                // A quoted part is the end of its word.
                if rest.first().is_some_and(|&next| !is_blank(next)) {
                    return None;
                }
                break;
            }
            _ => {
                word.push(byte);
                rest = behind;
            }
        }
    }
    Some((word, rest))
}

/// Appends the text up to the closing `quote` to `word`, and gives what follows the quote.
fn take_quoted<'a>(quote: u8, text: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    let mut rest = text;
    loop {
        let (&byte, behind) = rest.split_first()?;
        rest = behind;
        if byte == quote {
            return Some(rest);
        }
        if byte != b'\\' {
            word.push(byte);
        } else if quote == b'"' {
            rest = take_escape(rest, word);
        } else if rest.first() == Some(&b'\'') {
            word.push(b'\'');
            rest = &rest[1..];
        } else {
            word.push(b'\\');
        }
    }
}

/// Appends what the escape behind a backslash stands for, and gives what follows it.
fn take_escape<'a>(text: &'a [u8], word: &mut Vec<u8>) -> &'a [u8] {
    if let [b'x', high, low, behind @ ..] = text
        && let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low))
    {
        word.push(high << 4 | low);
        return behind;
    }
    let Some((&byte, behind)) = text.split_first() else {
        // A backslash at the very end stands for itself; the missing quote is found next.
        word.push(b'\\');
        return text;
    };
    word.push(match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    });
    behind
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_and_unquoted() {
        #[rustfmt::skip]
        let cases: &[(&str, Option<&[&[u8]]>)] = &[
            ("", Some(&[])),
            (" \t \x0b ", Some(&[])),
            ("PING", Some(&[b"PING"])),
            ("  SET  k\tv ", Some(&[b"SET", b"k", b"v"])),
            (r#"SET k "a b\n\r\t\b\a\x41\xZZ\q\"""#, Some(&[b"SET", b"k", b"a b\n\r\t\x08\x07AxZZq\""])),
            (r"SET k 'a\'b\n'", Some(&[b"SET", b"k", br"a'b\n"])),
            (r#"a"b c" d"#, Some(&[b"ab c", b"d"])),
            (r#""" ''"#, Some(&[b"", b""])),
            (r#""a"b"#, None),
            (r#""a"#, None),
            (r"'a", None),
            (r#""a\"#, None),
            ("'a'\x0b", Some(&[b"a"])),
        ];
        for (line, expected) in cases {
            let expected = expected.map(|words| words.iter().map(|word| word.to_vec()).collect::<Vec<_>>());
            assert_eq!(split(line.as_bytes()), expected, "{line:?}");
        }
    }
}
