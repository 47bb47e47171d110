//! The policies over a store that keeps key, expiry and access bits in its cells.

use super::*;
use crate::slab::SlabOptions;

/// Entries of 48 bytes: key, expiry (0: none), access bits, place in `cells`.
struct Cache {
    slab: Slab,
    cells: Vec<Cell>,
    expiring: Vec<Cell>,
    evicted: Vec<u64>,
    /// How many of those that expire soonest are shown as such.
    soonest_count: usize,
}

const POLICIES: [Policy; 10] = [
    Policy::AllkeysS3fifo,
    Policy::AllkeysLru,
    Policy::VolatileLru,
    Policy::AllkeysLfu,
    Policy::VolatileLfu,
    Policy::AllkeysRandom,
    Policy::VolatileRandom,
    Policy::VolatileTtl,
    Policy::AllkeysFifo,
    Policy::Noeviction,
];

impl Cache {
    fn new() -> Cache {
        let slab = Slab::new(SlabOptions::default()).unwrap();
        Cache { slab, cells: Vec::new(), expiring: Vec::new(), evicted: Vec::new(), soonest_count: 5 }
    }

    fn word(&self, cell: Cell, word: usize) -> u64 {
        u64::from_le_bytes(self.slab.slice(cell, 48)[word * 8..][..8].try_into().unwrap())
    }

    fn set_word(&mut self, cell: Cell, word: usize, value: u64) {
        self.slab.slice_mut(cell, 48)[word * 8..][..8].copy_from_slice(&value.to_le_bytes());
    }

    fn insert(&mut self, evictor: &mut Evictor, key: u64, expiry: u64, now: Millis) -> Cell {
        let cell = self.slab.allocate(48).unwrap();
        let access = evictor.inserted(cell, hash(key), now);
        for (word, value) in [key, expiry, u64::from(access), self.cells.len() as u64].into_iter().enumerate() {
            self.set_word(cell, word, value);
        }
        self.cells.push(cell);
        if expiry > 0 {
            self.expiring.push(cell);
        }
        cell
    }

    fn touch(&mut self, evictor: &mut Evictor, cell: Cell, now: Millis) {
        let access = evictor.touched(self.access(cell), now);
        self.set_access(cell, access);
    }

    fn keys(&self) -> Vec<u64> {
        self.cells.iter().map(|cell| self.word(*cell, 0)).collect()
    }
}

impl Store for Cache {
    fn slab(&self) -> &Slab {
        &self.slab
    }

    fn entry_count(&self) -> u64 {
        self.cells.len() as u64
    }

    fn access(&self, cell: Cell) -> u32 {
        self.word(cell, 2) as u32
    }

    fn set_access(&mut self, cell: Cell, access: u32) {
        self.set_word(cell, 2, u64::from(access));
    }

    fn expiry(&self, cell: Cell) -> Option<Millis> {
        Some(Millis(self.word(cell, 1))).filter(|expiry| expiry.0 > 0)
    }

    fn hash(&self, cell: Cell) -> u64 {
        hash(self.word(cell, 0))
    }

    fn sample(&self, random: u64) -> Option<Cell> {
        choose(&self.cells, random)
    }

    fn sample_expiring(&self, random: u64) -> Option<Cell> {
        choose(&self.expiring, random)
    }

    fn sample_soonest(&self, random: u64) -> Option<Cell> {
        let mut soonest = self.expiring.clone();
        soonest.sort_unstable_by_key(|cell| self.word(*cell, 1));
        choose(&soonest[..soonest.len().min(self.soonest_count)], random)
    }

    fn evict(&mut self, cell: Cell) -> bool {
        self.evicted.push(self.word(cell, 0));
        let place = self.word(cell, 3) as usize;
        assert_eq!(self.cells.swap_remove(place), cell);
        if let Some(last) = self.cells.get(place).copied() {
            self.set_word(last, 3, place as u64);
        }
        self.expiring.retain(|expiring| *expiring != cell);
        self.slab.free(cell);
        true
    }
}

fn choose(cells: &[Cell], random: u64) -> Option<Cell> {
    cells.get(((u128::from(random) * cells.len() as u128) >> 64) as usize).copied()
}

