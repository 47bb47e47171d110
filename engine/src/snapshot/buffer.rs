//! Memory for a block: it begins at a multiple of 4 KiB and never moves, so that a file may be written from it past
//! the page cache without another copy.
//!
//! ```text
//! Vec    | unused, up to 4,095 bytes | contents ... | room |
//!                                    ^ address divisible by 4,096
//! ```

use crate::disk::OUTPUT_BLOCK_BYTES;

/// Bytes that begin at a multiple of [`OUTPUT_BLOCK_BYTES`] in memory.
pub struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    capacity: usize,
}

impl Buffer {
    /// An empty buffer that has room for `capacity` bytes.
    pub fn new(capacity: usize) -> Buffer {
        let mut bytes: Vec<u8> = Vec::with_capacity(capacity + OUTPUT_BLOCK_BYTES - 1);
        let start = bytes.as_ptr().addr().next_multiple_of(OUTPUT_BLOCK_BYTES) - bytes.as_ptr().addr();
        bytes.resize(start, 0);
        Buffer { bytes, start, capacity }
    }

    /// What is in it.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// What is in it, to be overwritten.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    /// Bytes in it.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that it has room for in all.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Adds `bytes`.
    ///
    /// # Panics
    /// When there is no room for them: the buffer would have to move.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.capacity - self.len(), "a buffer does not grow");
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds zeros up to a length that is a multiple of `unit`.
    ///
    /// # Panics
    /// When there is no room for them.
    #[inline]
    pub fn pad(&mut self, unit: usize) {
        let target = self.len().next_multiple_of(unit);
        assert!(target <= self.capacity, "a buffer does not grow");
        self.bytes.resize(self.start + target, 0);
    }

    /// Cuts it to `length` bytes.
    #[inline]
    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(self.start + length);
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Buffer({} of {} bytes)", self.len(), self.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_begins_at_a_page_and_stays_there() {
        for capacity in [8, 4096, 100_000, 1 << 20] {
            let mut buffer = Buffer::new(capacity);
            let before = buffer.as_slice().as_ptr();
            assert_eq!(before.addr() % OUTPUT_BLOCK_BYTES, 0);
            assert!(buffer.capacity() == capacity && buffer.is_empty());
            buffer.push(b"x");
            buffer.pad(8);
            assert_eq!(buffer.as_slice(), b"x\0\0\0\0\0\0\0");
            buffer.truncate(1);
            assert_eq!((buffer.as_slice(), buffer.as_slice().as_ptr()), (&b"x"[..], before));
        }
    }

    #[test]
    #[should_panic(expected = "does not grow")]
    fn a_full_buffer_takes_no_more() {
        let mut buffer = Buffer::new(10);
        buffer.push(&[0; 11]);
    }
}
