//! The mesh of data threads: a queue for each ordered pair, and a bell for each thread.
//!
//! A message is all that one thread has to say to another in a turn, so that the cost of crossing (a cache miss or
//! two, sometimes a wake-up) is shared by many requests. Messages of a pair arrive in the order they were posted,
//! which is what keeps a client's requests for one key in order.
//!
//! Sleep protocol: a thread says that it sleeps, then looks at its queues once more, then blocks; a sender posts, then
//! looks whether the receiver sleeps, and rings if so. Each does its store before its load with a full fence between
//! them, so at least one of the two sees the other: no message is slept through.
//!
//! Invariants:
//! - a message that finds its queue full waits at the sender, and later ones behind it;
//! - a bell is rung at most once for each time its thread went to sleep.
//!
//! Source: the store-load pattern of futex(7) users; Dekker's mutual exclusion has the same proof.

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering, fence};

use super::limits::MESH_QUEUE_COUNT;
use super::spsc::{Receiver, Sender, queue};

/// How other threads find out whether a thread sleeps, and where to ring.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Bell {
    is_asleep: AtomicBool,
    ring: AtomicI32,
}

/// The bells of all threads.
#[derive(Clone, Debug)]
pub(crate) struct Bells(Arc<[Bell]>);

impl Bells {
    /// Bells of `count` threads, none of which has a ring yet.
    pub(crate) fn new(count: u16) -> Bells {
        Bells((0..count).map(|_| Bell { is_asleep: AtomicBool::new(false), ring: AtomicI32::new(-1) }).collect())
    }

    /// Says which ring to ring at for thread `index`.
    pub(crate) fn hang(&self, index: u16, ring: RawFd) {
        self.0[usize::from(index)].ring.store(ring, Ordering::Release);
    }

    /// The ring of thread `index`, if it has one.
    pub(crate) fn ring(&self, index: u16) -> Option<RawFd> {
        let ring = self.0[usize::from(index)].ring.load(Ordering::Acquire);
        (ring >= 0).then_some(ring)
    }

    /// The rings of all threads that have one.
    pub(crate) fn rings(&self) -> impl Iterator<Item = RawFd> {
        (0..self.0.len()).filter_map(|index| self.ring(index as u16))
    }
}

/// One thread's ends of the mesh.
pub(crate) struct Mesh<M> {
    index: u16,
    outgoing: Vec<Option<Sender<M>>>,
    incoming: Vec<Option<Receiver<M>>>,
    waiting: Vec<VecDeque<M>>,
    waiting_count: usize,
    rung: Vec<u16>,
    bells: Bells,
}

/// The ends of all threads of a mesh.
pub(crate) fn mesh<M: Send>(bells: &Bells) -> Vec<Mesh<M>> {
    let count = bells.0.len();
    let ends = |index| Mesh {
        index: index as u16,
        outgoing: (0..count).map(|_| None).collect(),
        incoming: (0..count).map(|_| None).collect(),
        waiting: (0..count).map(|_| VecDeque::new()).collect(),
        waiting_count: 0,
        rung: Vec::new(),
        bells: bells.clone(),
    };
    let mut threads: Vec<Mesh<M>> = (0..count).map(ends).collect();
    for source in 0..count {
        for target in (0..count).filter(|target| *target != source) {
            let (sender, receiver) = queue(MESH_QUEUE_COUNT);
            threads[source].outgoing[target] = Some(sender);
            threads[target].incoming[source] = Some(receiver);
        }
    }
    threads
}

impl<M: Send> Mesh<M> {
    /// Sends `message` to another thread.
    pub(crate) fn post(&mut self, target: u16, message: M) {
        let index = usize::from(target);
        let sender = self.outgoing[index].as_mut().expect("a thread does not write to itself");
        let refused = if self.waiting[index].is_empty() { sender.send(message).err() } else { Some(message) };
        if let Some(message) = refused {
            self.waiting[index].push_back(message);
            self.waiting_count += 1;
        }
        if !self.rung.contains(&target) {
            self.rung.push(target);
        }
    }

