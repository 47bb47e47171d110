//! The log's two ends against each other: what is appended is read, whatever is done to the bytes in between.

use crate::disk::SegmentMemory;
use crate::entry::{Grace, Value};
use crate::key::Db;
use crate::limits::PREFIX_BYTES_MAX;
use crate::lsn::{Lsn, Origin};
use crate::time::Millis;
use crate::wal::record::Parts;
use crate::wal::{Body, Log, LogOptions, Record, Removal, Segment, SegmentHeader, SegmentReader, Stop, end_frame};

pub(super) const SEGMENT_BYTES: u64 = 16 * 1024;

/// A segment that is nothing but memory.
pub(super) struct Memory(pub(super) Vec<u8>);

impl SegmentMemory for Memory {
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

pub(super) fn options(first_lsn: u64) -> LogOptions {
    let origin = Origin { generation: 5, shard: 1, shard_count: 2 };
    LogOptions { origin, needs_snapshot: false, segment_bytes: SEGMENT_BYTES, first_lsn: Lsn(first_lsn) }
}

/// Installs prepared segments until there are `ahead`.
pub(super) fn prepare(log: &mut Log, ahead: usize) {
    while let Some(sequence) = log.wanted(ahead) {
        let memory = Box::new(Memory(vec![0; log.options().segment_bytes as usize]));
        log.install(Segment { sequence, memory });
    }
}

/// Syncs nothing and says that all is durable; returns the bytes of all segments that were used.
pub(super) fn image(mut log: Log) -> Vec<Vec<u8>> {
    let (durable, _) = log.begin_sync();
    log.end_sync(durable);
    let mut segments = Vec::new();
    while let Some(mut finished) = log.take_finished() {
        segments.push(finished.memory.bytes_mut().to_vec());
    }
    segments.extend(log.current_mut().map(|segment| segment.memory.bytes_mut().to_vec()));
    segments
}

/// Reads a log as recovery does: `see` is given every record. Returns where it stopped: segment, reason, the next number.
pub(super) fn read(segments: &[Vec<u8>], mut see: impl FnMut(&Record<'_>)) -> (usize, Option<Stop>, Lsn) {
    let mut expected = Lsn(0);
    let mut carried = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let Ok(header) = SegmentHeader::read(segment) else { return (index, None, expected) };
        if index == 0 {
            expected = header.first_lsn;
        }
        let mut reader = SegmentReader::new(segment, &header, expected, carried);
        while let Some(record) = reader.next() {
            see(&record);
        }
        expected = reader.expected();
        if index + 1 == segments.len() || matches!(reader.stop(), Stop::Broken { .. }) {
            return (index, Some(reader.stop()), expected);
        }
        carried = reader.into_carried();
    }
    (0, None, expected)
}

/// Numbers by Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % end
    }

    fn bytes(&mut self) -> Vec<u8> {
        let bytes_max = [1, 10, 100, 1_000, 5_000, 40_000][self.below(6) as usize];
        let length = self.below(bytes_max);
        (0..length).map(|_| self.below(256) as u8).collect()
    }

    fn expiry(&mut self) -> Option<Millis> {
        (self.below(2) == 0).then(|| Millis(self.below(u64::MAX)))
    }

    /// A grace that what goes at `expiry` may have.
    fn grace(&mut self, expiry: Option<Millis>) -> Grace {
        match expiry {
            Some(at) if self.below(2) == 0 => {
                let grace_ms = self.below((at.0 + 1).min(1 << 32)) as u32;
                Grace { grace_ms, cost_ms: self.below(3) as u32 }
            }
            _ => Grace::NONE,
        }
    }
}

