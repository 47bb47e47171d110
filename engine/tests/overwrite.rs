//! Memory under overwriting: what the kernel counts stays near the limit, whatever sizes come.
//!
//! This file is a process of its own, so that its resident memory is that of the shard.
//! `LOCKSLEY_SEED=n cargo test -p locksley-engine --test overwrite` replays a history.

use locksley_engine::{Db, ExpiryChange, FlagsChange, Millis, Op, Policy, Shard, ShardOptions, Value};

const LIMIT_BYTES: u64 = 256 << 20;

/// How often the limit is written in all.
const OVERWRITES: u64 = 10;

/// Numbers by Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        ((u128::from(mixed) * end as u128) >> 64) as usize
    }
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("/proc is mounted");
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("the second word is a number")
        * 4096
}

/// The size of the next value: small ones, large ones, then all kinds, then a few that take pages.
fn value_bytes(random: &mut Random, progress: f64) -> usize {
    match (progress * 4.0) as u32 {
        0 => 20 + random.below(500),
        1 => 1000 + random.below(7000),
        2 => 1 << random.below(15),
        _ if random.below(200) == 0 => 100_000 + random.below(2_000_000),
        _ => 50 + random.below(3000),
    }
}

/// Overwrites keys of a shard at its limit; returns the highest resident memory that was seen.
fn overwrite(policy: Policy, seed: u64) -> u64 {
    let start = resident_bytes();
    let options = ShardOptions { memory_bytes_max: LIMIT_BYTES, policy, ..ShardOptions::default() };
    let mut shard = Shard::new(options).expect("address space is plenty");
    let mut random = Random(seed);
    let value = vec![b'v'; 4 << 20];
    let (mut written, mut highest, mut turns) = (0, 0, 0_u64);
    while written < LIMIT_BYTES * OVERWRITES {
        let now = Millis(1_700_000_000_000 + turns / 100);
        let name = (random.below(600_000) as u64).to_le_bytes();
        let progress = written as f64 / (LIMIT_BYTES * OVERWRITES) as f64;
        let bytes = value_bytes(&mut random, progress);
        let op = Op::Put {
            key: shard.key(Db(0), &name),
            value: Value::Bytes(&value[..bytes]),
            expiry: ExpiryChange::Clear,
            client_flags: FlagsChange::Keep,
        };
        shard.apply(op, now).expect("the policy finds room");
        written += bytes as u64;
        turns += 1;
        if turns % 64 == 0 {
            shard.work(now, 64);
        }
        if turns % 4096 == 0 {
            highest = highest.max(resident_bytes().saturating_sub(start));
        }
    }
    shard.check();
    let memory = shard.memory();
    println!(
        "{}: highest resident {:.3} x the limit; now {:.3} x, cells {:.3} x, payload {:.3} x, {} evicted",
        policy.name(),
        highest as f64 / LIMIT_BYTES as f64,
        resident_bytes().saturating_sub(start) as f64 / LIMIT_BYTES as f64,
        memory.cells as f64 / LIMIT_BYTES as f64,
        memory.payload as f64 / LIMIT_BYTES as f64,
        shard.stats().evicted,
    );
    highest
}

#[test]
fn resident_memory_stays_near_the_limit() {
    let seed = std::env::var("LOCKSLEY_SEED").map_or(0x5EED, |seed| seed.parse().expect("LOCKSLEY_SEED is a number"));
    println!("LOCKSLEY_SEED={seed} cargo test -p locksley-engine --test overwrite");
    for policy in [Policy::AllkeysS3fifo, Policy::AllkeysLru, Policy::AllkeysRandom] {
        let highest = overwrite(policy, seed);
        assert!(highest <= LIMIT_BYTES + LIMIT_BYTES / 20 + (64 << 20), "{}: {highest} bytes", policy.name());
    }
}
