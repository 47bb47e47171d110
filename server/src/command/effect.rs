//! The changes an atomic command decided on, not yet carried out.
//!
//! They own what they do not borrow from the request, because they may travel to another shard and
//! outlive the entries they were decided from.

use std::borrow::Cow;

use locksley_engine::{Applied, Db, ExpiryChange, FlagsChange, Millis, Op, Refusal, Shard, Value};

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect<'a> {
    /// Make the key hold this value.
    Put {
        /// In which database.
        db: Db,
        /// The key.
        key: Cow<'a, [u8]>,
        /// Its new value.
        value: Cow<'a, [u8]>,
        /// Its new expiry, or none.
        expiry: Option<Millis>,
        /// Its new client flags.
        client_flags: u32,
    },
    /// Remove the key.
    Delete {
        /// From which database.
        db: Db,
        /// The key.
        key: Cow<'a, [u8]>,
    },
}

/// The changes of one atomic command, in the order they are to be made.
pub(crate) type Effects<'a> = Vec<Effect<'a>>;

impl Effect<'_> {
    /// The key it changes.
    pub(crate) fn key(&self) -> &[u8] {
        match self {
            Effect::Put { key, .. } | Effect::Delete { key, .. } => key,
        }
    }

    /// Carries it out on the shard that owns its key.
    ///
    /// # Errors
    /// The shard's refusal.
    pub(crate) fn apply(&self, shard: &mut Shard, now: Millis) -> Result<Applied, Refusal> {
        match self {
            Effect::Put { db, key, value, expiry, client_flags } => shard.apply(
                Op::Put {
                    key: shard.key(*db, key),
                    value: Value::Bytes(value),
                    expiry: expiry.map_or(ExpiryChange::Clear, ExpiryChange::At),
                    client_flags: FlagsChange::Set(*client_flags),
                },
                now,
            ),
            Effect::Delete { db, key } => shard.apply(Op::Delete { key: shard.key(*db, key) }, now),
        }
    }
}
