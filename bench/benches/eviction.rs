//! The eviction policies: how often each finds what is asked for, and what an operation costs.
//!
//! A cache in front of something slow: every request reads, and a miss writes. Each policy plays the same
//! traces at a memory limit that holds a given share of all keys; hits are counted over the second half.
//! Beside them stands the exact LRU order over as many entries as the LRU policy held.
//!
//! `cargo bench -p locksley-bench --bench eviction -- [trace] [policy]` plays only what contains these words.

use std::time::Instant;

use locksley_engine::{Db, ExpiryChange, FlagsChange, Millis, Op, Policy, Shard, ShardOptions, Touch, Value};

/// Keys that a trace asks for again and again.
const KEY_COUNT: u32 = 400_000;

/// Requests of a trace.
const REQUEST_COUNT: usize = 4_000_000;

/// Requests in a millisecond of the traces' time.
const REQUESTS_A_MS: usize = 100;

/// Bytes of a value.
const VALUE_BYTES: usize = 200;

/// The names of the traces.
const TRACES: [&str; 4] = ["zipf", "scans", "shifting", "expiring"];

/// Shares of the keys that the caches hold, in percent.
const SHARES: [u64; 3] = [1, 10, 25];

/// Numbers by Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    fn below(&mut self, end: u32) -> u32 {
        (((self.next() >> 32) * u64::from(end)) >> 32) as u32
    }
}

fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Draws ranks with a probability of 1 / rank^0.99, by Walker's alias method.
struct Zipf {
    /// Chance out of 2^32 to stay with a column, and the column to go to otherwise.
    columns: Vec<(u32, u32)>,
}

