//! A data directory that can only be read.
//!
//! Log segments are copied into memory, because a server that starts meanwhile may cut them short, which a mapping does
//! not survive. Snapshot files never change once they have their name; they may be larger than memory, so they are
//! mapped.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use locksley_engine::disk::{DirectoryEntry, Disk, Output, SegmentMemory};

use crate::persist::Files;

/// See the module.
#[derive(Clone)]
pub(super) struct ReadOnly {
    root: PathBuf,
    files: Files,
}

/// The bytes of a file.
pub(super) enum Bytes {
    /// A copy.
    Read(Vec<u8>),
    /// A mapping.
    Mapped(<Files as Disk>::View),
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Bytes::Read(bytes) => bytes,
            Bytes::Mapped(view) => view.as_ref(),
        }
    }
}

impl ReadOnly {
    /// The directory at `root`.
    pub(super) fn new(root: &Path) -> ReadOnly {
        ReadOnly { root: root.to_owned(), files: Files::new(root) }
    }
}

fn refused<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "nothing is written here"))
}

impl Disk for ReadOnly {
    type View = Bytes;

    fn list(&self, directory: &str) -> io::Result<Vec<DirectoryEntry>> {
        self.files.list(directory)
    }

    fn view(&self, path: &str) -> io::Result<Bytes> {
        if Path::new(path).extension().is_some_and(|extension| extension == "snap") {
            return self.files.view(path).map(Bytes::Mapped);
        }
        fs::read(self.root.join(path)).map(Bytes::Read)
    }

    fn make_directory(&self, _: &str) -> io::Result<()> {
        refused()
    }

    fn prepare_segment(&self, _: &str, _: u64, _: Option<&str>) -> io::Result<Box<dyn SegmentMemory>> {
        refused()
    }

    fn create(&self, _: &str) -> io::Result<Box<dyn Output>> {
        refused()
    }

    fn write_at(&self, _: &str, _: u64, _: &[u8]) -> io::Result<()> {
        refused()
    }

    fn truncate(&self, _: &str, _: u64) -> io::Result<()> {
        refused()
    }

    fn sync(&self, _: &str) -> io::Result<()> {
        refused()
    }

    fn sync_directory(&self, _: &str) -> io::Result<()> {
        refused()
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        refused()
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        refused()
    }
}
