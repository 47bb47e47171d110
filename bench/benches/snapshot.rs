//! What a snapshot costs: the walk and the seal, an entry; a write while one is under way; reading and restoring.
//!
//! Entries of a 100-byte key and a 1,024-byte value, half a million by default (`LOCKSLEY_ENTRIES` changes it), so
//! that nearly every cell is out of the CPU's caches. Blocks are copied into a file image in memory, which is not
//! timed. Times are processor time, but for the longest step. Restoring is shown beside filling a shard by writes,
//! for a shard with another hash seed, as after a start; and, for a few entries, with the same one: a snapshot is in
//! the order of hashes, which is the worst order for a table that grows under it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use locksley_engine::snapshot::{FILE_VERSION, FileHeader, Progress, SnapshotOptions, SnapshotReader, seal};
use locksley_engine::{Db, ExpiryChange, FlagsChange, Lsn, Millis, Op, Origin, Shard, ShardOptions, Value};

const NOW: Millis = Millis(1_700_000_000_000);
const KEY_BYTES: usize = 100;
const VALUE_BYTES: usize = 1024;
const SLOTS: usize = 64;
const ROUNDS: usize = 5;
/// Items whose table lines are asked for before the first of them is restored.
const AHEAD: usize = 16;

/// Processor time of this thread: what other programs take does not count.
fn busy() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn key_bytes(number: u64) -> [u8; KEY_BYTES] {
    let mut bytes = [b'.'; KEY_BYTES];
    let text = format!("{number:016}");
    bytes[..16].copy_from_slice(text.as_bytes());
    bytes
}

fn put(shard: &mut Shard, number: u64, value: &[u8]) {
    let bytes = key_bytes(number);
    let key = shard.key(Db(0), &bytes);
    let op =
        Op::Put { key, value: Value::Bytes(value), expiry: ExpiryChange::Clear, client_flags: FlagsChange::Set(0) };
    shard.apply(op, NOW).expect("there is no limit");
}

fn filled(entries: u64, seed: u64) -> Shard {
    let mut shard = Shard::new(ShardOptions { seed, ..ShardOptions::default() }).expect("address space");
    let value = [b'v'; VALUE_BYTES];
    (0..entries).for_each(|number| put(&mut shard, number, &value));
    shard
}

/// What the parts of a snapshot took.
#[derive(Default)]
struct Taken {
    walk: Duration,
    longest: Duration,
    seal: Duration,
    file: Vec<u8>,
}

fn take(shard: &mut Shard, file: Vec<u8>) -> Taken {
    let mut taken = Taken { file, ..Taken::default() };
    taken.file.clear();
    let lsn = shard.begin_snapshot(SnapshotOptions { waiting_bytes_max: 64 << 20 });
    let origin = Origin { generation: 1, shard: 0, shard_count: 1 };
    let header = FileHeader { version: FILE_VERSION, origin, id: 1, lsn, fence: 0 };
    taken.file.extend_from_slice(header.to_bytes().as_slice());
    loop {
        let (start, start_busy) = (Instant::now(), busy());
        let progress = shard.step_snapshot(SLOTS);
        taken.walk += busy().saturating_sub(start_busy);
        taken.longest = taken.longest.max(start.elapsed());
        while let Some(mut block) = shard.take_block() {
            let start = busy();
            seal(&mut block, &header);
            taken.seal += busy().saturating_sub(start);
            taken.file.extend_from_slice(block.as_bytes());
            shard.reuse_block(block);
        }
        if let Progress::Done(footer) = progress {
            taken.file.extend_from_slice(footer.to_bytes(&header).as_slice());
            shard.end_snapshot();
            return taken;
        }
    }
}

