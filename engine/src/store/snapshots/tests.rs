//! Snapshots on a disk that fails or loses power at every step.
//!
//! The disk keeps for each directory the names that are there and those that are durable, and for each file its
//! bytes and those that are durable. After a crash every name that was made or removed without a sync is there or
//! not, independently of all others, and of every 4 KiB of a file that was not synced nobody knows what is there.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use super::{SnapshotStore, SnapshotWriter};
use crate::disk::{DirectoryEntry, Disk, OUTPUT_BLOCK_BYTES, Output, SegmentMemory};
use crate::model::{Choices, Seeded};
use crate::snapshot::{Progress, SnapshotOptions, SnapshotReader};
use crate::{Db, ExpiryChange, FlagsChange, Lsn, Millis, Op, Origin, Shard, ShardOptions, Value};

const NOW: Millis = Millis(1_700_000_000_000);
const GENERATION: u64 = 5;
const SHARD_COUNT: u16 = 2;
const ROUNDS: u64 = 5;
const KEEP: usize = 2;

type Contents = Arc<Mutex<FileBytes>>;

#[derive(Clone, Debug, Default)]
struct FileBytes {
    live: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Node {
    File(Contents),
    Directory(Rc<RefCell<Names>>),
}

#[derive(Clone, Debug, Default)]
struct Names {
    live: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
}

/// Which call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failing {
    Never,
    /// The call with that number, whatever it is.
    Once(u64),
    /// Every call that makes or lengthens a file, from that number on, for so many calls.
    Full(u64, u64),
}

#[derive(Debug)]
struct Calls {
    count: u64,
    failing: Failing,
    /// The power goes after that many calls: nothing happens any more.
    crash_at: u64,
}

impl Calls {
    fn call(&mut self, needs_space: bool) -> io::Result<()> {
        let number = self.count;
        self.count += 1;
        if number >= self.crash_at {
            return Err(io::Error::other("no power"));
        }
        match self.failing {
            Failing::Once(at) if at == number => Err(io::Error::from_raw_os_error(libc::EIO)),
            Failing::Full(from, calls) if needs_space && (from..from + calls).contains(&number) => {
                Err(io::Error::from_raw_os_error(libc::ENOSPC))
            }
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Debug)]
struct TestDisk {
    root: Rc<RefCell<Names>>,
    calls: Arc<Mutex<Calls>>,
}

struct TestOutput {
    contents: Contents,
    calls: Arc<Mutex<Calls>>,
}

impl Output for TestOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        assert!(bytes.len().is_multiple_of(OUTPUT_BLOCK_BYTES), "an output takes whole blocks");
        assert!(bytes.as_ptr().addr().is_multiple_of(OUTPUT_BLOCK_BYTES), "nothing has to be copied");
        self.calls.lock().unwrap().call(true)?;
        self.contents.lock().unwrap().live.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.calls.lock().unwrap().call(false)?;
        let mut contents = self.contents.lock().unwrap();
        contents.durable = contents.live.clone();
        Ok(())
    }
}

impl TestDisk {
    fn new(failing: Failing, crash_at: u64) -> TestDisk {
        let calls = Arc::new(Mutex::new(Calls { count: 0, failing, crash_at }));
        TestDisk { root: Rc::default(), calls }
    }

    fn call(&self, needs_space: bool) -> io::Result<()> {
        self.calls.lock().unwrap().call(needs_space)
    }

    fn directory(&self, path: &str) -> Option<Rc<RefCell<Names>>> {
        let mut at = self.root.clone();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let Some(Node::Directory(next)) = at.borrow().live.get(name).cloned() else { return None };
            at = next;
        }
        Some(at)
    }

    fn split(&self, path: &str) -> (Rc<RefCell<Names>>, String) {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        (self.directory(parent).expect("the directory is there"), name.to_owned())
    }

    /// What is there when the power is back.
    fn after_crash(&self, choices: &mut Seeded) -> TestDisk {
        let root = Rc::new(RefCell::new(survivors(&self.root.borrow(), choices)));
        TestDisk { root, ..TestDisk::new(Failing::Never, u64::MAX) }
    }
}

fn survivors(names: &Names, choices: &mut Seeded) -> Names {
    let mut kept = BTreeMap::new();
    let all: BTreeSet<&String> = names.live.keys().chain(names.durable.keys()).collect();
    for name in all {
        let image = if choices.draw(2) == 0 { &names.live } else { &names.durable };
        let Some(node) = image.get(name) else { continue };
        let node = match node {
            Node::Directory(inner) => Node::Directory(Rc::new(RefCell::new(survivors(&inner.borrow(), choices)))),
            Node::File(contents) => {
                let mut bytes = contents.lock().unwrap().clone();
                if bytes.durable != bytes.live {
                    bytes.durable.resize(choices.draw(bytes.live.len() as u64 + 1) as usize, 0xA5);
                }
                bytes.live.clone_from(&bytes.durable);
                Node::File(Arc::new(Mutex::new(bytes)))
            }
        };
        kept.insert(name.clone(), node);
    }
    Names { live: kept.clone(), durable: kept }
}

