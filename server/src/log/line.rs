//! A line of the log, as text for people or as JSON for programs.
//!
//! ```text
//! 2026-11-21T15:35:50.000001Z  INFO shard-0: Ready to accept connections
//! {"time":"2026-11-21T15:35:50.000001Z","level":"info","thread":"shard-0","message":"Ready to accept connections"}
//! ```
//!
//! Source: RFC 8259 for JSON, of which a string of serde_json is one.

use std::fmt::Write;
use std::sync::Arc;
use std::thread;

use tracing::Level;

use super::moment::Moment;
use crate::limits::LOG_MESSAGE_BYTES_MAX;

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Style {
    /// For people.
    Text,
    /// An object a line.
    Json,
}

/// One line, its end included.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub text: Arc<str>,
    /// Whether it names a key of a user.
    pub is_keyed: bool,
}

impl Line {
    /// What the calling thread says now.
    pub(super) fn new(style: Style, level: Level, message: &str) -> Line {
        let thread = thread::current();
        let said = Said { moment: Moment::now(), level, thread: thread.name().unwrap_or("-"), message };
        Line { text: said.compose(style).into(), is_keyed: false }
    }

    /// The same line, which names a key if `is_keyed`.
    #[must_use]
    pub(super) fn keyed(self, is_keyed: bool) -> Line {
        Line { is_keyed, ..self }
    }
}

/// What is in a line.
#[derive(Debug)]
struct Said<'a> {
    moment: Moment,
    level: Level,
    thread: &'a str,
    message: &'a str,
}

impl Said<'_> {
    fn compose(&self, style: Style) -> String {
        let Said { moment, level, thread, message } = self;
        let message = cut(message);
        let mut line = String::with_capacity(message.len() + 96);
        let composed = match style {
            Style::Text => write!(line, "{moment} {level:>5} {thread}: {}", Plain(message)),
            Style::Json => {
                let level = level.as_str().to_ascii_lowercase();
                let (thread, message) = (quoted(thread), quoted(message));
                write!(line, r#"{{"time":"{moment}","level":"{level}","thread":{thread},"message":{message}}}"#)
            }
        };
        composed.expect("a string takes all text");
        line.push('\n');
        line
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string becomes JSON")
}

/// What of a message is shown.
fn cut(message: &str) -> &str {
    &message[..message.floor_char_boundary(LOG_MESSAGE_BYTES_MAX)]
}

/// Text whose line ends and other control characters are escaped, so that nobody can make a line look like two.
struct Plain<'a>(&'a str);

impl std::fmt::Display for Plain<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in self.0.split_inclusive(char::is_control) {
            let mut letters = part.chars();
            match letters.next_back() {
                Some(last) if last.is_control() => write!(out, "{}{}", letters.as_str(), last.escape_default())?,
                _ => out.write_str(part)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(style: Style, message: &str, expected: &str) {
        let said = Said { moment: Moment::default(), level: Level::WARN, thread: "shard-0", message };
        assert_eq!(said.compose(style), format!("{expected}\n"));
    }

    #[test]
    fn a_line_is_one_line_in_both_styles() {
        check(Style::Text, "it serves", "1970-01-01T00:00:00.000000Z  WARN shard-0: it serves");
        check(Style::Text, "é\r\na\t\x1b[1m", "1970-01-01T00:00:00.000000Z  WARN shard-0: é\\r\\na\\t\\u{1b}[1m");
        let json = |message: &str| {
            format!(
                r#"{{"time":"1970-01-01T00:00:00.000000Z","level":"warn","thread":"shard-0","message":"{message}"}}"#
            )
        };
        check(Style::Json, "it serves", &json("it serves"));
        check(Style::Json, "a \"b\"\r\n\x1b\\é", &json("a \\\"b\\\"\\r\\n\\u001b\\\\é"));
    }

    #[test]
    fn a_long_message_is_cut_between_letters() {
        let message = format!("a{}", "é".repeat(LOG_MESSAGE_BYTES_MAX));
        let kept = cut(&message);
        assert_eq!(kept.len(), LOG_MESSAGE_BYTES_MAX - 1);
        assert!(message.starts_with(kept));
    }
}
