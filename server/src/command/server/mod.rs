//! Commands about the server itself.

mod config;

use super::row::Command;

/// The group's rows.
pub(super) static COMMANDS: &[&Command] = &[&config::CONFIG];
