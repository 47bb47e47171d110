//! From the command line to serving threads, and back to a clean exit.

use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use locksley_engine::Millis;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::command::table::table;
use crate::config::Config;
use crate::config::command_line::{self, Request};
use crate::reactor::mesh::{Bells, mesh};
use crate::reactor::ring::ring_all;
use crate::thread::{ShardId, Shared, Thread};
use crate::turn::{Reactor, ReactorOptions};

mod listen;

/// Runs the server; returns when it has stopped.
pub(crate) fn run() -> ExitCode {
    tracing_subscriber::fmt().with_target(false).with_ansi(false).init();
    let config = match command_line::read(std::env::args_os()) {
        Ok(Request::Serve(serve)) => {
            for name in &serve.ignored {
                tracing::warn!("{name} is a setting of Redis that has no effect here");
            }
            serve.config
        }
        Ok(Request::Print(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(sentence) => {
            eprintln!("{sentence}");
            return ExitCode::FAILURE;
        }
    };
    match serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn serve(mut config: Config) -> Result<(), String> {
    if config.shards == 0 {
        config.shards = thread::available_parallelism().map_or(1, |count| count.get() as u16);
    }
    let shards = config.shards;
    let shared = Arc::new(Shared::new(shards, Millis(0), "0".repeat(40), config.clone()));
    let bells = Bells::new(shards);
    let mut threads = Vec::new();
    for (index, mesh) in (0..shards).zip(mesh(&bells)) {
        let listeners = listen::open(&config, index)?;
        let (shared, bells) = (Arc::clone(&shared), bells.clone());
        threads.push(thread::spawn(move || {
            let thread = Thread::new(ShardId(index), shared, table().entries().len(), 1).expect("a shard");
            let options = ReactorOptions { listeners, slot_count: 10_100, mesh, bells };
            let mut reactor = Reactor::new(thread, options).expect("a ring");
            reactor.run().expect("a ring");
        }));
    }
    tracing::info!("Ready to accept connections");
    stop_on_signal(&shared, &bells)?;
    for thread in threads {
        thread.join().map_err(|_| "a data thread failed".to_owned())?;
    }
    tracing::info!("Locksley is now ready to exit, bye bye...");
    Ok(())
}

/// Stops the server at the first SIGTERM or SIGINT, and exits at once at the second.
fn stop_on_signal(shared: &Arc<Shared>, bells: &Bells) -> Result<(), String> {
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(|error| format!("signals cannot be caught: {error}"))?;
    let (shared, bells) = (Arc::clone(shared), bells.clone());
    thread::spawn(move || {
        for (index, signal) in signals.forever().enumerate() {
            if index > 0 {
                tracing::warn!("a second signal: exiting at once");
                std::process::exit(1);
            }
            let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
            tracing::info!("Received {name}, shutting down");
            shared.stop();
            if let Err(error) = ring_all(bells.rings()) {
                tracing::error!("the data threads cannot be woken ({error}): exiting at once");
                std::process::exit(1);
            }
        }
    });
    Ok(())
}
