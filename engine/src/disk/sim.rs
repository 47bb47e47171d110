//! A disk that loses power whenever it is told to, for tests.
//!
//! Every file and every directory has two images: the live one, which a process sees, and the durable one, which a
//! sync makes equal to it. What a power cut leaves is between the two:
//!
//! ```text
//!   file       each 4 KiB page that differs     ─▶ old, new, or torn: each 512 B of it old or new
//!              a length that differs            ─▶ old or new; what of it never had bytes is zeros
//!   directory  each name made, removed, renamed ─▶ happened or not, each by itself; a rename wholly
//! ```
//!
//! A process that is killed leaves the live image: what it stored in a mapped segment is there, synced or not.
//!
//! Steps fail on demand: the n-th operation from now, and as many after it as wanted, finds no space, fails, or finds
//! the power gone; then every later one does until the disk is [cut](SimDisk::cut_power). An operation that takes the
//! kernel several steps, such as preparing a segment, is several here.
//!
//! What is not simulated: a failed sync leaves what it should have written to be written by a later one. Real kernels
//! forget it, which no process that goes on could find out; so ours ends.

#![expect(unsafe_code, reason = "a mapped segment is seen by its writer and by the disk")]

use std::cell::UnsafeCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::disk::{DirectoryEntry, Disk, OUTPUT_BLOCK_BYTES, Output, SegmentMemory};
use crate::model::Choices;

/// What the kernel writes back as one.
const PAGE_BYTES: usize = 4096;
/// What a disk writes as one.
const SECTOR_BYTES: usize = 512;
/// The directory that holds all.
const ROOT: usize = 0;

/// How operations fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No space is left, for those that need some.
    NoSpace,
    /// The disk reports an error.
    Io,
    /// The power is gone: every later operation fails too, and has no effect.
    Power,
}

/// A simulated disk; copies are of the same one.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<World>>);

struct World {
    directories: Vec<Directory>,
    files: Vec<File>,
    /// Changes of names that are not durable, in their order.
    pending: Vec<Change>,
    operation_count: u64,
    planned: Option<Planned>,
}

#[derive(Clone, Copy)]
struct Planned {
    /// Operations, counted from the disk's making.
    first: u64,
    end: u64,
    failure: Failure,
}

#[derive(Default)]
struct Directory {
    live: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    File(usize),
    Directory(usize),
}

struct File {
    live: Contents,
    durable: Vec<u8>,
}

enum Contents {
    Written(Vec<u8>),
    Mapped(Arc<Memory>),
}

enum Change {
    Put { directory: usize, name: String, node: Node },
    Remove { directory: usize, name: String },
    Rename { source: (usize, String), target: (usize, String), node: Node },
}

impl Default for SimDisk {
    fn default() -> SimDisk {
        SimDisk::new()
    }
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> SimDisk {
        SimDisk(Arc::new(Mutex::new(World::new())))
    }

    /// Operations so far.
    pub fn operation_count(&self) -> u64 {
        self.world().operation_count
    }

    /// Lets the operation after `after` more, and those behind it up to `count` in all, fail.
    pub fn fail(&self, after: u64, count: u64, failure: Failure) {
        let mut world = self.world();
        let first = world.operation_count + after;
        world.planned = Some(Planned { first, end: first.saturating_add(count), failure });
    }

    /// Lets all operations succeed from now on.
    pub fn heal(&self) {
        self.world().planned = None;
    }

    /// Whether the power went at an operation, and is not back.
    pub fn is_without_power(&self) -> bool {
        let world = self.world();
        world.planned.is_some_and(|it| it.failure == Failure::Power && world.operation_count > it.first)
    }

    /// The power went and is back: what is left is drawn from `choices`, and all operations succeed again.
    ///
    /// Memory of segments that was handed out before is not part of the disk any more.
    pub fn cut_power(&self, choices: &mut impl Choices) {
        let mut world = self.world();
        let left = world.after_power_cut(choices);
        *world = left;
    }

