//! When a value that is served is to be made anew before its time is over.
//!
//! A value that many read and that takes long to make should be there when the old one ends. So each reader, as the end
//! comes near, draws a number, and the one whose number is high enough is asked to renew the value. The longer a value took
//! to make, and the more readers it has, the earlier that is: with the chance below, the renewal is expected to be done
//! when the value ends, whatever the rate of readers.
//!
//! ```text
//! renew if  now + cost * beta * -ln(u) >= end,   u drawn from (0, 1], beta = 1
//! ```
//!
//! Source: Vattani, Chierichetti, Lowenstein, "Optimal probabilistic cache stampede prevention" (VLDB 2015), `XFetch`.

/// Bits of the number that is drawn: those that a double holds.
const DRAWN_BITS: u32 = 53;

/// No -ln(u) is greater: 53 ln 2 is 36.74.
const LOGARITHM_MAX: u64 = 37;

/// Whether a value with `left_ms` to live, which took `cost_ms` to make, may be renewed whatever is drawn.
#[inline]
pub(super) fn may_be_due(left_ms: u64, cost_ms: u32) -> bool {
    left_ms <= u64::from(cost_ms) * LOGARITHM_MAX
}

/// Whether a reader who draws `random` is to renew a value with `left_ms` to live, which took `cost_ms` to make.
pub(super) fn is_due(left_ms: u64, cost_ms: u32, random: u64) -> bool {
    if !may_be_due(left_ms, cost_ms) {
        return false;
    }
    let drawn = (random >> (u64::BITS - DRAWN_BITS)) + 1;
    let unit = drawn as f64 / (1u64 << DRAWN_BITS) as f64;
    f64::from(cost_ms) * -unit.ln() >= left_ms as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::Random;

    #[test]
    fn the_chance_follows_the_exponential_distribution() {
        const DRAW_COUNT: u32 = 100_000;
        let seed = 7;
        for (left_ms, cost_ms) in [(50, 50), (100, 50), (200, 50), (1, 1), (500, 50)] {
            let mut random = Random::new(seed);
            let due_count = (0..DRAW_COUNT).filter(|_| is_due(left_ms, cost_ms, random.next())).count();
            let expected = f64::from(DRAW_COUNT) * (-(left_ms as f64) / f64::from(cost_ms)).exp();
            // Five standard deviations, and the seed is fixed.
            let distance = (due_count as f64 - expected).abs();
            assert!(distance <= 5.0 * expected.sqrt() + 1.0, "{left_ms} of {cost_ms}: {due_count}, not {expected}");
        }
    }

    #[test]
    fn the_bounds_hold_for_every_draw() {
        for random in [0, 1, u64::MAX / 2, u64::MAX] {
            assert!(!is_due(1, 0, random), "what took no time is not made early");
            assert!(!is_due(37 * 50 + 1, 50, random), "the end is too far away");
        }
        assert!(is_due(36 * 50, 50, 0) && !is_due(1, 50, u64::MAX));
        assert!(is_due(1, u32::MAX, 0) && may_be_due(u64::from(u32::MAX) * 37, u32::MAX));
    }
}
