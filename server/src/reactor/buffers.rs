//! The buffers that the kernel receives into: one ring of them for all connections of a thread.
//!
//! A connection that is silent holds no buffer: the kernel takes one from the ring when bytes arrive. Where the
//! kernel can (6.12), it fills a buffer bit by bit ([`IOU_PBUF_RING_INC`]), so that many small requests share one;
//! elsewhere each receive takes a whole buffer.
//!
//! ```text
//!            handed out: the kernel may write from `filled` on
//! buffer 3   [ piece | piece | piece |.........................]
//!            0               filled                            RECEIVE_BUFFER_BYTES
//! ```
//!
//! Invariants:
//! - the kernel writes only to buffers between [`Buffers::recycle`] and the completion that says it is done with them,
//!   and there only behind the bytes it reported;
//! - a [`Piece`] is read in the turn it was received in, never later: `recycle` ends its life.
#![expect(unsafe_code, reason = "the kernel writes to this memory while we read other parts of it")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;
use io_uring::{IoUring, cqueue};

use super::limits::{RECEIVE_BUFFER_BYTES, RECEIVE_BUFFER_COUNT};

/// The number of the only buffer group.
pub(crate) const GROUP: u16 = 0;

/// `IOU_PBUF_RING_INC` of the kernel's interface: a buffer is consumed bit by bit.
const RING_FLAG_INCREMENTAL: u16 = 2;

const PAGE_BYTES: usize = 4096;
const RING_BYTES: usize = RECEIVE_BUFFER_COUNT as usize * size_of::<BufRingEntry>();
const DATA_BYTES: usize = RECEIVE_BUFFER_COUNT as usize * RECEIVE_BUFFER_BYTES as usize;

/// Bytes received at once, in a buffer of the ring.
#[derive(Debug)]
pub(crate) struct Piece {
    offset: u32,
    length: u32,
    turn: u32,
}

impl Piece {
    /// How many bytes.
    pub(crate) fn len(&self) -> usize {
        self.length as usize
    }
}

/// The receive buffers of one thread.
pub(crate) struct Buffers {
    ring: NonNull<BufRingEntry>,
    data: NonNull<u8>,
    /// By buffer: how far the kernel filled it.
    filled: Vec<u32>,
    /// Buffers that the kernel is done with.
    done: Vec<u16>,
    tail: u16,
    turn: u32,
}

impl Buffers {
    /// Buffers that are registered with `ring`, and must outlive it.
    ///
    /// # Errors
    /// When the kernel refuses them.
    pub(crate) fn new(ring: &IoUring) -> io::Result<Buffers> {
        let mut buffers = Buffers {
            ring: allocate(RING_BYTES).cast(),
            data: allocate(DATA_BYTES),
            filled: vec![0; usize::from(RECEIVE_BUFFER_COUNT)],
            done: (0..RECEIVE_BUFFER_COUNT).collect(),
            tail: 0,
            turn: 0,
        };
        let address = buffers.ring.as_ptr() as u64;
        let register = |flags| {
            // SAFETY: the memory is page-aligned, has room for that many entries, and is freed after the ring only
            // (`Ring` holds both and drops the ring first).
            unsafe { ring.submitter().register_buf_ring_with_flags(address, RECEIVE_BUFFER_COUNT, GROUP, flags) }
        };
        register(RING_FLAG_INCREMENTAL).or_else(|_| register(0))?;
        buffers.recycle();
        Ok(buffers)
    }

    /// The piece that a completion with these `flags` says was received.
    #[inline]
    pub(crate) fn take(&mut self, flags: u32, length: u32) -> Piece {
        let buffer = cqueue::buffer_select(flags).expect("a receive with data names its buffer");
        let filled = &mut self.filled[usize::from(buffer)];
        let offset = u32::from(buffer) * RECEIVE_BUFFER_BYTES + *filled;
        *filled += length;
        assert!(*filled <= RECEIVE_BUFFER_BYTES, "the kernel stays inside a buffer");
        if !cqueue::buffer_more(flags) {
            self.done.push(buffer);
        }
        Piece { offset, length, turn: self.turn }
    }

    /// The bytes of a piece of this turn.
    #[inline]
    pub(crate) fn bytes(&self, piece: &Piece) -> &[u8] {
        assert_eq!(piece.turn, self.turn, "a piece is read in its own turn");
        let start = self.data.as_ptr().wrapping_add(piece.offset as usize);
        // SAFETY: the range was reported by the kernel as received, so it lies in the data and is initialised; the
        // kernel does not write there again before `recycle`, which needs `&mut self`.
        unsafe { std::slice::from_raw_parts(start, piece.length as usize) }
    }

    /// Ends the turn: the pieces' buffers go back to the kernel.
    #[inline]
    pub(crate) fn recycle(&mut self) {
        self.turn = self.turn.wrapping_add(1);
        if self.done.is_empty() {
            return;
        }
        for buffer in self.done.drain(..) {
            self.filled[usize::from(buffer)] = 0;
            let address = self.data.as_ptr() as u64 + u64::from(buffer) * u64::from(RECEIVE_BUFFER_BYTES);
            let entry = self.ring.as_ptr().wrapping_add(usize::from(self.tail % RECEIVE_BUFFER_COUNT));
            // SAFETY: the entry lies in the ring's memory; the kernel reads entries before the tail only.
            let entry = unsafe { &mut *entry };
            entry.set_addr(address);
            entry.set_len(RECEIVE_BUFFER_BYTES);
            entry.set_bid(buffer);
            self.tail = self.tail.wrapping_add(1);
        }
        // SAFETY: the ring's first entry is initialised (zeroed at least), and the tail lies in it.
        let tail = unsafe { BufRingEntry::tail(self.ring.as_ptr()) };
        // SAFETY: two aligned bytes shared with the kernel, accessed atomically.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: allocated by `allocate` with this size.
        unsafe { dealloc(self.ring.as_ptr().cast(), layout(RING_BYTES)) };
        // SAFETY: allocated by `allocate` with this size.
        unsafe { dealloc(self.data.as_ptr(), layout(DATA_BYTES)) };
    }
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, PAGE_BYTES).expect("a small constant size")
}

fn allocate(bytes: usize) -> NonNull<u8> {
    // SAFETY: the size is a constant above zero.
    let memory = unsafe { alloc_zeroed(layout(bytes)) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout(bytes)))
}
