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
pub(crate) const BATCH_REQUEST_COUNT_MAX: usize = 256;

/// Most keys that are prefetched at a time: their lines have to stay cached until they are used.
pub(crate) const PREFETCH_COUNT_MAX: usize = 512;

/// Unsent bytes of replies at which a connection is not read from until they are gone.
pub(crate) const OUTPUT_PAUSE_BYTES: usize = 1024 * 1024;

/// Received bytes of a stalled connection at which it is not read from.
pub(crate) const INPUT_PAUSE_BYTES: usize = 256 * 1024;

/// Milliseconds after which accepting is tried again when descriptors ran out.
pub(crate) const ACCEPT_RETRY_MS: u64 = 100;

/// Milliseconds between two sums of the connections' buffers.
pub(crate) const ACCOUNT_INTERVAL_MS: u64 = 100;

/// Milliseconds between two looks for idle clients.
pub(crate) const IDLE_CHECK_INTERVAL_MS: u64 = 1000;

/// Longest time that a stop waits for replies to be sent, in milliseconds.
pub(crate) const STOP_WAIT_MS: u64 = 2000;

/// Most bytes that are reserved ahead for one argument, whatever length it announces.
pub(crate) const INPUT_RESERVE_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Largest arena of a batch that is kept for the next.
pub(crate) const ARENA_BYTES_MAX: usize = 1024 * 1024;

/// Steps of background work that a shard does in one turn.
pub(crate) const BACKGROUND_STEPS: usize = 64;

/// Largest emptied buffer that is kept for the next connection that needs one.
pub(crate) const POOLED_BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Most emptied buffers that are kept.
pub(crate) const POOLED_BUFFER_COUNT_MAX: usize = 64;

/// Messages that a queue of the mesh holds; one turn of a thread posts few.
pub(crate) const MESH_QUEUE_COUNT: usize = 64;

/// Most replies that a connection may await from other shards before its next requests are held back.
pub(crate) const HOLE_COUNT_MAX: usize = 16 * 1024;

/// Most bytes that the replies are taken to have that a connection awaits from other shards.
pub(crate) const HOLE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most bytes of one message of the mesh; a larger request travels alone.
pub(crate) const PARCEL_BYTES_MAX: usize = 256 * 1024;

/// Most parcels that are kept for the next turn.
pub(crate) const PARCEL_COUNT_KEPT_MAX: usize = 16;

/// Longest spin for replies of other shards before a thread sleeps, in nanoseconds. Being woken costs 6 us of
/// processor time on either side, so a wait of about that is cheaper awake.
pub(crate) const HOP_SPIN_NS: u64 = 15_000;

/// Milliseconds that an HTTP connection stays open behind its last response, for what its peer is sending still.
pub(crate) const LINGER_MS: u64 = 2_000;

const _: () = assert!(RECEIVE_BUFFER_COUNT.is_power_of_two());
const _: () = assert!(SUBMISSION_COUNT.is_power_of_two());
