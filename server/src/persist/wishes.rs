//! What was asked for and what came of it: tickets for snapshots and reloads.
//!
//! Snapshots are numbered as they begin. At most one runs and at most one is wanted after it; whoever wants another
//! shares that one.
//!
//! ```text
//! request ─▶ wanted ──begin──▶ running ──end──▶ outcome, kept for a while
//! ```

use std::collections::VecDeque;

use super::face::{Busy, Reload, Ticket};
use crate::limits::SNAPSHOT_OUTCOME_COUNT_MAX;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    begun_count: u64,
    running: Option<Ticket>,
    is_snapshot_wanted: bool,
    outcomes: VecDeque<(Ticket, Result<(), String>)>,
    reload_count: u64,
    reload_wanted: Option<(Ticket, Reload)>,
    reload_running: Option<Ticket>,
}

impl Wishes {
    /// Wants a snapshot.
    ///
    /// # Errors
    /// When one is running or wanted already, or the shards are being reloaded.
    pub(super) fn request_snapshot(&mut self) -> Result<Ticket, Busy> {
        let is_busy = self.running.is_some() || self.is_snapshot_wanted || self.is_reloading();
        if is_busy { Err(Busy) } else { Ok(self.schedule_snapshot()) }
    }

    /// Wants a snapshot that begins after now.
    pub(super) fn schedule_snapshot(&mut self) -> Ticket {
        self.is_snapshot_wanted = true;
        Ticket(self.begun_count + 1)
    }

    /// Begins the snapshot that is wanted, if one is.
    pub(super) fn begin_snapshot(&mut self) -> Option<Ticket> {
        assert!(self.running.is_none(), "one snapshot runs at a time");
        if !std::mem::take(&mut self.is_snapshot_wanted) {
            return None;
        }
        self.begun_count += 1;
        self.running = Some(Ticket(self.begun_count));
        self.running
    }

    /// Ends the running snapshot.
    pub(super) fn end_snapshot(&mut self, outcome: Result<(), String>) {
        let ticket = self.running.take().expect("what ends was begun");
        if self.outcomes.len() == SNAPSHOT_OUTCOME_COUNT_MAX {
            self.outcomes.pop_front();
        }
        self.outcomes.push_back((ticket, outcome));
    }

    /// How a snapshot ended, if it has.
    pub(super) fn outcome(&self, ticket: Ticket) -> Option<Result<(), String>> {
        if self.running.is_some_and(|running| running <= ticket) || ticket.0 > self.begun_count {
            return None;
        }
        let kept = self.outcomes.iter().find(|(of, _)| *of == ticket);
        Some(kept.map_or_else(|| Err("it ended too long ago to know how".to_owned()), |(_, outcome)| outcome.clone()))
    }

    /// Wants a reload.
    ///
    /// # Errors
    /// When a snapshot or another reload is under way.
    pub(super) fn request_reload(&mut self, reload: Reload) -> Result<Ticket, Busy> {
        if self.running.is_some() || self.is_snapshot_wanted || self.is_reloading() {
            return Err(Busy);
        }
        let ticket = Ticket(self.reload_count + 1);
        self.reload_wanted = Some((ticket, reload));
        Ok(ticket)
    }

    /// Begins the reload that is wanted, if one is.
    pub(super) fn begin_reload(&mut self) -> Option<Reload> {
        let (ticket, reload) = self.reload_wanted.take()?;
        self.reload_running = Some(ticket);
        Some(reload)
    }

    /// Ends the running reload.
    pub(super) fn end_reload(&mut self) {
        self.reload_running.take().expect("what ends was begun");
        self.reload_count += 1;
    }

    /// Whether that reload is over.
    pub(super) fn is_reloaded(&self, ticket: Ticket) -> bool {
        ticket.0 <= self.reload_count
    }

    fn is_reloading(&self) -> bool {
        self.reload_wanted.is_some() || self.reload_running.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_wanted_once_and_its_outcome_is_kept() {
        let mut wishes = Wishes::default();
        let first = wishes.request_snapshot().unwrap();
        assert_eq!(wishes.request_snapshot(), Err(Busy));
        assert_eq!(wishes.schedule_snapshot(), first);
        assert_eq!(wishes.begin_snapshot(), Some(first));
        assert_eq!(wishes.outcome(first), None);
        let second = wishes.schedule_snapshot();
        assert!(second > first);
        wishes.end_snapshot(Err("no room".to_owned()));
        assert_eq!(wishes.outcome(first), Some(Err("no room".to_owned())));
        assert_eq!(wishes.outcome(second), None);
        assert_eq!(wishes.begin_snapshot(), Some(second));
        wishes.end_snapshot(Ok(()));
        assert_eq!(wishes.outcome(second), Some(Ok(())));
        assert_eq!(wishes.outcome(first), Some(Err("no room".to_owned())));
    }

    #[test]
    fn outcomes_of_long_ago_are_forgotten() {
        let mut wishes = Wishes::default();
        for _ in 0..=SNAPSHOT_OUTCOME_COUNT_MAX {
            wishes.schedule_snapshot();
            wishes.begin_snapshot();
            wishes.end_snapshot(Ok(()));
        }
        assert!(matches!(wishes.outcome(Ticket(1)), Some(Err(_))));
        assert_eq!(wishes.outcome(Ticket(2)), Some(Ok(())));
    }

    #[test]
    fn reloads_and_snapshots_exclude_each_other() {
        let mut wishes = Wishes::default();
        let ticket = wishes.request_reload(Reload::AsIs).unwrap();
        assert_eq!(wishes.request_snapshot(), Err(Busy));
        assert_eq!(wishes.request_reload(Reload::AsIs), Err(Busy));
        assert_eq!(wishes.begin_reload(), Some(Reload::AsIs));
        assert_eq!(wishes.request_reload(Reload::AsIs), Err(Busy));
        assert!(!wishes.is_reloaded(ticket));
        wishes.end_reload();
        assert!(wishes.is_reloaded(ticket));
        wishes.request_snapshot().unwrap();
        assert_eq!(wishes.request_reload(Reload::Snapshot), Err(Busy));
    }
}
