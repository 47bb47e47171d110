//! Requests that wait for a key, in the order they came: for a value to arrive, for a lock to be released.
//!
//! Nothing is polled. A queue is looked at when its key was touched, when something ends that its first waiter waits for
//! (a lease, a lock), and each waiter besides at its own deadline. This file only keeps the books: what a request is, and
//! running it, is the desk's business.
//!
//! ```text
//! by_name  (db, key) ─▶ queue ── by_order ─▶ waiter, waiter, waiter
//!                         │ look_at            │ deadline
//! looks    { (look_at, queue) }      deadlines { (deadline, waiter) }
//! ```
//!
//! Invariants:
//! - A queue has a waiter; each waiter is in one queue.
//! - `looks` has each queue's `look_at`, `deadlines` each waiter's deadline, and nothing else.
//! - A queue is in `woken` once if it is marked so, and no other queue is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hashbrown::HashMap;
use locksley_engine::{Db, Millis};

use crate::command::park::{Attempt, Parking};
use crate::limits::WAITER_COUNT_MAX;
use crate::name::{Name, NameRef};

/// A request that waits: a number that is used again when it waits no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WaiterId(pub u32);

#[derive(Debug)]
struct Waiter {
    queue: u32,
    /// Its place among all waiters.
    order: u64,
    deadline: Millis,
}

#[derive(Debug)]
struct Queue {
    name: Name,
    by_order: BTreeMap<u64, u32>,
    look_at: Option<Millis>,
    is_woken: bool,
}

/// The waiters of one shard.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    waiters: Places<Waiter>,
    queues: Places<Queue>,
    by_name: HashMap<Name, u32>,
    deadlines: BTreeSet<(Millis, u32)>,
    looks: BTreeSet<(Millis, u32)>,
    woken: VecDeque<u32>,
    order_next: u64,
}

