//! The keepers: the two threads that do for the shards what may take long.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use locksley_engine::recover::Plan;

use super::disk::Files;
use super::face::{Lines, Persist};
use super::loading::plan_for;
use super::lock::DirectoryLock;
use super::log_keeper::{LogKeeper, LogOrder};
use super::snapshot_keeper::{Order, SnapshotKeeper};
use crate::config::Config;
use crate::limits::{LOCK_PATIENCE_SECONDS, SNAPSHOT_KEEPER_NICENESS};

/// A data directory that is this process's, and what is to be loaded from it.
pub(crate) struct Opened {
    lock: DirectoryLock,
    files: Files,
    plan: Plan,
}

impl Opened {
    /// Locks the directory of `config` and looks through it.
    ///
    /// # Errors
    /// A sentence that says what can be done.
    pub(crate) fn new(config: &Config) -> Result<Opened, String> {
        let lock = DirectoryLock::take(&config.dir, Duration::from_secs(LOCK_PATIENCE_SECONDS))?;
        let files = Files::new(&config.dir);
        let plan = plan_for(&files, &config.dir, config.repair)?;
        Ok(Opened { lock, files, plan })
    }
}

/// What the keepers need of the server around them.
pub(crate) struct Surroundings {
    /// Rings at the data thread of a shard.
    pub ring: Box<dyn Fn(u16) + Send + Sync>,
    /// The settings in force.
    pub config: Box<dyn Fn() -> Arc<Config> + Send>,
}

/// The running keepers.
pub(crate) struct Keepers {
    persist: Arc<Persist>,
    threads: Vec<JoinHandle<()>>,
    _lock: DirectoryLock,
}

impl Keepers {
    /// Says that the shards are to be loaded; to be called before the first client can ask anything.
    pub(crate) fn announce(persist: &Persist) {
        persist.set_loading(true);
    }

    /// Starts them, when all data threads can be rung at; they have the shards loaded first of all.
    ///
    /// # Errors
    /// A sentence, when a thread cannot be started.
    pub(crate) fn start(opened: Opened, persist: &Arc<Persist>, around: Surroundings) -> Result<Keepers, String> {
        let Opened { lock, files, plan } = opened;
        let (log, log_orders) = channel();
        let (snapshot, snapshot_orders) = channel();
        persist.connect(Lines { ring: around.ring, log, snapshot });
        let log_keeper = LogKeeper::new(files.clone(), Arc::clone(persist), log_orders);
        let snapshot_keeper = SnapshotKeeper::new(files, Arc::clone(persist), around.config, snapshot_orders);
        let threads = vec![
            spawn("log-keeper", move || log_keeper.run())?,
            spawn("snapshots", move || {
                // Refused to nobody; where it is, snapshots take more of the processor.
                let _ = rustix::process::nice(SNAPSHOT_KEEPER_NICENESS);
                snapshot_keeper.run();
            })?,
        ];
        persist.tell_snapshots(Order::Start(Box::new(plan)));
        Ok(Keepers { persist: Arc::clone(persist), threads, _lock: lock })
    }

    /// Stops them, when the data threads have stopped.
    pub(crate) fn stop(self) {
        self.persist.tell_snapshots(Order::Stop);
        self.persist.tell_log(LogOrder::Stop);
        for thread in self.threads {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, String> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(body);
    started.map_err(|error| format!("the thread {name} cannot be started: {error}"))
}
