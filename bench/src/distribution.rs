//! How often each key is asked for.
//!
//! Zipf: rank `k` has a probability proportional to `1 / k^exponent`. Ranks are drawn by rejection-inversion,
//! which needs no table, starts at once for any number of keys and rejects next to nothing: one power function
//! a draw. Source: Hörmann, Derflinger, "Rejection-inversion to generate variates from monotone discrete
//! distributions", ACM TOMACS 6(3), 1996.

use std::str::FromStr;

use crate::random::Random;

/// The distribution as asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Distribution {
    /// Every key as often as any other.
    Uniform,
    /// By rank, with this exponent.
    Zipf(f64),
    /// One key after the other, over and over.
    Sequential,
}

impl FromStr for Distribution {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("'{text}' is neither uniform, sequential nor zipf:EXPONENT (0.01 to 10)");
        match text.split_once(':') {
            None if text == "uniform" => Ok(Self::Uniform),
            None if text == "sequential" => Ok(Self::Sequential),
            None if text == "zipf" => Ok(Self::Zipf(0.99)),
            Some(("zipf", exponent)) => match exponent.parse() {
                Ok(exponent) if (0.01..=10.0).contains(&exponent) => Ok(Self::Zipf(exponent)),
                _ => Err(bad()),
            },
            _ => Err(bad()),
        }
    }
}

/// Draws ranks from 0, the most frequent, up to a count.
#[derive(Clone, Debug)]
pub(crate) struct Zipf {
    exponent: f64,
    count: f64,
    integral_first: f64,
    integral_last: f64,
    acceptance: f64,
}

impl Zipf {
    /// Ranks below `count`, which is at least 1.
    pub(crate) fn new(count: u64, exponent: f64) -> Self {
        assert!(count > 0 && exponent > 0.0);
        let mut zipf = Self { exponent, count: count as f64, integral_first: 0.0, integral_last: 0.0, acceptance: 0.0 };
        zipf.integral_first = zipf.integral(1.5) - 1.0;
        zipf.integral_last = zipf.integral(zipf.count + 0.5);
        zipf.acceptance = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.weight(2.0));
        zipf
    }

    /// The next rank.
    #[inline]
    pub(crate) fn draw(&self, random: &mut Random) -> u64 {
        loop {
            let area = self.integral_last + random.fraction() * (self.integral_first - self.integral_last);
            let place = self.inverse(area);
            let rank = (place + 0.5).floor().clamp(1.0, self.count);
            if rank - place <= self.acceptance || area >= self.integral(rank + 0.5) - self.weight(rank) {
                return rank as u64 - 1;
            }
        }
    }

    fn is_harmonic(&self) -> bool {
        (1.0 - self.exponent).abs() < 1e-9
    }

    fn weight(&self, place: f64) -> f64 {
        place.powf(-self.exponent)
    }

    /// The integral of the weight from 1 to `place`.
    fn integral(&self, place: f64) -> f64 {
        if self.is_harmonic() {
            return place.ln();
        }
        (place.powf(1.0 - self.exponent) - 1.0) / (1.0 - self.exponent)
    }

    /// The place up to which the integral of the weight is `area`.
    #[inline]
    fn inverse(&self, area: f64) -> f64 {
        if self.is_harmonic() {
            return area.exp();
        }
        (1.0 + area * (1.0 - self.exponent)).max(0.0).powf(1.0 / (1.0 - self.exponent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_come_as_often_as_their_weight_says() {
        for exponent in [0.5, 0.99, 1.0, 1.5] {
            let count = 1_000u64;
            let draws = 400_000;
            let zipf = Zipf::new(count, exponent);
            let mut random = Random::new(11);
            let mut seen = vec![0u32; count as usize];
            for _ in 0..draws {
                seen[zipf.draw(&mut random) as usize] += 1;
            }
            let total: f64 = (1..=count).map(|rank| (rank as f64).powf(-exponent)).sum();
            for rank in [1u64, 2, 3, 10, 100] {
                let expected = f64::from(draws) * (rank as f64).powf(-exponent) / total;
                let found = f64::from(seen[rank as usize - 1]);
                let margin = 6.0 * expected.sqrt();
                assert!((found - expected).abs() < margin, "exponent {exponent} rank {rank}: {found}, not {expected}");
            }
        }
    }

    #[test]
    fn a_single_key_is_always_drawn() {
        let mut random = Random::new(1);
        assert!((0..100).all(|_| Zipf::new(1, 0.99).draw(&mut random) == 0));
    }

    #[test]
    fn distributions_are_named() {
        assert_eq!("zipf:1.2".parse(), Ok(Distribution::Zipf(1.2)));
        assert_eq!("uniform".parse(), Ok(Distribution::Uniform));
        assert!("zipf:x".parse::<Distribution>().is_err() && "normal".parse::<Distribution>().is_err());
    }
}
