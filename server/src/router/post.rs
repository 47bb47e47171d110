//! The parcels that a thread is writing, one for each other thread.

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
    /// Emptied ones.
    #[expect(clippy::vec_box, reason = "a parcel stays where it is while threads hand it on")]
    kept: Vec<Box<Parcel>>,
}

impl Post {
    /// Parcels for `shard_count` threads.
    pub(crate) fn new(shard_count: u16) -> Post {
        let open = (0..shard_count).map(|_| Box::default()).collect();
        Post { open, sealed: Vec::new(), kept: Vec::new() }
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
