//! The byte sweep over a whole data directory: a generation of two shards that was ended, a snapshot taken in it, and a
//! newer generation of one shard that was killed; damaged in every way and at every place, and loaded again.
//!
//! Whatever was done to one place, a start comes to one of these, and to nothing else:
//!
//! - everything is there;
//! - it is refused, and `--repair` makes something of it that holds no entry that never was;
//! - the newest log is cut: what is loaded is what the shard held after one of its changes, groups whole, not before
//!   the last change that a mark vouches for which was not damaged; and the cut is reported, unless nothing
//!   but zeros (or nothing at all) is where it begins.
//!
//! `LOCKSLEY_STRIDE=1 cargo test -p locksley-engine recover::sweep` changes every byte of every file; without it one
//! of 29 that are not zero is changed (the sweeps beside the readers change all).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use crate::disk::sim::SimDisk;
use crate::entry::Value;
use crate::key::Db;
use crate::lsn::{Lsn, Origin};
use crate::op::{ExpiryChange, FlagsChange, Op};
use crate::recover::{Loaded, Loader, LoaderOptions, Step, plan, settle};
use crate::shard::{Shard, ShardOptions};
use crate::snapshot::{Item, Progress, SnapshotOptions};
use crate::store::{SegmentStore, SnapshotStore};
use crate::time::Millis;
use crate::wal::{Body, Log, LogOptions, SEGMENT_BYTES_MIN, Segment, SegmentHeader, SegmentReader};

const SECTOR_BYTES: usize = 512;
const PAGE_BYTES: usize = 4096;
const NOW: Millis = Millis(1_000);
const GRACED: ExpiryChange = ExpiryChange::Graced { until: Millis(1 << 40), grace_ms: 5, cost_ms: 6 };
/// The generation that is ended, and the one after it.
const OLD: u64 = 1;

/// By database and key: the version, and everything else about the entry.
type State = BTreeMap<(u8, Vec<u8>), (u64, String)>;
type Files = BTreeMap<String, Vec<u8>>;

fn slot(key: &[u8]) -> u16 {
    (crc32fast::hash(key) % 16_384) as u16
}

fn new_shard() -> Shard {
    Shard::new(ShardOptions { seed: 7, ..ShardOptions::default() }).expect("address space is to be had")
}

fn state(shard: &Shard) -> State {
    let mut state = State::new();
    for db in 0..3 {
        let mut from = Some(0);
        while let Some(hash) = from {
            from = shard.scan_items(Db(db), hash, 1_000, |item| {
                let Item { form, value, expiry, grace, client_flags, is_stale, .. } = item;
                let rest = format!("{form:?} {value:?} {expiry:?} {grace:?} {client_flags} {is_stale}");
                state.insert((db, item.key.to_vec()), (item.version, rest));
            });
        }
    }
    state
}

/// A shard and its log, as a server keeps them.
struct Life {
    shard: Shard,
    origin: Origin,
    /// What the shard held behind each change or group.
    states: BTreeMap<Lsn, State>,
}

impl Life {
    fn new(mut shard: Shard, origin: Origin) -> Life {
        let first_lsn = shard.last_lsn().next();
        let log = LogOptions { origin, needs_snapshot: false, segment_bytes: SEGMENT_BYTES_MIN, first_lsn };
        let states = BTreeMap::from([(shard.last_lsn(), state(&shard))]);
        shard.open_log(Log::new(log));
        Life { shard, origin, states }
    }

