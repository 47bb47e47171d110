//! How many strings of which length there are: a histogram by powers of two, kept right by every change.
//!
//! A walk over all entries would answer the same, but would take as long as there are entries. A histogram a table costs
//! a write two increments, and an overwrite of the same length nothing; a flush empties it with its table, and a swap of
//! two databases takes it along.
//!
//! The length is what STRLEN says: an integer, which is kept in eight bytes, counts with its digits and sign. What is no
//! string (a lock, a note that there is nothing) is counted apart, so that the bins of a table sum up to its entries.
//!
//! ```text
//! bin    0             1   2   3      4      5       ...  31
//! holds  no string at  0   1   2..3   4..7   8..15        2^29 bytes, which is the longest
//!        all
//! ```

use crate::entry::{Encoding, Form, Header, Record};
use crate::limits::VALUE_BYTES_MAX;

/// Bins of lengths: 0, 1, 2 to 3, 4 to 7 and so on up to the longest value.
pub const SIZE_BIN_COUNT: usize = 31;

/// Those bins, and the one for what is no string.
const BIN_COUNT: usize = SIZE_BIN_COUNT + 1;

/// From which absolute values on the digits of a number that is not negative, and of one that is, reach the next bin.
const PLAIN_STEPS: [u64; 4] = [10, 1_000, 10_000_000, 1_000_000_000_000_000];
const SIGNED_STEPS: [u64; 4] = [0, 100, 1_000_000, 100_000_000_000_000];

const _: () = assert!(VALUE_BYTES_MAX == 1 << (SIZE_BIN_COUNT - 2));

/// A bin of the histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bin(u8);

impl Bin {
    /// That of what is no string.
    const OTHER: Bin = Bin(0);

    /// That of an entry.
    #[inline]
    pub(crate) fn of(record: &Record<'_>) -> Bin {
        if record.header.encoding() == Encoding::Integer || !record.header.is_plain() {
            return Bin::of_uncommon(record);
        }
        Bin::of_length(record.header.value_bytes())
    }

    /// That of an entry which is no plain string of bytes.
    #[inline]
    fn of_uncommon(record: &Record<'_>) -> Bin {
        Bin::of_value(record.header.form(), record.header.encoding(), record.value_bytes())
    }

    /// That of an entry whose value is kept as `bytes`.
    #[inline]
    pub(crate) fn of_value(form: Form, encoding: Encoding, bytes: &[u8]) -> Bin {
        match encoding {
            _ if form != Form::String => Bin::OTHER,
            Encoding::Integer => {
                Bin::of_integer(i64::from_le_bytes(bytes.try_into().expect("an integer takes eight bytes")))
            }
            Encoding::Bytes | Encoding::Spliced => Bin::of_length(bytes.len()),
        }
    }

    /// Whether an entry with this header surely keeps its bin when a value of `value_bytes` is written over it: then
    /// nothing need be looked up.
    #[inline]
    pub(crate) fn stays(header: Header, form: Form, encoding: Encoding, value_bytes: usize) -> bool {
        header.value_bytes() == value_bytes
            && encoding != Encoding::Integer
            && form == Form::String
            && header.encoding() != Encoding::Integer
            && header.is_plain()
    }

    /// That of strings of `bytes`.
    #[inline]
    pub(crate) fn of_length(bytes: usize) -> Bin {
        debug_assert!(bytes <= VALUE_BYTES_MAX, "lengths are bounded");
        // One below the bit behind the highest: no case of its own for the empty string.
        Bin((1 + (2 * bytes + 1).ilog2()) as u8)
    }

    /// That of strings which are the decimal form of `integer`.
    #[inline]
    fn of_integer(integer: i64) -> Bin {
        let steps = if integer < 0 { &SIGNED_STEPS } else { &PLAIN_STEPS };
        // No loop, and nothing to be predicted.
        let passes = |index: usize| u8::from(integer.unsigned_abs() >= steps[index]);
        Bin(2 + passes(0) + passes(1) + passes(2) + passes(3))
    }
}

/// The histogram of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    // A shard has fewer than 2^31 entries.
    counts: [u32; BIN_COUNT],
}

impl Sizes {
    /// That of an empty table.
    pub(crate) const EMPTY: Sizes = Sizes { counts: [0; BIN_COUNT] };

    /// Counts an entry that came.
    #[inline]
    pub(crate) fn add(&mut self, bin: Bin) {
        self.counts[usize::from(bin.0) % BIN_COUNT] += 1;
    }

    /// Counts an entry no more that is about to go.
    #[inline]
    pub(crate) fn remove(&mut self, bin: Bin) {
        let count = &mut self.counts[usize::from(bin.0) % BIN_COUNT];
        debug_assert!(*count > 0, "{bin:?} has the entry");
        *count = count.wrapping_sub(1);
    }

    /// Counts an entry as what it became.
    #[inline]
    pub(crate) fn change(&mut self, before: Bin, after: Bin) {
        if before != after {
            self.remove(before);
            self.add(after);
        }
    }

    /// How many strings have a length of 0, of 1, of 2 to 3, and so on.
    pub(crate) fn strings(&self) -> [u64; SIZE_BIN_COUNT] {
        std::array::from_fn(|index| u64::from(self.counts[index + 1]))
    }

    /// All entries counted.
    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_begins_at_each_power_of_two() {
        assert_eq!(Bin::of_length(0), Bin(1));
        for power in 0..SIZE_BIN_COUNT - 1 {
            let (first, bin) = (1 << power, Bin(power as u8 + 2));
            assert_eq!(Bin::of_length(first), bin, "{first}");
            let last = (2 * first - 1).min(VALUE_BYTES_MAX);
            assert_eq!(Bin::of_length(last), bin, "{last}");
        }
    }

    #[test]
    fn an_integer_counts_with_its_digits_and_sign() {
        let powers = (0..19).map(|exponent| 10_i64.pow(exponent));
        let edges = powers.flat_map(|power| [power - 1, power, power + 1]).chain([i64::MAX]);
        for integer in edges.flat_map(|edge| [edge, -edge]).chain([i64::MIN]) {
            assert_eq!(Bin::of_integer(integer), Bin::of_length(integer.to_string().len()), "{integer}");
        }
    }

    #[test]
    fn what_changes_its_bin_is_counted_once() {
        let mut sizes = Sizes::EMPTY;
        let (short, long) = (Bin::of_length(3), Bin::of_length(1000));
        sizes.add(short);
        sizes.add(Bin::OTHER);
        sizes.change(short, Bin::of_length(2));
        assert_eq!((sizes.strings()[2], sizes.total()), (1, 2));
        sizes.change(short, long);
        assert_eq!((sizes.strings()[2], sizes.strings()[10], sizes.total()), (0, 1, 2));
        sizes.remove(long);
        sizes.remove(Bin::OTHER);
        assert_eq!(sizes, Sizes::EMPTY);
    }
}
