//! The bytes of a segment and of a snapshot file of one small shard, for the tests of the tools.

use locksley_engine::disk::SegmentMemory;
use locksley_engine::snapshot::{FILE_VERSION, FileHeader, Progress, SnapshotOptions, seal};
use locksley_engine::wal::{Log, LogOptions, Segment};
use locksley_engine::{Db, ExpiryChange, FlagsChange, Lsn, Millis, Op, Origin, Shard, ShardOptions, Value};

use super::Verdict;
use super::directory::Filter;

/// Whose data it is.
pub(super) const ORIGIN: Origin = Origin { generation: 5, shard: 0, shard_count: 1 };

const NOW: Millis = Millis(1_700_000_000_000);
const SEGMENT_BYTES: u64 = 64 * 1024;

struct Memory(Vec<u8>);

impl SegmentMemory for Memory {
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// A shard with a few entries, whose log has records 1 to 8, durable up to 7.
fn shard() -> Shard {
    let mut shard = Shard::new(ShardOptions::default()).expect("a small shard");
    let options = LogOptions { origin: ORIGIN, needs_snapshot: false, segment_bytes: SEGMENT_BYTES, first_lsn: Lsn(1) };
    let mut log = Log::new(options);
    log.install(Segment { sequence: 0, memory: Box::new(Memory(vec![0; SEGMENT_BYTES as usize])) });
    shard.open_log(log);
    let put = |shard: &mut Shard, key: &[u8], value: Value<'_>, expiry: ExpiryChange, flags: u32| {
        let key = shard.key(Db(0), key);
        let op = Op::Put { key, value, expiry, client_flags: FlagsChange::Set(flags) };
        shard.apply(op, NOW).expect("there is room");
    };
    put(&mut shard, b"user:1", Value::Bytes(b"a \"quoted\" value"), ExpiryChange::Clear, 0);
    put(&mut shard, b"user:2", Value::Integer(7), ExpiryChange::At(Millis(1_700_000_100_000)), 9);
    put(&mut shard, b"long", Value::Bytes(&[b'x'; 500]), ExpiryChange::Clear, 0);
    let key = shard.key(Db(0), b"long");
    shard.apply(Op::Splice { key, offset: 2, bytes: b"yy" }, NOW).expect("there is room");
    let key = shard.key(Db(0), b"user:1");
    shard.apply(Op::SetExpiry { key, expiry: Some(Millis(1_700_000_200_000)) }, NOW).expect("there is room");
    let key = shard.key(Db(0), b"user:2");
    shard.apply(Op::Delete { key }, NOW).expect("there is room");
    let key = shard.key(Db(0), b"long");
    let expiry = ExpiryChange::At(Millis(1_700_000_300_000));
    shard.apply(Op::Invalidate { key, expiry }, NOW).expect("there is room");
    shard.mark(Lsn(7));
    shard
}

/// The log of the shard.
pub(super) fn segment() -> Vec<u8> {
    let mut shard = shard();
    let log = shard.log_mut().expect("a log is kept");
    log.current_mut().expect("a segment is installed").memory.bytes_mut().to_vec()
}

/// A snapshot of the shard.
pub(super) fn snapshot() -> Vec<u8> {
    let mut shard = shard();
    let lsn = shard.begin_snapshot(SnapshotOptions { waiting_bytes_max: 1 << 20 });
    let header = FileHeader { version: FILE_VERSION, origin: ORIGIN, id: 3, lsn, fence: shard.fence() };
    let mut bytes = header.to_bytes().as_slice().to_vec();
    let footer = loop {
        match shard.step_snapshot(1_000) {
            Progress::Done(footer) => break footer,
            Progress::Walking => {}
            Progress::GivenUp => panic!("nothing was flushed"),
        }
    };
    while let Some(mut block) = shard.take_block() {
        seal(&mut block, &header);
        bytes.extend_from_slice(block.as_bytes());
    }
    bytes.extend_from_slice(footer.to_bytes(&header).as_slice());
    bytes
}

/// What `show` prints of `bytes`.
pub(super) fn shown(
    show: fn(&str, &[u8], &Filter, super::Out<'_>) -> std::io::Result<Verdict>,
    bytes: &[u8],
    filter: &Filter,
) -> (String, Verdict) {
    let mut out = Vec::new();
    let verdict = show("a/file", bytes, filter, &mut out).expect("a vector takes all that is written");
    (String::from_utf8(out).expect("it is text"), verdict)
}

/// A filter that lets everything pass.
pub(super) fn everything() -> Filter {
    Filter { count_max: u64::MAX, key: None, bytes_max: 20 }
}
