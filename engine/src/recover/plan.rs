//! What of a data directory counts, from names and file heads alone.

use std::io;

use crate::disk::Disk;
use crate::lsn::{Lsn, Origin};

/// What a start has to read, in order: the snapshot, then the generations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The newest complete snapshot.
    pub snapshot: Option<SnapshotFiles>,
    /// The logs from the snapshot's generation on, ascending.
    pub generations: Vec<GenerationFiles>,
    /// Files and directories that count no more: snapshots in the making, logs of generations before the snapshot's,
    /// prepared segments, generations that lack their snapshot. To be removed before a new generation begins.
    pub leftovers: Vec<String>,
    /// The number of the generation that begins now: higher than any seen.
    pub generation_next: u64,
    /// The id of the next snapshot: higher than any seen.
    pub snapshot_id_next: u64,
    /// Bytes to be read by a loader of everything, for progress.
    pub bytes: u64,
    /// Complete snapshots, ascending, by id; the last is the one in `snapshot`.
    pub snapshot_ids: Vec<u64>,
}

/// A complete snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFiles {
    /// Its number.
    pub id: u64,
    /// The generation in which it was taken.
    pub generation: u64,
    /// By shard: its instant, and the file.
    pub files: Vec<(Lsn, String)>,
}

/// The logs of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationFiles {
    /// Its number.
    pub generation: u64,
    /// By shard.
    pub logs: Vec<LogFiles>,
}

/// The segments of one shard's log that were used, ascending without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFiles {
    /// Whose.
    pub origin: Origin,
    /// Each one's sequence, number of its first record, and file.
    pub segments: Vec<(u64, Lsn, String)>,
}

/// Why a directory cannot be planned for.
#[derive(Debug)]
pub enum PlanFault {
    /// The disk failed.
    Disk {
        /// Where.
        path: String,
        /// How.
        error: io::Error,
    },
    /// A file of a format that this program does not know.
    Version {
        /// Which file.
        path: String,
        /// Its version.
        found: u32,
    },
    /// A file that must be there is missing or has a damaged head.
    Damage {
        /// Which file.
        path: String,
        /// What is wrong, as a sentence.
        sentence: String,
    },
}

/// Looks through the data directory. With `repair`, what is damaged is left out of the plan and listed as
/// `leftovers` where otherwise there would be a fault.
///
/// # Errors
/// When what is there cannot be loaded as it is.
pub fn plan<D: Disk>(_disk: &D, _repair: bool) -> Result<Plan, PlanFault> {
    todo!()
}
