//! The sketch against exact counts, on loads whose keys follow a Zipf distribution and on worse ones.

use std::collections::HashMap;

use super::*;
use crate::usage::{Held, Situation, Usage};
use crate::{Policy, Shard, ShardOptions};

const START: u64 = 1_700_000_000_000;
/// Bytes of key and value of each entry.
const PAYLOAD_BYTES: u64 = 100;

/// Numbers that follow from a seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Which key comes next: ranks of a Zipf distribution.
struct Zipf {
    sums: Vec<f64>,
}

impl Zipf {
    fn new(count: usize, exponent: f64) -> Zipf {
        let mut sum = 0.0;
        let weights = (1..=count).map(|rank| (rank as f64).powf(-exponent));
        let sums = weights.map(|weight| {
            sum += weight;
            sum
        });
        Zipf { sums: sums.collect() }
    }

    fn draw(&self, chance: &mut Chance) -> usize {
        let wanted = chance.unit() * self.sums[self.sums.len() - 1];
        self.sums.partition_point(|sum| *sum <= wanted)
    }
}

/// The sketches behind their countdown, as a shard has them, in a world of its own time.
struct World {
    usage: Usage,
    now: u64,
    threshold: u32,
}

impl World {
    fn new() -> World {
        World { usage: Usage::new(7), now: START, threshold: 0 }
    }

    fn access(&mut self, number: usize) {
        let bytes = (number as u64).to_le_bytes();
        let key = key(&bytes, Db(0));
        if self.usage.draws(key.hash) {
            let held = Held { payload_bytes: PAYLOAD_BYTES, memory_bytes: 150, expiry: None };
            self.usage.note_read(key, Some(held), Millis(self.now));
        }
    }

    fn tick(&mut self) {
        let situation = Situation {
            policy: Policy::default(),
            sample_count: 5,
            hot_key_threshold: self.threshold,
            memory_bytes_max: 0,
            used_bytes: 0,
            entry_count: 0,
            lfu_log_factor: 10,
            lfu_decay_minutes: 1,
            fixed_bytes: 0,
            miss_count: 0,
            read_count: 0,
        };
        self.usage.tick(&situation, Millis(self.now));
    }

    /// Lets `tenths` of a second pass with `per_second` accesses that `draw` chooses.
    fn run(&mut self, tenths: u64, per_second: u64, mut draw: impl FnMut() -> usize) {
        for _ in 0..tenths {
            for part in 0..10 {
                for _ in 0..per_second * (part + 1) / 100 - per_second * part / 100 {
                    self.access(draw());
                }
                self.now += 10;
            }
            self.tick();
        }
    }

    fn rates(&self) -> HashMap<u64, f64> {
        let top = self.usage.hot.top(HOT_KEY_COUNT, Millis(self.now));
        assert!(top.is_sorted_by(|one, other| one.requests_per_second >= other.requests_per_second));
        let rates = top.iter().map(|hot| {
            let bytes = hot.bytes_per_second / hot.requests_per_second;
            assert!((bytes - PAYLOAD_BYTES as f64).abs() < 0.01, "{bytes} bytes an access");
            (u64::from_le_bytes((&*hot.key).try_into().expect("keys are numbers")), hot.requests_per_second)
        });
        rates.collect()
    }

    fn rate(&self, number: u64) -> f64 {
        self.rates().get(&number).copied().unwrap_or(0.0)
    }
}

/// The hash need not be the shard's; it must only look like one.
fn key(bytes: &[u8], db: Db) -> Key<'_> {
    let number = bytes.iter().fold(0, |number: u64, byte| number.wrapping_mul(257) + u64::from(*byte));
    Key { db, bytes, hash: Chance(number).next() }
}

fn assert_near(rate: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((rate - expected).abs() <= tolerance * expected, "{what}: {rate:.1} requests/s, expected {expected:.1}");
}

#[test]
fn every_key_with_a_64th_of_the_load_is_found_with_its_rate() {
    for (per_second, exponent) in [(3_000, 0.9), (40_000, 1.0), (40_000, 1.2), (400_000, 1.05)] {
        let (mut world, mut chance) = (World::new(), Chance(3));
        let zipf = Zipf::new(20_000, exponent);
        // Longer where there are fewer accesses to judge by.
        let tenths = if per_second > 100_000 { 60 } else { 120 };
        world.run(tenths, per_second, || zipf.draw(&mut chance));
        let rates = world.rates();
        let total = zipf.sums[zipf.sums.len() - 1];
        let shares = (0..20_000).map(|rank| (rank, ((rank + 1) as f64).powf(-exponent) / total));
        let heavy: Vec<(u64, f64)> = shares.filter(|(_, share)| *share > 1.0 / 64.0).collect();
        assert!(heavy.len() >= 3);
        for (rank, share) in heavy {
            let what = format!("rank {rank} of {per_second}/s with exponent {exponent}");
            assert_near(rates.get(&rank).copied().unwrap_or(0.0), share * per_second as f64, 0.2, &what);
        }
    }
}

