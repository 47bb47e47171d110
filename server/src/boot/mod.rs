//! From the command line to serving threads, and back to a clean exit.

mod allocator;
mod banner;
mod listen;
mod porter;

use std::ffi::OsString;
use std::fmt::Write;
use std::process::ExitCode;
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

use locksley_engine::Millis;
use rustix::rand::{GetRandomFlags, getrandom};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::command::table::table;
use crate::config::command_line::{self, Request, Serve};
use crate::log::{self, crash};
use crate::persist::{Begun, Keepers, Opened, Saving, ShutdownWish, Surroundings};
use crate::reactor::mesh::{Bells, mesh};
use crate::reactor::ring::{Ringer, ring_all};
use crate::thread::{ShardId, Shared, Thread};
use crate::turn::{Reactor, ReactorOptions};
use crate::{doctor, inspect, machine};
use porter::Porter;

/// Runs the server; returns when it has stopped.
pub(crate) fn run() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    if let Some(code) = inspect::run(&words).or_else(|| doctor::run(&words)) {
        return code;
    }
    let outcome = match command_line::read(words) {
        Ok(Request::Serve(serve)) => start(*serve),
        Ok(Request::Print(text)) => {
            print!("{text}");
            Ok(())
        }
        Err(sentence) => Err(sentence),
    };
    log::finish();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Checks the machine, opens the ports, starts the threads and waits until they stop.
fn start(serve: Serve) -> Result<(), String> {
    let Serve { mut config, ignored } = serve;
    log::start(&config)?;
    crash::arm();
    if !ignored.is_empty() {
        tracing::warn!("settings of Redis that have no effect here: {}", ignored.join(", "));
    }
    allocator::tame();
    std::fs::create_dir_all(&config.dir)
        .map_err(|error| format!("the data directory {} cannot be made: {error}", config.dir.display()))?;
    let opened = Opened::new(&config)?;
    let machine = machine::machine(config.maxclients, config.shards)?;
    config.maxclients = machine.client_count_max;
    if config.shards == 0 {
        config.shards = machine.cores.len() as u16;
    }
    banner::show(&config, &machine);
    let slot_count = config.maxclients;
    let shards = config.shards;
    let listeners: Vec<_> = (0..shards).map(|shard| listen::open(&config, shard)).collect::<Result<_, String>>()?;
    let shared = Arc::new(Shared::new(shards, now(), run_id()?, config));
    log::adopt(&shared.config());
    Keepers::announce(&shared.persist);
    let bells = Bells::new(shards);
    let porter = Porter::new(&listeners, &shared, &bells)
        .map_err(|error| format!("the thread for connections of stalled threads cannot be made: {error}"))?;
    // The last to come is this thread, which then knows that all listeners are served.
    let ready = Arc::new(Barrier::new(usize::from(shards) + 1));
    let seed = random()?;
    let ends = listeners.into_iter().zip(mesh(&bells));
    let mut threads = Vec::new();
    for (index, (listeners, mesh)) in (0..shards).zip(ends) {
        let core = (usize::from(shards) <= machine.cores.len()).then(|| machine.cores[usize::from(index)]);
        let recruit = Recruit {
            id: ShardId(index),
            core,
            seed,
            shared: Arc::clone(&shared),
            options: ReactorOptions { listeners, slot_count, mesh, bells: bells.clone() },
            ready: Arc::clone(&ready),
        };
        threads.push(recruit.start()?);
    }
    stop_on_signal(&shared, &bells)?;
    ready.wait();
    if let Some(porter) = porter {
        porter
            .start()
            .map_err(|error| format!("the thread for connections of stalled threads cannot be started: {error}"))?;
    }
    let keepers = start_keepers(opened, &shared, &bells)?;
    for thread in threads {
        thread.join().map_err(|_| "a data thread failed".to_owned())?;
    }
    keepers.stop();
    tracing::info!("Locksley is now ready to exit, bye bye...");
    Ok(())
}

