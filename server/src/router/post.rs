//! The parcels that a thread is writing, one for each other thread.
//!
//! Answers for clients of other threads go apart from the rest while they have to wait for the log: what they say may
//! not leave before it is durable here, but requests and the steps of atomic commands need not wait for a disk.

use std::collections::VecDeque;

use locksley_engine::Lsn;

use super::parcel::{Message, Parcel};
use crate::reactor::limits::PARCEL_COUNT_KEPT_MAX;
use crate::reactor::mesh::Mesh;

/// Outgoing parcels.
#[derive(Debug)]
pub(crate) struct Post {
    #[expect(clippy::vec_box, reason = "a parcel stays where it is while threads hand it on")]
    open: Vec<Box<Parcel>>,
    /// Full ones with their targets, in the order they were filled.
    sealed: Vec<(u16, Box<Parcel>)>,
    /// Answers of this turn, apart from the rest while they are held back.
    #[expect(clippy::vec_box, reason = "a parcel stays where it is while threads hand it on")]
    answers: Vec<Box<Parcel>>,
    /// Answers with their targets that wait until the log is durable up to a number; the numbers ascend.
    held: VecDeque<(Lsn, u16, Box<Parcel>)>,
    is_holding: bool,
    /// Emptied ones.
    #[expect(clippy::vec_box, reason = "a parcel stays where it is while threads hand it on")]
    kept: Vec<Box<Parcel>>,
}

impl Post {
    /// Parcels for `shard_count` threads.
    pub(crate) fn new(shard_count: u16) -> Post {
        let parcels = || (0..shard_count).map(|_| Box::default()).collect();
        Post {
            open: parcels(),
            sealed: Vec::new(),
            answers: parcels(),
            held: VecDeque::new(),
            is_holding: false,
            kept: Vec::new(),
        }
    }

    /// Whether answers are kept apart from now on, until [`Post::hold`] says for how long.
    #[inline]
    pub(crate) fn set_holding(&mut self, is_holding: bool) {
        self.is_holding = is_holding;
    }

    /// The parcel for answers to thread `target`, with room for one more.
    #[inline]
    pub(crate) fn answers(&mut self, target: u16) -> &mut Parcel {
        if self.is_holding { &mut self.answers[usize::from(target)] } else { self.parcel(target) }
    }

    /// Lets the answers that were written since the last call wait until the log is durable up to `until`; with `None`
    /// they may leave. Returns how many threads they are for that wait.
    pub(crate) fn hold(&mut self, until: Option<Lsn>) -> u64 {
        let mut held_count = 0;
        for target in 0..self.answers.len() {
            if self.answers[target].is_empty() {
                continue;
            }
            let empty = self.kept.pop().unwrap_or_default();
            let parcel = std::mem::replace(&mut self.answers[target], empty);
            match until {
                Some(until) => {
                    held_count += 1;
                    self.held.push_back((until, target as u16, parcel));
                }
                None => self.sealed.push((target as u16, parcel)),
            }
        }
        held_count
    }

    /// Lets leave what waits no longer now that the log is durable up to `durable`.
    pub(crate) fn release(&mut self, durable: Lsn) {
        while self.held.front().is_some_and(|(until, ..)| *until <= durable) {
            let (_, target, parcel) = self.held.pop_front().expect("it was just seen");
            self.sealed.push((target, parcel));
        }
    }

    /// Whether answers wait.
    #[inline]
    pub(crate) fn is_waiting(&self) -> bool {
        !self.held.is_empty()
    }

    /// The parcel for thread `target`, with room for one more message.
    #[inline]
    pub(crate) fn parcel(&mut self, target: u16) -> &mut Parcel {
        let index = usize::from(target);
        if self.open[index].is_full() {
            let empty = self.kept.pop().unwrap_or_default();
            self.sealed.push((target, std::mem::replace(&mut self.open[index], empty)));
        }
        &mut self.open[index]
    }

    /// Adds a message to the parcel for thread `target`.
    pub(crate) fn push(&mut self, target: u16, message: Message) {
        self.parcel(target).messages.push(message);
    }

    /// Hands all that was written to the mesh.
    #[inline]
    pub(crate) fn send(&mut self, mesh: &mut Mesh<Box<Parcel>>) {
        for (target, parcel) in self.sealed.drain(..) {
            mesh.post(target, parcel);
        }
        for (target, open) in self.open.iter_mut().enumerate() {
            if !open.is_empty() {
                let empty = self.kept.pop().unwrap_or_default();
                mesh.post(target as u16, std::mem::replace(open, empty));
            }
        }
    }

    /// Takes back a parcel whose messages were read.
    #[inline]
    pub(crate) fn keep(&mut self, mut parcel: Box<Parcel>) {
        if parcel.clear() && self.kept.len() < PARCEL_COUNT_KEPT_MAX {
            self.kept.push(parcel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::mesh::{Bells, mesh};
    use crate::router::parcel::{HoleId, Token};

    /// An answer of which the hole's number tells what it is.
    fn answer(sequence: u32) -> Message {
        Message::Reply { token: Token::Hole(HoleId { slot: 0, generation: 0, sequence }), bytes: 0..0 }
    }

    #[test]
    fn answers_wait_for_their_number_and_requests_do_not() {
        let mut ends = mesh(&Bells::new(2));
        let mut other = ends.pop().expect("two ends");
        let mut own = ends.pop().expect("two ends");
        let mut post = Post::new(2);
        let mut seen = |post: &mut Post| {
            post.send(&mut own);
            let mut sequences = Vec::new();
            while let Some((_, parcel)) = other.take() {
                for message in &parcel.messages {
                    match message {
                        Message::Reply { token: Token::Hole(hole), .. } => sequences.push(hole.sequence),
                        _ => sequences.push(100),
                    }
                }
            }
            sequences
        };
        post.answers(1).messages.push(answer(1));
        assert_eq!(seen(&mut post), [1], "nothing is held");
        post.set_holding(true);
        post.answers(1).messages.push(answer(2));
        post.push(1, Message::Monitor(0..0));
        post.hold(Some(Lsn(7)));
        post.answers(1).messages.push(answer(3));
        post.hold(Some(Lsn(9)));
        assert_eq!(seen(&mut post), [100]);
        post.release(Lsn(8));
        assert_eq!(seen(&mut post), [2]);
        assert!(post.is_waiting());
        post.answers(1).messages.push(answer(4));
        post.hold(None);
        assert_eq!(seen(&mut post), [4], "what shows nothing new need not wait");
        post.release(Lsn(9));
        assert_eq!(seen(&mut post), [3]);
        assert!(!post.is_waiting());
    }
}
