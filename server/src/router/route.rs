//! Which shards a request goes to: decided by its row and keys alone.

use locksley_wire::slot;

use crate::command::row::{Args, Command};

/// Slots of the whole key space.
const SLOT_COUNT: u32 = 16_384;

/// The shard that owns `key` among `shard_count`.
#[inline]
pub(crate) fn owner(key: &[u8], shard_count: u16) -> u16 {
    owner_of_slot(slot::slot(key).0, shard_count)
}

/// The shard that owns `slot` among `shard_count`.
#[inline]
pub(crate) fn owner_of_slot(slot: u16, shard_count: u16) -> u16 {
    (u32::from(slot) * u32::from(shard_count) / SLOT_COUNT) as u16
}

/// The shard that owns all keys of a request, when it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owners {
    /// The request has no keys.
    None,
    /// This one owns all of them.
    One(u16),
    /// They are spread.
    Several,
}

/// Who owns the keys of a request.
#[inline]
pub(crate) fn owners(row: &Command, args: Args<'_>, shard_count: u16) -> Owners {
    let mut found = Owners::None;
    for position in row.keys.positions(args.len()) {
        let owner = owner(args[position], shard_count);
        match found {
            Owners::None => found = Owners::One(owner),
            Owners::One(other) if other == owner => {}
            _ => return Owners::Several,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_spread_evenly_in_order() {
        for shard_count in [1, 2, 3, 7, 64] {
            let owners: Vec<u16> = (0..SLOT_COUNT as u16).map(|slot| owner_of_slot(slot, shard_count)).collect();
            assert!(owners.is_sorted());
            assert_eq!((owners[0], owners[owners.len() - 1]), (0, shard_count - 1));
            for shard in 0..shard_count {
                let count = owners.iter().filter(|owner| **owner == shard).count();
                assert!(count.abs_diff(SLOT_COUNT as usize / usize::from(shard_count)) <= 1);
            }
        }
    }

    #[test]
    fn keys_with_one_tag_have_one_owner() {
        assert_eq!(owner(b"{user}a", 64), owner(b"{user}b", 64));
    }
}
