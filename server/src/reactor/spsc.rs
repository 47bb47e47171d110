//! A bounded queue from one thread to one other: no lock, one atomic store an operation.
//!
//! ```text
//!          head (next to take)            tail (next to put)
//!            ▼                              ▼
//! [  .  |  full  |  full  |  full  |  .  |  .  ]      index modulo capacity
//! ```
//!
//! Invariants:
//! - `tail - head` is at most the capacity, both count without end;
//! - only the sender writes `tail` and the cells from `tail` on; only the receiver writes `head` and empties cells
//!   before `tail`; a cell changes hands by the release store of one index and the acquire load of it by the other.
//!
//! Source: Lamport, "Specifying concurrent program modules" (1983), with each side's cached copy of the other's index
//! as in Giacomoni et al., "FastForward" (PPoPP 2008).
#![expect(unsafe_code, reason = "a cell is written by one thread and read by another, in turns")]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Keeps what two threads write out of each other's cache lines (two lines, because they are fetched in pairs).
#[repr(align(128))]
struct Aligned<T>(T);

struct Queue<T> {
    head: Aligned<AtomicUsize>,
    tail: Aligned<AtomicUsize>,
    cells: Box<[UnsafeCell<MaybeUninit<T>>]>,
}

// SAFETY: a cell is touched by one thread at a time, as the invariants say, so sending `T` is all that happens to it.
unsafe impl<T: Send> Sync for Queue<T> {}
// SAFETY: the queue owns its items, which may be sent.
unsafe impl<T: Send> Send for Queue<T> {}

/// The end that puts.
pub(crate) struct Sender<T> {
    queue: Arc<Queue<T>>,
    tail: usize,
    head_seen: usize,
}

/// The end that takes.
pub(crate) struct Receiver<T> {
    queue: Arc<Queue<T>>,
    head: usize,
    tail_seen: usize,
}

/// A queue for `capacity` items, a power of two.
pub(crate) fn queue<T: Send>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity.is_power_of_two(), "indices wrap at a power of two");
    let cells = (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
    let zero = || Aligned(AtomicUsize::new(0));
    let queue = Arc::new(Queue { head: zero(), tail: zero(), cells });
    (Sender { queue: Arc::clone(&queue), tail: 0, head_seen: 0 }, Receiver { queue, head: 0, tail_seen: 0 })
}

impl<T: Send> Sender<T> {
    /// Puts `item`, or gives it back when the queue is full.
    ///
    /// # Errors
    /// The item.
    #[inline]
    pub(crate) fn send(&mut self, item: T) -> Result<(), T> {
        let capacity = self.queue.cells.len();
        if self.tail - self.head_seen == capacity {
            self.head_seen = self.queue.head.0.load(Ordering::Acquire);
            if self.tail - self.head_seen == capacity {
                return Err(item);
            }
        }
        let cell = self.queue.cells[self.tail & (capacity - 1)].get();
        // SAFETY: the receiver is past this cell (`head_seen`) and does not look at it before `tail` is stored.
        unsafe { (*cell).write(item) };
        self.tail += 1;
        self.queue.tail.0.store(self.tail, Ordering::Release);
        Ok(())
    }
}

impl<T: Send> Receiver<T> {
    /// Takes the oldest item.
    #[inline]
    pub(crate) fn receive(&mut self) -> Option<T> {
        if !self.has_items() {
            return None;
        }
        let cell = self.queue.cells[self.head & (self.queue.cells.len() - 1)].get();
        // SAFETY: the sender leaves this cell alone from its store of `tail` until our store of `head`.
        let cell = unsafe { &*cell };
        // SAFETY: the sender wrote it before it stored `tail`, and `head` passes it once.
        let item = unsafe { cell.assume_init_read() };
        self.head += 1;
        self.queue.head.0.store(self.head, Ordering::Release);
        Some(item)
    }

    /// Whether there is something to take.
    #[inline]
    pub(crate) fn has_items(&mut self) -> bool {
        if self.head == self.tail_seen {
            self.tail_seen = self.queue.tail.0.load(Ordering::Acquire);
        }
        self.head != self.tail_seen
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        let tail = *self.tail.0.get_mut();
        let mask = self.cells.len() - 1;
        for index in *self.head.0.get_mut()..tail {
            // SAFETY: cells from head to tail are full, and nobody else is left.
            unsafe { self.cells[index & mask].get_mut().assume_init_drop() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_out_in_order_and_a_full_queue_refuses() {
        let (mut sender, mut receiver) = queue(2);
        assert_eq!(receiver.receive(), None);
        for round in 0..5 {
            assert_eq!(sender.send(round), Ok(()));
            assert_eq!(sender.send(round + 100), Ok(()));
            assert_eq!(sender.send(7), Err(7));
            assert_eq!((receiver.receive(), receiver.receive()), (Some(round), Some(round + 100)));
            assert_eq!(receiver.receive(), None);
        }
    }

    #[test]
    fn what_nobody_took_is_dropped() {
        let item = Arc::new(());
        let (mut sender, receiver) = queue(4);
        for _ in 0..3 {
            assert!(sender.send(Arc::clone(&item)).is_ok());
        }
        drop((sender, receiver));
        assert_eq!(Arc::strong_count(&item), 1);
    }

    #[test]
    fn two_threads_lose_and_swap_nothing() {
        const COUNT: u64 = 200_000;
        let (mut sender, mut receiver) = queue(8);
        let sending = std::thread::spawn(move || {
            for number in 0..COUNT {
                let mut item = Box::new(number);
                while let Err(back) = sender.send(item) {
                    item = back;
                    std::thread::yield_now();
                }
            }
        });
        let mut expected = 0;
        while expected < COUNT {
            match receiver.receive() {
                Some(number) => {
                    assert_eq!(*number, expected);
                    expected += 1;
                }
                None => std::thread::yield_now(),
            }
        }
        sending.join().expect("the sender does not panic");
    }
}
