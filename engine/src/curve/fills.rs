//! Whether misses are what makes clients write, as it is with a cache: who misses a value makes it and puts it there.
//!
//! In a memory of another size other reads would miss. If misses make clients write, a key that a smaller memory would
//! have missed would have been written there then; and the write behind a real miss would not have come to a
//! larger memory that had the key. If clients write whenever they please, neither is so. Which it is shows in the
//! keys that are written behind a miss: with a cache there was one miss each, or a few where several clients miss at
//! once; otherwise as many as reads come before a write.

/// Keys whose misses are remembered, a power of two.
const PENDING_COUNT: usize = 1024;

/// Misses behind which fewer fills than one in so many mean that they do not make clients write.
const MISSES_PER_FILL_MAX: u32 = 4;

/// Fills after which all that was counted counts half.
const FILLS_MAX: u32 = 1024;

/// What was counted is taken to begin with this.
const PRIOR: u32 = 8;

/// What is known of fills.
#[derive(Debug)]
pub(super) struct Fills {
    /// The last keys that were missed, each where its name says: the name, and how often it was.
    pending: Box<[(u64, u32)]>,
    made: u32,
    misses: u32,
}

impl Fills {
    pub(super) fn new() -> Fills {
        Fills { pending: vec![(0, 0); PENDING_COUNT].into_boxed_slice(), made: PRIOR, misses: PRIOR }
    }

    /// Counts a read that missed.
    pub(super) fn note_miss(&mut self, name: u64) {
        let pending = &mut self.pending[place(name)];
        *pending = if pending.0 == name { (name, pending.1 + 1) } else { (name, 1) };
    }

    /// Counts a write; whether it is a fill.
    pub(super) fn note_write(&mut self, name: u64) -> bool {
        let pending = &mut self.pending[place(name)];
        if pending.0 != name || pending.1 == 0 {
            return false;
        }
        self.misses += pending.1.min(FILLS_MAX);
        self.made += 1;
        *pending = (0, 0);
        if self.made >= FILLS_MAX {
            (self.made, self.misses) = (self.made / 2, self.misses / 2);
        }
        self.are_made()
    }

    /// Whether misses make clients write.
    pub(super) fn are_made(&self) -> bool {
        self.misses <= self.made * MISSES_PER_FILL_MAX
    }

    pub(super) fn resident_bytes(&self) -> usize {
        size_of_val(&*self.pending)
    }
}

fn place(name: u64) -> usize {
    (name >> 32) as usize % PENDING_COUNT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_told_from_a_store() {
        let mut fills = Fills::new();
        assert!(fills.are_made(), "to begin with");
        for round in 0..1000_u64 {
            let name = round << 32;
            for _ in 0..10 {
                fills.note_miss(name);
            }
            fills.note_write(name);
        }
        assert!(!fills.are_made());
        for round in 0..5000_u64 {
            let name = round << 32;
            fills.note_miss(name);
            fills.note_miss(name);
            fills.note_write(name);
        }
        assert!(fills.are_made());
    }

    #[test]
    fn only_a_write_behind_a_miss_is_a_fill() {
        let mut fills = Fills::new();
        assert!(!fills.note_write(7 << 32));
        fills.note_miss(7 << 32);
        assert!(fills.note_write(7 << 32));
        assert!(!fills.note_write(7 << 32));
    }
}
