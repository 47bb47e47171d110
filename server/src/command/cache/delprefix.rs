//! DELPREFIX: every key that begins with the same bytes is gone at once; memory comes back in the background.
//!
//! Every shard notes the prefix by itself, so that when one refuses because it has enough to do, others may have taken it:
//! it can be asked for again.

use locksley_engine::Op;
use locksley_engine::limits::PREFIX_BYTES_MAX;
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::join;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static DELPREFIX: Command = Command {
    name: "delprefix",
    arity: 2,
    flags: Flags::WRITE,
    keys: Keys::None,
    categories: &["keyspace", "dangerous"],
    group: Group::Cache,
    since: "Locksley 0.1.0",
    summary: "Removes all keys of the selected database that begin with a prefix",
    complexity: "O(1), and O(N) in the background, N the number of keys in the database",
    syntax: "prefix",
    run: Run::Every { part: delprefix, join: join::ok },
};

fn delprefix(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (db, prefix, now) = (context.caller.db, args[1], context.now());
    check_prefix(prefix)?;
    context.shard().apply(Op::DeletePrefix { db, prefix }, now)?;
    reply.ok();
    Ok(())
}

/// Whether keys can be deleted by this prefix.
///
/// # Errors
/// When it is empty or too long.
pub(crate) fn check_prefix(prefix: &[u8]) -> Outcome {
    let bytes = prefix.len();
    if (1..=PREFIX_BYTES_MAX).contains(&bytes) {
        return Ok(());
    }
    Err(Failure::new(format_args!("ERR prefix must be 1 to {PREFIX_BYTES_MAX} bytes, not {bytes}")))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Rig, check};

    #[test]
    fn keys_of_one_database_that_begin_so_are_gone() {
        check(&[
            ("@db 1", ""),
            ("MSET user:1 a", "+OK"),
            ("@db 0", ""),
            ("MSET user:1 a user:2 b users c us d USER:1 e", "+OK"),
            ("DELPREFIX user:", "+OK"),
            ("MGET user:1 user:2 users us USER:1", "*5 $-1 $-1 $1 c $1 d $1 e"),
            ("DBSIZE", ":3"),
            ("SET user:1 new", "+OK"),
            ("GET user:1", "$3 new"),
            ("DELPREFIX nothing", "+OK"),
            ("DELPREFIX u", "+OK"),
            ("KEYS *", "*1 $6 USER:1"),
            ("@db 1", ""),
            ("GET user:1", "$1 a"),
        ]);
    }

    #[test]
    fn one_more_prefix_than_may_be_pending_is_refused() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            // In larger tables than are gone through at once; nothing works in the background here.
            for key in 0..2_000 {
                rig.reply(&format!("SET {}:{key} v", key % 10));
            }
            for prefix in 0..8 {
                assert_eq!(rig.reply(&format!("DELPREFIX {prefix}:")), "+OK");
            }
            assert_eq!(rig.reply("DELPREFIX 8:"), "-ERR 8 prefixes are still being deleted; try again");
            assert_eq!(rig.reply("MGET 7:7 8:8 9:9"), "*3 $-1 $1 v $1 v");
            assert_eq!(rig.reply("DELPREFIX 7:"), "+OK", "it takes the place of the one there is");
        }
    }

    #[test]
    fn a_prefix_has_bounds() {
        let longest = "p".repeat(1_024);
        check(&[
            (&format!("SET {longest}s v"), "+OK"),
            (&format!("DELPREFIX {longest}p"), "-ERR prefix must be 1 to 1024 bytes, not 1025"),
            (r#"DELPREFIX """#, "-ERR prefix must be 1 to 1024 bytes, not 0"),
            ("DBSIZE", ":1"),
            (&format!("DELPREFIX {longest}"), "+OK"),
            ("DBSIZE", ":0"),
            ("DELPREFIX", "-ERR wrong number of arguments for 'delprefix' command"),
        ]);
    }
}
