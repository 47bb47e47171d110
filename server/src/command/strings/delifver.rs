//! DELIFVER: removes a key that nobody changed since its version was read.

use locksley_engine::{Op, Touch};
use locksley_wire::resp::Reply;

use super::versions::version;
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static DELIFVER: Command = Command {
    name: "delifver",
    arity: 3,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "Locksley 0.1.0",
    summary: "Removes a key if it has the given version",
    complexity: "O(1)",
    syntax: "key version",
    run: Run::Owner(delifver),
};

fn delifver(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let wanted = version(args[2])?;
    let key = context.key(args[1]);
    let now = context.now();
    let is_met = context.shard().get(key, now, Touch::Leave).is_some_and(|entry| entry.version == wanted);
    if is_met {
        context.shard().apply(Op::Delete { key }, now)?;
    }
    reply.integer(i64::from(is_met));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::versions::version_after;
    use crate::command::testing::{Rig, check};

    #[test]
    fn only_the_version_there_is_can_be_removed() {
        let mut rig = Rig::new(3);
        let old = version_after(&mut rig, "SET k v");
        let new = version_after(&mut rig, "EXPIRE k 100");
        assert_eq!(rig.reply(&format!("DELIFVER k {old}")), ":0");
        assert_eq!(rig.reply("DELIFVER k 18446744073709551615"), ":0");
        assert_eq!(rig.reply("DELIFVER k 0"), ":0");
        assert_eq!(rig.reply("EXISTS k"), ":1");
        assert_eq!(rig.reply(&format!("DELIFVER k {new}")), ":1");
        assert_eq!(rig.reply(&format!("DELIFVER k {new}")), ":0");
        assert_eq!(rig.reply("EXISTS k"), ":0");
    }

    #[test]
    fn what_is_no_version_is_named() {
        check(&[
            ("DELIFVER k 0", ":0"),
            ("DELIFVER k -1", "-ERR '-1' is not a version (0 to 18446744073709551615)"),
            (
                "DELIFVER k 18446744073709551616",
                "-ERR '18446744073709551616' is not a version (0 to 18446744073709551615)",
            ),
            ("DELIFVER k", "-ERR wrong number of arguments for 'delifver' command"),
        ]);
    }
}
