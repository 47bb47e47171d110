//! Whether the memory limit holds, and what a write at the limit costs.
//!
//! For each policy: a store with a limit is overwritten many times its size with values of mixed sizes, whose
//! mix drifts from small to large and back, so that size classes grow at each other's expense. Printed are
//! the process's memory against the limit at its worst, and the time of a write.

use std::time::Instant;

use locksley_engine::{Db, ExpiryChange, FlagsChange, Millis, Op, Policy, Shard, ShardOptions, Value};

const START: u64 = 1_700_000_000_000;

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux has /proc");
    let pages: u64 = text.split(' ').nth(1).and_then(|field| field.parse().ok()).expect("a number of pages");
    pages * 4096
}

fn main() {
    let limit = std::env::var("LOCKSLEY_LIMIT_MIB").map_or(256, |text| text.parse().expect("a number")) << 20;
    let value = vec![b'v'; 1 << 17];
    for name in Policy::names() {
        let policy = Policy::from_name(name).expect("its own name");
        let options = ShardOptions { memory_bytes_max: limit, policy, seed: 1, ..ShardOptions::default() };
        let mut shard = Shard::new(options).expect("address space");
        let before = resident_bytes();
        let (mut random, mut written, mut count, mut refused) = (88_172_645_463_325_252_u64, 0, 0, 0_u64);
        let (mut worst, mut longest, mut busy) = (0, 0, 0);
        while written < 10 * limit && refused < 100_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            // The largest size drifts between 64 B and 64 KiB.
            let phase = written * 12 / limit % 20;
            let shift = 6 + if phase < 10 { phase } else { 20 - phase };
            let bytes = (random >> 20) % (1 << shift) + 1;
            let bytes_key = format!("key:{}", random % 4_000_000);
            let now = Millis(START + count / 100);
            let key = shard.key(Db(0), bytes_key.as_bytes());
            let expiry =
                if random.is_multiple_of(4) { ExpiryChange::Clear } else { ExpiryChange::At(Millis(now.0 + 600_000)) };
            let value = Value::Bytes(&value[..bytes as usize]);
            let start = Instant::now();
            let result = shard.apply(Op::Put { key, value, expiry, client_flags: FlagsChange::Set(0) }, now);
            let nanoseconds = start.elapsed().as_nanos();
            busy += nanoseconds;
            longest = longest.max(nanoseconds);
            refused += u64::from(result.is_err());
            written += bytes;
            count += 1;
            if count % 64 == 0 {
                shard.work(now, 256);
            }
            if count % 4096 == 0 {
                worst = worst.max(resident_bytes() - before);
            }
        }
        let memory = shard.memory();
        println!(
            "{name:16} worst {:.3} x the limit, {:4.0} MiB more; now used {:.3}, cells {:.3}, {count} writes, {} ns, longest {} us, {refused} refused, {} evicted",
            worst as f64 / limit as f64,
            worst.saturating_sub(limit) as f64 / f64::from(1 << 20),
            memory.used as f64 / limit as f64,
            memory.cells as f64 / limit as f64,
            busy / u128::from(count),
            longest / 1000,
            shard.stats().evicted,
        );
    }
}