fn hash(key: u64) -> u64 {
    (key + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

fn options(policy: Policy) -> EvictOptions {
    let (lfu_log_factor, lfu_decay_minutes) = (10, 1);
    EvictOptions { policy, sample_count: 5, lfu_log_factor, lfu_decay_minutes, is_limited: true, seed: 42 }
}

#[test]
fn every_policy_evicts_until_nothing_is_left_that_may_go() {
    for policy in POLICIES {
        let (mut cache, mut evictor) = (Cache::new(), Evictor::new(options(policy)));
        for key in 0..300 {
            let cell = cache.insert(&mut evictor, key, if key % 3 == 0 { 1000 + key } else { 0 }, Millis(1));
            for _ in 0..key % 5 {
                cache.touch(&mut evictor, cell, Millis(2));
            }
        }
        while evictor.evict(&mut cache, Millis(3)) {}
        let left = match policy.name() {
            "noeviction" => 300,
            name if name.starts_with("volatile") => 200,
            _ => 0,
        };
        assert_eq!(cache.cells.len(), left, "{}", policy.name());
        assert!(cache.keys().iter().all(|key| key % 3 != 0) || policy == Policy::Noeviction);
    }
}

#[test]
fn what_is_used_stays_under_the_policies_that_look_at_use() {
    for policy in [Policy::AllkeysS3fifo, Policy::AllkeysLru, Policy::AllkeysLfu] {
        let (mut cache, mut evictor) = (Cache::new(), Evictor::new(options(policy)));
        let mut now = Millis(0);
        let used: Vec<Cell> = (0..50).map(|key| cache.insert(&mut evictor, key, 0, now)).collect();
        for key in 50..5000 {
            now.0 += 100;
            cache.insert(&mut evictor, key, 0, now);
            cache.touch(&mut evictor, used[key as usize % 50], now);
            if key >= 1000 {
                assert!(evictor.evict(&mut cache, now));
            }
        }
        let stayed = cache.keys().iter().filter(|key| **key < 50).count();
        assert!(stayed >= 48, "{}: {stayed} of 50 used entries stayed", policy.name());
    }
}

#[test]
fn a_new_entry_outlives_unused_old_ones_under_lfu() {
    let (mut cache, mut evictor) = (Cache::new(), Evictor::new(options(Policy::AllkeysLfu)));
    for key in 0..1000 {
        cache.insert(&mut evictor, key, 0, Millis(0));
    }
    // After six minutes the counters of the old ones have decayed.
    let now = Millis(6 * 60_000);
    for key in 1000..1200 {
        cache.insert(&mut evictor, key, 0, now);
        evictor.evict(&mut cache, now);
    }
    assert!(cache.evicted.iter().all(|key| *key < 1000));
}

#[test]
fn ttl_evicts_what_expires_first() {
    let (mut cache, mut evictor) = (Cache::new(), Evictor::new(options(Policy::VolatileTtl)));
    for key in 0..200 {
        cache.insert(&mut evictor, key, 1000 + (key * 7919) % 200, Millis(0));
    }
    for _ in 0..100 {
        evictor.evict(&mut cache, Millis(0));
    }
    assert!(cache.evicted.iter().all(|key| (key * 7919) % 200 < 110));
}

#[test]
fn ttl_evicts_another_where_all_that_expires_first_stays() {
    let (mut cache, mut evictor) = (Cache::new(), Evictor::new(options(Policy::VolatileTtl)));
    cache.soonest_count = 0;
    for key in 0..200 {
        cache.insert(&mut evictor, key, 1000 + key, Millis(0));
    }
    for _ in 0..100 {
        evictor.evict(&mut cache, Millis(0));
    }
    assert_eq!(cache.evicted.len(), 100);
}

#[test]
fn fifo_evicts_each_entry_about_one_round_after_it_came() {
    let (mut cache, mut evictor) = (Cache::new(), Evictor::new(options(Policy::AllkeysFifo)));
    for key in 0..50_000 {
        cache.insert(&mut evictor, key, 0, Millis(0));
        if key >= 10_000 {
            evictor.evict(&mut cache, Millis(0));
        }
    }
    let mut ages = Vec::new();
    for (index, key) in cache.evicted.iter().enumerate().skip(20_000) {
        ages.push(index as u64 + 10_000 - key);
    }
    let (least, most) = (ages.iter().min().unwrap(), ages.iter().max().unwrap());
    assert!(*least > 9000 && *most < 11_000, "ages {least} to {most}");
}

#[test]
fn a_key_that_returns_soon_after_its_eviction_enters_the_main_queue() {
    let (mut cache, mut evictor) = (Cache::new(), Evictor::new(options(Policy::AllkeysS3fifo)));
    for key in 0..20_000 {
        cache.insert(&mut evictor, key, 0, Millis(0));
        if key >= 10_000 {
            evictor.evict(&mut cache, Millis(0));
        }
    }
    let returning = *cache.evicted.last().unwrap();
    let cell = cache.insert(&mut evictor, returning, 0, Millis(0));
    assert!(access::is_main(cache.access(cell)));
    let cell = cache.insert(&mut evictor, 1 << 40, 0, Millis(0));
    assert!(!access::is_main(cache.access(cell)));
    let bytes = evictor.resident_bytes();
    assert!(bytes < 10_000 * 4 + 65_536, "{bytes} bytes for 10,000 entries");
}

#[test]
fn entries_of_another_policy_can_be_evicted_after_a_change() {
    for before in POLICIES {
        for after in POLICIES.into_iter().filter(|policy| policy.name().starts_with("allkeys")) {
            let (mut cache, mut evictor) = (Cache::new(), Evictor::new(options(before)));
            for key in 0..100 {
                let cell = cache.insert(&mut evictor, key, 1 << 40, Millis(123_456));
                cache.touch(&mut evictor, cell, Millis(345_678));
            }
            evictor.reconfigure(options(after));
            while evictor.evict(&mut cache, Millis(400_000)) {}
            assert_eq!(cache.cells.len(), 0, "{} after {}", after.name(), before.name());
        }
    }
}
