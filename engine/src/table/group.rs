//! Eight slots at a time: which of them hold a hash.
//!
//! On x86-64 the hashes of all eight slots are compared at once; the scalar twin does the same elsewhere, and
//! in tests everywhere.
#![expect(unsafe_code, reason = "calls functions that need a CPU feature")]

/// Slots looked at together.
pub(super) const GROUP_SLOTS: usize = 8;

/// Eight neighbouring slots.
pub(super) type Group = [u64; GROUP_SLOTS];

/// A bit for each slot whose upper half is `hash`, the first slot's lowest. An empty slot looks like one of
/// hash 0.
#[inline]
pub(super) fn matches(group: &Group, hash: u32) -> u32 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has SSE2.
    return unsafe { vector_matches(group, hash) };
    #[cfg(not(target_arch = "x86_64"))]
    return scalar_matches(group, hash);
}

/// How many slots, counted from the first, hold hashes up to `hash`; the slots are in order and what is
/// behind an empty one does not count.
#[inline]
pub(super) fn leading_up_to(group: &Group, hash: u32) -> usize {
    // An empty slot wraps around to the largest number, so one comparison tells both.
    let bound = slot_bound(hash);
    group.iter().map(|slot| usize::from(slot.wrapping_sub(1) < bound)).sum()
}

/// Whether no slot is empty.
#[inline]
#[expect(clippy::needless_bitwise_bool, reason = "eight compares without a branch are one vector instruction")]
pub(super) fn is_full(group: &Group) -> bool {
    group.iter().fold(true, |full, &slot| full & (slot != 0))
}

/// What every slot with a hash up to `hash` is less than, once it is reduced by one.
#[inline]
const fn slot_bound(hash: u32) -> u64 {
    ((hash as u64) << 32) | 0xffff_ffff
}

/// [`matches`], one slot after the other.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline]
pub(super) fn scalar_matches(group: &Group, hash: u32) -> u32 {
    group.iter().rev().fold(0, |bits, slot| bits << 1 | u32::from((slot >> 32) as u32 == hash))
}

/// [`matches`] with the vector registers that every x86-64 has.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn vector_matches(group: &Group, hash: u32) -> u32 {
    use std::arch::x86_64::{
        __m128i, _mm_castps_si128, _mm_castsi128_ps, _mm_cmpeq_epi32, _mm_movemask_ps, _mm_set_epi64x, _mm_set1_epi32,
        _mm_shuffle_ps,
    };
    let pair = |index: usize| _mm_castsi128_ps(_mm_set_epi64x(group[index + 1] as i64, group[index] as i64));
    let wanted = _mm_set1_epi32(hash as i32);
    let quarter = |index: usize| {
        // The upper halves of four slots: the odd dwords of two pairs.
        let hashes: __m128i = _mm_castps_si128(_mm_shuffle_ps::<0b11_01_11_01>(pair(index), pair(index + 2)));
        _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(hashes, wanted))) as u32
    };
    quarter(0) | quarter(4) << 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twins_agree() {
        let hashes = [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX];
        let mut state = 1u64;
        for _ in 0..10_000 {
            let group: Group = std::array::from_fn(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let hash = u64::from(hashes[(state >> 60) as usize % hashes.len()]);
                if (state >> 40).is_multiple_of(4) { 0 } else { hash << 32 | 1 }
            });
            for hash in hashes {
                assert_eq!(matches(&group, hash), scalar_matches(&group, hash), "{group:x?} {hash:x}");
            }
        }
    }

    #[test]
    fn leading_slots_are_counted_up_to_the_hash() {
        let slot = |hash: u64| hash << 32 | 5;
        let group = [slot(0), slot(0), slot(7), slot(0x8000_0000), slot(0xffff_ffff), 0, 0, 0];
        for (hash, count) in [(0, 2), (6, 2), (7, 3), (8, 3), (0x7fff_ffff, 3), (0x8000_0000, 4), (u32::MAX, 5)] {
            assert_eq!(leading_up_to(&group, hash), count, "{hash:x}");
        }
    }
}