    /// All files with their live contents, by path: to compare or copy a directory.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let world = self.world();
        let mut found = BTreeMap::new();
        let mut left = vec![(String::new(), ROOT)];
        while let Some((prefix, directory)) = left.pop() {
            for (name, node) in &world.directories[directory].live {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
                match node {
                    Node::File(file) => drop(found.insert(path, world.files[*file].live.copy())),
                    Node::Directory(below) => left.push((path, *below)),
                }
            }
        }
        found
    }

    /// A disk that holds these files durably.
    ///
    /// # Panics
    /// When a path names both a file and a directory.
    pub fn with_files(files: &BTreeMap<String, Vec<u8>>) -> SimDisk {
        let mut world = World::new();
        for (path, contents) in files {
            let mut directory = ROOT;
            let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
            for part in above.split('/').filter(|part| !part.is_empty()) {
                directory = match world.directories[directory].live.get(part) {
                    Some(Node::Directory(below)) => *below,
                    Some(Node::File(_)) => panic!("{path} lies in a file"),
                    None => {
                        let below = world.directories.len();
                        world.directories.push(Directory::default());
                        world.put(directory, part, Node::Directory(below));
                        below
                    }
                };
            }
            let file = world.new_file(Contents::Written(contents.clone()), contents.clone());
            world.put(directory, name, file);
        }
        for change in std::mem::take(&mut world.pending) {
            world.make_durable(&change);
        }
        SimDisk(Arc::new(Mutex::new(world)))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().expect("a test that panicked is over")
    }

    /// The file that `path` names.
    fn file(&self, path: &str) -> io::Result<usize> {
        self.world().file(path)
    }
}

impl World {
    fn new() -> World {
        let directories = vec![Directory::default()];
        World { directories, files: Vec::new(), pending: Vec::new(), operation_count: 0, planned: None }
    }

    /// Counts an operation, which may fail; `takes_space` says whether it needs some.
    fn tick(&mut self, takes_space: bool) -> io::Result<()> {
        let number = self.operation_count;
        self.operation_count += 1;
        let Some(Planned { first, end, failure }) = self.planned else { return Ok(()) };
        let is_due = number >= first && (number < end || failure == Failure::Power);
        match failure {
            _ if !is_due => Ok(()),
            Failure::NoSpace if !takes_space => Ok(()),
            Failure::NoSpace => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
            Failure::Io | Failure::Power => Err(io::Error::from_raw_os_error(libc::EIO)),
        }
    }

