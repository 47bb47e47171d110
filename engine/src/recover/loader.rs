//! Fills one shard from the files of a [`Plan`](super::Plan), some bytes at a time.

use std::io;
use std::sync::Arc;

use crate::disk::Disk;
use crate::lsn::{Lsn, Origin};
use crate::recover::plan::Plan;
use crate::shard::Shard;

/// How a shard is loaded.
pub struct LoaderOptions {
    /// The shard to fill.
    pub shard: u16,
    /// Shards there are now.
    pub shard_count: u16,
    /// The hash slot (0 to 16383) of a key.
    pub slot: fn(&[u8]) -> u16,
    /// Go on behind damage with what is provably good.
    pub repair: bool,
}

/// Why loading stopped.
#[derive(Debug)]
pub enum Fault {
    /// The disk failed.
    Disk {
        /// Where.
        path: String,
        /// How.
        error: io::Error,
    },
    /// Damage before intact data.
    Damage {
        /// Which file.
        path: String,
        /// Where in it, in bytes.
        offset: u64,
        /// What is wrong and what is behind it, as a sentence.
        sentence: String,
    },
    /// The log and the entries do not fit each other, or do not fit into the memory.
    Mismatch {
        /// Which file.
        path: String,
        /// Where in it, in bytes.
        offset: u64,
        /// What is wrong, as a sentence.
        sentence: String,
    },
}

/// Where a log of the plan ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEnd {
    /// Whose log.
    pub origin: Origin,
    /// The segment in which it ends; `None` if the log has none.
    pub segment: Option<(u64, String)>,
    /// Where in that segment the last whole record (of a complete group) ends.
    pub offset: u64,
    /// The number after it.
    pub next_lsn: Lsn,
    /// Whether an End record is there.
    pub is_ended: bool,
    /// Bytes that are cut off behind it because they are no whole record, later segments included; 0 if the log
    /// ends cleanly.
    pub cut_bytes: u64,
    /// Later segments, which hold nothing that counts.
    pub beyond: Vec<String>,
}

/// What loading a shard came to.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The ends of the logs that were read.
    pub ends: Vec<LogEnd>,
    /// The highest number seen in logs and snapshots.
    pub last_lsn: Lsn,
    /// Entries restored from the snapshot.
    pub item_count: u64,
    /// Records replayed.
    pub record_count: u64,
    /// With repair: what was left out, a sentence each.
    pub repairs: Vec<String>,
}

/// How far loading is.
#[derive(Debug)]
pub enum Step {
    /// More is to be read; so many bytes were read so far.
    Reading {
        /// Of the files this loader reads.
        read_bytes: u64,
        /// All it reads.
        total_bytes: u64,
    },
    /// All is read.
    Done(Loaded),
}

/// Fills one shard.
pub struct Loader<D: Disk> {
    _plan: Arc<Plan>,
    _disk: D,
}

impl<D: Disk> Loader<D> {
    /// A loader of what `plan` names.
    pub fn new(_disk: D, _plan: Arc<Plan>, _options: LoaderOptions) -> Loader<D> {
        todo!()
    }

    /// Reads about `bytes` more into `shard`, which was empty and is [replaying](Shard::begin_replay).
    ///
    /// # Errors
    /// A [`Fault`]; the shard is of no use then.
    pub fn step(&mut self, _shard: &mut Shard, _bytes: usize) -> Result<Step, Fault> {
        todo!()
    }
}

/// Ends a log where it ends, durably: cuts off what is behind, writes an End record if there is none, removes later
/// segments. To be done for every log of the plan before a new generation begins.
///
/// # Errors
/// The disk's.
pub fn end_log<D: Disk>(_disk: &D, _end: &LogEnd) -> io::Result<()> {
    todo!()
}
