//! The commands that took longest: a bounded list a thread, newest first, written only when one was slow.
//!
//! Redis's rule of what is kept of a request: at most 32 arguments, the last of which then says how many are
//! missing, and at most 128 bytes of each, with a note of how many more there were.

use std::collections::VecDeque;

use locksley_engine::Millis;

use super::clock::Nanos;
use crate::limits::{SLOW_ARGUMENT_BYTES_MAX, SLOW_ARGUMENT_COUNT_MAX};

/// One slow command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlowEntry {
    /// Its number: grows by one with each slow command of the server.
    pub id: u64,
    /// When it ran.
    pub at: Millis,
    /// How long it took.
    pub took: Nanos,
    /// What is kept of its arguments.
    pub arguments: Vec<Vec<u8>>,
    /// The client's address.
    pub address: String,
    /// The client's name.
    pub name: Vec<u8>,
}

/// The slow log of one thread.
#[derive(Clone, Debug)]
pub(crate) struct SlowLog {
    entries: VecDeque<SlowEntry>,
    /// Commands that take longer are kept; the greatest value means none.
    pub threshold: Nanos,
    /// Most entries.
    pub count_max: usize,
}

impl SlowLog {
    /// An empty log that keeps `count_max` commands that took at least `threshold_micros`; negative: none.
    pub(crate) fn new(threshold_micros: i64, count_max: usize) -> SlowLog {
        SlowLog { entries: VecDeque::new(), threshold: threshold(threshold_micros), count_max }
    }

    /// Changes the bounds.
    pub(crate) fn reconfigure(&mut self, threshold_micros: i64, count_max: usize) {
        self.threshold = threshold(threshold_micros);
        self.count_max = count_max;
        self.entries.truncate(count_max);
    }

    /// Adds an entry, dropping the oldest beyond the bound.
    pub(crate) fn push(&mut self, entry: SlowEntry) {
        self.entries.push_front(entry);
        self.entries.truncate(self.count_max);
    }

    /// The entries, newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &SlowEntry> {
        self.entries.iter()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Forgets all entries.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

fn threshold(micros: i64) -> Nanos {
    Nanos(u64::try_from(micros).map_or(u64::MAX, |micros| micros.saturating_mul(1_000)))
}

/// What the slow log keeps of a request.
pub(crate) fn shorten<'a>(args: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let count = args.len();
    let kept = if count > SLOW_ARGUMENT_COUNT_MAX { SLOW_ARGUMENT_COUNT_MAX - 1 } else { count };
    let mut arguments: Vec<Vec<u8>> = args.take(kept).map(shorten_argument).collect();
    if kept < count {
        arguments.push(format!("... ({} more arguments)", count - kept).into_bytes());
    }
    arguments
}

fn shorten_argument(argument: &[u8]) -> Vec<u8> {
    match argument.split_at_checked(SLOW_ARGUMENT_BYTES_MAX) {
        Some((kept, rest)) if !rest.is_empty() => {
            [kept, format!("... ({} more bytes)", rest.len()).as_bytes()].concat()
        }
        _ => argument.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_requests_are_kept_in_part() {
        let arguments: Vec<Vec<u8>> = (0..40).map(|number| vec![b'x'; number * 5]).collect();
        let kept = shorten(arguments.iter().map(Vec::as_slice));
        assert_eq!(kept.len(), 32);
        assert_eq!(kept[31], b"... (9 more arguments)");
        assert_eq!(kept[25], vec![b'x'; 125]);
        assert_eq!(kept[26], [&[b'x'; 128][..], b"... (2 more bytes)"].concat());
        assert_eq!(shorten(arguments[..32].iter().map(Vec::as_slice)).len(), 32);
        assert_eq!(shorten_argument(&[b'x'; 128]), [b'x'; 128]);
    }

    #[test]
    fn the_oldest_entries_go_first() {
        let mut log = SlowLog::new(0, 2);
        for id in 0..4 {
            let arguments = vec![b"get".to_vec()];
            log.push(SlowEntry { id, at: Millis(0), took: Nanos(1), arguments, address: String::new(), name: vec![] });
        }
        assert_eq!(log.iter().map(|entry| entry.id).collect::<Vec<_>>(), [3, 2]);
        log.reconfigure(-1, 1);
        assert_eq!((log.len(), log.threshold), (1, Nanos(u64::MAX)));
        log.clear();
        assert_eq!(log.len(), 0);
    }
}
