//! What connections sent in a turn, on its way to the batch.

use crate::reactor::buffers::{Buffers, Piece};

/// The bytes of one connection that are to be cut into requests.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Whose.
    pub slot: u32,
    /// Where they are.
    pub source: Source,
    /// How many are cut already.
    pub position: usize,
    /// Bytes that are missing at least when the rest is part of a request.
    pub wanted_bytes: usize,
    /// Whether requests of it are held back, so that the rest is not looked at for now.
    pub is_stopped: bool,
}

/// Where received bytes are.
#[derive(Debug)]
pub(crate) enum Source {
    /// Where the kernel put them.
    Piece(Piece),
    /// In the connection's own buffer, which holds the start of a request.
    Owned(Vec<u8>),
}

impl Ready {
    /// Bytes of `slot` from `source`.
    pub(crate) fn new(slot: u32, source: Source) -> Ready {
        Ready { slot, source, position: 0, wanted_bytes: 0, is_stopped: false }
    }

    /// The bytes.
    #[inline]
    pub(crate) fn bytes<'a>(&'a self, buffers: &'a Buffers) -> &'a [u8] {
        match &self.source {
            Source::Piece(piece) => buffers.bytes(piece),
            Source::Owned(bytes) => bytes,
        }
    }
}
