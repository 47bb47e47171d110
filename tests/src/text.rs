//! Quoted text of the case files: the quoting of redis-cli, and a way to write long strings.
//!
//! ```text
//! plain            a word without spaces
//! "a b\r\n\x00"    escapes \n \r \t \a \b \\ \" \xHH
//! 'a "b"'          literally, but for \'
//! "ab"*1000        the text, so many times
//! $name            what an earlier reply captured under this name
//! ```

use std::fmt::Write as _;

/// A word of a request: bytes, or the name of a captured text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The text captured under this name, then a literal suffix.
    Captured(String),
}

/// Splits a request line into words.
///
/// # Errors
///
/// A sentence that says what is wrong with the quoting.
pub fn split_words(line: &str) -> Result<Vec<Word>, String> {
    let mut rest = line.trim();
    let mut words = Vec::new();
    while !rest.is_empty() {
        let (word, after) = match rest.as_bytes()[0] {
            b'"' | b'\'' => {
                let (bytes, after) = quoted(rest)?;
                (Word::Bytes(bytes), after)
            }
            _ => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                let word = match word.strip_prefix('$') {
                    Some(name) if is_name(name) => Word::Captured(name.to_owned()),
                    _ => Word::Bytes(word.as_bytes().to_vec()),
                };
                (word, after)
            }
        };
        if !after.is_empty() && !after.starts_with(char::is_whitespace) {
            return Err(format!("a quoted word goes on without a space: {after}"));
        }
        words.push(word);
        rest = after.trim_start();
    }
    Ok(words)
}

/// Whether `text` can name a captured reply.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Reads one quoted text at the start of `text`, with its repetition; also gives what follows it.
///
/// # Errors
///
/// A sentence that says what is wrong with the quoting.
pub fn quoted(text: &str) -> Result<(Vec<u8>, &str), String> {
    let quote = *text.as_bytes().first().ok_or("a quoted text is missing")?;
    let (bytes, after) = match quote {
        b'"' => escaped(&text[1..])?,
        b'\'' => literal(&text[1..])?,
        _ => return Err(format!("a quote was expected: {text}")),
    };
    let Some(count) = after.strip_prefix('*') else { return Ok((bytes, after)) };
    let end = count.find(|c: char| !c.is_ascii_digit()).unwrap_or(count.len());
    let times: usize = count[..end].parse().map_err(|_| format!("a number was expected: {count}"))?;
    Ok((bytes.repeat(times), &count[end..]))
}

fn escaped(text: &str) -> Result<(Vec<u8>, &str), String> {
    let source = text.as_bytes();
    let mut bytes = Vec::new();
    let mut index = 0;
    while index < source.len() {
        match (source[index], source.get(index + 1)) {
            (b'"', _) => return Ok((bytes, &text[index + 1..])),
            (b'\\', Some(b'x')) => {
                let digits = text.get(index + 2..index + 4).ok_or("\\x needs two digits")?;
                bytes.push(u8::from_str_radix(digits, 16).map_err(|_| format!("not hexadecimal: \\x{digits}"))?);
                index += 4;
            }
            (b'\\', Some(&escape)) => {
                bytes.push(match escape {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'a' => 7,
                    b'b' => 8,
                    other => other,
                });
                index += 2;
            }
            (byte, _) => {
                bytes.push(byte);
                index += 1;
            }
        }
    }
    Err(format!("a quote is not closed: \"{text}"))
}

fn literal(text: &str) -> Result<(Vec<u8>, &str), String> {
    let source = text.as_bytes();
    let mut bytes = Vec::new();
    let mut index = 0;
    while index < source.len() {
        match (source[index], source.get(index + 1)) {
            (b'\'', _) => return Ok((bytes, &text[index + 1..])),
            (b'\\', Some(b'\'')) => {
                bytes.push(b'\'');
                index += 2;
            }
            (byte, _) => {
                bytes.push(byte);
                index += 1;
            }
        }
    }
    Err(format!("a quote is not closed: '{text}"))
}

/// Writes `bytes` the way [`quoted`] reads them.
pub fn quote(bytes: &[u8]) -> String {
    /// From this length on, one byte over and over is written as a repetition.
    const REPEATED_BYTES_MIN: usize = 40;
    if bytes.len() >= REPEATED_BYTES_MIN && bytes.iter().all(|byte| *byte == bytes[0]) {
        return format!("{}*{}", quote(&bytes[..1]), bytes.len());
    }
    let mut text = String::from("\"");
    for &byte in bytes {
        match byte {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => write!(text, "\\x{byte:02x}").expect("a string takes any text"),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::{Word, quote, quoted, split_words};

    #[test]
    fn words_are_split_as_redis_cli_does() {
        let check = |line: &str, words: &[&[u8]]| {
            let expected: Vec<_> = words.iter().map(|word| Word::Bytes(word.to_vec())).collect();
            assert_eq!(split_words(line), Ok(expected), "{line}");
        };
        check("SET k v", &[b"SET", b"k", b"v"]);
        check("  SET  k \"a b\" ", &[b"SET", b"k", b"a b"]);
        check("SET k \"\\x00\\n\\\"\\\\\"", &[b"SET", b"k", b"\0\n\"\\"]);
        check("SET k 'a\\n' ''", &[b"SET", b"k", b"a\\n", b""]);
        check("SET k \"ab\"*3", &[b"SET", b"k", b"ababab"]);
        check("a$b $", &[b"a$b", b"$"]);
        assert!(split_words("SET \"k").is_err());
        assert!(split_words("SET \"k\"v").is_err());
        assert_eq!(split_words("$id"), Ok(vec![Word::Captured("id".into())]));
    }

    #[test]
    fn quoting_is_undone_by_reading() {
        for bytes in [&b""[..], b"plain", b"a \"b\" \\ \r\n\t\0\xff", &[b'x'; 100]] {
            assert_eq!(quoted(&quote(bytes)), Ok((bytes.to_vec(), "")));
        }
    }
}
