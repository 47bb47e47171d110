//! How often a place in the program may say something: so many lines a second, and then how many were left out.
//!
//! A client can make some lines come as fast as it likes (by being refused, by being closed). The log is to be read, so a
//! second shows the first lines of a place, and at its end one line for all the others.

use std::hash::Hash;

use hashbrown::HashMap;
use tracing::Level;

use super::line::{Line, Style};
use crate::limits::LOG_LINES_PER_SECOND;

/// How long a place's lines are counted together, in milliseconds.
const WINDOW_MS: u64 = 1_000;

/// What every place said, by place.
#[derive(Debug)]
pub(super) struct Gate<P> {
    places: HashMap<P, Place>,
    suppressed_count: u64,
}

#[derive(Debug)]
struct Place {
    level: Level,
    /// When the window began.
    since_ms: u64,
    /// Lines shown in it.
    shown_count: u32,
    /// Lines that were left out and not yet spoken of.
    suppressed: u64,
    /// When they are to be spoken of.
    due_at_ms: u64,
    /// What it said last.
    example: String,
}

/// What is said instead of lines that were left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Summary {
    level: Level,
    suppressed: u64,
    example: String,
}

/// Whether a line is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is.
    Shown,
    /// It is not, and it is the first one: there will be a summary.
    FirstSuppressed,
    /// It is not.
    Suppressed,
}

impl<P> Default for Gate<P> {
    fn default() -> Gate<P> {
        Gate { places: HashMap::new(), suppressed_count: 0 }
    }
}

impl<P: Hash + Eq> Gate<P> {
    /// Decides about a line that `place` wants to say at `now_ms`.
    pub(super) fn admit(&mut self, place: P, level: Level, now_ms: u64) -> Admission {
        let fresh =
            || Place { level, since_ms: now_ms, shown_count: 0, suppressed: 0, due_at_ms: 0, example: String::new() };
        let place = self.places.entry(place).or_insert_with(fresh);
        if now_ms.saturating_sub(place.since_ms) >= WINDOW_MS {
            place.since_ms = now_ms;
            place.shown_count = 0;
        }
        if place.shown_count < LOG_LINES_PER_SECOND {
            place.shown_count += 1;
            return Admission::Shown;
        }
        self.suppressed_count += 1;
        place.suppressed += 1;
        if place.suppressed > 1 {
            return Admission::Suppressed;
        }
        place.due_at_ms = place.since_ms + WINDOW_MS;
        Admission::FirstSuppressed
    }

    /// Remembers what a place said, as an example for the lines that may be left out.
    pub(super) fn note(&mut self, place: &P, message: &str) {
        if let Some(place) = self.places.get_mut(place) {
            message.clone_into(&mut place.example);
        }
    }

    /// What is to be said at `now_ms` of lines that were left out; with `all`, also what could wait.
    pub(super) fn take_due(&mut self, now_ms: u64, all: bool) -> Vec<Summary> {
        let is_due = |place: &&mut Place| place.suppressed > 0 && (all || place.due_at_ms <= now_ms);
        let summary = |place: &mut Place| Summary {
            level: place.level,
            suppressed: std::mem::take(&mut place.suppressed),
            example: place.example.clone(),
        };
        self.places.values_mut().filter(is_due).map(summary).collect()
    }

    /// When the next summary is due.
    pub(super) fn due_at_ms(&self) -> Option<u64> {
        self.places.values().filter(|place| place.suppressed > 0).map(|place| place.due_at_ms).min()
    }

    /// Lines that were left out so far.
    pub(super) fn suppressed_count(&self) -> u64 {
        self.suppressed_count
    }
}

impl Summary {
    /// The line that says it.
    pub(super) fn line(&self, style: Style) -> Line {
        let Summary { level, suppressed, example } = self;
        let plural = if *suppressed == 1 { "" } else { "s" };
        let message = format!("{suppressed} more line{plural} like this within a second: {example}");
        Line::new(style, *level, &message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVEL: Level = Level::WARN;

    fn shown(gate: &mut Gate<&'static str>, place: &'static str, count: u32, now_ms: u64) -> u32 {
        (0..count).filter(|_| gate.admit(place, LEVEL, now_ms) == Admission::Shown).count() as u32
    }

    #[test]
    fn a_second_shows_the_first_lines_of_each_place() {
        let mut gate = Gate::default();
        assert_eq!(shown(&mut gate, "a", LOG_LINES_PER_SECOND + 5, 100), LOG_LINES_PER_SECOND);
        assert_eq!(shown(&mut gate, "b", 3, 100), 3);
        assert_eq!(gate.suppressed_count(), 5);
        assert_eq!(shown(&mut gate, "a", 1, 1_099), 0);
        assert_eq!(shown(&mut gate, "a", 1, 1_100), 1);
    }

    #[test]
    fn what_was_left_out_is_said_once_at_the_end_of_the_second() {
        let mut gate = Gate::default();
        shown(&mut gate, "a", LOG_LINES_PER_SECOND, 0);
        assert_eq!((gate.due_at_ms(), gate.take_due(5_000, true)), (None, Vec::new()));
        assert_eq!(gate.admit("a", LEVEL, 1), Admission::FirstSuppressed);
        assert_eq!(gate.admit("a", LEVEL, 2), Admission::Suppressed);
        gate.note(&"a", "closed");
        assert_eq!((gate.due_at_ms(), gate.take_due(999, false)), (Some(1_000), Vec::new()));
        let expected = Summary { level: LEVEL, suppressed: 2, example: "closed".to_owned() };
        assert_eq!(gate.take_due(1_000, false), [expected]);
        assert_eq!((gate.due_at_ms(), gate.take_due(9_000, true)), (None, Vec::new()));
    }

    #[test]
    fn the_end_does_not_wait_for_the_second() {
        let mut gate = Gate::default();
        shown(&mut gate, "a", LOG_LINES_PER_SECOND + 1, 0);
        assert_eq!(gate.take_due(0, true).len(), 1);
    }
}
