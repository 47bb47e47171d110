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

/// Longest key of a memcached command, as it is sent.
pub const MEMCACHED_KEY_BYTES_MAX: usize = 250;

/// Longest line of a memcached command that is not a retrieval.
pub const MEMCACHED_LINE_BYTES_MAX: usize = 2048;

/// Longest line of a memcached retrieval, which may name many keys.
pub const MEMCACHED_RETRIEVAL_LINE_BYTES_MAX: usize = 1024 * 1024;

/// Longest data block that a memcached command may announce; what is longer than allowed is passed over.
pub const MEMCACHED_BLOCK_BYTES_MAX: u64 = i32::MAX as u64 - 2;

/// Most flags of a memcached meta command, as memcached has it for all but `ms`, which takes one less there.
pub const MEMCACHED_FLAG_COUNT_MAX: usize = 17;

/// Longest opaque token of a memcached meta command.
pub const MEMCACHED_OPAQUE_BYTES_MAX: usize = 31;

/// Longest head of an HTTP request, and longest trailers.
pub const HTTP_HEAD_BYTES_MAX: usize = 16 * 1024;

/// Most fields of an HTTP head.
pub const HTTP_FIELD_COUNT_MAX: usize = 64;

/// Longest target of an HTTP request.
pub const HTTP_TARGET_BYTES_MAX: usize = 8 * 1024;

/// Longest request line of HTTP: a target with method and version.
pub const HTTP_REQUEST_LINE_BYTES_MAX: usize = HTTP_TARGET_BYTES_MAX + 64;

/// Longest size line of an HTTP chunk, extensions included.
pub const HTTP_CHUNK_LINE_BYTES_MAX: usize = 256;

/// Most hexadecimal digits of an HTTP chunk's size.
pub const HTTP_CHUNK_DIGIT_COUNT_MAX: usize = 8;

/// Longest sum of all extensions of an HTTP body's chunks.
pub const HTTP_CHUNK_EXTENSION_BYTES_MAX: usize = 4 * 1024;

/// Most bytes of empty lines that are passed over before an HTTP request.
pub const HTTP_EMPTY_BYTES_MAX: usize = 8;

const _: () = assert!(HTTP_REQUEST_LINE_BYTES_MAX < HTTP_HEAD_BYTES_MAX);
const _: () = assert!(HTTP_EMPTY_BYTES_MAX.is_multiple_of(2), "an empty line has two bytes");
const _: () = assert!(BULK_BYTES_MAX < REQUEST_BYTES_MAX);
const _: () = assert!(UNAUTHENTICATED_BULK_BYTES_MAX < BULK_BYTES_MAX);
const _: () = assert!(UNAUTHENTICATED_ARGUMENT_COUNT_MAX < ARGUMENT_COUNT_MAX);
