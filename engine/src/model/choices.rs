//! Where histories come from: a seed, or the bytes of a fuzzer.

/// Where a history comes from.
pub trait Choices {
    /// The next choice, 0 to `below` - 1; `below` is at least 1.
    fn draw(&mut self, below: u64) -> u64;
    /// Whether the history ends here.
    fn is_over(&self) -> bool;
}

/// Choices of a seed, without end.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// The choices that `seed` stands for.
    pub fn new(seed: u64) -> Seeded {
        Seeded(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D)
    }
}

impl Choices for Seeded {
    fn draw(&mut self, below: u64) -> u64 {
        // SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % below
    }

    fn is_over(&self) -> bool {
        false
    }
}

/// Choices read from a fuzzer's bytes.
#[derive(Clone, Debug)]
pub struct Tape<'a>(pub &'a [u8]);

impl Choices for Tape<'_> {
    fn draw(&mut self, below: u64) -> u64 {
        let wanted = match below {
            0..=256 => 1,
            257..=65_536 => 2,
            _ => 8,
        };
        let (taken, rest) = self.0.split_at(self.0.len().min(wanted));
        self.0 = rest;
        taken.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)) % below
    }

    fn is_over(&self) -> bool {
        self.0.is_empty()
    }
}
