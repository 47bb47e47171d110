//! A small snapshot file damaged in every way: whatever is read is what was written, or the damage is told.

use crate::lsn::{Lsn, Origin};
use crate::snapshot::{
    Block, FILE_VERSION, FileHeader, Footer, Item, Progress, SnapshotFault, SnapshotOptions, SnapshotReader, seal,
};
use crate::{Db, ExpiryChange, FlagsChange, Key, Millis, Op, Shard, ShardOptions, Value};

const PAGE: usize = 4096;
const SECTOR: usize = 512;
const NOW: Millis = Millis(1_700_000_000_000);
const ORIGIN: Origin = Origin { generation: 3, shard: 1, shard_count: 4 };
const HEADER: FileHeader = FileHeader { version: FILE_VERSION, origin: ORIGIN, id: 7, lsn: Lsn(1_000), fence: 77 };

/// A block of a few entries, one of each sort; `number` tells them apart.
fn block(number: u64) -> Block {
    let mut shard = Shard::new(ShardOptions::default()).unwrap();
    let mut put = |db: u8, name: &str, value: Value<'_>, expiry: ExpiryChange, flags: u32| {
        let name = format!("{name}:{number}");
        let key = shard.key(Db(db), name.as_bytes());
        let op = Op::Put { key, value, expiry, client_flags: FlagsChange::Set(flags) };
        shard.apply(op, NOW).unwrap();
    };
    put(0, "text", Value::Bytes(b"some text"), ExpiryChange::Clear, 0);
    put(0, "number", Value::Integer(number as i64 - 2), ExpiryChange::At(Millis(NOW.0 + 5)), 0);
    put(3, "flags", Value::Bytes(&[b'v'; 700]), ExpiryChange::Clear, 77);
    put(15, "both", Value::Bytes(b""), ExpiryChange::At(Millis(NOW.0 + 1)), u32::MAX);
    put(15, "", Value::Bytes(b"LKSYSNP\nBLCKFOOT"), ExpiryChange::Clear, 0);
    let key = shard.key(Db(1), b"spliced");
    shard.apply(Op::Splice { key, offset: 3, bytes: b"tail" }, NOW).unwrap();
    shard.apply(Op::Invalidate { key, expiry: ExpiryChange::Keep }, NOW).unwrap();
    shard.begin_snapshot(SnapshotOptions { waiting_bytes_max: 0 });
    while shard.step_snapshot(1000) == Progress::Walking {}
    let mut block = shard.take_block().expect("there are entries");
    block.number = number;
    block
}

/// A file of `block_count` blocks.
fn file(header: &FileHeader, block_count: u64) -> Vec<u8> {
    let mut file = header.to_bytes().as_slice().to_vec();
    let mut footer = Footer { block_count, item_count: 0 };
    for number in 0..block_count {
        let mut block = block(number);
        seal(&mut block, header);
        assert_eq!(block.as_bytes().len(), PAGE);
        footer.item_count += u64::from(block.item_count());
        file.extend_from_slice(block.as_bytes());
    }
    file.extend_from_slice(footer.to_bytes(header).as_slice());
    file
}

/// All items and the fault at which reading ended.
fn read(file: &[u8]) -> (Vec<Item<'_>>, Option<SnapshotFault>) {
    let mut items = Vec::new();
    let mut reader = match SnapshotReader::new(file) {
        Ok(reader) => reader,
        Err(fault) => return (items, Some(fault)),
    };
    loop {
        match reader.next() {
            Ok(Some(item)) => items.push(item),
            Ok(None) => return (items, None),
            Err(fault) => {
                assert_eq!(reader.next(), Err(fault), "a fault is repeated");
                return (items, Some(fault));
            }
        }
    }
}

/// All items that a repair finds.
fn repair(file: &[u8]) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    let Ok(mut reader) = SnapshotReader::new(file) else { return items };
    for _ in 0..10_000 {
        match reader.next() {
            Ok(Some(item)) => items.push(item),
            Ok(None) => return items,
            Err(_) => {
                if !reader.skip_damage() {
                    return items;
                }
            }
        }
    }
    panic!("a repair comes to an end");
}

