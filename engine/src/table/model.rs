//! The table against an ordered map, under fair and unfair hashes.
//!
//! Every run prints its seed; `LOCKSLEY_SEED=<seed> cargo test -p locksley-engine table` replays it.

use std::collections::{BTreeMap, BTreeSet};

use super::geometry::{HOMES_MIN, Way};
use super::slots::PAGE_SLOTS;
use super::{Table, hash_of};
use crate::cell::Cell;

/// A stream of random numbers (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// How the hashes of a run are spread.
#[derive(Clone, Copy, Debug)]
enum Spread {
    /// As a good hash spreads them.
    Even,
    /// A few hashes for everything.
    Few,
    /// One hash for everything.
    One(u32),
    /// Half of them one hash, the others even.
    Flood(u32),
    /// All in one narrow range.
    Narrow(u32),
    /// The two ends.
    Ends,
    /// Each range half as full as the one below.
    Falling,
}

const SPREADS: [Spread; 13] = [
    Spread::Even,
    Spread::Few,
    Spread::One(0),
    Spread::One(u32::MAX),
    Spread::One(0x8000_0000),
    Spread::Flood(0),
    Spread::Flood(u32::MAX),
    Spread::Flood(0x7fff_ffff),
    Spread::Narrow(0),
    Spread::Narrow(0xffff_0000),
    Spread::Narrow(0x1234_0000),
    Spread::Ends,
    Spread::Falling,
];

impl Spread {
    fn hash(self, random: &mut Random) -> u32 {
        let even = random.next() as u32;
        match self {
            Spread::Even => even,
            Spread::Few => (even % 5) * (u32::MAX / 4),
            Spread::One(hash) => hash,
            Spread::Flood(hash) => {
                if random.below(2) == 0 {
                    hash
                } else {
                    even
                }
            }
            Spread::Narrow(start) => start + even % 0x1_0000,
            Spread::Ends => {
                if random.below(2) == 0 {
                    even % 1000
                } else {
                    u32::MAX - even % 1000
                }
            }
            Spread::Falling => even >> random.below(32),
        }
    }
}

/// A table and what it should hold.
struct Model {
    table: Table,
    /// Hash of each cell that was ever used, by unit.
    hashes: Vec<u32>,
    live: BTreeSet<(u32, u32)>,
    /// The live units, to choose from.
    units: Vec<u32>,
}

impl Model {
    fn new(scalar: bool) -> Model {
        let mut table = Table::new();
        table.scalar = scalar;
        Model { table, hashes: vec![0], live: BTreeSet::new(), units: Vec::new() }
    }

    fn insert(&mut self, hash: u32) {
        let unit = self.hashes.len() as u32;
        self.hashes.push(hash);
        self.table.insert(hash, Cell::new(unit).unwrap());
        self.live.insert((hash, unit));
        self.units.push(unit);
    }

    fn remove(&mut self, random: &mut Random) {
        if self.units.is_empty() {
            return;
        }
        let index = random.below(self.units.len());
        let unit = self.units.swap_remove(index);
        let hash = self.hashes[unit as usize];
        let position = self.table.find(hash, |cell| cell.unit() == unit).expect("a live entry is found");
        assert_eq!(self.table.remove(position).unit(), unit);
        self.live.remove(&(hash, unit));
    }

    fn replace(&mut self, random: &mut Random) {
        if self.units.is_empty() {
            return;
        }
        let index = random.below(self.units.len());
        let unit = self.units[index];
        let hash = self.hashes[unit as usize];
        let position = self.table.find(hash, |cell| cell.unit() == unit).expect("a live entry is found");
        let new = self.hashes.len() as u32;
        self.hashes.push(hash);
        self.table.replace(position, Cell::new(new).unwrap());
        assert_eq!(self.table.cell(position).unit(), new);
        self.units[index] = new;
        self.live.remove(&(hash, unit));
        self.live.insert((hash, new));
    }

