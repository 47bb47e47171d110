//! The target of a request: path and query, percent-encoded.
//!
//! Source: RFC 9112 section 3.2 (forms of a target), RFC 3986 section 2.1 (percent-encoding).

use memchr::memchr;

/// What an absolute form begins with, in any case.
const SCHEMES: [&[u8]; 2] = [b"http://", b"https://"];

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
    /// Reads a target, if it is one.
    pub fn parse(target: &'a [u8]) -> Option<Target<'a>> {
        Self::split(target).map(|(target, _)| target)
    }

    /// Reads a target, and the authority (`host:port`) that it names in absolute form.
    pub(super) fn split(target: &'a [u8]) -> Option<(Target<'a>, Option<&'a [u8]>)> {
        // A fragment stays with the client; cut off here, it would be a request for something else.
        if memchr(b'#', target).is_some() {
            return None;
        }
        let (target, authority) = match target {
            b"*" => return Some((Target { path: target, query: b"" }, None)),
            [b'/', ..] => (target, None),
            _ => {
                let behind = SCHEMES.iter().find_map(|scheme| {
                    let (found, behind) = target.split_at_checked(scheme.len())?;
                    found.eq_ignore_ascii_case(scheme).then_some(behind)
                })?;
                let end = behind.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(behind.len());
                let (authority, target) = behind.split_at(end);
                if authority.is_empty() || authority.contains(&b'@') {
                    return None;
                }
                (target, Some(authority))
            }
        };
        let (path, query) = match memchr(b'?', target) {
            Some(end) => (&target[..end], &target[end + 1..]),
            None => (target, &b""[..]),
        };
        let path = if path.is_empty() { b"/" } else { path };
        Some((Target { path, query }, authority))
    }

    /// The names and values of the query, as they were sent.
    pub fn parameters(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
            let end = pair.iter().position(|byte| *byte == b'=');
            end.map_or((pair, &b""[..]), |end| (&pair[..end], &pair[end + 1..]))
        })
    }
}

/// The bytes that `text` means: itself, or decoded into `out` where it has a percent sign.
///
/// A plus sign is a plus sign, in paths and in queries: that it is a blank is a custom of forms in browsers.
///
/// # Errors
/// When a percent sign is not followed by two hexadecimal digits.
pub fn decode<'o>(text: &'o [u8], out: &'o mut Vec<u8>) -> Result<&'o [u8], BadEncoding> {
    let Some(plain_bytes) = memchr(b'%', text) else { return Ok(text) };
    out.clear();
    let (plain, mut rest) = text.split_at(plain_bytes);
    out.extend_from_slice(plain);
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

    type PathAndQuery = (&'static [u8], &'static [u8]);
    type Decoded = Result<&'static [u8], BadEncoding>;

    #[test]
    fn targets_are_split_in_path_and_query() {
        let cases: [(&[u8], Option<PathAndQuery>); 15] = [
            (b"/", Some((b"/", b""))),
            (b"/a/b?c=d&e", Some((b"/a/b", b"c=d&e"))),
            (b"http://host:80/a?b", Some((b"/a", b"b"))),
            (b"*", Some((b"*", b""))),
            (b"a", None),
            (b"", None),
            (b"http://host", Some((b"/", b""))),
            (b"http://host?a", Some((b"/", b"a"))),
            (b"HTTPS://[::1]:8/a", Some((b"/a", b""))),
            (b"/a?b?c", Some((b"/a", b"b?c"))),
            (b"//a", Some((b"//a", b""))),
            (b"http:///a", None),
            (b"http://user@host/a", None),
            (b"ftp://host/a", None),
            (b"/a#b", None),
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
        let cases: [(&[u8], Decoded); 6] = [
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
