//! Snapshots: all entries of a shard as they were at one instant, written while the shard goes on.
//!
//! No fork and no copy: the walk goes through the tables in hash order, a few slots at a time, and writes what it
//! meets into blocks. An entry carries the number of its last change, so an entry changed after the instant is told
//! by its version; and an entry that is about to change, that the walk has not reached and whose version is not
//! after the instant, is written first ([`Walk::preserve`]). So every entry of the instant is written exactly once
//! and no entry of later.
//!
//! ```text
//!            hash 0 ─────────────── walk ───────────────────────── 2^32
//!  table A   ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ▶ □ □ □ □ □ □ □ □ □ □ □ □ □ □ □ □       ■ written  □ not yet
//!  table B   □ □ □ □ □ □ □ □ □ □ □ □ □ □ □ □ □ □ □ □ □ □ □ □ □ □ □ □
//!                                        ▲ about to change: written now, skipped by its version later
//! ```
//!
//! Blocks go to whoever writes the file; when too many wait, the walk waits, and the changes never do. A flush of
//! everything gives the snapshot up ([`Progress::GivenUp`]).
//!
//! | file | what |
//! |---|---|
//! | `item` | an entry's bytes in a block |
//! | `block` | the parts of a file |
//! | `buffer` | a block's memory |
//! | `reader` | from a file's bytes to items |
//! | `queue` | blocks between the walk and the file |
//! | `walk` | which entries are written when |
//! | `fault` | what can be wrong with a file |

mod block;
mod buffer;
mod fault;
mod item;
mod queue;
mod reader;
#[cfg(test)]
mod sweep;
mod walk;

pub use block::{BLOCK_BYTES_TARGET, Block, FILE_VERSION, FileHeader, Footer, seal};
pub use buffer::Buffer;
pub use fault::SnapshotFault;
pub use item::Item;
pub use reader::{BlockPlace, Bookmark, SnapshotReader};
pub use walk::{Progress, SnapshotOptions, Walk};
