//! CLIENT PAUSE: requests that wait until a moment has come.
//!
//! Each thread has its own copy, set by a command that runs on every thread. A request that is held stays where it
//! is, unread behind it whatever its client sent later, and runs when the pause is over.

use locksley_engine::Millis;

use crate::command::row::{Command, Flags};

/// Which requests wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PauseMode {
    /// Those that may write.
    #[default]
    Write,
    /// All.
    All,
}

/// A pause; one that ended long ago by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pause {
    until: Millis,
    mode: PauseMode,
}

impl Pause {
    /// Whether any request may have to wait at `now`.
    #[inline]
    pub(crate) fn is_on(self, now: Millis) -> bool {
        now < self.until
    }

    /// Whether a request for `command` has to wait at `now`. CLIENT UNPAUSE never does: it ends the
    /// pause; nor does SHUTDOWN, which may be what it is for.
    #[inline]
    pub(crate) fn holds(self, command: &Command, now: Millis) -> bool {
        self.is_on(now) && self.holds_while_on(command)
    }

    /// When the pause ends, if it is on at `now`.
    pub(crate) fn end(self, now: Millis) -> Option<Millis> {
        self.is_on(now).then_some(self.until)
    }

    /// Pauses until `until`; of a pause that is on, the later end and the stricter mode hold.
    pub(crate) fn extend(&mut self, until: Millis, mode: PauseMode, now: Millis) {
        *self = if self.is_on(now) {
            Pause { until: self.until.max(until), mode: self.mode.max(mode) }
        } else {
            Pause { until, mode }
        };
    }

    /// Ends the pause.
    pub(crate) fn end_now(&mut self) {
        *self = Pause::default();
    }

    #[cold]
    fn holds_while_on(self, command: &Command) -> bool {
        match self.mode {
            PauseMode::Write => command.flags.contains(Flags::WRITE),
            PauseMode::All => !matches!(command.name, "unpause" | "shutdown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table::table;

    fn command(name: &str) -> &'static Command {
        table().find_name(name.as_bytes()).expect("the command is in the table").row
    }

    #[test]
    fn a_pause_of_writes_lets_reads_pass() {
        let mut pause = Pause::default();
        assert!(!pause.holds(command("set"), Millis(5)));
        pause.extend(Millis(10), PauseMode::Write, Millis(0));
        assert!(pause.holds(command("set"), Millis(9)));
        assert!(!pause.holds(command("get"), Millis(9)));
        assert!(!pause.holds(command("set"), Millis(10)), "it is over");
    }

    #[test]
    fn a_second_pause_only_makes_it_longer_and_stricter() {
        let mut pause = Pause::default();
        pause.extend(Millis(10), PauseMode::All, Millis(0));
        pause.extend(Millis(5), PauseMode::Write, Millis(1));
        assert!(pause.holds(command("get"), Millis(9)));
        assert_eq!(pause.end(Millis(9)), Some(Millis(10)));
        pause.end_now();
        assert_eq!(pause.end(Millis(9)), None);
    }
}
