//! Every bound of the server in one place.

/// Most error codes that are counted by name; errors beyond count under [`OTHER_ERRORS`].
pub(crate) const ERROR_CODE_COUNT_MAX: usize = 128;

/// Longest error code that is counted by name, in bytes.
pub(crate) const ERROR_CODE_BYTES_MAX: usize = 32;

/// What errors beyond the bounds are counted as.
pub(crate) const OTHER_ERRORS: &str = "OTHER";

/// Most arguments that the slow log keeps of a command.
pub(crate) const SLOW_ARGUMENT_COUNT_MAX: usize = 32;

/// Most bytes that the slow log keeps of an argument.
pub(crate) const SLOW_ARGUMENT_BYTES_MAX: usize = 128;

/// Quick commands that are timed together.
pub(crate) const TIMED_TOGETHER_COUNT_MAX: u32 = 8;

/// Longest last argument and longest reply of a command that counts as quick, in bytes.
pub(crate) const QUICK_BYTES_MAX: usize = 4_096;

/// Where commands of this time or less are to be noted, each is timed by itself, in nanoseconds.
pub(crate) const TIMED_TOGETHER_NANOS_MIN: u64 = 1_000_000;

/// Samples kept for the rates of the last moments.
pub(crate) const RATE_SAMPLE_COUNT: usize = 16;

/// Least milliseconds between two samples of the rates.
pub(crate) const RATE_SAMPLE_MS_MIN: u64 = 100;

/// Entries that CLUSTER COUNTKEYSINSLOT and its kin pass at a time.
pub(crate) const SLOT_SCAN_COUNT: usize = 4_096;

/// Most cells of the table of an LCS, the product of the lengths of its two strings: what Redis allows by default, a
/// sixth of a second of work, and 16 MiB of memory.
pub(crate) const LCS_CELL_COUNT_MAX: u64 = 1 << 27;

/// Slow moments kept of each kind.
pub(crate) const EVENT_SAMPLE_COUNT_MAX: usize = 160;

/// Bytes that are zeroed by one write when a log segment is prepared.
pub(crate) const SEGMENT_ZEROED_BYTES: usize = 1024 * 1024;

/// Bytes of a log segment that are made writable before its shard gets it.
pub(crate) const SEGMENT_POPULATED_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of a snapshot that are written at a time, a multiple of 4 KiB.
pub(crate) const OUTPUT_BUFFER_BYTES: usize = 512 * 1024;
