//! One log segment in words.

use std::fmt::Write as _;
use std::io;

use locksley_engine::wal::{Body, HeaderFault, Record, Removal, SegmentHeader, SegmentReader, Stop};
use locksley_engine::{Db, Grace, Lsn};

use super::directory::Filter;
use super::text::{attributes, count, date, shortened, value};
use super::{Out, Verdict};

/// The words for the kinds of records, in the order of [`kind`].
const KINDS: [&str; 13] = [
    "put", "splice", "delete", "expire", "stale", "absent", "lock", "prefix", "flush", "swap", "commit", "mark", "end",
];

/// Where a record with a key is, and the key.
pub(super) fn key<'a>(body: &Body<'a>) -> Option<&'a [u8]> {
    match *body {
        Body::Put { key, .. }
        | Body::Splice { key, .. }
        | Body::Delete { key, .. }
        | Body::SetExpiry { key, .. }
        | Body::Invalidate { key, .. }
        | Body::PutAbsent { key, .. }
        | Body::Lock { key, .. } => Some(key),
        _ => None,
    }
}

fn kind(body: &Body<'_>) -> usize {
    match body {
        Body::Put { .. } => 0,
        Body::Splice { .. } => 1,
        Body::Delete { .. } => 2,
        Body::SetExpiry { .. } => 3,
        Body::Invalidate { .. } => 4,
        Body::PutAbsent { .. } => 5,
        Body::Lock { .. } => 6,
        Body::DeletePrefix { .. } => 7,
        Body::Flush { .. } => 8,
        Body::Swap { .. } => 9,
        Body::Commit => 10,
        Body::Mark { .. } => 11,
        Body::End => 12,
    }
}

/// Shows the segment `bytes`, named `name`, with its records as far as `filter` lets them pass.
///
/// # Errors
/// When `out` fails.
pub(super) fn show(name: &str, bytes: &[u8], filter: &Filter, out: Out<'_>) -> io::Result<Verdict> {
    let header = match SegmentHeader::read(bytes) {
        Ok(header) => header,
        Err(fault) => return show_fault(name, bytes, fault, out),
    };
    let SegmentHeader { origin, needs_snapshot, sequence, first_lsn, segment_bytes, .. } = header;
    let needs_snapshot = if needs_snapshot { ", of use only with a snapshot of this generation" } else { "" };
    writeln!(
        out,
        "{name}: log segment {sequence} of shard {} of {}, generation {}, {segment_bytes} bytes, from number {} on\
         {needs_snapshot}",
        origin.shard, origin.shard_count, origin.generation, first_lsn.0,
    )?;
    let mut reader = SegmentReader::oldest(bytes, &header);
    let (mut counts, mut first, mut last, mut shown) = ([0_u64; KINDS.len()], None, first_lsn, 0);
    loop {
        let offset = reader.offset();
        let Some(record) = reader.next() else { break };
        counts[kind(&record.body)] += 1;
        first.get_or_insert(record.lsn);
        last = record.lsn;
        if shown < filter.count_max && filter.takes(key(&record.body)) {
            shown += 1;
            writeln!(out, "{offset:>12}  {}", describe(&record, filter.bytes_max))?;
        }
    }
    let mut summary = String::new();
    for (kind, number) in KINDS.iter().zip(counts).filter(|(_, number)| *number > 0) {
        write!(summary, ", {number} {kind}").expect("a string takes all that is written");
    }
    let numbers = first.map_or_else(String::new, |first: Lsn| format!(", numbers {} to {}", first.0, last.0));
    writeln!(out, "  {}{numbers}{summary}", count(counts.iter().sum(), "record"))?;
    show_end(&reader, bytes.len(), out)
}

