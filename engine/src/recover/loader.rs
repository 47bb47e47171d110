//! Fills one shard from the files of a [`Plan`], some bytes at a time.
//!
//! ```text
//!   snapshot files of old shards that overlap ─▶ log of each such shard, generation by generation ─▶ done
//!        items, those of our slots                    records, those of our slots
//! ```
//!
//! Where an old shard's slots are all ours, nothing is filtered and no slot computed. A flush, a swap or a deletion by
//! prefix concerned the old shard's slots only: where ours are not all among them, it is carried out entry by entry.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::disk::Disk;
use crate::entry::{Encoding, Form, Grace, Value};
use crate::key::Db;
use crate::limits::DATABASE_COUNT_MAX;
use crate::lsn::Lsn;
use crate::recover::fault::{Fault, disk_fault};
use crate::recover::log::{LogEnd, LogReader};
use crate::recover::plan::{LogFiles, Plan, SnapshotFile};
use crate::recover::ranges::Share;
use crate::shard::{ReplayFault, Shard};
use crate::snapshot::{Bookmark, Item, SnapshotReader};
use crate::time::Millis;
use crate::wal::{Body, Record, Removal};

/// Table slots passed between two looks at what a flush or swap of an old shard means for this one.
const WALK_SLOTS: usize = 1024;
/// Items whose table lines are asked for ahead.
const AHEAD_COUNT: usize = 16;

/// How a shard is loaded.
#[derive(Clone, Copy, Debug)]
pub struct LoaderOptions {
    /// The shard to fill.
    pub shard: u16,
    /// Shards there are now.
    pub shard_count: u16,
    /// The hash slot (0 to 16383) of a key.
    pub slot: fn(&[u8]) -> u16,
    /// Go on behind damage with what is provably good.
    pub repair: bool,
}

/// What loading a shard came to.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The ends of the logs that were read.
    pub ends: Vec<LogEnd>,
    /// The highest number seen in logs and snapshots.
    pub last_lsn: Lsn,
    /// Entries restored from the snapshot.
    pub item_count: u64,
    /// Records replayed.
    pub record_count: u64,
    /// With repair: what was left out, a sentence each.
    pub repairs: Vec<String>,
}

/// How far loading is.
#[derive(Debug)]
pub enum Step {
    /// More is to be read; so many bytes were read so far.
    Reading {
        /// Of the files this loader reads.
        read_bytes: u64,
        /// All it reads; what is cut off or empty is found out on the way.
        total_bytes: u64,
    },
    /// All is read.
    Done(Loaded),
}

/// A file or log to be read.
enum Source {
    Snapshot { file: SnapshotFile, share: Share },
    Log { files: LogFiles, from: Option<Lsn>, must_end: bool },
}

/// What is being read.
enum Open<D: Disk> {
    Snapshot { file: SnapshotFile, view: D::View, bookmark: Option<Bookmark>, filter: Filter },
    Log { reader: Box<LogReader<D>>, from: Option<Lsn>, total_bytes: u64, filter: Filter },
}

/// Which keys of a source are ours, and what of ours is the source's.
#[derive(Clone, Copy)]
struct Filter {
    ours: Share,
    theirs: Share,
    slot: fn(&[u8]) -> u16,
}

impl Filter {
    /// Whether a key of the source is ours.
    #[inline]
    fn takes(&self, key: &[u8]) -> bool {
        self.theirs.is_within(self.ours) || self.ours.owns((self.slot)(key))
    }

    /// Whether all our keys are the source's.
    fn is_whole(&self) -> bool {
        self.ours.is_within(self.theirs)
    }
}

/// Fills one shard.
pub struct Loader<D: Disk> {
    disk: D,
    options: LoaderOptions,
    sources: VecDeque<Source>,
    open: Option<Open<D>>,
    read_bytes: u64,
    total_bytes: u64,
    loaded: Loaded,
}

impl<D: Disk + Clone> Loader<D> {
    /// A loader of what `plan` names.
    #[expect(clippy::needless_pass_by_value, reason = "all loaders of a start share one plan")]
    pub fn new(disk: D, plan: Arc<Plan>, options: LoaderOptions) -> Loader<D> {
        let sources = sources(&plan, Share { shard: options.shard, shard_count: options.shard_count });
        let total_bytes = sources.iter().map(Source::bytes).sum();
        let loaded = Loaded { repairs: Vec::new(), ..Loaded::default() };
        Loader { disk, options, sources, open: None, read_bytes: 0, total_bytes, loaded }
    }

