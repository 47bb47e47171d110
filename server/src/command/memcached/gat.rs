//! `gat` and `gats`: values of keys that get another expiry at once.
//!
//! The touch comes first, so that the version that `gats` shows is the one a `cas` has to name. Only when the new expiry
//! is over already, so that nothing would be left to read, the entry is read before it goes.

use locksley_engine::ExpiryChange;
use locksley_wire::memcached::reply;
use locksley_wire::resp::Reply;

use super::exptime;
use super::get::{Shows, check_length, in_key_order, write_block};
use super::shown;
use super::touch::touch;
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static GAT: Command = Command {
    name: "gat",
    arity: 3,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::Range { first: 2, last: 2, step: 1 },
    categories: &["string"],
    group: Group::Memcached,
    since: "Locksley 0.1.0",
    summary: "Sets when a key expires and returns its value and flags, with its version for gats",
    complexity: "O(1)",
    syntax: "exptime key",
    run: Run::Owner(gat),
};

pub(super) static GAT_MANY: Command = Command {
    name: "gat-many",
    arity: -4,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::Range { first: 2, last: -1, step: 1 },
    categories: &["string"],
    group: Group::Memcached,
    since: "Locksley 0.1.0",
    summary: "Sets when keys expire and returns the values and flags of those that exist, with their versions for gats",
    complexity: "O(N), N the number of keys",
    syntax: "exptime key key [key ...]",
    run: Run::Split { run: gat, join: in_key_order },
};

fn gat(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let shows = Shows::of(args[0]);
    let expiry = exptime::expiry(exptime::decode(args[1]), context.now());
    let out = reply.buffer();
    let start = out.len();
    for key in &args[2..] {
        touch_and_read(context, key, expiry, shows, out)?;
        check_length(out.len() - start)?;
    }
    out.extend_from_slice(reply::END);
    Ok(())
}

fn touch_and_read(
    context: &mut Context<'_>,
    bytes: &[u8],
    expiry: ExpiryChange,
    shows: Shows,
    out: &mut Vec<u8>,
) -> Outcome {
    let (now, uses) = (context.now(), context.caller.touch);
    let goes = matches!(expiry, ExpiryChange::At(at) if at <= now);
    if !goes {
        touch(context, bytes, expiry)?;
    }
    let key = context.key(bytes);
    if let Some(entry) = shown(context.shard().get(key, now, uses)) {
        write_block(&entry, bytes, shows, out)?;
    }
    if goes {
        touch(context, bytes, expiry)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::memcached::testing::{Rig, check};

    #[test]
    fn values_are_read_and_expire_later() {
        check(&[
            ("gat 10 k", "END"),
            ("set k 7 0 1|v", "STORED"),
            ("set l 8 0 1|w", "STORED"),
            ("gat 10 k", "VALUE k 7 1|v|END"),
            ("RESP TTL k", ":10"),
            ("gat 20 l none k", "VALUE l 8 1|w|VALUE k 7 1|v|END"),
            ("RESP TTL k", ":20"),
            ("RESP TTL l", ":20"),
            ("gat 0 k", "VALUE k 7 1|v|END"),
            ("RESP TTL k", ":-1"),
            ("gat -1 k", "VALUE k 7 1|v|END"),
            ("get k", "END"),
            ("gat -1 l l", "VALUE l 8 1|w|END"),
        ]);
    }

    #[test]
    fn the_version_shown_is_the_one_to_compare() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            rig.reply("set k 7 0 1|v");
            let reply = rig.reply("gats 10 k");
            let version = rig.version("k");
            assert_eq!(reply, format!("VALUE k 7 1 {version}|v|END"));
            assert_eq!(rig.reply(&format!("cas k 0 0 1 {version}|w")), "STORED");
        }
    }
}
