//! Where a hash is at home, also while the table is on its way from one size to another.
//!
//! A hash is at home at `hash * homes / 2^32`. While a table is resized, two sizes are in force: hashes
//! below the boundary are at home in the low size, the others in the high one, which is the larger of the
//! two whichever way the table goes. So homes never decrease as hashes increase, with one size or two:
//!
//! ```text
//! growing    | low: old, smaller     | high: new, larger     |    the boundary moves from the end to 0
//! shrinking  | low: new, smaller     | high: old, larger     |    the boundary moves from 0 to the end
//!            0                    boundary                 2^32
//! ```

/// Homes of the smallest table: with its spill it takes one page of memory.
pub(super) const HOMES_MIN: usize = 256;

/// Homes below which a table doubles.
const DOUBLING_BELOW: usize = 4 << 10;

/// Homes below which a table grows by a quarter.
const QUARTER_BELOW: usize = 64 << 10;

/// All hashes are below this.
const HASHES: u64 = 1 << 32;

/// The sizes in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    low: u64,
    high: u64,
    boundary: u64,
    way: Way,
}

/// Whether a table is being resized, and to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// All hashes are in one size, `low` and `high`.
    Settled,
    /// To the high size.
    Growing,
    /// To the low size.
    Shrinking,
}

impl Geometry {
    /// A settled table of `homes` homes.
    pub(super) fn settled(homes: usize) -> Geometry {
        assert!(homes >= HOMES_MIN);
        Geometry { low: homes as u64, high: homes as u64, boundary: 0, way: Way::Settled }
    }

    /// This settled table on its way to `homes` homes.
    pub(super) fn resized_to(self, homes: usize) -> Geometry {
        assert_eq!(self.way, Way::Settled);
        assert!(homes >= HOMES_MIN);
        let homes = homes as u64;
        if homes > self.high {
            Geometry { low: self.low, high: homes, boundary: HASHES, way: Way::Growing }
        } else {
            assert!(homes < self.low);
            Geometry { low: homes, high: self.high, boundary: 0, way: Way::Shrinking }
        }
    }

    /// Whether and where the table is going.
    #[inline]
    pub(super) fn way(&self) -> Way {
        self.way
    }

    /// Homes of the larger of the sizes in force: what lies behind is spill.
    #[inline]
    pub(super) fn homes(&self) -> usize {
        self.high as usize
    }

    /// Homes of the size that the table has or is going to have.
    pub(super) fn homes_wanted(&self) -> usize {
        match self.way {
            Way::Settled | Way::Growing => self.high as usize,
            Way::Shrinking => self.low as usize,
        }
    }

    /// Hashes below this are in the low size.
    #[inline]
    pub(super) fn boundary(&self) -> u64 {
        self.boundary
    }

    /// Moves the boundary; the caller moves the slots.
    pub(super) fn set_boundary(&mut self, boundary: u64) {
        match self.way {
            Way::Settled => panic!("a settled table has no boundary to move"),
            Way::Growing => assert!(boundary < self.boundary),
            Way::Shrinking => assert!(boundary > self.boundary),
        }
        self.boundary = boundary.min(HASHES);
        match (self.way, self.boundary) {
            (Way::Growing, 0) => *self = Geometry::settled(self.high as usize),
            (Way::Shrinking, HASHES) => *self = Geometry::settled(self.low as usize),
            _ => {}
        }
    }

    /// Where `hash` is at home.
    #[inline]
    pub(super) fn home(&self, hash: u32) -> usize {
        if u64::from(hash) < self.boundary { self.low_home(hash) } else { self.high_home(hash) }
    }

    /// Where `hash` is at home in the low size.
    #[inline]
    pub(super) fn low_home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.low) >> 32) as usize
    }

    /// Where `hash` is at home in the high size.
    #[inline]
    pub(super) fn high_home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.high) >> 32) as usize
    }

    /// The first hash that is at home at `index` or behind it in the low size; 2^32 or more if none is.
    pub(super) fn low_hash_from(&self, index: usize) -> u64 {
        ((index as u64) << 32).div_ceil(self.low)
    }

    /// The first hash that is at home at `index` or behind it in the high size; 2^32 or more if none is.
    pub(super) fn high_hash_from(&self, index: usize) -> u64 {
        ((index as u64) << 32).div_ceil(self.high)
    }

    /// The first hash that is at home at `index` or behind it.
    pub(super) fn hash_from(&self, index: usize) -> Option<u32> {
        let low = self.low_hash_from(index);
        let hash = if low < self.boundary { low } else { self.high_hash_from(index).max(self.boundary) };
        u32::try_from(hash).ok()
    }
}

