//! The write-ahead log of a shard: every change as a record, appended to mapped segments.
//!
//! The log carries effects (values, absolute expiries, removals by expiry and eviction), never commands, so
//! replaying a prefix of it gives exactly the state the shard had then. The engine appends to memory that
//! its owner supplies ([`Segment`]); making that memory durable is the owner's business, in the order
//! [`Log::begin_sync`] asks for.
//!
//! ```text
//!   install ─▶ prepared ─▶ current (append) ─▶ finished ─▶ take_finished ─▶ recycled behind a snapshot
//!                             │                   │
//!                             └── begin_sync ─────┘──▶ end_sync: durable up to here, and a Mark says so
//! ```
//!
//! # Invariants
//! - Records have the numbers 1, 2, 3, ... without a gap, over segments and marks alike.
//! - A record's checksum is seeded with generation, shard and sequence of its segment: what an earlier use of
//!   the same file left behind is never taken for a record.
//! - A [`Body::Mark`] says up to where the log was durable when it was appended. A hole in the log at or
//!   before a later mark is damage; a hole behind every mark is what a power cut leaves.

mod frame;
mod log;
mod reader;
mod record;
mod search;
mod segment;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod tests;

pub use log::{Finished, Log, LogOptions, Segment};
pub use reader::{SegmentReader, Stop};
pub use record::{Body, Record, Removal, end_frame};
pub use search::Beyond;
pub use segment::{
    HeaderFault, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SEGMENT_HEADER_BYTES, SEGMENT_VERSION, SegmentHeader,
};
