//! The values: how long, and of which bytes.
//!
//! Length and bytes follow from the key and a version. Usually a value is a piece of a pool of random bytes,
//! which costs no more than its copy. With `--check` it tells key and version in its first 16 bytes and the
//! rest follows from both, so that whoever reads it can tell whether every byte is as it was written.
//!
//! ```text
//! 0        8          16
//! | key    | version  | body, 8 bytes a step of a generator seeded with both |
//! ```

use std::{ops::Range, str::FromStr};

use crate::random::{Random, fraction, mix};

/// The bytes in front of a checked value's body.
pub(crate) const CHECK_HEADER_BYTES: usize = 16;

/// Where in the pool a value may begin.
const POOL_OFFSET_COUNT: usize = 64 * 1024;

/// The longest value that a server takes.
const VALUE_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Lengths of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ValueSize {
    /// All of this length.
    Fixed(usize),
    /// From the first to the second, all alike.
    Uniform(usize, usize),
    /// The logarithm is normal: median, deviation of the logarithm, and longest.
    LogNormal(f64, f64, usize),
}

impl FromStr for ValueSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "'{text}' is neither BYTES, uniform:FROM:TO nor lognormal:MEDIAN:SIGMA[:MAX] (at most {VALUE_BYTES_MAX} B)"
            )
        };
        let size = |text: &str| text.parse::<usize>().ok().filter(|&bytes| bytes <= VALUE_BYTES_MAX).ok_or_else(bad);
        let real =
            |text: &str| text.parse::<f64>().ok().filter(|&value| value.is_finite() && value > 0.0).ok_or_else(bad);
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            [bytes] => Ok(Self::Fixed(size(bytes)?)),
            ["uniform", from, to] => {
                let (from, to) = (size(from)?, size(to)?);
                if from <= to { Ok(Self::Uniform(from, to)) } else { Err(bad()) }
            }
            ["lognormal", median, sigma] => Ok(Self::LogNormal(real(median)?, real(sigma)?, 1024 * 1024)),
            ["lognormal", median, sigma, max] => Ok(Self::LogNormal(real(median)?, real(sigma)?, size(max)?)),
            _ => Err(bad()),
        }
    }
}

impl ValueSize {
    /// The shortest.
    pub(crate) fn bytes_min(&self) -> usize {
        match *self {
            Self::Fixed(bytes) | Self::Uniform(bytes, _) => bytes,
            Self::LogNormal(..) => 1,
        }
    }

    /// The longest.
    pub(crate) fn bytes_max(&self) -> usize {
        match *self {
            Self::Fixed(bytes) | Self::Uniform(_, bytes) | Self::LogNormal(_, _, bytes) => bytes,
        }
    }

    /// The usual.
    pub(crate) fn bytes_typical(&self) -> usize {
        match *self {
            Self::Fixed(bytes) => bytes,
            Self::Uniform(from, to) => usize::midpoint(from, to),
            Self::LogNormal(median, ..) => median as usize,
        }
    }

    /// The length that belongs to `seed`.
    #[inline]
    fn bytes(&self, seed: u64) -> usize {
        match *self {
            Self::Fixed(bytes) => bytes,
            Self::Uniform(from, to) => from + (fraction(mix(seed, 1)) * (to - from + 1) as f64) as usize,
            Self::LogNormal(median, sigma, max) => {
                // Box and Muller: two even numbers make a normal one.
                let radius = (-2.0 * (1.0 - fraction(mix(seed, 2))).ln()).sqrt();
                let normal = radius * (std::f64::consts::TAU * fraction(mix(seed, 3))).cos();
                ((median * (sigma * normal).exp()) as usize).clamp(1, max)
            }
        }
    }
}

/// Why a value is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// It is too short to tell its key and version; its length.
    Headless(usize),
    /// It belongs to the key of this index.
    OtherKey(u64),
    /// It has this length in place of the other.
    Length(usize, usize),
    /// The byte at this offset is wrong.
    Byte(usize),
}

/// Makes values, and checks them.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    size: ValueSize,
    is_checked: bool,
    pool: Vec<u8>,
}

impl Values {
    /// Values of `size`, which can be verified if `is_checked` (`--check`).
    pub(crate) fn new(size: ValueSize, is_checked: bool) -> Result<Self, String> {
        if is_checked && size.bytes_min() < CHECK_HEADER_BYTES {
            return Err(format!("--check needs values of at least {CHECK_HEADER_BYTES} B (--value-size)"));
        }
        let mut pool = Vec::new();
        if !is_checked {
            let mut random = Random::new(0x10c5);
            let pool_bytes = size.bytes_max() + POOL_OFFSET_COUNT + 8;
            pool.reserve_exact(pool_bytes);
            while pool.len() < pool_bytes {
                pool.extend_from_slice(&random.next().to_le_bytes());
            }
        }
        Ok(Self { size, is_checked, pool })
    }