/// Starts the keepers, which have the shards loaded and then say that the server is ready.
fn start_keepers(opened: Opened, shared: &Arc<Shared>, bells: &Bells) -> Result<Keepers, String> {
    let ringer = Ringer::new().map_err(|error| format!("the keepers cannot make their io_uring: {error}"))?;
    let (bells, settings) = (bells.clone(), Arc::clone(shared));
    let around = Surroundings {
        ring: Box::new(move |shard| bells.ring(shard).into_iter().for_each(|descriptor| ringer.ring(descriptor))),
        config: Box::new(move || settings.config()),
    };
    Keepers::start(opened, &shared.persist, around)
}

/// A data thread before it runs.
struct Recruit {
    id: ShardId,
    core: Option<usize>,
    seed: u64,
    shared: Arc<Shared>,
    options: ReactorOptions,
    ready: Arc<Barrier>,
}

impl Recruit {
    fn start(self) -> Result<JoinHandle<()>, String> {
        let name = format!("shard-{}", self.id.0);
        let started = thread::Builder::new().name(name).spawn(move || self.run());
        started.map_err(|error| format!("a data thread cannot be started: {error}"))
    }

    /// The whole life of a data thread; one that cannot go on takes the process with it, because the keys it owns are
    /// served by nobody else.
    fn run(self) {
        let Recruit { id, core, seed, shared, options, ready } = self;
        if let Some(core) = core {
            machine::pin(core);
        }
        let thread = Thread::new(id, shared, table().entries().len(), seed);
        let thread = thread.unwrap_or_else(|error| fail(id, "cannot reserve its memory", &error.to_string()));
        let mut reactor = Reactor::new(thread, options)
            .unwrap_or_else(|error| fail(id, "cannot serve", &machine::ring_sentence(&error)));
        ready.wait();
        reactor.run().unwrap_or_else(|error| fail(id, "lost its io_uring", &error.to_string()));
    }
}

fn fail(id: ShardId, what: &str, error: &str) -> ! {
    eprintln!("shard {} {what}: {error}", id.0);
    log::exit(1);
}

/// Stops the server at the first SIGTERM or SIGINT, and exits at once at the second.
fn stop_on_signal(shared: &Arc<Shared>, bells: &Bells) -> Result<(), String> {
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(|error| format!("signals cannot be caught: {error}"))?;
    let (shared, bells) = (Arc::clone(shared), bells.clone());
    let waiting = move || {
        for (index, signal) in signals.forever().enumerate() {
            if index > 0 {
                tracing::warn!("a second signal: exiting at once");
                log::exit(1);
            }
            let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
            tracing::info!("Received {name}, shutting down");
            let (persist, config) = (&shared.persist, shared.config());
            // With a log nothing is lost if the snapshot fails, so that whoever supervises the server gets what it wants.
            let is_forced = config.appendonly && persist.status().write_failure.is_empty();
            let wish = ShutdownWish { saving: Saving::AsConfigured, is_forced };
            match persist.shutdown.begin(persist, &config, wish) {
                Begun::Stop => shared.stop(),
                Begun::Pending(_) => tracing::info!("Taking a snapshot first; a second signal stops without it"),
            }
            if let Err(error) = ring_all(bells.rings()) {
                tracing::error!("the data threads cannot be woken ({error}): exiting at once");
                log::exit(1);
            }
        }
    };
    let started = thread::Builder::new().name("signals".to_owned()).spawn(waiting);
    started.map(drop).map_err(|error| format!("the thread for signals cannot be started: {error}"))
}

/// Forty hexadecimal digits that name this run.
fn run_id() -> Result<String, String> {
    let mut id = String::with_capacity(48);
    while id.len() < 40 {
        write!(id, "{:016x}", random()?).expect("a string takes all that is written");
    }
    id.truncate(40);
    Ok(id)
}

/// Chance from the kernel.
fn random() -> Result<u64, String> {
    let mut bytes = [0; 8];
    let length = getrandom(&mut bytes, GetRandomFlags::empty());
    length.map_err(|error| format!("the kernel gives no random numbers: {error}"))?;
    Ok(u64::from_ne_bytes(bytes))
}

fn now() -> Millis {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(elapsed.as_millis() as u64)
}