    /// Makes the `number`-th change, if its key is this shard's, and now and then a sync.
    fn change(&mut self, number: u64, segments: &mut SegmentStore<SimDisk>) {
        let log = self.shard.log_mut().expect("it is kept");
        while let Some(sequence) = log.wanted(4) {
            let memory = segments.prepare(self.origin, sequence).expect("the disk is sound");
            log.install(Segment { sequence, memory });
        }
        let name = format!("key:{}", number % 19);
        let owner = u32::from(slot(name.as_bytes())) * u32::from(self.origin.shard_count) / 16_384;
        if owner != u32::from(self.origin.shard) {
            return;
        }
        let length = [5, 40, 700, 2_500][number as usize % 4] + if number.is_multiple_of(37) { 9_000 } else { 0 };
        let bytes = vec![number as u8; length];
        let key = self.shard.key(Db((number % 3) as u8), name.as_bytes());
        let put = |value, expiry| Op::Put { key, value, expiry, client_flags: FlagsChange::Set(number as u32 % 2) };
        let ops = match number % 7 {
            _ if number.is_multiple_of(29) => vec![Op::DeletePrefix { db: key.db, prefix: &name.as_bytes()[..5] }],
            // Nothing but the fence is left of it in the snapshot.
            _ if number == 40 => vec![Op::Lock { key, token: 7_000_000, expiry: Millis(1 << 40) }, Op::Delete { key }],
            _ if number > 100 && number.is_multiple_of(13) => {
                vec![Op::Lock { key, token: self.shard.next_fence(NOW), expiry: Millis(1 << 40) }]
            }
            _ if number.is_multiple_of(17) => vec![Op::PutAbsent { key, expiry: Millis(1 << 40) }],
            0 => vec![Op::Delete { key }],
            1 => vec![Op::Splice { key, offset: 3, bytes: &bytes[..5] }],
            5 => vec![Op::Invalidate { key, expiry: ExpiryChange::At(Millis(number << 33)) }],
            2 => vec![put(Value::Integer(-9), ExpiryChange::At(Millis(1 << 40)))],
            3 => vec![
                put(Value::Bytes(&bytes), ExpiryChange::Clear),
                Op::SetExpiry { key, expiry: Some(Millis(number << 33)) },
            ],
            4 if number.is_multiple_of(3) => vec![put(Value::Bytes(&bytes), GRACED)],
            _ => vec![put(Value::Bytes(&bytes), ExpiryChange::Keep)],
        };
        let is_group = ops.len() > 1;
        if is_group {
            self.shard.begin_group(Log::record_bytes(10, 13_000) * 2).expect("the log has room");
        }
        for op in ops {
            self.shard.apply(op, NOW).expect("nothing is short");
        }
        if is_group {
            self.shard.commit();
        }
        self.states.insert(self.shard.last_lsn(), state(&self.shard));
        if number.is_multiple_of(5) {
            let log = self.shard.log_mut().expect("it is kept");
            let (durable, _) = log.begin_sync();
            log.end_sync(durable);
            self.shard.mark(durable);
            self.states.insert(self.shard.last_lsn(), state(&self.shard));
        }
    }
}

/// A data directory, and what is known about it.
struct Sample {
    files: Files,
    /// What the newest shard held behind each of its changes.
    states: BTreeMap<Lsn, State>,
    /// The highest fencing token after the generation that was ended, and after the newest.
    fences: [u64; 2],
    /// Every entry that ever was, with its version.
    entries: BTreeSet<String>,
    /// Where the newest generation's marks are: file, offset, and what each says is durable.
    marks: Vec<(String, usize, Lsn)>,
}

fn described(key: &(u8, Vec<u8>), entry: &(u64, String)) -> String {
    format!("{key:?} {entry:?}")
}

impl Sample {
    fn new() -> Sample {
        let disk = SimDisk::new();
        let mut segments = SegmentStore::new(disk.clone(), SEGMENT_BYTES_MIN, 0);
        let mut snapshots = SnapshotStore::new(disk.clone(), Vec::new(), 1);
        segments.begin_generation(OLD).unwrap();
        let origin = |shard| Origin { generation: OLD, shard, shard_count: 2 };
        let mut lives: Vec<Life> = (0..2).map(|shard| Life::new(new_shard(), origin(shard))).collect();
        for number in 1..90 {
            lives.iter_mut().for_each(|life| life.change(number, &mut segments));
            if number == 60 {
                snapshot(&mut lives, &mut snapshots);
            }
        }
        let mut entries = BTreeSet::new();
        for life in &lives {
            entries.extend(life.states.values().flatten().map(|(key, entry)| described(key, entry)));
        }
        let old_fence = lives.iter().map(|life| life.shard.fence()).max().expect("there are two");
        drop(lives);

        let plan = Arc::new(plan(&disk, false).unwrap());
        let (shard, loaded) = load_plan(&disk, &plan, false).unwrap();
        assert_eq!((shard.fence(), old_fence), (7_000_000, 7_000_000), "the heads of a snapshot keep the fence");
        settle(&disk, &plan, &loaded.ends).unwrap();
        let generation = plan.generation_next;
        segments.begin_generation(generation).unwrap();
        let mut life = Life::new(shard, Origin { generation, shard: 0, shard_count: 1 });
        for number in 100..170 {
            life.change(number, &mut segments);
        }
        entries.extend(life.states.values().flatten().map(|(key, entry)| described(key, entry)));
        let files = disk.files();
        let marks =
            files.iter().filter(|(path, _)| path.starts_with(&format!("wal/{generation:016x}"))).flat_map(marks);
        let fences = [old_fence, life.shard.fence()];
        Sample { marks: marks.collect(), files, states: life.states, fences, entries }
    }

