//! Lines on their way to the thread that writes them, and the last ones for a crash report.
//!
//! The queue is bounded by lines and by bytes. What finds it full is lost and counted: whoever says something does not
//! wait for a disk.

use std::collections::VecDeque;
use std::mem;

use super::line::Line;
use crate::limits::{CRASH_LINE_COUNT_MAX, LOG_QUEUE_BYTES_MAX, LOG_QUEUE_LINE_COUNT_MAX};

/// The lines.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Vec<Line>,
    waiting_bytes: usize,
    /// Lines that found the queue full since the last batch.
    overflow_count: u64,
    lost_count: u64,
    recent: VecDeque<Line>,
}

/// What is written at once.
#[derive(Debug)]
pub(super) struct Batch {
    /// The lines, oldest first.
    pub lines: Vec<Line>,
    /// How many came after them and found no place.
    pub overflow_count: u64,
}

impl Queue {
    /// Appends a line; without room it is lost, but still among the last ones.
    pub(super) fn push(&mut self, line: Line) {
        if self.recent.len() == CRASH_LINE_COUNT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(line.clone());
        let bytes = self.waiting_bytes + line.text.len();
        if self.waiting.len() == LOG_QUEUE_LINE_COUNT_MAX || bytes > LOG_QUEUE_BYTES_MAX {
            self.overflow_count += 1;
            self.lost_count += 1;
            return;
        }
        self.waiting_bytes = bytes;
        self.waiting.push(line);
    }

    /// Everything that waits; `None` if nothing does.
    pub(super) fn take(&mut self) -> Option<Batch> {
        if self.is_empty() {
            return None;
        }
        self.waiting_bytes = 0;
        Some(Batch { lines: mem::take(&mut self.waiting), overflow_count: mem::take(&mut self.overflow_count) })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.overflow_count == 0
    }

    /// Counts lines that were taken and could not be written.
    pub(super) fn count_lost(&mut self, count: u64) {
        self.lost_count += count;
    }

    /// Lines that were lost so far.
    pub(super) fn lost_count(&self) -> u64 {
        self.lost_count
    }

    /// The last lines, oldest first.
    pub(super) fn recent(&self) -> impl Iterator<Item = &Line> {
        self.recent.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line { text: text.into(), is_keyed: false }
    }

    #[test]
    fn what_finds_the_queue_full_is_lost_and_counted() {
        let mut queue = Queue::default();
        assert!(queue.take().is_none());
        for number in 0..LOG_QUEUE_LINE_COUNT_MAX + 3 {
            queue.push(line(&format!("{number}\n")));
        }
        let batch = queue.take().expect("lines wait");
        assert_eq!((batch.lines.len(), batch.overflow_count), (LOG_QUEUE_LINE_COUNT_MAX, 3));
        assert_eq!(&*batch.lines[0].text, "0\n");
        queue.push(line("again\n"));
        let batch = queue.take().expect("a line waits");
        assert_eq!((batch.lines.len(), batch.overflow_count, queue.lost_count()), (1, 0, 3));
    }

    #[test]
    fn long_lines_fill_the_queue_by_their_bytes() {
        let mut queue = Queue::default();
        let long = "x".repeat(LOG_QUEUE_BYTES_MAX / 4);
        for _ in 0..5 {
            queue.push(line(&long));
        }
        let batch = queue.take().expect("lines wait");
        assert_eq!((batch.lines.len(), batch.overflow_count), (4, 1));
    }

    #[test]
    fn the_last_lines_are_kept_whether_they_were_written_or_lost() {
        let mut queue = Queue::default();
        let count = LOG_QUEUE_LINE_COUNT_MAX + CRASH_LINE_COUNT_MAX;
        for number in 0..count {
            queue.push(line(&number.to_string()));
        }
        let recent: Vec<String> = queue.recent().map(|line| line.text.to_string()).collect();
        let expected: Vec<String> = (count - CRASH_LINE_COUNT_MAX..count).map(|number| number.to_string()).collect();
        assert_eq!(recent, expected);
    }
}
