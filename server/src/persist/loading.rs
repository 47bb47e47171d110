//! Loading all shards from the data directory: at the start, and again when somebody asks.
//!
//! ```text
//! plan ─▶ every shard fills itself ─▶ old logs are ended, durably ─▶ leftovers go ─▶ new generation ─▶ serve
//! ```
//!
//! Whatever goes wrong ends the process: there is nothing to serve, and what is on the disk is as it was.
//!
//! With `--repair` and something to repair, everything there was is set aside instead, and the new generation counts
//! from a snapshot that is taken before clients are served; until then the old files are as they were.
//!
//! Invariants:
//! - No log of the new generation is written to before every older one is durably ended, or set aside.
//! - Shards serve once all of them can: a command over several finds all of them loaded.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use locksley_engine::recover::{Fault, Loaded, LogEnd, Plan, PlanFault, plan, settle};
use locksley_engine::store::SnapshotStore;

use super::disk::Files;
use super::face::{Persist, Reload};
use super::log_keeper::LogOrder;
use super::mailbox::Letter;
use super::snapshot_keeper::{Order, SnapshotKeeper, Stopping, now};
use crate::log;

/// What is set aside.
const LOGS: &str = "wal";
/// See above.
const SNAPSHOTS: &str = "snapshots";
/// Where to.
const DAMAGED: &str = "damaged";

impl SnapshotKeeper {
    /// Loads what the server starts with.
    pub(super) fn start(&mut self, plan: Plan) -> Result<(), Stopping> {
        let repair = (self.config)().repair;
        self.load(plan, repair)?;
        tracing::info!("Ready to accept connections");
        Ok(())
    }

    /// Empties all shards and loads them again.
    pub(super) fn reload(&mut self, reload: Reload) -> Result<(), Stopping> {
        let is_saved = match reload {
            Reload::AsIs => true,
            Reload::Snapshot => self.save_first()?,
        };
        if is_saved {
            tracing::info!("reloading from the data directory");
            self.persist.set_loading(true);
            self.broadcast(|| Letter::Empty);
            self.await_all(|news| matches!(news, Order::LogClosed | Order::Emptied))?;
            let found = plan(&self.files, false);
            let plan = found.unwrap_or_else(|fault| give_up(&plan_sentence(&(self.config)().dir, &fault)));
            self.load(plan, false)?;
        }
        self.persist.wishes().end_reload();
        self.persist.wake_all();
        Ok(())
    }

    fn save_first(&mut self) -> Result<bool, Stopping> {
        let outcome = self.take_snapshot()?;
        Ok(outcome.is_ok())
    }

    /// Has all shards filled, and begins a generation.
    fn load(&mut self, plan: Plan, repair: bool) -> Result<(), Stopping> {
        let start = Instant::now();
        let began_at = now();
        self.persist.lock_status().load_began_at = began_at;
        self.persist.set_loading(true);
        let plan = Arc::new(plan);
        self.broadcast(|| Letter::Load { plan: Arc::clone(&plan), repair, now: began_at });
        let loaded = self.await_loaded(repair)?;
        let repairs = repairs(&plan, &loaded);
        let ends = log_ends(&loaded);
        if repairs.is_empty() {
            self.settle(&plan, &ends);
        } else {
            self.set_aside(&repairs);
        }
        self.note_loaded(&loaded, &ends, start);
        let last = loaded.iter().map(|loaded| loaded.last_lsn).max().unwrap_or_default();
        self.generation = plan.generation_next;
        self.replayed_bytes = ends.iter().map(|end| replayed_bytes(&plan, end)).sum();
        self.persist.lock_status().last_snapshot_bytes =
            plan.snapshot.as_ref().map_or(0, |of| self.snapshot_bytes(of.id));
        self.store = Some(SnapshotStore::new(self.files.clone(), plan.snapshot_ids.clone(), plan.snapshot_id_next));
        self.forget_counts();
        let config = (self.config)();
        self.persist.tell_log(LogOrder::Reset { segment_bytes: config.wal_segment_size });
        self.broadcast(|| Letter::Serve { last });
        self.await_all(|news| matches!(news, Order::Serving))?;
        self.is_logging = config.appendonly;
        if config.appendonly {
            let needs_snapshot = !repairs.is_empty();
            self.persist.tell_log(LogOrder::Begin { generation: self.generation, needs_snapshot });
            self.await_all(|news| matches!(news, Order::LogOpened))?;
        }
        if !repairs.is_empty() {
            // It takes the place of what is damaged, so that the next start finds nothing to repair.
            if let Err(sentence) = self.take_snapshot()? {
                give_up(&format!("what was repaired could not be saved: {sentence}"));
            }
        }
        self.persist.set_loading(false);
        self.persist.wake_all();
        Ok(())
    }

