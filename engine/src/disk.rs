//! What durability asks of a disk, so that the same code runs on files and on a simulated disk that loses
//! power at every step.
//!
//! Paths are relative to the data directory and separated by `/`. Nothing is durable before [`Disk::sync`]
//! of the file and, for a name that is new, renamed or removed, [`Disk::sync_directory`] of its directory.

#[cfg(any(test, feature = "model"))]
pub mod sim;

use std::io;

/// What a directory holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirectoryEntry {
    /// Its name, without the directory.
    pub name: String,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Length of a file, in bytes.
    pub bytes: u64,
}

/// A log segment that is mapped for writing. What is stored in it outlives the process, but not a power cut
/// before the next sync.
pub trait SegmentMemory: Send {
    /// All of it.
    fn bytes_mut(&mut self) -> &mut [u8];
}

/// A file that is written from its beginning to its end, past the page cache where there is one.
pub trait Output: Send {
    /// Appends `bytes`, a multiple of [`OUTPUT_BLOCK_BYTES`] long.
    ///
    /// # Errors
    /// The disk's.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes all that was written durable; the file's name is the caller's business.
    ///
    /// # Errors
    /// The disk's. The file must be given up then: a second sync may report success for data that is gone.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// What an [`Output`] takes at a time.
pub const OUTPUT_BLOCK_BYTES: usize = 4096;

/// A data directory.
pub trait Disk {
    /// A whole file, mapped or read.
    type View: AsRef<[u8]>;

    /// What `directory` holds, in order of the names; nothing if there is no such directory.
    ///
    /// # Errors
    /// The disk's.
    fn list(&self, directory: &str) -> io::Result<Vec<DirectoryEntry>>;

    /// The bytes of a file.
    ///
    /// # Errors
    /// The disk's.
    fn view(&self, path: &str) -> io::Result<Self::View>;

    /// Makes a directory and those above it, durably; one that exists is fine.
    ///
    /// # Errors
    /// The disk's.
    fn make_directory(&self, path: &str) -> io::Result<()>;

    /// Makes a segment of `bytes` at `path`: all zeros, every byte of it backed by disk space and memory, so
    /// that a store cannot fail. With `recycled`, a file of that length that nobody needs any more becomes it.
    /// Its name is durable when this returns; its zeros need not be.
    ///
    /// # Errors
    /// The disk's; no new file is left then.
    fn prepare_segment(&self, path: &str, bytes: u64, recycled: Option<&str>) -> io::Result<Box<dyn SegmentMemory>>;

    /// Creates a file for writing; one that exists is an error.
    ///
    /// # Errors
    /// The disk's.
    fn create(&self, path: &str) -> io::Result<Box<dyn Output>>;

    /// Overwrites `bytes` at `offset` of an existing file, which may grow by it.
    ///
    /// # Errors
    /// The disk's.
    fn write_at(&self, path: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts a file to `bytes`.
    ///
    /// # Errors
    /// The disk's.
    fn truncate(&self, path: &str, bytes: u64) -> io::Result<()>;

    /// Makes the contents and length of a file durable.
    ///
    /// # Errors
    /// The disk's; final, see [`Output::finish`].
    fn sync(&self, path: &str) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// The disk's; final, see [`Output::finish`].
    fn sync_directory(&self, path: &str) -> io::Result<()>;

    /// Renames a file or directory.
    ///
    /// # Errors
    /// The disk's.
    fn rename(&self, source: &str, target: &str) -> io::Result<()>;

    /// Removes a file, or a directory with all that is in it; what is not there is fine.
    ///
    /// # Errors
    /// The disk's.
    fn remove(&self, path: &str) -> io::Result<()>;
}
