//! Requests that wait for a key, in the order they came: for a value to arrive, for a lock to be released.
//!
//! Nothing is polled. A queue is looked at when its key was touched, when something ends that its first waiter waits for
//! (a lease, a lock), and each waiter besides at its own deadline. This file only keeps the books: what a request is, and
//! running it, is the desk's business.
//!
//! Times are those of the wall clock, as everywhere in a shard. When it is set back, deadlines go with it, so that nobody
//! waits longer than he said (but for the time since the clock was last looked at), and all queues are looked at, since what
//! they wait for may end at another instant than they think. When it is set forward, some wait less.
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
    by_id: Places<Waiter>,
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

    /// Whether nobody waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.deadlines.is_empty()
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
        let id = self.by_id.insert(Waiter { queue, order, deadline: parking.deadline });
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
        let queue = self.by_id.get(id.0).queue;
        assert_eq!(self.woken.pop_front(), Some(queue), "one that stays was run because of its queue");
        self.queues.get_mut(queue).is_woken = false;
        self.look_at(queue, look_at);
    }

    /// A waiter waits no longer.
    ///
    /// # Panics
    /// When it does not wait.
    pub(crate) fn leave(&mut self, id: WaiterId) {
        let Waiter { queue, order, deadline } = self.by_id.remove(id.0);
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

    /// The clock was set back by `by_ms`.
    #[cold]
    pub(crate) fn set_back(&mut self, by_ms: u64) {
        for (deadline, id) in std::mem::take(&mut self.deadlines) {
            let deadline = Millis(deadline.0.saturating_sub(by_ms));
            self.by_id.get_mut(id).deadline = deadline;
            self.deadlines.insert((deadline, id));
        }
        self.wake_all();
    }

    /// Anything may have changed for any waiter.
    pub(crate) fn wake_all(&mut self) {
        let queues: Vec<u32> = self.by_name.values().copied().collect();
        for queue in queues {
            self.wake_queue(queue);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::Random;

    const NOW: Millis = Millis(1_000_000);

    impl Waiters {
        /// Checks the invariants of the file's header.
        fn check(&self) {
            let mut deadlines = BTreeSet::new();
            let mut looks = BTreeSet::new();
            let mut woken_count = 0;
            for (name, index) in &self.by_name {
                let queue = self.queues.get(*index);
                assert!(queue.name == *name && !queue.by_order.is_empty());
                for (order, id) in &queue.by_order {
                    let waiter = self.by_id.get(*id);
                    assert_eq!((waiter.queue, waiter.order), (*index, *order));
                    assert!(deadlines.insert((waiter.deadline, *id)), "a waiter is in one queue");
                }
                looks.extend(queue.look_at.map(|at| (at, *index)));
                assert_eq!(self.woken.iter().filter(|woken| *woken == index).count(), usize::from(queue.is_woken));
                woken_count += usize::from(queue.is_woken);
            }
            assert_eq!((&deadlines, &looks, woken_count), (&self.deadlines, &self.looks, self.woken.len()));
        }

        fn has_nothing(&self) -> bool {
            self.is_empty()
                && self.by_name.is_empty()
                && self.looks.is_empty()
                && self.woken.is_empty()
                && self.by_id.free.len() == self.by_id.places.len()
                && self.queues.free.len() == self.queues.places.len()
        }
    }

    fn until(deadline: u64, look_at: Option<u64>) -> Parking {
        Parking { deadline: Millis(NOW.0 + deadline), look_at: look_at.map(|at| Millis(NOW.0 + at)) }
    }

    fn push(waiters: &mut Waiters, key: &str, parking: Parking) -> WaiterId {
        waiters.push(Db(0), key.as_bytes(), parking).expect("there is room")
    }

    /// Who is run at `at` milliseconds behind `NOW`, as long as each of them replies.
    fn served(waiters: &mut Waiters, at: u64) -> Vec<(WaiterId, Attempt)> {
        let mut all = Vec::new();
        while let Some((id, attempt)) = waiters.next(Millis(NOW.0 + at)) {
            waiters.leave(id);
            waiters.check();
            all.push((id, attempt));
        }
        all
    }

    #[test]
    fn waiters_of_a_key_are_run_in_their_order_until_one_stays() {
        let mut waiters = Waiters::default();
        let ids = ["a", "b", "a", "a"].map(|key| push(&mut waiters, key, until(100, None)));
        assert_eq!((waiters.count(Db(0), b"a"), waiters.count(Db(1), b"a"), waiters.len()), (3, 0, 4));
        assert_eq!(waiters.next(NOW), None);
        waiters.wake(Db(0), b"a");
        waiters.wake(Db(0), b"nobody's");
        assert_eq!(waiters.next_at(), Some(Millis(0)));
        assert_eq!(waiters.next(NOW), Some((ids[0], Attempt::Again)));
        waiters.leave(ids[0]);
        assert_eq!(waiters.next(NOW), Some((ids[2], Attempt::Again)));
        waiters.stay(ids[2], Some(Millis(NOW.0 + 50)));
        waiters.check();
        assert_eq!((waiters.next(NOW), waiters.next_at()), (None, Some(Millis(NOW.0 + 50))));
        let again = |index: usize| (ids[index], Attempt::Again);
        assert_eq!(served(&mut waiters, 50), [again(2), again(3)]);
        assert_eq!(served(&mut waiters, 100), [(ids[1], Attempt::Last)]);
        assert!(waiters.has_nothing() && waiters.next_at().is_none());
    }

    #[test]
    fn what_is_over_comes_before_deadlines() {
        let mut waiters = Waiters::default();
        let first = push(&mut waiters, "a", until(30, Some(20)));
        let second = push(&mut waiters, "a", until(10, None));
        let other = push(&mut waiters, "b", until(5, None));
        assert_eq!(waiters.next_at(), Some(Millis(NOW.0 + 5)));
        let expected = [(first, Attempt::Again), (second, Attempt::Again), (other, Attempt::Last)];
        assert_eq!(served(&mut waiters, 20), expected);
    }

    #[test]
    fn the_next_in_line_says_itself_what_it_waits_for() {
        let mut waiters = Waiters::default();
        let first = push(&mut waiters, "a", until(10, Some(50)));
        let second = push(&mut waiters, "a", until(90, None));
        assert_eq!(waiters.next(Millis(NOW.0 + 10)), Some((first, Attempt::Last)));
        waiters.leave(first);
        assert_eq!(waiters.next(Millis(NOW.0 + 10)), Some((second, Attempt::Again)));
        waiters.stay(second, Some(Millis(NOW.0 + 60)));
        assert_eq!(waiters.next_at(), Some(Millis(NOW.0 + 60)));
        waiters.check();
    }

    #[test]
    fn one_in_the_middle_leaves_no_trace() {
        let mut waiters = Waiters::default();
        let ids = [10, 20, 30].map(|deadline| push(&mut waiters, "a", until(deadline, None)));
        waiters.leave(ids[1]);
        assert_eq!(waiters.next(NOW), None, "the first waits as it did");
        assert_eq!(served(&mut waiters, 40), [(ids[0], Attempt::Last), (ids[2], Attempt::Again)]);
    }

    #[test]
    fn nobody_waits_longer_because_the_clock_was_set_back() {
        let mut waiters = Waiters::default();
        let id = push(&mut waiters, "a", until(100, Some(90)));
        waiters.set_back(500_000);
        waiters.check();
        let now = Millis(NOW.0 - 500_000);
        assert_eq!(waiters.next(now), Some((id, Attempt::Again)));
        waiters.stay(id, None);
        assert_eq!(waiters.next(Millis(now.0 + 99)), None);
        assert_eq!(waiters.next(Millis(now.0 + 100)), Some((id, Attempt::Last)));
        waiters.set_back(u64::MAX);
        waiters.check();
    }

    #[test]
    fn there_is_room_for_so_many() {
        let mut waiters = Waiters::default();
        let ids: Vec<WaiterId> = (0..WAITER_COUNT_MAX).map(|_| push(&mut waiters, "a", until(1, None))).collect();
        assert_eq!(waiters.push(Db(0), b"b", until(1, None)), None);
        assert!(!waiters.has(Db(0), b"b"));
        waiters.leave(ids[7]);
        assert_eq!(waiters.push(Db(0), b"b", until(1, None)), Some(ids[7]), "a number is used again");
        assert_eq!(waiters.all().len(), WAITER_COUNT_MAX);
        waiters.check();
    }

    /// What the books should say, kept without any order of its own.
    #[derive(Debug)]
    struct Expected {
        id: WaiterId,
        key: usize,
        deadline: u64,
    }

    #[test]
    fn whatever_happens_each_is_run_in_its_turn() {
        let seed = std::env::var("LOCKSLEY_SEED").map_or(1, |seed| seed.parse().expect("a seed is a number"));
        println!("LOCKSLEY_SEED={seed} cargo test -p locksley-server waiters");
        let mut random = Random::new(seed);
        let mut below = |end: u64| random.next() % end;
        let keys: [&[u8]; 4] = [b"", b"a", b"ab", b"b"];
        let mut waiters = Waiters::default();
        let mut now = NOW.0;
        // In the order they came; keys in the order they were woken; when to look at each key.
        let mut expected: Vec<Expected> = Vec::new();
        let mut woken: Vec<usize> = Vec::new();
        let mut looks: [Option<u64>; 4] = [None; 4];
        for _ in 0..30_000 {
            let key = below(4) as usize;
            match below(12) {
                0..=3 if expected.len() < 40 => {
                    let (deadline, look_at) = (now + below(50), [None, Some(now + 1 + below(30))][below(2) as usize]);
                    let parking = Parking { deadline: Millis(deadline), look_at: look_at.map(Millis) };
                    let id = waiters.push(Db(0), keys[key], parking).expect("there is room");
                    if expected.iter().all(|other| other.key != key) {
                        looks[key] = look_at;
                    }
                    expected.push(Expected { id, key, deadline });
                }
                4..=6 => {
                    waiters.wake(Db(0), keys[key]);
                    if expected.iter().any(|waiter| waiter.key == key) && !woken.contains(&key) {
                        woken.push(key);
                    }
                }
                7 if !expected.is_empty() => {
                    let index = below(expected.len() as u64) as usize;
                    waiters.leave(expected[index].id);
                    left(&mut expected, index, &mut woken, &mut looks);
                }
                8 if below(20) == 0 => {
                    let by = below(100);
                    now -= by;
                    waiters.set_back(by);
                    expected.iter_mut().for_each(|waiter| waiter.deadline -= by);
                    // In which order, is all the same: it is taken from the books.
                    woken = waiters.woken.iter().map(|queue| place(&keys, &waiters, *queue)).collect();
                    assert!(expected.iter().all(|waiter| woken.contains(&waiter.key)));
                }
                _ => now += below(10),
            }
            let turn_count = below(4);
            for _ in 0..turn_count {
                let mut due: Vec<(u64, u32, usize)> = Vec::new();
                for (key, look_at) in looks.iter_mut().enumerate() {
                    let queue = waiters.queue_of(Db(0), keys[key]);
                    if let Some(at) = look_at.take_if(|at| *at <= now) {
                        due.push((at, queue.expect("who is looked at waits"), key));
                    }
                }
                due.sort_unstable();
                for (_, _, key) in due {
                    if !woken.contains(&key) {
                        woken.push(key);
                    }
                }
                let next = waiters.next(Millis(now));
                waiters.check();
                let Some((id, attempt)) = next else {
                    assert!(woken.is_empty() && expected.iter().all(|waiter| waiter.deadline > now));
                    break;
                };
                let index = expected.iter().position(|waiter| waiter.id == id).expect("it waits");
                if let Some(key) = woken.first().copied() {
                    let first = expected.iter().position(|waiter| waiter.key == key);
                    assert_eq!((attempt, first), (Attempt::Again, Some(index)), "the first of the key woken first");
                    if below(2) == 0 {
                        looks[key] = [None, Some(now + 1 + below(30))][below(2) as usize];
                        waiters.stay(id, looks[key].map(Millis));
                        woken.remove(0);
                        continue;
                    }
                } else {
                    let earliest = expected.iter().map(|waiter| waiter.deadline).min();
                    assert_eq!((attempt, Some(expected[index].deadline)), (Attempt::Last, earliest));
                    assert!(expected[index].deadline <= now);
                }
                waiters.leave(id);
                left(&mut expected, index, &mut woken, &mut looks);
            }
            waiters.check();
            assert_eq!(waiters.len(), expected.len());
            for (key, bytes) in keys.iter().enumerate() {
                let count = expected.iter().filter(|waiter| waiter.key == key).count();
                assert_eq!((waiters.count(Db(0), bytes), waiters.has(Db(0), bytes)), (count, count > 0));
            }
        }
        for id in waiters.all() {
            waiters.leave(id);
        }
        assert!(waiters.has_nothing());
    }

    fn place(keys: &[&[u8]], waiters: &Waiters, queue: u32) -> usize {
        let name = &waiters.queues.get(queue).name;
        keys.iter().position(|key| **key == *name.key).expect("it is one of these")
    }

    /// One waits no longer: if it was the first of its key, the next one is to be asked.
    fn left(expected: &mut Vec<Expected>, index: usize, woken: &mut Vec<usize>, looks: &mut [Option<u64>; 4]) {
        let Expected { key, .. } = expected.remove(index);
        let next = expected.iter().position(|waiter| waiter.key == key);
        match next {
            None => {
                woken.retain(|woken| *woken != key);
                looks[key] = None;
            }
            Some(next) => {
                let was_first = next >= index && expected[..next].iter().all(|waiter| waiter.key != key);
                if was_first && !woken.contains(&key) {
                    woken.push(key);
                }
            }
        }
    }
}
