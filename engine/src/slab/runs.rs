//! Which pages are free, and where a run of free pages is.
//!
//! One bit a page. Single pages are taken from the lowest address on, so that the used part of the mapping
//! stays short; runs for extents are taken where they fit best. A search passes over at most 1,024 words:
//! about a microsecond, beside the copying of at least half a megabyte that an extent is taken for.
//! Neighbouring runs coalesce by themselves.

use super::PAGE_COUNT_MAX;

const WORDS: usize = PAGE_COUNT_MAX / 64;

/// The free pages.
#[derive(Debug)]
pub(super) struct FreePages {
    /// A set bit is a free page.
    words: Box<[u64]>,
    /// No free page lies before this word.
    hint: usize,
}

impl FreePages {
    /// All pages but page 0, which is never used.
    pub(super) fn new() -> FreePages {
        let mut words = vec![u64::MAX; WORDS].into_boxed_slice();
        words[0] &= !1;
        FreePages { words, hint: 0 }
    }

    /// Takes the lowest free page.
    pub(super) fn take_one(&mut self) -> Option<u32> {
        let word = self.hint + self.words[self.hint..].iter().position(|word| *word != 0)?;
        self.hint = word;
        let bit = self.words[word].trailing_zeros();
        self.words[word] &= !(1 << bit);
        Some(word as u32 * 64 + bit)
    }

    /// Takes the shortest run of at least `count` free pages, or of several the lowest.
    pub(super) fn take_run(&mut self, count: u32) -> Option<u32> {
        let mut best: Option<(u32, u32)> = None;
        let mut from = self.hint as u32 * 64;
        while let Some((start, length)) = self.run_from(from) {
            if length >= count && best.is_none_or(|(_, shortest)| length < shortest) {
                best = Some((start, length));
                if length == count {
                    break;
                }
            }
            from = start + length;
        }
        let (start, _) = best?;
        (start..start + count).for_each(|page| self.take(page));
        Some(start)
    }

    /// Takes a page that is free.
    pub(super) fn take(&mut self, page: u32) {
        assert!(self.is_free(page));
        self.words[page as usize / 64] &= !(1 << (page % 64));
    }

    /// Gives a page back.
    pub(super) fn give(&mut self, page: u32) {
        assert!(page > 0);
        assert!(!self.is_free(page));
        self.words[page as usize / 64] |= 1 << (page % 64);
        self.hint = self.hint.min(page as usize / 64);
    }

    /// Whether `page` exists and is free.
    pub(super) fn is_free(&self, page: u32) -> bool {
        self.words.get(page as usize / 64).is_some_and(|word| word >> (page % 64) & 1 == 1)
    }

    /// The first run of free pages that starts at `from` or later: its start and length.
    fn run_from(&self, from: u32) -> Option<(u32, u32)> {
        let start = self.next(from, true)?;
        let end = self.next(start, false).unwrap_or(PAGE_COUNT_MAX as u32);
        Some((start, end - start))
    }

    /// The first page from `from` on that is free or not, as asked.
    fn next(&self, from: u32, free: bool) -> Option<u32> {
        let flip = if free { 0 } else { u64::MAX };
        let mut word = from as usize / 64;
        let mut bits = (*self.words.get(word)? ^ flip) >> (from % 64) << (from % 64);
        while bits == 0 {
            word += 1;
            bits = *self.words.get(word)? ^ flip;
        }
        Some(word as u32 * 64 + bits.trailing_zeros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_pages_come_from_the_lowest_address_and_never_page_zero() {
        let mut free = FreePages::new();
        assert_eq!((1..=200).map(|_| free.take_one().unwrap()).collect::<Vec<_>>(), (1..=200).collect::<Vec<_>>());
        free.give(77);
        free.give(3);
        assert_eq!(free.take_one(), Some(3));
        assert_eq!(free.take_one(), Some(77));
        assert_eq!(free.take_one(), Some(201));
    }

    #[test]
    fn a_run_is_taken_where_it_fits_best_and_neighbours_coalesce() {
        let mut free = FreePages::new();
        assert_eq!(free.take_run(300), Some(1));
        assert_eq!(free.take_run(4), Some(301));
        (10..20).for_each(|page| free.give(page));
        (100..104).for_each(|page| free.give(page));
        (104..106).for_each(|page| free.give(page));
        assert_eq!(free.take_run(5), Some(100));
        assert_eq!(free.take_run(8), Some(10));
        assert_eq!(free.take_run(3), Some(305));
        assert_eq!(free.take_run(2), Some(18));
    }

    #[test]
    fn the_last_page_can_be_had_and_then_none() {
        let mut free = FreePages::new();
        let all = PAGE_COUNT_MAX as u32 - 1;
        assert_eq!(free.take_run(all + 1), None);
        assert_eq!(free.take_run(all), Some(1));
        assert_eq!(free.take_one(), None);
        assert_eq!(free.take_run(1), None);
        free.give(all);
        assert_eq!(free.take_one(), Some(all));
    }
}