    /// Reads about `bytes` more into `shard`, which was empty and is [replaying](Shard::begin_replay).
    ///
    /// # Errors
    /// A [`Fault`]; the shard is of no use then.
    pub fn step(&mut self, shard: &mut Shard, bytes: u64) -> Result<Step, Fault> {
        if self.open.is_none() {
            let Some(source) = self.sources.pop_front() else {
                return Ok(Step::Done(std::mem::take(&mut self.loaded)));
            };
            self.open(source)?;
        }
        let mut read_bytes = self.read_bytes;
        match self.open.take() {
            Some(Open::Snapshot { file, view, bookmark, filter }) => {
                let more = self.restore(shard, &file, &view, bookmark, filter, bytes)?;
                match more {
                    Some(bookmark) => {
                        read_bytes += bookmark.offset();
                        self.open = Some(Open::Snapshot { file, view, bookmark: Some(bookmark), filter });
                    }
                    None => self.read_bytes += file.bytes,
                }
            }
            Some(Open::Log { reader, from, total_bytes, filter }) => {
                let (reader, is_over) = self.replay(shard, reader, from, filter, bytes)?;
                if is_over {
                    self.read_bytes += total_bytes;
                } else {
                    read_bytes += reader.read_bytes().min(total_bytes);
                    self.open = Some(Open::Log { reader, from, total_bytes, filter });
                }
            }
            None => {}
        }
        Ok(Step::Reading { read_bytes: read_bytes.max(self.read_bytes), total_bytes: self.total_bytes })
    }

    /// Begins with the next source.
    fn open(&mut self, source: Source) -> Result<(), Fault> {
        let ours = Share { shard: self.options.shard, shard_count: self.options.shard_count };
        let slot = self.options.slot;
        self.open = Some(match source {
            Source::Snapshot { file, share } => {
                let view = self.disk.view(&file.path).map_err(|error| disk_fault(&file.path, error))?;
                let filter = Filter { ours, theirs: share, slot };
                self.loaded.last_lsn = self.loaded.last_lsn.max(file.lsn);
                Open::Snapshot { file, view, bookmark: None, filter }
            }
            Source::Log { files, from, must_end } => {
                let theirs = Share { shard: files.origin.shard, shard_count: files.origin.shard_count };
                let total_bytes = files.segments.iter().map(|segment| segment.bytes).sum();
                match LogReader::new(self.disk.clone(), files, from, must_end) {
                    Ok(reader) => {
                        Open::Log { reader: Box::new(reader), from, total_bytes, filter: Filter { ours, theirs, slot } }
                    }
                    Err(fault) => {
                        self.read_bytes += total_bytes;
                        return self.leave_out_logs(fault);
                    }
                }
            }
        });
        Ok(())
    }

    /// Takes some blocks of a snapshot file; where to go on, if there is more.
    fn restore(
        &mut self,
        shard: &mut Shard,
        file: &SnapshotFile,
        view: &D::View,
        bookmark: Option<Bookmark>,
        filter: Filter,
        bytes: u64,
    ) -> Result<Option<Bookmark>, Fault> {
        let mut reader = match bookmark {
            None => SnapshotReader::new(view.as_ref()),
            Some(bookmark) => SnapshotReader::resume(view.as_ref(), bookmark),
        }
        .map_err(|fault| Fault::Damage { path: file.path.clone(), offset: 0, sentence: fault.to_string() })?;
        let start = reader.offset();
        shard.raise_fence(reader.header().fence);
        let mut batch = Batch::default();
        loop {
            match reader.next() {
                Ok(Some(item)) => {
                    if filter.takes(item.key) {
                        self.loaded.item_count += 1;
                        shard.prefetch_replay(item.db, item.key);
                        batch.push(shard, item).map_err(|fault| unfit(file, reader.offset(), &fault))?;
                    }
                }
                Ok(None) => break,
                Err(fault) => {
                    let offset = fault.offset();
                    let damage = Fault::Damage { path: file.path.clone(), offset, sentence: fault.to_string() };
                    if !self.options.repair {
                        return Err(damage);
                    }
                    self.loaded.repairs.push(format!("{damage}; its entries are left out"));
                    if !reader.skip_damage() {
                        break;
                    }
                }
            }
            if reader.offset() - start >= bytes
                && let Some(bookmark) = reader.bookmark()
            {
                batch.flush(shard).map_err(|fault| unfit(file, reader.offset(), &fault))?;
                return Ok(Some(bookmark));
            }
        }
        batch.flush(shard).map_err(|fault| unfit(file, reader.offset(), &fault))?;
        Ok(None)
    }

