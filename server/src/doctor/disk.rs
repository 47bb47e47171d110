//! The data directory: whether it can be written, what it lies on, how much room there is, how long a sync takes.
//!
//! A directory that is not there yet is judged by the nearest one above it that is.
//!
//! Source: statfs(2), flock(2), fdatasync(2).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock, statfs, statvfs};
use rustix::io::Errno;

use super::finding::Finding;
use crate::config::memory::human;
use crate::config::{Config, FsyncPolicy};
use crate::limits::{DOCTOR_SYNC_COUNT, DOCTOR_SYNC_MS_MAX, SEGMENTS_AHEAD_COUNT};

/// A sync that takes longer is worth a warning.
const SYNC_GOOD: Duration = Duration::from_millis(5);

/// Bytes that are written for each sync, as a small batch of changes is.
const SYNC_BYTES: usize = 4_096;

/// Share of a disk that should be free where nothing better is known, in percent.
const FREE_PERCENT_MIN: u64 = 10;

pub(super) fn directory(config: &Config) -> Option<Finding> {
    let (dir, nearest) = (&config.dir, nearest(&config.dir));
    let choose = "choose another with --dir, or mend its owner and permissions";
    if let Err(error) = Probe::new(&nearest) {
        return Some(Finding::bad(format!("{} cannot be written: {error}", nearest.display()), choose));
    }
    if nearest != *dir {
        return Some(Finding::good(format!("{} will be made", dir.display())));
    }
    Some(match holder(dir) {
        Some(holder) => Finding::warn(
            format!("{} is in use by {holder}", dir.display()),
            "stop that server before another is started with this directory",
        ),
        None => Finding::good(format!("{} can be written", dir.display())),
    })
}

/// Who has the data directory at `dir` locked.
pub(super) fn holder(dir: &Path) -> Option<String> {
    let path = dir.join("lock");
    let file = File::open(&path).ok()?;
    if flock(&file, FlockOperation::NonBlockingLockShared) != Err(Errno::WOULDBLOCK) {
        return None;
    }
    let number = fs::read_to_string(&path).unwrap_or_default();
    Some(format!("process {}", number.trim()))
}

pub(super) fn file_system(config: &Config) -> Option<Finding> {
    Some(judge_file_system(statfs(nearest(&config.dir)).ok()?.f_type as u64))
}

/// Judges a file system by its number. What kind of disk is below is not asked for: virtual ones say that they turn. How
/// long a sync takes tells more.
fn judge_file_system(kind: u64) -> Finding {
    let local = "give --dir a place on a local disk";
    match kind {
        0x0102_1994 | 0x8584_58F6 => {
            Finding::warn("it lies in memory: everything is lost when the machine stops", local)
        }
        0x6969 | 0xFF53_4D42 | 0xFE53_4D42 => {
            Finding::warn("it lies on the network: syncs are slow, and locks may not hold", local)
        }
        0x6573_5546 | 0x0102_1997 => {
            Finding::warn("it lies behind another program (FUSE, 9P): what a sync means is up to that", local)
        }
        0x794C_7630 => Finding::warn(
            "it lies in a container's own layers: it goes away with the container",
            "mount a volume, and give it to --dir",
        ),
        0x9123_683E => Finding::warn(
            "btrfs writes every page of the log to a new place",
            "chattr +C the directory before the first start",
        ),
        _ => Finding::good(name_of(kind)),
    }
}

fn name_of(kind: u64) -> String {
    let known = [(0xEF53, "ext4"), (0x5846_5342, "XFS"), (0x2FC1_2FC1, "ZFS"), (0xF2F5_2010, "F2FS")];
    let found = known.into_iter().find(|(number, _)| *number == kind);
    found.map_or_else(|| format!("a file system of type {kind:#x}"), |(_, name)| name.to_owned())
}

pub(super) fn space(config: &Config) -> Option<Finding> {
    let found = statvfs(nearest(&config.dir)).ok()?;
    let room = Room { free: found.f_bavail * found.f_frsize, total: found.f_blocks * found.f_frsize };
    Some(judge_space(&room, bytes_below(&config.dir), config))
}

/// Bytes of a disk.
#[derive(Clone, Copy, Debug)]
struct Room {
    free: u64,
    total: u64,
}

