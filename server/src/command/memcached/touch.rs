//! `touch`: gives an entry another expiry.

use locksley_engine::{ExpiryChange, Op, Touch};
use locksley_wire::resp::Reply;

use super::exptime;
use super::shown;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static TOUCH: Command = Command {
    name: "touch",
    arity: 3,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Memcached,
    since: "Locksley 0.1.0",
    summary: "Sets when a key expires",
    complexity: "O(1)",
    syntax: "key exptime [noreply]",
    run: Run::Owner(run),
};

/// What became of an expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    /// It is set.
    Touched {
        /// The version the entry has now; 0 if its time was over at once.
        version: u64,
    },
    /// There is no entry.
    NotFound,
}

/// Sets the expiry of `key` in the caller's database.
///
/// # Errors
/// When memory or the log has no room.
///
/// # Panics
/// When the expiry is neither set nor cleared.
pub(crate) fn touch(context: &mut Context<'_>, key: &[u8], expiry: ExpiryChange) -> Result<Touched, Failure> {
    let key = context.key(key);
    let now = context.now();
    let expiry = match expiry {
        ExpiryChange::Clear => None,
        ExpiryChange::At(at) => Some(at),
        change => panic!("a touch sets the expiry or clears it: {change:?}"),
    };
    if shown(context.shard().get(key, now, Touch::Leave)).is_none() {
        context.thread.counters.cache.touch_misses += 1;
        return Ok(Touched::NotFound);
    }
    let applied = context.shard().apply(Op::SetExpiry { key, expiry }, now)?;
    context.thread.counters.cache.touch_hits += 1;
    Ok(Touched::Touched { version: applied.version })
}

fn run(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let expiry = exptime::expiry(exptime::decode(args[2]), context.now());
    let line: &[u8] = match touch(context, args[1], expiry)? {
        Touched::Touched { .. } => b"TOUCHED\r\n",
        Touched::NotFound => b"NOT_FOUND\r\n",
    };
    reply.buffer().extend_from_slice(line);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::memcached::testing::{Rig, check};

    #[test]
    fn an_expiry_is_set_and_taken_away() {
        check(&[
            ("touch k 10", "NOT_FOUND"),
            ("set k 7 0 1|v", "STORED"),
            ("touch k 10", "TOUCHED"),
            ("RESP TTL k", ":10"),
            ("touch k 0 noreply", ""),
            ("RESP TTL k", ":-1"),
            ("touch k 1700000100", "TOUCHED"),
            ("RESP TTL k", ":100"),
            ("get k", "VALUE k 7 1|v|END"),
            ("touch k -1", "TOUCHED"),
            ("get k", "END"),
            ("touch k -1", "NOT_FOUND"),
        ]);
    }

    #[test]
    fn a_touch_is_a_change() {
        let mut rig = Rig::new(1);
        rig.reply("set k 0 0 1|v");
        let version = rig.version("k");
        rig.reply("touch k 10");
        assert!(rig.version("k") > version);
    }
}
