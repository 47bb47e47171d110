//! One number for all data: the same for the same keys, values, expiries, client flags, stale marks, graces, notes of
//! absence and locks, whatever the order in which they were written, the number of shards or the seed of the hash.
//!
//! A database is the exclusive or of its entries' digests; databases that hold anything are mixed in the order of their
//! numbers. Strings with none of what follows the expiries give the digest that Redis gives, so that data can be
//! compared with the Redis they came from; Redis leaves the time of an expiry out, which is in here.
//!
//! Source: DEBUG DIGEST of Redis 7.0.

use std::fmt::{self, Display};

use locksley_engine::snapshot::Item;
use locksley_engine::{Db, Entry, Form, Grace, Kind, Millis, Shard, Value};

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

    fn mix_value(&mut self, value: Value<'_>, expiry: Option<Millis>) {
        // The type: strings are Redis's type 0.
        self.mix(&0_u32.to_be_bytes());
        match value {
            Value::Bytes(bytes) => self.mix(bytes),
            Value::Integer(integer) => self.mix(integer.to_string().as_bytes()),
        }
        if let Some(Millis(expiry)) = expiry {
            self.mix(b"!!expire!!");
            self.mix(&expiry.to_be_bytes());
        }
    }

    fn mix_marks(&mut self, client_flags: u32, is_stale: bool, form: Form) {
        if client_flags != 0 {
            self.mix(b"!!flags!!");
            self.mix(&client_flags.to_be_bytes());
        }
        if is_stale {
            self.mix(b"!!stale!!");
        }
        match form {
            Form::String => {}
            Form::Absent => self.mix(b"!!absent!!"),
            Form::Lock => self.mix(b"!!lock!!"),
        }
    }

    fn mix_item(&mut self, item: &Item<'_>) {
        self.mix(item.key);
        self.mix_value(item.value, item.expiry);
        self.mix_marks(item.client_flags, item.is_stale, item.form);
        if item.grace != Grace::NONE {
            self.mix(b"!!grace!!");
            self.mix(&item.grace.grace_ms.to_be_bytes());
            self.mix(&item.grace.cost_ms.to_be_bytes());
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
    digest.mix_value(entry.value, entry.expiry);
    let form = if entry.kind == Kind::Lock { Form::Lock } else { Form::String };
    digest.mix_marks(entry.client_flags, entry.is_stale, form);
    digest
}

/// The digest of this shard's part of a database; `None` if it has none of its entries.
pub(super) fn of_database(shard: &Shard, db: Db, now: Millis) -> Option<Digest> {
    let (mut digest, mut is_empty) = (Digest::default(), true);
    let mut each = |item: &Item<'_>| {
        if item.expiry.is_some_and(|at| at <= now) {
            return;
        }
        let mut one = Digest::default();
        one.mix_item(item);
        digest.join(&one.0);
        is_empty = false;
    };
    let mut from = 0;
    while let Some(next) = shard.scan_items(db, from, SCAN_COUNT, &mut each) {
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
