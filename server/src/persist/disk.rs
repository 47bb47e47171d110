//! The data directory on a real disk.
//!
//! Log segments are mapped: what is stored in one outlives the process. Snapshots go past the page cache, because the
//! kernel makes whoever fills it too quickly wait, and because they would push out what others need there. Where a
//! file system has no such way (some have none), they go through it.
//!
//! A segment is zeroed by writing, which puts its pages into the page cache without reading them and turns blocks that
//! were merely set aside into blocks that are there; then its first pages are made writable, so that the shard's stores
//! fault on none of them.
//!
//! Invariants:
//! - A segment that could not be prepared leaves no file behind: ext4 keeps what a failed `fallocate` got.
//! - A path never leaves the directory: paths are made by the engine from numbers.
//!
//! Source: fallocate(2), madvise(2), open(2) for O_DIRECT, fsync(2).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use locksley_engine::Millis;
use locksley_engine::disk::{DirectoryEntry, Disk, OUTPUT_BLOCK_BYTES, Output, SegmentMemory};
use rustix::fs::{FallocateFlags, OFlags, fallocate, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use super::mapping::{Mapping, View, Writer};
use crate::limits::{OUTPUT_BOUNCE_BYTES, SEGMENT_POPULATED_BYTES, SEGMENT_ZEROED_BYTES};

/// A data directory; copies are of the same one.
#[derive(Clone, Debug)]
pub(crate) struct Files(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    /// The segment prepared last, until somebody asks for it.
    prepared: Mutex<Option<Prepared>>,
}

/// What a segment is beside the memory that the log writes to.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The file, to be synced.
    pub file: OwnedFd,
    /// The mapping, for advice to the kernel.
    pub mapping: Arc<Mapping>,
}

impl Files {
    /// The directory at `root`.
    pub(crate) fn new(root: &Path) -> Files {
        Files(Arc::new(Inner { root: root.to_owned(), prepared: Mutex::new(None) }))
    }

    /// File and mapping of the segment that was prepared last, once.
    pub(super) fn take_prepared(&self) -> Option<Prepared> {
        self.0.prepared.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.root.join(path)
    }

    /// Zeroes and maps `file`.
    fn fill(&self, file: File, bytes: u64) -> io::Result<Box<dyn SegmentMemory>> {
        let zeros = vec![0; SEGMENT_ZEROED_BYTES.min(bytes as usize)];
        let mut offset = 0;
        while offset < bytes {
            let length = zeros.len().min((bytes - offset) as usize);
            file.write_all_at(&zeros[..length], offset)?;
            offset += length as u64;
        }
        let mapping = Mapping::new(&file, bytes as usize)?;
        mapping.populate(0, SEGMENT_POPULATED_BYTES)?;
        let (writer, mapping) = Writer::new(mapping);
        let prepared = Prepared { file: file.into(), mapping };
        *self.0.prepared.lock().unwrap_or_else(PoisonError::into_inner) = Some(prepared);
        Ok(Box::new(writer))
    }

    /// Makes a new file of `bytes` that are all backed by the disk.
    fn allocate(&self, path: &str, bytes: u64) -> io::Result<File> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(self.path(path))?;
        match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
            // A file system may be without it: the zeros that are written anyway take its place.
            Ok(()) | Err(Errno::OPNOTSUPP) => Ok(file),
            Err(error) => {
                let _ = fs::remove_file(self.path(path));
                Err(error.into())
            }
        }
    }

    /// Gives every file in these directories a second name below `target/<time>-<n>`, durably; says where. What is
    /// removed or renamed afterwards is still there under the second name; a file that is written to is not kept so.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn keep(&self, directories: &[&str], target: &str, now: Millis) -> io::Result<String> {
        let names = self.list(target)?;
        let seconds = now.0 / 1000;
        let is_free = |name: &String| names.iter().all(|entry| entry.name != *name);
        let mut free = (1..).map(|number: u32| format!("{seconds}-{number}")).filter(is_free);
        let kept = format!("{target}/{}", free.next().expect("a directory has an end"));
        self.make_directory(&kept)?;
        for directory in directories {
            self.link_all(directory, &format!("{kept}/{directory}"))?;
        }
        Ok(kept)
    }

    fn link_all(&self, source: &str, target: &str) -> io::Result<()> {
        self.make_directory(target)?;
        for entry in self.list(source)? {
            let (from, to) = (format!("{source}/{}", entry.name), format!("{target}/{}", entry.name));
            if entry.is_directory {
                self.link_all(&from, &to)?;
            } else if fs::hard_link(self.path(&from), self.path(&to)).is_err() {
                // Some file systems have no second names.
                fs::copy(self.path(&from), self.path(&to))?;
                self.sync(&to)?;
            }
        }
        self.sync_directory(target)
    }

    fn parent(path: &str) -> &str {
        path.rsplit_once('/').map_or("", |(directory, _)| directory)
    }
}

