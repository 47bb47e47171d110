//! A data thread's own state, and the few facts all threads share.
//!
//! Everything on the request path is in [`Thread`], which one thread owns. [`Shared`] holds what changes
//! rarely: a thread notices a new configuration by one atomic load a turn.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use locksley_engine::{Db, Millis, Refusal, Shard, ShardOptions, TtlPolicy};

use crate::client::{Client, ClientId, ClientSlot, Clients};
use crate::command::context::Caller;
use crate::command::effect::{Effect, apply_all};
use crate::command::failure::Failure;
use crate::command::readable::readable;
use crate::command::row::{Command, Flags};
use crate::command::table::table;
use crate::config::Config;
use crate::handed::Handed;
use crate::labels::{Label, Labels};
use crate::leases::Leases;
use crate::limits::{EVICTED_COUNT_NOTED, TIMED_TOGETHER_NANOS_MIN};
use crate::log;
use crate::observe::Counters;
use crate::observe::clock::Nanos;
use crate::observe::events::{Event, Events, Sample};
use crate::observe::hot_keys;
use crate::observe::monitor::without_secrets;
use crate::observe::pulse::Pulses;
use crate::observe::slow_log::{self, SlowEntry, SlowLog};
use crate::pause::Pause;
use crate::persist::{Local, Persist};
use crate::remembered::Remembered;
use crate::waiters::Waiters;

/// A data thread and the shard it owns: 0 to the number of shards less one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ShardId(pub u16);

/// What a handler asks of the loop it runs in, carried out when the batch is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Close a client of this thread once the replies to its requests so far are sent, those included that other
    /// shards still owe; what it sent after them is not run.
    CloseAfterReplies(ClientSlot),
    /// Close a client of this thread now.
    Close(ClientSlot),
    /// Go on writing events to a client of this thread, behind the head of its response.
    Stream(ClientSlot),
    /// Stop the whole server.
    Shutdown,
}

/// What one data thread owns, but for its sockets.
pub(crate) struct Thread {
    /// Which shard.
    pub id: ShardId,
    /// The shard.
    pub shard: Shard,
    /// Who is to make values of the shard.
    pub leases: Leases,
    /// Requests that wait for keys of the shard.
    pub waiters: Waiters,
    /// Its part of durability.
    pub persist: Local,
    /// Bytes of the log that are set aside for changes that were decided on, or are about to be.
    pub log_reserved_bytes: u64,
    /// Whether shards are being filled from the data directory: commands that look at entries are refused.
    pub is_loading: bool,
    /// Whether writes are refused because snapshots fail, which are all that is kept.
    pub is_snapshot_failing: bool,
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
    /// The slowest commands that ran here.
    pub slow_log: SlowLog,
    /// Moments in which it was slow.
    pub events: Events,
    /// Commands that take at least this long are noted in the slow log or as events.
    pub attention: Nanos,
    /// Streams of events to its clients.
    pub event_stream_count: usize,
    /// Entries that the shard had evicted when a write last asked whether there is memory.
    pub evicted_before: u64,
    /// What the tables took when a sample was last taken, in bytes.
    tables_bytes: u64,
    /// Since when entries whose time is over are removed only when somebody asks for them (DEBUG SET-ACTIVE-EXPIRE).
    pub expiry_held_at: Option<Millis>,
    /// When database 0 is to be emptied (`flush_all` with a delay).
    pub flush_at: Option<Millis>,
    /// Which requests of its clients wait, and how long.
    pub pause: Pause,
    /// Whether some client of the server watches all commands: then each request of this thread's clients is to be
    /// shown to the monitors of every thread, as [`monitor::line`](crate::observe::monitor::line).
    pub is_monitored: bool,
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
    /// How durability stands, and what is wanted of it.
    pub persist: Arc<Persist>,
    /// Since when each thread is at its turn.
    pub pulses: Pulses,
    /// Connections that threads are to take over from others.
    pub handed: Handed,
    /// What shards said last, for the time when they are silent.
    pub remembered: Remembered,
    config: Mutex<Arc<Config>>,
    config_generation: AtomicU64,
    client_id_next: AtomicU64,
    slow_id_next: AtomicU64,
    monitor_count: AtomicU32,
    labels: Mutex<Labels>,
    is_stopping: AtomicBool,
    drained_count: AtomicU32,
    client_count: AtomicU32,
}

