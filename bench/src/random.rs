//! Chance, cheap and repeatable: the generator has to cost little beside a request of half a microsecond.
//!
//! Source: the wyrand generator, <https://github.com/wangyi-fudan/wyhash>.

/// A stream of random numbers from one seed.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

const STEP: u64 = 0xa076_1d64_78bd_642f;
const TWIST: u64 = 0xe703_7ed1_a0b4_28db;

impl Random {
    /// The stream that belongs to `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: mix(seed, 0) }
    }

    /// The next 64 bits.
    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        fold(self.state, self.state ^ TWIST)
    }

    /// A number below `bound`.
    #[inline]
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `0.0..1.0`.
    #[inline]
    pub(crate) fn fraction(&mut self) -> f64 {
        fraction(self.next())
    }
}

/// A number that depends on every bit of both arguments.
#[inline]
pub(crate) fn mix(left: u64, right: u64) -> u64 {
    fold(left ^ STEP, right ^ TWIST)
}

/// 64 random bits as a number in `0.0..1.0`.
#[inline]
pub(crate) fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[inline]
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_spread_over_their_range() {
        let mut random = Random::new(7);
        let mut counts = [0u32; 10];
        for _ in 0..100_000 {
            counts[random.below(10) as usize] += 1;
            assert!((0.0..1.0).contains(&random.fraction()));
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    #[test]
    fn one_seed_gives_one_stream() {
        let mut first = Random::new(3);
        let mut second = Random::new(3);
        assert!((0..100).all(|_| first.next() == second.next()));
        assert_ne!(Random::new(3).next(), Random::new(4).next());
    }
}
