#![expect(unsafe_code, reason = "memory shared with the kernel")]
//! The buffers that the kernel fills with replies, in a ring that it takes them from.
//!
//! One mapping holds the ring of 16-byte entries and, behind it, the buffers. The kernel takes entries from
//! the head as bytes arrive on any connection; a buffer goes back at the tail once its bytes were looked at.
//!
//! ```text
//! | entry 0 | entry 1 | ... | padding to a page | buffer 0 | buffer 1 | ...
//! ```
//!
//! Invariant: a buffer is either in the ring, where only the kernel touches it, or lent out by a completion,
//! where only this thread does.
//!
//! Source: `io_uring_register_buf_ring(3)`.

use std::{
    io,
    ptr::NonNull,
    sync::atomic::{AtomicU16, Ordering},
};

use io_uring::{IoUring, types::BufRingEntry};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

const PAGE_BYTES: usize = 4096;

/// The group that the buffers have in their `io_uring`.
pub(crate) const GROUP: u16 = 0;

/// Buffers of one size in a ring of their own.
#[derive(Debug)]
pub(crate) struct Buffers {
    mapping: NonNull<u8>,
    first_offset: usize,
    buffer_bytes: usize,
    count: u16,
    tail: u16,
}

impl Buffers {
    /// Maps `count` buffers, a power of two, and registers them with `io`.
    ///
    /// The mapping stays until the process ends: a receive that is armed when its `io_uring` is closed is
    /// cancelled some time later, and until then the kernel may write.
    pub(crate) fn register(io: &IoUring, count: u16, buffer_bytes: usize) -> io::Result<Self> {
        assert!(count.is_power_of_two() && count <= 32_768, "the kernel's limits");
        let first_offset = (usize::from(count) * size_of::<BufRingEntry>()).next_multiple_of(PAGE_BYTES);
        let mapping_bytes = first_offset + usize::from(count) * buffer_bytes;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory in use.
        let mapping = unsafe { mmap_anonymous(std::ptr::null_mut(), mapping_bytes, protection, MapFlags::PRIVATE) }?;
        let mapping = NonNull::new(mapping.cast()).expect("a mapping is never at address 0");
        let mut buffers = Self { mapping, first_offset, buffer_bytes, count, tail: 0 };
        let address = mapping.as_ptr() as u64;
        // SAFETY: the address is that of a page-aligned mapping large enough for `count` entries, and it is
        // never unmapped.
        unsafe { io.submitter().register_buf_ring_with_flags(address, count, GROUP, 0) }?;
        for id in 0..count {
            buffers.put(id);
        }
        buffers.publish();
        Ok(buffers)
    }

    /// The first bytes of a buffer that a completion lent out.
    #[inline]
    pub(crate) fn bytes(&self, id: u16, length: usize) -> &[u8] {
        assert!(id < self.count && length <= self.buffer_bytes);
        let offset = self.first_offset + usize::from(id) * self.buffer_bytes;
        // SAFETY: the offset is inside the mapping by the assertion above.
        let start = unsafe { self.mapping.add(offset) };
        // SAFETY: the bytes are inside the mapping and initialised (it began as zeros), and the kernel does not
        // write to a lent buffer; `put`, which ends the loan, needs `&mut self` and so the end of this borrow.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), length) }
    }

    /// Puts a buffer at the tail of the ring; the kernel sees it after [`Self::publish`].
    #[inline]
    pub(crate) fn put(&mut self, id: u16) {
        debug_assert!(id < self.count);
        let place = usize::from(self.tail & (self.count - 1));
        let address = self.mapping.as_ptr() as u64 + (self.first_offset + usize::from(id) * self.buffer_bytes) as u64;
        // SAFETY: `place` is below the count of entries, which begin the mapping.
        let entry = unsafe { self.mapping.cast::<BufRingEntry>().add(place) };
        // SAFETY: the entry is in the mapping, aligned, and not the kernel's: no more buffers exist than entries,
        // so the ring has never more entries than places.
        let entry = unsafe { &mut *entry.as_ptr() };
        entry.set_addr(address);
        entry.set_len(self.buffer_bytes as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel what was put since the last time.
    #[inline]
    pub(crate) fn publish(&mut self) {
        // SAFETY: the pointer is that of the first entry of a registered ring.
        let tail = unsafe { BufRingEntry::tail(self.mapping.as_ptr().cast()) };
        // SAFETY: the tail is a 2-byte aligned field in the mapping that both sides access atomically.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}