/// Judges the room on a disk, on which the data directory takes `used` bytes already.
fn judge_space(room: &Room, used: u64, config: &Config) -> Finding {
    let (start, full) = (start_bytes(config), full_bytes(config));
    let (free, remedy) = (human(room.free), "make room, or give --dir a place on a larger disk");
    if room.free + used < start {
        let sentence = format!("{free} are free, and a start takes {}: writes would be refused", human(start));
        return Finding::bad(sentence, remedy);
    }
    if let Some(full) = full
        && room.free + used < full
    {
        return Finding::warn(
            format!("{free} are free, and with maxmemory full the directory may take {}", human(full)),
            format!("{remedy}; or lower snapshot-keep, auto-aof-rewrite-percentage or maxmemory"),
        );
    }
    if room.free < room.total / 100 * FREE_PERCENT_MIN {
        return Finding::warn(format!("{free} are free, less than {FREE_PERCENT_MIN} % of the disk"), remedy);
    }
    Finding::good(format!("{free} are free"))
}

/// Bytes that a start takes for the log: the segment in use and those prepared, for each shard.
fn start_bytes(config: &Config) -> u64 {
    if !config.appendonly {
        return 0;
    }
    u64::from(config.shards) * (SEGMENTS_AHEAD_COUNT as u64 + 1) * config.wal_segment_size
}

/// Bytes that the directory may take when the memory is full, by the formula of docs/operations.md but for what is
/// written during a snapshot; `None` without a limit of memory.
fn full_bytes(config: &Config) -> Option<u64> {
    let data = (config.maxmemory > 0).then_some(config.maxmemory)?;
    let snapshots = (u64::from(config.snapshot_keep) + 1).saturating_mul(data);
    if !config.appendonly {
        return Some(snapshots);
    }
    let growth = data.saturating_mul(config.auto_aof_rewrite_percentage.into()) / 100;
    let log = growth.max(config.auto_aof_rewrite_min_size);
    Some(snapshots.saturating_add(log).saturating_add(2 * start_bytes(config)))
}

/// Bytes of the files in a data directory, which lie at most three directories deep.
fn bytes_below(dir: &Path) -> u64 {
    const DEPTH: usize = 4;
    let mut left = vec![(dir.to_path_buf(), 0)];
    let mut bytes = 0;
    while let Some((path, depth)) = left.pop() {
        for entry in fs::read_dir(&path).into_iter().flatten().filter_map(Result::ok) {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() && depth < DEPTH => left.push((entry.path(), depth + 1)),
                Ok(metadata) if metadata.is_file() => bytes += metadata.blocks() * 512,
                _ => {}
            }
        }
    }
    bytes
}

pub(super) fn sync(config: &Config) -> Option<Finding> {
    Some(match measure(&nearest(&config.dir)) {
        Ok(times) => judge_sync(times, config.appendfsync),
        // What keeps a file from being written is said of the directory.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return None,
        Err(error) => Finding::bad(format!("a file cannot be synced: {error}"), "look at the disk's health"),
    })
}

/// How long syncs took: the one in the middle, and the longest.
#[derive(Clone, Copy, Debug)]
struct SyncTimes {
    median: Duration,
    longest: Duration,
}

fn judge_sync(times: SyncTimes, policy: FsyncPolicy) -> Finding {
    let millis = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1_000.0);
    let shown = format!("a sync of 4 KiB takes {}, at most {}", millis(times.median), millis(times.longest));
    if times.median <= SYNC_GOOD {
        return Finding::good(shown);
    }
    let remedy = match policy {
        FsyncPolicy::Always => "a disk with a cache that outlives a loss of power, or appendfsync everysec",
        FsyncPolicy::EverySecond | FsyncPolicy::No => "nothing, as long as appendfsync is not always",
    };
    Finding::warn(shown, remedy)
}

/// Writes and syncs a few times, as the log does: over bytes that are there.
fn measure(directory: &Path) -> io::Result<SyncTimes> {
    let probe = Probe::new(directory)?;
    let block = [0x5A; SYNC_BYTES];
    for number in 0..DOCTOR_SYNC_COUNT as u64 {
        probe.file.write_all_at(&block, number * SYNC_BYTES as u64)?;
    }
    probe.file.sync_all()?;
    let (start, patience) = (Instant::now(), Duration::from_millis(DOCTOR_SYNC_MS_MAX));
    let mut times = Vec::with_capacity(DOCTOR_SYNC_COUNT);
    for number in 0..DOCTOR_SYNC_COUNT as u64 {
        let began = Instant::now();
        probe.file.write_all_at(&block, number * SYNC_BYTES as u64)?;
        probe.file.sync_data()?;
        times.push(began.elapsed());
        if start.elapsed() > patience {
            break;
        }
    }
    times.sort();
    Ok(SyncTimes { median: times[times.len() / 2], longest: times[times.len() - 1] })
}

