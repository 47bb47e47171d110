//! Commands on keys of any type.

mod del;

use super::row::Command;

/// The group's rows.
pub(super) static COMMANDS: &[&Command] = &[&del::DEL];
