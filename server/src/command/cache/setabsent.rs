//! SETABSENT: notes for a while that there is nothing to be cached under a key.
//!
//! To all who read values there is no entry; GETL, `mg` and the HTTP door say that it is absent, so that nobody asks the
//! origin for what it does not have.

use locksley_engine::{Millis, Op};
use locksley_wire::resp::Reply;

use super::arguments::TOKENS;
use super::keywords::{EX, Keyword, PX, instant, keywords};
use crate::command::context::Context;
use crate::command::lease;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static SETABSENT: Command = Command {
    name: "setabsent",
    arity: -2,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::Cache,
    since: "Locksley 0.1.0",
    summary: "Notes for a while (absent-ttl, unless told otherwise) that there is nothing under a key; optionally only if the token is that of its lease",
    complexity: "O(1)",
    syntax: "key [EX seconds | PX milliseconds] [TOKEN token]",
    run: Run::Owner(setabsent),
};

const TOKEN: Keyword = ("TOKEN", TOKENS);

fn setabsent(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let [ex, px, token] = keywords(&args[2..], &[EX, PX, TOKEN])?;
    let now = context.now();
    let default_ms = 1000 * u64::from(context.thread.config.absent_ttl);
    let expiry = instant([ex, px, None, None], now)?.unwrap_or(Millis(now.0 + default_ms));
    let key = context.key(args[1]);
    if let Some(token) = token
        && lease::held(context.thread, key, token).is_none()
    {
        reply.null();
        return Ok(());
    }
    context.shard().apply(Op::PutAbsent { key, expiry }, now)?;
    lease::end(context.thread, key);
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, token};
    use crate::command::testing::Rig;

    #[test]
    fn readers_of_values_see_nothing() {
        check(&[
            ("SET k v", "+OK"),
            ("SETABSENT k", "+OK"),
            ("GET k", "$-1"),
            ("EXISTS k", ":0"),
            ("TTL k", ":-2"),
            ("KEYS *", "*0"),
            ("SET k w NX", "+OK"),
            ("GETL k 100", "$1 w"),
        ]);
    }

    #[test]
    fn a_note_ends_in_its_time() {
        for (line, ends_ms) in
            [("SETABSENT k", 45_000), ("SETABSENT k EX 1", 1_000), ("SETABSENT k PX 7", 7), ("setabsent k px 7", 7)]
        {
            check(&[
                (line, "+OK"),
                (&format!("@after {}", ends_ms - 1), ""),
                ("GETL k 100", "*3 $6 absent $-1 $-1"),
                ("@after 1", ""),
                ("GETL k 100", "*3 $3 win :T1 $-1"),
            ]);
        }
    }

    #[test]
    fn the_setting_says_how_long_a_note_lasts_otherwise() {
        let mut rig = Rig::new(1);
        rig.configure(|config| config.absent_ttl = 2);
        rig.reply("SETABSENT k");
        rig.reply("@after 1999");
        assert_eq!(rig.reply("GETL k 100"), "*3 $6 absent $-1 $-1");
        rig.reply("@after 1");
        assert!(token(&rig.reply("GETL k 100")).is_some());
    }

    #[test]
    fn a_token_has_to_be_live() {
        check(&[
            ("SETABSENT k TOKEN T0", "$-1"),
            ("GETL k 100", "*3 $3 win :T1 $-1"),
            ("SETABSENT k TOKEN T0 EX 10", "$-1"),
            ("SETABSENT k EX 10 TOKEN T1", "+OK"),
            ("SETABSENT k EX 10 TOKEN T1", "$-1"),
            ("GETL k 100", "*3 $6 absent $-1 $-1"),
        ]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        check(&[
            ("SETABSENT k EX 0", "-ERR EX must be 1 to 9007199254740991, not '0'"),
            ("SETABSENT k EX 1 PX 1", "-ERR syntax error"),
            ("SETABSENT k TOKEN", "-ERR syntax error"),
            ("SETABSENT k TOKEN 0", "-ERR TOKEN must be 1 to 9223372036854775807, not '0'"),
        ]);
    }
}
