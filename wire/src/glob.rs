//! The patterns of `KEYS`, `SCAN MATCH` and `CONFIG GET`, matched as Redis matches them.
//!
//! `?` is any byte, `*` any bytes, `[abc]`, `[^a]` and `[a-z]` one byte of a class, and `\` takes the next byte
//! as it is. Every element but `*` takes exactly one byte, so a mismatch needs to go back to the last `*`
//! only: the work is at most pattern times text, where naive recursion is exponential.
//!
//! Kept from Redis, since scripts may lean on them: an empty text matches the empty pattern alone, not `*`;
//! ranges compare bytes as signed and swap reversed ends; an unclosed class ends with the pattern; an escaped
//! byte in a class is compared with its case.

/// Whether letters of different case are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// They are not.
    Sensitive,
    /// They are, for ASCII.
    Insensitive,
}

impl Case {
    fn fold(self, byte: u8) -> u8 {
        match self {
            Self::Sensitive => byte,
            Self::Insensitive => byte.to_ascii_lowercase(),
        }
    }
}

/// Whether all of `text` matches `pattern`.
pub fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let mut pattern_at = 0;
    let mut text_at = 0;
    // Where to go on after a mismatch: behind the last star, one text byte further.
    let mut retry: Option<(usize, usize)> = None;
    while text_at < text.len() {
        if pattern.get(pattern_at) == Some(&b'*') {
            pattern_at += 1;
            retry = Some((pattern_at, text_at));
            continue;
        }
        if let Some(next) = match_one(pattern, pattern_at, text[text_at], case) {
            pattern_at = next;
            text_at += 1;
            continue;
        }
        let Some((behind_star, from)) = retry else {
            return false;
        };
        pattern_at = behind_star;
        text_at = from + 1;
        retry = Some((behind_star, text_at));
    }
    pattern[pattern_at..].iter().all(|&byte| byte == b'*')
}

/// Whether the element at `at`, which is no star, takes `byte`; then where the next element begins.
fn match_one(pattern: &[u8], at: usize, byte: u8, case: Case) -> Option<usize> {
    match *pattern.get(at)? {
        b'?' => Some(at + 1),
        b'[' => match_class(pattern, at + 1, byte, case),
        b'\\' if at + 1 < pattern.len() => (case.fold(pattern[at + 1]) == case.fold(byte)).then_some(at + 2),
        literal => (case.fold(literal) == case.fold(byte)).then_some(at + 1),
    }
}

/// The same for the class whose opening bracket is before `at`.
fn match_class(pattern: &[u8], mut at: usize, byte: u8, case: Case) -> Option<usize> {
    let is_negated = pattern.get(at) == Some(&b'^');
    at += usize::from(is_negated);
    let mut is_member = false;
    let end = loop {
        match pattern.get(at..).unwrap_or_default() {
            [] => break pattern.len(),
            [b'\\', escaped, ..] => {
                is_member |= *escaped == byte;
                at += 2;
            }
            [b']', ..] => break at + 1,
            [first, b'-', last, ..] => {
                is_member |= is_in_range(case.fold(*first), case.fold(*last), case.fold(byte));
                at += 3;
            }
            [literal, ..] => {
                is_member |= case.fold(*literal) == case.fold(byte);
                at += 1;
            }
        }
    };
    (is_member != is_negated).then_some(end)
}

fn is_in_range(first: u8, last: u8, byte: u8) -> bool {
    let [first, last, byte] = [first, last, byte].map(u8::cast_signed);
    (first.min(last)..=first.max(last)).contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_redis() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, bool)] = &[
            ("", "", true), ("*", "", false), ("", "a", false), ("*", "a", true), ("**", "abc", true),
            ("a*", "a", true), ("a*", "ab", true), ("a*", "ba", false), ("*a", "bba", true), ("*a*b*", "xaxbx", true),
            ("*ab", "aab", true), ("*abc*", "ababc", true), ("a*b*c", "abcbc", true), ("a*b?c", "abcbc", false),
            ("h?llo", "hello", true), ("h?llo", "hllo", false), ("?", "", false),
            ("h[ae]llo", "hallo", true), ("h[ae]llo", "hillo", false), ("h[^e]llo", "hallo", true), ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true), ("h[b-a]llo", "hallo", true), ("[a-c]*", "d", false),
            ("[]a]", "a", false), ("[a", "a", true), ("[a", "b", false), ("[^", "a", true), ("[", "a", false), ("[a-", "-", true),
            (r"\*", "*", true), (r"\*", "a", false), (r"a\", r"a\", true), (r"[\]]", "]", true), (r"[\-]", "-", true),
            ("a", "A", false), ("user:*:name", "user:7:name", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive), *expected, "{pattern} {text}");
        }
    }

    #[test]
    fn case_is_folded_on_demand() {
        assert!(matches(b"MAX[a-c]*", b"maxBmemory", Case::Insensitive));
        assert!(!matches(b"MAX*", b"max", Case::Sensitive));
        assert!(!matches(b"[\\A]", b"a", Case::Insensitive));
    }

    #[test]
    fn many_stars_do_not_explode() {
        let pattern = [b"a*".repeat(500), b"b".to_vec()].concat();
        let text = b"a".repeat(10_000);
        assert!(!matches(&pattern, &text, Case::Sensitive));
    }
}
