//! A body that comes in chunks: where it ends, found across calls, and what it carries.
//!
//! ```text
//! 5;name=value\r\n  hello\r\n  0\r\n  Trailer: value\r\n  \r\n
//! └─ size line ──┘  └ chunk ┘  └last┘ └─ trailers ─────────┘
//! ```
//!
//! Extensions and trailers are passed over, but not unseen: a byte in them that somebody else may take for the end of
//! a line is refused.
//!
//! Invariants:
//! - a chunk is scanned once, so that many small ones take linear time;
//! - what frames a body is at most 12 bytes a chunk and [`EXTENSION_BYTES_MAX`] in all, before the trailers: a buffer that
//!   holds it is bounded by the limit of the body.
//!
//! Source: RFC 9112 section 7.1.

use memchr::memchr;

use super::lines::{LINE_END, Lines, Section};
use super::refusal::Refusal;
use crate::limits::{
    HTTP_CHUNK_DIGIT_COUNT_MAX as DIGIT_COUNT_MAX, HTTP_CHUNK_EXTENSION_BYTES_MAX as EXTENSION_BYTES_MAX,
    HTTP_CHUNK_LINE_BYTES_MAX as LINE_BYTES_MAX, HTTP_FIELD_COUNT_MAX as FIELD_COUNT_MAX,
};

/// How far a body was scanned; positions count from its first size line.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    scanned_bytes: usize,
    carried_bytes: usize,
    extension_bytes: usize,
    /// Once the last chunk was seen: how far the lines behind it were looked at.
    trailers: Option<Lines>,
}

/// What scanning came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// At least so many bytes are missing.
    Missing(usize),
    /// The body takes `framed_bytes` and carries `carried_bytes`.
    Complete { framed_bytes: usize, carried_bytes: usize },
}

impl Chunks {
    /// Goes on scanning `framed`, which begins with the first size line.
    pub(super) fn scan(&mut self, framed: &[u8], body_bytes_max: u64) -> Result<Scan, Refusal> {
        while self.trailers.is_none() {
            let rest = &framed[self.scanned_bytes..];
            let Some(line_bytes) = memchr(b'\n', &rest[..rest.len().min(LINE_BYTES_MAX)]).map(|end| end + 1) else {
                return if rest.len() < LINE_BYTES_MAX { Ok(Scan::Missing(1)) } else { Err(Refusal::ChunkLineTooLong) };
            };
            let line = SizeLine::parse(&rest[..line_bytes])?;
            if self.extension_bytes + line.extension_bytes > EXTENSION_BYTES_MAX {
                return Err(Refusal::ChunkLineTooLong);
            }
            if line.chunk_bytes as u64 > body_bytes_max.saturating_sub(self.carried_bytes as u64) {
                return Err(Refusal::BodyTooLong { limit_bytes: body_bytes_max });
            }
            if line.chunk_bytes == 0 {
                self.scanned_bytes += line_bytes;
                self.trailers = Some(Lines::default());
                break;
            }
            let chunk_end = line_bytes + line.chunk_bytes;
            let Some(end) = rest.get(chunk_end..chunk_end + LINE_END.len()) else {
                return Ok(Scan::Missing(chunk_end + LINE_END.len() - rest.len()));
            };
            if end != LINE_END {
                return Err(Refusal::Malformed);
            }
            self.scanned_bytes += chunk_end + LINE_END.len();
            self.carried_bytes += line.chunk_bytes;
            self.extension_bytes += line.extension_bytes;
        }
        let lines = self.trailers.as_mut().expect("the loop ends with the last chunk");
        let trailers = &framed[self.scanned_bytes..];
        let Some(end) = lines.end(Section::Trailers, trailers)? else { return Ok(Scan::Missing(1)) };
        check_trailers(&trailers[..end])?;
        Ok(Scan::Complete { framed_bytes: self.scanned_bytes + end, carried_bytes: self.carried_bytes })
    }
}

/// Sees to it that trailers are fields.
fn check_trailers(trailers: &[u8]) -> Result<(), Refusal> {
    if trailers == LINE_END {
        return Ok(());
    }
    let mut fields = [httparse::EMPTY_HEADER; FIELD_COUNT_MAX];
    match httparse::parse_headers(trailers, &mut fields) {
        Ok(httparse::Status::Complete((end, _))) if end == trailers.len() => Ok(()),
        Err(httparse::Error::TooManyHeaders) => Err(Refusal::HeadTooLong),
        _ => Err(Refusal::Malformed),
    }
}

/// What the line before a chunk says.
struct SizeLine {
    chunk_bytes: usize,
    extension_bytes: usize,
}

impl SizeLine {
    /// Reads `line`, its end included.
    fn parse(line: &[u8]) -> Result<SizeLine, Refusal> {
        let line = line.strip_suffix(LINE_END).ok_or(Refusal::Malformed)?;
        let digit_count = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (digits, extension) = line.split_at(digit_count);
        if digits.is_empty() || !is_extension(extension) {
            return Err(Refusal::Malformed);
        }
        if digits.len() > DIGIT_COUNT_MAX {
            return Err(Refusal::ChunkLineTooLong);
        }
        let chunk_bytes = digits.iter().fold(0, |bytes, digit| {
            let digit = char::from(*digit).to_digit(16).expect("only hexadecimal digits were taken");
            bytes << 4 | digit as usize
        });
        Ok(SizeLine { chunk_bytes, extension_bytes: extension.len() })
    }
}

