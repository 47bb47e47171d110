//! Commands about the server itself.

mod config;
mod info;
mod monitor;
mod process;
mod report;

use super::row::Command;

/// The group's rows.
pub(super) static COMMANDS: &[&Command] = &[&config::CONFIG, &info::INFO, &monitor::MONITOR];
