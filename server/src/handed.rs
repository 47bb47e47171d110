//! Connections that one thread accepted for another: the porter gives them to threads that are awake.
//!
//! A thread looks here only when it was woken by a ring, and then at one flag first, so that nobody pays who gets none.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::client::Door;

/// A connection, and by which listener it came.
pub(crate) type Connected = (Door, OwnedFd);

/// What one thread was given.
#[derive(Debug, Default)]
struct Tray {
    has_any: AtomicBool,
    connections: Mutex<Vec<Connected>>,
}

impl Tray {
    fn lock(&self) -> MutexGuard<'_, Vec<Connected>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What all threads were given and have not taken.
#[derive(Debug)]
pub(crate) struct Handed(Box<[Tray]>);

impl Handed {
    /// Nothing for any of `count` threads.
    pub(crate) fn new(count: u16) -> Handed {
        Handed((0..count).map(|_| Tray::default()).collect())
    }

    /// Gives thread `index` a connection; it is to be rung then.
    pub(crate) fn give(&self, index: u16, connected: Connected) {
        let tray = &self.0[usize::from(index)];
        let mut connections = tray.lock();
        connections.push(connected);
        tray.has_any.store(true, Ordering::Release);
    }

    /// Whether thread `index` was given something.
    #[inline]
    pub(crate) fn has_any(&self, index: u16) -> bool {
        self.0[usize::from(index)].has_any.load(Ordering::Acquire)
    }

    /// Takes what thread `index` was given.
    pub(crate) fn take(&self, index: u16) -> Vec<Connected> {
        let tray = &self.0[usize::from(index)];
        let mut connections = tray.lock();
        tray.has_any.store(false, Ordering::Release);
        std::mem::take(&mut connections)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_takes_what_it_was_given_once() {
        let handed = Handed::new(2);
        let socket = || OwnedFd::from(std::fs::File::open("/dev/null").expect("a descriptor"));
        handed.give(1, (Door::Http, socket()));
        handed.give(1, (Door::Shared, socket()));
        assert_eq!([handed.has_any(0), handed.has_any(1)], [false, true]);
        assert_eq!(handed.take(1).iter().map(|(door, _)| *door).collect::<Vec<_>>(), [Door::Http, Door::Shared]);
        assert!(!handed.has_any(1) && handed.take(1).is_empty());
    }
}