/// Whether `text` is nothing, or blanks and a semicolon and then text of one line.
fn is_extension(text: &[u8]) -> bool {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let behind_blanks = &text[text.iter().take_while(|byte| is_blank(byte)).count()..];
    let is_text = |byte: &u8| is_blank(byte) || *byte > b' ' && *byte != 0x7F;
    text.is_empty() || behind_blanks.starts_with(b";") && behind_blanks.iter().all(is_text)
}

/// What each chunk of a body carries that was scanned to its end.
pub(super) fn pieces(mut framed: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let line_bytes = memchr(b'\n', framed)? + 1;
        let line = SizeLine::parse(&framed[..line_bytes]).ok().filter(|line| line.chunk_bytes > 0)?;
        let (chunk, rest) = framed[line_bytes..].split_at(line.chunk_bytes);
        framed = &rest[LINE_END.len()..];
        Some(chunk)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY_BYTES_MAX: u64 = 16;

    /// What a body carries, or why it is refused; whole, and byte by byte.
    fn check(framed: &str, expected: Result<Option<&str>, Refusal>) {
        let bytes = framed.as_bytes();
        let carried = |end: usize| {
            let pieces: Vec<_> = pieces(&bytes[..end]).collect();
            String::from_utf8(pieces.concat()).expect("the cases are text")
        };
        for step in [bytes.len(), 1] {
            let mut chunks = Chunks::default();
            let ends = (step..=bytes.len()).step_by(step);
            let scans = ends.map(|end| chunks.scan(&bytes[..end], BODY_BYTES_MAX));
            let scan = scans.fold(None, |last, scan| match last {
                None | Some(Ok(Scan::Missing(_))) => Some(scan),
                ended => ended,
            });
            let found = scan.expect("no case is empty").map(|scan| match scan {
                Scan::Missing(bytes) => {
                    assert!(bytes > 0);
                    None
                }
                Scan::Complete { framed_bytes, carried_bytes } => {
                    Some(carried(framed_bytes)).inspect(|text| assert_eq!(text.len(), carried_bytes))
                }
            });
            assert_eq!(found, expected.map(|text| text.map(str::to_owned)), "{framed:.60} in steps of {step}");
        }
    }

    #[test]
    fn chunks_are_put_together() {
        check("0\r\n\r\n", Ok(Some("")));
        check("3\r\nabc\r\n0\r\n\r\nGET", Ok(Some("abc")));
        check(
            "3;a=b\r\nabc\r\n00A ; c=\"d e\"\r\n0123456789\r\n000\r\nT: u\r\nV: w\r\n\r\n",
            Ok(Some("abc0123456789")),
        );
        check("4\r\n\r\n\r\n\r\n0\r\n\r\n", Ok(Some("\r\n\r\n")));
        for missing in ["3", "3\r", "3\r\nab", "3\r\nabc\r", "3\r\nabc\r\n0\r\n", "0\r\nA: b\r\n\r"] {
            check(missing, Ok(None));
        }
    }

    #[test]
    fn frames_that_could_be_read_otherwise_are_refused() {
        let malformed = [
            "3\nabc\r\n0\r\n\r\n",
            "3\r\nabc\n0\r\n\r\n",
            "3\r\r\nabc\r\n",
            "3\r\nabcd\r\n0\r\n\r\n",
            "3\r\nab\r\n0\r\n\r\n",
            "0x3\r\nabc\r\n",
            "+3\r\nabc\r\n",
            "-3\r\nabc\r\n",
            " 3\r\nabc\r\n",
            "3 \r\nabc\r\n",
            "3 4\r\nabc\r\n",
            "\r\nabc\r\n",
            ";a\r\nabc\r\n",
            "3;a\rb\r\nabc\r\n",
            "3;a\0\r\nabc\r\n",
            "0\r\nA: b\n\r\n",
            "0\r\nA b\r\n\r\n",
            "0\r\n folded\r\n\r\n",
        ];
        for framed in malformed {
            check(framed, Err(Refusal::Malformed));
        }
    }

    #[test]
    fn what_frames_a_body_is_bounded() {
        let too_long = Err(Refusal::BodyTooLong { limit_bytes: BODY_BYTES_MAX });
        check("11\r\n", too_long);
        check("FFFFFFFF\r\n", too_long);
        check("10\r\n0123456789abcdef\r\n1\r\n", too_long);
        check("10\r\n0123456789abcdef\r\n0\r\n\r\n", Ok(Some("0123456789abcdef")));
        check("000000001\r\n", Err(Refusal::ChunkLineTooLong));
        check(&format!("1;{}", "x".repeat(LINE_BYTES_MAX)), Err(Refusal::ChunkLineTooLong));
        let chunk = format!("1;{}\r\na\r\n", "x".repeat(LINE_BYTES_MAX - 4));
        check(&chunk, Ok(None));
        check(&chunk.repeat(16), Ok(None));
        let mut chunks = Chunks::default();
        let many = chunk.repeat(EXTENSION_BYTES_MAX / LINE_BYTES_MAX + 1);
        assert_eq!(chunks.scan(many.as_bytes(), 1_000), Err(Refusal::ChunkLineTooLong));
        check(&format!("0\r\n{}", "A: b\r\n".repeat(3_000)), Err(Refusal::HeadTooLong));
        check(&format!("0\r\n{}\r\n", "A: b\r\n".repeat(FIELD_COUNT_MAX + 1)), Err(Refusal::HeadTooLong));
    }
}
