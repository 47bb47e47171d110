//! The log: what appending a record to populated memory costs, and reading it back.
//!
//! Beside each stand the two things that cannot be left out, over the same bytes: copying them, and their checksum.
//! The memory is zeroed between rounds, outside of the time, as a recycled segment is.

use std::hint::black_box;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use locksley_engine::disk::SegmentMemory;
use locksley_engine::wal::{
    Body, Log, LogOptions, SEGMENT_HEADER_BYTES, SEGMENT_VERSION, Segment, SegmentHeader, SegmentReader,
};
use locksley_engine::{Db, Grace, Lsn, Origin, Value};

/// Bytes of frames, heads included.
const FRAME_BYTES: [usize; 3] = [64, 200, 1_200];
/// Bytes of a frame's head.
const HEAD_BYTES: usize = 24;
/// Bytes of a key.
const KEY_BYTES: usize = 24;
const SEGMENT_BYTES: usize = 16 << 20;

/// A segment that comes back when its log is dropped.
struct Memory {
    bytes: Vec<u8>,
    home: SyncSender<Vec<u8>>,
}

impl SegmentMemory for Memory {
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // A sender that nobody waits for is the end of the benchmark.
        let _ = self.home.send(std::mem::take(&mut self.bytes));
    }
}

/// The one segment that is written again and again.
struct Rig {
    sender: SyncSender<Vec<u8>>,
    receiver: Receiver<Vec<u8>>,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Rig {
    fn new(frame_bytes: usize) -> Rig {
        let (sender, receiver) = sync_channel(1);
        sender.send(vec![0xff; SEGMENT_BYTES]).expect("the channel has room");
        Rig { sender, receiver, key: vec![b'k'; KEY_BYTES], value: vec![b'v'; frame_bytes - HEAD_BYTES - KEY_BYTES] }
    }

    fn body(&self) -> Body<'_> {
        Body::Put {
            db: Db(0),
            key: &self.key,
            value: Value::Bytes(&self.value),
            expiry: None,
            client_flags: 0,
            grace: Grace::NONE,
        }
    }

    /// A log with one segment of zeros.
    fn log(&self) -> Log {
        let mut bytes = self.receiver.recv().expect("the log before was dropped");
        bytes.fill(0);
        let origin = Origin { generation: 1, shard: 0, shard_count: 1 };
        let options =
            LogOptions { origin, needs_snapshot: false, segment_bytes: SEGMENT_BYTES as u64, first_lsn: Lsn(1) };
        let mut log = Log::new(options);
        log.install(Segment { sequence: 0, memory: Box::new(Memory { bytes, home: self.sender.clone() }) });
        log
    }

    /// The time of `count` appends.
    fn append(&self, count: u64) -> Duration {
        let body = self.body();
        let room = ((SEGMENT_BYTES - SEGMENT_HEADER_BYTES) / self.frame_bytes()) as u64;
        let mut elapsed = Duration::ZERO;
        let mut left = count;
        while left > 0 {
            let mut log = self.log();
            let round = left.min(room);
            let begin = Instant::now();
            for lsn in 1..=round {
                log.append(Lsn(lsn), false, black_box(&body));
            }
            elapsed += begin.elapsed();
            left -= round;
        }
        elapsed
    }

    /// The time of copying the same bytes `count` times, each with its checksum if `is_summed`.
    fn copy(&self, count: u64, is_summed: bool) -> Duration {
        let source = vec![b'v'; self.frame_bytes()];
        let mut target = self.receiver.recv().expect("the log before was dropped");
        let begin = Instant::now();
        for round in 0..count as usize {
            let start = round * source.len() % (SEGMENT_BYTES - source.len());
            let place = &mut target[start..start + source.len()];
            place.copy_from_slice(black_box(&source));
            if is_summed {
                black_box(crc32fast::hash(place));
            }
        }
        let elapsed = begin.elapsed();
        self.sender.send(target).expect("the channel has room");
        elapsed
    }

    fn frame_bytes(&self) -> usize {
        (HEAD_BYTES + self.key.len() + self.value.len()).next_multiple_of(8)
    }
}

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    for bytes in FRAME_BYTES {
        let rig = Rig::new(bytes);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::new("copy", bytes), |bencher| {
            bencher.iter_custom(|count| rig.copy(count, false));
        });
        group.bench_function(BenchmarkId::new("copy and checksum", bytes), |bencher| {
            bencher.iter_custom(|count| rig.copy(count, true));
        });
        group.bench_function(BenchmarkId::new("log", bytes), |bencher| {
            bencher.iter_custom(|count| rig.append(count));
        });
    }
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    for bytes in FRAME_BYTES {
        let rig = Rig::new(bytes);
        let mut log = rig.log();
        let count = (log.room_bytes() / rig.frame_bytes() as u64).min(10_000);
        for lsn in 1..=count {
            log.append(Lsn(lsn), false, &rig.body());
        }
        let segment = log.current_mut().expect("it was written to").memory.bytes_mut().to_vec();
        let header = SegmentHeader::read(&segment).expect("it has a head");
        let offset = SEGMENT_HEADER_BYTES as u64;
        let used = &segment[..SEGMENT_HEADER_BYTES + count as usize * rig.frame_bytes()];
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::new("records", bytes), |bencher| {
            bencher.iter(|| {
                let mut reader = SegmentReader::resume(used, &header, offset, Lsn(1));
                while let Some(record) = reader.next() {
                    black_box(record);
                }
                assert_eq!(reader.expected(), Lsn(count + 1));
            });
        });
    }
}

/// What a start does behind a torn tail.
fn search(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("search a segment");
    let header = SegmentHeader {
        version: SEGMENT_VERSION,
        origin: Origin { generation: 1, shard: 0, shard_count: 1 },
        needs_snapshot: false,
        sequence: 0,
        first_lsn: Lsn(1),
        segment_bytes: SEGMENT_BYTES as u64,
    };
    let mut word = 1_u64;
    let mut noise = Vec::with_capacity(SEGMENT_BYTES);
    while noise.len() < SEGMENT_BYTES {
        // Marsaglia, "Xorshift RNGs" (2003).
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        noise.extend(word.to_le_bytes());
    }
    let mut heads = vec![0; SEGMENT_BYTES];
    for head in heads.chunks_exact_mut(HEAD_BYTES) {
        head[4..8].copy_from_slice(&(1_u32 << 20).to_le_bytes());
        (head[8], head[16]) = (9, 1);
    }
    group.throughput(Throughput::Bytes(SEGMENT_BYTES as u64));
    group.sample_size(10);
    for (name, segment) in [("zeros", vec![0; SEGMENT_BYTES]), ("noise", noise), ("heads", heads)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| SegmentReader::new(&segment, &header, Lsn(1), Vec::new()).beyond());
        });
    }
}

criterion_group!(benches, append, read, search);
criterion_main!(benches);
