//! Replies that wait for something that takes long: a snapshot, a sync, a reload.
//!
//! A command of the kind [`Run::Wait`](super::row::Run::Wait) runs on its client's thread, once all earlier replies of
//! that client are there. It replies at once, or says what it waits for and who writes the reply then. The thread goes
//! on with other clients meanwhile; the client's later requests wait, and a client that goes is waited for no longer.
//!
//! ```text
//! begin ──Ok(None)──▶ replied
//!   └────Ok(Some)──▶ waiting ──condition, or the deadline──▶ then: replies
//! ```
//!
//! Conditions are looked at in every turn of a thread that has something waiting; whoever makes one true wakes the
//! threads.

use locksley_engine::{Lsn, Millis};
use locksley_wire::resp::Reply;

use super::context::Context;
use super::failure::Failure;
use super::row::{Args, Outcome};
use crate::persist::{Persist, Ticket};
use crate::thread::Thread;

/// Runs a command that may have to wait: replies and returns `None`, or leaves the reply to [`Wait::then`].
pub(crate) type WaitHandler = fn(&mut Context<'_>, Args<'_>, &mut Reply<'_>) -> Result<Option<Wait>, Failure>;

/// Writes the reply once the waiting is over.
pub(crate) type Then = fn(&mut Context<'_>, Args<'_>, Over, &mut Reply<'_>) -> Outcome;

/// A reply that cannot be written yet.
#[derive(Debug)]
pub(crate) struct Wait {
    /// What it waits for.
    pub until: Until,
    /// When it waits no longer; `None` for ever.
    pub deadline: Option<Millis>,
    /// Writes the reply, on the client's thread.
    pub then: Then,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// The snapshot of this ticket has ended.
    Snapshot(Ticket),
    /// The reload of this ticket is over.
    Reload(Ticket),
    /// The logs are durable up to these numbers, by shard.
    Durable(Box<[Lsn]>),
    /// Nothing but the deadline, at which it is asked whether the logs are durable up to these numbers.
    Deadline(Box<[Lsn]>),
    /// The shutdown of this number was given up; when it is done, nobody is there to be told.
    Shutdown(u64),
}

/// Why the waiting ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The snapshot ended; an error is a sentence.
    Snapshot(Result<(), String>),
    /// The reload is over.
    Reloaded,
    /// The logs are durable.
    Durable,
    /// The server goes on.
    NoShutdown,
    /// The deadline came first.
    Late,
}

impl Until {
    /// Everything that was changed before now on any shard: all that this thread's clients have seen the replies of.
    /// Wants it durable too.
    pub(crate) fn all_changes(thread: &Thread) -> Box<[Lsn]> {
        use std::sync::atomic::Ordering;
        let persist = &thread.shared.persist;
        let own = usize::from(thread.id.0);
        let appended = |(index, face): (usize, &crate::persist::ShardFace)| {
            let published = Lsn(face.appended.load(Ordering::Acquire));
            if index == own { published.max(thread.shard.last_lsn()) } else { published }
        };
        let numbers = persist.shards().iter().enumerate().map(appended).collect();
        persist.request_sync();
        numbers
    }
}

/// Whether the logs are durable up to `numbers`, by shard.
pub(crate) fn are_durable(numbers: &[Lsn], persist: &Persist) -> bool {
    let is_durable = |(shard, number): (usize, &Lsn)| persist.durable(shard as u16) >= *number;
    numbers.iter().enumerate().all(is_durable)
}

impl Wait {
    /// Whether the waiting is over at `now`, and why.
    pub(crate) fn over(&self, persist: &Persist, now: Millis) -> Option<Over> {
        let is_late = self.deadline.is_some_and(|deadline| deadline <= now);
        let over = match &self.until {
            Until::Snapshot(ticket) => persist.snapshot_outcome(*ticket).map(Over::Snapshot),
            Until::Reload(ticket) => persist.is_reloaded(*ticket).then_some(Over::Reloaded),
            Until::Durable(numbers) => are_durable(numbers, persist).then_some(Over::Durable),
            Until::Shutdown(serial) => persist.shutdown.is_given_up(*serial).then_some(Over::NoShutdown),
            Until::Deadline(numbers) => (is_late && are_durable(numbers, persist)).then_some(Over::Durable),
        };
        over.or_else(|| is_late.then_some(Over::Late))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    fn then(_: &mut Context<'_>, _: Args<'_>, _: Over, _: &mut Reply<'_>) -> Outcome {
        Ok(())
    }

    #[test]
    fn numbers_are_awaited_on_all_shards_until_the_deadline() {
        let persist = Persist::new(2, Millis(0));
        let until = Until::Durable(Box::new([Lsn(5), Lsn(7)]));
        let wait = Wait { until, deadline: Some(Millis(100)), then };
        persist.shards()[0].durable.store(5, Ordering::Release);
        persist.shards()[1].durable.store(6, Ordering::Release);
        assert_eq!(wait.over(&persist, Millis(99)), None);
        assert_eq!(wait.over(&persist, Millis(100)), Some(Over::Late));
        persist.shards()[1].durable.store(7, Ordering::Release);
        assert_eq!(wait.over(&persist, Millis(100)), Some(Over::Durable));
        let until = Until::Deadline(Box::new([Lsn(5), Lsn(7)]));
        let wait = Wait { until, ..wait };
        assert_eq!(wait.over(&persist, Millis(99)), None);
        assert_eq!(wait.over(&persist, Millis(100)), Some(Over::Durable));
    }
}
