//! Temporary directories for tests.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::disk::Files;

/// A directory that is removed in the end.
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// A new one, empty.
    pub(crate) fn new() -> Directory {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("locksley-persist-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).expect("temporary files can be made");
        Directory(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// It as a data directory.
    pub(super) fn files(&self) -> Files {
        Files::new(&self.0)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
