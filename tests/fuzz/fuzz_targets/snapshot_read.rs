//! Any bytes as a snapshot file, and any bytes as the payload of a block whose checksum is right: the reader ends
//! without a panic, returns only items within the bounds, and a shard takes or refuses what it returns.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use locksley_engine::limits::{DATABASE_COUNT_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX};
use locksley_engine::snapshot::{Block, FILE_VERSION, FileHeader, Footer, SnapshotReader, seal};
use locksley_engine::{Lsn, Millis, Origin, Shard, ShardOptions, Value};

/// What a file is made of.
#[derive(Debug, Arbitrary)]
struct Case<'a> {
    /// Read as they are, and written over a sound file at `offset`.
    bytes: &'a [u8],
    offset: u16,
    lsn: u64,
    /// Payloads of blocks, each with the number of items that it says it has.
    payloads: Vec<(u8, &'a [u8])>,
}

fn sound(case: &Case) -> Vec<u8> {
    let origin = Origin { generation: 1, shard: 0, shard_count: 2 };
    let header = FileHeader { version: FILE_VERSION, origin, id: 9, lsn: Lsn(case.lsn), fence: 0 };
    let mut file = header.to_bytes().as_slice().to_vec();
    let mut footer = Footer::default();
    for (item_count, payload) in &case.payloads {
        let mut block = Block::of_payload(footer.block_count, u32::from(*item_count), payload);
        seal(&mut block, &header);
        file.extend_from_slice(block.as_bytes());
        footer.block_count += 1;
        footer.item_count += u64::from(*item_count);
    }
    file.extend_from_slice(footer.to_bytes(&header).as_slice());
    file
}

fn read(file: &[u8], shard: &mut Shard) {
    let Ok(mut reader) = SnapshotReader::new(file) else { return };
    let mut steps = 0;
    loop {
        steps += 1;
        assert!(steps < 100_000, "reading comes to an end");
        match reader.next() {
            Ok(Some(item)) => {
                assert!(usize::from(item.db.0) < DATABASE_COUNT_MAX && item.key.len() <= KEY_BYTES_MAX);
                let is_bounded = matches!(item.value, Value::Bytes(bytes) if bytes.len() <= VALUE_BYTES_MAX);
                assert!(is_bounded || matches!(item.value, Value::Integer(_)));
                let _ = shard.restore(&item);
            }
            Ok(None) => return,
            Err(fault) => {
                assert_eq!(reader.next(), Err(fault), "a fault is repeated");
                if !reader.skip_damage() {
                    return;
                }
            }
        }
    }
}

fuzz_target!(|case: Case| {
    let mut shard = Shard::new(ShardOptions::default()).expect("address space");
    shard.begin_replay(Millis(1_700_000_000_000));
    read(case.bytes, &mut shard);
    let mut file = sound(&case);
    read(&file, &mut shard);
    let offset = usize::from(case.offset).min(file.len());
    let length = case.bytes.len().min(file.len() - offset);
    file[offset..offset + length].copy_from_slice(&case.bytes[..length]);
    read(&file, &mut shard);
    shard.end_replay();
    shard.check();
});
