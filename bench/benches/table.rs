//! The hash table against hashbrown: lookups alone and in prefetched batches, insertions with growth.
//!
//! Both hold 4-byte references to the same items and compare an item's key on a match, as the engine does.
//! Keys are looked up in random order, so a size beyond the caches pays a miss for the table and one for
//! the item. `longest insertion` lines come from timing each insertion by itself, growth included, in the
//! best of three runs. Load and bytes an entry are printed for the filled tables.
#![expect(unsafe_code, reason = "prefetches items, which the library does on its own side")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hashbrown::HashTable;
use locksley_engine::Cell;
use locksley_engine::table::Table;

/// Entries: the table in the second cache level, in the third, and in memory.
const SIZES: [usize; 3] = [50_000, 1_000_000, 20_000_000];

/// Lookups of a batch, as a pipeline brings them.
const BATCH: usize = 16;

/// Lookups of one iteration.
const LOOKUPS: usize = 4096;

/// Items as the table sees them: where a cell points to, with the key in it.
struct Items(Vec<u64>);

impl Items {
    fn new(count: usize) -> Items {
        Items((0..=count as u64).collect())
    }

    #[inline]
    fn key(&self, cell: Cell) -> u64 {
        self.0[cell.unit() as usize]
    }

    #[inline]
    fn prefetch(&self, cell: Cell) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let item = self.0.as_ptr().wrapping_add(cell.unit() as usize);
            // SAFETY: a prefetch has no effect but on caches, whatever the address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(item.cast()) }
        }
    }
}

/// The hash of a key (the finalizer of `SplitMix64`).
#[inline]
fn hash(key: u64) -> u64 {
    let mixed = (key ^ key >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[inline]
fn prefix(key: u64) -> u32 {
    (hash(key) >> 32) as u32
}

fn cell(key: u64) -> Cell {
    Cell::new(key as u32).expect("keys count from 1")
}

fn table(count: usize) -> Table {
    let mut table = Table::new();
    for key in 1..=count as u64 {
        table.insert(prefix(key), cell(key));
    }
    table
}

fn hash_table(count: usize) -> HashTable<u32> {
    let mut table = HashTable::new();
    for key in 1..=count as u64 {
        table.insert_unique(hash(key), key as u32, |&key| hash(u64::from(key)));
    }
    table
}

/// Random keys from `first` on, `count` different ones.
fn keys(first: usize, count: usize) -> Vec<u64> {
    (0..LOOKUPS * 64).map(|number| first as u64 + hash(number as u64 ^ 0x5bd1_e995) % count as u64).collect()
}

fn lookups(criterion: &mut Criterion) {
    for size in SIZES {
        let items = Items::new(size);
        let table = table(size);
        let baseline = hash_table(size);
        print_shape(&table, size);
        let mut group = criterion.benchmark_group("table");
        group.throughput(Throughput::Elements(LOOKUPS as u64));
        group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
        for (name, keys) in [("hit", keys(1, size)), ("miss", keys(size + 1, size))] {
            bench(&mut group, &format!("{name}/alone"), size, &keys, |keys| {
                keys.iter().filter(|&&key| table.find(prefix(key), |cell| items.key(cell) == key).is_some()).count()
            });
            bench(&mut group, &format!("{name}/batch"), size, &keys, |keys| {
                keys.chunks(BATCH).map(|keys| batch(&table, &items, keys)).sum()
            });
            bench(&mut group, &format!("{name}/hashbrown"), size, &keys, |keys| {
                let found = |key: &&u64| baseline.find(hash(**key), |&item| items.0[item as usize] == **key).is_some();
                keys.iter().filter(found).count()
            });
        }
    }
}

/// Looks up `keys` after asking for all their slots and then for all their items.
fn batch(table: &Table, items: &Items, keys: &[u64]) -> usize {
    let mut hashes = [0; BATCH];
    for (hash, &key) in hashes.iter_mut().zip(keys) {
        *hash = prefix(key);
        table.prefetch(*hash);
    }
    for &hash in &hashes[..keys.len()] {
        if let Some(cell) = table.first_candidate(hash) {
            items.prefetch(cell);
        }
    }
    let find = |&(&key, &hash): &(&u64, &u32)| table.find(hash, |cell| items.key(cell) == key).is_some();
    keys.iter().zip(&hashes).filter(find).count()
}

/// One line of the lookup table: `LOOKUPS` keys an iteration, others each time.
fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    size: usize,
    keys: &[u64],
    mut look: impl FnMut(&[u64]) -> usize,
) {
    let mut chunks = keys.chunks(LOOKUPS).cycle();
    group.bench_function(BenchmarkId::new(name, size), |bencher| {
        bencher.iter(|| look(black_box(chunks.next().expect("a cycle does not end"))));
    });
}

fn insertions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("table/insert");
    for size in &SIZES[..2] {
        group.throughput(Throughput::Elements(*size as u64)).sample_size(10);
        group.bench_function(BenchmarkId::new("ours", size), |bencher| bencher.iter(|| table(*size)));
        group.bench_function(BenchmarkId::new("hashbrown", size), |bencher| bencher.iter(|| hash_table(*size)));
    }
    group.finish();
    let size = SIZES[2] / 2;
    print_longest("ours", size, || {
        let mut table = Table::new();
        move |key| table.insert(prefix(key), cell(key))
    });
    print_longest("hashbrown", size, || {
        let mut table = HashTable::new();
        move |key| {
            table.insert_unique(hash(key), key as u32, |&key| hash(u64::from(key)));
        }
    });
}

