//! Commands about the server itself.

mod config;
mod monitor;

use super::row::Command;

/// The group's rows.
pub(super) static COMMANDS: &[&Command] = &[&config::CONFIG, &monitor::MONITOR];
