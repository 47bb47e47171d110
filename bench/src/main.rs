//! The load generator of Locksley: `locksley-bench`.
//!
//! It drives a server over many connections and says what the requests took: latency percentiles, throughput
//! and, given the server's process id, the processor time that the server spent on one request. It shares the
//! wire formats with the server and nothing else, and speaks to Redis, memcached and HTTP servers as well, so that
//! one instrument measures all.
//!
//! Rooms, lower first: [`random`], [`keys`], [`values`], [`dialect`], [`ring`], [`connect`], [`client`],
//! [`cpu`], [`run`], [`report`].

mod buffers;
mod client;
mod connect;
mod connection;
mod cpu;
mod dialect;
mod distribution;
mod gauge;
mod keys;
mod latency;
mod options;
mod pace;
mod plan;
mod random;
mod report;
mod ring;
mod run;
mod values;

use std::process::ExitCode;

use clap::Parser;

use crate::{options::Options, plan::Plan};

fn main() -> ExitCode {
    let options = Options::parse();
    let done = Plan::new(options).and_then(|plan| run::run(&plan));
    match done {
        Ok(verdict) => verdict,
        Err(message) => {
            eprintln!("locksley-bench: {message}");
            ExitCode::FAILURE
        }
    }
}