impl Shared {
    /// The shared facts of a server that starts now.
    pub(crate) fn new(shard_count: u16, started_at: Millis, run_id: String, config: Config) -> Shared {
        Shared {
            shard_count,
            started_at,
            run_id,
            persist: Arc::new(Persist::new(shard_count, started_at)),
            pulses: Pulses::new(shard_count),
            handed: Handed::new(shard_count),
            remembered: Remembered::new(shard_count),
            config: Mutex::new(Arc::new(config)),
            config_generation: AtomicU64::new(1),
            client_id_next: AtomicU64::new(1),
            slow_id_next: AtomicU64::new(0),
            monitor_count: AtomicU32::new(0),
            labels: Mutex::default(),
            is_stopping: AtomicBool::new(false),
            drained_count: AtomicU32::new(0),
            client_count: AtomicU32::new(0),
        }
    }

    /// Asks all threads to stop; each does at its next turn.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
    }

    /// Whether the threads are asked to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// Says that a stopping thread has sent all its replies.
    pub(crate) fn count_drained(&self) {
        self.drained_count.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether all stopping threads have sent all their replies.
    pub(crate) fn are_all_drained(&self) -> bool {
        self.drained_count.load(Ordering::Acquire) >= u32::from(self.shard_count)
    }

    /// Clients connected to all threads.
    pub(crate) fn client_count(&self) -> u32 {
        self.client_count.load(Ordering::Relaxed)
    }

    /// Commands that were slow enough for the slow log since the start.
    pub(crate) fn slow_count(&self) -> u64 {
        self.slow_id_next.load(Ordering::Relaxed)
    }

    /// Grows with each change of the configuration.
    pub(crate) fn config_generation(&self) -> u64 {
        self.config_generation.load(Ordering::Acquire)
    }

    /// A number for a new client.
    pub(crate) fn next_client_id(&self) -> ClientId {
        ClientId(self.client_id_next.fetch_add(1, Ordering::Relaxed))
    }

    fn labels(&self) -> std::sync::MutexGuard<'_, Labels> {
        self.labels.lock().unwrap_or_else(PoisonError::into_inner)
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
        log::adopt(&current);
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
        let mut thread = Thread {
            id,
            shard: Shard::new(options)?,
            leases: Leases::default(),
            waiters: Waiters::default(),
            persist: Local::new(id.0, Arc::clone(&shared.persist)),
            log_reserved_bytes: 0,
            is_loading: false,
            is_snapshot_failing: false,
            now: shared.started_at,
            clients: Clients::default(),
            counters: Counters::new(command_count),
            random: Random::new(seed ^ u64::from(id.0)),
            orders: Vec::new(),
            slow_log: SlowLog::new(config.slowlog_log_slower_than, config.slowlog_max_len as usize),
            events: Events::default(),
            attention: Nanos(u64::MAX),
            event_stream_count: 0,
            evicted_before: 0,
            tables_bytes: 0,
            expiry_held_at: None,
            flush_at: None,
            pause: Pause::default(),
            is_monitored: false,
            config,
            config_generation: shared.config_generation.load(Ordering::Acquire),
            shared,
        };
        thread.attend();
        Ok(thread)
    }

    /// Sets every counter of this thread to zero.
    pub(crate) fn reset_statistics(&mut self) {
        self.shard.reset_stats();
        self.counters.reset(self.shard.memory().used);
    }

    /// Takes over a configuration that was changed since the last call; called once a turn.
    #[inline]
    pub(crate) fn refresh_config(&mut self) {
        let generation = self.shared.config_generation.load(Ordering::Acquire);
        if generation != self.config_generation {
            self.config_generation = generation;
            self.config = self.shared.config();
            self.shard.reconfigure(shard_options(&self.config, self.shared.shard_count));
            self.slow_log.reconfigure(self.config.slowlog_log_slower_than, self.config.slowlog_max_len as usize);
            self.attend();
        }
    }

    /// Starts a turn of the loop at `now`: takes over what other threads changed and starts timing. To be called
    /// after every wait, before the first command runs.
    #[inline]
    pub(crate) fn begin_turn(&mut self, now: Millis) {
        if now < self.now {
            self.waiters.set_back(self.now.0 - now.0);
            self.leases.set_back(self.now.0 - now.0);
        }
        self.now = now;
        self.refresh_config();
        self.persist.begin_turn(&mut self.shard, &self.config);
        let was_loading = self.is_loading;
        self.is_loading = self.persist.is_loading() || self.shared.persist.is_loading();
        if was_loading && !self.is_loading {
            self.begin_anew();
        }
        self.is_snapshot_failing = self.shared.persist.is_snapshot_failing() && stops_on_failure(&self.config);
        self.is_monitored = self.shared.monitor_count.load(Ordering::Relaxed) > 0;
        if self.counters.is_sample_due(now) {
            let memory = self.shard.memory();
            self.tables_bytes = memory.tables;
            self.counters.take_sample(now, memory.used);
            self.shard.tick(now);
            hot_keys::log(self.id.0, &self.shard.take_hot_keys());
        }
        self.counters.start_timing();
    }

    /// Makes sure that the log, if one is kept, has room for records of `bytes` in all beside what is set aside; waits
    /// for the disk where it was not prepared for so much.
    ///
    /// # Errors
    /// `MISCONF` when the disk has no room.
    #[inline]
    pub(crate) fn ensure_log_room(&mut self, bytes: u64) -> Result<(), Failure> {
        if self.shard.has_log_room(bytes + self.log_reserved_bytes) { Ok(()) } else { self.extend_log(bytes) }
    }

    /// Whether writes are accepted, as far as the disk is concerned; asks nothing of it.
    ///
    /// # Errors
    /// `MISCONF` when it does not.
    pub(crate) fn check_writes(&self) -> Result<(), Failure> {
        if self.is_snapshot_failing {
            return Err(Failure::SNAPSHOTS_FAIL);
        }
        let has_room = self.shard.has_log_room(self.log_reserved_bytes);
        if has_room || self.shared.persist.status().write_failure.is_empty() { Ok(()) } else { Err(self.log_failure()) }
    }

    #[cold]
    fn extend_log(&mut self, bytes: u64) -> Result<(), Failure> {
        let start = Instant::now();
        let mut is_refused = false;
        while !is_refused && !self.shard.has_log_room(bytes + self.log_reserved_bytes) {
            is_refused = !self.persist.extend_log(&mut self.shard);
        }
        self.counters.log_stalls += 1;
        self.note_moment(Event::LogStall, start.elapsed().as_millis() as u64);
        if is_refused { Err(self.log_failure()) } else { Ok(()) }
    }

    /// Why nothing can be logged.
    fn log_failure(&self) -> Failure {
        let reason = self.shared.persist.status().write_failure;
        if reason.is_empty() {
            return Failure::LOG_FULL;
        }
        Failure::new(format_args!("MISCONF Errors writing to the AOF file: {reason}"))
    }

    /// Ends the leases of watched keys that somebody changed, and wakes who waits for them.
    #[inline]
    pub(crate) fn settle_touched(&mut self) {
        if self.shard.has_touched() {
            self.take_touched();
        }
    }

    #[cold]
    fn take_touched(&mut self) {
        for touched in self.shard.take_touched() {
            self.leases.end(touched.db, &touched.key);
            self.waiters.wake(touched.db, &touched.key);
        }
    }

    /// Takes note that the shard is another one now, of which no key is watched: leases of what was before end, and those
    /// who wait look anew.
    #[cold]
    fn begin_anew(&mut self) {
        self.leases = Leases::default();
        self.waiters.wake_all();
    }

    /// Watches a key no more, unless there is a lease of it or somebody waits for it.
    pub(crate) fn unwatch_unused(&mut self, db: Db, key: &[u8]) {
        if !self.leases.has(db, key) && !self.waiters.has(db, key) {
            let key = self.shard.key(db, key);
            self.shard.unwatch(key);
        }
    }

    /// Carries out changes that were checked and for which room was set aside, whatever the memory limit and the policy of
    /// times to live have become since.
    ///
    /// # Errors
    /// When the shard refuses nevertheless.
    pub(crate) fn apply_decided(&mut self, effects: &[Effect<'_>]) -> Result<(), Refusal> {
        let options = self.shard.options().clone();
        if options.memory_bytes_max == 0 && !options.ttl.refuses_endless() {
            return apply_all(effects, &mut self.shard, self.now);
        }
        let ttl = TtlPolicy { is_required: false, ..options.ttl };
        self.shard.reconfigure(ShardOptions { memory_bytes_max: 0, ttl, ..options.clone() });
        let applied = apply_all(effects, &mut self.shard, self.now);
        self.shard.reconfigure(options);
        applied
    }

    /// Keeps a client that connected, at a slot that is free.
    pub(crate) fn add_client(&mut self, slot: ClientSlot, client: Client) {
        self.shared.client_count.fetch_add(1, Ordering::Relaxed);
        if self.shared.shard_count > 1 {
            let label = Label { address: client.address, name: client.name.clone() };
            self.shared.labels().insert(client.id, label);
        }
        tracing::debug!("client {} connected: {}", client.id.0, client.door.name());
        self.clients.insert(slot, client);
    }

    /// Forgets a client that is gone.
    pub(crate) fn remove_client(&mut self, slot: ClientSlot) -> Option<Client> {
        self.set_monitor(slot, false);
        let client = self.clients.remove(slot)?;
        self.shared.client_count.fetch_sub(1, Ordering::Relaxed);
        if self.shared.shard_count > 1 {
            self.shared.labels().remove(client.id);
        }
        tracing::debug!("client {} is gone", client.id.0);
        Some(client)
    }

    /// Names a client.
    pub(crate) fn set_client_name(&mut self, slot: ClientSlot, name: &[u8]) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        client.name = name.to_vec();
        self.shared.labels().rename(client.id, name);
    }

    /// Makes a client a monitor, or no longer one; every thread notices at its next turn.
    pub(crate) fn set_monitor(&mut self, slot: ClientSlot, is_monitor: bool) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        match (client.is_monitor, is_monitor) {
            (false, true) => drop(self.shared.monitor_count.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(self.shared.monitor_count.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
        client.is_monitor = is_monitor;
        self.is_monitored |= is_monitor;
    }

    /// Takes over which times are to be noted.
    fn attend(&mut self) {
        self.attention = attention(&self.config);
        self.counters.times_each = self.attention < TIMED_TOGETHER;
    }

    /// Counts the commands whose timing was put off; to be called at the end of a turn's requests.
    #[inline]
    pub(crate) fn settle(&mut self) {
        if let Some((index, took)) = self.counters.settle()
            && took >= self.attention
        {
            self.note_slow_group(index, took);
        }
    }

    /// [`Self::settle`], unless what was put off are commands of this kind.
    #[inline]
    pub(crate) fn settle_others(&mut self, index: usize) {
        if self.counters.has_deferred_other_than(index) {
            self.settle();
        }
    }

    /// The address of a caller, unless it is gone.
    pub(crate) fn client_address(&self, caller: Caller) -> Option<SocketAddr> {
        self.label(caller).map(|label| label.address)
    }

    fn label(&self, caller: Caller) -> Option<Label> {
        if caller.home == self.id {
            let client = self.clients.get(caller.slot).filter(|client| client.id == caller.id)?;
            return Some(Label { address: client.address, name: client.name.clone() });
        }
        self.shared.labels().get(caller.id).cloned()
    }

    /// Notes quick commands that took too long together; which of them it was is not known, nor for whom.
    #[cold]
    fn note_slow_group(&mut self, index: usize, took: Nanos) {
        let entry = table().entries()[index];
        self.note_event(entry.row, took);
        if took >= self.slow_log.threshold {
            let arguments = vec![entry.label().as_bytes().to_vec(), b"(several, timed together)".to_vec()];
            self.push_slow(took, arguments, None);
        }
    }

    fn note_event(&mut self, command: &Command, took: Nanos) {
        let event = if command.flags.contains(Flags::FAST) { Event::FastCommand } else { Event::Command };
        let millis = took.0 / 1_000_000;
        self.note_moment(event, millis);
        if self.shard.stats().evicted >= self.evicted_before + EVICTED_COUNT_NOTED {
            self.note_moment(Event::EvictionCycle, millis);
        }
        self.note_growth(millis);
    }

    /// Notes what took `millis` milliseconds as growth if a table has grown or shrunk of late.
    pub(crate) fn note_growth(&mut self, millis: u64) {
        if self.shard.memory().tables != self.tables_bytes {
            self.note_moment(Event::TableGrowth, millis);
        }
    }

    /// Notes for LATENCY a moment of `millis` milliseconds, if it was as long as the monitor asks for.
    pub(crate) fn note_moment(&mut self, event: Event, millis: u64) {
        let threshold = u64::from(self.config.latency_monitor_threshold);
        if threshold > 0 && millis >= threshold {
            self.events.note(event, Sample { second: self.now.0 / 1_000, millis });
        }
    }

    /// Notes a request that took so long that somebody may want to know.
    #[cold]
    pub(crate) fn note_slow(&mut self, caller: Caller, command: &Command, args: &[&[u8]], took: Nanos) {
        self.note_event(command, took);
        if took >= self.slow_log.threshold && !command.flags.contains(Flags::SKIP_SLOWLOG) {
            let label = self.label(caller);
            let readable = readable(command.group, args);
            let args: Vec<&[u8]> = readable.iter().map(AsRef::as_ref).collect();
            self.push_slow(took, slow_log::shorten(without_secrets(&args)), label);
        }
    }

    fn push_slow(&mut self, took: Nanos, arguments: Vec<Vec<u8>>, label: Option<Label>) {
        let (address, name) = label.map_or_else(Default::default, |label| (label.address.to_string(), label.name));
        self.slow_log.push(SlowEntry {
            id: self.shared.slow_id_next.fetch_add(1, Ordering::Relaxed),
            at: self.now,
            took,
            arguments,
            address,
            name,
        });
    }
}

/// Whether writes are refused when snapshots fail. With a log nothing is lost by that, and nothing would be gained: the
/// disk that takes no snapshot may take the log, and a refusal would last until the next snapshot is due.
#[cold]
fn stops_on_failure(config: &Config) -> bool {
    config.stop_writes_on_bgsave_error && !config.save.0.is_empty() && !config.appendonly
}

/// The part of the settings that a shard needs; each shard has its even share of the memory.
fn shard_options(config: &Config, shard_count: u16) -> ShardOptions {
    ShardOptions {
        memory_bytes_max: config.maxmemory.div_ceil(u64::from(shard_count)),
        policy: config.maxmemory_policy,
        sample_count: config.maxmemory_samples,
        lfu_log_factor: config.lfu_log_factor,
        lfu_decay_minutes: config.lfu_decay_time,
        hot_key_threshold: config.hotkey_threshold,
        ttl: TtlPolicy {
            default_ms: 1_000 * u64::from(config.default_ttl),
            max_ms: 1_000 * u64::from(config.max_ttl),
            jitter_percent: config.ttl_jitter,
            is_required: config.require_ttl,
        },
        ..ShardOptions::default()
    }
}

/// Below this, each command is timed by itself.
const TIMED_TOGETHER: Nanos = Nanos(TIMED_TOGETHER_NANOS_MIN);

/// The least time of a command that the slow log or the latency monitor asks for.
fn attention(config: &Config) -> Nanos {
    let slow = u64::try_from(config.slowlog_log_slower_than).map_or(u64::MAX, |micros| micros.saturating_mul(1_000));
    let event = match config.latency_monitor_threshold {
        0 => u64::MAX,
        millis => u64::from(millis) * 1_000_000,
    };
    Nanos(slow.min(event))
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
