//! What application caches need: leases against stampedes, notes of absence, deletion by prefix, locks, rate limits.

mod arguments;
mod gcra;
mod throttle;

use super::row::Command;

/// The group's rows.
pub(super) static COMMANDS: &[&Command] = &[&throttle::THROTTLE];
