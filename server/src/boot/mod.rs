//! From the command line to serving threads, and back to a clean exit.

use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use locksley_engine::Millis;

use crate::client::Door;
use crate::command::table::table;
use crate::config::Config;
use crate::config::command_line::{self, Request};
use crate::reactor::listener::{Listener, ListenerOptions, claim};
use crate::thread::{ShardId, Shared, Thread};
use crate::turn::{Reactor, ReactorOptions};

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

fn serve(config: Config) -> Result<(), String> {
    let shards = config.shards.max(1);
    let shared = Arc::new(Shared::new(shards, Millis(0), "0".repeat(40), config.clone()));
    let mut threads = Vec::new();
    for index in 0..shards {
        let listeners = listeners(&config, index == 0)?;
        let shared = Arc::clone(&shared);
        threads.push(thread::spawn(move || {
            let thread = Thread::new(ShardId(index), shared, table().entries().len(), 1).expect("a shard");
            let mut reactor = Reactor::new(thread, ReactorOptions { listeners, slot_count: 10_100 }).expect("a ring");
            reactor.run().expect("a ring");
        }));
    }
    tracing::info!("Ready to accept connections");
    for thread in threads {
        thread.join().map_err(|_| "a data thread failed".to_owned())?;
    }
    Ok(())
}

fn listeners(config: &Config, is_first: bool) -> Result<Vec<Listener>, String> {
    let options =
        ListenerOptions { door: Door::Shared, backlog: config.tcp_backlog, keepalive_seconds: config.tcp_keepalive };
    let mut listeners = Vec::new();
    for host in &config.bind {
        let (host, optional) = host.strip_prefix('-').map_or((host.as_str(), false), |host| (host, true));
        let addresses: Vec<SocketAddr> =
            (host, config.port).to_socket_addrs().map_err(|error| format!("{host}: {error}"))?.collect();
        for address in addresses {
            let opened = if is_first { claim(address) } else { Ok(()) }.and_then(|()| Listener::open(address, options));
            match opened {
                Ok(listener) => listeners.push(listener),
                Err(_) if optional => {}
                Err(error) => return Err(format!("cannot listen at {address}: {error}")),
            }
        }
    }
    Ok(listeners)
}
