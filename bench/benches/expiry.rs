//! What expiry costs: arming, renewing, and a million entries whose time is over at the same millisecond.
//!
//! The expiries are worked off in turns of a fixed budget; what matters is the longest turn, because a
//! request that arrives in it waits that long, and the time an entry takes altogether.

use std::time::{Duration, Instant};

use locksley_engine::{Db, ExpiryChange, FlagsChange, Millis, Op, Shard, ShardOptions, Value};

const NOW: Millis = Millis(1_700_000_000_000);
const TURN_STEPS: [usize; 3] = [64, 256, 1024];
const ROUNDS: usize = 5;

fn key_of(number: u64) -> [u8; 30] {
    let mut key = *b"session:0000000000000000000000";
    let mut rest = number;
    for byte in key.iter_mut().rev().take(20) {
        *byte = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// Writes `entries` entries with that expiry; the time an entry took.
fn fill(shard: &mut Shard, entries: u64, expiry: impl Fn(u64) -> ExpiryChange) -> f64 {
    let start = Instant::now();
    for number in 0..entries {
        let bytes = key_of(number);
        let key = shard.key(Db(0), &bytes);
        let value = Value::Bytes(&[b'v'; 32]);
        let op = Op::Put { key, value, expiry: expiry(number), client_flags: FlagsChange::Set(0) };
        shard.apply(op, NOW).expect("there is no limit");
    }
    start.elapsed().as_nanos() as f64 / entries as f64
}

/// Sets another expiry for each entry; the time an entry took.
fn renew(shard: &mut Shard, entries: u64, expiry: impl Fn(u64) -> Millis) -> f64 {
    let start = Instant::now();
    for number in 0..entries {
        let bytes = key_of(number);
        let key = shard.key(Db(0), &bytes);
        shard.apply(Op::SetExpiry { key, expiry: Some(expiry(number)) }, NOW).expect("there is no limit");
    }
    start.elapsed().as_nanos() as f64 / entries as f64
}

/// Works until nothing is left; the time of each turn.
fn turns(shard: &mut Shard, now: Millis, steps: usize) -> Vec<Duration> {
    let mut turns = Vec::new();
    while shard.len(Db(0)) > 0 {
        let start = Instant::now();
        shard.work(now, steps);
        turns.push(start.elapsed());
    }
    turns.sort();
    turns
}

fn fresh() -> Shard {
    Shard::new(ShardOptions { seed: 1, ..ShardOptions::default() }).expect("address space")
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let entries = std::env::var("LOCKSLEY_ENTRIES").map_or(1_000_000, |text| text.parse().expect("a number"));
    let hour = |number: u64| Millis(NOW.0 + 3_600_000 + number % 300_000);
    let mut times: [Vec<f64>; 5] = Default::default();
    for _ in 0..ROUNDS {
        let (mut plain, mut expiring) = (fresh(), fresh());
        times[0].push(fill(&mut plain, entries, |_| ExpiryChange::Clear));
        times[1].push(fill(&mut expiring, entries, |number| ExpiryChange::At(hour(number))));
        times[2].push(renew(&mut expiring, entries, |number| Millis(hour(number).0 + 60_000)));
        times[3].push(renew(&mut expiring, entries, |number| Millis(hour(number).0 + 7_200_000)));
        times[4].push(renew(&mut expiring, entries, |number| Millis(hour(number).0 - 3_000_000)));
    }
    let [plain, expiring, same, later, sooner] = times.map(median);
    println!("{entries} entries of 30 B + 32 B, medians of {ROUNDS} rounds, ns an entry:");
    println!("  write without expiry {plain:.0}, with expiry {expiring:.0}");
    println!("  move the expiry by a minute {same:.0}, by two hours {later:.0}, to an earlier time {sooner:.0}");
    for steps in TURN_STEPS {
        let mut shard = fresh();
        let due = Millis(NOW.0 + 60_000);
        fill(&mut shard, entries, |_| ExpiryChange::At(due));
        let turns = turns(&mut shard, due, steps);
        let total: Duration = turns.iter().sum();
        println!(
            "  all at once, {steps} steps a turn: {:.0} ns an entry, {} turns, p50 {:?}, p99.9 {:?}, longest {:?}",
            total.as_nanos() as f64 / entries as f64,
            turns.len(),
            turns[turns.len() / 2],
            turns[turns.len() - 1 - turns.len() / 1000],
            turns[turns.len() - 1],
        );
    }
}
