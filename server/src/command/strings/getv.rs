//! GETV: the value of a key together with its version, for a change on that condition (`SET ... IFVER`, DELIFVER).

use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;

pub(super) static GETV: Command = Command {
    name: "getv",
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "Locksley 0.1.0",
    summary: "Returns the string value of a key and its version, a number that grows with each change of the key",
    complexity: "O(1)",
    syntax: "key",
    run: Run::Owner(getv),
};

/// Replies an array of two; where there is none, null in the form that Redis gives it in place of an array.
fn getv(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = context.key(args[1]);
    let (now, touch) = (context.now(), context.caller.touch);
    let Some(entry) = context.shard().get(key, now, touch) else {
        reply.null_array();
        return Ok(());
    };
    let value = string_value(&entry)?;
    reply.array(2);
    value.write(reply);
    reply.integer(i64::try_from(entry.version).expect("a version has 47 bits"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::versions::{read_version, version_after};
    use crate::command::testing::{Rig, check};

    #[test]
    fn an_absent_key_has_neither_value_nor_version() {
        check(&[
            ("GETV k", "*-1"),
            ("SET k v PX 10", "+OK"),
            ("@after 10", ""),
            ("GETV k", "*-1"),
            ("@resp 3", ""),
            ("GETV k", "_"),
            ("GETV", "-ERR wrong number of arguments for 'getv' command"),
        ]);
    }

    #[test]
    fn values_come_as_get_replies_them() {
        for (line, value) in [("SET k hello", "$5 hello"), ("SET k -12", "$3 -12"), ("SET k \"\"", "$0 ")] {
            let mut rig = Rig::new(3);
            assert_eq!(rig.reply(line), "+OK");
            let reply = rig.reply("GETV k");
            assert!(reply.starts_with(&format!("*2 {value} :")), "{reply}");
        }
    }

    #[test]
    fn every_change_makes_a_higher_version_and_no_read_does() {
        let mut rig = Rig::new(3);
        let mut version = version_after(&mut rig, "SET k 1");
        assert!(version > 0);
        for line in ["SET k 1", "INCR k", "APPEND k 0", "EXPIRE k 100", "PERSIST k", "SETRANGE k 0 7", "GETEX k EX 9"] {
            let next = version_after(&mut rig, line);
            assert!(next > version, "{line} made {next} of {version}");
            version = next;
        }
        for line in ["GET k", "GETV k", "SET k v NX", "SET k v IFEQ other", "TTL k", "TOUCH k"] {
            assert_eq!(version_after(&mut rig, line), version, "{line}");
        }
        rig.run("DEL k");
        assert!(version_after(&mut rig, "SET k 1") > version, "an entry made anew does not repeat a version");
        assert_eq!(read_version(&mut rig, "none"), None);
    }
}
