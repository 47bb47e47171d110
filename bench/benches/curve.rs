//! The miss-ratio curve: what a shard says that other sizes would give, against shards of those sizes.
//!
//! A cache in front of something slow: every request reads, and a miss writes. The second half of a trace is played
//! against a shard, whose curve is compared with what shards of the other sizes do with the same trace.
//!
//! `cargo bench -p locksley-bench --bench curve -- [load] [policy]` plays only what contains these words;
//! `LOCKSLEY_MIB` (64) is the memory of the shard that predicts.

use locksley_engine::{
    CurvePoint, Db, ExpiryChange, FlagsChange, Millis, Op, Policy, Shard, ShardOptions, Touch, Value,
};

/// Requests of a trace.
const REQUEST_COUNT: usize = 4_000_000;

/// Requests in a millisecond of the traces' time.
const REQUESTS_A_MS: usize = 100;

/// Keys that are asked for again and again.
const KEY_COUNT: u32 = 1_000_000;

/// Numbers by Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// What is played.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a trait of the load")]
struct Load {
    name: &'static str,
    /// The exponent of Zipf's law.
    exponent: f64,
    /// Every tenth stretch of 20,000 requests asks for what nobody else asks for.
    scans: bool,
    /// Values are of 20 to 520 bytes, and one in 64 of 4,000; otherwise all are of 200.
    has_sizes: bool,
    /// Nine keys in ten expire, after 3 to 11 seconds.
    expires: bool,
    /// One request in eleven writes, and misses write nothing.
    is_store: bool,
}

const PLAIN: Load =
    Load { name: "zipf", exponent: 0.99, scans: false, has_sizes: false, expires: false, is_store: false };

const LOADS: [Load; 6] = [
    PLAIN,
    Load { name: "flat", exponent: 0.7, ..PLAIN },
    Load { name: "scans", scans: true, ..PLAIN },
    Load { name: "sizes", has_sizes: true, ..PLAIN },
    Load { name: "expiring", has_sizes: true, expires: true, ..PLAIN },
    Load { name: "store", is_store: true, ..PLAIN },
];

impl Load {
    /// The keys that are asked for.
    fn keys(&self) -> Vec<u32> {
        let mut sum = 0.0;
        let weight = |rank: u32| f64::from(rank).powf(-self.exponent);
        let sums: Vec<f64> = (1..=KEY_COUNT)
            .map(|rank| {
                sum += weight(rank);
                sum
            })
            .collect();
        let mut random = Random(11);
        let keys = (0..REQUEST_COUNT).map(|index| {
            if self.scans && index / 20_000 % 10 == 9 {
                return KEY_COUNT + index as u32;
            }
            let drawn = random.fraction() * sum;
            sums.partition_point(|sum| *sum < drawn) as u32
        });
        keys.collect()
    }

    fn value_bytes(&self, mixed: u64) -> usize {
        match mixed % 64 {
            _ if !self.has_sizes => 200,
            0 => 4000,
            _ => 20 + (mixed >> 40) as usize % 500,
        }
    }

    fn expiry(&self, mixed: u64, now: Millis) -> ExpiryChange {
        match mixed % 10 {
            lasts @ 1.. if self.expires => ExpiryChange::At(Millis(now.0 + 2000 + lasts * 1000)),
            _ => ExpiryChange::Clear,
        }
    }
}

/// What came of a trace: the hit rate of its second half, what the curve says of it, and the share of the keys that the
/// curve looked at.
struct Outcome {
    hit_rate: f64,
    points: Vec<CurvePoint>,
    sample_rate: f64,
}

fn play(load: &Load, keys: &[u32], policy: Policy, memory_bytes_max: u64) -> Outcome {
    let options = ShardOptions { memory_bytes_max, policy, ..ShardOptions::default() };
    let mut shard = Shard::new(options).expect("address space is to be had");
    let value = [7; 4000];
    let time = |index: usize| Millis(1_700_000_000_000 + (index / REQUESTS_A_MS) as u64);
    for (index, number) in keys.iter().enumerate() {
        let (now, mixed) = (time(index), mix(u64::from(*number)));
        let name = mixed.to_le_bytes();
        if index % (100 * REQUESTS_A_MS) == 0 {
            shard.tick(now);
        }
        if index == keys.len() / 2 {
            shard.reset_stats();
        }
        let is_write = load.is_store && mix(index as u64).is_multiple_of(11);
        let is_hit = !is_write && shard.get(shard.key(Db(0), &name), now, Touch::Count).is_some();
        if is_write || !is_hit && !load.is_store {
            let (key, value) = (shard.key(Db(0), &name), Value::Bytes(&value[..load.value_bytes(mixed)]));
            let op = Op::Put { key, value, expiry: load.expiry(mixed, now), client_flags: FlagsChange::Keep };
            // Some policies refuse it when nothing may go.
            let _ = shard.apply(op, now);
        }
        if index % 64 == 0 {
            shard.work(now, 64);
        }
    }
    let end = time(keys.len());
    shard.tick(end);
    let (stats, curve) = (shard.stats(), shard.miss_curve(end));
    Outcome {
        hit_rate: stats.hits as f64 / (stats.hits + stats.misses) as f64,
        points: curve.points().collect(),
        sample_rate: curve.sample_rate(),
    }
}

/// Whether `name`, one of `all`, is asked for by the words that belong to any of them.
fn is_asked(name: &str, all: &[&str], words: &[String]) -> bool {
    let mut asked = words.iter().filter(|word| all.iter().any(|name| name.contains(word.as_str()))).peekable();
    asked.peek().is_none() || asked.any(|word| name.contains(word.as_str()))
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let memory = std::env::var("LOCKSLEY_MIB").map_or(64, |text| text.parse().expect("a number")) << 20;
    let policies: Vec<&str> = Policy::names().collect();
    let names = LOADS.map(|load| load.name);
    for load in LOADS.iter().filter(|load| is_asked(load.name, &names, &words)) {
        let keys = load.keys();
        for name in policies.iter().filter(|name| is_asked(name, &policies, &words)) {
            let policy = Policy::from_name(name).expect("every policy has a name");
            let said = play(load, &keys, policy, memory);
            let mut worst = 0.0_f64;
            println!("{} {name}, 1 key in {:.0}", load.name, 1.0 / said.sample_rate);
            for point in said.points {
                let hit_rate = play(load, &keys, policy, point.bytes).hit_rate * 100.0;
                let off = point.hit_rate * 100.0 - hit_rate;
                worst = worst.max(off.abs());
                println!(
                    "  {:5.3} x  curve {:6.2} %  shard {hit_rate:6.2} %  {off:+.2}",
                    point.size,
                    point.hit_rate * 100.0
                );
            }
            println!("  worst {worst:.2} points");
        }
    }
}
