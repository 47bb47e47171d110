//! Which hash slots a shard owns, and how those of two servers with other numbers of shards overlap.

/// Hash slots of all shards.
const SLOT_COUNT: u32 = 16_384;

/// A shard among so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// Which.
    pub(crate) shard: u16,
    /// Of how many.
    pub(crate) shard_count: u16,
}

impl Share {
    /// Whether `slot` is the shard's.
    pub(crate) fn owns(self, slot: u16) -> bool {
        u32::from(slot) * u32::from(self.shard_count) / SLOT_COUNT == u32::from(self.shard)
    }

    /// Whether some slot belongs to both.
    pub(crate) fn overlaps(self, other: Share) -> bool {
        let (first, end) = self.range();
        let (other_first, other_end) = other.range();
        first.max(other_first) < end.min(other_end)
    }

    /// Whether every slot of this one is of `other` too.
    pub(crate) fn is_within(self, other: Share) -> bool {
        let (first, end) = self.range();
        let (other_first, other_end) = other.range();
        first >= other_first && end <= other_end
    }

    /// The first slot, and the one behind the last.
    fn range(self) -> (u32, u32) {
        let first = |shard: u32| (shard * SLOT_COUNT).div_ceil(u32::from(self.shard_count));
        (first(u32::from(self.shard)), first(u32::from(self.shard) + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_one_owner_and_it_is_in_its_range() {
        for shard_count in [1, 2, 3, 5, 7, 16, 100, 1024] {
            for slot in 0..SLOT_COUNT as u16 {
                let mut owners = (0..shard_count).map(|shard| Share { shard, shard_count }).filter(|it| it.owns(slot));
                let owner = owners.next().expect("an owner");
                assert_eq!(owners.next(), None);
                let (first, end) = owner.range();
                assert!((first..end).contains(&u32::from(slot)), "{slot} of {owner:?}");
            }
        }
    }

    #[test]
    fn ranges_overlap_where_they_have_slots_in_common() {
        let share = |shard, shard_count| Share { shard, shard_count };
        for (one, other, overlaps, is_within) in [
            (share(0, 1), share(2, 3), true, false),
            (share(2, 3), share(0, 1), true, true),
            (share(0, 2), share(1, 3), true, false),
            (share(0, 2), share(2, 3), false, false),
            (share(3, 4), share(1, 2), true, true),
            (share(1, 2), share(1, 2), true, true),
        ] {
            assert_eq!((one.overlaps(other), one.is_within(other)), (overlaps, is_within), "{one:?} {other:?}");
        }
    }
}
