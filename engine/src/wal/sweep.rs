//! The byte sweep: a small log over a few segments, damaged in every way and at every place, and read again.
//!
//! Whatever was done to the bytes, what is read is a prefix of what was written: never another record, never a panic,
//! never no end. Where records are missing, reading stopped before the end and the search behind the stop tells what
//! recovery must know: a record that a later mark says was durable is missed only together with a mark that says
//! so, unless the damage took every such mark, too.

use crate::entry::{Grace, Value};
use crate::key::Db;
use crate::limits::KEY_BYTES_MAX;
use crate::lsn::{Lsn, Origin};
use crate::time::Millis;
use crate::wal::record::Parts;
use crate::wal::tests::{SEGMENT_BYTES, image, options, prepare};
use crate::wal::{Body, Log, LogOptions, Record, Removal, SEGMENT_VERSION, SegmentHeader, SegmentReader, Stop};

const PAGE_BYTES: usize = 4096;
const SECTOR_BYTES: usize = 512;

/// A log, and what is known about it.
struct Sample {
    segments: Vec<Vec<u8>>,
    records: Vec<Vec<u8>>,
    /// By segment, the marks in it: where each begins, and what it says is durable.
    marks: Vec<Vec<(usize, Lsn)>>,
}

/// What reading came to.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    record_count: usize,
    /// The segment in which reading stopped, and why.
    stop: (usize, Stop),
    /// Something behind the stop says that what is missing was durable, or is no segment any more.
    is_damage: bool,
}

/// A log of about 40 records of all kinds over three segments, with a mark behind every seventh and a value that goes
/// on from one segment to the next.
fn sample(options: LogOptions, fill: u8) -> Sample {
    let mut log = Log::new(options);
    prepare(&mut log, 3);
    let mut records = Vec::new();
    let mut count = 0;
    let long_key = vec![fill; 300];
    let (short, middle, huge) = (vec![fill; 9], vec![fill ^ 1; 1_000], vec![fill ^ 2; 9_000]);
    while count < 42 {
        let key = if count % 5 == 0 { &long_key[..] } else { b"key" };
        let db = Db(count % 3);
        let bytes = if count == 14 {
            &huge
        } else if count % 2 == 0 {
            &middle
        } else {
            &short
        };
        let grace = Grace::NONE;
        let put = Body::Put { db, key, value: Value::Bytes(bytes), expiry: None, client_flags: 7, grace };
        let body = match count % 10 {
            0..5 => put,
            5 => Body::Splice { db, key, base: 3, offset: 2, bytes },
            6 => Body::Delete { db, key, removal: Removal::Evicted },
            7 => Body::SetExpiry { db, key, base: 3, expiry: Some(Millis(99)) },
            8 => Body::Put { db, key, value: Value::Integer(-5), expiry: Some(Millis(1)), client_flags: 0, grace },
            _ if count == 29 => Body::DeletePrefix { db, prefix: b"pre" },
            _ if count % 20 == 9 => Body::Commit,
            _ => Body::Invalidate { db, key, base: 3, expiry: None, grace },
        };
        let mut append = |body: Body<'_>, log: &mut Log| {
            let lsn = log.last_lsn().next();
            log.append(lsn, false, &body);
            records.push(encoded(&Record { lsn, is_grouped: false, body }));
        };
        append(body, &mut log);
        if count % 7 == 6 {
            let durable = Lsn(log.last_lsn().0 - 1);
            append(Body::Mark { durable }, &mut log);
        }
        count += 1;
    }
    let segments = image(log);
    assert_eq!(segments.len(), 3, "the sample has the length that was meant");
    let marks = segments.iter().map(|segment| marks_of(segment)).collect();
    Sample { segments, records, marks }
}

/// Number, kind and contents of a record: two records share them only if they are the same.
fn encoded(record: &Record<'_>) -> Vec<u8> {
    let mut parts = Parts::new();
    parts.fill(record.is_grouped, &record.body);
    let mut bytes = format!("{:?}", parts.head(record.lsn)).into_bytes();
    let head_bytes = bytes.len();
    bytes.resize(head_bytes + parts.content_bytes(), 0);
    parts.write(&mut bytes[head_bytes..]);
    bytes
}

/// Where the marks of an undamaged segment are.
fn marks_of(segment: &[u8]) -> Vec<(usize, Lsn)> {
    let header = SegmentHeader::read(segment).unwrap();
    let mut reader = SegmentReader::oldest(segment, &header);
    let mut marks = Vec::new();
    loop {
        let offset = reader.offset() as usize;
        match reader.next().map(|record| record.body) {
            Some(Body::Mark { durable }) => marks.push((offset, durable)),
            Some(_) => {}
            None => return marks,
        }
    }
}

