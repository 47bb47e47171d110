//! Commands about the server itself.

mod advice;
mod bgrewriteaof;
mod command;
mod config;
mod curve;
mod debug;
mod hotkeys;
mod info;
mod latency;
mod lolwut;
mod memory;
pub(super) mod metrics;
mod monitor;
mod pack;
pub(super) mod process;
pub(super) mod report;
mod save;
mod shutdown;
mod slow_moments;
mod slowlog;
pub(super) mod source;
pub(super) mod state;
mod time;
mod waitaof;

use super::row::Command;

/// The group's rows.
pub(super) static COMMANDS: &[&Command] = &[
    &bgrewriteaof::BGREWRITEAOF,
    &save::BGSAVE,
    &command::COMMAND,
    &config::CONFIG,
    &debug::DEBUG,
    &hotkeys::HOTKEYS,
    &info::INFO,
    &latency::LATENCY,
    &save::LASTSAVE,
    &lolwut::LOLWUT,
    &memory::MEMORY,
    &monitor::MONITOR,
    &save::SAVE,
    &shutdown::SHUTDOWN,
    &slowlog::SLOWLOG,
    &time::TIME,
    &waitaof::WAITAOF,
];
