//! What of a data directory counts, from names and file heads alone.
//!
//! A segment whose head is no head (zeros, damaged, or of another life of the file) may have been prepared and never
//! used, or have lost its head. Only its frames can tell, so it stays in the plan without a first number, and whoever
//! reads the log looks into it when the log seems to have ended.

use std::io;

use crate::disk::Disk;
use crate::lsn::{Lsn, Origin};
use crate::recover::directory::{
    LOGS, SNAPSHOTS, generation_of, generation_path, segment_of, snapshot_file_path, snapshot_of, snapshot_path,
};
use crate::snapshot::{FileHeader, SnapshotFault};
use crate::wal::{HeaderFault, SEGMENT_VERSION, SegmentHeader};

/// What a disk writes whole or not at all, in bytes: a head is shorter.
const SECTOR_BYTES: usize = 512;

/// What a start has to read, in order: the snapshot, then the generations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The newest complete snapshot.
    pub snapshot: Option<SnapshotFiles>,
    /// The logs from the snapshot's generation on, ascending.
    pub generations: Vec<GenerationFiles>,
    /// Files and directories that count no more: snapshots in the making, logs of generations before the snapshot's,
    /// generations that lack their snapshot. To be removed before a new generation begins.
    pub leftovers: Vec<String>,
    /// With repair: what was left out of the plan because it is damaged, a sentence each.
    pub repairs: Vec<String>,
    /// The number of the generation that begins now: higher than any seen.
    pub generation_next: u64,
    /// The id of the next snapshot: higher than any seen.
    pub snapshot_id_next: u64,
    /// Complete snapshots, ascending, by id.
    pub snapshot_ids: Vec<u64>,
}

/// A complete snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFiles {
    /// Its number.
    pub id: u64,
    /// The generation in which it was taken.
    pub generation: u64,
    /// By shard.
    pub files: Vec<SnapshotFile>,
}

/// One shard's file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Where it is.
    pub path: String,
    /// The instant.
    pub lsn: Lsn,
    /// Its length.
    pub bytes: u64,
}

/// The logs of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationFiles {
    /// Its number.
    pub generation: u64,
    /// Whether it can be replayed only onto a snapshot of its own.
    pub needs_snapshot: bool,
    /// By shard.
    pub logs: Vec<LogFiles>,
}

/// The segments of one shard's log, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFiles {
    /// Whose.
    pub origin: Origin,
    /// The segments there are.
    pub segments: Vec<SegmentFile>,
}

/// One segment of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFile {
    /// Where it is.
    pub path: String,
    /// Its format version; the newest if its head is none.
    pub version: u32,
    /// Its number within the log.
    pub sequence: u64,
    /// The number of its first record, if its head is one.
    pub first_lsn: Option<Lsn>,
    /// Its head is none and neither zeros nor of another life of the file: no power cut leaves that.
    pub is_head_damaged: bool,
    /// Its length.
    pub bytes: u64,
}

/// Why a directory cannot be planned for.
#[derive(Debug)]
pub enum PlanFault {
    /// The disk failed.
    Disk {
        /// Where.
        path: String,
        /// How.
        error: io::Error,
    },
    /// A file of a format that this program does not know.
    Version {
        /// Which file.
        path: String,
        /// Its version.
        found: u32,
    },
    /// A file that must be there is missing or has a damaged head.
    Damage {
        /// Which file.
        path: String,
        /// What is wrong, as a sentence.
        sentence: String,
    },
}

impl Plan {
    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.snapshot.is_none() && self.generations.is_empty()
    }
}

/// Looks through the data directory. With `repair`, a snapshot that is damaged is left out of the plan, and said to be
/// so, where otherwise there would be a fault.
///
/// # Errors
/// When what is there cannot be loaded as it is.
pub fn plan<D: Disk>(disk: &D, repair: bool) -> Result<Plan, PlanFault> {
    let mut plan = Plan::default();
    find_snapshots(disk, repair, &mut plan)?;
    let lacks_newest = !plan.repairs.is_empty();
    find_generations(disk, &mut plan)?;
    leave_out_unfounded(repair, &mut plan)?;
    let newest = plan.generations.last().map_or(0, |generation| generation.generation);
    if lacks_newest && !plan.generations.is_empty() {
        // An older snapshot cannot be completed by logs that were recycled behind a newer one.
        plan.generations.clear();
        plan.repairs.push("wal: the logs build on a snapshot that cannot be read, and are left out".to_owned());
    }
    let snapshot_generation = plan.snapshot.as_ref().map_or(0, |snapshot| snapshot.generation);
    plan.generation_next = plan.generation_next.max(newest).max(snapshot_generation) + 1;
    plan.snapshot_id_next += 1;
    Ok(plan)
}

