//! The ghost: which keys were evicted lately, as 16-bit fingerprints.
//!
//! A fingerprint lies in one of the buckets, chosen by the upper half of its key's hash; a bucket is a queue of 16, so
//! that all of them together are about a queue of the last evictions, at 2 bytes a key. A key that was never
//! there is taken for one that was with a chance of 16 in 65,536.

/// Fingerprints of a bucket.
const BUCKET_KEYS: usize = 16;

/// The fewest buckets of a shard's ghost.
pub(super) const BUCKETS_MIN: u64 = 64;

/// A memory of keys.
#[derive(Debug)]
pub(crate) struct Ghost {
    /// Each bucket's fingerprints, the latest first; 0 is none.
    buckets: Vec<[u16; BUCKET_KEYS]>,
    buckets_min: u64,
}

impl Ghost {
    /// A ghost that has no room yet, and will have that of `buckets_min` at least.
    pub(crate) fn new(buckets_min: u64) -> Ghost {
        Ghost { buckets: Vec::new(), buckets_min }
    }

    /// Makes room for about `keys`: at first, and again once their number has become quite another.
    /// What was remembered is forgotten then.
    pub(crate) fn size_for(&mut self, keys: u64) {
        let wanted = (keys / BUCKET_KEYS as u64).max(self.buckets_min);
        let count = self.buckets.len() as u64;
        if wanted > count * 2 || wanted * 4 < count {
            // Some room to grow, so that this is seldom.
            self.buckets = vec![[0; BUCKET_KEYS]; (wanted + wanted / 4) as usize];
        }
    }

    /// Remembers a key that is evicted.
    pub(crate) fn add(&mut self, hash: u64) {
        let Some(index) = self.index(hash) else { return };
        let bucket = &mut self.buckets[index];
        bucket.copy_within(..BUCKET_KEYS - 1, 1);
        bucket[0] = fingerprint(hash);
    }

    /// Whether the key was evicted lately; if so, it is forgotten now.
    pub(crate) fn take(&mut self, hash: u64) -> bool {
        let Some(index) = self.index(hash) else { return false };
        let bucket = &mut self.buckets[index];
        let Some(place) = bucket.iter().position(|known| *known == fingerprint(hash)) else { return false };
        bucket.copy_within(place + 1.., place);
        bucket[BUCKET_KEYS - 1] = 0;
        true
    }

    pub(crate) fn resident_bytes(&self) -> u64 {
        (self.buckets.len() * BUCKET_KEYS * size_of::<u16>()) as u64
    }

    fn index(&self, hash: u64) -> Option<usize> {
        let index = ((hash >> 32) * self.buckets.len() as u64) >> 32;
        (!self.buckets.is_empty()).then_some(index as usize)
    }
}

/// The lower bits, which do not choose the bucket; never 0.
fn fingerprint(hash: u64) -> u16 {
    (hash as u16).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(key: u64) -> u64 {
        (key + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    #[test]
    fn the_last_keys_are_remembered_and_old_ones_forgotten() {
        let mut ghost = Ghost::new(BUCKETS_MIN);
        assert!(!ghost.take(hash(1)));
        ghost.size_for(10_000);
        for key in 0..100_000 {
            ghost.add(hash(key));
        }
        let remembered =
            |ghost: &mut Ghost, keys: std::ops::Range<u64>| keys.filter(|key| ghost.take(hash(*key))).count();
        assert!(remembered(&mut ghost, 96_000..100_000) > 3900);
        assert_eq!(remembered(&mut ghost, 96_000..100_000), 0, "a key is taken once");
        assert!(remembered(&mut ghost, 0..50_000) < 50);
    }

    #[test]
    fn it_is_sized_once_and_again_when_the_number_of_keys_has_changed_much() {
        let mut ghost = Ghost::new(BUCKETS_MIN);
        ghost.size_for(100_000);
        let bytes = ghost.resident_bytes();
        assert!((200_000..=280_000).contains(&bytes));
        ghost.size_for(180_000);
        ghost.size_for(60_000);
        assert_eq!(ghost.resident_bytes(), bytes);
        ghost.size_for(1_000_000);
        assert!(ghost.resident_bytes() > 5 * bytes);
    }
}
