//! The changes an atomic command decided on, not yet carried out.
//!
//! They own what they do not borrow from the request, because they may travel to another shard and
//! outlive the entries they were decided from.

use std::borrow::Cow;

use locksley_engine::{Applied, Db, Encoding, ExpiryChange, FlagsChange, Millis, Op, Refusal, Shard, Value};

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
        /// How OBJECT ENCODING is to show it: a spliced value keeps that mark when it is copied.
        encoding: Encoding,
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
            Effect::Put { db, key, value, encoding, expiry, client_flags } => {
                let key = shard.key(*db, key);
                let is_spliced = *encoding == Encoding::Spliced;
                let put = Op::Put {
                    key,
                    value: Value::Bytes(if is_spliced { b"" } else { value }),
                    expiry: expiry.map_or(ExpiryChange::Clear, ExpiryChange::At),
                    client_flags: FlagsChange::Set(*client_flags),
                };
                let applied = shard.apply(put, now)?;
                if is_spliced {
                    let spliced = shard.apply(Op::Splice { key, offset: 0, bytes: value }, now)?;
                    return Ok(Applied { existed: applied.existed, ..spliced });
                }
                Ok(applied)
            }
            Effect::Delete { db, key } => shard.apply(Op::Delete { key: shard.key(*db, key) }, now),
        }
    }
}
