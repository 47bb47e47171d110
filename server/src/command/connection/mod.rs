//! Commands about the connection itself.

mod ping;

use super::row::Command;

/// The group's rows.
pub(super) static COMMANDS: &[&Command] = &[&ping::PING];
