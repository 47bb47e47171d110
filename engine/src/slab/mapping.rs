//! The slab's address space: one reserved range, made writable from its start on.
//!
//! A shard reserves all that its 4-byte references can reach and touches only what it uses, so items never
//! move because of growth. Reserved memory is inaccessible and costs nothing, even where the kernel does
//! not overcommit; the range becomes writable in steps, always from the start, so that the kernel keeps
//! two areas and not thousands. Memory is committed by the first write to a frame and goes back by
//! [`Mapping::release`]. Writable memory reads as zeros or as what was last written, so every byte below
//! `writable_bytes` is initialized, and a slice of it is sound whatever cell it belongs to; the borrow of
//! the mapping makes reads and writes exclude each other.
#![expect(unsafe_code, reason = "maps memory and lends slices of it")]

use std::io;
use std::ptr::NonNull;

/// How much more becomes writable at once.
const WRITABLE_STEP_BYTES: usize = 64 << 20;

/// A reserved range of address space.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
    writable_bytes: usize,
}

// SAFETY: the mapping owns its memory, which has no tie to the thread that made it.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Reserves `bytes`, a multiple of the step in which it becomes writable.
    ///
    /// # Errors
    /// When the kernel has no such range.
    pub(super) fn new(bytes: usize) -> io::Result<Mapping> {
        assert!(bytes > 0);
        assert!(bytes.is_multiple_of(WRITABLE_STEP_BYTES));
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice aliases nothing.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).expect("a mapping that did not fail has an address");
        Ok(Mapping { start, bytes, writable_bytes: 0 })
    }

    /// Makes at least the first `bytes` writable; `false` if the kernel refuses or the range ends before.
    pub(super) fn make_writable(&mut self, bytes: usize) -> bool {
        if bytes <= self.writable_bytes {
            return true;
        }
        if bytes > self.bytes {
            return false;
        }
        let target = bytes.next_multiple_of(WRITABLE_STEP_BYTES);
        debug_assert!(target <= self.bytes);
        let more = self.address(self.writable_bytes);
        let length = target - self.writable_bytes;
        // SAFETY: the range lies within the mapping, behind everything that was lent out.
        let result = unsafe { libc::mprotect(more.cast(), length, libc::PROT_READ | libc::PROT_WRITE) };
        if result == 0 {
            self.writable_bytes = target;
        }
        result == 0
    }

    /// The `bytes` from `offset` on.
    #[inline]
    pub(super) fn slice(&self, offset: usize, bytes: usize) -> &[u8] {
        self.assert_writable(offset, bytes);
        let start = self.address(offset);
        // SAFETY: checked above to lie in the writable part, which is initialized and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(start, bytes) }
    }

    /// The `bytes` from `offset` on, to be written.
    #[inline]
    pub(super) fn slice_mut(&mut self, offset: usize, bytes: usize) -> &mut [u8] {
        self.assert_writable(offset, bytes);
        let start = self.address(offset);
        // SAFETY: as in `slice`; the exclusive borrow of the mapping makes the slice the only one.
        unsafe { std::slice::from_raw_parts_mut(start, bytes) }
    }

    /// Copies `bytes` from `source` to `target`, two ranges that do not overlap.
    pub(super) fn copy(&mut self, source: usize, target: usize, bytes: usize) {
        self.assert_writable(source, bytes);
        self.assert_writable(target, bytes);
        assert!(source.abs_diff(target) >= bytes, "cells overlap");
        let (source, target) = (self.address(source), self.address(target));
        // SAFETY: both ranges lie in the writable part and do not overlap, as asserted above.
        unsafe { std::ptr::copy_nonoverlapping(source, target, bytes) }
    }

    /// Gives the memory of a range back to the kernel; it reads as zeros afterwards.
    pub(super) fn release(&mut self, offset: usize, bytes: usize) {
        self.advise(offset, bytes, libc::MADV_DONTNEED);
    }

    /// Asks for huge pages in a range, or for none.
    pub(super) fn advise_huge(&mut self, offset: usize, bytes: usize, wanted: bool) {
        self.advise(offset, bytes, if wanted { libc::MADV_HUGEPAGE } else { libc::MADV_NOHUGEPAGE });
    }

    fn advise(&mut self, offset: usize, bytes: usize, advice: i32) {
        self.assert_writable(offset, bytes);
        let start = self.address(offset);
        // SAFETY: the range lies in the writable part and no slice of it can be alive beside `&mut self`.
        let result = unsafe { libc::madvise(start.cast(), bytes, advice) };
        // Huge pages may be configured out of the kernel; giving memory back cannot fail on our own range.
        debug_assert!(result == 0 || advice != libc::MADV_DONTNEED);
    }

    /// Asks the CPU for the first two cache lines from `offset` on; any offset is fine.
    #[inline]
    pub(super) fn prefetch(&self, offset: usize) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let start = self.start.as_ptr().wrapping_add(offset).cast::<i8>();
            // SAFETY: a prefetch has no effect but on caches, whatever the address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start) }
            // SAFETY: as above.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(64)) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = offset;
    }

    #[inline]
    fn assert_writable(&self, offset: usize, bytes: usize) {
        assert!(offset <= self.writable_bytes && bytes <= self.writable_bytes - offset, "a range outside of the slab");
    }

    #[inline]
    fn address(&self, offset: usize) -> *mut u8 {
        debug_assert!(offset <= self.bytes);
        self.start.as_ptr().wrapping_add(offset)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is the one `new` mapped, and nothing borrows it any more.
        let result = unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
        debug_assert_eq!(result, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_reads_as_zeros_then_as_written_then_as_zeros_once_released() {
        let mut mapping = Mapping::new(WRITABLE_STEP_BYTES * 2).unwrap();
        assert!(mapping.make_writable(1));
        assert_eq!(mapping.slice(4096, 3), [0, 0, 0]);
        mapping.slice_mut(4096, 3).copy_from_slice(&[1, 2, 3]);
        mapping.copy(4096, 8192, 3);
        assert_eq!(mapping.slice(8192, 3), [1, 2, 3]);
        mapping.release(4096, 4096);
        assert_eq!(mapping.slice(4096, 3), [0, 0, 0]);
        assert_eq!(mapping.slice(8192, 3), [1, 2, 3]);
    }

    #[test]
    fn the_range_ends_where_it_was_reserved_to() {
        let mut mapping = Mapping::new(WRITABLE_STEP_BYTES * 2).unwrap();
        assert!(mapping.make_writable(WRITABLE_STEP_BYTES * 2));
        assert!(!mapping.make_writable(WRITABLE_STEP_BYTES * 2 + 1));
    }

    #[test]
    #[should_panic(expected = "outside of the slab")]
    fn what_is_not_writable_yet_is_not_lent() {
        let mapping = Mapping::new(WRITABLE_STEP_BYTES).unwrap();
        mapping.slice(0, 1);
    }
}