/// Finds the newest complete snapshot.
fn find_snapshots<D: Disk>(disk: &D, repair: bool, plan: &mut Plan) -> Result<(), PlanFault> {
    for entry in disk.list(SNAPSHOTS).map_err(|error| disk_fault(SNAPSHOTS, error))? {
        let Some((id, is_complete)) = snapshot_of(&entry.name).filter(|_| entry.is_directory) else { continue };
        plan.snapshot_id_next = plan.snapshot_id_next.max(id);
        if is_complete {
            plan.snapshot_ids.push(id);
        } else {
            plan.leftovers.push(format!("{SNAPSHOTS}/{}", entry.name));
        }
    }
    for id in plan.snapshot_ids.iter().rev() {
        match snapshot_files(disk, *id) {
            Ok(files) => {
                plan.snapshot = Some(files);
                break;
            }
            Err(PlanFault::Damage { path, sentence }) if repair => {
                plan.repairs.push(format!("{path}: {sentence}; the snapshot is left out"));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

/// The files of a complete snapshot, each with an intact head that belongs there.
fn snapshot_files<D: Disk>(disk: &D, id: u64) -> Result<SnapshotFiles, PlanFault> {
    let directory = snapshot_path(id);
    let mut snapshot = SnapshotFiles { id, generation: 0, files: Vec::new() };
    let mut shard = 0;
    loop {
        let path = snapshot_file_path(&directory, shard);
        let view = disk.view(&path).map_err(|error| missing_or_failed(&path, error))?;
        let bytes = view.as_ref();
        let header = FileHeader::read(bytes).map_err(|fault| match fault {
            SnapshotFault::Version { found } => PlanFault::Version { path: path.clone(), found },
            other => PlanFault::Damage { path: path.clone(), sentence: other.to_string() },
        })?;
        if shard == 0 {
            snapshot.generation = header.origin.generation;
        }
        let shard_count = header.origin.shard_count;
        let belongs =
            header.id == id && header.origin == Origin { generation: snapshot.generation, shard, shard_count };
        if !belongs {
            let sentence = format!("it is shard {} of snapshot {:x}, by its head", header.origin.shard, header.id);
            return Err(PlanFault::Damage { path, sentence });
        }
        snapshot.files.push(SnapshotFile { path, lsn: header.lsn, bytes: bytes.len() as u64 });
        shard += 1;
        if shard == shard_count {
            return Ok(snapshot);
        }
    }
}

/// Finds the logs that are not behind the snapshot.
fn find_generations<D: Disk>(disk: &D, plan: &mut Plan) -> Result<(), PlanFault> {
    let oldest = plan.snapshot.as_ref().map_or(0, |snapshot| snapshot.generation);
    for entry in disk.list(LOGS).map_err(|error| disk_fault(LOGS, error))? {
        let Some(generation) = generation_of(&entry.name).filter(|_| entry.is_directory) else { continue };
        plan.generation_next = plan.generation_next.max(generation);
        if generation < oldest {
            plan.leftovers.push(generation_path(generation));
        } else {
            plan.generations.push(generation_files(disk, generation)?);
        }
    }
    Ok(())
}

fn generation_files<D: Disk>(disk: &D, generation: u64) -> Result<GenerationFiles, PlanFault> {
    let directory = generation_path(generation);
    let mut found: Vec<(u16, SegmentFile)> = Vec::new();
    let (mut shard_count, mut needs_snapshot) = (0, false);
    for entry in disk.list(&directory).map_err(|error| disk_fault(&directory, error))? {
        let Some((shard, sequence)) = segment_of(&entry.name).filter(|_| !entry.is_directory) else { continue };
        let path = format!("{directory}/{}", entry.name);
        let view = disk.view(&path).map_err(|error| disk_fault(&path, error))?;
        let mut is_head_damaged = false;
        let header = match SegmentHeader::read(view.as_ref()) {
            Ok(header) => Some(header),
            Err(HeaderFault::Version { found }) => return Err(PlanFault::Version { path, found }),
            Err(HeaderFault::Short { .. } | HeaderFault::Unused) => None,
            Err(HeaderFault::Damaged) => {
                let sector = &view.as_ref()[..view.as_ref().len().min(SECTOR_BYTES)];
                is_head_damaged = sector.iter().any(|byte| *byte != 0);
                None
            }
        };
        let header = header.filter(|header| {
            let Origin { generation: own, shard: of, .. } = header.origin;
            (own, of, header.sequence) == (generation, shard, sequence)
        });
        if let Some(header) = header {
            shard_count = shard_count.max(header.origin.shard_count);
            needs_snapshot |= header.needs_snapshot;
        }
        let version = header.map_or(SEGMENT_VERSION, |header| header.version);
        let first_lsn = header.map(|header| header.first_lsn);
        found.push((shard, SegmentFile { path, version, sequence, first_lsn, is_head_damaged, bytes: entry.bytes }));
    }
    // Where no head says it, the names have to: they are of prepared files, of every shard.
    let shard_count = shard_count.max(found.iter().map(|(shard, _)| shard + 1).max().unwrap_or(0));
    let log = |shard| LogFiles { origin: Origin { generation, shard, shard_count }, segments: Vec::new() };
    let mut logs: Vec<LogFiles> = (0..shard_count).map(log).collect();
    for (shard, segment) in found {
        logs[usize::from(shard)].segments.push(segment);
    }
    for log in &mut logs {
        log.segments.sort_by_key(|segment| segment.sequence);
    }
    Ok(GenerationFiles { generation, needs_snapshot, logs })
}

/// Leaves out the newest generations if they began in a running server and their snapshot was never completed.
fn leave_out_unfounded(repair: bool, plan: &mut Plan) -> Result<(), PlanFault> {
    let snapshot_generation = plan.snapshot.as_ref().map(|snapshot| snapshot.generation);
    let is_unfounded =
        |generation: &GenerationFiles| generation.needs_snapshot && Some(generation.generation) != snapshot_generation;
    let Some(first) = plan.generations.iter().position(is_unfounded) else { return Ok(()) };
    let later = &plan.generations[first..];
    if !later.iter().all(is_unfounded) {
        let path = generation_path(later[0].generation);
        let sentence = "the snapshot that this log builds on is missing, and later logs build on it".to_owned();
        if !repair {
            return Err(PlanFault::Damage { path, sentence });
        }
        plan.repairs.push(format!("{path}: {sentence}; they are left out"));
        plan.generations.truncate(first);
        return Ok(());
    }
    let paths = later.iter().map(|generation| generation_path(generation.generation));
    plan.leftovers.extend(paths);
    plan.generations.truncate(first);
    Ok(())
}

fn disk_fault(path: &str, error: io::Error) -> PlanFault {
    PlanFault::Disk { path: path.to_owned(), error }
}

fn missing_or_failed(path: &str, error: io::Error) -> PlanFault {
    if error.kind() == io::ErrorKind::NotFound {
        let sentence = "a file of the newest snapshot is missing".to_owned();
        return PlanFault::Damage { path: path.to_owned(), sentence };
    }
    disk_fault(path, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::SimDisk;

    #[test]
    fn a_repair_without_its_snapshot_leaves_the_logs_out() {
        let disk = SimDisk::new();
        disk.make_directory("wal/0000000000000007").unwrap();
        disk.make_directory("snapshots/0000000000000001").unwrap();
        disk.prepare_segment("wal/0000000000000007/0000-0000000000.wal", 16_384, None).unwrap();
        disk.create("snapshots/0000000000000001/0000.snap").unwrap().write(&[1; 4096]).unwrap();
        assert!(matches!(plan(&disk, false), Err(PlanFault::Damage { .. })));
        let plan = plan(&disk, true).unwrap();
        assert!(plan.is_empty() && plan.leftovers.is_empty());
        assert_eq!((plan.repairs.len(), plan.generation_next, plan.snapshot_id_next), (2, 8, 2));
    }

    #[test]
    fn an_empty_directory_is_an_empty_plan() {
        let plan = plan(&SimDisk::new(), false).unwrap();
        assert!(plan.is_empty());
        assert_eq!((plan.generation_next, plan.snapshot_id_next), (1, 1));
    }
}
