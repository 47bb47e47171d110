//! `delete`: removes an entry.

use locksley_engine::{Op, Touch};
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static DELETE: Command = Command {
    name: "delete",
    arity: 2,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Memcached,
    since: "Locksley 0.1.0",
    summary: "Removes a key",
    complexity: "O(1)",
    syntax: "key [noreply]",
    run: Run::Owner(run),
};

/// What became of a removal.
#[expect(clippy::enum_variant_names, reason = "these are memcached's words")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deleted {
    /// The entry is gone.
    Deleted,
    /// There was none.
    NotFound,
    /// It has another version, and stays.
    Exists,
}

/// Removes `key` from the caller's database, if `compare` is no version or the entry's.
///
/// # Errors
/// When the log has no room.
pub(crate) fn delete(context: &mut Context<'_>, key: &[u8], compare: Option<u64>) -> Result<Deleted, Failure> {
    let key = context.key(key);
    let now = context.now();
    if let Some(wanted) = compare
        && let Some(entry) = context.shard().get(key, now, Touch::Leave)
        && entry.version != wanted
    {
        context.thread.counters.cache.cas_badval += 1;
        return Ok(Deleted::Exists);
    }
    let existed = context.shard().apply(Op::Delete { key }, now)?.existed;
    let counters = &mut context.thread.counters.cache;
    if existed {
        counters.delete_hits += 1;
        Ok(Deleted::Deleted)
    } else {
        counters.delete_misses += 1;
        Ok(Deleted::NotFound)
    }
}

fn run(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let line: &[u8] = match delete(context, args[1], None)? {
        Deleted::Deleted => b"DELETED\r\n",
        Deleted::NotFound => b"NOT_FOUND\r\n",
        Deleted::Exists => unreachable!("no version was asked for"),
    };
    reply.buffer().extend_from_slice(line);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::memcached::testing::check;

    #[test]
    fn an_entry_is_removed_once() {
        check(&[
            ("delete k", "NOT_FOUND"),
            ("set k 0 0 1|a", "STORED"),
            ("delete k", "DELETED"),
            ("get k", "END"),
            ("delete k", "NOT_FOUND"),
            ("set k 0 0 1|a", "STORED"),
            ("delete k 0", "DELETED"),
            ("set k 0 0 1|a", "STORED"),
            ("delete k noreply", ""),
            ("get k", "END"),
            ("set k 0 1 1|a", "STORED"),
            ("@after 1000", ""),
            ("delete k", "NOT_FOUND"),
        ]);
    }
}
