//! Everything below a path in words: a data directory, a part of one, or one file.

use std::fs;
use std::io;
use std::path::Path;

use locksley_engine::disk::Disk;
use locksley_wire::glob;

use super::disk::ReadOnly;
use super::options::Inspect;
use super::{Out, Verdict, segment, snapshot};

/// Which records and entries are shown.
pub(super) struct Filter {
    /// How many of a file.
    pub count_max: u64,
    /// Only those of keys that match.
    pub key: Option<String>,
    /// Longest part of a key or value that is shown, in bytes.
    pub bytes_max: usize,
}

impl Filter {
    /// Whether a record or entry with this key, or none, is shown.
    pub(super) fn takes(&self, key: Option<&[u8]>) -> bool {
        let Some(pattern) = &self.key else { return true };
        key.is_some_and(|key| glob::matches(pattern.as_bytes(), key, glob::Case::Sensitive))
    }
}

/// Shows what is at the path of `options`.
///
/// # Errors
/// When something cannot be read, or `out` fails.
pub(super) fn inspect(options: &Inspect, out: Out<'_>) -> io::Result<Verdict> {
    let path = &options.path;
    let metadata = fs::metadata(path).map_err(|error| named(&path.display().to_string(), &error))?;
    let is_directory = metadata.is_dir();
    let all = if is_directory && options.key.is_none() { 0 } else { u64::MAX };
    let count_max = options.records.unwrap_or(all);
    let filter = Filter { count_max, key: options.key.clone(), bytes_max: options.bytes_max };
    if is_directory {
        if let Some(process) = holder(path) {
            writeln!(out, "{}: in use by process {process}, which may be writing", path.display())?;
        }
        return walk(&ReadOnly::new(path), "", &filter, out);
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    show(&ReadOnly::new(directory), &name, &filter, out)
}

fn walk(disk: &ReadOnly, directory: &str, filter: &Filter, out: Out<'_>) -> io::Result<Verdict> {
    let entries = disk.list(directory).map_err(|error| named(directory, &error))?;
    let mut verdict = Verdict::Good;
    for entry in entries {
        let path = if directory.is_empty() { entry.name } else { format!("{directory}/{}", entry.name) };
        let found = if entry.is_directory { walk(disk, &path, filter, out) } else { show(disk, &path, filter, out) };
        verdict = verdict.and(found?);
    }
    Ok(verdict)
}

fn show(disk: &ReadOnly, path: &str, filter: &Filter, out: Out<'_>) -> io::Result<Verdict> {
    let view = match disk.view(path) {
        Ok(view) => view,
        // A running server removes files.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Verdict::Good),
        Err(error) => return Err(named(path, &error)),
    };
    let bytes = view.as_ref();
    match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("wal") => segment::show(path, bytes, filter, out),
        Some("snap") => snapshot::show(path, bytes, filter, out),
        None if path == "lock" => {
            writeln!(out, "{path}: locked by a server as long as it runs")?;
            Ok(Verdict::Good)
        }
        _ => {
            writeln!(out, "{path}: {} bytes, neither a log segment nor a snapshot", bytes.len())?;
            Ok(Verdict::Good)
        }
    }
}

/// The error with the path it is about.
pub(super) fn named(path: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{path}: {error}"))
}

/// The process that holds the lock of a data directory; found without taking the lock, which might keep a server from
/// starting.
pub(super) fn holder(directory: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let inode = fs::metadata(directory.join("lock")).ok()?.ino().to_string();
    // A line: "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF".
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_meant = words.get(1) == Some(&"FLOCK") && words.get(5)?.rsplit(':').next() == Some(&inode);
        is_meant.then(|| words[4].parse().ok()).flatten()
    })
}
