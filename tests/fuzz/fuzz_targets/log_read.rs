//! No bytes upset the reader of a log: what was damaged is a prefix of what was written, and what was forged, with checksums
//! made right again, still comes in order and within the engine's limits.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use locksley_engine::disk::SegmentMemory;
use locksley_engine::limits::{DATABASE_COUNT_MAX, KEY_BYTES_MAX, PREFIX_BYTES_MAX, TOKEN_MAX, VALUE_BYTES_MAX};
use locksley_engine::wal::{
    Body, Log, LogOptions, Record, Removal, SEGMENT_HEADER_BYTES, SEGMENT_VERSION, Segment, SegmentHeader, SegmentReader, Stop,
};
use locksley_engine::{Db, Grace, Lsn, Millis, Origin, Value};

const SEGMENT_BYTES: usize = 16 * 1024;
const SEGMENT_COUNT: usize = 4;
/// Bytes of a frame's head, and what frames begin at a multiple of.
const HEAD_BYTES: usize = 24;
const ALIGN: usize = 8;

#[derive(Arbitrary, Debug)]
enum Case {
    /// Any bytes in place of the frames.
    Noise { bytes: Vec<u8>, expected: u64 },
    /// A log, and what becomes of its bytes.
    Log { steps: Vec<Step>, damages: Vec<Damage>, is_forged: bool },
}

#[derive(Arbitrary, Debug)]
struct Step {
    kind: u8,
    db: u8,
    key_bytes: u8,
    value_bytes: u16,
    number: u64,
    is_grouped: bool,
    has_expiry: bool,
}

#[derive(Arbitrary, Debug)]
struct Damage {
    segment: u8,
    offset: u16,
    bytes: Vec<u8>,
}

struct Memory(Vec<u8>);