/// Reads segments as recovery reads the newest generation, and checks that what is read is a prefix of `records`.
fn read(segments: &[Vec<u8>], options: LogOptions, records: &[Vec<u8>], context: &str) -> Verdict {
    let mut record_count = 0;
    let mut expected = options.first_lsn;
    let mut carried = Vec::new();
    let mut stop = None;
    let mut is_damage = false;
    for (index, segment) in segments.iter().enumerate() {
        let LogOptions { origin, segment_bytes, .. } = options;
        // What the name of the file says.
        let (version, sequence) = (SEGMENT_VERSION, index as u64);
        let implied =
            SegmentHeader { version, origin, needs_snapshot: false, sequence, first_lsn: expected, segment_bytes };
        let header = SegmentHeader::read(segment);
        let is_used = header.is_ok_and(|header| header.origin == origin && header.sequence == index as u64);
        if stop.is_some() || !is_used {
            let beyond = SegmentReader::new(segment, &implied, expected, Vec::new()).beyond();
            is_damage |= beyond.marked >= expected;
            stop.get_or_insert((index, Stop::Broken { offset: 0 }));
            continue;
        }
        let mut reader = SegmentReader::new(segment, &header.unwrap(), expected, std::mem::take(&mut carried));
        while let Some(record) = reader.next() {
            assert_eq!(encoded(&record), records[record_count], "{context}: a wrong record");
            record_count += 1;
        }
        expected = reader.expected();
        assert_eq!(expected.0, options.first_lsn.0 + record_count as u64, "{context}");
        let is_last = index + 1 == segments.len();
        let is_next_next =
            !is_last && SegmentHeader::read(&segments[index + 1]).is_ok_and(|next| next.first_lsn == expected);
        match reader.stop() {
            Stop::Clean { .. } if is_next_next => carried = reader.into_carried(),
            reason => {
                is_damage |= reader.beyond().marked >= expected;
                stop = Some((index, reason));
            }
        }
    }
    Verdict { record_count, stop: stop.expect("reading stopped somewhere"), is_damage }
}

impl Sample {
    /// Checks what reading `segments` comes to, of which bytes of segment `damaged` in `range` are not what they were.
    fn check(&self, segments: &[Vec<u8>], damaged: usize, range: std::ops::Range<usize>, context: &str) -> Verdict {
        let verdict = read(segments, options(1), &self.records, context);
        let Verdict { record_count, ref stop, is_damage } = verdict;
        if record_count == self.records.len() {
            assert_eq!(stop.0 + 1, segments.len(), "{context}: all is read up to the last segment");
            return verdict;
        }
        // Reading stopped where the damage is, not before and not behind.
        let is_next = *stop == (damaged + 1, Stop::Broken { offset: PAGE_BYTES as u64 });
        assert!(stop.0 <= damaged || is_next, "{context}: {verdict:?}");
        let missing = Lsn(1 + record_count as u64);
        let is_witness = |(index, marks): (usize, &Vec<(usize, Lsn)>)| {
            let is_whole = |offset: usize| index != damaged || offset + 32 <= range.start || range.end <= offset;
            marks.iter().any(|(offset, durable)| *durable >= missing && is_whole(*offset))
        };
        let is_witnessed = self.marks.iter().enumerate().any(is_witness);
        assert_eq!(is_damage, is_witnessed, "{context}: {verdict:?}");
        verdict
    }

    /// Damages the bytes of `range` in a segment by `change`, and checks what reading comes to.
    fn damage(&self, index: usize, range: std::ops::Range<usize>, what: &str, change: impl FnOnce(&mut [u8])) {
        let mut segments = self.segments.clone();
        change(&mut segments[index][range.clone()]);
        let context = format!("{what}, segment {index}, bytes {range:?}");
        if segments == self.segments {
            return;
        }
        self.check(&segments, index, range, &context);
    }
}

#[test]
fn an_undamaged_log_is_read_whole() {
    let sample = sample(options(1), 0x55);
    let verdict = sample.check(&sample.segments, 0, 0..0, "undamaged");
    assert_eq!((verdict.record_count, verdict.is_damage), (sample.records.len(), false));
    assert!(sample.marks.iter().all(|marks| !marks.is_empty()), "every segment has a mark");
}

#[test]
fn every_changed_byte_is_noticed_or_means_nothing() {
    let sample = sample(options(1), 0x55);
    for index in 0..sample.segments.len() {
        for offset in 0..SEGMENT_BYTES as usize {
            for pattern in [0x01, 0x80, 0xff] {
                sample.damage(index, offset..offset + 1, "changed", |bytes| bytes[0] ^= pattern);
            }
        }
    }
}

