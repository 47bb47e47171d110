//! Commands on strings.

mod get;
mod set;

use super::row::Command;

/// The group's rows.
pub(super) static COMMANDS: &[&Command] = &[&get::GET, &set::SET];