    fn look(&self, hash: u32) {
        let mut met = BTreeSet::new();
        let found = self.table.find(hash, |cell| {
            assert!(met.insert((hash, cell.unit())), "a cell is offered once");
            false
        });
        assert_eq!(found, None);
        assert_eq!(met, self.live.range((hash, 0)..=(hash, u32::MAX)).copied().collect());
        assert_eq!(self.table.first_candidate(hash).is_some(), !met.is_empty());
    }

    fn check(&self) {
        assert_eq!(self.table.len(), self.live.len());
        self.table.check(|cell| self.hashes[cell.unit() as usize]);
        let mut walked = Vec::new();
        let end = self.table.walk(0, usize::MAX, |hash, cell| walked.push((hash, cell.unit())));
        assert_eq!(end, None);
        walked.sort_unstable();
        assert!(walked.iter().eq(self.live.iter()), "the walk shows what is live");
    }
}

fn seed() -> u64 {
    let seed = std::env::var("LOCKSLEY_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| {
        use std::hash::{BuildHasher, RandomState};
        RandomState::new().hash_one(0)
    });
    println!("LOCKSLEY_SEED={seed}");
    seed
}

#[test]
fn any_history_leaves_what_a_map_would_hold() {
    let seed = seed();
    for (number, spread) in SPREADS.into_iter().enumerate() {
        for scalar in [false, true] {
            println!("{spread:?} scalar: {scalar}");
            let mut random = Random(seed ^ (number as u64) << 56);
            let mut model = Model::new(scalar);
            // The share of insertions changes from phase to phase, so that the table grows, churns and shrinks.
            for phase in 0..12 {
                let insertions = [90, 60, 50, 10, 95, 0][random.below(6)];
                let check_every = [1, 7, 100][phase % 3];
                for operation in 0..random.below(1200) {
                    let hash = spread.hash(&mut random);
                    match random.below(100) {
                        0 => model.replace(&mut random),
                        1 => drop(model.table.step(random.below(200))),
                        2 => model.look(hash),
                        choice if choice < 3 + insertions => model.insert(hash),
                        _ => model.remove(&mut random),
                    }
                    if operation % check_every == 0 && model.live.len() < 200 * check_every {
                        model.check();
                    }
                    if let Some((hash, cell)) = model.table.sample(random.next()) {
                        assert!(model.live.contains(&(hash, cell.unit())));
                    } else {
                        assert!(model.live.is_empty());
                    }
                }
                model.check();
                if random.below(20) == 0 {
                    model.table.clear();
                    model.live.clear();
                    model.units.clear();
                    model.check();
                    assert_eq!(model.table.resident_bytes(), 0);
                }
            }
            while model.table.step(1) {}
            model.check();
        }
    }
}

#[test]
fn a_large_table_grows_and_shrinks_by_small_steps() {
    let mut random = Random(seed());
    let mut model = Model::new(false);
    let mut ways = BTreeMap::new();
    for number in 0..200_000u32 {
        let hash = random.next() as u32;
        model.insert(hash);
        *ways.entry(format!("{:?}", model.table.geometry.way())).or_insert(0) += 1;
        assert!(model.table.len() * 100 <= model.table.slot_count() * 93, "growth falls behind");
        if number.is_multiple_of(50_000) {
            model.check();
        }
    }
    assert!(ways["Settled"] > 0 && ways["Growing"] > 0, "{ways:?}");
    model.check();
    let resident = model.table.resident_bytes();
    assert!(resident <= 200_000 * 10, "{resident} bytes are too many");
    for number in 0..200_000u32 {
        model.remove(&mut random);
        if number.is_multiple_of(50_000) {
            model.check();
        }
    }
    model.check();
    assert_eq!(model.table.slot_count(), HOMES_MIN);
    while model.table.step(64) {}
    assert!(model.table.resident_bytes() <= PAGE_SLOTS * 8, "an empty table keeps at most a page");
}

