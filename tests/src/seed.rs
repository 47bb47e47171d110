//! Replayable randomness: every random suite starts from one seed and prints it.
//!
//! `LOCKSLEY_SEED=N` replays a run. The generator is `SplitMix64`, whose state is the seed itself.
//! Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

/// A stream of random numbers that its seed determines.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream that `seed` determines.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..limit`.
    ///
    /// # Panics
    ///
    /// If `limit` is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        assert!(limit > 0, "a number below 0 was asked for");
        ((u128::from(self.bits()) * u128::from(limit)) >> 64) as u64
    }

    /// What a broken client might send instead of `good`: a few bytes of it changed, or one time in three any bytes at all.
    ///
    /// # Panics
    ///
    /// If `good` is empty.
    pub fn spoiled(&mut self, good: &[u8]) -> Vec<u8> {
        if self.below(3) == 0 {
            return (0..self.below(2_000)).map(|_| self.bits() as u8).collect();
        }
        let mut bytes = good.to_vec();
        for _ in 0..=self.below(5) {
            let at = self.below(bytes.len() as u64) as usize;
            bytes[at] = self.bits() as u8;
        }
        bytes
    }
}

/// The seed of this run: `LOCKSLEY_SEED` if it is set, else a new one; printed with how to replay it.
///
/// # Panics
///
/// If `LOCKSLEY_SEED` is not a number.
pub fn seed_of_run(suite: &str) -> u64 {
    let seed = env::var("LOCKSLEY_SEED").map_or_else(
        |_| SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64),
        |text| text.parse().expect("LOCKSLEY_SEED is a number"),
    );
    println!("{suite}: seed {seed}; replay with LOCKSLEY_SEED={seed} cargo test -p locksley-tests {suite}");
    seed
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn one_seed_gives_one_stream() {
        let stream = |seed| {
            let mut random = Random::new(seed);
            (0..8).map(|_| random.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(stream(7), stream(7));
        assert_ne!(stream(7), stream(8));
    }
}