    /// Waits for all loaders, and says about once a second how far they are.
    fn await_loaded(&mut self, repair: bool) -> Result<Vec<Loaded>, Stopping> {
        let mut all = Vec::new();
        let mut pace = Pace::new();
        while all.len() < usize::from(self.shard_count()) {
            if let Some(Order::Loaded(outcome)) = self.news()? {
                let loaded =
                    outcome.unwrap_or_else(|fault| give_up(&fault_sentence(&(self.config)().dir, &fault, repair)));
                all.push(loaded);
            }
            pace.say(&self.persist);
        }
        Ok(all)
    }

    /// Ends the old logs and removes what counts no more.
    fn settle(&self, plan: &Plan, ends: &[LogEnd]) {
        settle(&self.files, plan, ends).unwrap_or_else(|error| {
            give_up(&format!("old logs cannot be ended in the data directory: {error}"));
        });
    }

    /// Keeps what was found as it was found, under another name: what a repair leaves out is in there.
    fn set_aside(&self, repairs: &[String]) {
        for repair in repairs {
            tracing::warn!(target: log::WHOLE, "repair: {repair}");
        }
        let kept = self.files.keep(&[LOGS, SNAPSHOTS], DAMAGED, now());
        let kept = kept.unwrap_or_else(|error| give_up(&format!("what is damaged cannot be set aside: {error}")));
        tracing::warn!("repair: the directory as it was found is kept in {}", (self.config)().dir.join(kept).display());
    }

    fn note_loaded(&self, loaded: &[Loaded], ends: &[LogEnd], start: Instant) {
        for end in ends.iter().filter(|end| end.cut_bytes > 0) {
            let name = end.segment.as_ref().map_or("", |segment| &segment.1);
            let (offset, bytes, count) = (end.offset, end.cut_bytes, end.cut_frame_count);
            tracing::warn!(
                "{name}: the log ends at offset {offset}; {bytes} bytes behind it are no whole record and were cut off ({count} intact records lie behind the gap)"
            );
        }
        let took = start.elapsed();
        let mut status = self.persist.lock_status();
        status.load_ms = took.as_millis() as u64;
        status.loaded_items = loaded.iter().map(|loaded| loaded.item_count).sum();
        status.loaded_records = loaded.iter().map(|loaded| loaded.record_count).sum();
        status.cut_bytes = ends.iter().map(|end| end.cut_bytes).sum();
        if status.loaded_items + status.loaded_records > 0 {
            tracing::info!(
                "loaded {} entries of a snapshot and {} records of the log in {:.3} seconds",
                status.loaded_items,
                status.loaded_records,
                took.as_secs_f64()
            );
        }
    }

    /// The shards count changes and bytes of the log anew.
    fn forget_counts(&self) {
        let mut status = self.persist.lock_status();
        status.change_count_at_snapshot = 0;
        status.log_bytes_at_snapshot = 0;
    }
}

/// What was left out or mended, a sentence each: several loaders may have met the same damage.
fn repairs(plan: &Plan, loaded: &[Loaded]) -> Vec<String> {
    let mut repairs: Vec<String> = Vec::new();
    for repair in plan.repairs.iter().chain(loaded.iter().flat_map(|loaded| &loaded.repairs)) {
        if !repairs.contains(repair) {
            repairs.push(repair.clone());
        }
    }
    repairs
}

