//! The names in a data directory.

use crate::lsn::Origin;

/// The directory of a generation's logs.
pub fn generation_path(generation: u64) -> String {
    format!("wal/{generation:016x}")
}

/// The file of a log segment.
pub fn log_path(origin: Origin, sequence: u64) -> String {
    format!("wal/{:016x}/{:04}-{sequence:010}.wal", origin.generation, origin.shard)
}

/// The directory of a complete snapshot.
pub fn snapshot_path(id: u64) -> String {
    format!("snapshots/{id:016x}")
}

/// The directory of a snapshot in the making.
pub fn snapshot_temporary_path(id: u64) -> String {
    format!("snapshots/{id:016x}.tmp")
}

/// The file of one shard in a snapshot's `directory`.
pub fn snapshot_file_path(directory: &str, shard: u16) -> String {
    format!("{directory}/{shard:04}.snap")
}
