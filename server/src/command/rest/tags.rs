//! Entity tags: the version of an entry in quotes, as ETag says it and If-Match and If-None-Match ask for it.
//!
//! Source: RFC 9110 sections 8.8.3 (the grammar, the two comparisons), 13.1.1 and 13.1.2.

use locksley_wire::number::Digits;

/// Which tags are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Those that are strong: what a change depends on.
    Strong,
    /// Those that read alike.
    Weak,
}

/// A tag of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tag<'a> {
    is_weak: bool,
    /// What is in the quotes.
    opaque: &'a [u8],
}

/// The tag of a version: a number in quotes.
#[inline]
pub(crate) fn tag(version: u64) -> ([u8; 22], usize) {
    let digits = Digits::of_u64(version);
    let digits = digits.as_bytes();
    let mut text = [b'"'; 22];
    text[1..=digits.len()].copy_from_slice(digits);
    (text, digits.len() + 2)
}

/// Whether `text` is the value of a field that lists tags: `*`, or at least one tag.
pub(crate) fn is_list(text: &[u8]) -> bool {
    if text == b"*" {
        return true;
    }
    let mut rest = start(text);
    let is_empty = rest.is_empty();
    while let Some((_, behind)) = next(rest) {
        rest = start(behind);
    }
    !is_empty && rest.is_empty()
}

/// Whether the list `text` names the entry that has `version`, or is absent.
pub(crate) fn names(text: &[u8], version: Option<u64>, comparison: Comparison) -> bool {
    let Some(version) = version else { return false };
    if text == b"*" {
        return true;
    }
    let digits = Digits::of_u64(version);
    let mut rest = start(text);
    while let Some((tag, behind)) = next(rest) {
        if tag.opaque == digits.as_bytes() && !(tag.is_weak && comparison == Comparison::Strong) {
            return true;
        }
        rest = start(behind);
    }
    false
}

/// What a list begins with at its next tag; empty members are passed over.
fn start(list: &[u8]) -> &[u8] {
    let start = list.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b','));
    &list[start.unwrap_or(list.len())..]
}

/// The tag at the front of `text`, and what is behind it.
fn next(text: &[u8]) -> Option<(Tag<'_>, &[u8])> {
    let (is_weak, text) = text.strip_prefix(b"W/").map_or((false, text), |rest| (true, rest));
    let text = text.strip_prefix(b"\"")?;
    let end = text.iter().position(|byte| *byte == b'"')?;
    let (opaque, behind) = (&text[..end], text[end + 1..].trim_ascii_start());
    let is_opaque = opaque.iter().all(|byte| !matches!(byte, 0..=b' ' | 0x7F));
    let is_over = matches!(behind, [] | [b',', ..]);
    (is_opaque && is_over).then_some((Tag { is_weak, opaque }, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_name_versions() {
        let cases: [(&[u8], bool, bool, bool); 16] = [
            (b"*", true, true, true),
            (b"\"7\"", true, true, true),
            (b"W/\"7\"", true, false, true),
            (b"\"1\", \"7\"", true, true, true),
            (b"\"1\",W/\"7\" , \"8\"", true, false, true),
            (b", \"7\",", true, true, true),
            (b"\"77\"", true, false, false),
            (b"\"\"", true, false, false),
            (b"\"a,\"", true, false, false),
            (b"7", false, false, false),
            (b"\"7", false, false, false),
            (b"\"7\" \"8\"", false, false, false),
            (b"\"a b\"", false, false, false),
            (b"w/\"7\"", false, false, false),
            (b",", false, false, false),
            (b"", false, false, false),
        ];
        for (text, list, strong, weak) in cases {
            let shown = text.escape_ascii();
            assert_eq!(is_list(text), list, "{shown}");
            if list {
                assert_eq!(names(text, Some(7), Comparison::Strong), strong, "{shown}");
                assert_eq!(names(text, Some(7), Comparison::Weak), weak, "{shown}");
                assert!(!names(text, None, Comparison::Weak), "{shown}");
            }
        }
    }

    #[test]
    fn a_tag_is_a_version_in_quotes() {
        for version in [0, 7, 1_234_567, u64::MAX] {
            let (text, length) = tag(version);
            assert_eq!(text[..length], *format!("\"{version}\"").as_bytes());
            assert!(is_list(&text[..length]) && names(&text[..length], Some(version), Comparison::Strong));
        }
    }
}
