//! Leases as commands see them: the books, the watch on the key and those who wait for it, kept together.
//!
//! A key with a lease is watched, so that whoever changes it ends the lease; the change is looked at before the lease is.
//! A lease that ends otherwise wakes who waits for its key: the first of them gets the next one.

use locksley_engine::{Db, Key};

use crate::client::ClientId;
use crate::leases::{Lease, Term};
use crate::thread::Thread;

/// The lease of `key` whose time is not over.
#[inline]
pub(crate) fn live(thread: &mut Thread, key: Key<'_>) -> Option<Lease> {
    thread.settle_touched();
    thread.leases.live(key.db, key.bytes, thread.now)
}

/// The lease of `key` that has this token and whose time is not over.
pub(crate) fn held(thread: &mut Thread, key: Key<'_>, token: u64) -> Option<Lease> {
    let lease = live(thread, key).filter(|lease| lease.token == token);
    thread.counters.leases.refused += u64::from(lease.is_none());
    lease
}

/// Gives the lease of `key` away, in place of the one there is; returns its token.
pub(crate) fn begin(thread: &mut Thread, key: Key<'_>, term: Term) -> u64 {
    let token = token(thread);
    restore(thread, key, Lease { token, began: thread.now, term });
    token
}

/// Keeps a lease that was [`end`]ed by its own holder's change, or is begun.
pub(crate) fn restore(thread: &mut Thread, key: Key<'_>, lease: Lease) {
    // What changed before must not end it.
    thread.settle_touched();
    let Thread { leases, waiters, shard, now, .. } = thread;
    leases.begin(key.db, key.bytes, lease, *now, |db, dropped| {
        waiters.wake(db, dropped);
        if !waiters.has(db, dropped) {
            shard.unwatch(shard.key(db, dropped));
        }
    });
    shard.watch(key);
}

/// Ends the lease of `key`, if there is one; the first of those who wait is served.
pub(crate) fn end(thread: &mut Thread, key: Key<'_>) -> Option<Lease> {
    let lease = thread.leases.end(key.db, key.bytes)?;
    release(thread, key.db, key.bytes);
    Some(lease)
}

/// Ends all leases of a client that is gone.
pub(crate) fn drop_holder(thread: &mut Thread, holder: ClientId) {
    let mut dropped = Vec::new();
    thread.leases.drop_holder(holder, |db, key| dropped.push((db, Box::from(key))));
    for (db, key) in dropped {
        release(thread, db, &key);
    }
}

fn release(thread: &mut Thread, db: Db, key: &[u8]) {
    thread.waiters.wake(db, key);
    thread.unwatch_unused(db, key);
}

/// A token: an integer of RESP that is not 0.
fn token(thread: &mut Thread) -> u64 {
    (thread.random.next() >> 1).max(1)
}
