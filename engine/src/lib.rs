//! One shard of Locksley: a deterministic state machine over byte-string entries.
//!
//! A shard is owned by one thread and knows nothing of sockets, files, clocks or chance: the time and
//! every random number come in as arguments, so a test can replay any history exactly. Reads return a
//! view ([`Entry`]) that borrows the shard; every change goes through [`Shard::apply`] as an [`Op`],
//! which states an effect (a value, an absolute expiry) and never a command, so that the same ops can
//! be logged and replayed.

pub mod limits;

mod cell;
mod curve;
pub mod disk;
mod entry;
mod evict;
mod expiry;
mod hot;
mod integer;
mod key;
mod lsn;
#[cfg(any(test, feature = "model"))]
pub mod model;
mod op;
mod policy;
mod prefixes;
pub mod recover;
mod shard;
mod sizes;
pub mod slab;
pub mod snapshot;
mod stats;
pub mod store;
pub mod table;
mod time;
mod ttl;
mod usage;
pub mod wal;
mod watch;

pub use cell::{Cell, UNIT_BYTES};
pub use curve::{CurvePoint, MissCurve, SIZE_COUNT, SIZE_EIGHTHS, SIZE_NOW};
pub use entry::{Encoding, Entry, Form, Grace, Kind, Look, Value};
pub use hot::HotKey;
pub use key::{Db, Key};
pub use lsn::{Lsn, Origin};
pub use op::{Applied, ExpiryChange, FlagsChange, Op, Refusal};
pub use policy::Policy;
pub use prefixes::PendingPrefix;
pub use shard::{ReplayFault, Shard, ShardOptions, Touch};
pub use sizes::SIZE_BIN_COUNT;
pub use stats::{MemoryUse, ShardStats};
pub use time::Millis;
pub use ttl::TtlPolicy;
pub use watch::Touched;
