//! The target of a request: path and query, percent-encoded.

/// A request target in origin form (or absolute form, without scheme and authority).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The path as it was sent, from its first slash; `*` for a request about the server as a whole.
    pub path: &'a [u8],
    /// What is behind the question mark, as it was sent.
    pub query: &'a [u8],
}

/// A percent sign without two hexadecimal digits behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadEncoding;

impl<'a> Target<'a> {
    /// Splits a target, if it is one.
    pub fn parse(target: &'a [u8]) -> Option<Target<'a>> {
        let target = match target {
            b"*" => return Some(Target { path: target, query: b"" }),
            [b'/', ..] => target,
            _ => {
                let is_absolute = target.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"http://"));
                let behind = target.get(7..).filter(|_| is_absolute)?;
                let start = behind.iter().position(|byte| *byte == b'/')?;
                &behind[start..]
            }
        };
        let target = target.split(|byte| *byte == b'#').next().unwrap_or(target);
        let end = target.iter().position(|byte| *byte == b'?');
        Some(match end {
            Some(end) => Target { path: &target[..end], query: &target[end + 1..] },
            None => Target { path: target, query: b"" },
        })
    }

    /// The names and values of the query, as they were sent.
    pub fn parameters(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
            let end = pair.iter().position(|byte| *byte == b'=');
            end.map_or((pair, &b""[..]), |end| (&pair[..end], &pair[end + 1..]))
        })
    }
}

/// The bytes that `text` means: itself, or decoded into `out` where it has a percent sign. A plus sign is a plus sign.
///
/// # Errors
/// When a percent sign is not followed by two hexadecimal digits.
pub fn decode<'o>(text: &'o [u8], out: &'o mut Vec<u8>) -> Result<&'o [u8], BadEncoding> {
    if !text.contains(&b'%') {
        return Ok(text);
    }
    out.clear();
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        if *first != b'%' {
            out.push(*first);
            rest = behind;
            continue;
        }
        let [high, low, behind @ ..] = behind else { return Err(BadEncoding) };
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(BadEncoding);
        out.push((digit(*high)? << 4 | digit(*low)?) as u8);
        rest = behind;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_split_in_path_and_query() {
        let cases: [(&[u8], Option<(&[u8], &[u8])>); 7] = [
            (b"/", Some((b"/", b""))),
            (b"/a/b?c=d&e", Some((b"/a/b", b"c=d&e"))),
            (b"http://host:80/a?b", Some((b"/a", b"b"))),
            (b"*", Some((b"*", b""))),
            (b"a", None),
            (b"", None),
            (b"http://host", None),
        ];
        for (target, expected) in cases {
            let parsed = Target::parse(target).map(|target| (target.path, target.query));
            assert_eq!(parsed, expected, "{}", target.escape_ascii());
        }
        let parameters: Vec<_> = Target { path: b"/", query: b"c=d&&e&f=g=h" }.parameters().collect();
        assert_eq!(parameters, [(&b"c"[..], &b"d"[..]), (b"e", b""), (b"f", b"g=h")]);
    }

    #[test]
    fn percent_signs_are_decoded_or_refused() {
        let cases: [(&[u8], Result<&[u8], BadEncoding>); 6] = [
            (b"abc+", Ok(b"abc+")),
            (b"a%20b%2Fc%ff", Ok(b"a b/c\xff")),
            (b"%", Err(BadEncoding)),
            (b"%2", Err(BadEncoding)),
            (b"%+1", Err(BadEncoding)),
            (b"%2525", Ok(b"%25")),
        ];
        for (text, expected) in cases {
            assert_eq!(decode(text, &mut Vec::new()), expected, "{}", text.escape_ascii());
        }
    }
}
