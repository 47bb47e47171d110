//! The newest slow commands, each as one line of text.

use serde::Serialize;

use crate::command::server::pack::{Reader, write_number, write_text};
use crate::config::Config;
use crate::limits::{CONSOLE_SLOW_BYTES_MAX, CONSOLE_SLOW_COUNT_MAX};
use crate::observe::quote::quote;
use crate::observe::slow_log::SlowEntry;
use crate::thread::Thread;

/// One slow command.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct SlowFacts {
    /// Its number, as SLOWLOG GET has it.
    id: u64,
    /// When it ran, in milliseconds since the epoch.
    at_ms: u64,
    /// How long it took, in microseconds.
    micros: u64,
    /// Its arguments, quoted where that is needed, cut where they are long.
    command: String,
    /// The client's address; empty where it is not known.
    address: String,
    /// The client's name.
    name: String,
}

impl SlowFacts {
    fn of(entry: &SlowEntry) -> SlowFacts {
        SlowFacts {
            id: entry.id,
            at_ms: entry.at.0,
            micros: entry.took.micros(),
            command: line(&entry.arguments),
            address: entry.address.clone(),
            name: String::from_utf8_lossy(&entry.name).into_owned(),
        }
    }
}

/// Writes the newest entries of `thread`.
pub(super) fn write(thread: &Thread, out: &mut Vec<u8>) {
    let newest: Vec<SlowFacts> = thread.slow_log.iter().take(CONSOLE_SLOW_COUNT_MAX).map(SlowFacts::of).collect();
    write_number(newest.len() as u64, out);
    for SlowFacts { id, at_ms, micros, command, address, name } in &newest {
        write_number(*id, out);
        write_number(*at_ms, out);
        write_number(*micros, out);
        write_text(command, out);
        write_text(address, out);
        write_text(name, out);
    }
}

/// Reads what [`write`] wrote.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<SlowFacts> {
    let count = reader.number();
    let entry = |_| SlowFacts {
        id: reader.number(),
        at_ms: reader.number(),
        micros: reader.number(),
        command: reader.text(),
        address: reader.text(),
        name: reader.text(),
    };
    (0..count).map(entry).collect()
}

/// The newest of all threads' entries, as many as SLOWLOG GET would show at most.
pub(super) fn newest(mut entries: Vec<SlowFacts>, config: &Config) -> Vec<SlowFacts> {
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.id));
    entries.truncate(CONSOLE_SLOW_COUNT_MAX.min(config.slowlog_max_len as usize));
    entries
}

/// A request as one line, as a person would type it: words as they are, other arguments in quotation marks.
fn line(arguments: &[Vec<u8>]) -> String {
    let mut line = Vec::new();
    for argument in arguments {
        if line.len() >= CONSOLE_SLOW_BYTES_MAX {
            break;
        }
        if !line.is_empty() {
            line.push(b' ');
        }
        let is_word = !argument.is_empty() && argument.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'"');
        if is_word { line.extend_from_slice(argument) } else { quote(argument, &mut line) }
    }
    let mut line = String::from_utf8(line).expect("what is not ASCII is escaped");
    if line.len() > CONSOLE_SLOW_BYTES_MAX {
        line.truncate(CONSOLE_SLOW_BYTES_MAX);
        line.push('\u{2026}');
    }
    line
}
