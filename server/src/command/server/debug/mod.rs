//! DEBUG: what tests and people who look for faults need, refused unless `enable-debug-command` allows it.
//!
//! Nearly every subcommand runs on every shard, so that one row does: a key's description comes from the shard that has
//! it. Those that wait for something ([`reload`]) have rows of their own.

mod digest;
mod reload;
mod sha1;

use std::thread;
use std::time::Duration;

use locksley_engine::{Db, Encoding, Touch, Value};
use locksley_wire::glob;
use locksley_wire::number::{parse_i64, text_bytes};
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, JoinInput, Keys, Outcome, Run};
use crate::command::{help, join};
use crate::config::DebugAccess;
use digest::Digest;

pub(super) static DEBUG: Command = Command {
    name: "debug",
    arity: -2,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
    keys: Keys::None,
    categories: &[],
    group: Group::Server,
    since: "1.0.0",
    summary: "A container for commands that look for faults",
    complexity: "Depends on subcommand",
    syntax: "",
    run: Run::Container(&[reload::RELOAD, reload::LOADAOF, OTHERS]),
};

const OTHERS: Command = Command {
    name: "",
    summary: "Looks for faults; DEBUG HELP names the subcommands",
    syntax: "subcommand [argument [argument ...]]",
    run: Run::Every { part: debug, join: answer },
    ..SUBCOMMAND
};

/// What the subcommands share.
const SUBCOMMAND: Command = Command {
    name: "",
    arity: -2,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
    keys: Keys::None,
    categories: &[],
    group: Group::Server,
    since: "1.0.0",
    summary: "",
    complexity: "Depends on subcommand",
    syntax: "",
    run: Run::Every { part: debug, join: answer },
};

const REFUSED: Failure = Failure::fixed(
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a \
     local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
);

const NO_SHARD: Failure = Failure::fixed("ERR there is no such shard");

/// The subcommands with the least and the greatest number of arguments they take, `debug` included.
const SUBCOMMANDS: [(&str, usize, usize); 9] = [
    ("check", 2, 2),
    ("digest", 2, 2),
    ("digest-value", 2, usize::MAX),
    ("help", 2, 2),
    ("object", 3, 3),
    ("panic", 2, 3),
    ("set-active-expire", 3, 3),
    ("sleep", 3, 4),
    ("stringmatch-len", 4, 4),
];