/// Entries from which on a table of `homes` homes grows: 29/32 of them. Together with growth by 1/32 this
/// keeps a large table at 8.8 to 9.2 bytes an entry; 7/8 and 1/16 took 9.1 to 9.7, at two thirds of the CPU
/// time of an insertion (growth included) and nine tenths of that of a lookup.
pub(super) fn entries_max(homes: usize) -> usize {
    homes - homes / 32 * 3
}

/// The next size up.
pub(super) fn homes_above(homes: usize) -> usize {
    let more = match homes {
        ..DOUBLING_BELOW => homes,
        DOUBLING_BELOW..QUARTER_BELOW => homes / 4,
        _ => homes / 32,
    };
    (homes + more).next_multiple_of(HOMES_MIN)
}

/// Entries below which a table of `homes` homes shrinks: 3/8 of them, less than a doubled table has.
pub(super) fn entries_min(homes: usize) -> usize {
    if homes == HOMES_MIN { 0 } else { homes / 8 * 3 }
}

/// The size that a table of `homes` homes should shrink to for `entries` entries, if it should: it becomes
/// three quarters full, which leaves it a good way from growing again.
pub(super) fn homes_below(homes: usize, entries: usize) -> Option<usize> {
    if entries >= entries_min(homes) {
        return None;
    }
    let target = (entries + entries / 3).next_multiple_of(HOMES_MIN).max(HOMES_MIN);
    (target < homes).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASHES_TRIED: [u32; 9] =
        [0, 1, 2, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xdead_beef, u32::MAX - 1, u32::MAX];

    fn on_the_way(from: usize, to: usize, boundary: u64) -> Geometry {
        let mut geometry = Geometry::settled(from).resized_to(to);
        geometry.set_boundary(boundary);
        geometry
    }

    #[test]
    fn homes_never_decrease_with_the_hash() {
        for geometry in [
            Geometry::settled(256),
            on_the_way(256, 1024, 0x8000_0000),
            on_the_way(1_000_192, 1_066_752, 0xdead_beef),
            on_the_way(1024, 256, 0x8000_0000),
            on_the_way(1 << 31, 1 << 30, 1),
        ] {
            for pair in HASHES_TRIED.windows(2) {
                assert!(geometry.home(pair[0]) <= geometry.home(pair[1]), "{geometry:?} {pair:x?}");
            }
            assert!(geometry.home(u32::MAX) < geometry.homes());
        }
    }

    #[test]
    fn the_first_hash_from_a_home_on_is_the_first() {
        for geometry in [Geometry::settled(256), on_the_way(256, 1024, 0x8000_0001), on_the_way(768, 512, 77 << 20)] {
            assert_eq!(geometry.hash_from(0), Some(0));
            for index in 0..geometry.homes() {
                let hash = geometry.hash_from(index).expect("every home below the last is reached");
                assert!(geometry.home(hash) >= index);
                assert!(hash == 0 || geometry.home(hash - 1) < index, "{geometry:?} {index} {hash:x}");
            }
            assert_eq!(geometry.hash_from(geometry.homes()), None);
        }
    }

    #[test]
    fn a_table_that_has_arrived_is_settled() {
        assert_eq!(on_the_way(256, 512, 0), Geometry::settled(512));
        assert_eq!(on_the_way(512, 256, 1 << 32), Geometry::settled(256));
    }

    #[test]
    fn sizes_leave_room_between_growing_and_shrinking() {
        let mut homes = HOMES_MIN;
        while homes < 1 << 31 {
            let above = homes_above(homes);
            assert!(above > homes && above.is_multiple_of(HOMES_MIN));
            assert!(homes_below(above, entries_max(homes)).is_none(), "{homes} grows and would shrink at once");
            if let Some(below) = homes_below(above, entries_min(above) - 1) {
                assert!(entries_max(below) > entries_min(above), "{above} shrinks and would grow at once");
            }
            homes = above;
        }
        assert_eq!(homes_below(HOMES_MIN, 0), None);
        assert_eq!(homes_below(1 << 20, 0), Some(HOMES_MIN));
    }
}
