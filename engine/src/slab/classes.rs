//! The size classes: which sizes cells have.
//!
//! Every size that is a multiple of 16 B up to 2 KiB is a class, and 64 steps a doubling from there to half
//! a page: a cell is at most 15 B or 1/64 larger than asked for. So many classes are affordable because a
//! class costs address space (a page) but memory only for the 4 KiB frames that its cells have touched; a
//! coarse set with finer classes switched on by demand was considered and saves nothing over that.
//!
//! ```text
//! class    0 ..   1   unused (a cell has at least 2 units)
//! class    2 .. 128   size = class units of 16 B                                  (32 B .. 2 KiB)
//! class  129 .. 640   size = 2^k + n * 2^(k-6) units, class = 128 + 64 (k - 7) + n, n in 1 ..= 64, k in 7 .. 15
//!                                                                                 (2 KiB + 32 B .. 512 KiB)
//! ```

use super::PAGE_UNITS;

/// Number of classes, the unused ones included.
pub(super) const CLASS_COUNT: usize = 641;

/// Units of the largest class.
pub(super) const CELL_UNITS_MAX: u32 = PAGE_UNITS / 2;

/// Units of the smallest class.
pub(super) const CELL_UNITS_MIN: u32 = 2;

/// Units up to which each multiple of a unit is a class.
const FINE_UNITS: u32 = 128;

/// log2 of the steps a doubling above that.
const STEPS_LOG2: u32 = 6;

const _: () = assert!(units_of(CLASS_COUNT - 1) == CELL_UNITS_MAX);

/// The smallest class whose cells hold `units`.
#[inline]
pub(super) fn class_of(units: u32) -> usize {
    debug_assert!(units <= CELL_UNITS_MAX);
    if units <= FINE_UNITS {
        return units.max(CELL_UNITS_MIN) as usize;
    }
    let doubling = (units - 1).ilog2();
    let step_log2 = doubling - STEPS_LOG2;
    let step = (units - (1 << doubling)).div_ceil(1 << step_log2);
    (FINE_UNITS + ((doubling - FINE_UNITS.ilog2()) << STEPS_LOG2) + step) as usize
}

/// The units a cell of `class` has.
pub(super) const fn units_of(class: usize) -> u32 {
    let class = class as u32;
    if class <= FINE_UNITS {
        return class;
    }
    let above = class - FINE_UNITS - 1;
    let doubling = (above >> STEPS_LOG2) + FINE_UNITS.ilog2();
    let step = (above & ((1 << STEPS_LOG2) - 1)) + 1;
    (1 << doubling) + (step << (doubling - STEPS_LOG2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_gets_the_smallest_class_that_holds_it() {
        for units in 1..=CELL_UNITS_MAX {
            let class = class_of(units);
            assert!(units_of(class) >= units, "{units} units do not fit class {class}");
            assert!(
                class == CELL_UNITS_MIN as usize || units_of(class - 1) < units,
                "{units} units fit a smaller class"
            );
            assert!((units_of(class) - units) * 64 <= units.max(64), "{units} units waste more than a step");
        }
    }

    #[test]
    fn classes_grow_strictly() {
        for class in 1..CLASS_COUNT {
            assert!(units_of(class) > units_of(class - 1));
        }
    }
}