/// A file that is there for a moment.
struct Probe {
    file: File,
    path: PathBuf,
}

impl Probe {
    fn new(directory: &Path) -> io::Result<Probe> {
        let path = directory.join(format!(".locksley-doctor-{}", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Probe { file, path })
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // It is empty or small, and its name says whose it is.
        let _ = fs::remove_file(&self.path);
    }
}

/// `path`, or the nearest directory above it that is there.
fn nearest(path: &Path) -> PathBuf {
    let is_there = |path: &&Path| path.as_os_str().is_empty() || path.exists();
    match path.ancestors().find(is_there) {
        Some(found) if !found.as_os_str().is_empty() => found.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;
    use crate::persist::testing::Directory;

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_directory_that_is_not_there_is_judged_by_the_one_above_it() {
        let directory = Directory::new();
        assert_eq!(nearest(&directory.path().join("a/b")), directory.path());
        assert_eq!(nearest(directory.path()), directory.path());
        assert_eq!(nearest(Path::new("not-there/at-all")), Path::new("."));
        let config = Config { dir: directory.path().join("a"), ..Config::default() };
        let found = super::directory(&config).expect("something is said");
        assert!(found.verdict == Verdict::Good && found.sentence.ends_with("will be made"), "{found:?}");
        assert!(!config.dir.exists());
    }

    #[test]
    fn a_file_in_the_place_of_the_directory_is_bad() {
        let directory = Directory::new();
        let path = directory.path().join("file");
        fs::write(&path, "").unwrap();
        let config = Config { dir: path, ..Config::default() };
        assert_eq!(super::directory(&config).map(|found| found.verdict), Some(Verdict::Bad));
    }

    #[test]
    fn a_directory_in_use_names_its_holder() {
        let directory = Directory::new();
        assert_eq!(holder(directory.path()), None);
        let lock = File::create(directory.path().join("lock")).unwrap();
        fs::write(directory.path().join("lock"), "17\n").unwrap();
        assert_eq!(holder(directory.path()), None);
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert_eq!(holder(directory.path()).as_deref(), Some("process 17"));
    }

    #[test]
    fn syncs_are_measured_and_leave_nothing() {
        let directory = Directory::new();
        let times = measure(directory.path()).unwrap();
        assert!(times.median <= times.longest);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn room_is_judged_by_what_the_settings_may_take() {
        let config = Config { shards: 2, maxmemory: 10 * GIB, ..Config::default() };
        // Six snapshots of 10 GiB, as much of the log, and twice three segments of 64 MiB for each shard.
        assert_eq!(full_bytes(&config), Some(70 * GIB + 12 * (64 << 20)));
        let total = 200 * GIB;
        for (free, used, verdict) in [
            (100 * GIB, 0, Verdict::Good),
            (60 * GIB, 0, Verdict::Warn),
            (60 * GIB, 20 * GIB, Verdict::Good),
            (GIB / 4, 0, Verdict::Bad),
        ] {
            assert_eq!(judge_space(&Room { free, total }, used, &config).verdict, verdict, "{free} {used}");
        }
        let unlimited = Config { shards: 2, ..Config::default() };
        assert_eq!(judge_space(&Room { free: 19 * GIB, total }, 0, &unlimited).verdict, Verdict::Warn);
        assert_eq!(judge_space(&Room { free: 21 * GIB, total }, 0, &unlimited).verdict, Verdict::Good);
    }

    #[test]
    fn file_systems_and_slow_syncs_are_judged() {
        for (kind, verdict) in [
            (0xEF53, Verdict::Good),
            (0x0102_1994, Verdict::Warn),
            (0x794C_7630, Verdict::Warn),
            (0x1234, Verdict::Good),
        ] {
            assert_eq!(judge_file_system(kind).verdict, verdict, "{kind:#x}");
        }
        let times = |millis| SyncTimes { median: Duration::from_millis(millis), longest: Duration::from_millis(50) };
        assert_eq!(judge_sync(times(2), FsyncPolicy::Always).verdict, Verdict::Good);
        assert_eq!(judge_sync(times(20), FsyncPolicy::Always).verdict, Verdict::Warn);
    }
}
