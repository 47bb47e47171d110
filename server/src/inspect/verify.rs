//! Checks every checksum of a data directory, and says what a start would do.
//!
//! Files that do not count any more (older snapshots, logs behind the newest snapshot) are checked too, each by itself.
//! The logs that count are read as a start reads them, by the same reader, and so end where it would end them. What is
//! not checked is whether each change fits the entry it was made of: that takes the entries, and so a start.

use std::io;
use std::path::Path;

use locksley_engine::Lsn;
use locksley_engine::disk::Disk;
use locksley_engine::recover::{
    Fault, GenerationFiles, LogEnd, LogFiles, LogReader, Plan, PlanFault, plan, snapshot_path,
};

use super::directory::{Filter, holder, named};
use super::disk::ReadOnly;
use super::text::count;
use super::{Out, Verdict, segment, snapshot};

/// What is read of a log between two looks at nothing in particular.
const STEP_BYTES: u64 = 64 << 20;

/// Shows no record and no entry.
const NOTHING: Filter = Filter { count_max: 0, key: None, bytes_max: 0 };

/// Checks the data directory at `path`.
///
/// # Errors
/// When something cannot be read, or `out` fails.
pub(super) fn verify(path: &Path, out: Out<'_>) -> io::Result<Verdict> {
    std::fs::read_dir(path).map_err(|error| named(&path.display().to_string(), &error))?;
    if let Some(process) = holder(path) {
        writeln!(out, "{}: in use by process {process}: the ends of its logs are not final", path.display())?;
    }
    let disk = ReadOnly::new(path);
    let plan = plan(&disk, false);
    let counted = plan.as_ref().map(logs_of).unwrap_or_default();
    let mut damaged = Vec::new();
    check_files(&disk, &counted, &mut damaged, out)?;
    match plan {
        Ok(plan) => {
            let mut outcome = check_logs(&disk, &plan, out)?;
            let newest = plan.snapshot.as_ref().map(|snapshot| snapshot_path(snapshot.id));
            let is_needed = |path: &&String| newest.as_ref().is_some_and(|newest| path.starts_with(newest.as_str()));
            let needed = damaged.iter().filter(is_needed).map(|path| format!("{path} is damaged"));
            outcome.faults.extend(needed);
            announce(&plan, &outcome, out)?;
            let is_good = damaged.is_empty() && outcome.faults.is_empty();
            Ok(if is_good { Verdict::Good } else { Verdict::Damaged })
        }
        Err(fault) => {
            refuse(&[describe(&fault)], out)?;
            Ok(Verdict::Damaged)
        }
    }
}

/// The files of the logs that count.
fn logs_of(plan: &Plan) -> Vec<String> {
    let logs = plan.generations.iter().flat_map(|generation| &generation.logs);
    logs.flat_map(|log| &log.segments).map(|segment| segment.path.clone()).collect()
}

/// Checks each snapshot file, and each log segment that is not in `counted`, by itself; appends those with damage to
/// `damaged`.
fn check_files(disk: &ReadOnly, counted: &[String], damaged: &mut Vec<String>, out: Out<'_>) -> io::Result<()> {
    for top in ["snapshots", "wal"] {
        for directory in disk.list(top).map_err(|error| named(top, &error))? {
            let directory = format!("{top}/{}", directory.name);
            for entry in disk.list(&directory).map_err(|error| named(&directory, &error))? {
                let path = format!("{directory}/{}", entry.name);
                if !counted.contains(&path) && check_file(disk, &path, out)? == Verdict::Damaged {
                    damaged.push(path);
                }
            }
        }
    }
    Ok(())
}

/// Checks one file; what is wrong is shown as [`inspect`](super::directory) shows it.
fn check_file(disk: &ReadOnly, path: &str, out: Out<'_>) -> io::Result<Verdict> {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    if Path::new(directory).extension().is_some_and(|extension| extension == "tmp") {
        writeln!(out, "{path}: of a snapshot that is not complete, and does not count")?;
        return Ok(Verdict::Good);
    }
    let show = match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("wal") => segment::show,
        Some("snap") => snapshot::show,
        _ => return Ok(Verdict::Good),
    };
    let view = match disk.view(path) {
        Ok(view) => view,
        // A running server removes what is not needed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Verdict::Good),
        Err(error) => return Err(named(path, &error)),
    };
    let mut text = Vec::new();
    let verdict = show(path, view.as_ref(), &NOTHING, &mut text)?;
    let summary = String::from_utf8_lossy(&text);
    match verdict {
        Verdict::Good => {
            writeln!(out, "{path}: good, {}", summary.lines().nth(1).map_or("never used", str::trim))?;
        }
        Verdict::Damaged => writeln!(out, "{}", summary.trim_end())?,
    }
    Ok(verdict)
}

