//! From a data directory to shards: what is in it, what of it counts, and reading it.
//!
//! ```text
//! DIR/
//!   lock                                              held by the running server
//!   wal/<generation>/<shard>-<sequence>.wal           generation 16 hex digits, shard 4, sequence 10 decimal digits
//!   snapshots/<id>/<shard>.snap                       complete: renamed from <id>.tmp when all files were durable
//!   damaged/<date>-.../                               what --repair moved aside
//! ```
//!
//! What counts: the newest complete snapshot, then the logs of its generation behind its instants, then the logs of
//! all later generations, in order. Each start of the server begins a generation, after it has ended ([`Body::End`]
//! (crate::wal::Body)) the logs of the one before: so every log but the newest generation's must end with an End.
//!
//! To any number of shards: a loader fills one new shard and reads only what may hold keys of its slots, which are
//! the files of few old shards, since the slots of a shard are one range. Loaders know nothing of each other.

#[cfg(test)]
mod crash;
mod directory;
mod fault;
mod loader;
mod log;
mod plan;
mod ranges;
#[cfg(test)]
mod sweep;

pub use directory::{generation_path, log_path, snapshot_file_path, snapshot_path, snapshot_temporary_path};
pub use fault::Fault;
pub use loader::{Loaded, Loader, LoaderOptions, Step};
pub use log::{LogEnd, LogReader, end_log, settle};
pub use plan::{GenerationFiles, LogFiles, Plan, PlanFault, SegmentFile, SnapshotFile, SnapshotFiles, plan};
