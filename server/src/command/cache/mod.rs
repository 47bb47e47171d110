//! What application caches need: leases against stampedes, notes of absence, deletion by prefix, locks, rate limits.

mod arguments;
mod gcra;
mod lock;
mod lockinfo;
mod relock;
mod throttle;
mod unlock;

use super::row::Command;

/// The group's rows.
pub(super) static COMMANDS: &[&Command] =
    &[&lock::LOCK, &lockinfo::LOCKINFO, &relock::RELOCK, &throttle::THROTTLE, &unlock::UNLOCK];
