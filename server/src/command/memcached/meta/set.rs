//! `ms`: stores a value, on the conditions that its flags name.

use locksley_engine::{ExpiryChange, FlagsChange, Touch, Value};
use locksley_wire::memcached::meta::Flags;
use locksley_wire::memcached::{StoreMode, reply};
use locksley_wire::resp::Reply;

use super::tokens::{BadToken, Tokens};
use super::{push_number, push_repeated};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::memcached::exptime;
use crate::command::memcached::store::{Stored, Storing, put_stale, store};
use crate::command::row::{self, Args, Command, Group, Keys, Outcome, Run};

pub(in crate::command::memcached) static META_SET: Command = Command {
    name: "ms",
    arity: 4,
    flags: row::Flags::WRITE.union(row::Flags::DENYOOM).union(row::Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::Memcached,
    since: "Locksley 0.1.0",
    summary: "Stores a value on the conditions that the flags name",
    complexity: "O(1)",
    syntax: "key datalen flags",
    run: Run::Owner(set),
};

fn set(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let flags = Flags::checked(args[2]);
    let read = Tokens::read(flags).map_err(BadToken::text);
    let (tokens, mode) = match read.and_then(|tokens| Ok((tokens, mode_of(tokens.mode)?))) {
        Ok(both) => both,
        Err(text) => {
            reply::client_error(text, reply.buffer());
            return Ok(());
        }
    };
    // Whoever names a version is told that there is no entry, not that it is the wrong mode for none.
    let mode = if mode == StoreMode::Replace && tokens.compare.is_some() { StoreMode::Cas } else { mode };
    let storing = Storing {
        mode,
        key: args[1],
        value: args[3],
        client_flags: tokens.client_flags,
        expiry: exptime::expiry(tokens.exptime.unwrap_or(0), context.now()),
        compare: tokens.compare,
    };
    let is_older = is_older(context, &storing, tokens.invalidates);
    let stored = if is_older { store_stale(context, &storing)? } else { store(context, &storing)? };
    let (code, version): (&[u8], u64) = match stored {
        Stored::Stored { .. } if tokens.is_quiet => return Ok(()),
        Stored::Stored { version } => (b"HD", version),
        Stored::NotStored => (b"NS", 0),
        Stored::Exists => (b"EX", 0),
        Stored::NotFound => (b"NF", 0),
    };
    let out = reply.buffer();
    out.extend_from_slice(code);
    for flag in flags.iter() {
        match flag.letter {
            b'c' => push_number(b'c', version, out),
            _ => push_repeated(flag, args[1], flags, out),
        }
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

fn mode_of(letter: Option<u8>) -> Result<StoreMode, &'static str> {
    match letter {
        None | Some(b'S') => Ok(StoreMode::Set),
        Some(b'E') => Ok(StoreMode::Add),
        Some(b'A') => Ok(StoreMode::Append),
        Some(b'P') => Ok(StoreMode::Prepend),
        Some(b'R') => Ok(StoreMode::Replace),
        Some(_) => Err("invalid mode for ms M token"),
    }
}

/// Whether the client asks to store as stale over a later version than it knows.
fn is_older(context: &mut Context<'_>, storing: &Storing<'_>, invalidates: bool) -> bool {
    let Some(known) = storing.compare.filter(|_| invalidates) else { return false };
    if !matches!(storing.mode, StoreMode::Set | StoreMode::Cas) {
        return false;
    }
    let key = context.key(storing.key);
    let now = context.now();
    context.shard().get(key, now, Touch::Leave).is_some_and(|entry| known < entry.version)
}

/// Stores a value that is out of date already; it goes when the entry was to go, and who has won that has won it still.
fn store_stale(context: &mut Context<'_>, storing: &Storing<'_>) -> Result<Stored, Failure> {
    let key = context.key(storing.key);
    let flags = FlagsChange::Set(storing.client_flags);
    let version = put_stale(context, key, Value::Bytes(storing.value), ExpiryChange::Keep, flags)?;
    context.thread.counters.cache.stored += 1;
    Ok(Stored::Stored { version })
}

#[cfg(test)]
mod tests {
    use crate::command::memcached::testing::{Rig, check};

    #[test]
    fn modes_decide_whether_it_stores() {
        check(&[
            ("ms k 1 MR k|a", "NS kk"),
            ("ms k 1 MA|a", "NS"),
            ("ms k 1 MA C1|a", "NS"),
            ("ms k 1 MR C1|a", "NF"),
            ("ms k 1 ME O1|a", "HD O1"),
            ("ms k 1 ME|b", "NS"),
            ("ms k 1 MA q|b", ""),
            ("ms k 1 MP|c", "HD"),
            ("mg k v", "VA 3|cab"),
            ("ms k 1 F7 T100|d", "HD"),
            ("mg k v f t", "VA 1 f7 t100|d"),
            ("ms k 1 MX|d", "CLIENT_ERROR invalid mode for ms M token"),
            ("ms k 1 M|d", "CLIENT_ERROR incorrect length for M token"),
            ("ms aw== 1 b k|e", "HD kaw== b"),
            ("get k", "VALUE k 0 1|e|END"),
        ]);
    }

    #[test]
    fn versions_are_compared_and_older_ones_store_as_stale() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            assert_eq!(rig.reply("ms k 1 C1 c|a"), "NF c0");
            assert_eq!(rig.reply("ms k 1|a"), "HD");
            let version = rig.version("k");
            assert_eq!(rig.reply(&format!("ms k 1 C{}|b", version + 1)), "EX");
            assert_eq!(rig.reply(&format!("ms k 1 I C{}|b", version + 1)), "EX");
            assert_eq!(rig.reply(&format!("ms k 1 C{version}|b")), "HD");
            assert_eq!(rig.reply(&format!("ms k 1 I C{version}|c")), "HD");
            assert_eq!(rig.reply("mg k v T60"), "VA 1 X W|c");
            assert_eq!(rig.reply(&format!("ms k 1 I C{version} T90 F5|d")), "HD");
            assert_eq!(rig.reply("mg k v t f"), "VA 1 t60 f5 Z X|d");
        }
    }
}