/// What is read of `damaged` is a beginning of what is read of `whole`, and all of it unless a fault is told; what a
/// repair finds is a part of it. Returns whether there was a fault.
fn check(whole: &[u8], damaged: &[u8], what: &str) -> bool {
    let (expected, _) = read(whole);
    let (found, fault) = read(damaged);
    assert!(expected.starts_with(&found), "{what}: only what was written is read");
    assert!(fault.is_some() || found == expected, "{what}: nothing is lost without a word");
    let mut expected = expected.iter();
    for item in repair(damaged) {
        assert!(expected.any(|other| *other == item), "{what}: a repair finds what was written, once and in order");
    }
    fault.is_some()
}

#[test]
fn a_file_gives_back_what_was_written() {
    let file = file(&HEADER, 3);
    let (items, fault) = read(&file);
    assert_eq!((items.len(), fault), (18, None));
    let both = items.iter().find(|item| item.key == b"both:2").unwrap();
    let expected = (Db(15), Value::Bytes(b""), Some(Millis(NOW.0 + 1)), u32::MAX);
    assert_eq!((both.db, both.value, both.expiry, both.client_flags), expected);
    assert!(items.iter().any(|item| item.value == Value::Integer(-2) && item.key == b"number:0"));
    assert!(items.iter().all(|item| item.is_stale == (item.key == b"spliced")));
    let mut reader = SnapshotReader::new(&file).unwrap();
    assert_eq!(reader.header(), HEADER);
    while reader.next().unwrap().is_some() {}
    assert_eq!(reader.footer(), Some(Footer { block_count: 3, item_count: 18 }));
    assert_eq!(reader.offset(), file.len() as u64);
}

#[test]
fn an_older_version_has_no_flag_for_what_came_later() {
    let file = file(&FileHeader { version: 1, fence: 0, ..HEADER }, 2);
    let (items, fault) = read(&file);
    assert_eq!(fault, Some(SnapshotFault::Item { offset: PAGE as u64 }));
    assert!(items.len() < 6 && items.iter().all(|item| !item.is_stale && item.key != b"spliced"));
    assert_eq!(repair(&file).len(), 2 * items.len());
}

#[test]
fn an_empty_shard_makes_a_file_of_head_and_foot() {
    let file = file(&HEADER, 0);
    assert_eq!((file.len(), read(&file)), (2 * PAGE, (Vec::new(), None)));
}

#[test]
fn every_flipped_byte_is_detected() {
    let whole = file(&HEADER, 3);
    let mut damaged = whole.clone();
    for offset in 0..whole.len() {
        for mask in [1 << (offset % 8), 0xFF] {
            damaged[offset] ^= mask;
            assert!(check(&whole, &damaged, &format!("byte {offset} ^ {mask}")), "byte {offset} is not checked");
            damaged[offset] = whole[offset];
        }
    }
}

#[test]
fn every_truncation_is_detected() {
    let whole = file(&HEADER, 3);
    for length in 0..whole.len() {
        assert!(check(&whole, &whole[..length], &format!("cut to {length}")), "cut to {length}");
    }
}

#[test]
fn every_zeroed_sector_is_detected() {
    let whole = file(&HEADER, 3);
    for offset in (0..whole.len()).step_by(SECTOR) {
        let mut damaged = whole.clone();
        damaged[offset..][..SECTOR].fill(0);
        let was_zero = damaged == whole;
        assert_eq!(check(&whole, &damaged, &format!("sector at {offset} zeroed")), !was_zero);
    }
}

#[test]
fn blocks_in_a_wrong_place_are_detected() {
    let whole = file(&HEADER, 4);
    let pages = whole.len() / PAGE;
    for first in 0..pages {
        for second in 0..pages {
            let page = |number: usize| whole[number * PAGE..][..PAGE].to_vec();
            if first != second {
                let mut swapped = whole.clone();
                swapped[first * PAGE..][..PAGE].copy_from_slice(&page(second));
                let mut copied = swapped.clone();
                swapped[second * PAGE..][..PAGE].copy_from_slice(&page(first));
                assert!(check(&whole, &swapped, &format!("pages {first} and {second} swapped")));
                assert!(check(&whole, &copied, &format!("page {second} in the place of {first}")));
                copied = whole.clone();
                copied.splice(first * PAGE..first * PAGE, page(second));
                assert!(check(&whole, &copied, &format!("page {second} once more before {first}")));
            }
        }
        let mut missing = whole.clone();
        missing.drain(first * PAGE..(first + 1) * PAGE);
        assert!(check(&whole, &missing, &format!("page {first} left out")));
    }
}

