//! Random histories of a slab against a plain list of what its cells must hold.
//!
//! `LOCKSLEY_SEED=n cargo test -p locksley-engine slab::model` replays a history.

use super::{PAGE_BYTES, Slab, SlabOptions};
use crate::cell::Cell;

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

    /// A size between 1 B and a few pages, each order of magnitude about as likely as any other.
    fn size(&mut self) -> usize {
        let magnitude = 4 + self.below(18);
        (1 + self.below(1 << magnitude)).min(3 * PAGE_BYTES)
    }
}

/// A cell, the bytes asked for, and the byte they are filled with at both ends.
#[derive(Clone, Copy)]
struct Item {
    cell: Cell,
    bytes: usize,
    stamp: u8,
}

struct Model {
    slab: Slab,
    items: Vec<Item>,
    random: Random,
}

impl Model {
    fn new(seed: u64, huge_pages: bool) -> Model {
        Model { slab: Slab::new(SlabOptions { huge_pages }).unwrap(), items: Vec::new(), random: Random(seed) }
    }

    fn allocate(&mut self, bytes: usize) {
        let cell = self.slab.allocate(bytes).unwrap();
        assert!(self.slab.capacity(cell) >= bytes);
        let item = Item { cell, bytes, stamp: self.random.next() as u8 };
        self.write(item);
        self.items.push(item);
    }

    fn write(&mut self, item: Item) {
        let contents = self.slab.slice_mut(item.cell, item.bytes);
        let end = contents.len().min(64);
        contents[..end].fill(item.stamp);
        let tail = contents.len().saturating_sub(64);
        contents[tail..].fill(item.stamp);
    }

    fn verify(&self, item: Item) {
        let contents = self.slab.slice(item.cell, item.bytes);
        let tail = contents.len().saturating_sub(64);
        assert!(contents.iter().take(64).chain(&contents[tail..]).all(|byte| *byte == item.stamp));
        assert_eq!(self.slab.is_live(item.cell.unit()), Some(item.cell));
    }

    fn free(&mut self) {
        if !self.items.is_empty() {
            let index = self.random.below(self.items.len());
            let item = self.items.swap_remove(index);
            self.verify(item);
            self.slab.free(item.cell);
            assert_eq!(self.slab.is_live(item.cell.unit()), None);
        }
    }

    fn resize(&mut self) {
        if !self.items.is_empty() {
            let index = self.random.below(self.items.len());
            let old = self.items[index].bytes;
            let bytes = (old + self.random.below(old / 8 + 40)).saturating_sub(self.random.below(old / 16 + 20)).max(1);
            let item = &mut self.items[index];
            if self.slab.fits(item.cell, bytes) {
                item.bytes = bytes;
                let item = *item;
                self.write(item);
            }
        }
    }

    fn evacuate(&mut self, steps: usize) -> bool {
        let items = &mut self.items;
        self.slab.evacuate(steps, |old, new, contents| {
            let item = items.iter_mut().find(|item| item.cell == old).expect("a cell that moves is live");
            assert_eq!(contents[0], item.stamp);
            item.cell = new;
        })
    }

    fn check(&self) {
        self.slab.check();
        self.items.iter().for_each(|item| self.verify(*item));
        let mut walked = Vec::new();
        for page in 1..self.slab.page_count() {
            let mut offset = 0;
            while let Some(cell) = self.slab.next_live(page, offset) {
                walked.push(cell);
                offset = cell.unit() % super::PAGE_UNITS + 1;
            }
        }
        let mut known: Vec<Cell> = self.items.iter().map(|item| item.cell).collect();
        known.sort_unstable();
        assert_eq!(walked, known);
    }

    fn run(&mut self, steps: usize) {
        for step in 0..steps {
            // Phases in which the number of items grows and shrinks.
            let grow = if step / 500 % 2 == 0 { 60 } else { 25 };
            match self.random.below(100) {
                roll if roll < grow => {
                    let bytes = self.random.size();
                    self.allocate(bytes);
                }
                roll if roll < 90 => self.free(),
                roll if roll < 95 => self.resize(),
                _ => {
                    self.evacuate(20);
                }
            }
            if step % 1000 == 999 {
                self.check();
            }
        }
        if self.random.below(4) == 0 {
            self.slab.clear();
            self.items.clear();
            self.check();
        }
    }
}

#[test]
fn cells_keep_their_contents_through_any_history() {
    let seeds = match std::env::var("LOCKSLEY_SEED") {
        Ok(seed) => vec![seed.parse().expect("LOCKSLEY_SEED is a number")],
        Err(_) => (0..8).map(|number| 0x5EED + number).collect(),
    };
    for seed in seeds {
        println!("LOCKSLEY_SEED={seed} cargo test -p locksley-engine slab::model");
        let mut model = Model::new(seed, seed % 2 == 1);
        for _ in 0..3 {
            model.run(5000);
        }
        while model.evacuate(1000) {}
        model.check();
        while !model.items.is_empty() {
            model.free();
        }
        while model.evacuate(1000) {}
        model.check();
        assert_eq!(model.slab.used_bytes(), 0);
        assert!(model.slab.resident_bytes() <= 3 << 20, "{} bytes left", model.slab.resident_bytes());
    }
}

#[test]
fn memory_comes_back_after_churn_of_mixed_sizes() {
    for huge_pages in [false, true] {
        let mut model = Model::new(7, huge_pages);
        for _ in 0..60_000 {
            let bytes = 64 + model.random.below(2000);
            model.allocate(bytes);
        }
        for _ in 0..54_000 {
            model.free();
        }
        let (used, full) = (model.slab.used_bytes(), model.slab.resident_bytes());
        assert!(full > 4 * used, "the freed cells are spread over all pages");
        let mut turns = 0;
        while model.evacuate(64) {
            turns += 1;
            assert!(turns < 10_000, "evacuation does not end");
        }
        model.check();
        let resident = model.slab.resident_bytes();
        assert!(resident < used + model.slab.slack_bytes_normal(), "{resident} bytes for {used}");
        for _ in 0..6000 {
            model.free();
        }
        while model.evacuate(64) {}
        assert!(model.slab.resident_bytes() < 3 << 20);
    }
}

#[test]
fn a_growing_class_gets_huge_pages_and_gives_them_back() {
    let mut model = Model::new(11, true);
    for _ in 0..200_000 {
        model.allocate(1140);
    }
    model.slab.check();
    let (used, resident) = (model.slab.used_bytes(), model.slab.resident_bytes());
    assert!(resident < used + used / 50 + (3 << 20), "{resident} bytes for {used}");
    let cell = model.slab.allocate(100 << 20).unwrap();
    model.slab.free(cell);
    model.slab.clear();
    model.items.clear();
    let cell = model.slab.allocate(63 << 30).expect("regions of huge pages serve extents once they are empty");
    model.slab.free(cell);
    while model.evacuate(10_000) {}
    model.check();
    assert!(model.slab.resident_bytes() < 20 << 20);
}
