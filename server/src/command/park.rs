//! Replies that wait for a key: for a value to arrive, for a lock to be released.
//!
//! A command of the kind [`Run::Park`](super::row::Run::Park) runs on the shard that owns its key. It replies, or it says
//! until when it waits; it is then run again whenever something may have changed for it, until it replies. At its
//! deadline it is run for the last time, and must reply.
//!
//! ```text
//! First ──reply──▶ done
//!   └─Parking─▶ waits ──key touched, look_at──▶ Again ──reply──▶ done
//!                 ▲  │                            │
//!                 │  └──────deadline──▶ Last ─────│────reply───▶ done
//!                 └────────────Parking────────────┘
//! ```
//!
//! The waiters of a key are run in their order, and as soon as one of them waits again, those behind it are not asked.

use locksley_engine::Millis;
use locksley_wire::resp::Reply;

use super::context::Context;
use super::failure::Failure;
use super::row::Args;

/// Runs a command that may have to wait for its key: replies and returns `None`, or writes nothing and says until when
/// it waits.
pub(crate) type ParkHandler =
    fn(&mut Context<'_>, Args<'_>, Attempt, &mut Reply<'_>) -> Result<Option<Parking>, Failure>;

/// Which run of a request this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The first: others may wait already, and come before it.
    First,
    /// It has waited and is the first of those that wait.
    Again,
    /// Its time is over, or nobody can wait any more: it has to reply.
    Last,
}

/// How long a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parking {
    /// When it waits no longer; what the first attempt says counts.
    pub deadline: Millis,
    /// When to run the first waiter of this key again even if nobody touches the key.
    pub look_at: Option<Millis>,
}
