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

/// Clients that left whose names and addresses are remembered for the slow log.
pub(crate) const GONE_LABEL_COUNT_MAX: usize = 1_024;

/// Most bytes of a hot key that its line in the log shows.
pub(crate) const HOT_KEY_SHOWN_BYTES_MAX: usize = 128;

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

/// Entries that a slow command evicts at least where that is taken to be why it was slow.
pub(crate) const EVICTED_COUNT_NOTED: u64 = 32;

/// Milliseconds that a survey waits for the parts of all shards.
pub(crate) const SURVEY_PATIENCE_MS: u64 = 300;

/// Milliseconds between two events of a stream that the console reads.
pub(crate) const EVENT_INTERVAL_MS: u64 = 500;

/// Most streams of events of a thread.
pub(crate) const EVENT_STREAM_COUNT_MAX: usize = 64;

/// Slow moments kept of each kind.
pub(crate) const EVENT_SAMPLE_COUNT_MAX: usize = 160;

/// Bytes that are zeroed by one write when a log segment is prepared. The page cache keeps what one write brought as one
/// folio and writes it back as one: after writes of 1 MiB, a sync of a record of 80 B wrote 1 MiB.
pub(crate) const SEGMENT_ZEROED_BYTES: usize = 4096;

/// Bytes of a log segment that are made writable before its shard gets it, and then at a time ahead of it.
pub(crate) const SEGMENT_POPULATED_BYTES: usize = 4 * 1024 * 1024;

/// Bytes that a log has to grow by before what a sync took back is made writable again.
pub(crate) const SEGMENT_STALE_BYTES: usize = 256 * 1024;

/// Bytes of a snapshot that are copied and written at a time where they are not aligned, a multiple of 4 KiB.
pub(crate) const OUTPUT_BOUNCE_BYTES: usize = 512 * 1024;

/// Segments that a shard's log has prepared beside the one it writes to.
pub(crate) const SEGMENTS_AHEAD_COUNT: usize = 2;

/// Emptied segments that are kept for each shard, to be used again.
pub(crate) const SPARE_SEGMENT_COUNT_MAX: usize = 2;

/// Milliseconds after which a segment that found no room on the disk is tried again.
pub(crate) const PREPARE_RETRY_MS: u64 = 100;

/// Snapshots whose outcome is remembered.
pub(crate) const SNAPSHOT_OUTCOME_COUNT_MAX: usize = 64;

/// Bytes of a shard's snapshot blocks on their way to the disk before its walk waits.
pub(crate) const SNAPSHOT_IN_FLIGHT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of entries about to change that may wait for the disk before a shard's snapshot is given up.
pub(crate) const SNAPSHOT_WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Times that a snapshot which was given up is begun again.
pub(crate) const SNAPSHOT_ATTEMPT_COUNT_MAX: u32 = 5;

/// Seconds after a failed snapshot before one is taken by itself again.
pub(crate) const SNAPSHOT_RETRY_SECONDS: u64 = 5;

/// Longest slice of loading a turn, in microseconds.
pub(crate) const FILL_SLICE_MICROS: u64 = 1_500;

/// Bytes of files that are loaded at a time.
pub(crate) const FILL_STEP_BYTES: u64 = 128 * 1024;

/// Table slots that a snapshot walks at a time.
pub(crate) const WALK_STEP_SLOTS: usize = 64;

/// Share of the time between two turns that a snapshot's walk takes: one part of so many.
pub(crate) const WALK_TIME_SHARE: u32 = 4;

/// Shortest slice of a walk while clients are served, in microseconds.
pub(crate) const WALK_SERVING_MICROS_MIN: u64 = 10;

/// Longest slice of a walk while clients are served, in microseconds.
pub(crate) const WALK_SERVING_MICROS_MAX: u64 = 200;

/// Longest slice of a walk while no clients are served, in microseconds.
pub(crate) const WALK_IDLE_MICROS: u64 = 500;

/// Milliseconds without requests from which on nobody is served.
pub(crate) const WALK_QUIET_MS: u64 = 10;

/// Most requests of a shard that wait for a key.
pub(crate) const WAITER_COUNT_MAX: usize = 65_536;

/// Most leases of a shard.
pub(crate) const LEASE_COUNT_MAX: usize = 65_536;

/// Most bytes of the keys of a shard's leases.
pub(crate) const LEASE_KEY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Longest time of a lease of GETL, in milliseconds: an hour.
pub(crate) const LEASE_MS_MAX: u64 = 3_600_000;

/// Longest grace of a value behind its time, in milliseconds: 30 days.
pub(crate) const STALE_MS_MAX: u64 = 2_592_000_000;

/// Longest time that GETL waits, in milliseconds: a day.
pub(crate) const BLOCK_MS_MAX: u64 = 86_400_000;

/// Longest time to live in the cache commands, in seconds.
pub(crate) const CACHE_TTL_SECONDS_MAX: u64 = HTTP_TTL_SECONDS_MAX;

// The engine keeps a grace in 32 bits.
const _: () = assert!(STALE_MS_MAX <= u32::MAX as u64);

/// Longest time of a lock, in milliseconds: 30 days.
pub(crate) const LOCK_TTL_MS_MAX: u64 = 2_592_000_000;

/// Longest time that LOCK waits, in milliseconds: a day.
pub(crate) const LOCK_WAIT_MS_MAX: u64 = 86_400_000;

