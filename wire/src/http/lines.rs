//! The lines of a head or of trailers, up to the empty one that ends them, across calls.
//!
//! Invariants:
//! - each byte is looked at once, however many calls it takes;
//! - a line ends with CR and LF. RFC 9112 section 2.2 lets a server take a bare LF for a line end, too. This one refuses it:
//!   where it is not taken for one by whoever is in front, two requests are read where one was checked;
//! - what is wrong first is told, so that it does not depend on how the bytes were split.

use memchr::memchr;

use super::refusal::Refusal;
use crate::limits::{HTTP_HEAD_BYTES_MAX as HEAD_BYTES_MAX, HTTP_REQUEST_LINE_BYTES_MAX as REQUEST_LINE_BYTES_MAX};

/// What ends each line.
pub(super) const LINE_END: &[u8; 2] = b"\r\n";

/// What the lines are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// A request line and fields.
    Head,
    /// Fields behind the last chunk.
    Trailers,
}

/// How far a section was looked at; positions count from its first byte.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lines {
    /// Where the line begins whose end is not found.
    line_start: usize,
    /// Where to look on.
    searched: usize,
}

impl Lines {
    /// The length of the section that `bytes` begins with, its empty line included; `None` when that is not there.
    pub(super) fn end(&mut self, section: Section, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        loop {
            let found = memchr(b'\n', &bytes[self.searched..]);
            let end = found.map_or(bytes.len(), |length| self.searched + length + 1);
            if section == Section::Head && self.line_start == 0 && end > REQUEST_LINE_BYTES_MAX {
                return Err(Refusal::TargetTooLong);
            }
            if end > HEAD_BYTES_MAX {
                return Err(Refusal::HeadTooLong);
            }
            self.searched = end;
            if found.is_none() {
                return Ok(None);
            }
            let line = &bytes[self.line_start..end];
            self.line_start = end;
            match line.strip_suffix(LINE_END) {
                Some([]) => return Ok(Some(end)),
                Some(_) => {}
                None => return Err(Refusal::Malformed),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case<'a> = (Section, &'a str, Result<Option<usize>, Refusal>);

    #[test]
    fn a_section_ends_with_an_empty_line_of_two_bytes() {
        let long_line = "x".repeat(REQUEST_LINE_BYTES_MAX + 1);
        let long_section = "x: y\r\n".repeat(HEAD_BYTES_MAX / 6 + 1);
        let cases: [Case<'_>; 11] = [
            (Section::Head, "a\r\n\r\nb", Ok(Some(5))),
            (Section::Head, "a\r\nb\r\n\r\n", Ok(Some(8))),
            (Section::Head, "a\r\nb\r\n\r", Ok(None)),
            (Section::Head, "a\nb\r\n\r\n", Err(Refusal::Malformed)),
            (Section::Head, "a\r\n\n", Err(Refusal::Malformed)),
            (Section::Head, "a\r\n\r\r\n", Ok(None)),
            (Section::Head, &long_line, Err(Refusal::TargetTooLong)),
            (Section::Head, &long_section, Err(Refusal::HeadTooLong)),
            (Section::Trailers, &long_line, Ok(None)),
            (Section::Trailers, &long_section, Err(Refusal::HeadTooLong)),
            (Section::Trailers, "\r\nb", Ok(Some(2))),
        ];
        for (section, text, expected) in cases {
            let bytes = text.as_bytes();
            assert_eq!(Lines::default().end(section, bytes), expected, "{text:.40}");
            let mut lines = Lines::default();
            let in_pieces = (0..=bytes.len()).map(|end| lines.end(section, &bytes[..end])).find(|end| *end != Ok(None));
            assert_eq!(in_pieces.unwrap_or(Ok(None)), expected, "byte by byte: {text:.40}");
        }
    }
}