#[test]
fn a_key_is_found_among_keys_that_never_come_again() {
    let (mut world, mut chance, mut next) = (World::new(), Chance(5), 1_000);
    for per_second in [9_000, 60_000] {
        world.run(150, per_second, || {
            next += 1;
            if chance.next().is_multiple_of(60) { 1 } else { next }
        });
        assert_near(world.rate(1), per_second as f64 / 60.0, 0.2, "a key with a 60th of the load");
    }
}

#[test]
fn a_rhythm_of_the_clients_is_no_rhythm_of_the_draws() {
    let (mut world, mut next) = (World::new(), 0);
    world.run(100, 200_000, || {
        next += 1;
        next % 20
    });
    for number in 0..20 {
        assert_near(world.rate(number), 10_000.0, 0.2, "one of twenty in turn");
    }
}

#[test]
fn a_quiet_server_is_counted_exactly() {
    let mut world = World::new();
    for _ in 0..3 {
        (0..100).for_each(|number| (0..=number % 10).for_each(|_| world.access(number)));
    }
    world.now += 1;
    let rates = world.rates();
    // Of the first second the rate is what came in it.
    for number in 0..100 {
        assert_near(rates[&number], 3.0 * (1 + number % 10) as f64, 0.001, &format!("key {number}"));
    }
    assert_eq!(rates.len(), 100);
}

#[test]
fn after_a_burst_a_quiet_server_is_counted_exactly_again() {
    let mut world = World::new();
    world.run(20, 500_000, || 3);
    assert!(world.usage.hot.period >= 40, "{}", world.usage.hot.period);
    world.run(3, 0, || 3);
    assert_eq!((world.usage.hot.period, world.usage.hot.gap()), (1, 1));
    world.access(9);
    assert!(world.rate(9) > 0.0);
}

#[test]
fn a_burst_is_not_counted_whole() {
    let mut world = World::new();
    let mut draws = 0;
    for _ in 0..1_000_000 {
        let before = world.usage.hot.passed;
        world.access(1);
        draws += u64::from(world.usage.hot.passed != before);
    }
    assert!(draws < 30_000, "{draws} of a million were drawn");
    let passed = world.usage.hot.passed;
    assert!((900_000..1_100_000).contains(&passed), "they stand for {passed}");
}

#[test]
fn rates_follow_the_load_and_decay() {
    let mut world = World::new();
    world.run(300, 1_000, || 1);
    assert_near(world.rate(1), 1_000.0, 0.03, "a steady load");
    world.run(50, 1_000, || 2);
    assert_near(world.rate(1), 1_000.0 * (-1.0_f64).exp(), 0.05, "five seconds after its end");
    assert_near(world.rate(2), 1_000.0 * (1.0 - (-1.0_f64).exp()), 0.05, "five seconds after its begin");
    world.now += 5_000;
    assert_near(world.rate(2), 1_000.0 * (1.0 - (-1.0_f64).exp()) * (-1.0_f64).exp(), 0.05, "without a tick");
    world.now += 100_000;
    assert_eq!(world.rates(), HashMap::new(), "nothing is hot for ever");
    world.run(20, 1_000, || 2);
    assert_near(world.rate(2), 1_000.0, 0.1, "a sketch that begins anew");
}

#[test]
fn a_clock_that_is_set_changes_little() {
    let mut world = World::new();
    world.run(100, 1_000, || 1);
    for step in [-3_600_000_i64, -1, 3_600_000, 400] {
        world.now = world.now.checked_add_signed(step).expect("the clock stays after 1970");
        world.tick();
        assert!(world.rate(1) <= 1_100.0, "after {step} ms: {}", world.rate(1));
        world.run(20, 1_000, || 1);
        assert_near(world.rate(1), 1_000.0, 0.12, &format!("{step} ms, and two seconds"));
    }
}