/// Most requests of a rate limit, at once and in a period.
pub(crate) const THROTTLE_COUNT_MAX: u64 = 1_000_000_000;

/// Longest period of a rate limit, in seconds: a year.
pub(crate) const THROTTLE_PERIOD_SECONDS_MAX: u64 = 365 * 86_400;

/// Longest time in which the whole burst of a rate limit comes back, in seconds: a hundred years.
pub(crate) const THROTTLE_BURST_SECONDS_MAX: u64 = 100 * THROTTLE_PERIOD_SECONDS_MAX;

// How far a limit is used up is kept in seconds of 32 bits, and until when in nanoseconds of 63, since 1970.
const _: () = assert!(THROTTLE_BURST_SECONDS_MAX < u32::MAX as u64);
const _: () = assert!(THROTTLE_BURST_SECONDS_MAX * 1_000_000_000 < i64::MAX as u64 / 2);

/// Niceness of the thread that writes snapshots.
pub(crate) const SNAPSHOT_KEEPER_NICENESS: i32 = 5;

/// Seconds that a start waits for another process to let go of the data directory.
pub(crate) const LOCK_PATIENCE_SECONDS: u64 = 5;

/// Milliseconds after which a delayed flush for which the log had no room is tried again.
pub(crate) const FLUSH_RETRY_MS: u64 = 100;

/// Most bytes with which a retrieval of several keys at the memcached door is answered.
pub(crate) const MEMCACHED_REPLY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Longest key at the HTTP door, in bytes: that of memcached, so that each door can name what another wrote.
pub(crate) const HTTP_KEY_BYTES_MAX: usize = 250;

/// Longest time to live at the HTTP door, in seconds: the largest number that every reader of JSON takes as it is.
pub(crate) const HTTP_TTL_SECONDS_MAX: u64 = (1 << 53) - 1;

/// Most keys of a batch at the HTTP door.
pub(crate) const HTTP_BATCH_KEY_COUNT_MAX: usize = 1_000;

/// Longest body of a batch at the HTTP door, in bytes.
pub(crate) const HTTP_BATCH_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Most bytes of entries, as JSON, with which a batch at the HTTP door is answered.
pub(crate) const HTTP_BATCH_RESPONSE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Slow commands that the console shows.
pub(crate) const CONSOLE_SLOW_COUNT_MAX: usize = 20;

/// Bytes of a slow command that the console shows.
pub(crate) const CONSOLE_SLOW_BYTES_MAX: usize = 160;

/// Hot keys that the console shows.
pub(crate) const CONSOLE_HOT_KEY_COUNT_MAX: usize = 10;

/// Clients that the console shows.
pub(crate) const CONSOLE_CLIENT_COUNT_MAX: usize = 50;

/// Longest body at the HTTP door with a method that has no use for one, in bytes.
pub(crate) const HTTP_OTHER_BODY_BYTES_MAX: u64 = 64 * 1024;

/// Longest body at the HTTP door of a request that does not say the password, in bytes.
pub(crate) const HTTP_STRANGER_BODY_BYTES_MAX: u64 = 16 * 1024;

// By its limit a refused body tells that the password was what was missing.
const _: () = assert!(HTTP_STRANGER_BODY_BYTES_MAX < HTTP_OTHER_BODY_BYTES_MAX);
const _: () = assert!(HTTP_STRANGER_BODY_BYTES_MAX < HTTP_BATCH_BYTES_MAX);

// A time to live that begins within the next half million years ends within 64 bits of milliseconds.
const _: () = assert!(HTTP_TTL_SECONDS_MAX < (i64::MAX / 1000) as u64 - (1 << 44));

/// Lines a second that one place in the program may log; those beyond are counted.
pub(crate) const LOG_LINES_PER_SECOND: u32 = 10;

/// Longest message of a line of the log, in bytes; what is longer is cut.
pub(crate) const LOG_MESSAGE_BYTES_MAX: usize = 4_096;

/// Most lines of the log that wait to be written.
pub(crate) const LOG_QUEUE_LINE_COUNT_MAX: usize = 4_096;

/// Most bytes of lines of the log that wait to be written.
pub(crate) const LOG_QUEUE_BYTES_MAX: usize = 1024 * 1024;

/// Milliseconds that the end of the process waits for its log to be written.
pub(crate) const LOG_FLUSH_MS: u64 = 1_000;

/// Lines of the log that a crash report has.
pub(crate) const CRASH_LINE_COUNT_MAX: usize = 200;

/// Crash reports that a data directory takes.
pub(crate) const CRASH_REPORT_COUNT_MAX: usize = 20;

/// Milliseconds after which a process that panicked ends, with or without its report.
pub(crate) const CRASH_PATIENCE_MS: u64 = 10_000;

// The log is written before a crash ends by itself.
const _: () = assert!(LOG_FLUSH_MS < CRASH_PATIENCE_MS);

/// Locked memory that the ring of a thread takes at most, in bytes: with a limit of 1 MiB the rings of eight shards are
/// refused on Linux 6.18, with one of 2 MiB they are not.
pub(crate) const DOCTOR_RING_BYTES: u64 = 256 * 1024;

/// Syncs that the doctor measures.
pub(crate) const DOCTOR_SYNC_COUNT: usize = 32;

/// Milliseconds after which it measures no further one.
pub(crate) const DOCTOR_SYNC_MS_MAX: u64 = 2_000;