/// A full cycle of replacing entries by others, as a cache at its limit does.
fn churn(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("table/churn");
    for size in &SIZES[..2] {
        group.throughput(Throughput::Elements(1)).sample_size(20);
        let mut table = table(*size);
        let mut key = *size as u64;
        group.bench_function(BenchmarkId::new("ours", size), |bencher| {
            bencher.iter(|| {
                key += 1;
                let old = key - *size as u64;
                let position = table.find(prefix(old), |found| found == cell(old)).expect("it was inserted");
                table.remove(position);
                table.insert(prefix(key), cell(key));
            });
        });
        let mut table = hash_table(*size);
        let mut key = *size as u64;
        group.bench_function(BenchmarkId::new("hashbrown", size), |bencher| {
            bencher.iter(|| {
                key += 1;
                let old = key - *size as u64;
                table.find_entry(hash(old), |&found| u64::from(found) == old).expect("it was inserted").remove();
                table.insert_unique(hash(key), key as u32, |&key| hash(u64::from(key)));
            });
        });
    }
}

/// The distribution of single insertions: of three runs each percentile's best.
fn print_longest<Insert: FnMut(u64)>(name: &str, size: usize, mut start: impl FnMut() -> Insert) {
    let parts = [0.5, 0.99, 0.999, 0.9999, 1.0];
    let mut best = parts.map(|_| u64::MAX);
    for _ in 0..3 {
        let mut insert = start();
        let mut times: Vec<u64> = (1..=size as u64)
            .map(|key| {
                let begun = Instant::now();
                insert(key);
                begun.elapsed().as_nanos() as u64
            })
            .collect();
        times.sort_unstable();
        for (best, part) in best.iter_mut().zip(parts) {
            *best = times[((size - 1) as f64 * part) as usize].min(*best);
        }
    }
    let [p50, p99, p999, p9999, longest] = best;
    println!(
        "longest insertion of {size}, {name}: {longest} ns (p50 {p50}, p99 {p99}, p99.9 {p999}, p99.99 {p9999} ns)"
    );
}

fn print_shape(table: &Table, size: usize) {
    println!(
        "table of {size}: {} slots, {:.3} full, {:.2} bytes an entry",
        table.slot_count(),
        size as f64 / table.slot_count() as f64,
        table.resident_bytes() as f64 / size as f64,
    );
}

criterion_group!(benches, lookups, insertions, churn);
criterion_main!(benches);