/// Bytes of the log that ends at `end`.
fn replayed_bytes(plan: &Plan, end: &LogEnd) -> u64 {
    let Some((last, _)) = end.segment else { return 0 };
    let mut logs = plan.generations.iter().flat_map(|generation| &generation.logs);
    let log = logs.find(|log| log.origin == end.origin);
    let segments = log.map_or(&[][..], |log| &log.segments).iter();
    let earlier = segments.filter(|segment| segment.sequence < last && segment.first_lsn.is_some());
    earlier.map(|segment| segment.bytes).sum::<u64>() + end.offset
}

/// The ends of all old logs, each once: several loaders may have read the same log.
fn log_ends(loaded: &[Loaded]) -> Vec<LogEnd> {
    let mut ends: Vec<LogEnd> = Vec::new();
    for end in loaded.iter().flat_map(|loaded| &loaded.ends) {
        match ends.iter().find(|other| other.origin == end.origin) {
            Some(other) => assert_eq!(other, end, "all loaders find the same end of a log"),
            None => ends.push(end.clone()),
        }
    }
    ends
}

/// Says how far loading is.
struct Pace {
    start: Instant,
    said_at: Instant,
}

impl Pace {
    fn new() -> Pace {
        let now = Instant::now();
        Pace { start: now, said_at: now }
    }

    fn say(&mut self, persist: &Persist) {
        if self.said_at.elapsed().as_secs() < 1 {
            return;
        }
        self.said_at = Instant::now();
        let sum = |of: fn(&super::face::ShardFace) -> u64| persist.shards().iter().map(of).sum::<u64>();
        let read = sum(|shard| shard.loaded_bytes.load(Ordering::Relaxed));
        let total = sum(|shard| shard.load_total_bytes.load(Ordering::Relaxed)).max(1);
        let seconds = self.start.elapsed().as_secs_f64();
        let rate = read as f64 / seconds;
        let left = total.saturating_sub(read) as f64 / rate.max(1.0);
        let percent = 100.0 * read as f64 / total as f64;
        tracing::info!("loading: {percent:.1} %, {:.0} MB/s, about {left:.0} seconds to go", rate / 1e6);
    }
}

/// Ends the process, with nothing loaded.
fn give_up(sentence: &str) -> ! {
    tracing::error!("{sentence}");
    eprintln!("{sentence}");
    log::exit(1);
}

/// Why the data directory at `dir` cannot be planned for, and what can be done.
pub(super) fn plan_sentence(dir: &Path, fault: &PlanFault) -> String {
    let place = |path: &str| dir.join(path).display().to_string();
    match fault {
        PlanFault::Disk { path, error } => format!("{} cannot be read: {error}", place(path)),
        PlanFault::Version { path, found } => {
            format!("{} has format version {found}, which this server does not know: a newer one wrote it", place(path))
        }
        PlanFault::Damage { path, sentence } => with_ways_out(format!("{} is damaged: {sentence}", place(path)), false),
    }
}

/// Why a shard cannot be loaded from the data directory at `dir`, and what can be done.
fn fault_sentence(dir: &Path, fault: &Fault, repair: bool) -> String {
    let place = |path: &str| dir.join(path).display().to_string();
    match fault {
        Fault::Disk { path, error } => format!("{} cannot be read: {error}", place(path)),
        Fault::Damage { path, offset, sentence } => {
            with_ways_out(format!("{} is damaged at offset {offset}: {sentence}", place(path)), repair)
        }
        Fault::Mismatch { path, offset, sentence } => {
            with_ways_out(format!("{} does not fit at offset {offset}: {sentence}", place(path)), repair)
        }
    }
}

fn with_ways_out(mut sentence: String, repair: bool) -> String {
    let _ = write!(sentence, "; nothing was changed. Either restore the data directory from a backup");
    if !repair {
        let _ = write!(
            sentence,
            ", or start once with --repair, which keeps all that is provably good and moves the rest aside"
        );
    }
    sentence
}

/// Looks through the data directory in `files`, at `dir`.
///
/// # Errors
/// A sentence that says what can be done.
pub(super) fn plan_for(files: &Files, dir: &Path, repair: bool) -> Result<Plan, String> {
    plan(files, repair).map_err(|fault| plan_sentence(dir, &fault))
}