impl Waiters {
    /// Waiters there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.deadlines.len()
    }

    /// Requests that wait for a key.
    pub(crate) fn count(&self, db: Db, key: &[u8]) -> usize {
        self.queue_of(db, key).map_or(0, |queue| self.queues.get(queue).by_order.len())
    }

    /// Whether a request waits for a key.
    #[inline]
    pub(crate) fn has(&self, db: Db, key: &[u8]) -> bool {
        !self.by_name.is_empty() && self.queue_of(db, key).is_some()
    }

    /// Lets a request wait for a key behind those that do; `None` if as many wait as may.
    pub(crate) fn push(&mut self, db: Db, key: &[u8], parking: Parking) -> Option<WaiterId> {
        if self.len() >= WAITER_COUNT_MAX {
            return None;
        }
        let queue = self.queue_of(db, key).unwrap_or_else(|| {
            let name = Name { db, key: Box::from(key) };
            let queue = Queue { name: name.clone(), by_order: BTreeMap::new(), look_at: None, is_woken: false };
            let queue = self.queues.insert(queue);
            self.by_name.insert(name, queue);
            queue
        });
        let order = self.order_next;
        self.order_next += 1;
        let id = self.waiters.insert(Waiter { queue, order, deadline: parking.deadline });
        self.deadlines.insert((parking.deadline, id));
        let place = self.queues.get_mut(queue);
        place.by_order.insert(order, id);
        if place.by_order.len() == 1 {
            self.look_at(queue, parking.look_at);
        }
        Some(WaiterId(id))
    }

    /// Something changed for the waiters of a key, if there are any.
    pub(crate) fn wake(&mut self, db: Db, key: &[u8]) {
        if let Some(queue) = self.queue_of(db, key) {
            self.wake_queue(queue);
        }
    }

    /// The waiter to run next at `now`, and whether for the last time; the caller runs it and says what came of it by
    /// [`Waiters::stay`] or [`Waiters::leave`]. Queues in which something changed come before deadlines, so that a lock
    /// is never given to one whose time is over while another was there before it.
    pub(crate) fn next(&mut self, now: Millis) -> Option<(WaiterId, Attempt)> {
        while let Some((at, queue)) = self.looks.first().copied()
            && at <= now
        {
            self.look_at(queue, None);
            self.wake_queue(queue);
        }
        if let Some(queue) = self.woken.front() {
            let first = self.queues.get(*queue).by_order.first_key_value().expect("a queue has a waiter");
            return Some((WaiterId(*first.1), Attempt::Again));
        }
        let (at, id) = self.deadlines.first().copied()?;
        (at <= now).then_some((WaiterId(id), Attempt::Last))
    }

    /// A waiter that was run waits on, and those behind it with it.
    ///
    /// # Panics
    /// When it is not the first waiter of the queue that was looked at.
    pub(crate) fn stay(&mut self, id: WaiterId, look_at: Option<Millis>) {
        let queue = self.waiters.get(id.0).queue;
        assert_eq!(self.woken.pop_front(), Some(queue), "one that stays was run because of its queue");
        self.queues.get_mut(queue).is_woken = false;
        self.look_at(queue, look_at);
    }

    /// A waiter waits no longer.
    ///
    /// # Panics
    /// When it does not wait.
    pub(crate) fn leave(&mut self, id: WaiterId) {
        let Waiter { queue, order, deadline } = self.waiters.remove(id.0);
        self.deadlines.remove(&(deadline, id.0));
        let place = self.queues.get_mut(queue);
        let was_first = place.by_order.first_key_value().is_some_and(|(first, _)| *first == order);
        place.by_order.remove(&order);
        if place.by_order.is_empty() {
            self.look_at(queue, None);
            self.woken.retain(|woken| *woken != queue);
            let Queue { name, .. } = self.queues.remove(queue);
            self.by_name.remove(&name);
        } else if was_first {
            // What the next one waits for, only it can say.
            self.wake_queue(queue);
        }
    }

    /// When [`Waiters::next`] has a waiter to run, if nothing changes before.
    pub(crate) fn next_at(&self) -> Option<Millis> {
        if !self.woken.is_empty() {
            return Some(Millis(0));
        }
        let look = self.looks.first().map(|(at, _)| *at);
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        look.into_iter().chain(deadline).min()
    }

    /// All waiters, in no order.
    pub(crate) fn all(&self) -> Vec<WaiterId> {
        self.deadlines.iter().map(|(_, id)| WaiterId(*id)).collect()
    }

    fn queue_of(&self, db: Db, key: &[u8]) -> Option<u32> {
        self.by_name.get(&NameRef { db, key }).copied()
    }

    fn wake_queue(&mut self, queue: u32) {
        let place = self.queues.get_mut(queue);
        if !place.is_woken {
            place.is_woken = true;
            self.woken.push_back(queue);
        }
    }

    fn look_at(&mut self, queue: u32, at: Option<Millis>) {
        let place = self.queues.get_mut(queue);
        if let Some(before) = std::mem::replace(&mut place.look_at, at) {
            self.looks.remove(&(before, queue));
        }
        if let Some(at) = at {
            self.looks.insert((at, queue));
        }
    }
}

/// Things by number, of which those that are free are used again.
#[derive(Debug)]
struct Places<T> {
    places: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Places<T> {
    fn default() -> Places<T> {
        Places { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Places<T> {
    fn insert(&mut self, thing: T) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() as u32 - 1
        });
        self.places[place as usize] = Some(thing);
        place
    }

    fn get(&self, place: u32) -> &T {
        self.places[place as usize].as_ref().expect("the place is in use")
    }

    fn get_mut(&mut self, place: u32) -> &mut T {
        self.places[place as usize].as_mut().expect("the place is in use")
    }

    fn remove(&mut self, place: u32) -> T {
        self.free.push(place);
        self.places[place as usize].take().expect("the place is in use")
    }
}
