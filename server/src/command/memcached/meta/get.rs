//! `mg`: reads an entry, and decides which of its readers is to make its value anew.
//!
//! | letter behind the flags | when |
//! |---|---|
//! | `Z` | somebody has won this entry, by `mg` or by GETL |
//! | `X` | it is stale: marked so, or in its grace |
//! | `W` | this reader wins it: it is stale, or has less than `R` seconds left, and nobody has won it; or it is the stub that this reader's `N` made |
//!
//! The stub of a key whose value somebody makes already who was told so by GETL is won by nobody else.
//! A note that there is nothing is a miss, of which `A` tells.
//!
//! A counted read shows when the entry was read before, so `h` and `l` need no look of their own.
//!
//! What may change the entry (`T`, `N`) is a row of its own, so that a plain read is one.

use locksley_engine::{Entry, ExpiryChange, FlagsChange, Key, Look, Millis, Touch, Value};
use locksley_wire::memcached::meta::Flags;
use locksley_wire::memcached::reply;
use locksley_wire::number::Digits;
use locksley_wire::resp::Reply;

use super::tokens::Tokens;
use super::{push_line, push_number, push_repeated, push_ttl};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::lease;
use crate::command::memcached::exptime;
use crate::command::memcached::shown;
use crate::command::memcached::store::put_stale;
use crate::command::memcached::touch::touch;
use crate::command::row::{self, Args, Command, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;
use crate::leases::{Lease, Term, Won};
use crate::thread::Thread;

pub(in crate::command::memcached) static META_GET: Command = Command {
    name: "mg",
    arity: 3,
    flags: row::Flags::READONLY.union(row::Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::Memcached,
    since: "Locksley 0.1.0",
    summary: "Returns what the flags ask for of a key",
    complexity: "O(1)",
    syntax: "key flags",
    run: Run::Owner(get),
};

pub(in crate::command::memcached) static META_GET_CHANGE: Command = Command {
    name: "mg-change",
    flags: row::Flags::WRITE.union(row::Flags::FAST),
    summary: "Returns what the flags ask for of a key, and sets when it expires or makes a stub of one that is missing",
    ..META_GET
};

/// The letters behind the flags.
#[derive(Clone, Copy, Default)]
struct Marks {
    others_won: bool,
    is_stale: bool,
    wins: bool,
}

fn get(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let flags = Flags::checked(args[2]);
    let tokens = match Tokens::read(flags) {
        Ok(tokens) => tokens,
        Err(bad) => {
            reply::client_error(bad.text(), reply.buffer());
            return Ok(());
        }
    };
    let touches = if flags.has(b'u') { Touch::Leave } else { context.caller.touch };
    let key = context.key(args[1]);
    let now = context.now();
    let expiry = tokens.exptime.map(|exptime| exptime::expiry(exptime, now));
    // An entry whose time is over by this very command is read before it goes.
    let goes = matches!(expiry, Some(ExpiryChange::At(at)) if at <= now);
    if let Some(expiry) = expiry.filter(|_| !goes) {
        touch(context, args[1], expiry)?;
    }
    context.thread.settle_touched();
    let Thread { shard, leases, .. } = &mut *context.thread;
    if let Some(entry) = shown(shard.get(key, now, touches)) {
        let marks = Marks::of(&entry, &tokens, leases.live(key.db, key.bytes, now), now);
        write(&entry, marks, flags, now, reply.buffer())?;
        if marks.wins {
            lease::begin(context.thread, key, Term::Open(Won::Value));
        }
        if let Some(expiry) = expiry.filter(|_| goes) {
            touch(context, args[1], expiry)?;
        }
        return Ok(());
    }
    miss(context, args[1], &tokens, touches, flags, reply.buffer())
}

/// Replies where there is no live value.
#[cold]
fn miss(
    context: &mut Context<'_>,
    key_bytes: &[u8],
    tokens: &Tokens,
    touches: Touch,
    flags: Flags<'_>,
    out: &mut Vec<u8>,
) -> Outcome {
    let key = context.key(key_bytes);
    let now = context.now();
    let lease = lease::live(context.thread, key);
    match context.shard().look(key, now, Touch::Leave) {
        Look::Over(entry) => {
            let marks = Marks { others_won: lease.is_some(), is_stale: true, wins: lease.is_none() };
            write(&entry, marks, flags, now, out)?;
            if marks.wins {
                lease::begin(context.thread, key, Term::Open(Won::Value));
            }
            return Ok(());
        }
        Look::Absent { .. } if flags.has(b'A') => {
            push_line(b"EN A", key_bytes, flags, out);
            return Ok(());
        }
        Look::Missing => {
            // What somebody won by `mg` was an entry, which is gone.
            let held = lease.filter(|lease| matches!(lease.term, Term::Held { .. }));
            if let Some(exptime) = tokens.vivify
                && make_stub(context, key, exptime, held)?
            {
                let entry = context.shard().get(key, now, touches).expect("the stub was made a moment ago");
                let marks = Marks { others_won: held.is_some(), wins: held.is_none(), is_stale: false };
                return write(&entry, marks, flags, now, out);
            }
        }
        Look::Absent { .. } | Look::Live(_) => {}
    }
    if !tokens.is_quiet {
        push_line(b"EN", key_bytes, flags, out);
    }
    Ok(())
}

impl Marks {
    /// What the reader of a live entry is told, who wins it if nobody has and there is a reason to.
    fn of(entry: &Entry<'_>, tokens: &Tokens, lease: Option<Lease>, now: Millis) -> Marks {
        let is_ending = tokens.recache.is_some_and(|recache| is_ending(entry.expiry, recache, now));
        let is_stub = lease.is_some_and(|lease| match lease.term {
            Term::Open(won) => won == Won::Stub,
            Term::Held { .. } => entry.value == Value::Bytes(b""),
        });
        Marks {
            others_won: lease.is_some(),
            is_stale: entry.is_stale && !is_stub,
            wins: lease.is_none() && (entry.is_stale || is_ending),
        }
    }
}

/// Whether an entry goes before the time that `R` names, which is an exptime like any other; in whole seconds, as `t`
/// shows them.
fn is_ending(expiry: Option<Millis>, recache: i64, now: Millis) -> bool {
    let seconds_to = |at: Millis| at.0.saturating_sub(now.0).div_ceil(1_000);
    recache != 0 && expiry.is_some_and(|expiry| seconds_to(expiry) < seconds_to(exptime::instant(recache, now)))
}

/// Makes an empty entry. Its maker has won it, unless a client holds the lease of the key, who makes the value and keeps
/// the lease. Whether there is an entry now, whose time is not over at once.
fn make_stub(context: &mut Context<'_>, key: Key<'_>, exptime: i64, held: Option<Lease>) -> Result<bool, Failure> {
    let expiry = exptime::expiry(exptime, context.now());
    // Stale, so that after a restart, when the lease is gone, its first reader wins it and nobody takes it for a value.
    let version = put_stale(context, key, Value::Bytes(b""), expiry, FlagsChange::Set(0))?;
    match held {
        _ if version == 0 => return Ok(false),
        Some(lease) => lease::restore(context.thread, key, lease),
        None => {
            lease::begin(context.thread, key, Term::Open(Won::Stub));
        }
    }
    Ok(true)
}

fn write(entry: &Entry<'_>, marks: Marks, flags: Flags<'_>, now: Millis, out: &mut Vec<u8>) -> Outcome {
    let value = string_value(entry)?;
    let shows_value = flags.has(b'v');
    if shows_value {
        out.reserve(value.len() + entry.key.len() + 64);
        out.extend_from_slice(b"VA ");
        out.extend_from_slice(Digits::of_u64(value.len() as u64).as_bytes());
    } else {
        out.extend_from_slice(b"HD");
    }
    for flag in flags.iter() {
        match flag.letter {
            b'c' => push_number(b'c', entry.version, out),
            b'f' => push_number(b'f', u64::from(entry.client_flags), out),
            b'h' => push_number(b'h', u64::from(entry.was_read), out),
            b'l' => push_number(b'l', entry.idle_ms / 1_000, out),
            b's' => push_number(b's', value.len() as u64, out),
            b't' => push_ttl(entry.expiry.map(|expiry| expiry.0.saturating_sub(now.0)), out),
            _ => push_repeated(flag, entry.key, flags, out),
        }
    }
    for (is_shown, letter) in [(marks.others_won, b'Z'), (marks.is_stale, b'X'), (marks.wins, b'W')] {
        if is_shown {
            out.extend_from_slice(&[b' ', letter]);
        }
    }
    out.extend_from_slice(b"\r\n");
    if shows_value {
        out.extend_from_slice(&value.text());
        out.extend_from_slice(b"\r\n");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::cache::testing::token;
    use crate::command::memcached::testing::{Rig, check};

    #[test]
    fn flags_are_answered_in_their_order() {
        check(&[
            ("mg k v", "EN"),
            ("mg k v q", ""),
            ("mg k k O5", "EN kk O5"),
            ("set k 7 100 3|abc", "STORED"),
            ("mg k", "HD"),
            ("mg k t s f k O12", "HD t100 s3 f7 kk O12"),
            ("mg k v s q", "VA 3 s3|abc"),
            ("mg aw== b k", "HD kaw== b"),
            ("mg k u h", "HD h1"),
            ("mg k T0 t", "HD t-1"),
            ("mg k T-1 v", "VA 3|abc"),
            ("mg k v", "EN"),
            ("mg k z", "CLIENT_ERROR invalid flag"),
            ("mg k Tx z", "CLIENT_ERROR invalid flag"),
            ("mg k Tx", "CLIENT_ERROR bad token in command line format"),
            ("mg k t t", "CLIENT_ERROR duplicate flag"),
        ]);
    }

    #[test]
    fn one_reader_wins_what_is_missing_ending_or_stale() {
        check(&[
            ("mg k N30 v t", "VA 0 t30 W|"),
            ("mg k N30 v t", "VA 0 t30 Z|"),
            ("mg k v", "VA 0 Z|"),
            ("ms k 1 T20|a", "HD"),
            ("mg k R10", "HD"),
            ("mg k R0", "HD"),
            ("@after 500", ""),
            ("mg k R20", "HD"),
            ("mg k R-1", "HD"),
            ("mg k R99999999", "HD"),
            ("mg k R30", "HD W"),
            ("mg k R30", "HD Z"),
            ("touch k 25", "TOUCHED"),
            ("mg k R30", "HD Z"),
            ("md k I T60", "HD"),
            ("mg k v t", "VA 1 t60 X W|a"),
            ("mg k v", "VA 1 Z X|a"),
            ("ms k 1|b", "HD"),
            ("mg k v", "VA 1|b"),
        ]);
    }

    #[test]
    fn a_change_of_the_expiry_takes_no_win_away() {
        for change in ["touch k 50", "gat 50 k", "mg k T50", "RESP EXPIRE k 50", "RESP PERSIST k"] {
            let mut rig = Rig::new(1);
            for line in ["set k 0 100 1|a", "md k I", "mg k", change] {
                rig.reply(line);
            }
            assert_eq!(rig.reply("mg k v"), "VA 1 Z X|a", "{change}");
        }
    }

    #[test]
    fn a_note_that_there_is_nothing_is_a_miss() {
        check(&[
            ("mg k A", "EN"),
            ("RESP SETABSENT k EX 10", "+OK"),
            ("mg k v", "EN"),
            ("mg k v q", ""),
            ("mg k v A", "EN A"),
            ("mg k A q k O5", "EN A kk O5"),
            ("mg k N30 v", "EN"),
            ("mg k N30 v A", "EN A"),
            ("get k", "END"),
            ("@after 10000", ""),
            ("mg k N30 v A", "VA 0 W|"),
        ]);
    }

    #[test]
    fn a_value_in_its_grace_is_stale() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            let store = |rig: &mut Rig| {
                let token = token(&rig.reply("RESP GETL k 1000")).expect("nobody has the lease");
                assert_eq!(rig.reply(&format!("RESP SETL k {token} a PX 1000 STALE 5000")), "+OK");
                rig.reply("@after 1000");
            };
            store(&mut rig);
            for (line, expected) in [
                ("get k", "END"),
                ("mg k v t", "VA 1 t0 X W|a"),
                ("mg k v", "VA 1 Z X|a"),
                ("mg k N30 v", "VA 1 Z X|a"),
                ("RESP GETL k 1000 STALE 5000", "*3 $5 stale $-1 $1 a"),
                ("ms k 1|b", "HD"),
                ("mg k v", "VA 1|b"),
                ("delete k", "DELETED"),
            ] {
                assert_eq!(rig.reply(line), expected, "{line}");
            }
            store(&mut rig);
            assert!(token(&rig.reply("RESP GETL k 1000")).is_some());
            assert_eq!(rig.reply("mg k v"), "VA 1 Z X|a");
            assert_eq!(rig.reply("@after 5000"), "");
            assert_eq!(rig.reply("mg k v"), "EN");
        }
    }

    #[test]
    fn leases_of_getl_and_wins_are_the_same() {
        const WAIT: &str = "*3 $4 wait $-1 $-1";
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            let first = token(&rig.reply("RESP GETL k 1000")).expect("nobody has the lease");
            assert_eq!(rig.reply("mg k N30 v"), "VA 0 Z|", "somebody makes the value already");
            assert_eq!(rig.reply("mg k v"), "VA 0 Z|");
            assert_eq!(rig.reply("RESP GETL k 1000"), WAIT, "a stub is no value");
            assert_eq!(rig.reply(&format!("RESP SETL k {first} a")), "+OK");
            assert_eq!(rig.reply("mg k v"), "VA 1|a");
            rig.reply("md k I");
            assert_eq!(rig.reply("mg k v"), "VA 1 X W|a");
            assert_eq!(rig.reply("RESP GETL k 1000"), "$1 a", "somebody renews it");
            rig.reply("md k");
            assert_eq!(rig.reply("mg k N30 v"), "VA 0 W|");
            assert_eq!(rig.reply("RESP GETL k 1000"), WAIT);
            rig.reply("@after 1000");
            assert!(token(&rig.reply("RESP GETL k 1000")).is_some(), "whoever won by mg may be gone");
            assert_eq!(rig.reply("ms k 1|b"), "HD");
            assert_eq!(rig.reply("RESP GETL k 1000"), "$1 b");
        }
    }
}