fn show_end(reader: &SegmentReader<'_>, length: usize, out: Out<'_>) -> io::Result<Verdict> {
    match reader.stop() {
        Stop::Clean { offset } if offset as usize >= length => writeln!(out, "  full")?,
        Stop::Clean { offset } => writeln!(out, "  ends at offset {offset}, zeros follow")?,
        Stop::Broken { offset } => {
            let beyond = reader.beyond();
            let behind = match (beyond.frame_count, beyond.marked) {
                (0, _) => "no intact record is behind it in this file".to_owned(),
                (frames, marked) if marked >= reader.expected() => format!(
                    "{} behind it, which say that the log was durable up to number {}: this is damage",
                    count(frames, "intact record"),
                    marked.0
                ),
                (frames, _) => format!(
                    "{} behind it, of which none says that the log was durable here: a power cut leaves this",
                    count(frames, "intact record")
                ),
            };
            writeln!(out, "  offset {offset}: no record of number {}; {behind}", reader.expected().0)?;
            if beyond.marked >= reader.expected() {
                return Ok(Verdict::Damaged);
            }
        }
    }
    Ok(Verdict::Good)
}

fn show_fault(name: &str, bytes: &[u8], fault: HeaderFault, out: Out<'_>) -> io::Result<Verdict> {
    let length = bytes.len();
    match fault {
        HeaderFault::Unused => {
            writeln!(out, "{name}: log segment, {length} bytes, prepared and never used")?;
            return Ok(Verdict::Good);
        }
        HeaderFault::Short { bytes } => {
            writeln!(out, "{name}: {bytes} bytes are too few for a log segment")?;
        }
        HeaderFault::Damaged => {
            writeln!(out, "{name}: not a log segment, or its head (offset 0) is damaged; {length} bytes")?;
        }
        HeaderFault::Version { found } => {
            writeln!(out, "{name}: a log segment of format version {found}, which this program does not know")?;
        }
    }
    Ok(Verdict::Damaged)
}