/// What reading the logs that count came to.
#[derive(Default)]
struct Outcome {
    record_count: u64,
    cuts: Vec<String>,
    faults: Vec<String>,
}

fn check_logs(disk: &ReadOnly, plan: &Plan, out: Out<'_>) -> io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let newest = plan.generations.last().map(|generation| generation.generation);
    for generation in &plan.generations {
        let is_newest = Some(generation.generation) == newest;
        for files in &generation.logs {
            let from = instant(plan, generation, files).map(Lsn::next);
            check_log(disk, files, from, is_newest, &mut outcome, out)?;
        }
    }
    Ok(outcome)
}

/// The change behind which the log of `files` counts, where the snapshot is of its generation.
fn instant(plan: &Plan, generation: &GenerationFiles, files: &LogFiles) -> Option<Lsn> {
    let snapshot = plan.snapshot.as_ref().filter(|snapshot| snapshot.generation == generation.generation)?;
    snapshot.files.get(usize::from(files.origin.shard)).map(|file| file.lsn)
}

fn check_log(
    disk: &ReadOnly,
    files: &LogFiles,
    from: Option<Lsn>,
    is_newest: bool,
    outcome: &mut Outcome,
    out: Out<'_>,
) -> io::Result<()> {
    let origin = files.origin;
    let name = format!("wal/{:016x}, shard {} of {}", origin.generation, origin.shard, origin.shard_count);
    let segments = count(files.segments.len() as u64, "segment");
    let mut record_count = 0;
    let end = read_log(disk, files, from, is_newest, &mut record_count);
    outcome.record_count += record_count;
    let records = count(record_count, "record");
    match end {
        Ok(end) => {
            let ended = match (end.is_ended, end.cut_bytes) {
                (true, _) => ", ended by intent",
                (false, 0) => "",
                (false, _) => ", with a torn tail",
            };
            writeln!(out, "{name}: good, {segments}, {records} to replay, to number {}{ended}", last(&end))?;
            if end.cut_bytes > 0 {
                outcome.cuts.push(describe_cut(&end));
            }
        }
        Err(Fault::Disk { path, error }) => return Err(named(&path, &error)),
        Err(fault) => {
            writeln!(out, "{name}: damaged, {segments}, {records} before the damage: {fault}")?;
            outcome.faults.push(fault.to_string());
        }
    }
    Ok(())
}

fn read_log(
    disk: &ReadOnly,
    files: &LogFiles,
    from: Option<Lsn>,
    is_newest: bool,
    record_count: &mut u64,
) -> Result<LogEnd, Fault> {
    let mut reader = LogReader::new(disk.clone(), files.clone(), from, !is_newest)?;
    loop {
        let end = reader.step(STEP_BYTES, |record| {
            *record_count += u64::from(from.is_none_or(|from| record.lsn >= from));
            Ok(())
        })?;
        if let Some(end) = end {
            return Ok(end);
        }
    }
}

fn last(end: &LogEnd) -> u64 {
    end.next_lsn.0.saturating_sub(1)
}

fn describe_cut(end: &LogEnd) -> String {
    let path = end.segment.as_ref().map_or("the log", |(_, path)| path);
    let frames = match end.cut_frame_count {
        0 => String::new(),
        frames => format!(", {} among them", count(frames, "record")),
    };
    format!("{path}, offset {}: {} that a power cut left incomplete{frames}", end.offset, count(end.cut_bytes, "byte"))
}

fn describe(fault: &PlanFault) -> String {
    match fault {
        PlanFault::Disk { path, error } => format!("{path}: {error}"),
        PlanFault::Version { path, found } => {
            format!("{path}: its format version {found} is not known to this program")
        }
        PlanFault::Damage { path, sentence } => format!("{path}: {sentence}"),
    }
}

/// Says what a start would do.
fn announce(plan: &Plan, outcome: &Outcome, out: Out<'_>) -> io::Result<()> {
    if !outcome.faults.is_empty() {
        return refuse(&outcome.faults, out);
    }
    if plan.is_empty() {
        return writeln!(out, "A start would begin with an empty store, generation {:016x}.", plan.generation_next);
    }
    let newest = plan.snapshot.as_ref().map(|snapshot| snapshot_path(snapshot.id));
    let source = newest.map_or_else(|| "no snapshot".to_owned(), |path| format!("the snapshot {path}"));
    writeln!(
        out,
        "A start would load {source}, replay {} and begin generation {:016x}.",
        count(outcome.record_count, "record"),
        plan.generation_next
    )?;
    for cut in &outcome.cuts {
        writeln!(out, "It would cut off {cut}.")?;
    }
    for path in &plan.leftovers {
        writeln!(out, "It would remove {path}, which does not count any more.")?;
    }
    Ok(())
}