fn subcommand(args: Args<'_>) -> Result<&'static str, Failure> {
    let is_meant = |(name, min, max): &&(&str, usize, usize)| {
        args[1].eq_ignore_ascii_case(name.as_bytes()) && (*min..=*max).contains(&args.len())
    };
    SUBCOMMANDS.iter().find(is_meant).map(|(name, ..)| *name).ok_or_else(|| {
        let given = String::from_utf8_lossy(args[1]);
        Failure::new(format_args!("ERR unknown subcommand or wrong number of arguments for '{given}'. Try DEBUG HELP."))
    })
}

fn is_allowed(context: &Context<'_>) -> bool {
    match context.thread.config.enable_debug_command {
        DebugAccess::No => false,
        DebugAccess::Yes => true,
        DebugAccess::Local => {
            let address = context.thread.client_address(context.caller);
            address.is_some_and(|address| address.ip().to_canonical().is_loopback())
        }
    }
}

fn check_allowed(context: &Context<'_>) -> Outcome {
    if is_allowed(context) { Ok(()) } else { Err(REFUSED) }
}

fn debug(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_allowed(context)?;
    match subcommand(args)? {
        "check" => context.shard().check(),
        "digest" => write_digest(context, reply),
        "digest-value" => write_value_digests(context, &args[2..], reply),
        "object" => describe(context, args[2], reply),
        "panic" => panic!("DEBUG PANIC {:?}", String::from_utf8_lossy(args.get(2).copied().unwrap_or_default())),
        "set-active-expire" => context.thread.expiry_held_at = (args[2] == b"0").then_some(context.thread.now),
        "sleep" if is_meant(context, args.get(3))? => thread::sleep(seconds(args[2])),
        _ => {}
    }
    Ok(())
}

/// Whether this shard is the one that a request names, which may name none.
fn is_meant(context: &Context<'_>, name: Option<&&[u8]>) -> Result<bool, Failure> {
    let Some(name) = name else { return Ok(true) };
    let shard = parse_i64(name).filter(|shard| (0..i64::from(context.thread.shared.shard_count)).contains(shard));
    Ok(shard.ok_or(NO_SHARD)? == i64::from(context.thread.id.0))
}

/// A time in seconds with decimals; what is none counts as 0, as in Redis.
fn seconds(text: &[u8]) -> Duration {
    let seconds = str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Writes a line about a key that is on this shard.
fn describe(context: &mut Context<'_>, bytes: &[u8], reply: &mut Reply<'_>) {
    let (key, now) = (context.key(bytes), context.now());
    let Some(entry) = context.shard().get(key, now, Touch::Leave) else { return };
    let length = match entry.value {
        Value::Bytes(bytes) => bytes.len(),
        Value::Integer(integer) => text_bytes(integer),
    };
    let encoding = match entry.encoding {
        Encoding::Integer => "int",
        Encoding::Bytes if length <= EMBEDDED_BYTES_MAX => "embstr",
        Encoding::Bytes | Encoding::Spliced => "raw",
    };
    let idle_seconds = entry.idle_ms / 1_000;
    let lru = (now.0 / 1_000).saturating_sub(idle_seconds) & 0x00FF_FFFF;
    reply.simple(&format!(
        "Value at:0x{:x} refcount:1 encoding:{encoding} serializedlength:{length} lru:{lru} \
         lru_seconds_idle:{idle_seconds} version:{} memory:{}",
        key.hash, entry.version, entry.memory_bytes,
    ));
}

/// The first byte of a part that is made of digests: whatever an error reply does not begin with.
const DIGEST_MARK: u8 = b'D';

/// Writes, for each database of which this shard has entries, its number and the digest of the entries.
fn write_digest(context: &mut Context<'_>, reply: &mut Reply<'_>) {
    let now = context.now();
    reply.buffer().push(DIGEST_MARK);
    for db in (0..context.thread.config.databases).map(Db) {
        if let Some(digest) = digest::of_database(context.shard(), db, now) {
            reply.buffer().push(db.0);
            reply.buffer().extend(digest.0);
        }
    }
}

/// Writes the digest of each key's value, which is zero where this shard does not have the key.
fn write_value_digests(context: &mut Context<'_>, keys: &[&[u8]], reply: &mut Reply<'_>) {
    let now = context.now();
    reply.buffer().push(DIGEST_MARK);
    for key in keys {
        let key = context.key(key);
        let entry = context.shard().get(key, now, Touch::Leave);
        let digest = entry.as_ref().map(digest::of_value).unwrap_or_default();
        reply.buffer().extend(digest.0);
    }
}

fn join_digests(input: &JoinInput<'_>, reply: &mut Reply<'_>) {
    let mut databases = std::collections::BTreeMap::<u8, Digest>::new();
    for part in input.parts {
        for piece in part.bytes[1..].as_chunks::<21>().0 {
            let sum = piece[1..].try_into().expect("a digest is 20 bytes long");
            databases.entry(piece[0]).or_default().combine(Digest(sum));
        }
    }
    let all = digest::of_all(databases.into_iter().map(|(db, digest)| (Db(db), digest)));
    reply.simple(&all.to_string());
}

fn join_value_digests(input: &JoinInput<'_>, reply: &mut Reply<'_>) {
    let mut digests = vec![Digest::default(); input.args.len() - 2];
    for part in input.parts {
        for (digest, sum) in digests.iter_mut().zip(part.bytes[1..].as_chunks::<20>().0) {
            digest.combine(Digest(*sum));
        }
    }
    reply.array(digests.len());
    for digest in digests {
        reply.simple(&digest.to_string());
    }
}

/// The longest string that Redis would keep in one piece with its header.
const EMBEDDED_BYTES_MAX: usize = 44;

fn answer(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    join::check_parts(input.parts)?;
    let args = input.args;
    match subcommand(args)? {
        "digest" => join_digests(input, reply),
        "digest-value" => join_value_digests(input, reply),
        "help" => explain(reply),
        "object" => {
            let part = input.parts.iter().find(|part| !part.bytes.is_empty()).ok_or(Failure::NO_SUCH_KEY)?;
            reply.buffer().extend(part.bytes);
        }
        "stringmatch-len" => {
            reply.integer(i64::from(glob::matches(args[2], args[3], glob::Case::Sensitive)));
        }
        _ => reply.ok(),
    }
    Ok(())
}

fn explain(reply: &mut Reply<'_>) {
    let lines = [
        "CHECK",
        "    Walk every shard and stop the server if anything in it is not as it must be.",
        "DIGEST",
        "    Return 40 hexadecimal digits that are the same for the same data: keys, values, expiries and client flags.",
        "DIGEST-VALUE <key> [<key> ...]",
        "    Return the digests of the values of all the specified keys; zeros where there is no key.",
        "LOADAOF",
        "    Empty all shards and load them from what is on disk: the last snapshot and the log behind it.",
        "OBJECT <key>",
        "    Show how <key> and its value are kept.",
        "PANIC [<text>]",
        "    Stop the server as a broken invariant does, with a crash report, of whose message <text> is a part.",
        "RELOAD [option ...]",
        "    Take a snapshot, empty all shards and load them from it. Valid <option> values:",
        "    * MERGE: of no effect here, since shards are empty when they are loaded.",
        "    * NOFLUSH: of no effect here with a snapshot that is just taken; refused with NOSAVE.",
        "    * NOSAVE: take no snapshot; load what is on disk, as LOADAOF does.",
        "SET-ACTIVE-EXPIRE <0|1>",
        "    With 0, keys whose time is over are removed only when somebody asks for them.",
        "SLEEP <seconds> [<shard>]",
        "    Stop all shards, or the one with this number, for <seconds>. Decimals allowed.",
        "STRINGMATCH-LEN <pattern> <string>",
        "    Return whether <string> matches <pattern>.",
    ];
    help::help("DEBUG", &lines, reply);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::Rig;

    fn rig(access: DebugAccess) -> Rig {
        let mut rig = Rig::new(3);
        rig.configure(|config| config.enable_debug_command = access);
        rig
    }

    #[test]
    fn strangers_are_refused() {
        for (access, address, is_refused) in [
            (DebugAccess::No, "127.0.0.1:1", true),
            (DebugAccess::Yes, "10.0.0.1:1", false),
            (DebugAccess::Local, "127.0.0.1:1", false),
        ] {
            let mut rig = rig(access);
            rig.client().address = address.parse().expect("an address");
            let reply = rig.reply("DEBUG SLEEP 0");
            assert_eq!(reply.starts_with("-ERR DEBUG command not allowed."), is_refused, "{access:?} {address}");
        }
    }

    #[test]
    fn one_shard_may_sleep_alone() {
        let mut rig = rig(DebugAccess::Yes);
        assert_eq!(rig.reply("DEBUG SLEEP 0 2"), "+OK");
        assert_eq!(rig.reply("DEBUG SLEEP 0 3"), "-ERR there is no such shard");
        assert_eq!(rig.reply("DEBUG SLEEP 0 x"), "-ERR there is no such shard");
    }

    #[test]
    fn keys_are_described_by_the_shard_that_has_them() {
        let mut rig = rig(DebugAccess::Yes);
        rig.reply("SET k 12");
        let reply = rig.reply("DEBUG OBJECT k");
        assert!(reply.starts_with("+Value at:0x") && reply.contains(" encoding:int serializedlength:2 "), "{reply}");
        assert_eq!(rig.reply("DEBUG OBJECT none"), "-ERR no such key");
    }

    #[test]
    fn digests_are_those_of_redis_without_expiry_and_flags() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            rig.configure(|config| config.enable_debug_command = DebugAccess::Yes);
            for (line, reply) in [
                ("DEBUG DIGEST", "+0000000000000000000000000000000000000000"),
                ("DEBUG DIGEST-VALUE", "*0"),
                ("SET a 1", "+OK"),
                ("DEBUG DIGEST", "+943d800368fb9c0e951138f1bc0e313ac769d91f"),
                (
                    "DEBUG DIGEST-VALUE a b",
                    "*2 +b4fc66738120fba0b5aa500ab5c2bf89cea1c5da +0000000000000000000000000000000000000000",
                ),
                ("SET c hello", "+OK"),
                ("DEBUG DIGEST", "+49b61e64a62ad6bbbf96241db79c2a5d749eaadd"),
                ("@db 1", ""),
                ("SET d xx", "+OK"),
                ("DEBUG DIGEST", "+c25221fb08525b092ca5676f51875016fb00a414"),
            ] {
                assert_eq!(rig.reply(line), reply, "{line}");
            }
        }
    }

    #[test]
    fn a_digest_depends_on_the_data_alone() {
        let digest = |shard_count: u16, lines: &[&str]| {
            let mut rig = Rig::new(shard_count);
            rig.configure(|config| config.enable_debug_command = DebugAccess::Yes);
            for line in lines {
                rig.reply(line);
            }
            (rig.reply("DEBUG DIGEST"), rig.reply("DEBUG DIGEST-VALUE a"))
        };
        let expected = digest(3, &["SET a 1", "SET b 2 PXAT 1800000000000"]);
        for (lines, is_same) in [
            (&["SET b 3", "SET b 2 PXAT 1800000000000", "SET a x", "SET a 0", "INCR a"][..], true),
            (&["SET a 1", "SET b 2 PXAT 1800000000001"], false),
            (&["SET a 1", "SET b 2"], false),
            (&["SET a 2", "SET b 1 PXAT 1800000000000"], false),
            (&["@db 1", "SET a 1", "SET b 2 PXAT 1800000000000"], false),
            (&["SET a 1", "SET b 2 PXAT 1800000000000", "SET c 3 PX 5", "@after 10"], true),
        ] {
            assert_eq!(digest(1, lines).0 == expected.0, is_same, "{lines:?}");
        }
        assert_ne!(digest(1, &["SET a 1"]).1, digest(1, &["SET a 1 PXAT 1800000000000"]).1);
    }

    #[test]
    fn subcommands_are_few() {
        let mut rig = rig(DebugAccess::Yes);
        for (line, reply) in [
            ("DEBUG CHECK", "+OK"),
            ("DEBUG STRINGMATCH-LEN a*c abc", ":1"),
            ("DEBUG STRINGMATCH-LEN a*c abd", ":0"),
            ("DEBUG SET-ACTIVE-EXPIRE 0", "+OK"),
            ("DEBUG JMAP", "-ERR unknown subcommand or wrong number of arguments for 'JMAP'. Try DEBUG HELP."),
        ] {
            assert_eq!(rig.reply(line), reply, "{line}");
        }
        assert!(rig.threads.iter().all(|thread| thread.expiry_held_at.is_some()));
        assert!(rig.reply("DEBUG HELP").starts_with("*26 +DEBUG <subcommand>"));
    }
}