/// Fills a shard from a file; returns the time and the entries.
fn restore(file: &[u8], seed: u64) -> (Duration, u64) {
    let mut shard = Shard::new(ShardOptions { seed, ..ShardOptions::default() }).expect("address space");
    shard.begin_replay(NOW);
    let start = busy();
    let mut reader = SnapshotReader::new(file).expect("it was written just now");
    let mut batch = Vec::with_capacity(AHEAD);
    loop {
        while batch.len() < AHEAD
            && let Some(item) = reader.next().expect("it is whole")
        {
            shard.prefetch_replay(item.db, item.key);
            batch.push(item);
        }
        if batch.is_empty() {
            break;
        }
        batch.drain(..).for_each(|item| shard.restore(&item).expect("it fits"));
    }
    shard.end_replay();
    (busy().saturating_sub(start), shard.len(Db(0)))
}

/// The time of a write, without a snapshot and with one whose walk stands at its beginning: each write is the first
/// of its entry, so each writes a pre-image.
fn overwrite(shard: &mut Shard, entries: u64, with_snapshot: bool) -> Duration {
    let value = [b'w'; VALUE_BYTES];
    let origin = Origin { generation: 1, shard: 0, shard_count: 1 };
    let header = FileHeader { version: FILE_VERSION, origin, id: 2, lsn: Lsn(0), fence: 0 };
    if with_snapshot {
        shard.begin_snapshot(SnapshotOptions { waiting_bytes_max: 64 << 20 });
    }
    let mut total = Duration::ZERO;
    for chunk in 0..entries / 100 {
        let start = busy();
        for index in 0..100 {
            // Far apart, so that neither cells nor slots are neighbours.
            put(shard, (chunk * 100 + index) * 7_919 % entries, &value);
        }
        total += busy().saturating_sub(start);
        while let Some(block) = shard.take_block() {
            black_box((&header, block.as_bytes().len()));
            shard.reuse_block(block);
        }
    }
    if with_snapshot {
        shard.end_snapshot();
    }
    total
}

fn nanoseconds(time: Duration, entries: u64) -> f64 {
    time.as_nanos() as f64 / entries as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let entries = std::env::var("LOCKSLEY_ENTRIES").map_or(500_000, |text| text.parse().expect("a number"));
    let mut shard = filled(entries, 1);
    let mut times: [Vec<f64>; 7] = Default::default();
    let (mut file, mut longest) = (Vec::new(), Duration::ZERO);
    for _ in 0..ROUNDS {
        let taken = take(&mut shard, file);
        file = taken.file;
        longest = longest.max(taken.longest);
        let (restored, count) = restore(&file, 2);
        assert_eq!(count, entries);
        let start = busy();
        let mut reader = SnapshotReader::new(&file).expect("it was written just now");
        while let Some(item) = reader.next().expect("it is whole") {
            black_box(item.version);
        }
        let read = busy().saturating_sub(start);
        let start = busy();
        drop(filled(entries, 2));
        let written = busy().saturating_sub(start);
        let plain = overwrite(&mut shard, entries, false);
        let preserving = overwrite(&mut shard, entries, true);
        for (times, time) in times.iter_mut().zip([taken.walk, taken.seal, read, restored, written, plain, preserving])
        {
            times.push(nanoseconds(time, entries));
        }
    }
    let [walk, seal, read, restored, written, plain, preserving] = times.map(median);
    println!("{entries} entries of {KEY_BYTES} B + {VALUE_BYTES} B, file of {:.3} of the payload", {
        file.len() as f64 / (entries * (KEY_BYTES + VALUE_BYTES) as u64) as f64
    });
    println!("  walk {walk:.0} ns an entry, longest step of {SLOTS} slots {longest:.0?}; seal {seal:.0} ns");
    println!("  read {read:.0} ns an entry; read and restore {restored:.0} ns, fill by writes {written:.0} ns");
    println!("  overwrite {plain:.0} ns; each writing a pre-image {preserving:.0} ns");
    for entries in [10_000, 20_000, 40_000] {
        let file = take(&mut filled(entries, 1), Vec::new()).file;
        let (other, same) = (restore(&file, 2).0, restore(&file, 1).0);
        println!(
            "  restore of {entries}: {:.0} ns an entry, with the same hash seed {:.0} ns",
            nanoseconds(other, entries),
            nanoseconds(same, entries)
        );
    }
}
