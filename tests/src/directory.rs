//! A directory that goes away with its value, or one that somebody else keeps.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// See the module. With `LOCKSLEY_KEEP` set, those of a failing test stay, and their paths are printed.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    is_kept: bool,
}

impl Directory {
    /// A new and empty one among the temporary files.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("locksley-tests-{}-{number}", process::id()));
        fs::create_dir_all(&path).expect("the temporary directory can be written");
        Self { path, is_kept: false }
    }

    /// One that is there, and stays.
    pub fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), is_kept: true }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        if thread::panicking() && env::var_os("LOCKSLEY_KEEP").is_some() {
            eprintln!("--- kept: {}", self.path.display());
            return;
        }
        // What cannot be removed now is only a leftover in the temporary directory.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Copies a directory with all that is in it.
///
/// # Errors
///
/// What the file system says; a file that goes away meanwhile is left out.
pub fn copy(source: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir_all(target)?;
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        let to = target.join(entry.file_name());
        let outcome =
            if entry.path().is_dir() { copy(&entry.path(), &to) } else { fs::copy(entry.path(), &to).map(|_| ()) };
        match outcome {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Every file below a directory, sorted by path.
///
/// # Panics
///
/// If the directory cannot be read.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(next) = left.pop() {
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            if path.is_dir() { left.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Bytes of all files below a directory.
pub fn bytes_below(directory: &Path) -> u64 {
    // A file may go away between being listed and being asked.
    files_below(directory).iter().filter_map(|path| fs::metadata(path).ok()).map(|metadata| metadata.len()).sum()
}