#[test]
fn blocks_of_another_file_are_detected() {
    let whole = file(&HEADER, 3);
    let origin = HEADER.origin;
    let others = [
        FileHeader { version: 1, fence: 0, ..HEADER },
        FileHeader { fence: 78, ..HEADER },
        FileHeader { id: 8, ..HEADER },
        FileHeader { lsn: Lsn(1_001), ..HEADER },
        FileHeader { origin: Origin { shard: 2, ..origin }, ..HEADER },
        FileHeader { origin: Origin { generation: 4, ..origin }, ..HEADER },
        FileHeader { origin: Origin { shard_count: 5, ..origin }, ..HEADER },
    ];
    for other in others {
        let foreign = file(&other, 3);
        for page in 1..whole.len() / PAGE {
            let mut damaged = whole.clone();
            damaged[page * PAGE..][..PAGE].copy_from_slice(&foreign[page * PAGE..][..PAGE]);
            assert!(check(&whole, &damaged, &format!("page {page} of {other:?}")));
        }
    }
}

#[test]
fn whatever_follows_the_foot_is_a_fault() {
    let whole = file(&HEADER, 2);
    let end = whole.len() as u64;
    for tail in [vec![0], vec![0; PAGE], block(2).as_bytes().to_vec(), whole.clone()] {
        let mut longer = whole.clone();
        longer.extend_from_slice(&tail);
        assert!(check(&whole, &longer, "a tail"));
        assert_eq!(read(&longer).1, Some(SnapshotFault::Foot { offset: end }));
    }
}

#[test]
fn faults_say_what_and_where() {
    let whole = file(&HEADER, 3);
    let flipped = |offset: usize| {
        let mut bytes = whole.clone();
        bytes[offset] ^= 1;
        read(&bytes).1
    };
    assert_eq!(flipped(0), Some(SnapshotFault::Head));
    assert_eq!(flipped(PAGE + 40), Some(SnapshotFault::Block { offset: PAGE as u64 }));
    assert_eq!(flipped(4 * PAGE), Some(SnapshotFault::Block { offset: 4 * PAGE as u64 }));
    assert_eq!(read(&whole[..4 * PAGE]).1, Some(SnapshotFault::Foot { offset: 4 * PAGE as u64 }));
    assert_eq!(read(b"REDIS0011").1, Some(SnapshotFault::Head));
    let mut later = whole.clone();
    later[8] += 1;
    let crc32 = {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&later[..12]);
        hasher.update(&later[16..PAGE]);
        hasher.finalize()
    };
    later[12..16].copy_from_slice(&crc32.to_le_bytes());
    assert_eq!(read(&later).1, Some(SnapshotFault::Version { found: FILE_VERSION + 1 }));
}

#[test]
fn a_repair_keeps_the_items_of_all_intact_blocks() {
    let whole = file(&HEADER, 4);
    let count = |bytes: &[u8]| repair(bytes).len();
    for lost in 1..5 {
        let mut damaged = whole.clone();
        damaged[lost * PAGE + 100] ^= 1;
        assert_eq!(count(&damaged), 18, "block {lost} of four is lost");
        damaged.drain(lost * PAGE..(lost + 1) * PAGE);
        assert_eq!(count(&damaged), 18, "block {lost} of four is missing");
    }
    assert_eq!(count(&whole[..whole.len() - PAGE]), 24, "no foot");
    assert_eq!(count(&whole[..PAGE]), 0);
}