impl SegmentMemory for Memory {
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

fn header(sequence: u64, first_lsn: u64) -> SegmentHeader {
    let origin = Origin { generation: 3, shard: 0, shard_count: 1 };
    let segment_bytes = SEGMENT_BYTES as u64;
    SegmentHeader { version: SEGMENT_VERSION, origin, needs_snapshot: false, sequence, first_lsn: Lsn(first_lsn), segment_bytes }
}

/// Appends what the steps say until the segments are full; returns these, and the records.
fn write(steps: &[Step]) -> (Vec<Vec<u8>>, Vec<String>) {
    let SegmentHeader { origin, needs_snapshot, segment_bytes, first_lsn, .. } = header(0, 1);
    let mut log = Log::new(LogOptions { origin, needs_snapshot, segment_bytes, first_lsn });
    while let Some(sequence) = log.wanted(SEGMENT_COUNT) {
        log.install(Segment { sequence, memory: Box::new(Memory(vec![0; SEGMENT_BYTES])) });
    }
    let mut records = Vec::new();
    for step in steps {
        let bytes = vec![step.number as u8; usize::from(step.value_bytes)];
        let key = vec![b'k'; usize::from(step.key_bytes)];
        let (db, key) = (Db(step.db % DATABASE_COUNT_MAX as u8), &key[..]);
        let expiry = step.has_expiry.then_some(Millis(step.number));
        let base = step.number % 1_000;
        let grace_ms = step.number.min(u64::from(step.value_bytes)) as u32;
        let grace = if step.has_expiry { Grace { grace_ms, cost_ms: u32::from(step.db) } } else { Grace::NONE };
        let body = match step.kind % 13 {
            0 => Body::Put { db, key, value: Value::Bytes(&bytes), expiry, client_flags: step.number as u32, grace },
            1 => Body::Put { db, key, value: Value::Integer(step.number as i64), expiry, client_flags: 0, grace },
            2 => Body::Splice { db, key, base, offset: step.number % 10_000, bytes: &bytes },
            3 => Body::Delete { db, key, removal: Removal::Expired },
            4 => Body::SetExpiry { db, key, base, expiry },
            5 => Body::Flush { db: step.has_expiry.then_some(db) },
            6 => Body::Swap { first: db, second: Db(0) },
            7 => Body::Commit,
            9 if !key.is_empty() => Body::DeletePrefix { db, prefix: &key[..key.len().min(PREFIX_BYTES_MAX)] },
            8 => Body::Invalidate { db, key, base, expiry, grace },
            10 => Body::PutAbsent { db, key, expiry: Millis(step.number) },
            11 => Body::Lock { db, key, token: step.number >> 1, expiry: Millis(step.number) },
            _ => Body::Mark { durable: log.durable_lsn() },
        };
        if log.room_bytes() < Log::record_bytes(key.len(), bytes.len()) {
            break;
        }
        let record = Record { lsn: log.last_lsn().next(), is_grouped: step.is_grouped, body };
        log.append(record.lsn, record.is_grouped, &record.body);
        records.push(format!("{record:?}"));
    }
    let (durable, _) = log.begin_sync();
    log.end_sync(durable);
    let mut segments = Vec::new();
    while let Some(mut finished) = log.take_finished() {
        segments.push(finished.memory.bytes_mut().to_vec());
    }
    segments.extend(log.current_mut().map(|segment| segment.memory.bytes_mut().to_vec()));
    (segments, records)
}

/// Makes the checksums of all frames right, as far as their lengths lead.
fn forge(segment: &mut [u8], seed: u32) {
    let mut offset = SEGMENT_HEADER_BYTES;
    while let Some(head) = segment.get(offset..offset + HEAD_BYTES) {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let end = offset.saturating_add(length.max(HEAD_BYTES)).next_multiple_of(ALIGN);
        let Some(frame) = segment.get_mut(offset..end) else { return };
        let mut checksum = crc32fast::Hasher::new_with_initial(seed);
        checksum.update(&frame[4..]);
        frame[..4].copy_from_slice(&checksum.finalize().to_le_bytes());
        offset = end;
    }
}

/// Panics when a record is beyond what the engine takes.
fn check(record: &Record<'_>) {
    let (db, key, value_end) = match record.body {
        Body::Put { db, key, value: Value::Bytes(bytes), .. } => (db, key, bytes.len() as u64),
        Body::Put { db, key, .. }
        | Body::PutAbsent { db, key, .. }
        | Body::Delete { db, key, .. }
        | Body::SetExpiry { db, key, .. }
        | Body::Invalidate { db, key, .. } => (db, key, 0),
        Body::Lock { db, key, token, .. } => {
            assert!(token <= TOKEN_MAX);
            (db, key, 0)
        }
        Body::Splice { db, key, offset, bytes, .. } => (db, key, offset + bytes.len() as u64),
        Body::DeletePrefix { db, prefix } => {
            assert!((1..=PREFIX_BYTES_MAX).contains(&prefix.len()));
            (db, prefix, 0)
        }
        Body::Flush { db } => (db.unwrap_or(Db(0)), &[][..], 0),
        Body::Swap { first, second } => (first.max(second), &[][..], 0),
        Body::Mark { durable } => return assert!(durable < record.lsn),
        Body::Commit | Body::End => return,
    };
    assert!(usize::from(db.0) < DATABASE_COUNT_MAX && key.len() <= KEY_BYTES_MAX);
    assert!(value_end <= VALUE_BYTES_MAX as u64);
}

/// Reads segments one after another, each record by a reader of its own, too.
fn read(segments: &[Vec<u8>], first_lsn: u64) -> Vec<String> {
    let mut records = Vec::new();
    let mut expected = Lsn(first_lsn);
    let mut carried = Vec::new();
    for (sequence, segment) in segments.iter().enumerate() {
        let header = header(sequence as u64, expected.0);
        let mut reader = SegmentReader::new(segment, &header, expected, carried.clone());
        let mut offset = reader.offset();
        let mut number = expected;
        while let Some(record) = reader.next() {
            assert_eq!(record.lsn, number);
            check(&record);
            let described = format!("{record:?}");
            if offset > SEGMENT_HEADER_BYTES as u64 || carried.is_empty() {
                let mut again = SegmentReader::resume(segment, &header, offset, number);
                assert_eq!(again.next().map(|record| format!("{record:?}")), Some(described.clone()));
            }
            records.push(described);
            offset = reader.offset();
            number = number.next();
        }
        assert_eq!((reader.offset(), reader.expected()), (offset, number));
        let beyond = reader.beyond();
        let mut oldest = SegmentReader::oldest(segment, &header);
        while oldest.next().is_some() {}
        expected = number;
        match reader.stop() {
            Stop::Clean { offset: end } => {
                assert!(end >= offset && beyond.frame_count == 0);
                carried = reader.into_carried();
            }
            Stop::Broken { offset: end } => {
                assert!(end >= offset && end < segment.len() as u64);
                break;
            }
        }
    }
    records
}

fuzz_target!(|case: Case| match case {
    Case::Noise { bytes, expected } => {
        let mut segment = vec![0; SEGMENT_HEADER_BYTES];
        let _ = SegmentHeader::read(&bytes);
        segment.extend(&bytes);
        read(&[segment.clone()], expected);
        forge(&mut segment, header(0, 1).seed());
        read(&[segment], expected);
    }
    Case::Log { steps, damages, is_forged } => {
        let (mut segments, records) = write(&steps);
        for (sequence, segment) in segments.iter().enumerate() {
            assert_eq!(SegmentHeader::read(segment).map(|header| header.sequence), Ok(sequence as u64));
        }
        assert_eq!(read(&segments, 1), records);
        if segments.is_empty() {
            return;
        }
        for damage in &damages {
            let segment = usize::from(damage.segment) % segments.len();
            let offset = SEGMENT_HEADER_BYTES + usize::from(damage.offset) % (SEGMENT_BYTES - SEGMENT_HEADER_BYTES);
            let end = SEGMENT_BYTES.min(offset + damage.bytes.len());
            // Exclusive or hides the stored checksums from the fuzzer, which would forge them otherwise.
            for (byte, change) in segments[segment][offset..end].iter_mut().zip(&damage.bytes) {
                *byte ^= change;
            }
        }
        if is_forged {
            for (sequence, segment) in segments.iter_mut().enumerate() {
                forge(segment, header(sequence as u64, 1).seed());
            }
            read(&segments, 1);
        } else {
            let found = read(&segments, 1);
            assert!(records.starts_with(&found), "what is read was written");
        }
    }
});
