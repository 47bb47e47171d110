//! How often each error code was the answer.
//!
//! Codes come from the server's own texts, but some texts quote a client, so their number and length are bounded.

use hashbrown::HashMap;

use crate::limits::{ERROR_CODE_BYTES_MAX, ERROR_CODE_COUNT_MAX, OTHER_ERRORS};

/// Counts by error code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorCounts {
    counts: HashMap<String, u64>,
    total: u64,
}

impl ErrorCounts {
    /// Counts `times` error replies with this code.
    pub(crate) fn add(&mut self, code: &str, times: u64) {
        self.total += times;
        if let Some(count) = self.counts.get_mut(code) {
            *count += times;
            return;
        }
        let is_kept = code.len() <= ERROR_CODE_BYTES_MAX
            && self.counts.len() < ERROR_CODE_COUNT_MAX
            && code.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b':' | b'='));
        let name = if is_kept { code } else { OTHER_ERRORS };
        *self.counts.entry_ref(name).or_insert(0) += times;
    }

    /// Error replies in all.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Each code with its count, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(code, count)| (code.as_str(), *count))
    }

    /// How many codes there are.
    pub(crate) fn len(&self) -> usize {
        self.counts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_beyond_the_bounds_are_counted_together() {
        let mut errors = ErrorCounts::default();
        for number in 0..ERROR_CODE_COUNT_MAX * 2 {
            errors.add(&format!("E{number}"), 1);
        }
        errors.add(&"E".repeat(ERROR_CODE_BYTES_MAX + 1), 1);
        errors.add("a:b", 2);
        errors.add("E0", 4);
        assert_eq!(errors.len(), ERROR_CODE_COUNT_MAX + 1);
        let count = |code: &str| errors.iter().find(|(name, _)| *name == code).map(|(_, count)| count);
        assert_eq!(count("E0"), Some(5));
        assert_eq!(count(OTHER_ERRORS), Some(ERROR_CODE_COUNT_MAX as u64 + 3));
        assert_eq!(errors.total(), ERROR_CODE_COUNT_MAX as u64 * 2 + 7);
    }
}
