//! The memory of a table: a reserved range of slots, made writable from its start on.
//!
//! A table grows in place, so all slots it may ever have are reserved as addresses with its first entry; that
//! costs no memory. Until then it is a view of one static page of empty slots that all such tables share, since
//! a shard has many tables of which most are never used. The range becomes writable in steps as the table reaches into it, and memory is committed
//! by the first write to a page. Writable memory reads as zeros, the empty slot, or as what was last
//! written, so one slice over the writable part is all the table needs and every access is bounds-checked.
#![expect(unsafe_code, reason = "maps memory and lends it as a slice")]

use std::ptr::NonNull;

/// Slots of a page of memory.
pub(super) const PAGE_SLOTS: usize = 4096 / size_of::<u64>();

/// How many more slots become writable at once, at least.
const WRITABLE_STEP_SLOTS: usize = 16 * PAGE_SLOTS;

/// What a table reads before its first entry.
static EMPTY: [u64; WRITABLE_STEP_SLOTS] = [0; WRITABLE_STEP_SLOTS];

/// A range of slots, reserved with the first write, the first of which are writable.
#[derive(Debug)]
pub(super) struct Slots {
    /// The range, or [`EMPTY`] while nothing is writable.
    start: NonNull<u64>,
    /// Slots of the range, whether it is reserved by now or not.
    reserved: usize,
    readable: usize,
    /// As many as are readable, or none while the range is not reserved.
    writable: usize,
}

// SAFETY: the mapping owns its memory, which has no tie to the thread that made it.
unsafe impl Send for Slots {}

impl Slots {
    /// A range of `reserved` slots to be, as yet without addresses of its own.
    pub(super) fn new(reserved: usize) -> Slots {
        assert!(reserved >= WRITABLE_STEP_SLOTS);
        assert!(reserved.is_multiple_of(WRITABLE_STEP_SLOTS));
        Slots { start: NonNull::from(&EMPTY).cast(), reserved, readable: EMPTY.len(), writable: 0 }
    }

    /// Reserves the range; `false` when the kernel has no such range.
    fn reserve(&mut self) -> bool {
        let bytes = self.reserved * size_of::<u64>();
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice aliases nothing.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return false;
        }
        self.start = NonNull::new(start.cast()).expect("a mapping that did not fail has an address");
        self.readable = 0;
        true
    }

    /// Whether the range has addresses.
    fn is_reserved(&self) -> bool {
        self.start != NonNull::from(&EMPTY).cast()
    }

    /// The writable slots, or the shared empty ones.
    #[inline]
    pub(super) fn all(&self) -> &[u64] {
        // SAFETY: the first `readable` slots are mapped readable, initialized (zero until written) and owned
        // by `self`, whose borrow keeps them from changing, or they are `EMPTY`, which never changes.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.readable) }
    }

    /// The writable slots, to be written.
    #[inline]
    pub(super) fn all_mut(&mut self) -> &mut [u64] {
        // SAFETY: as in `all`, and writable (none of `EMPTY` is); the exclusive borrow makes the slice the only one.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.writable) }
    }

    /// Makes at least the first `count` slots writable; `false` if the kernel refuses or the range ends before.
    #[inline]
    pub(super) fn make_writable(&mut self, count: usize) -> bool {
        count <= self.writable || self.extend(count)
    }

    #[cold]
    fn extend(&mut self, count: usize) -> bool {
        // A step in proportion keeps the number of system calls logarithmic when a run goes far.
        let target = count.saturating_add(count / 64).next_multiple_of(WRITABLE_STEP_SLOTS).min(self.reserved);
        if target < count || !self.is_reserved() && !self.reserve() {
            return false;
        }
        let more = self.start.as_ptr().wrapping_add(self.writable);
        let bytes = (target - self.writable) * size_of::<u64>();
        // SAFETY: the range lies within the mapping, behind everything that was lent out.
        let result = unsafe { libc::mprotect(more.cast(), bytes, libc::PROT_READ | libc::PROT_WRITE) };
        if result == 0 {
            self.writable = target;
            self.readable = target;
        }
        result == 0
    }

    /// Gives the memory of the slots from `begin` to `end` back to the kernel, both multiples of
    /// [`PAGE_SLOTS`]; they read as zeros afterwards.
    pub(super) fn release(&mut self, begin: usize, end: usize) {
        assert!(begin <= end && end <= self.writable);
        assert!(begin.is_multiple_of(PAGE_SLOTS) && end.is_multiple_of(PAGE_SLOTS));
        if begin == end {
            return;
        }
        let start = self.start.as_ptr().wrapping_add(begin);
        let bytes = (end - begin) * size_of::<u64>();
        // SAFETY: the range lies in the writable part and no slice of it can be alive beside `&mut self`.
        let result = unsafe { libc::madvise(start.cast(), bytes, libc::MADV_DONTNEED) };
        // A table whose emptied pages kept old slots would answer wrongly, so this may not go unnoticed.
        assert_eq!(result, 0, "madvise refused to give back pages of our own range");
    }

    /// Asks the CPU for the cache line of the slot at `index`; any index is fine.
    #[inline]
    pub(super) fn prefetch(&self, index: usize) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: a prefetch has no effect but on caches, whatever the address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(self.start.as_ptr().wrapping_add(index).cast()) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = index;
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        if !self.is_reserved() {
            return;
        }
        let bytes = self.reserved * size_of::<u64>();
        // SAFETY: the range is the one `reserve` mapped, and nothing borrows it any more.
        let result = unsafe { libc::munmap(self.start.as_ptr().cast(), bytes) };
        debug_assert_eq!(result, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_read_as_empty_then_as_written_then_as_empty_once_released() {
        let mut slots = Slots::new(WRITABLE_STEP_SLOTS * 4);
        assert!(slots.all().iter().all(|slot| *slot == 0) && slots.all().len() >= WRITABLE_STEP_SLOTS);
        assert!(slots.all_mut().is_empty());
        assert!(slots.make_writable(2 * WRITABLE_STEP_SLOTS + 1));
        slots.all_mut()[PAGE_SLOTS] = 7;
        slots.all_mut()[2 * WRITABLE_STEP_SLOTS] = 8;
        slots.release(PAGE_SLOTS, 2 * PAGE_SLOTS);
        assert_eq!((slots.all()[PAGE_SLOTS], slots.all()[2 * WRITABLE_STEP_SLOTS]), (0, 8));
    }

    #[test]
    fn the_range_ends_where_it_was_reserved_to() {
        let mut slots = Slots::new(WRITABLE_STEP_SLOTS * 4);
        assert!(slots.make_writable(WRITABLE_STEP_SLOTS * 4));
        assert!(!slots.make_writable(WRITABLE_STEP_SLOTS * 4 + 1));
    }
}
