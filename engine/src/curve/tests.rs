//! The curve of a real shard against real shards of the other sizes; and whatever happens, its caches are in order.

use super::*;
use crate::{ExpiryChange, FlagsChange, Op, Shard, ShardOptions, Touch, Value};

const START: u64 = 1_700_000_000_000;

/// Requests in a millisecond.
const PACE: u64 = 20;

/// What is played.
#[derive(Clone, Copy)]
struct Load {
    key_count: u64,
    /// One key in so many expires.
    expiring: u64,
    /// Of 16,000 requests, so many ask for keys that nobody else asks for.
    scanned: u64,
    /// Writes come of themselves, and not behind misses.
    is_store: bool,
}

const PLAIN: Load = Load { key_count: 40_000, expiring: 0, scanned: 0, is_store: false };

/// A number of a key below `count`, small ones more often: by a power of what chance gives.
fn draw(random: &mut Random, count: u64) -> u64 {
    let chance = (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
    ((count as f64).powf(chance) - 1.0) as u64
}

fn options(policy: Policy, memory_bytes_max: u64) -> ShardOptions {
    ShardOptions { policy, memory_bytes_max, seed: 3, ..ShardOptions::default() }
}

/// Plays a load; returns the hits among the reads of its second half, and the curve of that half.
fn play(load: Load, policy: Policy, memory_bytes_max: u64) -> (f64, MissCurve) {
    const REQUEST_COUNT: u64 = 300_000;
    let mut shard = Shard::new(options(policy, memory_bytes_max)).unwrap();
    let mut random = Random::new(5);
    for index in 0..REQUEST_COUNT {
        let now = Millis(START + index / PACE);
        if index % 2000 == 0 {
            shard.tick(now);
        }
        if index == REQUEST_COUNT / 2 {
            shard.reset_stats();
        }
        let is_scan = index % 16_000 < load.scanned;
        let drawn = draw(&mut random, load.key_count);
        let number = if is_scan { load.key_count + index } else { drawn };
        let is_write = load.is_store && random.next().is_multiple_of(10);
        let name = number.to_le_bytes();
        let is_hit = !is_write && shard.get(shard.key(Db(0), &name), now, Touch::Count).is_some();
        if is_write || !is_hit && !load.is_store {
            let expires = load.expiring > 0 && number % load.expiring == 0;
            let at = Millis(now.0 + 1000 + number % 7 * 500);
            let expiry = if expires { ExpiryChange::At(at) } else { ExpiryChange::Clear };
            let (key, value) = (shard.key(Db(0), &name), Value::Bytes(&[7; 600][..(number % 600) as usize]));
            // Some policies refuse it when nothing may go.
            let _ = shard.apply(Op::Put { key, value, expiry, client_flags: FlagsChange::Keep }, now);
        }
        if index % 64 == 0 {
            shard.work(now, 64);
        }
    }
    let now = Millis(START + REQUEST_COUNT / PACE);
    shard.tick(now);
    shard.usage_curve().check();
    let stats = shard.stats();
    (stats.hits as f64 / (stats.hits + stats.misses) as f64, shard.miss_curve(now))
}

/// Compares the curve of a shard with shards of some of the sizes that it tells of, from `size_min` on. The smallest one
/// has a handful of keys of the sample here.
fn compare(load: Load, policy: Policy, size_min: f64) {
    const MEMORY: u64 = 4 << 20;
    const POINTS_MAX: f64 = 3.0;
    let (_, curve) = play(load, policy, MEMORY);
    for point in curve.points().skip(1).step_by(2).filter(|point| point.size >= size_min) {
        let (hit_rate, _) = play(load, policy, point.bytes);
        let error = (point.hit_rate - hit_rate).abs() * 100.0;
        let (size, found) = (point.size, point.hit_rate);
        let name = policy.name();
        assert!(error <= POINTS_MAX, "{name}: at {size} the curve says {found:.4}, and it is {hit_rate:.4}");
    }
}

#[test]
fn the_curve_of_each_policy_is_what_shards_of_those_sizes_do() {
    for name in ["allkeys-s3fifo", "allkeys-lru", "allkeys-lfu", "allkeys-random", "allkeys-fifo"] {
        compare(PLAIN, Policy::from_name(name).unwrap(), 0.25);
    }
}

#[test]
fn the_curve_holds_for_scans() {
    compare(Load { scanned: 4000, ..PLAIN }, Policy::AllkeysS3fifo, 0.25);
}

#[test]
fn the_curve_holds_where_entries_expire() {
    compare(Load { expiring: 2, ..PLAIN }, Policy::AllkeysS3fifo, 0.25);
    // What has just come is what goes next: of a small sample it stays too long.
    compare(Load { expiring: 1, ..PLAIN }, Policy::VolatileTtl, 1.0);
}

#[test]
fn the_curve_holds_for_a_store_that_nobody_fills() {
    compare(Load { is_store: true, ..PLAIN }, Policy::AllkeysLru, 0.25);
}

#[test]
fn the_curve_of_noeviction_is_of_shards_that_refuse() {
    compare(PLAIN, Policy::Noeviction, 0.25);
}

#[test]
fn without_a_limit_more_memory_brings_nothing() {
    let (hit_rate, curve) = play(PLAIN, Policy::AllkeysS3fifo, 0);
    let points: Vec<CurvePoint> = curve.points().collect();
    assert!((points[SIZE_NOW].hit_rate - hit_rate).abs() < 1e-6);
    assert!((points[SIZE_COUNT - 1].hit_rate - hit_rate).abs() < 1e-6);
    assert!(points[0].hit_rate < hit_rate - 0.05);
}

#[test]
fn a_shard_that_was_never_told_the_time_has_no_curve() {
    let mut shard = Shard::new(options(Policy::AllkeysS3fifo, 1 << 20)).unwrap();
    shard.get(shard.key(Db(0), b"k"), Millis(START), Touch::Count);
    assert_eq!(shard.miss_curve(Millis(START)), MissCurve::default());
}

fn situation(policy: Policy, memory_bytes_max: u64, entry_count: u64) -> Situation {
    Situation {
        policy,
        sample_count: 5,
        hot_key_threshold: 0,
        lfu_log_factor: 10,
        lfu_decay_minutes: 1,
        memory_bytes_max,
        used_bytes: memory_bytes_max,
        entry_count,
        fixed_bytes: 0,
        read_count: 0,
        miss_count: 0,
    }
}

fn key(bytes: &[u8; 8], db: u8) -> Key<'_> {
    Key { db: Db(db), bytes, hash: u64::from_le_bytes(*bytes).wrapping_mul(0x9e37_79b9_7f4a_7c15) }
}

