//! What a protocol has to offer so that a server can be put under load through it.

mod http;
mod memcached;
mod resp;

pub(crate) use http::Http;
pub(crate) use memcached::{MemcachedMeta, MemcachedText};
pub(crate) use resp::Resp;

use crate::latency::Kind;

/// A protocol from the side of a client.
pub(crate) trait Dialect: Sync {
    /// About how many bytes a reply has beside its value.
    const REPLY_HEAD_BYTES: usize;

    /// Appends a request that reads `key`.
    fn read(&self, key: &[u8], out: &mut Vec<u8>);

    /// Appends a request that writes `value` to `key`, to live for `ttl_seconds`.
    fn write(&self, key: &[u8], value: &[u8], ttl_seconds: Option<u32>, out: &mut Vec<u8>);

    /// Looks at the reply that `input` begins with, the reply to a request that was a `kind`; `None` when more bytes
    /// are needed to tell its length.
    ///
    /// # Errors
    /// Text that says why the bytes are no reply.
    fn reply(&self, kind: Kind, input: &[u8]) -> Result<Option<ReplyHead>, String>;
}

/// What the first bytes of a reply tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplyHead {
    /// What the server did.
    pub(crate) outcome: Outcome,
    /// Length of the whole reply, which may go on beyond the bytes looked at.
    pub(crate) bytes: usize,
    /// Where in the reply its value or its error text begins.
    pub(crate) body_start: usize,
    /// The length of that.
    pub(crate) body_bytes: usize,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A value was read.
    Hit,
    /// There was no value to read.
    Miss,
    /// A value was written.
    Stored,
    /// The server answered with an error.
    Refused,
}
