//! MEMORY CURVE: what hit rate other sizes of the memory would give.
//!
//! Each shard tells its misses at nine sizes ([`MissCurve`]); they add up, since each has an equal part of the memory.

use locksley_engine::{MissCurve, SIZE_COUNT};
use locksley_wire::resp::Reply;

use super::pack::{Reader, write_numbers};
use super::report;
use crate::command::row::{JoinInput, Outcome};

/// The hit rate for which MEMORY CURVE says how much memory it takes.
pub(super) const GOOD_HIT_RATE: f64 = 0.95;

/// Appends a curve to a part of a command.
pub(super) fn write(curve: &MissCurve, out: &mut Vec<u8>) {
    let MissCurve { memory_bytes, window_ms, read_count, miss_counts, sample_share } = curve;
    write_numbers(&[*memory_bytes, *window_ms, *read_count, u64::from(*sample_share)], out);
    write_numbers(miss_counts, out);
}

/// Reads what [`write`] wrote.
pub(super) fn read(reader: &mut Reader<'_>) -> MissCurve {
    let (memory_bytes, window_ms, read_count) = (reader.number(), reader.number(), reader.number());
    let sample_share = reader.number() as u32;
    let miss_counts = [(); SIZE_COUNT].map(|()| reader.number());
    MissCurve { memory_bytes, window_ms, read_count, miss_counts, sample_share }
}

/// The reply of MEMORY CURVE.
pub(super) fn join(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let curve = report::total(&report::read_all(input.parts)?).curve;
    reply.map(6);
    reply.bulk(b"sample-rate");
    reply.double(curve.sample_rate());
    reply.bulk(b"window-seconds");
    reply.integer((curve.window_ms / 1000) as i64);
    reply.bulk(b"references");
    reply.integer(curve.read_count as i64);
    reply.bulk(b"memory");
    reply.integer(curve.memory_bytes as i64);
    reply.bulk(b"curve");
    reply.array(curve.points().count());
    for point in curve.points() {
        reply.array(3);
        reply.double(point.size);
        reply.integer(point.bytes as i64);
        reply.double(point.hit_rate);
    }
    reply.bulk(b"memory-for-95");
    match curve.memory_for(GOOD_HIT_RATE) {
        Some(bytes) => reply.integer(bytes as i64),
        None => reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::check;

    #[test]
    fn a_curve_is_read_as_it_was_written() {
        let miss_counts = [9, 8, 7, 6, 5, 4, 3, 2, 1];
        let curve = MissCurve { memory_bytes: 1, window_ms: 2, read_count: 30, miss_counts, sample_share: u32::MAX };
        let mut out = Vec::new();
        write(&curve, &mut out);
        let mut reader = Reader::new(&out);
        assert_eq!(read(&mut reader), curve);
        assert!(reader.is_at_end());
    }

    #[test]
    fn without_reads_there_is_no_point() {
        check(&[("MEMORY CURVE x", "-ERR wrong number of arguments for 'memory|curve' command")]);
    }
}
