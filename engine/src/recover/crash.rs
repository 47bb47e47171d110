//! Crashes: shards, logs, snapshots and a simulated disk live random lives that end in a crash, and what comes back must
//! be what was there.
//!
//! A life begins with a recovery, to any number of shards, and goes on with changes of all kinds, syncs under one of the
//! three policies, snapshots, recycling and the clock; some of its disk operations fail for lack of space, or with an
//! error, which ends the process. It ends with a kill, which leaves everything that was stored, or with a power cut at
//! any operation, during recovery too. Checked then, for each shard of that life:
//!
//! - What comes back is exactly what the shard held after one of its changes, groups whole.
//! - It is not before what was acknowledged: after a kill everything, after a power cut what was durable.
//! - Nothing that was deleted is back, and versions are what they were.
//! - Whatever a crash left can be read: no directory is said to be damaged.
//!
//! `LOCKSLEY_SEED=<seed> cargo test -p locksley-engine crash` replays one series of lives, and `LOCKSLEY_CRASHES=<n>` makes
//! more of them.

mod history;
mod life;

use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk::sim::Failure;
use life::{Lives, Wish};

/// Crashes in a run.
const CRASH_COUNT: u64 = 20_000;
/// Lives of one directory.
const LIFE_COUNT: u64 = 25;

/// Prints how to replay a series of lives when a test fails in it.
struct Replay(u64, &'static str);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Replay(seed, name) = self;
            println!("replay: LOCKSLEY_SEED={seed} cargo test -p locksley-engine {name}");
        }
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn what_comes_back_is_what_was_there() {
    let only = setting("LOCKSLEY_SEED");
    let wanted = only.map_or(setting("LOCKSLEY_CRASHES").unwrap_or(CRASH_COUNT), |_| 1);
    let (next_seed, crash_count) = (AtomicU64::new(only.unwrap_or(1)), AtomicU64::new(0));
    let work = || {
        while crash_count.load(Ordering::Relaxed) < wanted {
            let seed = next_seed.fetch_add(1, Ordering::Relaxed);
            let _replay = Replay(seed, "what_comes_back_is_what_was_there");
            let mut lives = Lives::new(seed);
            for _ in 0..LIFE_COUNT {
                lives.live(Wish::Any);
            }
            lives.recover();
            crash_count.fetch_add(lives.crash_count(), Ordering::Relaxed);
        }
    };
    let threads = if only.is_some() { 1 } else { std::thread::available_parallelism().map_or(2, usize::from) };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    println!("{} crashes", crash_count.into_inner());
}

#[test]
fn every_operation_may_fail_in_every_way() {
    let seeds = setting("LOCKSLEY_SEED").map_or(1..4, |seed| seed..seed + 1);
    for seed in seeds {
        for failure in [Failure::NoSpace, Failure::Io, Failure::Power] {
            let mut number = 0;
            loop {
                let _replay = Replay(seed, "every_operation_may_fail_in_every_way");
                let mut lives = Lives::new(seed);
                lives.live(Wish::None);
                let before = lives.operation_count();
                lives.live(Wish::At { number, failure });
                let is_over = lives.operation_count() - before <= number;
                lives.live(Wish::None);
                lives.recover();
                if is_over {
                    break;
                }
                number += 1;
            }
        }
    }
}
