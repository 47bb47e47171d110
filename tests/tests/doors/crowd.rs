//! Clients of all doors at one time: no counted step is lost, and nobody reads what was not written.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use locksley_tests::seed::{Random, seed_of_run};

use crate::visitor::{Door, Visitor, Wanted};
use crate::{SERVERS, is_redis, launch, visitors};

#[test]
fn steps_counted_by_condition_through_all_doors_add_up() {
    const STEPS: u64 = 30;
    if is_redis() {
        return;
    }
    for (shards, policy) in SERVERS {
        let server = launch(shards, policy).start();
        let mut visitors = visitors(&server, 4);
        visitors[0].write(Door::Rest, "sum", Wanted::plain(b"0"));
        let lost = AtomicU64::new(0);
        thread::scope(|scope| {
            for (door, visitor) in Door::ALL.into_iter().zip(&mut visitors) {
                let lost = &lost;
                scope.spawn(move || {
                    for _ in 0..STEPS {
                        while !step(visitor, door) {
                            lost.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let sum = visitors[0].read(Door::Resp, "sum").expect("it stays").value;
        assert_eq!(String::from_utf8_lossy(&sum), (4 * STEPS).to_string(), "{shards} shards, {policy:?}");
        println!("{shards} shards, {policy:?}: {lost:?} conditions lost");
    }
}

/// Reads the sum, and writes the next one if nobody else did meanwhile.
fn step(visitor: &mut Visitor, door: Door) -> bool {
    let seen = visitor.read_once(door, "sum").expect("it stays");
    let sum: u64 = String::from_utf8_lossy(&seen.value).parse().expect("a number");
    visitor.write_if(door, "sum", (sum + 1).to_string().as_bytes(), seen.version)
}

#[test]
fn nobody_reads_what_was_not_written() {
    const CLIENTS: u64 = 5;
    const STEPS: u64 = 60;
    const KEYS: u64 = 5;
    if is_redis() {
        return;
    }
    let seed = seed_of_run("nobody_reads_what_was_not_written");
    for (shards, policy) in SERVERS {
        let server = launch(shards, policy).start();
        thread::scope(|scope| {
            for number in 0..CLIENTS {
                let mut visitor = Visitor::new(&server);
                scope.spawn(move || {
                    let mut random = Random::new(seed + number);
                    let mut newest = [0; KEYS as usize];
                    for _ in 0..STEPS {
                        let index = random.below(KEYS);
                        let key = format!("shared:{index}");
                        let door = Door::ALL[random.below(4) as usize];
                        if random.below(2) == 0 {
                            // A value tells its own length, so that a torn one would show.
                            let length = 8 + random.below(3_000) as usize;
                            let value = format!("{length:08}").repeat(length / 8);
                            visitor.write(door, &key, Wanted::plain(value.as_bytes()));
                        } else if let Some(seen) = visitor.read_once(door, &key) {
                            let text = String::from_utf8(seen.value).expect("digits were written");
                            let length: usize = text[..8].parse().expect("a length was written");
                            assert_eq!(text, format!("{length:08}").repeat(length / 8), "{key} through {door:?}");
                            let newest = &mut newest[index as usize];
                            assert!(seen.version >= *newest, "{key}: version {} after {newest}", seen.version);
                            *newest = seen.version;
                        }
                    }
                });
            }
        });
    }
}
