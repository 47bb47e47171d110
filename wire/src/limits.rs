//! The bounds of the wire formats.

/// Most arguments of one RESP request.
pub const ARGUMENT_COUNT_MAX: u32 = 1_048_576;

/// Longest argument of a RESP request unless configured otherwise (`proto-max-bulk-len`).
pub const BULK_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Longest inline request, and longest length line of a RESP request.
pub const INLINE_BYTES_MAX: u32 = 64 * 1024;

/// Most arguments that a client may send before it has authenticated.
pub const UNAUTHENTICATED_ARGUMENT_COUNT_MAX: u32 = 10;

/// Longest argument that a client may send before it has authenticated.
pub const UNAUTHENTICATED_BULK_BYTES_MAX: u64 = 16 * 1024;

/// Longest RESP request in bytes: spans address it with 32 bits.
pub const REQUEST_BYTES_MAX: u64 = u32::MAX as u64;

/// Most bytes that a number of `INCRBYFLOAT` may be written with.
pub const FLOAT_TEXT_BYTES_MAX: usize = 5 * 1024 - 1;

const _: () = assert!(BULK_BYTES_MAX < REQUEST_BYTES_MAX);
const _: () = assert!(UNAUTHENTICATED_BULK_BYTES_MAX < BULK_BYTES_MAX);
const _: () = assert!(UNAUTHENTICATED_ARGUMENT_COUNT_MAX < ARGUMENT_COUNT_MAX);
