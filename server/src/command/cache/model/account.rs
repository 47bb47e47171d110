//! What should be true of a key: its value, its lease and those who wait, told plainly.

use std::collections::VecDeque;

use super::super::early_refresh;
use super::Answer;
use crate::client::ClientId;

/// What a key holds, as far as it is known: what is over may be there still.
#[derive(Clone, Debug)]
pub(super) enum Held {
    Nothing,
    Absent { until: u64 },
    Value { text: String, until: u64, grace_ms: u64, cost_ms: u64, is_stale: bool },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) lease_ms: u64,
    pub(super) stale_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct LeaseAccount {
    pub(super) token: u64,
    pub(super) holder: ClientId,
    pub(super) began: u64,
    pub(super) ends: u64,
    /// Changes of the key before it was given.
    pub(super) change_count: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct WaiterAccount {
    pub(super) client: ClientId,
    pub(super) wish: Wish,
    pub(super) deadline: u64,
}

/// What should be true of a key.
pub(super) struct KeyAccount {
    pub(super) held: Held,
    pub(super) lease: Option<LeaseAccount>,
    pub(super) waiters: VecDeque<WaiterAccount>,
    pub(super) change_count: u64,
}

/// What GETL is to answer.
#[derive(Debug)]
pub(super) enum Expected {
    Value(String),
    /// The value, or a lease with it: chance decides.
    ValueOrRefresh(String),
    Refresh(String),
    Win(Option<String>),
    Stale(String),
    Absent,
    Wait,
}

impl KeyAccount {
    pub(super) fn live_lease(&self, now: u64) -> Option<LeaseAccount> {
        self.lease.filter(|lease| now < lease.ends)
    }

    /// The instants at which something ends.
    pub(super) fn ends(&self) -> Vec<u64> {
        let value = match &self.held {
            Held::Nothing => [None; 2],
            Held::Absent { until } => [Some(*until), None],
            Held::Value { until, grace_ms, .. } => [Some(*until), until.checked_add(*grace_ms)],
        };
        let lease = self.lease.map(|lease| lease.ends);
        let first = self.waiters.front().map(|waiter| waiter.deadline);
        value.into_iter().flatten().filter(|end| *end < u64::MAX).chain(lease).chain(first).collect()
    }

    /// What one who asks at `now` is to be told; one `behind` others gets no lease before them.
    pub(super) fn expected(&self, wish: Wish, is_behind: bool, now: u64) -> Expected {
        let is_free = self.live_lease(now).is_none();
        let old = match &self.held {
            Held::Absent { until } if now < *until => return Expected::Absent,
            Held::Value { text, until, cost_ms, is_stale, .. } if now < *until => {
                let is_near = early_refresh::may_be_due(until - now, *cost_ms as u32);
                return match () {
                    () if is_free && *is_stale => Expected::Refresh(text.clone()),
                    () if is_free && is_near => Expected::ValueOrRefresh(text.clone()),
                    () => Expected::Value(text.clone()),
                };
            }
            Held::Value { text, until, grace_ms, .. } if now < until + grace_ms => {
                wish.stale_ms.filter(|stale_ms| now - until <= *stale_ms).map(|_| text.clone())
            }
            _ => None,
        };
        match old {
            old if is_free && !is_behind => Expected::Win(old),
            Some(old) => Expected::Stale(old),
            None => Expected::Wait,
        }
    }

    /// Compares an answer, and notes the lease that it gives.
    pub(super) fn take(&mut self, client: ClientId, wish: Wish, expected: &Expected, answer: &Answer, now: u64) {
        let token = match (expected, answer) {
            (Expected::Value(value) | Expected::ValueOrRefresh(value), Answer::Value(answered))
            | (Expected::Stale(value), Answer::Stale(answered))
                if value == answered =>
            {
                return;
            }
            (Expected::Wait, Answer::Wait) | (Expected::Absent, Answer::Absent) => return,
            (Expected::Win(value), Answer::Win { token, value: answered }) if value == answered => token,
            (
                Expected::Refresh(value) | Expected::ValueOrRefresh(value),
                Answer::Refresh { token, value: answered },
            ) if value == answered => token,
            _ => panic!("{answer:?} is not {expected:?} of {client:?} at {now}"),
        };
        assert!(self.live_lease(now).is_none(), "a key has one live lease at most");
        let ends = now + wish.lease_ms;
        self.lease =
            Some(LeaseAccount { token: *token, holder: client, began: now, ends, change_count: self.change_count });
    }

    /// Somebody changed the key.
    pub(super) fn change(&mut self, held: Held) {
        self.held = held;
        self.lease = None;
        self.change_count += 1;
    }
}