    /// Whether read values are to be verified.
    pub(crate) fn is_checked(&self) -> bool {
        self.is_checked
    }

    /// The value of a version of a key; `scratch` holds it if it cannot be lent from the pool.
    #[inline]
    pub(crate) fn value<'a>(&'a self, key_index: u64, version: u64, scratch: &'a mut Vec<u8>) -> &'a [u8] {
        let seed = mix(key_index, version);
        let bytes = self.size.bytes(seed);
        if !self.is_checked {
            let start = seed as usize % POOL_OFFSET_COUNT;
            return &self.pool[start..start + bytes];
        }
        scratch.clear();
        scratch.extend_from_slice(&key_index.to_le_bytes());
        scratch.extend_from_slice(&version.to_le_bytes());
        let mut body = Random::new(seed);
        while scratch.len() < bytes {
            scratch.extend_from_slice(&body.next().to_le_bytes());
        }
        scratch.truncate(bytes);
        scratch
    }

    /// Whether `value` is a version of the key of `key_index`.
    pub(crate) fn check(&self, key_index: u64, value: &[u8], scratch: &mut Vec<u8>) -> Result<(), Mismatch> {
        if value.len() < CHECK_HEADER_BYTES {
            return Err(Mismatch::Headless(value.len()));
        }
        let number = |range: Range<usize>| u64::from_le_bytes(value[range].try_into().expect("8 bytes"));
        let found_index = number(0..8);
        if found_index != key_index {
            return Err(Mismatch::OtherKey(found_index));
        }
        let expected = self.value(key_index, number(8..16), scratch);
        if expected.len() != value.len() {
            return Err(Mismatch::Length(value.len(), expected.len()));
        }
        match expected.iter().zip(value).position(|(left, right)| left != right) {
            Some(offset) => Err(Mismatch::Byte(offset)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_named() {
        assert_eq!("100".parse(), Ok(ValueSize::Fixed(100)));
        assert_eq!("uniform:1:9".parse(), Ok(ValueSize::Uniform(1, 9)));
        assert_eq!("lognormal:300:1.5:4096".parse(), Ok(ValueSize::LogNormal(300.0, 1.5, 4096)));
        for text in ["", "x", "uniform:9:1", "uniform:1", "lognormal:0:1", "536870913"] {
            assert!(text.parse::<ValueSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_stay_in_their_bounds() {
        for text in ["7", "uniform:3:5", "lognormal:300:2:1000"] {
            let size: ValueSize = text.parse().expect("a size");
            let lengths: Vec<usize> = (0..10_000).map(|seed| size.bytes(mix(seed, 9))).collect();
            assert!(lengths.iter().all(|bytes| (size.bytes_min()..=size.bytes_max()).contains(bytes)), "{text}");
            assert!(lengths.contains(&size.bytes_max()), "{text}");
        }
        let median = ValueSize::LogNormal(300.0, 1.0, 1 << 20);
        let below = (0..10_000).filter(|&seed| median.bytes(mix(seed, 5)) < 300).count();
        assert!((4_700..5_300).contains(&below), "{below}");
    }

    #[test]
    fn a_value_that_was_damaged_is_found() {
        let values = Values::new(ValueSize::Uniform(16, 200), true).expect("long enough");
        let mut scratch = Vec::new();
        for version in 0..100 {
            let value = values.value(5, version, &mut Vec::new()).to_vec();
            assert_eq!(values.check(5, &value, &mut scratch), Ok(()));
            assert_eq!(values.check(6, &value, &mut scratch), Err(Mismatch::OtherKey(5)));
            if let [.., last] = &value[16..] {
                let mut damaged = value.clone();
                damaged[value.len() - 1] = last ^ 1;
                assert_eq!(values.check(5, &damaged, &mut scratch), Err(Mismatch::Byte(value.len() - 1)));
            }
            let longer = [&value[..], b"x"].concat();
            assert_eq!(values.check(5, &longer, &mut scratch), Err(Mismatch::Length(value.len() + 1, value.len())));
        }
        assert_eq!(values.check(5, b"short", &mut scratch), Err(Mismatch::Headless(5)));
        assert!(Values::new(ValueSize::Fixed(15), true).is_err());
    }
}