#[test]
fn a_key_that_gets_hot_is_reported_once_until_it_has_cooled_down() {
    let mut world = World::new();
    let reported = |world: &mut World| -> Vec<u64> {
        let news = world.usage.hot.take_news();
        let number = |hot: &HotKey| u64::from_le_bytes((&*hot.key).try_into().expect("keys are numbers"));
        news.iter().inspect(|hot| assert!(hot.requests_per_second >= 1_000.0)).map(number).collect()
    };
    world.run(100, 2_000, || 1);
    assert_eq!(reported(&mut world), [], "without a threshold nothing is hot");
    world.threshold = 1_000;
    world.run(600, 2_000, || 1);
    let mut next = 0;
    assert_eq!(reported(&mut world), [1]);
    world.run(100, 4_000, || {
        next += 1;
        next % 2
    });
    assert_eq!(reported(&mut world), [0], "the other is as hot as before");
    let hot = |world: &World| world.usage.hot.hot_count(1_000, Millis(world.now));
    assert_eq!((hot(&world), world.usage.hot.hot_total()), (2, 2));
    world.run(100, 600, || 1);
    assert_eq!((hot(&world), reported(&mut world)), (1, vec![]), "half of the threshold is not cool");
    world.run(200, 100, || 1);
    assert_eq!(hot(&world), 0);
    world.run(400, 2_000, || 1);
    assert_eq!((hot(&world), reported(&mut world)), (1, vec![1]), "it cooled down more than a minute ago");
    world.run(100, 10, || 1);
    world.run(100, 2_000, || 1);
    assert_eq!((hot(&world), reported(&mut world)), (1, vec![]), "it comes and goes within a minute");
    world.usage.reset();
    assert_eq!(world.usage.hot.hot_total(), 0);
}

#[test]
fn more_hot_keys_than_counters_are_not_reported_over_and_over() {
    let (mut world, mut chance) = (World::new(), Chance(9));
    world.threshold = 100;
    let mut count = 0;
    for _ in 0..20 {
        world.run(10, 100_000, || chance.next() as usize % 300);
        count += world.usage.hot.take_news().len();
        assert!(world.usage.hot.reports.len() <= REPORT_COUNT);
    }
    assert!(count <= 300, "{count} reports of 300 keys");
    assert_eq!(world.usage.hot.counters.len(), HOT_KEY_COUNT);
}

#[test]
fn memory_is_bounded_whatever_the_keys_are() {
    let mut sketch = HotKeys::new(1);
    for number in 0..2_000_u64 {
        let mut bytes = vec![b'x'; 60_000];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        sketch.count(key(&bytes, Db(0)), 1, Millis(START));
    }
    let hot = &sketch.top(1, Millis(START))[0];
    assert_eq!((hot.key.len(), hot.key_bytes), (HOT_KEY_BYTES_MAX, 60_000));
    assert!(sketch.resident_bytes() < 512 << 10, "{} bytes", sketch.resident_bytes());
}

#[test]
fn a_name_in_two_databases_is_two_keys() {
    let mut sketch = HotKeys::new(1);
    for db in [3, 4, 4] {
        sketch.count(key(b"name", Db(db)), 1, Millis(START));
    }
    let top = sketch.top(9, Millis(START));
    assert_eq!(
        top.iter().map(|hot| (hot.db, &*hot.key)).collect::<Vec<_>>(),
        [(Db(4), &b"name"[..]), (Db(3), b"name")]
    );
    assert_eq!(sketch.top(1, Millis(START)).len(), 1);
    assert_near(sketch.rate(key(b"name", Db(4)), Millis(START)), 2.0, 0.001, "a key by its name");
    assert!(sketch.rate(key(b"other", Db(4)), Millis(START)) <= 0.0);
}

#[test]
fn reads_and_changes_of_a_shard_are_counted_and_looks_are_not() {
    use crate::{ExpiryChange, FlagsChange, Op, Touch, Value};
    let mut shard = Shard::new(ShardOptions::default()).expect("a shard needs address space");
    let now = Millis(START);
    for _ in 0..3 {
        let key = shard.key(Db(2), b"key");
        let op = Op::Put {
            key,
            value: Value::Bytes(b"value"),
            expiry: ExpiryChange::Clear,
            client_flags: FlagsChange::Keep,
        };
        shard.apply(op, now).expect("a small shard has room");
        shard.get(key, now, Touch::Leave);
        shard.peek(key, now);
        shard.get(key, now, Touch::Count);
        let missing = shard.key(Db(2), b"missing");
        shard.get(missing, now, Touch::CountOnly);
    }
    let top = shard.hot_keys(9, now);
    let shown: Vec<_> = top.iter().map(|hot| (&*hot.key, hot.requests_per_second, hot.bytes_per_second)).collect();
    assert_eq!(shown, [(&b"key"[..], 6.0, 48.0), (b"missing", 3.0, 0.0)]);
    assert_near(shard.key_rate(shard.key(Db(2), b"key"), now), 6.0, 0.001, "a key by its name");
    assert_eq!((shard.hot_key_count(now), shard.hot_key_total(), shard.take_hot_keys()), (0, 0, vec![]));
}
