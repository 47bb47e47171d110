//! `me`: what is known of an entry besides its value.

use std::io::Write;

use locksley_wire::memcached::key;
use locksley_wire::memcached::meta::Flags;
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::memcached::shown;
use crate::command::row::{self, Args, Command, Group, Keys, Outcome, Run};

pub(in crate::command::memcached) static META_DEBUG: Command = Command {
    name: "me",
    arity: 3,
    flags: row::Flags::READONLY.union(row::Flags::FAST),
    keys: Keys::FIRST,
    categories: &["keyspace"],
    group: Group::Memcached,
    since: "Locksley 0.1.0",
    summary: "Returns what is known of a key besides its value",
    complexity: "O(1)",
    syntax: "key flags",
    run: Run::Owner(run),
};

fn run(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let flags = Flags::checked(args[2]);
    let key = context.key(args[1]);
    let now = context.now();
    let out = reply.buffer();
    let Some(entry) = shown(context.shard().peek(key, now)) else {
        out.extend_from_slice(b"EN\r\n");
        return Ok(());
    };
    out.extend_from_slice(b"ME ");
    if flags.has(b'b') {
        key::encode(args[1], out);
    } else {
        out.extend_from_slice(args[1]);
    }
    match entry.expiry {
        Some(expiry) => write!(out, " exp={}", expiry.0.saturating_sub(now.0).div_ceil(1_000)),
        None => write!(out, " exp=-1"),
    }
    .expect("a vector takes all that is written");
    let fetch = if entry.was_read { "yes" } else { "no" };
    // Classes have no numbers here.
    let (idle, version, bytes) = (entry.idle_ms / 1_000, entry.version, entry.memory_bytes);
    write!(out, " la={idle} cas={version} fetch={fetch} cls=0 size={bytes}\r\n")
        .expect("a vector takes all that is written");
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::memcached::testing::Rig;

    #[test]
    fn an_entry_is_shown_without_its_value() {
        let mut rig = Rig::new(1);
        assert_eq!(rig.reply("me k"), "EN");
        rig.reply("set k 0 100 1|a");
        let shown = rig.reply("me k");
        assert!(shown.starts_with("ME k exp=100 la=0 cas=") && shown.contains(" fetch=no "), "{shown}");
        rig.reply("get k");
        assert!(rig.reply("me aw== b").contains("ME aw== exp=100 la=0 cas="));
        assert!(rig.reply("me k").contains(" fetch=yes "));
    }
}
