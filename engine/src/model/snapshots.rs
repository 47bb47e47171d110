//! Snapshots within a history of the model: begun at some instant, walked while everything else goes on, read back.
//!
//! What must be in the file is what the shard showed at the instant, entries whose time was over included: each
//! entry once, right in every part. A shard filled from it must show the same again.

use std::collections::BTreeMap;

use super::{Choices, Kept, Model};
use crate::snapshot::{Block, FILE_VERSION, FileHeader, Footer, Item, Progress, SnapshotOptions, SnapshotReader, seal};
use crate::{Db, Encoding, Form, Grace, Lsn, Millis, Origin, Shard, ShardOptions, Value};

const ORIGIN: Origin = Origin { generation: 1, shard: 0, shard_count: 1 };

/// An entry as it was at the instant.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Then {
    form: Form,
    value: Kept,
    encoding: Encoding,
    expiry: Option<Millis>,
    grace: Grace,
    client_flags: u32,
    is_stale: bool,
    version: u64,
}

type Databases = BTreeMap<(Db, Vec<u8>), Then>;

/// A snapshot under way.
pub(super) struct Taken {
    header: FileHeader,
    expected: Databases,
    file: Vec<u8>,
    block_count: u64,
    waiting_bytes_max: usize,
    /// Everything may have been flushed since.
    pub(super) was_flushed: bool,
}

impl Model {
    /// Begins a snapshot, goes on with the one under way, or ends it.
    pub(super) fn snapshot(&mut self, choices: &mut impl Choices) {
        let Some(taken) = &mut self.taken else {
            self.begin_snapshot(choices);
            return;
        };
        if choices.draw(60) == 0 {
            self.shard.end_snapshot();
            self.taken = None;
            return;
        }
        let slots = [1, 16, 100, 1000, 100_000][choices.draw(5) as usize];
        let progress = self.shard.step_snapshot(slots);
        assert_eq!(self.shard.snapshot_progress(), Some(progress));
        let take_max = if progress == Progress::Walking { choices.draw(4) } else { u64::MAX };
        for _ in 0..take_max {
            let Some(block) = self.shard.take_block() else { break };
            self.shard.reuse_block(taken.write(block));
        }
        match progress {
            Progress::Walking => {}
            Progress::GivenUp => {
                let is_unlimited = taken.waiting_bytes_max == usize::MAX;
                assert!(taken.was_flushed || !is_unlimited, "there was no reason to give up");
                self.end_snapshot();
            }
            Progress::Done(footer) => {
                let taken = self.end_snapshot();
                taken.check(footer, Millis(self.now), choices);
            }
        }
    }

    fn begin_snapshot(&mut self, choices: &mut impl Choices) {
        let expected = entries(&self.shard, self.databases.len());
        let waiting_bytes_max = [0, 1 << 20, usize::MAX, usize::MAX][choices.draw(4) as usize];
        let lsn = self.shard.begin_snapshot(SnapshotOptions { waiting_bytes_max });
        assert!(lsn >= Lsn(self.version), "all changes so far are of the instant");
        let header = FileHeader {
            version: FILE_VERSION,
            origin: ORIGIN,
            id: 1 + choices.draw(1 << 40),
            lsn,
            fence: self.shard.fence(),
        };
        let file = header.to_bytes().as_slice().to_vec();
        self.taken = Some(Taken { header, expected, file, block_count: 0, waiting_bytes_max, was_flushed: false });
    }

    fn end_snapshot(&mut self) -> Taken {
        assert_eq!((self.shard.waiting_block_bytes(), self.shard.take_block().is_none()), (0, true));
        self.shard.end_snapshot();
        assert_eq!(self.shard.snapshot_progress(), None);
        self.taken.take().expect("one was under way")
    }
}

impl Taken {
    fn write(&mut self, mut block: Block) -> Block {
        assert_eq!(block.number(), self.block_count, "blocks come in their order");
        self.block_count += 1;
        seal(&mut block, &self.header);
        self.file.extend_from_slice(block.as_bytes());
        block
    }

    /// Reads the file, and fills a shard from it.
    fn check(mut self, footer: Footer, now: Millis, choices: &mut impl Choices) {
        let total = Footer { block_count: self.block_count, item_count: self.expected.len() as u64 };
        assert_eq!(footer, total, "every entry of the instant once");
        self.file.extend_from_slice(footer.to_bytes(&self.header).as_slice());
        let mut shard = Shard::new(ShardOptions { seed: choices.draw(u64::MAX), ..ShardOptions::default() })
            .expect("a shard needs address space");
        shard.begin_replay(now);
        let mut missing = self.expected.clone();
        let mut reader = SnapshotReader::new(&self.file).expect("the head was written");
        assert_eq!(reader.header(), self.header);
        while let Some(item) = reader.next().expect("the file is whole") {
            let then = missing.remove(&(item.db, item.key.to_vec()));
            let then = then.unwrap_or_else(|| panic!("{:?} of {:?} is there once", item.key, item.db));
            assert!(self::then(&item) == then, "{:?} of {:?} is as it was", item.key, item.db);
            shard.restore(&item).expect("an entry fits an empty shard");
        }
        assert!(missing.is_empty(), "{} entries of the instant are missing", missing.len());
        shard.end_replay();
        shard.check();
        let restored = entries(&shard, usize::from(shard.options().database_count));
        assert!(restored == self.expected, "a restored shard is as it was");
        assert!(shard.last_lsn() <= self.header.lsn && shard.fence() <= self.header.fence);
    }
}

/// All entries of a shard, those whose time is over included.
fn entries(shard: &Shard, database_count: usize) -> Databases {
    let mut entries = Databases::new();
    for number in 0..database_count {
        let db = Db(number as u8);
        let mut from = Some(0);
        while let Some(prefix) = from {
            from = shard.scan_items(db, prefix, 1024, |item| {
                entries.insert((db, item.key.to_vec()), then(item));
            });
        }
    }
    entries
}

fn then(item: &Item<'_>) -> Then {
    let Item { form, value, encoding, expiry, grace, client_flags, is_stale, version, .. } = *item;
    Then { form, value: kept(value), encoding, expiry, grace, client_flags, is_stale, version }
}

fn kept(value: Value<'_>) -> Kept {
    match value {
        Value::Bytes(bytes) => Kept::Bytes(bytes.to_vec()),
        Value::Integer(integer) => Kept::Integer(integer),
    }
}