    /// The directory that holds `path`, and the name there.
    fn place<'p>(&self, path: &'p str) -> io::Result<(usize, &'p str)> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.directory(above)?, name))
    }

    fn directory(&self, path: &str) -> io::Result<usize> {
        let mut directory = ROOT;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            match self.directories[directory].live.get(part) {
                Some(Node::Directory(below)) => directory = *below,
                Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                None => return Err(io::ErrorKind::NotFound.into()),
            }
        }
        Ok(directory)
    }

    fn node(&self, path: &str) -> io::Result<Node> {
        let (directory, name) = self.place(path)?;
        self.directories[directory].live.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn file(&self, path: &str) -> io::Result<usize> {
        match self.node(path)? {
            Node::File(file) => Ok(file),
            Node::Directory(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn new_file(&mut self, live: Contents, durable: Vec<u8>) -> Node {
        self.files.push(File { live, durable });
        Node::File(self.files.len() - 1)
    }

    /// Names `node`, not durably.
    fn put(&mut self, directory: usize, name: &str, node: Node) {
        self.directories[directory].live.insert(name.to_owned(), node);
        self.pending.push(Change::Put { directory, name: name.to_owned(), node });
    }

    /// Makes all changes of the names in a directory durable.
    fn sync_names(&mut self, directory: usize) {
        for change in std::mem::take(&mut self.pending) {
            if change.touches(directory) {
                self.make_durable(&change);
            } else {
                self.pending.push(change);
            }
        }
    }

    fn make_durable(&mut self, change: &Change) {
        match change {
            Change::Put { directory, name, node } => {
                self.directories[*directory].durable.insert(name.clone(), *node);
            }
            Change::Remove { directory, name } => {
                self.directories[*directory].durable.remove(name);
            }
            Change::Rename { source, target, node } => {
                let names = &mut self.directories[source.0].durable;
                if names.get(&source.1) == Some(node) {
                    names.remove(&source.1);
                }
                self.directories[target.0].durable.insert(target.1.clone(), *node);
            }
        }
    }

    /// What a power cut leaves of it.
    fn after_power_cut(&mut self, choices: &mut impl Choices) -> World {
        // Sometimes nothing was written back, sometimes nearly everything.
        let luck = choices.draw(4);
        for change in std::mem::take(&mut self.pending) {
            let happened = match luck {
                0 => false,
                1 => choices.draw(8) != 0,
                _ => choices.draw(2) == 0,
            };
            if happened {
                self.make_durable(&change);
            }
        }
        let mut left = World::new();
        left.operation_count = self.operation_count;
        let mut to_copy = vec![(ROOT, ROOT)];
        while let Some((source, target)) = to_copy.pop() {
            let names: Vec<(String, Node)> =
                self.directories[source].durable.iter().map(|(name, node)| (name.clone(), *node)).collect();
            for (name, node) in names {
                let copy = match node {
                    Node::File(file) => {
                        let File { live, durable } = &self.files[file];
                        let contents = after_power_cut(durable, &live.copy(), luck, choices);
                        left.new_file(Contents::Written(contents.clone()), contents)
                    }
                    Node::Directory(below) => {
                        left.directories.push(Directory::default());
                        to_copy.push((below, left.directories.len() - 1));
                        Node::Directory(left.directories.len() - 1)
                    }
                };
                left.directories[target].live.insert(name.clone(), copy);
                left.directories[target].durable.insert(name, copy);
            }
        }
        left
    }
}

/// What a power cut leaves of a file.
fn after_power_cut(durable: &[u8], live: &[u8], luck: u64, choices: &mut impl Choices) -> Vec<u8> {
    if durable == live {
        return durable.to_vec();
    }
    let has_new_length = luck != 0 && choices.draw(2) == 0;
    let length = if has_new_length { live.len() } else { durable.len() };
    let mut left = vec![0; length];
    let shared = length.min(durable.len());
    left[..shared].copy_from_slice(&durable[..shared]);
    let pages = left.chunks_mut(PAGE_BYTES).zip(live.chunks(PAGE_BYTES));
    for (left, live) in pages {
        let common = left.len().min(live.len());
        let (left, live) = (&mut left[..common], &live[..common]);
        if left == live {
            continue;
        }
        let fate = match luck {
            0 => 0,
            1 => 1 + choices.draw(16) / 15 * choices.draw(2),
            _ => choices.draw(3),
        };
        match fate {
            0 => {}
            1 => left.copy_from_slice(live),
            _ => tear(left, live, choices),
        }
    }
    left
}

/// Writes some sectors of a page.
fn tear(left: &mut [u8], live: &[u8], choices: &mut impl Choices) {
    let written = choices.draw(1 << (PAGE_BYTES / SECTOR_BYTES));
    for (number, (left, live)) in left.chunks_mut(SECTOR_BYTES).zip(live.chunks(SECTOR_BYTES)).enumerate() {
        if written >> number & 1 == 1 {
            left.copy_from_slice(live);
        }
    }
}

impl Change {
    fn touches(&self, directory: usize) -> bool {
        match self {
            Change::Put { directory: of, .. } | Change::Remove { directory: of, .. } => *of == directory,
            Change::Rename { source, target, .. } => source.0 == directory || target.0 == directory,
        }
    }
}

impl Contents {
    fn copy(&self) -> Vec<u8> {
        match self {
            Contents::Written(bytes) => bytes.clone(),
            Contents::Mapped(memory) => memory.copy(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Contents::Written(bytes) => bytes.len(),
            Contents::Mapped(memory) => memory.bytes,
        }
    }
}

impl Disk for SimDisk {
    type View = Vec<u8>;

    fn list(&self, directory: &str) -> io::Result<Vec<DirectoryEntry>> {
        let mut world = self.world();
        world.tick(false)?;
        let directory = match world.directory(directory) {
            Ok(directory) => directory,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let entry = |(name, node): (&String, &Node)| match node {
            Node::File(file) => {
                let bytes = world.files[*file].live.bytes() as u64;
                DirectoryEntry { name: name.clone(), is_directory: false, bytes }
            }
            Node::Directory(_) => DirectoryEntry { name: name.clone(), is_directory: true, bytes: 0 },
        };
        Ok(world.directories[directory].live.iter().map(entry).collect())
    }

    fn view(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut world = self.world();
        world.tick(false)?;
        let file = world.file(path)?;
        Ok(world.files[file].live.copy())
    }

    fn make_directory(&self, path: &str) -> io::Result<()> {
        let mut world = self.world();
        let mut directory = ROOT;
        for part in path.split('/') {
            match world.directories[directory].live.get(part).copied() {
                Some(Node::Directory(below)) => {
                    // One that exists may have been made by a process that died before it was durable.
                    world.tick(false)?;
                    world.sync_names(directory);
                    directory = below;
                }
                Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                None => {
                    world.tick(true)?;
                    let below = world.directories.len();
                    world.directories.push(Directory::default());
                    world.put(directory, part, Node::Directory(below));
                    world.tick(false)?;
                    world.sync_names(directory);
                    directory = below;
                }
            }
        }
        Ok(())
    }

    fn prepare_segment(&self, path: &str, bytes: u64, recycled: Option<&str>) -> io::Result<Box<dyn SegmentMemory>> {
        let mut world = self.world();
        let (directory, name) = world.place(path)?;
        let memory = Arc::new(Memory::new(bytes as usize));
        let Some(recycled) = recycled else {
            world.tick(true)?;
            if world.directories[directory].live.contains_key(name) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let node = world.new_file(Contents::Mapped(memory.clone()), Vec::new());
            world.put(directory, name, node);
            for takes_space in [true, false] {
                if let Err(error) = world.tick(takes_space) {
                    // Where the power is gone nothing more happens.
                    if !world.planned.is_some_and(|planned| planned.failure == Failure::Power) {
                        world.directories[directory].live.remove(name);
                        world.pending.push(Change::Remove { directory, name: name.to_owned() });
                    }
                    return Err(error);
                }
            }
            world.sync_names(directory);
            return Ok(Box::new(Segment(memory)));
        };
        world.tick(false)?;
        let file = world.file(recycled)?;
        if world.files[file].live.bytes() as u64 != bytes {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (source, source_name) = world.place(recycled)?;
        world.tick(true)?;
        world.files[file].live = Contents::Mapped(memory.clone());
        world.tick(false)?;
        world.rename((source, source_name), (directory, name))?;
        for directory in [directory, source] {
            world.tick(false)?;
            world.sync_names(directory);
        }
        Ok(Box::new(Segment(memory)))
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn Output>> {
        let mut world = self.world();
        world.tick(true)?;
        let (directory, name) = world.place(path)?;
        if world.directories[directory].live.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let node = world.new_file(Contents::Written(Vec::new()), Vec::new());
        world.put(directory, name, node);
        let Node::File(file) = node else { unreachable!("a file was made") };
        Ok(Box::new(SimOutput { disk: self.clone(), file }))
    }

    fn write_at(&self, path: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.world();
        world.tick(true)?;
        let file = world.file(path)?;
        let mut contents = world.files[file].live.copy();
        let end = offset as usize + bytes.len();
        contents.resize(contents.len().max(end), 0);
        contents[offset as usize..end].copy_from_slice(bytes);
        world.files[file].live = Contents::Written(contents);
        Ok(())
    }

    fn truncate(&self, path: &str, bytes: u64) -> io::Result<()> {
        let mut world = self.world();
        world.tick(false)?;
        let file = world.file(path)?;
        let mut contents = world.files[file].live.copy();
        contents.resize(bytes as usize, 0);
        world.files[file].live = Contents::Written(contents);
        Ok(())
    }

    fn sync(&self, path: &str) -> io::Result<()> {
        let file = self.file(path)?;
        let mut world = self.world();
        world.tick(false)?;
        world.sync_file(file);
        Ok(())
    }

    fn sync_directory(&self, path: &str) -> io::Result<()> {
        let mut world = self.world();
        world.tick(false)?;
        let directory = world.directory(path)?;
        world.sync_names(directory);
        Ok(())
    }

    fn rename(&self, source: &str, target: &str) -> io::Result<()> {
        let mut world = self.world();
        world.tick(false)?;
        let (source, target) = (world.place(source)?, world.place(target)?);
        world.rename(source, target)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut world = self.world();
        match world.node(path) {
            Ok(Node::Directory(directory)) => world.remove_below(directory)?,
            Ok(Node::File(_)) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        world.tick(false)?;
        let (directory, name) = world.place(path)?;
        world.directories[directory].live.remove(name);
        world.pending.push(Change::Remove { directory, name: name.to_owned() });
        Ok(())
    }
}

impl World {
    fn sync_file(&mut self, file: usize) {
        let File { live, durable } = &mut self.files[file];
        *durable = live.copy();
    }

    fn rename(&mut self, source: (usize, &str), target: (usize, &str)) -> io::Result<()> {
        let node = self.directories[source.0].live.remove(source.1).ok_or(io::ErrorKind::NotFound)?;
        self.directories[target.0].live.insert(target.1.to_owned(), node);
        let named = |place: (usize, &str)| (place.0, place.1.to_owned());
        self.pending.push(Change::Rename { source: named(source), target: named(target), node });
        Ok(())
    }

    /// Removes all that is in a directory, one after the other.
    fn remove_below(&mut self, directory: usize) -> io::Result<()> {
        while let Some((name, node)) = self.directories[directory].live.first_key_value() {
            let (name, node) = (name.clone(), *node);
            if let Node::Directory(below) = node {
                self.remove_below(below)?;
            }
            self.tick(false)?;
            self.directories[directory].live.remove(&name);
            self.pending.push(Change::Remove { directory, name });
        }
        Ok(())
    }
}

/// Memory that a writer stores to and the disk reads.
struct Memory {
    cell: UnsafeCell<Box<[u8]>>,
    bytes: usize,
}

// SAFETY: Only tests use it, in which writer and disk take turns on one thread: nobody reads while a store is under way.
unsafe impl Send for Memory {}
// SAFETY: As above.
unsafe impl Sync for Memory {}

impl Memory {
    fn new(bytes: usize) -> Memory {
        Memory { cell: UnsafeCell::new(vec![0; bytes].into_boxed_slice()), bytes }
    }

    fn copy(&self) -> Vec<u8> {
        // SAFETY: The writer's reference lives within one call of the log's, and no call of the log's asks the disk.
        let bytes = unsafe { &*self.cell.get() };
        bytes.to_vec()
    }
}

struct Segment(Arc<Memory>);

impl SegmentMemory for Segment {
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: There is one writer, whose reference ends before the disk looks.
        unsafe { &mut *self.0.cell.get() }
    }
}

struct SimOutput {
    disk: SimDisk,
    file: usize,
}

impl Output for SimOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        assert!(bytes.len().is_multiple_of(OUTPUT_BLOCK_BYTES), "files are written in whole blocks");
        let mut world = self.disk.world();
        world.tick(true)?;
        match &mut world.files[self.file].live {
            Contents::Written(contents) => contents.extend_from_slice(bytes),
            Contents::Mapped(_) => unreachable!("it was made to be written"),
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        let mut world = self.disk.world();
        world.tick(true)?;
        world.sync_file(self.file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::Seeded;

    /// What a power cut may leave of the files that `make` leaves, over many draws.
    fn outcomes(make: impl Fn(&SimDisk)) -> BTreeSet<BTreeMap<String, Vec<u8>>> {
        let outcome = |seed| {
            let disk = SimDisk::new();
            make(&disk);
            disk.cut_power(&mut Seeded::new(seed));
            disk.files()
        };
        (0..200).map(outcome).collect()
    }

    fn files(names: &[(&str, &[u8])]) -> BTreeMap<String, Vec<u8>> {
        names.iter().map(|(name, contents)| ((*name).to_owned(), contents.to_vec())).collect()
    }

    #[test]
    fn what_is_synced_survives() {
        let found = outcomes(|disk| {
            disk.make_directory("a/b").unwrap();
            let mut output = disk.create("a/b/c").unwrap();
            output.write(&[7; 8192]).unwrap();
            output.finish().unwrap();
            disk.sync_directory("a/b").unwrap();
        });
        assert_eq!(found, BTreeSet::from([files(&[("a/b/c", &[7; 8192])])]));
    }

    #[test]
    fn what_is_not_synced_is_there_or_not_by_names_pages_and_sectors() {
        let names = outcomes(|disk| {
            disk.create("a").unwrap();
            disk.create("b").unwrap();
        });
        let expected = [files(&[]), files(&[("a", &[])]), files(&[("b", &[])]), files(&[("a", &[]), ("b", &[])])];
        assert_eq!(names, BTreeSet::from(expected));
        let pages = outcomes(|disk| {
            let mut memory = disk.prepare_segment("a", 16_384, None).unwrap();
            disk.sync("a").unwrap();
            memory.bytes_mut().fill(1);
        });
        let sectors = |file: &[u8]| file.chunks(512).map(|sector| sector[0]).collect::<Vec<u8>>();
        let pages: BTreeSet<Vec<u8>> = pages.iter().map(|found| sectors(&found["a"])).collect();
        assert!(pages.contains(&vec![0; 32]) && pages.contains(&vec![1; 32]));
        assert!(pages.iter().any(|page| page[..8] == [1; 8] && page[8..16] == [0; 8]));
        assert!(pages.iter().any(|page| page[..8] == [0; 8] && page[8..16] == [1; 8]));
        assert!(pages.iter().any(|page| page[1] != page[2]));
    }

    #[test]
    fn a_rename_happens_or_not() {
        let found = outcomes(|disk| {
            disk.make_directory("a").unwrap();
            disk.create("a/b").unwrap();
            disk.sync_directory("a").unwrap();
            disk.rename("a", "c").unwrap();
        });
        assert_eq!(found, BTreeSet::from([files(&[("a/b", &[])]), files(&[("c/b", &[])])]));
    }

    #[test]
    fn a_recycled_segment_has_its_old_bytes_or_its_new_ones() {
        let found = outcomes(|disk| {
            disk.prepare_segment("a", 4096, None).unwrap().bytes_mut().fill(1);
            disk.sync("a").unwrap();
            disk.prepare_segment("b", 4096, Some("a")).unwrap().bytes_mut()[..512].fill(2);
        });
        assert!(found.iter().all(|files| files.len() == 1 && files["b"].len() == 4096));
        assert!(found.iter().any(|files| files["b"][0] == 1) && found.iter().any(|files| files["b"][0] == 2));
    }

    #[test]
    fn a_killed_process_leaves_what_it_stored() {
        let disk = SimDisk::new();
        let mut memory = disk.prepare_segment("a", 4096, None).unwrap();
        memory.bytes_mut()[0] = 1;
        drop(memory);
        assert_eq!(disk.view("a").unwrap()[0], 1);
    }

    #[test]
    fn operations_fail_as_planned() {
        let disk = SimDisk::new();
        disk.fail(1, 1, Failure::Io);
        assert!(disk.create("a").is_ok() && disk.create("b").is_err() && disk.create("c").is_ok());
        disk.fail(0, 2, Failure::NoSpace);
        assert!(disk.sync("a").is_ok());
        assert_eq!(disk.create("d").err().unwrap().raw_os_error(), Some(libc::ENOSPC));
        disk.fail(0, 1, Failure::Power);
        assert!(disk.list("").is_err() && disk.list("").is_err());
        disk.cut_power(&mut Seeded::new(1));
        assert!(disk.list("").is_ok());
        assert!(disk.prepare_segment("e/f", 4096, None).is_err(), "its directory is missing");
    }

    #[test]
    fn a_segment_without_space_leaves_no_file() {
        for after in 0..2 {
            let disk = SimDisk::new();
            disk.fail(after, 1, Failure::NoSpace);
            assert!(disk.prepare_segment("a", 4096, None).is_err());
            assert_eq!(disk.files(), BTreeMap::new());
            assert!(disk.prepare_segment("a", 4096, None).is_ok());
        }
    }
}
