//! `md`: removes an entry, or marks it stale.

use locksley_engine::{ExpiryChange, Op, Touch};
use locksley_wire::memcached::meta::Flags;
use locksley_wire::memcached::reply;
use locksley_wire::resp::Reply;

use super::push_line;
use super::tokens::{INVALID_OR_DUPLICATE, Tokens};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::memcached::delete::{Deleted, delete};
use crate::command::memcached::exptime;
use crate::command::memcached::shown;
use crate::command::row::{self, Args, Command, Group, Keys, Outcome, Run};

pub(in crate::command::memcached) static META_DELETE: Command = Command {
    name: "md",
    arity: 3,
    flags: row::Flags::WRITE.union(row::Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Memcached,
    since: "Locksley 0.1.0",
    summary: "Removes a key, or marks its value as stale",
    complexity: "O(1)",
    syntax: "key flags",
    run: Run::Owner(run),
};

fn run(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let flags = Flags::checked(args[2]);
    let Ok(tokens) = Tokens::read(flags) else {
        reply::client_error(INVALID_OR_DUPLICATE, reply.buffer());
        return Ok(());
    };
    let deleted = if tokens.invalidates {
        invalidate(context, args[1], &tokens)?
    } else {
        delete(context, args[1], tokens.compare)?
    };
    let code: &[u8] = match deleted {
        Deleted::Deleted if tokens.is_quiet => return Ok(()),
        Deleted::Deleted => b"HD",
        Deleted::NotFound => b"NF",
        Deleted::Exists => b"EX",
    };
    push_line(code, args[1], flags, reply.buffer());
    Ok(())
}

/// Marks an entry stale.
fn invalidate(context: &mut Context<'_>, key_bytes: &[u8], tokens: &Tokens) -> Result<Deleted, Failure> {
    let key = context.key(key_bytes);
    let now = context.now();
    let Some(entry) = shown(context.shard().get(key, now, Touch::Leave)) else { return Ok(Deleted::NotFound) };
    if tokens.compare.is_some_and(|wanted| wanted != entry.version) {
        return Ok(Deleted::Exists);
    }
    let expiry = tokens.exptime.map_or(ExpiryChange::Keep, |exptime| exptime::expiry(exptime, now));
    context.shard().apply(Op::Invalidate { key, expiry }, now)?;
    Ok(Deleted::Deleted)
}

#[cfg(test)]
mod tests {
    use crate::command::memcached::testing::check;

    #[test]
    fn an_entry_is_removed_or_marked() {
        check(&[
            ("md k k O1", "NF kk O1"),
            ("md k I q", "NF"),
            ("set k 0 0 1|a", "STORED"),
            ("md k I C99", "EX"),
            ("md k I", "HD"),
            ("mg k v", "VA 1 X W|a"),
            ("md k I", "HD"),
            ("mg k", "HD X W"),
            ("mg k", "HD Z X"),
            ("md k q", ""),
            ("mg k", "EN"),
            ("md k O12345678901234567890123456789012", "CLIENT_ERROR opaque token too long"),
            ("md k Cx", "CLIENT_ERROR invalid or duplicate flag"),
            ("md k q q", "CLIENT_ERROR invalid or duplicate flag"),
        ]);
    }
}
