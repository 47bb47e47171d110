//! The target of a request: path and query, percent-encoded.

/// A request target in origin form (or absolute form, without scheme and authority).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The path as it was sent, from its first slash.
    pub path: &'a [u8],
    /// What is behind the question mark, as it was sent.
    pub query: &'a [u8],
}

/// A percent-encoding that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadEncoding;

impl<'a> Target<'a> {
    /// Splits a target.
    pub fn parse(_target: &'a [u8]) -> Option<Target<'a>> {
        todo!()
    }

    /// The names and values of the query, as they were sent.
    pub fn parameters(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
            let end = pair.iter().position(|byte| *byte == b'=');
            end.map_or((pair, &b""[..]), |end| (&pair[..end], &pair[end + 1..]))
        })
    }
}

/// Decodes `%XX` in `text` into `out`, if there is any; the bytes that it means.
///
/// # Errors
/// When a percent sign is not followed by two hexadecimal digits.
pub fn decode<'o>(_text: &'o [u8], _out: &'o mut Vec<u8>) -> Result<&'o [u8], BadEncoding> {
    todo!()
}
