//! One number for all data: the same for the same keys, values, expiries, client flags and stale marks, whatever the
//! order in which they were written, the number of shards or the seed of the hash.
//!
//! A database is the exclusive or of its entries' digests; databases that hold anything are mixed in the order of their
//! numbers. Entries with none of the last three give the digest that Redis gives, so that data can be
//! compared with the Redis they came from; Redis leaves the time of an expiry out, which is in here.
//!
//! Source: DEBUG DIGEST of Redis 7.0.

use std::fmt::{self, Display};

use locksley_engine::{Db, Entry, Millis, Shard, Value};

use super::sha1::{Sum, sha1};

/// Entries that are looked at in one go.
const SCAN_COUNT: usize = 1_024;

/// A digest in the making.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest(pub Sum);

impl Digest {
    /// Takes in something whose place among the others does not matter.
    fn join(&mut self, bytes: &[u8]) {
        self.combine(Digest(sha1(bytes)));
    }

    /// Takes in something whose place matters.
    fn mix(&mut self, bytes: &[u8]) {
        self.join(bytes);
        self.0 = sha1(&self.0);
    }

    /// Takes in a digest of other entries.
    pub(super) fn combine(&mut self, other: Digest) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine ^= theirs;
        }
    }

    fn mix_value(&mut self, entry: &Entry<'_>) {
        // The type: strings are Redis's type 0.
        self.mix(&0_u32.to_be_bytes());
        match entry.value {
            Value::Bytes(bytes) => self.mix(bytes),
            Value::Integer(integer) => self.mix(integer.to_string().as_bytes()),
        }
        if let Some(Millis(expiry)) = entry.expiry {
            self.mix(b"!!expire!!");
            self.mix(&expiry.to_be_bytes());
        }
        if entry.client_flags != 0 {
            self.mix(b"!!flags!!");
            self.mix(&entry.client_flags.to_be_bytes());
        }
        if entry.is_stale {
            self.mix(b"!!stale!!");
        }
    }
}

impl Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

/// The digest of an entry without its key.
pub(super) fn of_value(entry: &Entry<'_>) -> Digest {
    let mut digest = Digest::default();
    digest.mix_value(entry);
    digest
}

/// The digest of this shard's part of a database; `None` if it has none of its entries.
pub(super) fn of_database(shard: &Shard, db: Db, now: Millis) -> Option<Digest> {
    let (mut digest, mut is_empty) = (Digest::default(), true);
    let mut each = |entry: &Entry<'_>| {
        let mut one = Digest::default();
        one.mix(entry.key);
        one.mix_value(entry);
        digest.join(&one.0);
        is_empty = false;
    };
    let mut from = 0;
    while let Some(next) = shard.scan(db, from, SCAN_COUNT, now, &mut each) {
        from = next;
    }
    (!is_empty).then_some(digest)
}

/// The digest of everything, from those of the databases that are not empty, by number.
pub(super) fn of_all(databases: impl Iterator<Item = (Db, Digest)>) -> Digest {
    let mut all = Digest::default();
    for (db, digest) in databases {
        all.mix(&u32::from(db.0).to_be_bytes());
        all.combine(digest);
    }
    all
}
