//! The stretch of a log segment ahead of its writer that the kernel has made writable.
//!
//! The first store into a page of a mapped file is a page fault, in which the kernel may wait for the file system's
//! journal. The log keeper takes these faults ahead of the shard. A sync takes the pages back, even those that nothing
//! was stored in: what lies ahead then is stale, and made writable anew.
//!
//! ```text
//! segment  |== written ==|>-- writable --|-- not yet -----|
//!                        offset          end
//! ```

use crate::limits::{SEGMENT_POPULATED_BYTES, SEGMENT_STALE_BYTES};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// The segment it lies in.
    sequence: Option<u64>,
    end: usize,
    /// A sync was made since it was made writable.
    pub is_stale: bool,
    /// Where the writer was when it was last made writable anew.
    renewed_at: usize,
}

impl Window {
    /// The writer is at `offset` of segment `sequence`: what is to be made writable now, as offset and bytes.
    #[inline]
    pub(super) fn advance(&mut self, sequence: u64, offset: usize) -> Option<(usize, usize)> {
        if self.sequence != Some(sequence) {
            *self =
                Window { sequence: Some(sequence), end: SEGMENT_POPULATED_BYTES, is_stale: false, renewed_at: offset };
        }
        if offset + SEGMENT_POPULATED_BYTES / 2 > self.end {
            let from = self.end.max(offset);
            self.end = from + SEGMENT_POPULATED_BYTES;
            return Some((from, SEGMENT_POPULATED_BYTES));
        }
        if self.is_stale && offset - self.renewed_at >= SEGMENT_STALE_BYTES {
            self.is_stale = false;
            self.renewed_at = offset;
            let from = offset.next_multiple_of(PAGE_BYTES);
            return Some((from, self.end.saturating_sub(from)));
        }
        None
    }
}

/// What the kernel maps at a time.
const PAGE_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: usize = SEGMENT_POPULATED_BYTES / 2;

    #[test]
    fn it_moves_on_when_the_writer_is_in_its_second_half() {
        let mut window = Window::default();
        assert_eq!(window.advance(7, 4096), None);
        assert_eq!(window.advance(7, HALF), None);
        assert_eq!(window.advance(7, HALF + 1), Some((2 * HALF, 2 * HALF)));
        assert_eq!(window.advance(7, HALF + 2), None);
        // A long record jumped over it.
        assert_eq!(window.advance(7, 8 * HALF), Some((8 * HALF, 2 * HALF)));
        assert_eq!(window.advance(8, 4096), None);
    }

    #[test]
    fn a_sync_makes_it_stale() {
        let mut window = Window::default();
        assert_eq!(window.advance(0, 4096), None);
        window.is_stale = true;
        assert_eq!(window.advance(0, 5000), None);
        let offset = 4097 + SEGMENT_STALE_BYTES;
        let from = offset.next_multiple_of(PAGE_BYTES);
        assert_eq!(window.advance(0, offset), Some((from, 2 * HALF - from)));
        assert_eq!(window.advance(0, offset), None);
    }
}