    /// Replays some records; whether the log is read to its end.
    fn replay(
        &mut self,
        shard: &mut Shard,
        mut reader: Box<LogReader<D>>,
        from: Option<Lsn>,
        filter: Filter,
        bytes: u64,
    ) -> Result<(Box<LogReader<D>>, bool), Fault> {
        let first = from.unwrap_or(Lsn(0));
        let repair = self.options.repair;
        let (mut record_count, mut last_lsn) = (0, self.loaded.last_lsn);
        let outcome = reader.step(bytes, |record| {
            last_lsn = last_lsn.max(record.lsn);
            if record.lsn < first {
                return Ok(());
            }
            record_count += 1;
            apply(shard, record, filter, repair)
        });
        self.loaded.record_count += record_count;
        self.loaded.last_lsn = last_lsn;
        match outcome {
            Ok(None) => Ok((reader, false)),
            Ok(Some(end)) => {
                self.loaded.ends.push(end);
                Ok((reader, true))
            }
            Err(fault) => {
                self.leave_out_logs(fault)?;
                Ok((reader, true))
            }
        }
    }

    /// With repair, goes on without what follows damage in a log: later logs build on it.
    fn leave_out_logs(&mut self, fault: Fault) -> Result<(), Fault> {
        if !self.options.repair || matches!(fault, Fault::Disk { .. }) {
            return Err(fault);
        }
        self.loaded.repairs.push(format!("{fault}; what follows in this log, and later logs, are left out"));
        let damaged = match &fault {
            Fault::Damage { path, .. } | Fault::Mismatch { path, .. } | Fault::Disk { path, .. } => path.clone(),
        };
        let generation = damaged.split('/').nth(1).unwrap_or_default().to_owned();
        let is_later = |source: &Source| match source {
            Source::Log { files, .. } => format!("{:016x}", files.origin.generation) > generation,
            Source::Snapshot { .. } => false,
        };
        self.sources.retain(|source| !is_later(source));
        Ok(())
    }
}

impl Source {
    fn bytes(&self) -> u64 {
        match self {
            Source::Snapshot { file, .. } => file.bytes,
            Source::Log { files, .. } => files.segments.iter().map(|segment| segment.bytes).sum(),
        }
    }
}

/// An entry of a snapshot that the shard does not take.
fn unfit(file: &SnapshotFile, offset: u64, fault: &ReplayFault) -> Fault {
    let sentence = match fault {
        ReplayFault::Refused(refusal) => format!("the entry cannot be taken: {refusal:?}"),
        _ => "an entry is there twice".to_owned(),
    };
    Fault::Mismatch { path: file.path.clone(), offset, sentence }
}

/// What a loader of `ours` has to read, in order.
fn sources(plan: &Plan, ours: Share) -> VecDeque<Source> {
    let mut sources = VecDeque::new();
    let mut instants: &[SnapshotFile] = &[];
    if let Some(snapshot) = &plan.snapshot {
        instants = &snapshot.files;
        let shard_count = snapshot.files.len() as u16;
        for (shard, file) in snapshot.files.iter().enumerate() {
            let share = Share { shard: shard as u16, shard_count };
            if share.overlaps(ours) {
                sources.push_back(Source::Snapshot { file: file.clone(), share });
            }
        }
    }
    let newest = plan.generations.last().map(|generation| generation.generation);
    for generation in &plan.generations {
        let is_snapshots = plan.snapshot.as_ref().is_some_and(|it| it.generation == generation.generation);
        for files in &generation.logs {
            let share = Share { shard: files.origin.shard, shard_count: files.origin.shard_count };
            if share.overlaps(ours) {
                let instant = instants.get(usize::from(share.shard)).filter(|_| is_snapshots);
                let from = instant.map(|file| file.lsn.next());
                let must_end = Some(generation.generation) != newest;
                sources.push_back(Source::Log { files: files.clone(), from, must_end });
            }
        }
    }
    sources
}

/// Carries out a logged change as far as it concerns us.
fn apply(shard: &mut Shard, record: &Record<'_>, filter: Filter, repair: bool) -> Result<(), ReplayFault> {
    match record.body {
        Body::Flush { db } if !filter.is_whole() => flush(shard, record.lsn, db, filter),
        Body::Swap { first, second } if !filter.is_whole() => swap(shard, record.lsn, first, second, filter),
        Body::DeletePrefix { db, prefix } if !filter.is_whole() => take(shard, record.lsn, db, prefix, filter, drop),
        Body::Put { key, .. } | Body::PutAbsent { key, .. } | Body::Lock { key, .. } | Body::Delete { key, .. }
            if !filter.takes(key) =>
        {
            Ok(())
        }
        Body::Splice { db, key, .. } | Body::SetExpiry { db, key, .. } | Body::Invalidate { db, key, .. } => {
            if !filter.takes(key) {
                return Ok(());
            }
            match shard.replay(record) {
                Err(ReplayFault::Base { .. }) if repair => delete(shard, record.lsn, db, key),
                outcome => outcome,
            }
        }
        _ => shard.replay(record),
    }
}

