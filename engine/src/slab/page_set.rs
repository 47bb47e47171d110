//! A set of pages, one bit each, that finds single pages, aligned pairs and runs.
//!
//! Single pages are taken from the lowest address on, so that the used part of the mapping stays short;
//! runs for extents are taken where they fit best. A search passes over at most 1,024 words: about a
//! microsecond, beside the copying of at least half a megabyte that an extent is taken for. Neighbouring
//! runs coalesce by themselves.

use super::PAGE_COUNT_MAX;

const WORDS: usize = PAGE_COUNT_MAX / 64;

/// Pages in a word of the set.
pub(super) const WORD_PAGES: u32 = 64;

/// A set of pages.
#[derive(Debug)]
pub(super) struct PageSet {
    words: Box<[u64]>,
    /// No page of the set lies before this word.
    hint: usize,
    count: u32,
}

impl PageSet {
    /// No page.
    pub(super) fn none() -> PageSet {
        PageSet { words: vec![0; WORDS].into_boxed_slice(), hint: WORDS, count: 0 }
    }

    /// All pages but page 0, which is never used.
    pub(super) fn all() -> PageSet {
        let mut words = vec![u64::MAX; WORDS].into_boxed_slice();
        words[0] &= !1;
        PageSet { words, hint: 0, count: PAGE_COUNT_MAX as u32 - 1 }
    }

    /// Pages in the set.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Whether `page` is in the set.
    pub(super) fn contains(&self, page: u32) -> bool {
        self.words.get(page as usize / 64).is_some_and(|word| word >> (page % 64) & 1 == 1)
    }

    /// Adds a page that is not in the set.
    pub(super) fn add(&mut self, page: u32) {
        assert!(page > 0);
        assert!(!self.contains(page));
        self.words[page as usize / 64] |= 1 << (page % 64);
        self.hint = self.hint.min(page as usize / 64);
        self.count += 1;
    }

    /// Takes a page that is in the set out of it.
    pub(super) fn take(&mut self, page: u32) {
        assert!(self.contains(page));
        self.words[page as usize / 64] &= !(1 << (page % 64));
        self.count -= 1;
    }

    /// Takes the lowest page.
    pub(super) fn take_one(&mut self) -> Option<u32> {
        let from = self.hint.min(WORDS);
        let Some(found) = self.words[from..].iter().position(|word| *word != 0) else {
            self.hint = WORDS;
            return None;
        };
        self.hint = from + found;
        let page = self.hint as u32 * 64 + self.words[self.hint].trailing_zeros();
        self.take(page);
        Some(page)
    }

    /// Takes the lowest page that is not in `others`.
    pub(super) fn take_one_not_in(&mut self, others: &PageSet) -> Option<u32> {
        let from = self.hint.min(WORDS);
        let mut words = self.words[from..].iter().zip(&others.words[from..]);
        let found = from + words.position(|(word, other)| word & !other != 0)?;
        let page = found as u32 * 64 + (self.words[found] & !others.words[found]).trailing_zeros();
        self.take(page);
        Some(page)
    }

    /// Takes the lowest two neighbours of which the first is even, and returns that.
    pub(super) fn take_pair(&mut self) -> Option<u32> {
        let pairs = |word: u64| word & (word >> 1) & 0x5555_5555_5555_5555;
        let from = self.hint.min(WORDS);
        let found = from + self.words[from..].iter().position(|word| pairs(*word) != 0)?;
        let page = found as u32 * 64 + pairs(self.words[found]).trailing_zeros();
        self.take(page);
        self.take(page + 1);
        Some(page)
    }

    /// Takes the lowest 64 pages that share a word.
    pub(super) fn take_word(&mut self) -> Option<u32> {
        let found = self.words.iter().position(|word| *word == u64::MAX)?;
        self.words[found] = 0;
        self.count -= WORD_PAGES;
        Some(found as u32 * 64)
    }

    /// Takes the shortest run of at least `count` pages, or of several the lowest.
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

    /// The first run that starts at `from` or later: its start and length.
    fn run_from(&self, from: u32) -> Option<(u32, u32)> {
        let start = self.next(from, 0)?;
        let end = self.next(start, u64::MAX).unwrap_or(PAGE_COUNT_MAX as u32);
        Some((start, end - start))
    }

    /// The first page from `from` on whose bit, exclusive-or that of `flip`, is set.
    fn next(&self, from: u32, flip: u64) -> Option<u32> {
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
        let mut free = PageSet::all();
        assert_eq!((1..=200).map(|_| free.take_one().unwrap()).collect::<Vec<_>>(), (1..=200).collect::<Vec<_>>());
        free.add(77);
        free.add(3);
        assert_eq!(free.take_one(), Some(3));
        assert_eq!(free.take_one(), Some(77));
        assert_eq!(free.take_one(), Some(201));
        assert_eq!(PageSet::none().take_one(), None);
    }

    #[test]
    fn a_run_is_taken_where_it_fits_best_and_neighbours_coalesce() {
        let mut free = PageSet::all();
        assert_eq!(free.take_run(300), Some(1));
        assert_eq!(free.take_run(4), Some(301));
        (10..20).for_each(|page| free.add(page));
        (100..104).for_each(|page| free.add(page));
        (104..106).for_each(|page| free.add(page));
        assert_eq!(free.take_run(5), Some(100));
        assert_eq!(free.take_run(8), Some(10));
        assert_eq!(free.take_run(3), Some(305));
        assert_eq!(free.take_run(2), Some(18));
    }

    #[test]
    fn the_last_page_can_be_had_and_then_none() {
        let mut free = PageSet::all();
        let all = PAGE_COUNT_MAX as u32 - 1;
        assert_eq!(free.take_run(all + 1), None);
        assert_eq!(free.take_run(all), Some(1));
        assert_eq!(free.count(), 0);
        assert_eq!(free.take_one(), None);
        assert_eq!(free.take_run(1), None);
        free.add(all);
        assert_eq!(free.take_one(), Some(all));
    }

    #[test]
    fn pairs_and_words_are_aligned() {
        let mut free = PageSet::all();
        assert_eq!(free.take_pair(), Some(2));
        assert_eq!(free.take_word(), Some(64));
        free.add(2);
        assert_eq!(free.take_pair(), Some(4));
        let mut others = PageSet::none();
        others.add(1);
        others.add(2);
        assert_eq!(free.take_one_not_in(&others), Some(6));
    }
}
