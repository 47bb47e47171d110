//! Many keys of one command, looked up in groups so that their waits for memory overlap.
//!
//! A look-up waits twice, for a line of the table and for the cell behind it, and in a store that is larger than the
//! caches nearly all of its time is waiting. So the lines of a whole group are asked for first, then its cells, and only
//! then is anything done.

use std::array;

use locksley_engine::{Key, Shard};

use super::context::Context;
use super::row::Outcome;

/// Keys of a group: about as many lines as a core can wait for at a time.
pub(crate) const GROUP_KEYS: usize = 16;

/// Calls `act` with each of `keys` in turn.
///
/// # Errors
/// The first failure of `act`, which ends the series.
#[inline]
pub(crate) fn for_each_key<'k>(
    context: &mut Context<'_>,
    keys: &[&'k [u8]],
    mut act: impl FnMut(&mut Shard, Key<'k>) -> Outcome,
) -> Outcome {
    if let [bytes] = keys {
        let key = context.key(bytes);
        return act(context.shard(), key);
    }
    for group in keys.chunks(GROUP_KEYS) {
        let db = context.caller.db;
        let shard = context.shard();
        let named: [_; GROUP_KEYS] = array::from_fn(|index| group.get(index).map(|bytes| shard.key(db, bytes)));
        let named = named.into_iter().flatten();
        prefetch(shard, named.clone());
        for key in named {
            act(shard, key)?;
        }
    }
    Ok(())
}

/// Asks for everything that a look-up of `keys` will read.
#[inline]
pub(crate) fn prefetch<'k>(shard: &Shard, keys: impl Iterator<Item = Key<'k>> + Clone) {
    for key in keys.clone() {
        shard.prefetch_slot(key);
    }
    for key in keys {
        shard.prefetch_entry(key);
    }
}