#[test]
fn the_sample_is_bounded_whatever_comes() {
    for expiry in [None, Some(Millis(START + 3_600_000))] {
        let mut curve = Curve::new(1);
        curve.tick(&situation(Policy::AllkeysS3fifo, 1 << 40, 1 << 30), Millis(START));
        for number in 0..1_000_000_u64 {
            let bytes = number.to_le_bytes();
            let key = key(&bytes, 0);
            if (key.hash as u32) < curve.below() {
                let held = Held { payload_bytes: 100, memory_bytes: 130, expiry };
                curve.note_change(key, Some(held), Millis(START));
            }
        }
        curve.check();
        assert!(curve.keys.len() <= CURVE_KEY_COUNT_MAX);
        assert!(curve.keys.len() > CURVE_KEY_COUNT_MAX / 2, "{} keys", curve.keys.len());
        assert!(curve.resident_bytes() <= 5 << 19, "{} bytes", curve.resident_bytes());
        curve.note_flush(None);
        curve.check();
        assert_eq!(curve.keys.len(), 0);
    }
}

#[test]
fn one_key_is_looked_at_seldom_and_counts_as_it_should() {
    let mut curve = Curve::new(1);
    let now = Millis(START);
    curve.tick(&situation(Policy::AllkeysLfu, 1 << 30, 1000), now);
    let held = Held { payload_bytes: 100, memory_bytes: 130, expiry: None };
    let bytes = [0; 8];
    curve.note_change(key(&bytes, 0), Some(held), now);
    let before = curve.now.event;
    for _ in 0..16_000 {
        curve.note_read(key(&bytes, 0), Some(held), now);
    }
    assert!(curve.now.event - before < 1200);
    let answer = curve.answer(&Situation { read_count: 16_000, ..situation(Policy::AllkeysLfu, 1 << 30, 1000) }, now);
    assert!(answer.points().all(|point| point.hit_rate > 0.999));
}