    /// Loads `files`, of which `range` of `path` is damaged, and checks what comes of it.
    fn check(&self, files: &Files, damaged: &[(&str, Range<usize>)], what: &str) {
        let context = || format!("{what}: {damaged:?}");
        let disk = SimDisk::with_files(files);
        let Ok((loaded, found)) = load(&disk, false) else {
            let (_, found) = load(&disk, true).unwrap_or_else(|fault| panic!("{}: no repair: {fault}", context()));
            for (key, entry) in &found {
                assert!(self.entries.contains(&described(key, entry)), "{}: repaired to {key:?}", context());
            }
            return;
        };
        let (last_lsn, whole) = self.states.last_key_value().expect("there were changes");
        if found == *whole {
            return;
        }
        let is_whole = |(path, offset, _): &&(String, usize, Lsn)| {
            let hits =
                |(of, range): &(&str, Range<usize>)| of == path && range.start < offset + 32 && *offset < range.end;
            !damaged.iter().any(hits)
        };
        let vouched = self.marks.iter().filter(is_whole).map(|(_, _, durable)| *durable).max().unwrap_or(Lsn(0));
        let from = self.states.range(vouched..).next().map_or(*last_lsn, |(lsn, _)| *lsn);
        assert!(
            self.states.range(from..).any(|(_, state)| *state == found),
            "{}: not a state since {from:?}",
            context()
        );
        let end = loaded.ends.iter().find(|end| end.origin.generation > OLD);
        let is_reported = end.is_some_and(|end| end.cut_bytes > 0);
        let left = end.and_then(|end| Some(&files.get(&end.segment.as_ref()?.1)?[end.offset as usize..]));
        let is_empty = left.is_none_or(|left| left.iter().all(|byte| *byte == 0));
        assert!(is_reported || is_empty, "{}: cut and not reported", context());
    }

    /// Damages a place by `change` and checks what comes of it.
    fn damage(&self, path: &str, range: Range<usize>, what: &str, change: impl FnOnce(&mut [u8])) {
        let mut files = self.files.clone();
        let bytes = files.get_mut(path).expect("it is one of the files");
        change(&mut bytes[range.clone()]);
        if files != self.files {
            self.check(&files, &[(path, range)], what);
        }
    }
}

fn snapshot(lives: &mut [Life], snapshots: &mut SnapshotStore<SimDisk>) {
    let mut writer = snapshots.begin(OLD, lives.len() as u16).unwrap();
    for life in lives {
        let lsn = life.shard.begin_snapshot(SnapshotOptions { waiting_bytes_max: 1 << 20 });
        snapshots.begin_shard(&mut writer, life.origin, lsn, life.shard.fence()).unwrap();
        let footer = loop {
            if let Progress::Done(footer) = life.shard.step_snapshot(1 << 20) {
                break footer;
            }
        };
        while let Some(mut block) = life.shard.take_block() {
            snapshots.write(&mut writer, life.origin.shard, &mut block).unwrap();
        }
        snapshots.finish_shard(&mut writer, life.origin.shard, footer).unwrap();
        life.shard.end_snapshot();
    }
    snapshots.commit(writer).unwrap();
}

fn marks((path, segment): (&String, &Vec<u8>)) -> Vec<(String, usize, Lsn)> {
    let Ok(header) = SegmentHeader::read(segment) else { return Vec::new() };
    let mut reader = SegmentReader::oldest(segment, &header);
    let mut marks = Vec::new();
    loop {
        let offset = reader.offset() as usize;
        match reader.next().map(|record| record.body) {
            Some(Body::Mark { durable }) => marks.push((path.clone(), offset, durable)),
            Some(_) => {}
            None => return marks,
        }
    }
}

/// What a start would load; nothing if it would refuse.
fn load(disk: &SimDisk, repair: bool) -> Result<(Loaded, State), String> {
    let plan = plan(disk, repair).map_err(|fault| format!("{fault:?}"))?;
    let (shard, loaded) = load_plan(disk, &Arc::new(plan), repair)?;
    Ok((loaded, state(&shard)))
}

