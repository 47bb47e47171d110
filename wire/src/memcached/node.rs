//! Replies as a client reads them, for the load generator.

/// What the first bytes of a reply tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// A retrieval's `VALUE` (with the `END` behind it counted in) or a meta `VA`.
    Value {
        /// Length of the whole reply.
        bytes: usize,
        /// Where the block begins.
        body_start: usize,
        /// Its length.
        body_bytes: usize,
    },
    /// `END`, `EN`, `NOT_FOUND`, `NF`.
    Miss {
        /// Length of the whole reply.
        bytes: usize,
    },
    /// `STORED`, `HD`, and other lines of success.
    Done {
        /// Length of the whole reply.
        bytes: usize,
    },
    /// `ERROR`, `CLIENT_ERROR`, `SERVER_ERROR`, or a line that says nothing was done (`NS`, `EX`, ...).
    Refused {
        /// Length of the whole reply.
        bytes: usize,
    },
}

/// Looks at the reply that `input` begins with, the reply to a request for one key; `None` when more bytes are needed.
///
/// # Errors
/// Text that says why the bytes are no reply.
pub fn head(_input: &[u8]) -> Result<Option<Head>, String> {
    todo!()
}