    /// The next message of any thread, and whose it is.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<(u16, M)> {
        let numbered = self.incoming.iter_mut().enumerate();
        let mut queues = numbered.filter_map(|(index, queue)| Some((index, queue.as_mut()?)));
        queues.find_map(|(index, queue)| queue.receive().map(|message| (index as u16, message)))
    }

    /// Whether a message is there.
    #[inline]
    pub(crate) fn has_messages(&mut self) -> bool {
        self.incoming.iter_mut().flatten().any(Receiver::has_items)
    }

    /// Whether messages wait for room in a queue.
    #[inline]
    pub(crate) fn is_congested(&self) -> bool {
        self.waiting_count > 0
    }

    /// Ends a turn of posting: tries again what found no room, and calls `ring` with the ring of each thread that has
    /// to be woken.
    #[inline]
    pub(crate) fn flush(&mut self, mut ring: impl FnMut(RawFd)) {
        if self.waiting_count > 0 {
            self.send_waiting();
        }
        if self.rung.is_empty() {
            return;
        }
        fence(Ordering::SeqCst);
        for target in self.rung.drain(..) {
            let bell = &self.bells.0[usize::from(target)];
            let was_asleep = bell.is_asleep.load(Ordering::Relaxed) && bell.is_asleep.swap(false, Ordering::AcqRel);
            if was_asleep && let Some(descriptor) = self.bells.ring(target) {
                ring(descriptor);
            }
        }
    }

    /// Says that this thread is about to block; `false` when there is a message, and it must not.
    #[inline]
    pub(crate) fn fall_asleep(&mut self) -> bool {
        self.bells.0[usize::from(self.index)].is_asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.has_messages() {
            self.wake_up();
            return false;
        }
        true
    }

    /// Says that this thread does not sleep.
    #[inline]
    pub(crate) fn wake_up(&mut self) {
        self.bells.0[usize::from(self.index)].is_asleep.store(false, Ordering::Relaxed);
    }

    fn send_waiting(&mut self) {
        for (index, waiting) in self.waiting.iter_mut().enumerate() {
            let Some(sender) = self.outgoing[index].as_mut() else { continue };
            while let Some(message) = waiting.pop_front() {
                if let Err(message) = sender.send(message) {
                    waiting.push_front(message);
                    break;
                }
                self.waiting_count -= 1;
                if !self.rung.contains(&(index as u16)) {
                    self.rung.push(index as u16);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Mesh<u64>, Mesh<u64>) {
        let bells = Bells::new(2);
        bells.hang(0, 100);
        bells.hang(1, 101);
        let mut ends = mesh(&bells);
        let second = ends.pop().expect("two ends");
        (ends.pop().expect("two ends"), second)
    }

    #[test]
    fn a_sleeper_is_rung_once_and_a_waking_thread_never() {
        let (mut first, mut second) = pair();
        let mut rung = Vec::new();
        first.post(1, 5);
        first.flush(|ring| rung.push(ring));
        assert!(rung.is_empty(), "the peer is awake");
        assert!(!second.fall_asleep(), "a message is there");
        assert_eq!(second.take(), Some((0, 5)));
        assert!(second.fall_asleep());
        first.post(1, 6);
        first.post(1, 7);
        first.flush(|ring| rung.push(ring));
        first.post(1, 8);
        first.flush(|ring| rung.push(ring));
        assert_eq!(rung, [101]);
    }

    #[test]
    fn messages_that_find_no_room_are_sent_later_in_order() {
        let (mut first, mut second) = pair();
        let count = MESH_QUEUE_COUNT as u64 * 3;
        for number in 0..count {
            first.post(1, number);
        }
        assert!(first.is_congested());
        for number in 0..count {
            assert_eq!(second.take(), Some((0, number)));
            first.flush(|_| {});
        }
        assert!(!first.is_congested());
        assert_eq!(second.take(), None);
    }

    #[test]
    fn no_message_is_slept_through() {
        const COUNT: u64 = 100_000;
        let (mut first, mut second) = pair();
        let woken = Arc::new((std::sync::Mutex::new(false), std::sync::Condvar::new()));
        let bell = Arc::clone(&woken);
        let receiving = std::thread::spawn(move || {
            let mut expected = 0;
            while expected < COUNT {
                while let Some((_, number)) = second.take() {
                    assert_eq!(number, expected);
                    expected += 1;
                }
                if expected < COUNT && second.fall_asleep() {
                    let mut is_rung = woken.0.lock().expect("no panic");
                    while !*is_rung {
                        is_rung = woken.1.wait(is_rung).expect("no panic");
                    }
                    *is_rung = false;
                    second.wake_up();
                }
            }
        });
        for number in 0..COUNT {
            first.post(1, number);
            first.flush(|_| {
                *bell.0.lock().expect("no panic") = true;
                bell.1.notify_one();
            });
        }
        while first.is_congested() {
            first.flush(|_| {
                *bell.0.lock().expect("no panic") = true;
                bell.1.notify_one();
            });
        }
        receiving.join().expect("the receiver does not panic");
    }
}
