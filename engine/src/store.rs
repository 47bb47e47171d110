//! The files of the running server: segments prepared and recycled, snapshots written, completed and pruned.
//!
//! Everything here may take long; a thread of its own does it. The order of steps is what makes a crash at any
//! instant harmless: a snapshot counts when its directory has its final name, a log segment is given up only when a
//! snapshot that counts is behind it.

mod segments;
mod snapshots;

pub use segments::SegmentStore;
pub use snapshots::{SnapshotStore, SnapshotWriter};
