//! The Locksley server.

mod boot;
mod client;
mod command;
mod config;
mod console;
mod doctor;
mod frontend;
mod handed;
mod inspect;
mod labels;
mod leases;
mod limits;
mod log;
mod machine;
mod name;
mod observe;
mod pause;
mod persist;
mod reactor;
mod remembered;
mod router;
mod thread;
mod turn;
mod version;
mod waiters;

use std::process::ExitCode;

fn main() -> ExitCode {
    boot::run()
}
