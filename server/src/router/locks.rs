//! The keys of one shard that atomic commands hold, and who waits for them.
//!
//! A command whose keys lie on several shards holds them from its reads to its writes. Whatever else touches such a
//! key in between waits here, in the order it came; a command on the whole shard (FLUSHALL, SWAPDB) waits until nothing
//! is held, and all that comes after it waits behind it.
//!
//! Keys are locked by name in all databases at once: a finer lock would have to know which databases MOVE and COPY
//! name, and atomic commands across shards are rare.
//!
//! Invariants:
//! - a key is held by one command at a time;
//! - two that wait for the same key run in the order they came.
//!
//! No deadlock: a command locks its shards in ascending order, and takes all its keys of a shard at once.

use std::collections::VecDeque;

use hashbrown::{HashMap, HashSet};

use super::atomic::{AtomicId, AtomicLock};
use super::parcel::{OwnedRequest, Token};
use crate::client::ClientId;
use crate::command::context::Caller;
use crate::command::row::{Command, Run};
use crate::command::table::Entry;

/// What waits for keys.
pub(crate) enum Waiting {
    /// A request.
    Request {
        /// Who calls.
        caller: Caller,
        /// Whom the answer is for.
        token: Token,
        /// The command.
        entry: Entry,
        /// The request, or this shard's part of it.
        request: OwnedRequest,
    },
    /// What was a request that might have given its client something, who is gone: an empty answer is owed.
    Gone {
        /// Who called.
        caller: Caller,
        /// Whom the answer is for.
        token: Token,
    },
    /// An atomic command that wants to hold keys.
    Lock(Box<AtomicLock>),
}

struct Parked {
    /// The keys it touches; empty: the whole shard.
    keys: Vec<Box<[u8]>>,
    waiting: Waiting,
}

/// The locks of one shard.
#[derive(Default)]
pub(crate) struct Locks {
    held: HashMap<Box<[u8]>, AtomicId>,
    parked: VecDeque<Parked>,
    /// How many of the parked wait for a key.
    awaited: HashMap<Box<[u8]>, u32>,
    whole_count: usize,
}

impl Locks {
    /// Whether nothing is held and nobody waits: what the request path asks.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.held.is_empty() && self.parked.is_empty()
    }

    /// Whether a request with these keys has to wait.
    pub(crate) fn blocks<'k>(&self, mut keys: impl Iterator<Item = &'k [u8]>) -> bool {
        self.whole_count > 0 || keys.any(|key| self.held.contains_key(key) || self.awaited.contains_key(key))
    }

    /// Whether a command on the whole shard has to wait.
    pub(crate) fn blocks_whole(&self) -> bool {
        !self.is_idle()
    }

    /// Parks what has to wait for `keys`, or for the whole shard when there are none.
    pub(crate) fn park<'k>(&mut self, keys: impl Iterator<Item = &'k [u8]>, waiting: Waiting) {
        let keys: Vec<Box<[u8]>> = keys.map(Box::from).collect();
        for key in &keys {
            *self.awaited.entry(key.clone()).or_insert(0) += 1;
        }
        self.whole_count += usize::from(keys.is_empty());
        self.parked.push_back(Parked { keys, waiting });
    }

    /// Holds `keys` for `id`.
    pub(crate) fn hold<'k>(&mut self, keys: impl Iterator<Item = &'k [u8]>, id: AtomicId) {
        for key in keys {
            let other = self.held.insert(Box::from(key), id);
            assert!(other.is_none_or(|other| other == id), "a key is held by one command");
        }
    }

    /// Lets go of all keys of `id`.
    pub(crate) fn release(&mut self, id: AtomicId) {
        self.held.retain(|_, holder| *holder != id);
    }

    /// Sees to it that a client who is gone is given no lease and no lock by what it has waiting here.
    pub(crate) fn forget(&mut self, client: ClientId) {
        for Parked { waiting, .. } in &mut self.parked {
            if let Waiting::Request { caller, token, entry, .. } = waiting
                && caller.id == client
                && matches!(entry.row.run, Run::Park { .. })
            {
                *waiting = Waiting::Gone { caller: *caller, token: *token };
            }
        }
    }

    /// Takes out the first that waits no longer for anything.
    pub(crate) fn next_free(&mut self) -> Option<Waiting> {
        let mut before: HashSet<&[u8]> = HashSet::new();
        let mut found = None;
        for (index, parked) in self.parked.iter().enumerate() {
            if parked.keys.is_empty() {
                if index == 0 && self.held.is_empty() {
                    found = Some(index);
                }
                break;
            }
            if !parked.keys.iter().any(|key| self.held.contains_key(key) || before.contains(&**key)) {
                found = Some(index);
                break;
            }
            before.extend(parked.keys.iter().map(|key| &**key));
        }
        drop(before);
        let parked = self.parked.remove(found?)?;
        self.whole_count -= usize::from(parked.keys.is_empty());
        for key in parked.keys {
            let count = self.awaited.get_mut(&key).expect("a parked key is awaited");
            *count -= 1;
            if *count == 0 {
                self.awaited.remove(&key);
            }
        }
        Some(parked.waiting)
    }
}

/// Whether a command changes a shard as a whole, so that it must not come between the steps of an atomic command.
#[inline]
pub(crate) fn is_whole(row: &Command) -> bool {
    use crate::command::row::{Flags, Keys};
    row.keys == Keys::None && row.flags.contains(Flags::WRITE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::ShardId;

    fn id(serial: u64) -> AtomicId {
        AtomicId { home: ShardId(0), serial }
    }

    fn lock(serial: u64) -> Waiting {
        Waiting::Lock(Box::new(AtomicLock { id: id(serial), keys: Vec::new() }))
    }

    fn free(locks: &mut Locks) -> Option<u64> {
        locks.next_free().map(|waiting| match waiting {
            Waiting::Lock(lock) => lock.id.serial,
            Waiting::Request { .. } | Waiting::Gone { .. } => unreachable!("only locks are parked here"),
        })
    }

    fn keys<'a>(names: &'a [&'a str]) -> impl Iterator<Item = &'a [u8]> {
        names.iter().map(|name| name.as_bytes())
    }

    #[test]
    fn who_waits_for_a_key_runs_in_order_of_arrival() {
        let mut locks = Locks::default();
        assert!(locks.is_idle());
        locks.hold(keys(&["a", "b"]), id(1));
        assert!(locks.blocks(keys(&["x", "b"])) && !locks.blocks(keys(&["x"])));
        locks.park(keys(&["b", "c"]), lock(2));
        assert!(locks.blocks(keys(&["c"])), "an earlier one waits for it");
        locks.park(keys(&["c"]), lock(3));
        assert_eq!(free(&mut locks), None);
        locks.release(id(1));
        assert_eq!(free(&mut locks), Some(2));
        locks.hold(keys(&["b", "c"]), id(2));
        assert_eq!(free(&mut locks), None);
        locks.release(id(2));
        assert_eq!(free(&mut locks), Some(3));
        assert!(locks.is_idle());
    }

    #[test]
    fn a_whole_shard_command_waits_for_all_and_all_wait_for_it() {
        let mut locks = Locks::default();
        locks.hold(keys(&["a"]), id(1));
        assert!(locks.blocks_whole());
        locks.park(keys(&[]), lock(2));
        assert!(locks.blocks(keys(&["z"])));
        locks.park(keys(&["z"]), lock(3));
        assert_eq!(free(&mut locks), None);
        locks.release(id(1));
        assert_eq!(free(&mut locks), Some(2));
        assert_eq!(free(&mut locks), Some(3));
        assert!(locks.is_idle());
    }
}
