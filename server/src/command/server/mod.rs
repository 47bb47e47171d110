//! Commands about the server itself.

mod command;
mod config;
mod debug;
mod digest;
mod info;
mod latency;
mod lolwut;
mod memory;
mod monitor;
mod pack;
mod process;
mod report;
mod sha1;
mod shutdown;
mod slowlog;
mod time;

use super::row::Command;

/// The group's rows.
pub(super) static COMMANDS: &[&Command] = &[
    &command::COMMAND,
    &config::CONFIG,
    &debug::DEBUG,
    &info::INFO,
    &latency::LATENCY,
    &lolwut::LOLWUT,
    &memory::MEMORY,
    &monitor::MONITOR,
    &shutdown::SHUTDOWN,
    &slowlog::SLOWLOG,
    &time::TIME,
];