#[test]
fn a_walk_shows_once_what_is_there_all_along() {
    let seed = seed();
    for (number, spread) in SPREADS.into_iter().enumerate() {
        let mut random = Random(seed ^ number as u64);
        let mut model = Model::new(false);
        for _ in 0..3000 {
            let hash = spread.hash(&mut random);
            model.insert(hash);
        }
        for grow in [true, false, true] {
            let mut steady = model.live.clone();
            let mut shown = BTreeMap::new();
            let mut from = Some(0);
            while let Some(hash) = from {
                from = model.table.walk(hash, random.below(80), |hash, cell| {
                    *shown.entry((hash, cell.unit())).or_insert(0) += 1;
                });
                assert!(from.is_none_or(|next| next > hash), "a walk gets on");
                for _ in 0..random.below(20) {
                    if grow {
                        let hash = spread.hash(&mut random);
                        model.insert(hash);
                    } else if model.live.len() > 100 {
                        model.remove(&mut random);
                    }
                }
            }
            steady.retain(|entry| model.live.contains(entry));
            assert!(steady.iter().all(|entry| shown.get(entry) == Some(&1)), "{spread:?}");
        }
    }
}

#[test]
fn a_walk_passes_no_more_slots_than_it_was_given_but_for_one_hash() {
    let mut random = Random(seed());
    let mut model = Model::new(false);
    for _ in 0..50_000 {
        let hash = random.next() as u32;
        model.insert(hash);
    }
    let mut from = Some(0);
    while let Some(hash) = from {
        let mut count = 0;
        from = model.table.walk(hash, 64, |_, _| count += 1);
        assert!(count <= 64 + 4);
    }
}

#[test]
fn a_sample_meets_every_entry() {
    let mut random = Random(seed());
    let mut model = Model::new(false);
    for _ in 0..20 {
        let hash = random.next() as u32;
        model.insert(hash);
    }
    let mut met = BTreeMap::new();
    for _ in 0..4000 {
        let (_, cell) = model.table.sample(random.next()).unwrap();
        *met.entry(cell.unit()).or_insert(0) += 1;
    }
    assert_eq!(met.len(), 20, "{met:?}");
    assert_eq!(Table::new().sample(1), None);
}

#[test]
fn a_flood_of_one_hash_is_held_wherever_it_is_at_home() {
    for hash in [0, 1, 0x7fff_ffff, u32::MAX - 1, u32::MAX] {
        let mut model = Model::new(false);
        for number in 0..6000u32 {
            // Neighbours on both sides of the flood are pushed about by it.
            let hash = if number % 4 == 0 { hash.wrapping_add(number % 7).wrapping_sub(3) } else { hash };
            model.insert(hash);
            if number.is_multiple_of(500) {
                model.check();
            }
        }
        model.look(hash);
        let mut random = Random(1);
        while !model.units.is_empty() {
            model.remove(&mut random);
            if model.units.len().is_multiple_of(500) {
                model.check();
            }
        }
    }
}

#[test]
fn a_resize_that_is_overtaken_by_the_other_direction_still_ends() {
    let mut model = Model::new(false);
    let mut random = Random(seed());
    for round in 0..200 {
        // Until just after a resize has begun, then the other way.
        while model.table.geometry.way() != Way::Growing {
            let hash = random.next() as u32;
            model.insert(hash);
        }
        if round % 2 == 0 {
            model.check();
        }
        while model.table.geometry.way() != Way::Shrinking && !model.units.is_empty() {
            model.remove(&mut random);
        }
        model.check();
        if round % 10 == 0 {
            while model.table.len() < 3000 {
                let hash = random.next() as u32;
                model.insert(hash);
            }
        }
    }
}

#[test]
fn a_new_table_and_a_cleared_one_commit_nothing() {
    let mut model = Model::new(false);
    assert_eq!(model.table.resident_bytes(), 0);
    model.look(0);
    assert_eq!(model.table.walk(0, 10, |_, _| panic!("nothing is there")), Some(10 << 24));
    for hash in 0..10_000u32 {
        model.insert(hash.wrapping_mul(0x9e37_79b9));
    }
    assert!(model.table.resident_bytes() > 10_000 * 8);
    model.table.clear();
    assert_eq!((model.table.len(), model.table.resident_bytes()), (0, 0));
    assert!(model.table.slots.all().iter().all(|&slot| hash_of(slot) == 0));
    assert!(!model.table.step(1) || !model.table.step(1));
}