fn load_plan(disk: &SimDisk, plan: &Arc<crate::recover::Plan>, repair: bool) -> Result<(Shard, Loaded), String> {
    let mut shard = new_shard();
    shard.begin_replay(NOW);
    let options = LoaderOptions { shard: 0, shard_count: 1, slot, repair };
    let mut loader = Loader::new(disk.clone(), plan.clone(), options);
    loop {
        match loader.step(&mut shard, 64 * 1024) {
            Ok(Step::Reading { .. }) => {}
            Ok(Step::Done(outcome)) => {
                shard.end_replay();
                shard.advance_to(outcome.last_lsn.max(shard.last_lsn()));
                return Ok((shard, outcome));
            }
            Err(fault) => return Err(fault.to_string()),
        }
    }
}

#[test]
fn an_undamaged_directory_is_loaded_whole() {
    let sample = Sample::new();
    let disk = SimDisk::with_files(&sample.files);
    let plan = Arc::new(plan(&disk, false).unwrap());
    let (shard, _) = load_plan(&disk, &plan, false).unwrap();
    assert_eq!(Some(&state(&shard)), sample.states.values().last());
    assert!(sample.fences[0] < sample.fences[1]);
    assert_eq!(shard.fence(), sample.fences[1], "fencing tokens go on where they were");
    let used = |path: &&String| sample.files[*path].iter().any(|byte| *byte != 0);
    let names: Vec<&String> = sample.files.keys().filter(used).collect();
    assert!(names.len() >= 7, "{names:?}");
    assert!(sample.marks.len() > 8, "{:?}", sample.marks);
}

#[test]
fn a_changed_byte_is_noticed_or_means_nothing() {
    let sample = Sample::new();
    let stride = std::env::var("LOCKSLEY_STRIDE").map_or(29, |stride| stride.parse().expect("a number"));
    for (path, bytes) in &sample.files {
        for offset in 0..bytes.len() {
            let stride = if bytes[offset] == 0 { 19 * stride } else { stride };
            if offset % stride == 0 || offset < 64 {
                let pattern = [0x01, 0x80, 0xff][offset % 7 % 3];
                sample.damage(path, offset..offset + 1, "changed", |bytes| bytes[0] ^= pattern);
            }
        }
    }
}

#[test]
fn a_zeroed_sector_or_page_is_noticed_or_means_nothing() {
    let sample = Sample::new();
    for (path, bytes) in &sample.files {
        for unit_bytes in [SECTOR_BYTES, PAGE_BYTES] {
            for start in (0..bytes.len()).step_by(unit_bytes) {
                let end = (start + unit_bytes).min(bytes.len());
                sample.damage(path, start..end, "zeroed", |bytes| bytes.fill(0));
            }
        }
    }
}

#[test]
fn a_file_cut_short_or_missing_is_noticed_or_means_nothing() {
    let sample = Sample::new();
    for (path, bytes) in &sample.files {
        for length in 0..bytes.len() {
            let is_end = bytes[length..].iter().take(1 << 10).all(|byte| *byte == 0);
            if length % if is_end { 1021 } else { 97 } == 0 || length % SECTOR_BYTES == 0 {
                let mut files = sample.files.clone();
                files.get_mut(path).unwrap().truncate(length);
                sample.check(&files, &[(path, length..bytes.len())], "cut");
            }
        }
        let mut files = sample.files.clone();
        files.remove(path);
        sample.check(&files, &[(path, 0..bytes.len())], "missing");
    }
}

#[test]
fn swapped_pages_are_noticed_or_mean_nothing() {
    let sample = Sample::new();
    let pages: Vec<(&String, Range<usize>)> = sample
        .files
        .iter()
        .flat_map(|(path, bytes)| (0..bytes.len() / PAGE_BYTES).map(move |page| (path, page)))
        .map(|(path, page)| (path, page * PAGE_BYTES..(page + 1) * PAGE_BYTES))
        .collect();
    for (index, (path, range)) in pages.iter().enumerate() {
        for (other_path, other) in pages.iter().skip(index + 1) {
            let mut files = sample.files.clone();
            let (first, second) =
                (sample.files[*path][range.clone()].to_vec(), &sample.files[*other_path][other.clone()]);
            files.get_mut(*path).unwrap()[range.clone()].copy_from_slice(second);
            files.get_mut(*other_path).unwrap()[other.clone()].copy_from_slice(&first);
            if files != sample.files {
                sample.check(&files, &[(path, range.clone()), (other_path, other.clone())], "swapped");
            }
        }
    }
}
