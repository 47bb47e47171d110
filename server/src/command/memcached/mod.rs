//! The commands of the memcached door, text and meta.
//!
//! They are rows like any other, so that routing, replies in order, durability and counting are the same; only their
//! replies are memcached's, and only the memcached door finds them. All work on database 0.
//!
//! | verb | args |
//! |---|---|
//! | `Get`, `GetMany` | `get` or `gets`, keys |
//! | `Gat`, `GatMany` | `gat` or `gats`, exptime (i64, little-endian), keys |
//! | `Set` ... `Cas` | name, key, [`StoreOptions`], value |
//! | `TooLarge` | name, key: the value was too long and is not here |
//! | `Delete` | name, key |
//! | `Incr`, `Decr` | name, key, delta (u64) |
//! | `Touch` | name, key, exptime |
//! | `FlushAll` | name, exptime |
//! | `Stats` | name, the words behind |
//! | `Authenticate` | name, `user password` |
//! | `MetaGet`, `MetaGetChange`, `MetaDelete`, `MetaArithmetic`, `MetaDebug` | name, key (decoded), flags |
//! | `MetaSet` | name, key (decoded), flags, value |

mod authenticate;
pub(crate) mod count;
pub(crate) mod delete;
pub(crate) mod exptime;
pub(crate) mod flush_all;
mod gat;
mod get;
mod meta;
mod parts;
mod stats;
pub(crate) mod store;
#[cfg(test)]
pub(in crate::command) mod testing;
pub(crate) mod touch;

use locksley_engine::{Entry, Kind};

use crate::command::row::Command;

/// The version that memcached's clients are told: that of the memcached whose protocol is spoken, then Locksley's.
pub(crate) const VERSION: &str = concat!("1.6.18 Locksley-", env!("CARGO_PKG_VERSION"));

/// What clients of memcached see of an entry: they have no locks.
#[inline]
fn shown(entry: Option<Entry<'_>>) -> Option<Entry<'_>> {
    entry.filter(|entry| entry.kind == Kind::String)
}

/// Which command; in the order of [`COMMANDS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Verb {
    /// `get`, `gets` of one key.
    Get,
    /// `get`, `gets` of several keys.
    GetMany,
    /// `gat`, `gats` of one key.
    Gat,
    /// `gat`, `gats` of several keys.
    GatMany,
    /// `set`.
    Set,
    /// `add`.
    Add,
    /// `replace`.
    Replace,
    /// `append`.
    Append,
    /// `prepend`.
    Prepend,
    /// `cas`.
    Cas,
    /// A storage command whose value is longer than allowed.
    TooLarge,
    /// `delete`.
    Delete,
    /// `incr`.
    Incr,
    /// `decr`.
    Decr,
    /// `touch`.
    Touch,
    /// `flush_all`.
    FlushAll,
    /// `stats`.
    Stats,
    /// The password, by a `set` that stores nothing.
    Authenticate,
    /// `mg` that only reads.
    MetaGet,
    /// `mg` that may change the entry.
    MetaGetChange,
    /// `ms`.
    MetaSet,
    /// `md`.
    MetaDelete,
    /// `ma`.
    MetaArithmetic,
    /// `me`.
    MetaDebug,
}

/// The rows, in the order of [`Verb`].
pub(crate) static COMMANDS: &[&Command] = &[
    &get::GET,
    &get::GET_MANY,
    &gat::GAT,
    &gat::GAT_MANY,
    &store::SET,
    &store::ADD,
    &store::REPLACE,
    &store::APPEND,
    &store::PREPEND,
    &store::CAS,
    &store::TOO_LARGE,
    &delete::DELETE,
    &count::INCR,
    &count::DECR,
    &touch::TOUCH,
    &flush_all::FLUSH_ALL,
    &stats::STATS,
    &authenticate::AUTHENTICATE,
    &meta::META_GET,
    &meta::META_GET_CHANGE,
    &meta::META_SET,
    &meta::META_DELETE,
    &meta::META_ARITHMETIC,
    &meta::META_DEBUG,
];

/// The numbers of a storage line, as they travel to the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoreOptions {
    /// Client flags.
    pub flags: u32,
    /// The exptime, as it was sent.
    pub exptime: i64,
    /// The version to compare with, for `cas`.
    pub cas: u64,
}

/// Bytes of [`StoreOptions`].
pub(crate) const STORE_OPTIONS_BYTES: usize = 20;

impl StoreOptions {
    /// As it travels.
    #[inline]
    pub(crate) fn encode(self) -> [u8; STORE_OPTIONS_BYTES] {
        let mut bytes = [0; STORE_OPTIONS_BYTES];
        bytes[..4].copy_from_slice(&self.flags.to_le_bytes());
        bytes[4..12].copy_from_slice(&self.exptime.to_le_bytes());
        bytes[12..].copy_from_slice(&self.cas.to_le_bytes());
        bytes
    }

    /// What `bytes` say.
    ///
    /// # Panics
    /// When they are not what [`StoreOptions::encode`] made.
    #[inline]
    pub(crate) fn decode(bytes: &[u8]) -> StoreOptions {
        let (flags, rest) = bytes.split_first_chunk().expect("flags are packed");
        let (exptime, cas) = rest.split_first_chunk().expect("an exptime is packed");
        StoreOptions {
            flags: u32::from_le_bytes(*flags),
            exptime: i64::from_le_bytes(*exptime),
            cas: u64::from_le_bytes(cas.try_into().expect("a version is packed")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::check;

    #[test]
    fn a_lock_is_no_value() {
        const OTHER: &str = "SERVER_ERROR Operation against a key holding the wrong kind of value";
        let refused = [
            "add k 0 0 1|v",
            "replace k 0 0 1|v",
            "append k 0 0 1|v",
            "prepend k 0 0 1|v",
            "cas k 0 0 1 1|v",
            "incr k 1",
            "decr k 1",
            "ma k",
            "ma k N0 J5",
            "ms k 1 ME|v",
            "ms k 1 MA|v",
        ];
        let missed = [
            ("get k", "END"),
            ("gets k", "END"),
            ("get k other", "END"),
            ("gat 100 k", "END"),
            ("gat -1 k", "END"),
            ("gats 0 k other", "END"),
            ("touch k 100", "NOT_FOUND"),
            ("touch k -1", "NOT_FOUND"),
            ("mg k v", "EN"),
            ("mg k v T100", "EN"),
            ("mg k v T-1", "EN"),
            ("mg k v N30", "EN"),
            ("mg k v A", "EN"),
            ("md k I T100", "NF"),
            ("me k", "EN"),
        ];
        let refused = refused.map(|line| (line, OTHER));
        for (line, reply) in refused.iter().chain(&missed) {
            check(&[
                ("RESP LOCK k 1000", ":1700000000000000"),
                (line, reply),
                ("RESP LOCKINFO k", "*6 $5 token :1700000000000000 $6 ttl_ms :1000 $7 waiters :0"),
            ]);
        }
        for (line, reply) in [("set k 0 0 1|v", "STORED"), ("ms k 1|v", "HD"), ("delete k", "DELETED"), ("md k", "HD")]
        {
            check(&[("RESP LOCK k 1000", ":1700000000000000"), (line, reply), ("RESP UNLOCK other 1", ":0")]);
        }
    }
}