/// A record in words.
fn describe(record: &Record<'_>, bytes_max: usize) -> String {
    let group = if record.is_grouped { " (grouped)" } else { "" };
    let kind = KINDS[kind(&record.body)];
    let named = |db: Db, key: &[u8]| format!("db {} {}", db.0, shortened(key, bytes_max));
    let rest = match record.body {
        Body::Put { db, key, value: content, expiry, client_flags, grace } => {
            format!("{} = {}{}", named(db, key), value(content, bytes_max), attributes(expiry, grace, client_flags))
        }
        Body::Splice { db, key, base, offset, bytes } => {
            format!("{} at {offset} {}, of version {base}", named(db, key), shortened(bytes, bytes_max))
        }
        Body::Delete { db, key, removal } => {
            let why = match removal {
                Removal::Deleted => "",
                Removal::Expired => ", its time was over",
                Removal::Evicted => ", evicted",
            };
            format!("{}{why}", named(db, key))
        }
        Body::SetExpiry { db, key, base, expiry } => {
            let expiry = expiry.map_or_else(|| "never".to_owned(), date);
            format!("{} {expiry}, of version {base}", named(db, key))
        }
        Body::Invalidate { db, key, base, expiry, grace } => {
            format!("{}{}, of version {base}", named(db, key), attributes(expiry, grace, 0))
        }
        Body::PutAbsent { db, key, expiry } => {
            format!("{}{}", named(db, key), attributes(Some(expiry), Grace::NONE, 0))
        }
        Body::Lock { db, key, token, expiry } => {
            format!("{}, token {token}{}", named(db, key), attributes(Some(expiry), Grace::NONE, 0))
        }
        Body::DeletePrefix { db, prefix } => format!("{}...", named(db, prefix)),
        Body::Flush { db: Some(db) } => format!("db {}", db.0),
        Body::Flush { db: None } => "all".to_owned(),
        Body::Swap { first, second } => format!("db {} and {}", first.0, second.0),
        Body::Mark { durable } => format!("durable up to {}", durable.0),
        Body::Commit | Body::End => String::new(),
    };
    let line = format!("{:>10}  {kind:<7}{rest}{group}", record.lsn.0);
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use locksley_engine::wal::SEGMENT_HEADER_BYTES;
    use locksley_engine::{Millis, Value};

    use super::super::testing::{everything, segment, shown};
    use super::*;

    const RECORDS: &str = r#"a/file: log segment 0 of shard 0 of 1, generation 5, 65536 bytes, from number 1 on
        4096           1  put    db 0 "user:1" = "a \"quoted\" value"
        4144           2  put    db 0 "user:2" = 7, expires 2023-11-14 22:15:00.000 UTC, flags 9
        4200           3  put    db 0 "long" = "xxxxxxxxxxxxxxxxxxxx"... (500 bytes)
        4728           4  splice db 0 "long" at 2 "yy", of version 3
        4776           5  expire db 0 "user:1" 2023-11-14 22:16:40.000 UTC, of version 1
        4824           6  delete db 0 "user:2"
        4856           7  stale  db 0 "long", expires 2023-11-14 22:18:20.000 UTC, of version 4
        4904           8  mark   durable up to 7
  8 records, numbers 1 to 8, 3 put, 1 splice, 1 delete, 1 expire, 1 stale, 1 mark
  ends at offset 4936, zeros follow
"#;

    #[test]
    fn each_record_is_a_line() {
        assert_eq!(shown(show, &segment(), &everything()), (RECORDS.to_owned(), Verdict::Good));
        let filter = Filter { count_max: 2, key: Some("user:?".to_owned()), ..everything() };
        let (text, _) = shown(show, &segment(), &filter);
        assert_eq!(text.lines().count(), 5, "{text}");
    }

    #[test]
    fn graces_notes_and_locks_are_said() {
        let (db, key, expiry) = (Db(3), &b"k"[..], Millis(1_700_000_000_500));
        let (value, client_flags, base) = (Value::Integer(5), 0, 6);
        let grace = Grace { grace_ms: 400, cost_ms: 20 };
        let ends = "expires 2023-11-14 22:13:20.500 UTC";
        let graced = "expires 2023-11-14 22:13:20.100 UTC, kept for 400 ms more, made in 20 ms";
        for (body, expected) in [
            (
                Body::Put { db, key, value, expiry: Some(expiry), client_flags, grace },
                format!("put    db 3 \"k\" = 5, {graced}"),
            ),
            (
                Body::Invalidate { db, key, base, expiry: Some(expiry), grace },
                format!("stale  db 3 \"k\", {graced}, of version 6"),
            ),
            (Body::PutAbsent { db, key, expiry }, format!("absent db 3 \"k\", {ends}")),
            (Body::Lock { db, key, token: 9, expiry }, format!("lock   db 3 \"k\", token 9, {ends}")),
            (Body::DeletePrefix { db, prefix: b"k:" }, "prefix db 3 \"k:\"...".to_owned()),
        ] {
            let record = Record { lsn: Lsn(8), is_grouped: false, body };
            assert_eq!(describe(&record, 20).trim_start(), format!("8  {expected}"));
        }
    }

    #[test]
    fn a_hole_before_a_mark_is_damage_and_one_behind_it_is_not() {
        let mut bytes = segment();
        bytes[4_830] ^= 1;
        let (text, verdict) = shown(show, &bytes, &everything());
        assert_eq!(verdict, Verdict::Damaged);
        let sentence = "  offset 4824: no record of number 6; 2 intact records behind it, which say that the log was \
                        durable up to number 7: this is damage\n";
        assert!(text.ends_with(sentence), "{text}");
        let mut bytes = segment();
        bytes[4_908] ^= 1;
        let (text, verdict) = shown(show, &bytes, &everything());
        assert_eq!(verdict, Verdict::Good);
        assert!(text.contains("offset 4904: no record of number 8; no intact record is behind it"), "{text}");
    }

    #[test]
    fn no_byte_and_no_length_makes_it_fail() {
        let bytes = segment();
        for length in (0..5_000).chain([SEGMENT_HEADER_BYTES, bytes.len()]) {
            shown(show, &bytes[..length], &everything());
        }
        for at in 0..5_000 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x55;
            shown(show, &bytes, &everything());
        }
    }
}
