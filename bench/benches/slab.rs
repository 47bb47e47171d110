//! The slab: what a cell costs in memory and in time.
//!
//! Prints for mixes of item sizes how much more memory is resident than the items asked for, once filled and
//! again after four times as much has been overwritten at a constant amount of data, with the
//! evacuation turns that a shard would make; then times allocation, release and reads.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use locksley_engine::Cell;
use locksley_engine::slab::{Slab, SlabOptions};

/// Numbers by Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// A standard normal number, as the sum of twelve uniform ones.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.below(1 << 32) as f64 / (1_u64 << 32) as f64).sum::<f64>() - 6.0
    }
}

/// A mix: its name and the size of the next item, `progress` going from 0 to 1 while items are overwritten.
type Mix = (&'static str, fn(&mut Random, f64) -> usize);

const MIXES: [Mix; 7] = [
    ("uniform 64..2048", |random, _| 64 + random.below(1985)),
    ("log-normal ~300", |random, _| ((5.5 + random.normal() * 0.8).exp() as usize).clamp(40, 100_000)),
    ("fixed 1140", |_, _| 1140),
    ("fixed 78", |_, _| 78),
    ("uniform 1K..64K", |random, _| 1024 + random.below(64 << 10)),
    ("switching", |random, progress| if progress < 0.3 { 64 + random.below(448) } else { 1024 + random.below(3072) }),
    ("drifting", |random, progress| 100 + (progress * 3000.0) as usize + random.below(100)),
];

struct Filled {
    slab: Slab,
    /// Cell and size of each item; the item's number is written in its cell.
    items: Vec<(Cell, u32)>,
    asked: u64,
    moved: u64,
}

impl Filled {
    fn new(huge_pages: bool) -> Filled {
        let slab = Slab::new(SlabOptions { huge_pages }).expect("address space is to be had");
        Filled { slab, items: Vec::new(), asked: 0, moved: 0 }
    }

    fn add(&mut self, bytes: usize) {
        let cell = self.slab.allocate(bytes).expect("the slab has room");
        self.number(cell, self.items.len());
        self.items.push((cell, bytes as u32));
        self.asked += bytes as u64;
    }

    fn remove(&mut self, index: usize) {
        let (cell, bytes) = self.items.swap_remove(index);
        self.slab.free(cell);
        if let Some((last, _)) = self.items.get(index) {
            self.number(*last, index);
        }
        self.asked -= u64::from(bytes);
    }

    fn number(&mut self, cell: Cell, index: usize) {
        self.slab.slice_mut(cell, 4).copy_from_slice(&(index as u32).to_le_bytes());
    }

    fn evacuate(&mut self, steps: usize) -> bool {
        let Filled { slab, items, moved, .. } = self;
        slab.evacuate(steps, |old, new, contents| {
            let index = u32::from_le_bytes(contents[..4].try_into().expect("four bytes"));
            let item = &mut items[index as usize];
            assert_eq!(item.0, old);
            item.0 = new;
            *moved += contents.len() as u64;
        })
    }

    fn waste(&self) -> f64 {
        (self.slab.resident_bytes() as f64 / self.asked as f64 - 1.0) * 100.0
    }
}

fn print_waste() {
    println!(
        "waste over the bytes asked for, filled | after overwriting 4 x (bytes moved per byte written) | highest meanwhile"
    );
    for (name, size) in MIXES {
        for (megabytes, huge_pages) in [(1, false), (16, false), (64, false), (256, true)] {
            let limit = megabytes << 20;
            let mut random = Random(1);
            let mut filled = Filled::new(huge_pages);
            while filled.asked < limit {
                let bytes = size(&mut random, 0.0);
                filled.add(bytes);
            }
            let before = filled.waste();
            let (mut written, mut highest) = (0, before);
            while written < 4 * limit {
                let bytes = size(&mut random, written as f64 / (4 * limit) as f64);
                while filled.asked + bytes as u64 > limit {
                    let index = random.below(filled.items.len());
                    filled.remove(index);
                }
                filled.add(bytes);
                filled.evacuate(8);
                written += bytes as u64;
                highest = f64::max(highest, filled.waste());
            }
            let amplification = filled.moved as f64 / written as f64;
            println!(
                "{name:18} {megabytes:4} MiB{} {before:6.2} % | {:6.2} % ({amplification:.3}) | {highest:6.2} %",
                if huge_pages { " huge" } else { "     " },
                filled.waste(),
            );
        }
    }
}

fn print_resident() {
    println!("resident bytes as the slab counts them / as the kernel does, 512 MiB of 1,140 B, then half of it freed");
    for huge_pages in [false, true] {
        let start = kernel_resident_bytes();
        let mut slab = Slab::new(SlabOptions { huge_pages }).expect("address space is to be had");
        let cells: Vec<Cell> = (0..(512 << 20) / 1140)
            .map(|_| {
                let cell = slab.allocate(1140).expect("the slab has room");
                slab.slice_mut(cell, 1140).fill(1);
                cell
            })
            .collect();
        let list = (cells.len() * size_of::<Cell>()) as u64;
        let full = (slab.resident_bytes(), kernel_resident_bytes() - start - list);
        for cell in cells.iter().step_by(2) {
            slab.free(*cell);
        }
        while slab.evacuate(10_000, |_, _, _| {}) {}
        let half = (slab.resident_bytes(), kernel_resident_bytes() - start - list);
        println!(
            "huge pages {huge_pages:5}: {:.1} / {:.1} MiB, then {:.1} / {:.1} MiB",
            mib(full.0),
            mib(full.1),
            mib(half.0),
            mib(half.1)
        );
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn kernel_resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/smaps_rollup").expect("/proc is mounted");
    let line = status.lines().find(|line| line.starts_with("Rss:")).expect("the kernel reports Rss");
    let kilobytes: u64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number");
    kilobytes * 1024
}

fn time(criterion: &mut Criterion) {
    // Not when one of the timed functions is asked for by name.
    if !std::env::args().skip(1).any(|word| !word.starts_with("--")) {
        print_waste();
        print_resident();
    }
    for count in [10_000, 1_000_000] {
        criterion.bench_function(&format!("free and allocate 1140 B, one of {count}"), |bencher| {
            let mut slab = Slab::new(SlabOptions::default()).expect("address space is to be had");
            let mut cells: Vec<Cell> = (0..count).map(|_| slab.allocate(1140).expect("room")).collect();
            let mut random = Random(2);
            bencher.iter(|| {
                let index = random.below(cells.len());
                slab.free(cells[index]);
                cells[index] = slab.allocate(1140).expect("room");
            });
        });
    }
    criterion.bench_function("allocate 78 B, 100,000 at a time", |bencher| {
        bencher.iter_batched_ref(
            || Slab::new(SlabOptions::default()).expect("address space is to be had"),
            |slab| {
                for _ in 0..100_000 {
                    black_box(slab.allocate(78));
                }
            },
            BatchSize::PerIteration,
        );
    });
    for huge_pages in [false, true] {
        let mut slab = Slab::new(SlabOptions { huge_pages }).expect("address space is to be had");
        let cells: Vec<Cell> = (0..1_500_000)
            .map(|_| {
                let cell = slab.allocate(1140).expect("room");
                slab.slice_mut(cell, 1140).fill(1);
                cell
            })
            .collect();
        let mut random = Random(3);
        criterion.bench_function(&format!("read 1140 B of 1.6 GiB, huge pages {huge_pages}"), |bencher| {
            let mut copy = [0; 1140];
            bencher.iter(|| {
                // The next item depends on the last, as a client's next request does on its reply.
                let index = random.below(cells.len() - 1) + usize::from(copy[0] & 1);
                copy.copy_from_slice(slab.slice(cells[index], 1140));
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(500));
    targets = time
}
criterion_main!(benches);
