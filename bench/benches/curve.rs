//! The miss-ratio curve: what a shard says that other sizes would give, against shards of those sizes.
use locksley_engine::{
    Db, ExpiryChange, FlagsChange, Millis, Op, Policy, SIZE_EIGHTHS, Shard, ShardOptions, Touch, Value,
};

struct Random(u64);
impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[derive(Clone)]
struct Load {
    name: &'static str,
    keys: usize,
    exponent: f64,
    scan_every: usize,
    has_sizes: bool,
    expires: bool,
    is_store: bool,
}

struct Trace {
    keys: Vec<u32>,
}

fn trace(load: &Load, count: usize) -> Trace {
    let mut sums = Vec::with_capacity(load.keys);
    let mut sum = 0.0;
    for rank in 1..=load.keys {
        sum += (rank as f64).powf(-load.exponent);
        sums.push(sum);
    }
    let mut random = Random(11);
    let mut scanned = load.keys as u32;
    let keys = (0..count)
        .map(|index| {
            if load.scan_every > 0 && index / 20_000 % load.scan_every == 1 {
                scanned += 1;
                return scanned;
            }
            let at = random.fraction() * sum;
            sums.partition_point(|sum| *sum < at) as u32
        })
        .collect();
    Trace { keys }
}

fn play(load: &Load, trace: &Trace, policy: Policy, limit: u64) -> (f64, Vec<f64>, String) {
    let options = ShardOptions {
        memory_bytes_max: limit,
        policy,
        seed: std::env::var("SEED").map_or(1, |s| s.parse().unwrap()),
        ..ShardOptions::default()
    };
    let mut shard = Shard::new(options).unwrap();
    let value = vec![7; 100_000];
    let half = trace.keys.len() / 2;
    for (index, key) in trace.keys.iter().enumerate() {
        let now = Millis(1_700_000_000_000 + (index / 100) as u64);
        let name = mix(u64::from(*key)).to_le_bytes();
        let dice = mix(u64::from(*key) << 32);
        if index % 4096 == 0 {
            shard.tick(now);
        }
        if index == half {
            shard.reset_stats();
        }
        let is_write = load.is_store && mix(index as u64) % 11 == 0;
        let is_hit = is_write || shard.get(shard.key(Db(0), &name), now, Touch::Count).is_some();
        if is_write || !load.is_store && !is_hit {
            let bytes =
                if load.has_sizes { if dice % 64 == 0 { 4000 } else { 20 + (dice >> 40) as usize % 500 } } else { 200 };
            let lasts = dice % 10;
            let expiry = if load.expires && lasts > 0 {
                ExpiryChange::At(Millis(now.0 + 2000 + lasts * 1000))
            } else {
                ExpiryChange::Clear
            };
            let key = shard.key(Db(0), &name);
            let op = Op::Put { key, value: Value::Bytes(&value[..bytes]), expiry, client_flags: FlagsChange::Keep };
            let _ = shard.apply(op, now);
        }
        if index % 64 == 0 {
            shard.work(now, 64);
        }
    }
    let now = Millis(1_700_000_000_000 + (trace.keys.len() / 100) as u64);
    shard.tick(now);
    let stats = shard.stats();
    let curve = shard.miss_curve(now);
    let memory = shard.memory();
    let note = format!(
        "rate 1/{:.0}, sketch {} KiB of {} KiB, {} entries, evicted {}",
        1.0 / curve.sample_rate(),
        memory.bookkeeping >> 10,
        limit >> 10,
        shard.len(Db(0)),
        stats.evicted
    );
    (stats.hits as f64 / (stats.hits + stats.misses) as f64, curve.points().map(|point| point.hit_rate).collect(), note)
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let count: usize = std::env::var("COUNT").map_or(4_000_000, |text| text.parse().unwrap());
    let base: u64 = std::env::var("MIB").map_or(16, |text| text.parse::<u64>().unwrap()) << 20;
    let plain = Load {
        name: "zipf",
        keys: 400_000,
        exponent: 0.99,
        scan_every: 0,
        has_sizes: false,
        expires: false,
        is_store: false,
    };
    let loads = [
        plain.clone(),
        Load { name: "flat", exponent: 0.7, ..plain.clone() },
        Load { name: "scan", scan_every: 10, ..plain.clone() },
        Load { name: "sizes", has_sizes: true, ..plain.clone() },
        Load { name: "expiring", has_sizes: true, expires: true, ..plain.clone() },
        Load { name: "store", is_store: true, ..plain.clone() },
    ];
    let asked = |name: &str, all: &[&str]| {
        let mut words = words.iter().filter(|word| all.iter().any(|known| known.contains(word.as_str()))).peekable();
        words.peek().is_none() || words.any(|word| name.contains(word.as_str()))
    };
    let names: Vec<&str> = loads.iter().map(|load| load.name).collect();
    let policies: Vec<&str> = Policy::names().collect();
    for load in loads.iter().filter(|load| asked(load.name, &names)) {
        let trace = trace(load, count);
        for name in policies.iter().filter(|name| asked(name, &policies)) {
            let (hit_rate, curve, note) = play(load, &trace, Policy::from_name(name).unwrap(), base);
            println!("{} {name}: {:.2} % ({note})", load.name, hit_rate * 100.0);
            let mut worst = 0.0_f64;
            for (index, eighths) in SIZE_EIGHTHS.iter().enumerate() {
                let (real, _, note) =
                    play(load, &trace, Policy::from_name(name).unwrap(), base / 8 * u64::from(*eighths));
                let error = (curve[index] - real) * 100.0;
                worst = worst.max(error.abs());
                println!(
                    "    {:5.3} x  real {:6.2}  curve {:6.2}  off {error:+.2}   {}",
                    f64::from(*eighths) / 8.0,
                    real * 100.0,
                    curve[index] * 100.0,
                    if std::env::var_os("V").is_some() { note } else { String::new() }
                );
            }
            println!("    worst {worst:.2}");
        }
    }
}
