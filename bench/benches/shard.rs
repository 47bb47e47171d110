//! The shard's own cost of a read and a write, and its memory beyond the payload.
//!
//! Two mixes, filled to two million entries by default (`LOCKSLEY_ENTRIES` changes it): 100-byte keys with
//! 1,024-byte values and 30-byte keys with 32-byte values. Keys are drawn evenly, so nearly every access
//! misses the CPU's caches; a batch is hashed, its table lines are fetched, then its cells, then it is
//! executed, as the server does with a pipeline. Each figure is the median of rounds that take turns.

use std::hint::black_box;
use std::time::Instant;

use locksley_engine::{Db, ExpiryChange, FlagsChange, Key, Millis, Op, Shard, ShardOptions, Touch, Value};

const BATCH: usize = 16;
const ROUNDS: usize = 9;
const ROUND_BATCHES: usize = 20_000;
const NOW: Millis = Millis(1_700_000_000_000);

struct Mix {
    name: &'static str,
    key_bytes: usize,
    value_bytes: usize,
}

const MIXES: [Mix; 2] = [
    Mix { name: "100 B + 1,024 B", key_bytes: 100, value_bytes: 1024 },
    Mix { name: "30 B + 32 B", key_bytes: 30, value_bytes: 32 },
];

/// Keys of a batch, drawn before the clock starts.
struct Keys {
    bytes: Vec<u8>,
    key_bytes: usize,
    random: u64,
}

impl Keys {
    fn new(key_bytes: usize) -> Keys {
        Keys { bytes: vec![b'.'; key_bytes * BATCH], key_bytes, random: 88_172_645_463_325_252 }
    }

    fn draw(&mut self, below: u64) {
        for index in 0..BATCH {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            let number = self.random % below;
            self.set(index, number);
        }
    }

    fn set(&mut self, index: usize, mut number: u64) {
        for byte in self.bytes[index * self.key_bytes..][..16].iter_mut().rev() {
            *byte = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }

    fn key(&self, index: usize) -> &[u8] {
        &self.bytes[index * self.key_bytes..][..self.key_bytes]
    }
}

fn hashed<'a>(shard: &Shard, keys: &'a Keys) -> [Key<'a>; BATCH] {
    std::array::from_fn(|index| shard.key(Db(0), keys.key(index)))
}

fn put<'a>(key: Key<'a>, value: &'a [u8], expiry: ExpiryChange) -> Op<'a> {
    Op::Put { key, value: Value::Bytes(value), expiry, client_flags: FlagsChange::Set(0) }
}

fn read_batch(shard: &mut Shard, keys: &Keys) {
    let named = hashed(shard, keys);
    named.iter().for_each(|key| shard.prefetch_slot(*key));
    named.iter().for_each(|key| shard.prefetch_entry(*key));
    for key in named {
        let entry = shard.get(key, NOW, Touch::Count).expect("every key was written");
        if let Value::Bytes(bytes) = entry.value {
            black_box(bytes.as_ptr());
        }
    }
}

fn read_alone(shard: &mut Shard, keys: &Keys) {
    for index in 0..BATCH {
        let key = shard.key(Db(0), keys.key(index));
        black_box(shard.get(key, NOW, Touch::Count).is_some());
    }
}

fn write_batch(shard: &mut Shard, keys: &Keys, value: &[u8], expiry: ExpiryChange) {
    let named = hashed(shard, keys);
    named.iter().for_each(|key| shard.prefetch_slot(*key));
    named.iter().for_each(|key| shard.prefetch_entry(*key));
    for key in named {
        shard.apply(put(key, value, expiry), NOW).expect("there is no limit");
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn measure(mix: &Mix, entries: u64) {
    let mut shard = Shard::new(ShardOptions { seed: 1, ..ShardOptions::default() }).expect("address space");
    let mut keys = Keys::new(mix.key_bytes);
    let value = vec![b'v'; mix.value_bytes];
    let start = Instant::now();
    for number in 0..entries {
        keys.set(0, number);
        let key = shard.key(Db(0), keys.key(0));
        shard.apply(put(key, &value, ExpiryChange::Clear), NOW).expect("there is no limit");
    }
    let fill = start.elapsed().as_nanos() as f64 / entries as f64;
    let memory = shard.memory();
    let beyond = (memory.used.max(memory.slab + memory.tables + memory.bookkeeping) - memory.payload) as f64;
    println!("{}: {entries} entries, {fill:.0} ns a new entry", mix.name);
    println!(
        "  beyond the payload: {:.1} B an entry ({:.2} %), of which cells {:.1}, free cells {:.1}, tables {:.1}",
        beyond / entries as f64,
        100.0 * beyond / memory.payload as f64,
        (memory.cells - memory.payload) as f64 / entries as f64,
        (memory.slab - memory.cells) as f64 / entries as f64,
        memory.tables as f64 / entries as f64,
    );
    let mut times: [Vec<f64>; 4] = Default::default();
    let expiry = ExpiryChange::At(Millis(NOW.0 + 3_600_000));
    for _ in 0..ROUNDS {
        for (kind, times) in times.iter_mut().enumerate() {
            let mut nanoseconds = 0;
            for _ in 0..ROUND_BATCHES {
                keys.draw(entries);
                let start = Instant::now();
                match kind {
                    0 => read_batch(&mut shard, &keys),
                    1 => read_alone(&mut shard, &keys),
                    2 => write_batch(&mut shard, &keys, &value, ExpiryChange::Clear),
                    _ => write_batch(&mut shard, &keys, &value, expiry),
                }
                nanoseconds += start.elapsed().as_nanos();
            }
            times.push(nanoseconds as f64 / (ROUND_BATCHES * BATCH) as f64);
        }
    }
    let [batch, alone, write, expiring] = times.map(median);
    println!(
        "  read {batch:.0} ns in batches of {BATCH}, {alone:.0} ns alone; overwrite {write:.0} ns, with an expiry {expiring:.0} ns"
    );
}

fn main() {
    let entries = std::env::var("LOCKSLEY_ENTRIES").map_or(2_000_000, |text| text.parse().expect("a number"));
    for mix in &MIXES {
        measure(mix, entries);
    }
}
