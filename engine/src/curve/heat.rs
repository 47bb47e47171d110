//! Keys that are used so often that most of their uses need not be looked at.
//!
//! One key can be half of all requests, and if it is in the sample, half of them would come here. Such a key is in
//! every cache and stays there, whether all its uses are seen or one in 16. So its uses are counted where its name says,
//! as a vote between the keys of that place, and who leads by much is let through seldom.

/// Places, a power of two.
const PLACE_COUNT: usize = 64;

/// The lead from which on a key is let through seldom.
const LEAD: u32 = 64;

/// The greatest lead: how soon a key that is used no more loses it.
const LEAD_MAX: u32 = 128;

/// One use in so many is looked at.
const LET_THROUGH: u32 = 16;

/// The keys that lead.
#[derive(Debug)]
pub(super) struct Heat {
    places: Box<[(u64, u32)]>,
    turn: u32,
}

impl Heat {
    pub(super) fn new() -> Heat {
        Heat { places: vec![(0, 0); PLACE_COUNT].into_boxed_slice(), turn: 0 }
    }

    /// Counts a use of a key; whether it can be passed over.
    #[inline]
    pub(super) fn passes_over(&mut self, name: u64) -> bool {
        let (leader, lead) = &mut self.places[place(name)];
        if *leader != name {
            if *lead == 0 {
                (*leader, *lead) = (name, 1);
            } else {
                *lead -= 1;
            }
            return false;
        }
        *lead = (*lead + 1).min(LEAD_MAX);
        if *lead < LEAD {
            return false;
        }
        self.turn = self.turn.wrapping_add(1);
        !self.turn.is_multiple_of(LET_THROUGH)
    }

    /// Notes that a key is not in every cache, or not there at all, so that each of its uses has to be looked at.
    pub(super) fn cool(&mut self, name: u64) {
        let (leader, lead) = &mut self.places[place(name)];
        if *leader == name {
            *lead = 0;
        }
    }

    pub(super) fn resident_bytes(&self) -> usize {
        size_of_val(&*self.places)
    }
}

fn place(name: u64) -> usize {
    (name >> 32) as usize % PLACE_COUNT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hot_key_is_passed_over_until_it_cools() {
        let mut heat = Heat::new();
        let passed = (0..1600).filter(|_| heat.passes_over(7)).count();
        assert!((1400..=1500).contains(&passed), "{passed} of 1600");
        heat.cool(7);
        assert!((0..LEAD - 1).all(|_| !heat.passes_over(7)));
        assert!(heat.passes_over(7));
    }

    #[test]
    fn keys_that_share_a_place_are_looked_at() {
        let mut heat = Heat::new();
        let others =
            (0..10_000_u64).filter(|round| heat.passes_over((round % 3 * PLACE_COUNT as u64 * 2) << 32)).count();
        assert_eq!(others, 0);
    }
}
