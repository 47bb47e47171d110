//! A data thread's own state, and the few facts all threads share.
//!
//! Everything on the request path is in [`Thread`], which one thread owns. [`Shared`] holds what changes
//! rarely: a thread notices a new configuration by one atomic load a turn.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use locksley_engine::{Millis, Shard, ShardOptions};

use crate::client::{ClientId, ClientSlot, Clients};
use crate::config::Config;
use crate::observe::Counters;

/// A data thread and the shard it owns: 0 to the number of shards less one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ShardId(pub u16);

/// What a handler asks of the loop it runs in, carried out when the batch is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Close a client of this thread once its replies are sent.
    CloseAfterReplies(ClientSlot),
    /// Close a client of this thread now.
    Close(ClientSlot),
    /// Stop the whole server.
    Shutdown,
}

/// What one data thread owns, but for its sockets.
pub(crate) struct Thread {
    /// Which shard.
    pub id: ShardId,
    /// The shard.
    pub shard: Shard,
    /// The time of this turn.
    pub now: Millis,
    /// The settings in force.
    pub config: Arc<Config>,
    /// The clients connected to this thread.
    pub clients: Clients,
    /// What it counted.
    pub counters: Counters,
    /// Its source of chance.
    pub random: Random,
    /// What handlers asked of the loop.
    pub orders: Vec<Order>,
    /// What all threads share.
    pub shared: Arc<Shared>,
    config_generation: u64,
}

/// What all threads share: written rarely, never on the request path.
pub(crate) struct Shared {
    /// Number of data threads.
    pub shard_count: u16,
    /// When the server started.
    pub started_at: Millis,
    /// Forty hexadecimal digits that name this run.
    pub run_id: String,
    config: Mutex<Arc<Config>>,
    config_generation: AtomicU64,
    client_id_next: AtomicU64,
}

impl Shared {
    /// The shared facts of a server that starts now.
    pub(crate) fn new(shard_count: u16, started_at: Millis, run_id: String, config: Config) -> Shared {
        Shared {
            shard_count,
            started_at,
            run_id,
            config: Mutex::new(Arc::new(config)),
            config_generation: AtomicU64::new(1),
            client_id_next: AtomicU64::new(1),
        }
    }

    /// A number for a new client.
    pub(crate) fn next_client_id(&self) -> ClientId {
        ClientId(self.client_id_next.fetch_add(1, Ordering::Relaxed))
    }

    /// The newest configuration.
    pub(crate) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the configuration by `change`, or leaves it when `change` fails; threads see it at their next turn.
    ///
    /// # Errors
    /// Whatever `change` returns.
    pub(crate) fn change_config<E>(&self, change: impl FnOnce(&mut Config) -> Result<(), E>) -> Result<(), E> {
        let mut current = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let mut config = Config::clone(&current);
        change(&mut config)?;
        *current = Arc::new(config);
        self.config_generation.fetch_add(1, Ordering::Release);
        Ok(())
    }
}

impl Thread {
    /// The thread of shard `id`.
    ///
    /// # Errors
    /// When the shard's address space cannot be reserved.
    pub(crate) fn new(id: ShardId, shared: Arc<Shared>, command_count: usize, seed: u64) -> std::io::Result<Thread> {
        let config = shared.config();
        let options =
            ShardOptions { seed, database_count: config.databases, ..shard_options(&config, shared.shard_count) };
        Ok(Thread {
            id,
            shard: Shard::new(options)?,
            now: shared.started_at,
            config,
            clients: Clients::default(),
            counters: Counters::new(command_count),
            random: Random::new(seed ^ u64::from(id.0)),
            orders: Vec::new(),
            config_generation: shared.config_generation.load(Ordering::Acquire),
            shared,
        })
    }

    /// Sets every counter of this thread to zero.
    pub(crate) fn reset_statistics(&mut self) {
        self.counters = Counters::new(self.counters.commands.len());
        self.shard.reset_stats();
    }

    /// Takes over a configuration that was changed since the last call; called once a turn.
    #[inline]
    pub(crate) fn refresh_config(&mut self) {
        let generation = self.shared.config_generation.load(Ordering::Acquire);
        if generation != self.config_generation {
            self.config_generation = generation;
            self.config = self.shared.config();
            self.shard.reconfigure(shard_options(&self.config, self.shared.shard_count));
        }
    }
}

/// The part of the settings that a shard needs; each shard has its even share of the memory.
fn shard_options(config: &Config, shard_count: u16) -> ShardOptions {
    ShardOptions {
        memory_bytes_max: config.maxmemory.div_ceil(u64::from(shard_count)),
        policy: config.maxmemory_policy,
        sample_count: config.maxmemory_samples,
        lfu_log_factor: config.lfu_log_factor,
        lfu_decay_minutes: config.lfu_decay_time,
        ..ShardOptions::default()
    }
}

/// A small generator for choices that need no secrecy.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014), SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A generator whose numbers follow from `seed`.
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number.
    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
