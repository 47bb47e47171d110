//! The segment in `tests/formats/segment-1.wal`, written by the first version of the format: read for ever, and written
//! the same as long as the version is.

use crate::entry::Value;
use crate::key::Db;
use crate::lsn::{Lsn, Origin};
use crate::time::Millis;
use crate::wal::tests::{described, image, options, prepare};
use crate::wal::{Body, Log, LogOptions, Record, Removal, SegmentHeader, SegmentReader, Stop};

const FIXTURE: &[u8] = include_bytes!("../../../tests/formats/segment-1.wal");

/// Records of every kind with every field, the third in two frames.
fn records(long: &[u8]) -> Vec<Record<'_>> {
    let (db, key) = (Db(15), &b"key"[..]);
    let bodies = [
        (false, Body::Put { db: Db(0), key: b"", value: Value::Bytes(b""), expiry: None, client_flags: 0 }),
        (false, Body::Put { db, key, value: Value::Integer(-7), expiry: Some(Millis(1 << 41)), client_flags: 9 }),
        (false, Body::Put { db, key, value: Value::Bytes(long), expiry: Some(Millis(1)), client_flags: 0 }),
        (true, Body::Splice { db, key, base: 3, offset: 300, bytes: b"spliced" }),
        (true, Body::SetExpiry { db, key, base: 4, expiry: Some(Millis(77)) }),
        (true, Body::SetExpiry { db, key, base: 5, expiry: None }),
        (false, Body::Commit),
        (false, Body::Delete { db, key, removal: Removal::Deleted }),
        (false, Body::Delete { db, key: b"expired", removal: Removal::Expired }),
        (false, Body::Delete { db, key: b"evicted", removal: Removal::Evicted }),
        (false, Body::Flush { db: Some(Db(3)) }),
        (false, Body::Flush { db: None }),
        (false, Body::Swap { first: Db(1), second: Db(2) }),
        (false, Body::Mark { durable: Lsn(1_010) }),
        (false, Body::End),
    ];
    let number = |(index, (is_grouped, body))| Record { lsn: Lsn(1_000 + index as u64), is_grouped, body };
    bodies.into_iter().enumerate().map(number).collect()
}

fn header() -> SegmentHeader {
    let LogOptions { segment_bytes, .. } = options(1);
    let origin = Origin { generation: 0x0102, shard: 3, shard_count: 5 };
    SegmentHeader { origin, needs_snapshot: true, sequence: 0, first_lsn: Lsn(1_000), segment_bytes }
}

/// The segment that today's log writes, cut behind its end.
fn written() -> Vec<u8> {
    let SegmentHeader { origin, needs_snapshot, first_lsn, segment_bytes, .. } = header();
    let mut log = Log::new(LogOptions { origin, needs_snapshot, segment_bytes, first_lsn });
    prepare(&mut log, 1);
    for record in records(&[b'x'; 5_000]) {
        log.append(record.lsn, record.is_grouped, &record.body);
    }
    let end = 4096 + log.appended_bytes() as usize;
    let mut segment = image(log).remove(0);
    segment.truncate(end);
    segment
}

#[test]
fn a_segment_of_version_1_is_read() {
    assert_eq!(SegmentHeader::read(FIXTURE), Ok(header()));
    let mut reader = SegmentReader::new(FIXTURE, &header(), Lsn(1_000), Vec::new());
    for record in records(&[b'x'; 5_000]) {
        assert_eq!(reader.next().map(|found| described(&found)), Some(described(&record)));
    }
    assert!(reader.next().is_none());
    assert_eq!(reader.stop(), Stop::Clean { offset: FIXTURE.len() as u64 });
}

/// `LOCKSLEY_WRITE_FIXTURE=path` writes one, for the next version.
#[test]
fn a_segment_of_version_1_is_written_as_it_always_was() {
    if let Ok(path) = std::env::var("LOCKSLEY_WRITE_FIXTURE") {
        std::fs::write(path, written()).expect("the path can be written to");
    }
    assert!(written() == FIXTURE, "the bytes of a segment changed: they need a new version");
}
