//! The changes an atomic command decided on, not yet carried out.
//!
//! They own what they do not borrow from the request, because they may travel to another shard and
//! outlive the entries they were decided from.

use std::array;
use std::borrow::Cow;

use locksley_engine::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use locksley_engine::wal::Log;
use locksley_engine::{
    Applied, Db, Encoding, ExpiryChange, FlagsChange, Key, Millis, Op, Refusal, Shard, TtlPolicy, Value,
};

use super::batch::{GROUP_KEYS, prefetch};

/// What an entry takes beside its key and value, at most: header, expiry, rounding of a small cell, place in the table.
const OVERHEAD_BYTES: usize = 128;

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
        /// Its new expiry, that of the entry it is a copy of; or none, of which the policy of times to live may make one.
        expiry: Option<Millis>,
        /// Its new client flags.
        client_flags: u32,
        /// Whether the value is out of date from the beginning: a stale one keeps that mark when it is copied.
        is_stale: bool,
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

    /// Memory it may take, in bytes, where cells of larger entries are rounded up by a sixteenth.
    pub(crate) fn memory_bytes(&self) -> u64 {
        match self {
            Effect::Put { key, value, .. } => (OVERHEAD_BYTES + (key.len() + value.len()) * 17 / 16) as u64,
            Effect::Delete { .. } => 0,
        }
    }

    /// Bytes that its records may take in a log.
    fn log_bytes(&self) -> u64 {
        let written = match self {
            Effect::Put { key, value, .. } => Log::record_bytes(key.len(), value.len()),
            Effect::Delete { key, .. } => Log::record_bytes(key.len(), 0),
        };
        written + self.further_changes() * Log::record_bytes(self.key().len(), 0)
    }

    /// Changes of the shard that it takes beside the first, none of which is longer than its key.
    fn further_changes(&self) -> u64 {
        match self {
            Effect::Put { encoding, is_stale, .. } => u64::from(*encoding == Encoding::Spliced) + u64::from(*is_stale),
            Effect::Delete { .. } => 0,
        }
    }

    /// Whether it takes more than one change of the shard.
    fn is_compound(&self) -> bool {
        self.further_changes() > 0
    }

    fn name<'k>(&'k self, shard: &Shard) -> Key<'k> {
        match self {
            Effect::Put { db, key, .. } | Effect::Delete { db, key } => shard.key(*db, key),
        }
    }

    /// Carries it out on `key`, which is its key.
    fn apply_to(&self, key: Key<'_>, shard: &mut Shard, now: Millis) -> Result<Applied, Refusal> {
        match self {
            Effect::Put { value, encoding, expiry, client_flags, is_stale, .. } => {
                let is_spliced = *encoding == Encoding::Spliced;
                let put = Op::Put {
                    key,
                    value: Value::Bytes(if is_spliced { b"" } else { value }),
                    expiry: expiry.map_or(ExpiryChange::Clear, ExpiryChange::Exactly),
                    client_flags: FlagsChange::Set(*client_flags),
                };
                let mut applied = shard.apply(put, now)?;
                if applied.version == 0 {
                    // Its time is over since it was read: a splice would make an entry without end.
                    return Ok(applied);
                }
                let existed = applied.existed;
                if is_spliced {
                    applied = shard.apply(Op::Splice { key, offset: 0, bytes: value }, now)?;
                }
                if *is_stale {
                    applied = shard.apply(Op::Invalidate { key, expiry: ExpiryChange::Keep }, now)?;
                }
                Ok(Applied { existed, ..applied })
            }
            Effect::Delete { .. } => shard.apply(Op::Delete { key }, now),
        }
    }
}

/// Refuses changes that no shard would take, so that of what was decided nothing is refused.
///
/// # Errors
/// The refusal of a shard with the policy `ttl`.
pub(crate) fn check_effects(effects: &[Effect<'_>], ttl: &TtlPolicy) -> Result<(), Refusal> {
    for effect in effects {
        let Effect::Put { key, value, expiry, .. } = effect else { continue };
        if key.len() > KEY_BYTES_MAX {
            return Err(Refusal::KeyTooLong { bytes: key.len() });
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(Refusal::ValueTooLong { bytes: value.len() });
        }
        if expiry.is_none() && ttl.refuses_endless() {
            return Err(Refusal::TtlRequired);
        }
    }
    Ok(())
}

/// Bytes that `effects` may take as one step in the log of `shard`, if it keeps one.
pub(crate) fn log_bytes(effects: &[Effect<'_>], shard: &Shard) -> u64 {
    if shard.log().is_some() { logged_bytes(effects) } else { 0 }
}

/// Bytes that `effects` may take as one step in a log.
pub(crate) fn logged_bytes(effects: &[Effect<'_>]) -> u64 {
    effects.iter().map(Effect::log_bytes).sum::<u64>() + Log::record_bytes(0, 0)
}

/// Carries out all of `effects` on the shard that owns their keys, in order, and as one step of its log.
///
/// # Errors
/// The shard's first refusal, which ends the series: for lack of room in the log before anything is changed.
pub(crate) fn apply_all(effects: &[Effect<'_>], shard: &mut Shard, now: Millis) -> Result<(), Refusal> {
    if effects.len() < 2 && !effects.iter().any(Effect::is_compound) {
        return apply_each(effects, shard, now);
    }
    shard.begin_group(log_bytes(effects, shard))?;
    let applied = apply_each(effects, shard, now);
    // What was changed before a refusal is changed, and a replay has to come to the same.
    shard.commit();
    applied
}

fn apply_each(effects: &[Effect<'_>], shard: &mut Shard, now: Millis) -> Result<(), Refusal> {
    for group in effects.chunks(GROUP_KEYS) {
        let named: [_; GROUP_KEYS] = array::from_fn(|index| group.get(index).map(|effect| effect.name(shard)));
        if group.len() > 1 {
            prefetch(shard, named.iter().copied().flatten());
        }
        for (effect, key) in group.iter().zip(named.into_iter().flatten()) {
            effect.apply_to(key, shard, now)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use locksley_engine::ShardOptions;

    use super::*;

    #[test]
    fn a_copy_whose_time_is_over_leaves_nothing() {
        let mut shard = Shard::new(ShardOptions::default()).expect("a small shard");
        let now = Millis(1_000);
        for (encoding, is_stale) in [(Encoding::Bytes, true), (Encoding::Spliced, false), (Encoding::Spliced, true)] {
            for (expiry, is_there) in [(now, false), (Millis(now.0 + 1), true)] {
                let (key, value) = (Cow::Borrowed(&b"key"[..]), Cow::Borrowed(&b"value"[..]));
                let expiry = Some(expiry);
                let put = Effect::Put { db: Db(0), key, value, encoding, expiry, client_flags: 0, is_stale };
                apply_all(&[put], &mut shard, now).expect("there is room");
                let key = shard.key(Db(0), b"key");
                let found = shard.peek(key, now).map(|entry| (entry.encoding, entry.expiry, entry.is_stale));
                assert_eq!(found, is_there.then_some((encoding, expiry, is_stale)));
                shard.apply(Op::Delete { key }, now).expect("there is room");
            }
        }
    }
}
