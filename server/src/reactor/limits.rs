//! Every bound of the reactor and the router in one place, with the relations between them.

/// Entries of a ring's submission queue; the completion queue has eight times as many.
pub(crate) const SUBMISSION_COUNT: u32 = 1024;

/// Entries of a ring's completion queue.
pub(crate) const COMPLETION_COUNT: u32 = SUBMISSION_COUNT * 8;

/// Receive buffers of a thread: a power of two, because their ring is one.
pub(crate) const RECEIVE_BUFFER_COUNT: u16 = 64;

/// Bytes of one receive buffer; all of a thread's stay within its share of a second-level cache of 2 MiB.
pub(crate) const RECEIVE_BUFFER_BYTES: u32 = 16 * 1024;

/// Most requests that are parsed before they are run.
pub(crate) const BATCH_REQUEST_COUNT_MAX: usize = 512;

/// Unsent bytes of replies at which a connection is not read from until they are gone.
pub(crate) const OUTPUT_PAUSE_BYTES: usize = 1024 * 1024;

/// Most bytes that are reserved ahead for one argument, whatever length it announces.
pub(crate) const INPUT_RESERVE_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Largest arena of a batch that is kept for the next.
pub(crate) const ARENA_BYTES_MAX: usize = 1024 * 1024;

/// Steps of background work that a shard does in one turn.
pub(crate) const BACKGROUND_STEPS: usize = 64;

/// Largest emptied buffer that is kept for the next connection that needs one.
pub(crate) const POOLED_BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Most emptied buffers that are kept.
pub(crate) const POOLED_BUFFER_COUNT_MAX: usize = 256;

const _: () = assert!(RECEIVE_BUFFER_COUNT.is_power_of_two());
const _: () = assert!(SUBMISSION_COUNT.is_power_of_two());
