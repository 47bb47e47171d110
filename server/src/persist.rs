//! Durability around the shards: the log of each shard made durable, snapshots on disk, the start from both.
//!
//! The engine appends records to mapped memory and hands out snapshot blocks; it does no I/O. This room has the files
//! and the threads that may take long:
//!
//! ```text
//!  data thread i                         keepers (two threads, low priority)
//!  ┌──────────────────────────────┐      ┌──────────────────────────────────────┐
//!  │ Thread.persist: Local        │─────▶│ log keeper: prepares, unmaps, recycles│  fallocate, zeroing, page faults
//!  │   segments ahead, sync,      │◀─────│                                      │
//!  │   walk of the snapshot       │─────▶│ snapshot keeper: writes, completes,  │  O_DIRECT
//!  │   loading at the start       │◀─────│ prunes                               │
//!  └──────────────────────────────┘      └──────────────────────────────────────┘
//!        │ fsync of segments: by the thread's own ring, asynchronous
//!        ▼
//!  Shared.persist: Persist: what all threads may ask or want: progress of loading, numbers appended and durable by
//!  shard, snapshots wanted and their outcome
//! ```
//!
//! Invariants:
//! - A reply to a write leaves after its record is in the log; under `appendfsync always`, after it is durable.
//! - After a failed sync nothing is acknowledged any more, and the process ends.

mod company;
mod disk;
mod face;
mod fill;
mod keeper;
mod loading;
mod local;
mod lock;
mod log_keeper;
mod mailbox;
mod mapping;
mod shutdown;
mod snapshot_keeper;
mod stroll;
pub(crate) mod sync;
mod taking;
#[cfg(test)]
pub(crate) mod testing;
mod window;
mod wishes;

pub(crate) use disk::Files;
pub(crate) use face::{Persist, Reload, ShardFace, Status, Ticket};
pub(crate) use keeper::{Keepers, Opened, Surroundings};
pub(crate) use local::{Local, Pace};
pub(crate) use shutdown::{Begun, Phase, Saving, ShutdownWish};