#[test]
fn whatever_happens_the_caches_are_in_order() {
    let seed = std::env::var("LOCKSLEY_SEED").map_or(17, |text| text.parse().unwrap());
    println!("replay: LOCKSLEY_SEED={seed} cargo test -p locksley-engine the_caches_are_in_order");
    let mut random = Random::new(seed);
    let mut curve = Curve::new(1);
    let mut now = START;
    let policies: Vec<Policy> = Policy::names().map(|name| Policy::from_name(name).unwrap()).collect();
    let mut policy = policies[0];
    for step in 0..200_000_u32 {
        let drawn = random.next();
        let bytes = (drawn >> 32 & 0xfff).to_le_bytes();
        let key = key(&bytes, (drawn >> 8 & 1) as u8);
        let expiry = (drawn & 2 == 0).then_some(Millis(now + drawn % 5000));
        let held = Held { payload_bytes: 1, memory_bytes: 32 + (drawn >> 44 & 0x7ff), expiry };
        let is_in = (key.hash as u32) < curve.below();
        match drawn >> 16 & 0xff {
            0 => now += drawn % 3000,
            1..100 if is_in => curve.note_read(key, (drawn & 4 == 0).then_some(held), Millis(now)),
            100..200 if is_in => curve.note_change(key, (drawn & 0x18 != 0).then_some(held), Millis(now)),
            200 if step % 64 == 0 => curve.note_flush((drawn & 4 == 0).then_some(key.db)),
            201 if step % 64 == 0 => curve.note_swap(Db(0), Db(1)),
            202 if step % 16 == 0 => policy = policies[drawn as usize % policies.len()],
            203..210 => {
                let limit = if drawn & 64 == 0 { 0 } else { 40_000 << (drawn >> 52 & 7) };
                curve.tick(&situation(policy, limit, 4000), Millis(now));
            }
            210 if step % 16 == 0 => curve.lower_to_bounds(),
            _ => {}
        }
        if step % 512 == 0 {
            curve.check();
        }
    }
    curve.check();
}

impl Curve {
    /// Checks every invariant.
    fn check(&self) {
        let mut contents = [(0_u64, 0_u64); SIZE_COUNT];
        for number in self.keys.numbers() {
            let record = self.keys.record(number);
            assert_eq!(self.keys.find(record.name), Some(number));
            assert!(record.held & !ALL_HELD == 0, "nothing is in work");
            assert!((record.name as u32) < self.below);
            for (size, (count, bytes)) in contents.iter_mut().enumerate() {
                let is_held = record.held >> size & 1 == 1;
                *count += u64::from(is_held);
                *bytes += if is_held { u64::from(record.bytes) } else { 0 };
            }
        }
        assert_eq!(self.keys.numbers().count(), self.keys.len(), "a key is in some cache");
        for (cache, (count, bytes)) in self.caches.iter().zip(contents) {
            assert_eq!((cache.content().count, cache.content().bytes), (count, bytes));
            cache.check(&self.keys);
        }
    }
}
