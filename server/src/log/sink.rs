//! Where lines end up: standard output, or a file that is appended to.
//!
//! Only the log's own thread comes here, and it may wait as long as it takes. A file that was moved away (as logrotate
//! does) is left, and one of the old name begun: before each batch the name is looked up again.
//!
//! A batch that cannot be written, because the disk is full or the reader is gone, is lost; the next one that can be
//! written begins by saying how many lines are missing and why.

use std::fs::{File, OpenOptions};
use std::io::{self, Stdout};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tracing::Level;

use super::line::{Line, Style};
use super::queue::Batch;

/// The end of the log's way.
#[derive(Debug)]
pub(super) struct Sink {
    output: Output,
    /// Whether the last byte written is not the end of a line.
    is_torn: bool,
    /// Lines that could not be written and were not yet spoken of.
    missing_count: u64,
    /// Why.
    reason: String,
}

#[derive(Debug)]
enum Output {
    Standard(Stdout),
    File { path: PathBuf, file: File },
}

impl Sink {
    /// The sink that the setting `logfile` names.
    ///
    /// # Errors
    /// One sentence when the file cannot be written.
    pub(super) fn open(logfile: &str) -> Result<Sink, String> {
        let output = if logfile.is_empty() {
            Output::Standard(io::stdout())
        } else {
            let path = PathBuf::from(logfile);
            let file = open(&path).map_err(|error| format!("the log file {logfile} cannot be written: {error}"))?;
            Output::File { path, file }
        };
        Ok(Sink { output, is_torn: false, missing_count: 0, reason: String::new() })
    }

    /// Writes a batch; returns how many of its lines are lost.
    pub(super) fn write(&mut self, batch: &Batch, style: Style) -> u64 {
        self.output.follow_name();
        let mut text = Vec::new();
        if self.is_torn {
            text.push(b'\n');
        }
        if self.missing_count > 0 {
            let message = format!("{} lines of the log could not be written: {}", self.missing_count, self.reason);
            text.extend_from_slice(Line::new(style, Level::WARN, &message).text.as_bytes());
        }
        let mut ends = Vec::with_capacity(batch.lines.len());
        for line in &batch.lines {
            text.extend_from_slice(line.text.as_bytes());
            ends.push(text.len());
        }
        if batch.overflow_count > 0 {
            let message =
                format!("{} lines of the log were lost: they came faster than they were written", batch.overflow_count);
            text.extend_from_slice(Line::new(style, Level::WARN, &message).text.as_bytes());
        }
        self.write_text(&text, &ends)
    }

    /// Writes `text`, whose lines end at `ends`; returns how many of them are lost.
    fn write_text(&mut self, text: &[u8], ends: &[usize]) -> u64 {
        let (written, outcome) = write_all(self.output.descriptor(), text);
        if let Some(last) = text[..written].last() {
            self.is_torn = *last != b'\n';
        }
        match outcome {
            Ok(()) => {
                self.missing_count = 0;
                0
            }
            Err(error) => {
                let lost_count = ends.iter().filter(|end| **end > written).count() as u64;
                self.missing_count += lost_count;
                self.reason = io::Error::from(error).to_string();
                lost_count
            }
        }
    }
}

impl Output {
    fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Output::Standard(stdout) => stdout.as_fd(),
            Output::File { file, .. } => file.as_fd(),
        }
    }

    /// Opens the file anew if its name means another one by now; if that fails, the old one goes on.
    fn follow_name(&mut self) {
        let Output::File { path, file } = self else { return };
        let identity = |metadata: &std::fs::Metadata| (metadata.dev(), metadata.ino());
        let named = path.metadata().map(|metadata| identity(&metadata));
        let opened = file.metadata().map(|metadata| identity(&metadata));
        let is_same = matches!((named, opened), (Ok(named), Ok(opened)) if named == opened);
        if !is_same && let Ok(anew) = open(path) {
            *file = anew;
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Writes all of `text`, however long it takes; returns how much was written, and what stood in the way of the rest.
fn write_all(target: BorrowedFd<'_>, text: &[u8]) -> (usize, Result<(), Errno>) {
    let mut written = 0;
    while written < text.len() {
        match rustix::io::write(target, &text[written..]) {
            Ok(0) => return (written, Err(Errno::IO)),
            Ok(count) => written += count,
            Err(Errno::INTR) => {}
            // A pipe that another process of its reader's side made non-blocking.
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::from_borrowed_fd(target, PollFlags::OUT)], None);
            }
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::persist::testing::Directory;

    fn batch(texts: &[&str]) -> Batch {
        let line = |text: &&str| Line { text: (*text).into(), is_keyed: false };
        Batch { lines: texts.iter().map(line).collect(), overflow_count: 0 }
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew() {
        let directory = Directory::new();
        let (path, moved) = (directory.path().join("log"), directory.path().join("log.1"));
        let mut sink = Sink::open(path.to_str().unwrap()).unwrap();
        assert_eq!(sink.write(&batch(&["one\n"]), Style::Text), 0);
        fs::rename(&path, &moved).unwrap();
        assert_eq!(sink.write(&batch(&["two\n"]), Style::Text), 0);
        assert_eq!(fs::read_to_string(&moved).unwrap(), "one\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    }

    #[test]
    fn what_could_not_be_written_is_counted_and_told_of() {
        let directory = Directory::new();
        let path = directory.path().join("log");
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut sink = Sink {
            output: Output::File { path: PathBuf::from("/dev/full"), file: full },
            is_torn: true,
            missing_count: 0,
            reason: String::new(),
        };
        assert_eq!(sink.write(&batch(&["one\n", "two\n"]), Style::Text), 2);
        assert_eq!(sink.write(&batch(&["three\n"]), Style::Text), 1);
        sink.output = Output::File { path: path.clone(), file: open(&path).unwrap() };
        assert_eq!(sink.write(&batch(&["four\n"]), Style::Text), 0);
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].is_empty(), "the torn line is ended: {text}");
        assert!(lines[1].contains("3 lines of the log could not be written: No space left"), "{text}");
        assert_eq!(lines[2..], ["four"]);
    }

    #[test]
    fn a_file_that_cannot_be_made_is_a_sentence() {
        let sentence = Sink::open("/nowhere/at/all").unwrap_err();
        assert!(sentence.starts_with("the log file /nowhere/at/all cannot be written: No such file"), "{sentence}");
    }
}
