//! The names in a data directory: made here and read here.

use crate::lsn::Origin;

/// Where the logs are.
pub(crate) const LOGS: &str = "wal";
/// Where the snapshots are.
pub(crate) const SNAPSHOTS: &str = "snapshots";
/// What the name of a snapshot in the making ends with.
const TEMPORARY: &str = ".tmp";

/// The directory of a generation's logs.
pub fn generation_path(generation: u64) -> String {
    format!("{LOGS}/{generation:016x}")
}

/// The file of a log segment.
pub fn log_path(origin: Origin, sequence: u64) -> String {
    format!("{LOGS}/{:016x}/{:04}-{sequence:010}.wal", origin.generation, origin.shard)
}

/// The directory of a complete snapshot.
pub fn snapshot_path(id: u64) -> String {
    format!("{SNAPSHOTS}/{id:016x}")
}

/// The directory of a snapshot in the making.
pub fn snapshot_temporary_path(id: u64) -> String {
    format!("{SNAPSHOTS}/{id:016x}{TEMPORARY}")
}

/// The file of one shard in a snapshot's `directory`.
pub fn snapshot_file_path(directory: &str, shard: u16) -> String {
    format!("{directory}/{shard:04}.snap")
}

/// The generation that a directory of logs is named by.
pub(crate) fn generation_of(name: &str) -> Option<u64> {
    hexadecimal(name)
}

/// The shard and the sequence that a segment is named by.
pub(crate) fn segment_of(name: &str) -> Option<(u16, u64)> {
    let (shard, sequence) = name.strip_suffix(".wal")?.split_once('-')?;
    let is_canonical = shard.len() == 4 && sequence.len() == 10;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_canonical || !is_number(shard) || !is_number(sequence) {
        return None;
    }
    Some((shard.parse().ok()?, sequence.parse().ok()?))
}

/// The id that a snapshot is named by, and whether it is complete.
pub(crate) fn snapshot_of(name: &str) -> Option<(u64, bool)> {
    match name.strip_suffix(TEMPORARY) {
        Some(name) => Some((hexadecimal(name)?, false)),
        None => Some((hexadecimal(name)?, true)),
    }
}

fn hexadecimal(name: &str) -> Option<u64> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if name.len() != 16 || !name.bytes().all(is_digit) {
        return None;
    }
    u64::from_str_radix(name, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_made() {
        let origin = Origin { generation: 0x1f, shard: 12, shard_count: 16 };
        let path = log_path(origin, 345);
        assert_eq!(path, "wal/000000000000001f/0012-0000000345.wal");
        assert_eq!(segment_of("0012-0000000345.wal"), Some((12, 345)));
        assert_eq!(generation_of("000000000000001f"), Some(0x1f));
        assert_eq!(snapshot_of("00000000000000aa"), Some((0xaa, true)));
        assert_eq!(snapshot_of("00000000000000aa.tmp"), Some((0xaa, false)));
    }

    #[test]
    fn other_names_are_nobodys() {
        for name in ["", "12-0000000345.wal", "0012-345.wal", "0012-0000000345", "+012-0000000345.wal", "lost+found"] {
            assert_eq!(segment_of(name), None, "{name}");
        }
        for name in ["", "1f", "000000000000001F", "000000000000001f.old", "+00000000000001f"] {
            assert_eq!((generation_of(name), snapshot_of(name)), (None, None), "{name}");
        }
    }
}