fn refuse(faults: &[String], out: Out<'_>) -> io::Result<()> {
    for fault in faults {
        writeln!(out, "A start would refuse: {fault}.")?;
    }
    writeln!(
        out,
        "Two ways out: start with --repair, which keeps everything that is provably good and moves the rest to the \
         directory 'damaged'; or put a backup in the place of this directory."
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use locksley_engine::recover::{log_path, snapshot_file_path};

    use super::super::testing::{ORIGIN, segment, snapshot};
    use super::*;

    /// Runs `verify` on a directory with these files.
    fn check(name: &str, files: &[(String, Vec<u8>)]) -> (String, Verdict) {
        let root = std::env::temp_dir().join(format!("locksley-verify-{name}-{}", std::process::id()));
        for (path, bytes) in files {
            let path: PathBuf = root.join(path);
            fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("it can be made");
            fs::write(path, bytes).expect("it can be written");
        }
        fs::create_dir_all(&root).expect("it can be made");
        let mut out = Vec::new();
        let verdict = verify(&root, &mut out).expect("it can be read");
        fs::remove_dir_all(&root).expect("it is ours");
        (String::from_utf8(out).expect("it is text"), verdict)
    }

    fn log() -> (String, Vec<u8>) {
        (log_path(ORIGIN, 0), segment())
    }

    fn shot() -> (String, Vec<u8>) {
        (snapshot_file_path(&snapshot_path(3), 0), snapshot())
    }

    fn flipped((path, mut bytes): (String, Vec<u8>), at: usize) -> (String, Vec<u8>) {
        bytes[at] ^= 1;
        (path, bytes)
    }

    #[test]
    fn a_start_is_told_in_advance() {
        let (text, verdict) = check("empty", &[]);
        assert_eq!(text, "A start would begin with an empty store, generation 0000000000000001.\n");
        assert_eq!(verdict, Verdict::Good);
        let (text, verdict) = check("log", &[log()]);
        assert_eq!(
            text,
            "wal/0000000000000005, shard 0 of 1: good, 1 segment, 8 records to replay, to number 8\n\
             A start would load no snapshot, replay 8 records and begin generation 0000000000000006.\n"
        );
        assert_eq!(verdict, Verdict::Good);
        let (text, verdict) = check("both", &[log(), shot()]);
        assert_eq!(
            text,
            "snapshots/0000000000000003/0000.snap: good, 2 entries in 1 block\n\
             wal/0000000000000005, shard 0 of 1: good, 1 segment, 0 records to replay, to number 8\n\
             A start would load the snapshot snapshots/0000000000000003, replay 0 records and begin generation \
             0000000000000006.\n"
        );
        assert_eq!(verdict, Verdict::Good);
    }

    #[test]
    fn a_torn_tail_is_no_damage() {
        let (text, verdict) = check("tail", &[flipped(log(), 4_908)]);
        assert!(
            text.contains("It would cut off wal/0000000000000005/0000-0000000000.wal, offset 4904: 25 bytes"),
            "{text}"
        );
        assert_eq!(verdict, Verdict::Good);
    }

    #[test]
    fn damage_is_named_with_the_ways_out() {
        let (text, verdict) = check("hole", &[flipped(log(), 4_300)]);
        assert_eq!(verdict, Verdict::Damaged);
        assert!(text.contains("A start would refuse: wal/0000000000000005/0000-0000000000.wal, offset 4200"), "{text}");
        assert!(text.contains("Two ways out: start with --repair"), "{text}");
        let (text, verdict) = check("shot", &[log(), flipped(shot(), 4_300)]);
        assert_eq!(verdict, Verdict::Damaged);
        assert!(text.contains("A start would refuse: snapshots/0000000000000003/0000.snap is damaged"), "{text}");
    }

    #[test]
    fn damage_in_what_does_not_count_stops_no_start() {
        let old = (snapshot_file_path(&snapshot_path(2), 0), flipped(shot(), 4_300).1);
        let (text, verdict) = check("old", &[log(), shot(), old]);
        assert_eq!(verdict, Verdict::Damaged);
        assert!(text.contains("snapshots/0000000000000002/0000.snap: snapshot 3 of shard 0"), "{text}");
        assert!(text.contains("A start would load the snapshot snapshots/0000000000000003"), "{text}");
    }
}
