//! Keys that are being deleted by what they begin with.

use crate::key::Db;

/// A deletion by prefix that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingPrefix<'a> {
    /// The database; `None` if it was flushed meanwhile.
    pub db: Option<Db>,
    /// What the keys begin with.
    pub prefix: &'a [u8],
}