fn delete(shard: &mut Shard, lsn: Lsn, db: Db, key: &[u8]) -> Result<(), ReplayFault> {
    let body = Body::Delete { db, key, removal: Removal::Deleted };
    shard.replay(&Record { lsn, is_grouped: false, body })
}

/// An entry that changes its database.
struct Kept {
    key: Vec<u8>,
    form: Form,
    value: KeptValue,
    encoding: Encoding,
    expiry: Option<Millis>,
    grace: Grace,
    client_flags: u32,
    is_stale: bool,
    version: u64,
}

enum KeptValue {
    Bytes(Vec<u8>),
    Integer(i64),
}

impl Kept {
    fn of(item: &Item<'_>) -> Kept {
        let value = match item.value {
            Value::Bytes(bytes) => KeptValue::Bytes(bytes.to_vec()),
            Value::Integer(integer) => KeptValue::Integer(integer),
        };
        let Item { form, encoding, expiry, grace, client_flags, is_stale, version, .. } = *item;
        Kept { key: item.key.to_vec(), form, value, encoding, expiry, grace, client_flags, is_stale, version }
    }

    fn item(&self, db: Db) -> Item<'_> {
        let value = match &self.value {
            KeptValue::Bytes(bytes) => Value::Bytes(bytes),
            KeptValue::Integer(integer) => Value::Integer(*integer),
        };
        let Kept { form, encoding, expiry, grace, client_flags, is_stale, version, .. } = *self;
        Item { db, key: &self.key, form, value, encoding, expiry, grace, client_flags, is_stale, version }
    }
}

/// Takes those of the source's entries whose keys begin with `prefix` out of `db`.
fn take(
    shard: &mut Shard,
    lsn: Lsn,
    db: Db,
    prefix: &[u8],
    filter: Filter,
    mut each: impl FnMut(Kept),
) -> Result<(), ReplayFault> {
    // What was deleted by its prefix and is still there would be in the way of what comes in its place.
    shard.purge();
    let mut next = Some(0);
    while let Some(from) = next {
        let mut found = Vec::new();
        next = shard.scan_items(db, from, WALK_SLOTS, |item| {
            if item.key.starts_with(prefix) && filter.theirs.owns((filter.slot)(item.key)) {
                found.push(Kept::of(item));
            }
        });
        for kept in found {
            delete(shard, lsn, db, &kept.key)?;
            each(kept);
        }
    }
    Ok(())
}

fn flush(shard: &mut Shard, lsn: Lsn, db: Option<Db>, filter: Filter) -> Result<(), ReplayFault> {
    let all = 0..shard.options().database_count.min(DATABASE_COUNT_MAX as u8);
    for db in all.map(Db).filter(|other| db.is_none_or(|db| db == *other)) {
        take(shard, lsn, db, b"", filter, drop)?;
    }
    Ok(())
}

fn swap(shard: &mut Shard, lsn: Lsn, first: Db, second: Db, filter: Filter) -> Result<(), ReplayFault> {
    let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
    take(shard, lsn, first, b"", filter, |kept| firsts.push(kept))?;
    take(shard, lsn, second, b"", filter, |kept| seconds.push(kept))?;
    firsts.iter().try_for_each(|kept| shard.restore(&kept.item(second)))?;
    seconds.iter().try_for_each(|kept| shard.restore(&kept.item(first)))
}

/// Items whose table lines are on their way.
#[derive(Default)]
struct Batch<'a> {
    items: [Option<Item<'a>>; AHEAD_COUNT],
    count: usize,
}

impl<'a> Batch<'a> {
    /// Adds an item, and restores all when the batch is full.
    #[inline]
    fn push(&mut self, shard: &mut Shard, item: Item<'a>) -> Result<(), ReplayFault> {
        self.items[self.count] = Some(item);
        self.count += 1;
        if self.count == AHEAD_COUNT { self.flush(shard) } else { Ok(()) }
    }

    fn flush(&mut self, shard: &mut Shard) -> Result<(), ReplayFault> {
        let count = std::mem::take(&mut self.count);
        self.items[..count].iter().flatten().try_for_each(|item| shard.restore(item))
    }
}