impl Disk for TestDisk {
    type View = Vec<u8>;

    fn list(&self, directory: &str) -> io::Result<Vec<DirectoryEntry>> {
        let Some(names) = self.directory(directory) else { return Ok(Vec::new()) };
        let entry = |(name, node): (&String, &Node)| DirectoryEntry {
            name: name.clone(),
            is_directory: matches!(node, Node::Directory(_)),
            bytes: 0,
        };
        Ok(names.borrow().live.iter().map(entry).collect())
    }

    fn view(&self, path: &str) -> io::Result<Vec<u8>> {
        let (parent, name) = self.split(path);
        match parent.borrow().live.get(&name) {
            Some(Node::File(contents)) => Ok(contents.lock().unwrap().live.clone()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn make_directory(&self, path: &str) -> io::Result<()> {
        self.call(true)?;
        let mut at = self.root.clone();
        for name in path.split('/') {
            let node = at.borrow().live.get(name).cloned().unwrap_or_else(|| Node::Directory(Rc::default()));
            at.borrow_mut().live.insert(name.to_owned(), node.clone());
            at.borrow_mut().durable.insert(name.to_owned(), node.clone());
            let Node::Directory(next) = node else { panic!("{path} leads through a file") };
            at = next;
        }
        Ok(())
    }

    fn prepare_segment(&self, _: &str, _: u64, _: Option<&str>) -> io::Result<Box<dyn SegmentMemory>> {
        unreachable!("snapshots have no segments")
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn Output>> {
        self.call(true)?;
        let (parent, name) = self.split(path);
        let contents = Contents::default();
        let before = parent.borrow_mut().live.insert(name, Node::File(contents.clone()));
        assert!(before.is_none(), "{path} is there already");
        Ok(Box::new(TestOutput { contents, calls: self.calls.clone() }))
    }

    fn write_at(&self, _: &str, _: u64, _: &[u8]) -> io::Result<()> {
        unreachable!("a snapshot is written from beginning to end")
    }

    fn truncate(&self, _: &str, _: u64) -> io::Result<()> {
        unreachable!("a snapshot is written from beginning to end")
    }

    fn sync(&self, _: &str) -> io::Result<()> {
        unreachable!("an output syncs itself")
    }

    fn sync_directory(&self, path: &str) -> io::Result<()> {
        self.call(false)?;
        let names = self.directory(path).expect("the directory is there");
        let live = names.borrow().live.clone();
        names.borrow_mut().durable = live;
        Ok(())
    }

    fn rename(&self, source: &str, target: &str) -> io::Result<()> {
        self.call(false)?;
        let ((parent, name), (target_parent, target_name)) = (self.split(source), self.split(target));
        let node = parent.borrow_mut().live.remove(&name).ok_or(io::ErrorKind::NotFound)?;
        target_parent.borrow_mut().live.insert(target_name, node);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        // Each file that goes is a step of its own.
        if let Some(inner) = self.directory(path) {
            loop {
                let Some(name) = inner.borrow().live.keys().next().cloned() else { break };
                self.call(false)?;
                inner.borrow_mut().live.remove(&name);
            }
        }
        self.call(false)?;
        let (parent, name) = self.split(path);
        parent.borrow_mut().live.remove(&name);
        Ok(())
    }
}

/// A shard whose only entry tells in which round it was.
fn shard(round: u64) -> Shard {
    let mut shard = Shard::new(ShardOptions::default()).unwrap();
    for db in 0..2 {
        let key = shard.key(Db(db), b"round");
        let value = Value::Integer(round as i64);
        let op = Op::Put { key, value, expiry: ExpiryChange::Clear, client_flags: FlagsChange::Keep };
        shard.apply(op, NOW).unwrap();
    }
    shard
}

fn write_shard(
    store: &mut SnapshotStore<TestDisk>,
    writer: &mut SnapshotWriter,
    number: u16,
    round: u64,
) -> io::Result<()> {
    let mut shard = shard(round);
    let origin = Origin { generation: GENERATION, shard: number, shard_count: SHARD_COUNT };
    let lsn = shard.begin_snapshot(SnapshotOptions { waiting_bytes_max: 1 << 20 });
    store.begin_shard(writer, origin, lsn, shard.fence())?;
    let footer = loop {
        if let Progress::Done(footer) = shard.step_snapshot(16) {
            break footer;
        }
    };
    while let Some(mut block) = shard.take_block() {
        store.write(writer, number, &mut block)?;
        shard.reuse_block(block);
    }
    store.finish_shard(writer, number, footer)
}

/// Snapshots, one after another; returns the rounds whose snapshots are said to count.
fn history(disk: &TestDisk) -> (SnapshotStore<TestDisk>, Vec<u64>) {
    let mut store = SnapshotStore::new(disk.clone(), Vec::new(), 1);
    let mut counting = Vec::new();
    for round in 1..=ROUNDS {
        let Ok(mut writer) = store.begin(GENERATION, SHARD_COUNT) else { continue };
        assert_eq!(writer.id(), round, "every attempt has its number");
        let is_given_up = round == 3;
        let shards = if is_given_up { 1 } else { SHARD_COUNT };
        let written = (0..shards).try_for_each(|number| write_shard(&mut store, &mut writer, number, round));
        if written.is_err() || is_given_up {
            let _ = store.discard(writer);
        } else if let Ok(instants) = store.commit(writer) {
            assert_eq!(instants, [Lsn(2), Lsn(2)]);
            counting.push(round);
        }
        let _ = store.prune(KEEP);
    }
    (store, counting)
}

/// Asserts that every directory with a final name is whole; returns their numbers.
fn check_directory(disk: &TestDisk) -> Vec<u64> {
    let mut ids = Vec::new();
    for entry in disk.list("snapshots").unwrap() {
        let Ok(id) = u64::from_str_radix(&entry.name, 16) else {
            assert!(entry.name.strip_suffix(".tmp").is_some(), "{}", entry.name);
            continue;
        };
        for number in 0..SHARD_COUNT {
            let path = format!("snapshots/{}/{number:04}.snap", entry.name);
            let bytes = disk.view(&path).expect("a complete snapshot has all its files");
            let mut reader = SnapshotReader::new(&bytes).expect("the head is there");
            assert_eq!((reader.header().id, reader.header().origin.shard), (id, number));
            while let Some(item) = reader.next().expect("a complete snapshot is whole") {
                assert_eq!(item.value, Value::Integer(id as i64));
            }
            assert_eq!(reader.footer().map(|footer| footer.item_count), Some(2));
        }
        ids.push(id);
    }
    ids
}

/// How many calls a history makes.
fn call_count() -> u64 {
    let disk = TestDisk::new(Failing::Never, u64::MAX);
    history(&disk);
    disk.calls.lock().unwrap().count
}

#[test]
fn the_newest_snapshots_are_kept() {
    let disk = TestDisk::new(Failing::Never, u64::MAX);
    let (mut store, counting) = history(&disk);
    assert_eq!((counting, store.ids()), (vec![1, 2, 4, 5], &[4, 5][..]));
    assert_eq!(check_directory(&disk), [4, 5]);
    store.prune(0).unwrap();
    assert_eq!(check_directory(&disk), [5], "never the newest");
    assert_eq!(disk.list("snapshots").unwrap().len(), 1, "nothing else is left");
}

#[test]
fn a_power_cut_at_any_step_leaves_whole_snapshots() {
    for crash_at in 0..=call_count() {
        let disk = TestDisk::new(Failing::Never, crash_at);
        let (_, counting) = history(&disk);
        for seed in 0..60 {
            let after = disk.after_crash(&mut Seeded::new(seed));
            let ids = check_directory(&after);
            let newest = counting.last();
            assert!(newest.is_none_or(|id| ids.contains(id)), "call {crash_at}, seed {seed}: {ids:?} of {counting:?}");
        }
    }
}

#[test]
fn a_failed_call_leaves_whole_snapshots_now_and_after_a_power_cut() {
    let calls = call_count();
    let failings = (0..calls).flat_map(|at| [Failing::Once(at), Failing::Full(at, 1), Failing::Full(at, 12)]);
    for failing in failings {
        for crash_at in (0..calls + 10).step_by(7).chain([u64::MAX]) {
            let disk = TestDisk::new(failing, crash_at);
            let (_, counting) = history(&disk);
            for seed in 0..4 {
                let after = if seed == 0 { disk.clone() } else { disk.after_crash(&mut Seeded::new(seed)) };
                let ids = check_directory(&after);
                let newest = counting.last();
                assert!(newest.is_none_or(|id| ids.contains(id)), "{failing:?}, {crash_at}, {seed}: {ids:?}");
            }
        }
    }
}

#[test]
fn what_could_not_be_removed_is_removed_later() {
    for at in 0..call_count() {
        let disk = TestDisk::new(Failing::Once(at), u64::MAX);
        let (mut store, counting) = history(&disk);
        assert!(counting.len() >= 3, "one failure costs one snapshot");
        store.prune(KEEP).unwrap();
        let left = disk.list("snapshots").unwrap().len();
        // After a failed sync of the directory itself a snapshot stays until the next start.
        assert!((KEEP..=KEEP + 1).contains(&left), "call {at} failed: {left} directories");
    }
}
