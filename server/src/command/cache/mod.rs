//! What application caches need: leases against stampedes, notes of absence, deletion by prefix, locks, rate limits.

use super::row::Command;

/// The group's rows.
pub(super) static COMMANDS: &[&Command] = &[];
