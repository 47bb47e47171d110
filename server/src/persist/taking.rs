//! Taking a snapshot: all shards walk, the keeper writes.
//!
//! Each shard has its own instant and its own file; the snapshot counts when all files are complete and durable. A
//! shard that gives up (everything was flushed, or too many entries about to change wait for the disk) ends the
//! attempt, and another one begins.

use std::io;
use std::time::Instant;

use locksley_engine::recover::snapshot_path;
use locksley_engine::store::SnapshotWriter;
use locksley_engine::{Lsn, Origin};

use super::log_keeper::LogOrder;
use super::mailbox::{Letter, Urgency};
use super::snapshot_keeper::{Order, SnapshotKeeper, Stopping, WalkNews, now};
use crate::limits::SNAPSHOT_ATTEMPT_COUNT_MAX;

/// Why an attempt came to nothing.
enum Vain {
    GivenUp,
    Failed(io::Error),
    Stopping,
}

impl From<io::Error> for Vain {
    fn from(error: io::Error) -> Vain {
        Vain::Failed(error)
    }
}

impl From<Stopping> for Vain {
    fn from(_: Stopping) -> Vain {
        Vain::Stopping
    }
}

/// What the shards said when they began.
#[derive(Clone, Copy, Default)]
struct Beginning {
    change_count: u64,
    log_bytes: u64,
}

impl SnapshotKeeper {
    /// Takes a snapshot; an error of it is a sentence.
    pub(super) fn take_snapshot(&mut self) -> Result<Result<(), String>, Stopping> {
        let began_at = now();
        let start = Instant::now();
        self.persist.lock_status().snapshot_began_at = Some(began_at);
        let mut outcome =
            Err("it was given up again and again: everything was flushed, or the disk is too slow".to_owned());
        for attempt in 1..=SNAPSHOT_ATTEMPT_COUNT_MAX {
            match self.attempt() {
                Ok(done) => {
                    self.note_success(&done, start);
                    outcome = Ok(());
                    break;
                }
                Err(Vain::GivenUp) => tracing::warn!("the snapshot was given up, attempt {attempt}"),
                Err(Vain::Failed(error)) => {
                    outcome = Err(format!("the snapshot could not be written: {error}"));
                    break;
                }
                Err(Vain::Stopping) => return Err(Stopping),
            }
        }
        let mut status = self.persist.lock_status();
        status.snapshot_began_at = None;
        status.is_last_snapshot_good = outcome.is_ok();
        status.last_snapshot_error = outcome.clone().err().unwrap_or_default();
        drop(status);
        self.persist.note_snapshot(&outcome);
        if let Err(sentence) = &outcome {
            tracing::error!("{sentence}");
        }
        Ok(outcome)
    }

    /// One attempt: whatever it comes to, no shard takes part in it any more.
    fn attempt(&mut self) -> Result<Done, Vain> {
        self.attempt += 1;
        let (generation, shard_count) = (self.generation, self.shard_count());
        let mut writer = self.store().begin(generation, shard_count)?;
        let attempt = self.attempt;
        self.broadcast(|| Letter::BeginSnapshot { attempt });
        let written = self.write_all(&mut writer);
        let beginning = match written {
            Ok(beginning) => beginning,
            Err(vain) => {
                self.broadcast(|| Letter::AbandonSnapshot);
                self.discard(writer);
                return Err(vain);
            }
        };
        let bytes = self.store().written_bytes(&writer);
        let instants = self.store().commit(writer)?;
        Ok(Done { bytes, instants, beginning })
    }

    /// Writes what the shards send until all have sent all.
    fn write_all(&mut self, writer: &mut SnapshotWriter) -> Result<Beginning, Vain> {
        let mut beginning = Beginning::default();
        let mut left = self.shard_count();
        while left > 0 {
            let Some(Order::Walk { shard, attempt, walk }) = self.news()? else { continue };
            if attempt != self.attempt {
                continue;
            }
            match walk {
                WalkNews::Began { lsn, fence, change_count, log_bytes } => {
                    let origin = Origin { generation: self.generation, shard, shard_count: self.shard_count() };
                    self.store().begin_shard(writer, origin, lsn, fence)?;
                    beginning.change_count += change_count;
                    beginning.log_bytes += log_bytes;
                }
                WalkNews::Block(mut block) => {
                    self.store().write(writer, shard, &mut block)?;
                    self.persist.write_to(shard, Letter::Written(block), Urgency::WhenAwaited);
                }
                WalkNews::Walked(footer) => {
                    self.store().finish_shard(writer, shard, footer)?;
                    left -= 1;
                }
                WalkNews::GaveUp => return Err(Vain::GivenUp),
            }
        }
        Ok(beginning)
    }

    fn discard(&mut self, writer: SnapshotWriter) {
        if let Err(error) = self.store().discard(writer) {
            tracing::warn!("an unfinished snapshot could not be removed; the next start does: {error}");
        }
    }

    /// The snapshot counts: says so, and frees what is behind it.
    fn note_success(&mut self, done: &Done, start: Instant) {
        let took = start.elapsed();
        let mut status = self.persist.lock_status();
        status.last_snapshot_at = now();
        status.last_snapshot_ms = Some(took.as_millis() as u64);
        status.last_snapshot_bytes = done.bytes;
        status.snapshot_count += 1;
        status.change_count_at_snapshot = done.beginning.change_count;
        status.log_bytes_at_snapshot = done.beginning.log_bytes;
        drop(status);
        self.replayed_bytes = 0;
        tracing::info!("a snapshot of {} bytes was complete after {:.2} seconds", done.bytes, took.as_secs_f64());
        let keep = (self.config)().snapshot_keep as usize;
        if let Err(error) = self.store().prune(keep) {
            tracing::warn!("old snapshots could not be removed, for now: {error}");
        }
        let instants = done.instants.clone();
        self.persist.tell_log(LogOrder::Retire { generation: self.generation, instants });
    }

    /// Bytes of a complete snapshot on the disk.
    pub(super) fn snapshot_bytes(&self, id: u64) -> u64 {
        use locksley_engine::disk::Disk;
        let files = self.files.list(&snapshot_path(id)).unwrap_or_default();
        files.iter().map(|file| file.bytes).sum()
    }

    fn store(&mut self) -> &mut locksley_engine::store::SnapshotStore<super::disk::Files> {
        self.store.as_mut().expect("snapshots are taken once the directory was read")
    }
}

/// A snapshot that counts.
struct Done {
    bytes: u64,
    instants: Vec<Lsn>,
    beginning: Beginning,
}
