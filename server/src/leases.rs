//! Who was told to make a value anew.

use locksley_engine::Db;

use crate::client::ClientId;

/// The leases of one shard.
#[derive(Debug, Default)]
pub(crate) struct Leases {}

impl Leases {
    /// Whether there is a lease of this key.
    pub(crate) fn has(&self, _db: Db, _key: &[u8]) -> bool {
        false
    }

    /// Ends the lease of a key that was changed by somebody else, if there is one.
    pub(crate) fn revoke(&mut self, _db: Db, _key: &[u8]) {}

    /// Ends all leases of a client that is gone, and calls `each` with their keys.
    pub(crate) fn drop_holder(&mut self, _holder: ClientId, _each: impl FnMut(Db, &[u8])) {}
}
