//! Every bound of the engine in one place, with the relations between them.

/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 64 * 1024;

/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Highest fencing token of a lock: its value is an `i64`.
pub const TOKEN_MAX: u64 = i64::MAX as u64;

/// Most logical databases of a shard.
pub const DATABASE_COUNT_MAX: usize = 16;

/// Most physical tables of a shard: one for each database, and as many flushed ones being emptied.
pub const TABLE_COUNT_MAX: usize = 2 * DATABASE_COUNT_MAX;

/// Longest prefix whose keys can be deleted at once, in bytes.
pub const PREFIX_BYTES_MAX: usize = 1024;

/// Most deletions by prefix that may be under way in a shard.
pub const PREFIX_COUNT_MAX: usize = 8;

/// The same while a shard is filled: what is noted is carried out when there are more, many with one walk.
pub const PREFIX_COUNT_REPLAY_MAX: usize = 64;

/// Keys that the sketch of hot keys has counters for.
pub const HOT_KEY_COUNT: usize = 128;

/// What it keeps of a key, in bytes.
pub const HOT_KEY_BYTES_MAX: usize = 1024;

/// Most expired entries, moved slots or evacuated cells that one turn of background work may handle.
pub const TURN_STEPS_MAX: usize = 1024;

/// Most slots of one table. Cells start at every 16 bytes of 64 GiB and take 32 bytes at least, so a shard has
/// fewer than 2^31 entries; at 29/32 full they take 2.21 * 2^30 slots. The rest is room to grow and for spill.
pub const TABLE_SLOT_COUNT_MAX: usize = 5 << 29;

/// Most keys that the sample of a shard's miss-ratio curve has; with what the miniature caches know of them they take 1.5
/// MiB, or 2.2 MiB if keys expire.
pub const CURVE_KEY_COUNT_MAX: usize = 16 * 1024;

/// The same of a shard with little memory.
pub const CURVE_KEY_COUNT_MIN: usize = 2048;

const _: () = assert!(PREFIX_BYTES_MAX <= KEY_BYTES_MAX && PREFIX_COUNT_MAX <= PREFIX_COUNT_REPLAY_MAX);