impl Disk for Files {
    type View = View;

    fn list(&self, directory: &str) -> io::Result<Vec<DirectoryEntry>> {
        let entries = match fs::read_dir(self.path(directory)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut list = Vec::new();
        for entry in entries {
            let entry = entry?;
            let metadata = entry.metadata()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            list.push(DirectoryEntry { name, is_directory: metadata.is_dir(), bytes: metadata.len() });
        }
        list.sort();
        Ok(list)
    }

    fn view(&self, path: &str) -> io::Result<View> {
        let file = File::open(self.path(path))?;
        let bytes = file.metadata()?.len();
        View::new(&file, bytes)
    }

    fn make_directory(&self, path: &str) -> io::Result<()> {
        let mut made = String::new();
        for part in path.split('/') {
            let above = made.clone();
            if !made.is_empty() {
                made.push('/');
            }
            made.push_str(part);
            match fs::create_dir(self.path(&made)) {
                Ok(()) => self.sync_directory(&above)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        // One that exists may have been made by a process that died before it was durable.
        self.sync_directory(Files::parent(path))
    }

    fn prepare_segment(&self, path: &str, bytes: u64, recycled: Option<&str>) -> io::Result<Box<dyn SegmentMemory>> {
        let Some(recycled) = recycled else {
            let file = self.allocate(path, bytes)?;
            let filled = self.fill(file, bytes).and_then(|memory| {
                self.sync_directory(Files::parent(path))?;
                Ok(memory)
            });
            return filled.inspect_err(|_| {
                let _ = fs::remove_file(self.path(path));
            });
        };
        let file = OpenOptions::new().read(true).write(true).open(self.path(recycled))?;
        if file.metadata()?.len() != bytes {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a file of another length cannot be recycled"));
        }
        // It gets its new name once nothing of its old content can be read under it.
        let memory = self.fill(file, bytes)?;
        self.rename(recycled, path)?;
        for directory in [Files::parent(path), Files::parent(recycled)] {
            self.sync_directory(directory)?;
        }
        Ok(memory)
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn Output>> {
        let open = |flags: OFlags| {
            let mut options = OpenOptions::new();
            options.write(true).create(true).custom_flags(flags.bits() as i32);
            options
        };
        // A first attempt without the page cache may leave a file even where it fails.
        if self.path(path).exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let (file, is_direct) = match open(OFlags::DIRECT).open(self.path(path)) {
            Ok(file) => (file, true),
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                (open(OFlags::empty()).open(self.path(path))?, false)
            }
            Err(error) => return Err(error),
        };
        Ok(Box::new(FileOutput { file, is_direct, bounce: AlignedBuffer::default() }))
    }

    fn write_at(&self, path: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new().write(true).open(self.path(path))?.write_all_at(bytes, offset)
    }

    fn truncate(&self, path: &str, bytes: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(self.path(path))?.set_len(bytes)
    }

    fn sync(&self, path: &str) -> io::Result<()> {
        File::open(self.path(path))?.sync_all()
    }

    fn sync_directory(&self, path: &str) -> io::Result<()> {
        File::open(self.path(path))?.sync_all()
    }

    fn rename(&self, source: &str, target: &str) -> io::Result<()> {
        fs::rename(self.path(source), self.path(target))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let removed = match fs::symlink_metadata(self.path(path)) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(self.path(path)),
            Ok(_) => fs::remove_file(self.path(path)),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// A file being written past the page cache.
struct FileOutput {
    file: File,
    is_direct: bool,
    /// For bytes that do not lie as such a write needs them.
    bounce: AlignedBuffer,
}

impl Output for FileOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        assert!(bytes.len().is_multiple_of(OUTPUT_BLOCK_BYTES), "files are written in whole blocks");
        if !self.is_direct || bytes.as_ptr().align_offset(OUTPUT_BLOCK_BYTES) == 0 {
            return write_all(&mut self.file, &mut self.is_direct, bytes);
        }
        for piece in bytes.chunks(OUTPUT_BOUNCE_BYTES) {
            write_all(&mut self.file, &mut self.is_direct, self.bounce.copy(piece))?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.file.sync_all()
    }
}

/// Writes all of `bytes`, through the page cache from the first write on that the file system refuses otherwise.
fn write_all(file: &mut File, is_direct: &mut bool, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // It took the flag only, or the write before was cut within a block.
            Err(error) if *is_direct && error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                let flags = fcntl_getfl(&*file)?;
                fcntl_setfl(&*file, flags.difference(OFlags::DIRECT))?;
                *is_direct = false;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Memory that begins at a multiple of [`OUTPUT_BLOCK_BYTES`], as writes past the page cache need it; none until it is
/// used.
#[derive(Default)]
struct AlignedBuffer(Vec<u8>);

impl AlignedBuffer {
    fn copy(&mut self, bytes: &[u8]) -> &[u8] {
        self.0.resize(OUTPUT_BOUNCE_BYTES + OUTPUT_BLOCK_BYTES, 0);
        let start = self.0.as_ptr().align_offset(OUTPUT_BLOCK_BYTES);
        let place = &mut self.0[start..start + bytes.len()];
        place.copy_from_slice(bytes);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persist::testing::Directory;

    #[test]
    fn what_is_made_is_listed_in_order_and_removed_with_all_in_it() {
        let directory = Directory::new();
        let files = directory.files();
        assert_eq!(files.list("wal").unwrap(), []);
        files.make_directory("wal/2").unwrap();
        files.make_directory("wal/2").unwrap();
        files.create("wal/b").unwrap().write(&[7; OUTPUT_BLOCK_BYTES]).unwrap();
        let entry = |name: &str, is_directory, bytes| DirectoryEntry { name: name.to_owned(), is_directory, bytes };
        let list = files.list("wal").unwrap();
        assert_eq!((list.len(), &list[0].name, list[0].is_directory), (2, &"2".to_owned(), true));
        assert_eq!(list[1], entry("b", false, OUTPUT_BLOCK_BYTES as u64));
        files.rename("wal/b", "wal/2/b").unwrap();
        files.remove("wal/2").unwrap();
        files.remove("wal/2").unwrap();
        assert_eq!(files.list("wal").unwrap(), []);
    }

    #[test]
    fn a_segment_is_zeroed_and_keeps_what_is_stored_in_it() {
        let directory = Directory::new();
        let files = directory.files();
        let bytes = 1 << 20;
        let mut memory = files.prepare_segment("a", bytes, None).unwrap();
        assert!(files.take_prepared().is_some());
        assert!(memory.bytes_mut().iter().all(|byte| *byte == 0));
        memory.bytes_mut()[5..10].copy_from_slice(b"hello");
        drop(memory);
        assert_eq!(&files.view("a").unwrap().as_ref()[5..10], b"hello");
        let mut memory = files.prepare_segment("b", bytes, Some("a")).unwrap();
        assert_eq!(memory.bytes_mut().len() as u64, bytes);
        assert!(memory.bytes_mut().iter().all(|byte| *byte == 0));
        assert!(files.view("a").is_err());
        assert!(files.prepare_segment("c", bytes / 2, Some("b")).is_err());
        assert!(files.view("c").is_err());
    }

    #[test]
    fn a_segment_that_finds_no_room_leaves_no_file() {
        let directory = Directory::new();
        let files = directory.files();
        // More than any disk has.
        let error = files.prepare_segment("a", 1 << 60, None).err().expect("there is no such disk");
        assert!(error.raw_os_error().is_some(), "{error}");
        assert_eq!(files.list("").unwrap(), []);
    }

    #[test]
    fn an_output_is_written_whole_whatever_its_pieces() {
        let directory = Directory::new();
        let files = directory.files();
        let mut output = files.create("a").unwrap();
        let mut expected = Vec::new();
        for (index, blocks) in [1, 64, 3, 0, 300].into_iter().enumerate() {
            let piece = vec![index as u8 + 1; blocks * OUTPUT_BLOCK_BYTES];
            output.write(&piece).unwrap();
            expected.extend_from_slice(&piece);
        }
        output.finish().unwrap();
        assert_eq!(files.view("a").unwrap().as_ref(), expected);
        assert!(files.create("a").is_err());
    }

    #[test]
    fn what_is_kept_outlives_its_first_name() {
        let directory = Directory::new();
        let files = directory.files();
        files.make_directory("wal/1").unwrap();
        files.create("wal/1/a").unwrap().write(&[7; OUTPUT_BLOCK_BYTES]).unwrap();
        assert_eq!(files.keep(&["wal", "snapshots"], "damaged", Millis(5_000)).unwrap(), "damaged/5-1");
        assert_eq!(files.keep(&["wal"], "damaged", Millis(5_000)).unwrap(), "damaged/5-2");
        files.remove("wal/1").unwrap();
        for kept in ["damaged/5-1/wal/1/a", "damaged/5-2/wal/1/a"] {
            assert_eq!(files.view(kept).unwrap().as_ref(), [7; OUTPUT_BLOCK_BYTES]);
        }
    }

    #[test]
    fn a_file_is_cut_and_written_over() {
        let directory = Directory::new();
        let files = directory.files();
        files.create("a").unwrap().write(&[1; OUTPUT_BLOCK_BYTES]).unwrap();
        files.truncate("a", 3).unwrap();
        files.write_at("a", 2, &[2, 3]).unwrap();
        files.sync("a").unwrap();
        assert_eq!(files.view("a").unwrap().as_ref(), [1, 1, 2, 3]);
        files.truncate("a", 0).unwrap();
        assert!(files.view("a").unwrap().as_ref().is_empty());
    }
}
