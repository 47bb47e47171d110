//! Keys of which somebody wants to know when they are changed.

use crate::key::{Db, Key};

/// A key that was watched and is changed, or was asked to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Its database.
    pub db: Db,
    /// Its bytes.
    pub key: Box<[u8]>,
}

/// The watched keys of a shard.
#[derive(Debug, Default)]
pub(crate) struct Watch {}

impl Watch {
    /// Watches `key` until it is touched.
    pub(crate) fn insert(&mut self, _key: Key<'_>) {}

    /// Watches `key` no more, and forgets that it was touched.
    pub(crate) fn remove(&mut self, _key: Key<'_>) {}

    /// Whether a key was touched since [`Watch::take`].
    #[inline]
    pub(crate) fn has_touched(&self) -> bool {
        false
    }

    /// The keys that were touched since the last call, in order.
    pub(crate) fn take(&mut self) -> Vec<Touched> {
        Vec::new()
    }
}