impl Zipf {
    fn new(count: u32) -> Zipf {
        let weights: Vec<f64> = (1..=count).map(|rank| f64::from(rank).powf(-0.99)).collect();
        let mean = weights.iter().sum::<f64>() / f64::from(count);
        let mut rest: Vec<f64> = weights.iter().map(|weight| weight / mean).collect();
        let mut columns = vec![(u32::MAX, 0); count as usize];
        let (mut small, mut large): (Vec<u32>, Vec<u32>) = (0..count).partition(|rank| rest[*rank as usize] < 1.0);
        while let (Some(poor), Some(rich)) = (small.pop(), large.last().copied()) {
            columns[poor as usize] = ((rest[poor as usize] * f64::from(u32::MAX)) as u32, rich);
            rest[rich as usize] -= 1.0 - rest[poor as usize];
            if rest[rich as usize] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        Zipf { columns }
    }

    fn draw(&self, random: &mut Random) -> u32 {
        let column = random.below(self.columns.len() as u32);
        let (chance, other) = self.columns[column as usize];
        if random.next() as u32 <= chance { column } else { other }
    }
}

/// A trace: its name, its keys, and whether most of them expire.
struct Trace {
    name: &'static str,
    keys: Vec<u32>,
    expires: bool,
}

fn traces() -> Vec<Trace> {
    let zipf = Zipf::new(KEY_COUNT);
    let mut random = Random(1);
    let plain: Vec<u32> = (0..REQUEST_COUNT).map(|_| zipf.draw(&mut random)).collect();
    // Every tenth request belongs to one of the scans, over keys that nobody else asks for.
    let mut scanned = KEY_COUNT;
    let scans = plain.iter().enumerate().map(|(index, key)| {
        let is_scan = index / 20_000 % 10 == 9;
        scanned += u32::from(is_scan);
        if is_scan { scanned } else { *key }
    });
    let scans: Vec<u32> = scans.collect();
    // Every twentieth of the trace, the most popular tenth of the keys changes places with the next.
    let shift = |(index, key): (usize, &u32)| {
        let moved = (index / (REQUEST_COUNT / 20)) as u32 * (KEY_COUNT / 10);
        (key + moved) % KEY_COUNT
    };
    let shifting = plain.iter().enumerate().map(shift).collect();
    vec![
        Trace { name: TRACES[0], keys: plain.clone(), expires: false },
        Trace { name: TRACES[1], keys: scans, expires: false },
        Trace { name: TRACES[2], keys: shifting, expires: false },
        Trace { name: TRACES[3], keys: plain, expires: true },
    ]
}

/// What came of playing a trace.
struct Outcome {
    hit_share: f64,
    nanos_a_request: f64,
    entry_count: u64,
    evicted: u64,
    bookkeeping_bytes: u64,
}

fn key_bytes(key: u32) -> [u8; 24] {
    let mut bytes = [b'k'; 24];
    bytes[8..16].copy_from_slice(&mix(u64::from(key)).to_le_bytes());
    bytes
}

fn put<'a>(shard: &Shard, bytes: &'a [u8], value: &'a [u8], expiry: ExpiryChange) -> Op<'a> {
    let key = shard.key(Db(0), bytes);
    Op::Put { key, value: Value::Bytes(value), expiry, client_flags: FlagsChange::Keep }
}

/// The memory that `count` entries take without a limit.
fn bytes_for(count: u64) -> u64 {
    let mut shard = Shard::new(ShardOptions::default()).expect("address space is to be had");
    for key in 0..count as u32 {
        let bytes = key_bytes(key);
        let op = put(&shard, &bytes, &[7; VALUE_BYTES], ExpiryChange::Clear);
        shard.apply(op, Millis(1)).expect("there is no limit");
    }
    shard.memory().used
}

fn play(trace: &Trace, policy: Policy, memory_bytes_max: u64) -> Outcome {
    let options = ShardOptions { memory_bytes_max, policy, ..ShardOptions::default() };
    let mut shard = Shard::new(options).expect("address space is to be had");
    let value = [7; VALUE_BYTES];
    let (mut hits, mut counted) = (0_u64, 0_u64);
    let start = Instant::now();
    for (index, key) in trace.keys.iter().enumerate() {
        let now = Millis(1_700_000_000_000 + (index / REQUESTS_A_MS) as u64);
        let bytes = key_bytes(*key);
        let is_hit = shard.get(shard.key(Db(0), &bytes), now, Touch::Count).is_some();
        if !is_hit {
            // One key in ten is there for good, the others for 5 to 25 s, by what they are.
            let lasts = mix(u64::from(*key) << 32) % 10;
            let expiry = if trace.expires && lasts > 0 {
                ExpiryChange::At(Millis(now.0 + 5000 + lasts * 2000))
            } else {
                ExpiryChange::Clear
            };
            let op = put(&shard, &bytes, &value, expiry);
            // Without a policy a full cache stays as it is.
            let _ = shard.apply(op, now);
        }
        if index % 64 == 0 {
            shard.work(now, 64);
        }
        if index >= REQUEST_COUNT / 2 {
            hits += u64::from(is_hit);
            counted += 1;
        }
    }
    let nanos = start.elapsed().as_nanos() as f64;
    shard.check();
    Outcome {
        hit_share: hits as f64 / counted as f64,
        nanos_a_request: nanos / trace.keys.len() as f64,
        entry_count: shard.len(Db(0)),
        evicted: shard.stats().evicted,
        bookkeeping_bytes: shard.memory().bookkeeping,
    }
}

/// The hits of the exact LRU order over `capacity` entries.
fn play_exact(trace: &Trace, capacity: u64) -> f64 {
    const NONE: u32 = u32::MAX;
    let key_count = trace.keys.iter().max().map_or(0, |key| *key as usize + 1);
    // Neighbours towards the newest and towards the oldest; place `key_count` is the list's head.
    let head = key_count;
    let (mut newer, mut older) = (vec![NONE; key_count + 1], vec![NONE; key_count + 1]);
    (newer[head], older[head]) = (head as u32, head as u32);
    let (mut len, mut hits) = (0, 0_u64);
    for (index, key) in trace.keys.iter().enumerate() {
        let place = *key as usize;
        let unlink = |place: usize, newer: &mut [u32], older: &mut [u32]| {
            let (after, before) = (newer[place], older[place]);
            older[after as usize] = before;
            newer[before as usize] = after;
            newer[place] = NONE;
        };
        if newer[place] == NONE {
            if len == capacity {
                let oldest = newer[head] as usize;
                unlink(oldest, &mut newer, &mut older);
            } else {
                len += 1;
            }
        } else {
            hits += u64::from(index >= REQUEST_COUNT / 2);
            unlink(place, &mut newer, &mut older);
        }
        let newest = older[head];
        (newer[place], older[place]) = (head as u32, newest);
        newer[newest as usize] = *key;
        older[head] = *key;
    }
    hits as f64 / (REQUEST_COUNT / 2) as f64
}

/// Whether `name`, one of `all`, is asked for by the words that belong to any of them.
fn is_asked(name: &str, all: &[&str], words: &[String]) -> bool {
    let mut asked = words.iter().filter(|word| all.iter().any(|name| name.contains(word.as_str()))).peekable();
    asked.peek().is_none() || asked.any(|word| name.contains(word.as_str()))
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let policies: Vec<&str> = Policy::names().collect();
    println!("{KEY_COUNT} keys, {REQUEST_COUNT} requests, {VALUE_BYTES} B values; hits of the second half");
    for trace in traces().iter().filter(|trace| is_asked(trace.name, &TRACES, &words)) {
        for share in SHARES {
            let limit = bytes_for(u64::from(KEY_COUNT) * share / 100);
            println!("{}, cache of {share} % of the keys, {:.1} MiB", trace.name, limit as f64 / f64::from(1 << 20));
            for name in policies.iter().filter(|name| is_asked(name, &policies, &words)) {
                let policy = Policy::from_name(name).expect("every policy has a name");
                if policy.name().starts_with("volatile") && !trace.expires {
                    continue;
                }
                let outcome = play(trace, policy, limit);
                println!(
                    "  {:16} {:6.2} %  {:5.0} ns a request  {:7} entries  {:8} evicted  {:.2} B of records an entry",
                    policy.name(),
                    outcome.hit_share * 100.0,
                    outcome.nanos_a_request,
                    outcome.entry_count,
                    outcome.evicted,
                    outcome.bookkeeping_bytes as f64 / outcome.entry_count as f64,
                );
                if policy == Policy::AllkeysLru && !trace.expires {
                    let exact = play_exact(trace, outcome.entry_count);
                    println!("  exact LRU        {:6.2} %  (ratio {:.4})", exact * 100.0, outcome.hit_share / exact);
                }
            }
        }
    }
}