#[test]
fn every_zeroed_sector_and_page_is_noticed_or_means_nothing() {
    let sample = sample(options(1), 0x55);
    for index in 0..sample.segments.len() {
        for unit_bytes in [8, SECTOR_BYTES, PAGE_BYTES] {
            for start in (0..SEGMENT_BYTES as usize).step_by(unit_bytes) {
                sample.damage(index, start..start + unit_bytes, "zeroed", |bytes| bytes.fill(0));
                sample.damage(index, start..start + unit_bytes, "all ones", |bytes| bytes.fill(0xff));
            }
        }
    }
}

#[test]
fn a_log_cut_anywhere_is_read_up_to_there() {
    let sample = sample(options(1), 0x55);
    for index in 0..sample.segments.len() {
        for length in 0..SEGMENT_BYTES as usize {
            if length % 3 == 0 {
                sample.damage(index, length..SEGMENT_BYTES as usize, "never stored", |bytes| bytes.fill(0));
            }
            let mut segments = sample.segments.clone();
            segments[index].truncate(length);
            sample.check(&segments, index, length..SEGMENT_BYTES as usize, &format!("segment {index} cut to {length}"));
            segments.truncate(index + 1);
            let verdict = read(&segments, options(1), &sample.records, "later segments are gone");
            assert!(!verdict.is_damage, "nothing is behind the cut");
        }
    }
}

#[test]
fn swapped_pages_are_noticed() {
    let sample = sample(options(1), 0x55);
    let page = |index: usize| PAGE_BYTES * index..PAGE_BYTES * (index + 1);
    let places: Vec<(usize, usize)> = (0..3).flat_map(|segment| (0..4).map(move |index| (segment, index))).collect();
    for &(first, first_page) in &places {
        for &(second, second_page) in &places {
            let mut segments = sample.segments.clone();
            segments[first][page(first_page)].copy_from_slice(&sample.segments[second][page(second_page)]);
            segments[second][page(second_page)].copy_from_slice(&sample.segments[first][page(first_page)]);
            let context = format!("swapped {first}:{first_page} and {second}:{second_page}");
            let verdict = read(&segments, options(1), &sample.records, &context);
            let is_same = segments == sample.segments;
            let is_whole = verdict.record_count == sample.records.len();
            assert!(is_whole || !is_same, "{context}");
            // Swapping the zeros of two segments' ends changes nothing.
            assert!(verdict.stop != (2, Stop::Clean { offset: 0 }));
        }
    }
}

#[test]
fn what_an_earlier_use_left_behind_is_no_record() {
    let sample = sample(options(1), 0x55);
    let origin = options(1).origin;
    let earlier_uses = [
        options(1),
        options(40),
        LogOptions { origin: Origin { generation: 4, ..origin }, ..options(1) },
        LogOptions { origin: Origin { generation: 4, ..origin }, ..options(40) },
        LogOptions { origin: Origin { shard: 0, ..origin }, ..options(1) },
    ];
    for (use_index, earlier) in earlier_uses.into_iter().enumerate() {
        for fill in [0x55, 0x99] {
            let old = self::sample(earlier, fill);
            for (index, old_index) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
                let end = sample.end_of(index);
                for cut in [SEGMENT_BYTES as usize, end, end - 8, end / 2, PAGE_BYTES] {
                    let mut segments = sample.segments.clone();
                    // What is not stored yet are old bytes.
                    segments[index].truncate(cut);
                    segments[index].extend_from_slice(&old.segments[old_index][cut..]);
                    let context = format!("use {use_index}, segment {old_index} behind {cut} of segment {index}");
                    sample.check(&segments, index, cut..SEGMENT_BYTES as usize, &context);
                }
                let mut segments = sample.segments.clone();
                segments[index].clone_from(&old.segments[old_index]);
                let context = format!("use {use_index}, segment {old_index} in place of segment {index}");
                sample.check(&segments, index, 0..SEGMENT_BYTES as usize, &context);
            }
        }
    }
}

impl Sample {
    /// Where the frames of a segment end.
    fn end_of(&self, index: usize) -> usize {
        let segment = &self.segments[index];
        let used = segment.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        used.next_multiple_of(8)
    }
}

#[test]
fn a_key_longer_than_a_frame_is_put_together() {
    let mut log = Log::new(options(1));
    prepare(&mut log, 20);
    let key = vec![b'k'; KEY_BYTES_MAX];
    let put =
        Body::Put { db: Db(1), key: &key, value: Value::Integer(8), expiry: None, client_flags: 1, grace: Grace::NONE };
    log.append(Lsn(1), true, &put);
    let records = [encoded(&Record { lsn: Lsn(1), is_grouped: true, body: put })];
    let verdict = read(&image(log), options(1), &records, "a long key");
    assert_eq!((verdict.record_count, verdict.is_damage), (1, false));
}