/// A record of any kind over `key` and `bytes`.
pub(super) fn body<'a>(random: &mut Random, last_lsn: Lsn, key: &'a [u8], bytes: &'a [u8]) -> Body<'a> {
    let db = Db(random.below(16) as u8);
    match random.below(16) {
        0..4 => {
            let value = match random.below(3) {
                0 => Value::Integer(random.below(u64::MAX).cast_signed()),
                _ => Value::Bytes(bytes),
            };
            let client_flags = random.below(2) as u32 * random.below(1 << 32) as u32;
            let expiry = random.expiry();
            Body::Put { db, key, value, expiry, client_flags, grace: random.grace(expiry) }
        }
        4 => Body::Splice { db, key, base: random.below(1 << 47), offset: random.below(1 << 20), bytes },
        5 => {
            let removal = [Removal::Deleted, Removal::Expired, Removal::Evicted][random.below(3) as usize];
            Body::Delete { db, key, removal }
        }
        6 => Body::SetExpiry { db, key, base: random.below(1 << 47), expiry: random.expiry() },
        11 => {
            let expiry = random.expiry();
            Body::Invalidate { db, key, base: random.below(1 << 47), expiry, grace: random.grace(expiry) }
        }
        12 => Body::PutAbsent { db, key, expiry: Millis(random.below(u64::MAX)) },
        13 => Body::Lock { db, key, token: random.below(1 << 63), expiry: Millis(random.below(u64::MAX)) },
        7 => Body::Flush { db: Some(db) },
        8 => Body::Flush { db: None },
        9 => Body::Swap { first: db, second: Db(random.below(16) as u8) },
        10 => Body::Commit,
        14 if !key.is_empty() => Body::DeletePrefix { db, prefix: &key[..key.len().min(PREFIX_BYTES_MAX)] },
        _ => Body::Mark { durable: Lsn(last_lsn.0 - random.below(last_lsn.0 + 1)) },
    }
}

/// Debug output of a record, which two records share only if they are the same.
pub(super) fn described(record: &Record<'_>) -> String {
    format!("{record:?}")
}

#[test]
fn whatever_is_appended_is_read() {
    let seed = std::env::var("LOCKSLEY_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("LOCKSLEY_SEED={seed} cargo test -p locksley-engine whatever_is_appended_is_read");
    for round in 0..40 {
        let mut random = Random(seed * 1_000 + round);
        let segment_bytes = [16, 20, 64, 8192][random.below(4) as usize] * 1024;
        let mut log = Log::new(LogOptions { segment_bytes, ..options(1 + random.below(1000)) });
        let mut expected = Vec::new();
        let mut appended_bytes = 0;
        for _ in 0..=random.below(60) {
            let (key, bytes) = (random.bytes(), random.bytes());
            let body = body(&mut random, log.last_lsn(), &key, &bytes);
            let record = Record { lsn: log.last_lsn().next(), is_grouped: random.below(2) == 0, body };
            // A promise for this record is kept, and costs no more room than it said.
            let record_bytes = Log::record_bytes(key.len(), bytes.len());
            let mut ahead = random.below(4) as usize;
            while log.room_bytes() < record_bytes {
                ahead += 1;
                prepare(&mut log, ahead);
            }
            let room_bytes = log.room_bytes();
            log.append(record.lsn, record.is_grouped, &record.body);
            assert!(log.room_bytes() >= room_bytes - record_bytes, "seed {seed} round {round}: {record:?}");
            let mut parts = Parts::new();
            parts.fill(false, &body);
            assert!(log.appended_bytes() - appended_bytes >= parts.content_bytes() as u64);
            appended_bytes = log.appended_bytes();
            expected.push(described(&record));
        }
        let last_lsn = log.last_lsn();
        let segments = image(log);
        let mut found = Vec::new();
        let (index, stop, next) = read(&segments, |record| found.push(described(record)));
        assert_eq!(found, expected, "seed {seed} round {round}");
        assert_eq!((index + 1, next), (segments.len(), last_lsn.next()), "seed {seed} round {round}");
        assert!(matches!(stop, Some(Stop::Clean { .. })), "seed {seed} round {round}");
    }
}

#[test]
fn an_end_written_behind_a_log_is_read() {
    let mut log = Log::new(options(1));
    prepare(&mut log, 1);
    log.append(Lsn(1), false, &Body::Commit);
    let mut segments = image(log);
    let header = SegmentHeader::read(&segments[0]).unwrap();
    let frame = end_frame(&header, Lsn(2));
    segments[0].truncate(4096 + 24);
    segments[0].extend(frame);
    let mut found = Vec::new();
    let end = read(&segments, |record| found.push(described(record)));
    assert_eq!(found[1], described(&Record { lsn: Lsn(2), is_grouped: false, body: Body::End }));
    assert_eq!(end, (0, Some(Stop::Clean { offset: 4096 + 48 }), Lsn(3)));
}