#[test]
fn items_that_make_no_sense_are_faults_of_their_block() {
    let good = block(0).as_bytes()[32..].to_vec();
    let check = |payload: &[u8], item_count: u32, expected: usize| {
        let mut bytes = HEADER.to_bytes().as_slice().to_vec();
        let mut block = Block::of_payload(0, item_count, payload);
        seal(&mut block, &HEADER);
        bytes.extend_from_slice(block.as_bytes());
        bytes.extend_from_slice(
            Footer { block_count: 1, item_count: u64::from(item_count) }.to_bytes(&HEADER).as_slice(),
        );
        let (items, fault) = read(&bytes);
        assert_eq!((items.len(), repair(&bytes).len()), (expected, expected));
        fault
    };
    let fault = Some(SnapshotFault::Item { offset: PAGE as u64 });
    assert_eq!(check(&good, 6, 6), None);
    assert_eq!(check(&good, 5, 5), fault, "bytes behind the last item");
    assert_eq!(check(&good, 7, 6), fault, "an item less than there should be");
    assert_eq!(check(&[], 1, 0), fault);
    assert_eq!(check(&good, 0, 0), Some(SnapshotFault::Block { offset: PAGE as u64 }), "a block without items");
    let changed = |changes: &[(usize, u8)]| {
        let mut payload = good.clone();
        changes.iter().for_each(|(offset, byte)| payload[*offset] = *byte);
        check(&payload, 6, 0)
    };
    for (what, changes) in [
        ("a key too long", &[(2, 1), (0, 1)][..]),
        ("a value too long", &[(7, 0x20), (4, 1)]),
        ("a value longer than the block", &[(6, 1)]),
        ("version 0", &[(8, 0)]),
        ("a version after the instant", &[(9, 4)]),
        ("database 16", &[(16, 16)]),
        ("an unknown flag", &[(17, 8)]),
        ("a grace of what does not end", &[(17, 4)]),
        ("a note with a value", &[(18, 3)]),
        ("an unknown encoding", &[(18, 5)]),
        ("a reserved byte", &[(19, 1)]),
    ] {
        assert_eq!(changed(changes), fault, "{what}");
    }
}

/// The item of what `op` makes of a key.
fn item(op: impl Fn(Key<'static>) -> Op<'static>) -> Vec<u8> {
    let mut shard = Shard::new(ShardOptions::default()).unwrap();
    let key = shard.key(Db(2), b"key");
    shard.apply(op(key), NOW).unwrap();
    shard.begin_snapshot(SnapshotOptions { waiting_bytes_max: 0 });
    while shard.step_snapshot(1000) == Progress::Walking {}
    let block = shard.take_block().expect("there is an entry");
    block.as_bytes()[32..].to_vec()
}

/// The only item of a block of `payload` in a file of `version`, in words; `None` if it is none.
fn only(payload: &[u8], version: u32) -> Option<String> {
    let header = FileHeader { version, fence: 0, ..HEADER };
    let mut file = header.to_bytes().as_slice().to_vec();
    let mut block = Block::of_payload(0, 1, payload);
    seal(&mut block, &header);
    file.extend_from_slice(block.as_bytes());
    file.extend_from_slice(Footer { block_count: 1, item_count: 1 }.to_bytes(&header).as_slice());
    let (items, fault) = read(&file);
    assert_eq!(items.len(), usize::from(fault.is_none()));
    items.first().map(|item| format!("{:?} {:?} {:?} {}", item.form, item.value, item.expiry, item.grace.grace_ms))
}

#[test]
fn items_that_are_no_plain_strings_follow_their_own_rules() {
    let (until, end) = (Millis(NOW.0 + 10), Millis(NOW.0 + 30));
    let graced = item(|key| {
        let expiry = ExpiryChange::Graced { until, grace_ms: 20, cost_ms: 7 };
        Op::Put { key, value: Value::Bytes(b"v"), expiry, client_flags: FlagsChange::Set(0) }
    });
    let absent = item(|key| Op::PutAbsent { key, expiry: end });
    let lock = item(|key| Op::Lock { key, token: 5, expiry: end });
    for (payload, expected) in [
        (&graced, format!("String Bytes([118]) {:?} 20", Some(end))),
        (&absent, format!("Absent Bytes([]) {:?} 0", Some(end))),
        (&lock, format!("Lock Integer(5) {:?} 0", Some(end))),
    ] {
        assert_eq!(only(payload, FILE_VERSION), Some(expected.clone()));
        assert_eq!((only(payload, 1), only(payload, 2)), (None, None), "{expected} came with version 3");
    }
    let changed = |payload: &[u8], changes: &[(usize, u8)]| {
        let mut payload = payload.to_vec();
        changes.iter().for_each(|(offset, byte)| payload[*offset] = *byte);
        only(&payload, FILE_VERSION)
    };
    for (what, payload, changes) in [
        ("a grace that does nothing", &graced, &[(32, 0), (36, 0)][..]),
        ("a grace that began before the epoch", &graced, &[(29, 0), (28, 0), (27, 0), (35, 255)]),
        ("a note that is stale", &absent, &[(17, 3)]),
        ("a note with client flags", &absent, &[(20, 1)]),
        ("a lock with a token below 0", &lock, &[(42, 0x80)]),
        ("a lock with a grace", &lock, &[(17, 5), (32, 1)]),
    ] {
        assert_eq!(changed(payload, changes), None, "{what}");
    }
}
