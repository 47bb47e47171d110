//! SET: makes a key hold a value.
//!
//! What is not plain `SET key value` goes in this order, so that errors come as Redis gives them: the options' grammar,
//! then the time, then the old value, then the condition.

use locksley_engine::{Entry, ExpiryChange, FlagsChange, Op, Touch, Value};
use locksley_wire::resp::Reply;

use super::versions::version;
use crate::command::context::Context;
use crate::command::expire_options::ExpiryOption;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;

pub(super) static SET: Command = Command {
    name: "set",
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "1.0.0",
    summary: "Makes a key hold a string, whatever it held before; optionally only on a condition, with a time to live, or with the old value as reply",
    complexity: "O(1)",
    syntax: "key value [NX | XX | IFEQ comparison | IFVER version] [GET] [EX seconds | PX milliseconds | EXAT unix-seconds | PXAT unix-milliseconds | KEEPTTL]",
    run: Run::Owner(set),
};

/// When SET writes at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition<'a> {
    Always,
    /// NX: the key does not exist.
    Absent,
    /// XX: the key exists.
    Present,
    /// IFEQ: the key exists and holds this.
    Equal(&'a [u8]),
    /// IFVER: the key exists and has the version that this spells; does not exist, if that is 0.
    Version(&'a [u8]),
}

struct Options<'a> {
    condition: Condition<'a>,
    expiry: ExpiryOption<'a>,
    replies_old: bool,
}

fn set(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if args.len() == 3 {
        put(context, args[1], args[2], ExpiryChange::Clear)?;
        reply.ok();
        return Ok(());
    }
    let options = Options::parse(&args[3..])?;
    let now = context.now();
    let expiry = options.expiry.change("set", now)?;
    if options.replies_old || options.condition != Condition::Always {
        let key = context.key(args[1]);
        let touch = if options.replies_old { context.caller.touch } else { Touch::Leave };
        let old = context.shard().get(key, now, touch);
        let is_met = options.condition.is_met(old.as_ref())?;
        match old {
            Some(old) if options.replies_old => string_value(&old)?.write(reply),
            None if options.replies_old => reply.null(),
            _ if !is_met => reply.null(),
            _ => {}
        }
        if !is_met {
            return Ok(());
        }
    }
    put(context, args[1], args[2], expiry)?;
    if !options.replies_old {
        reply.ok();
    }
    Ok(())
}

/// Makes `key` hold `value`, as every command does that replaces a string whole.
#[inline]
pub(super) fn put(context: &mut Context<'_>, key: &[u8], value: &[u8], expiry: ExpiryChange) -> Outcome {
    let key = context.key(key);
    let now = context.now();
    let op = Op::Put { key, value: Value::Bytes(value), expiry, client_flags: FlagsChange::Set(0) };
    context.shard().apply(op, now)?;
    Ok(())
}

impl Condition<'_> {
    fn is_met(self, old: Option<&Entry<'_>>) -> Result<bool, Failure> {
        match (self, old) {
            (Condition::Always, _) => Ok(true),
            (Condition::Absent, old) => Ok(old.is_none()),
            (Condition::Present, old) => Ok(old.is_some()),
            (Condition::Equal(_), None) => Ok(false),
            (Condition::Equal(bytes), Some(old)) => Ok(string_value(old)?.is(bytes)),
            (Condition::Version(text), old) => Ok(version(text)? == old.map_or(0, |old| old.version)),
        }
    }
}

impl<'a> Options<'a> {
    fn parse(words: &[&'a [u8]]) -> Result<Options<'a>, Failure> {
        let mut options = Options { condition: Condition::Always, expiry: ExpiryOption::None, replies_old: false };
        let mut at = 0;
        while at < words.len() {
            at += options.take(&words[at..]).ok_or(Failure::SYNTAX)?;
        }
        if options.expiry == ExpiryOption::Persist { Err(Failure::SYNTAX) } else { Ok(options) }
    }

    /// Takes the option at the front of `words`; returns how many words it took.
    fn take(&mut self, words: &[&'a [u8]]) -> Option<usize> {
        let is = |name: &[u8]| words[0].eq_ignore_ascii_case(name);
        if is(b"NX") {
            return self.set_condition(Condition::Absent).then_some(1);
        }
        if is(b"XX") {
            return self.set_condition(Condition::Present).then_some(1);
        }
        if is(b"IFEQ") || is(b"IFVER") {
            let operand = words.get(1)?;
            let is_first = self.condition == Condition::Always;
            let condition = if is(b"IFEQ") { Condition::Equal(operand) } else { Condition::Version(operand) };
            return (is_first && self.set_condition(condition)).then_some(2);
        }
        if is(b"GET") {
            self.replies_old = true;
            return Some(1);
        }
        self.expiry.take(words)
    }

    fn set_condition(&mut self, condition: Condition<'a>) -> bool {
        let is_compatible = self.condition == Condition::Always || self.condition == condition;
        self.condition = condition;
        is_compatible
    }
}

#[cfg(test)]
mod tests {
    use super::super::versions::{read_version, version_after};
    use crate::command::testing::{Rig, check};

    const SYNTAX: &str = "-ERR syntax error";
    const EXPIRE: &str = "-ERR invalid expire time in 'set' command";
    const INTEGER: &str = "-ERR value is not an integer or out of range";

    #[test]
    fn conditions_decide_whether_it_writes() {
        check(&[
            ("SET k a XX", "$-1"),
            ("GET k", "$-1"),
            ("SET k a nx", "+OK"),
            ("SET k b NX", "$-1"),
            ("SET k b XX", "+OK"),
            ("GET k", "$1 b"),
            ("SET k c IFEQ x", "$-1"),
            ("SET k 12 IFEQ b", "+OK"),
            ("SET k 13 IFEQ 012", "$-1"),
            ("SET k 13 IFEQ 12", "+OK"),
            ("SET none v IFEQ \"\"", "$-1"),
            ("EXISTS none", ":0"),
            ("SET k v NX NX", "$-1"),
            ("SET k v NX XX", SYNTAX),
            ("SET k v XX NX", SYNTAX),
            ("SET k v NX IFEQ 1", SYNTAX),
            ("SET k v IFEQ 1 XX", SYNTAX),
            ("SET k v IFEQ 1 IFEQ 1", SYNTAX),
            ("SET k v IFEQ", SYNTAX),
            ("SET k v what", SYNTAX),
            ("GET k", "$2 13"),
        ]);
    }

    #[test]
    fn a_version_lets_a_write_through_once() {
        let mut rig = Rig::new(3);
        let old = version_after(&mut rig, "SET k a");
        assert_eq!(rig.reply(&format!("SET k b IFVER {old}")), "+OK");
        assert_eq!(rig.reply(&format!("SET k c ifver {old}")), "$-1");
        assert_eq!(rig.reply(&format!("SET k c IFVER {old} GET")), "$1 b");
        let new = read_version(&mut rig, "k").expect("it exists");
        assert!(new > old);
        assert_eq!(rig.reply(&format!("SET k c GET IFVER {new} EX 100")), "$1 b");
        assert_eq!(rig.reply("GET k"), "$1 c");
        assert_eq!(rig.reply("TTL k"), ":100");
        let kept = read_version(&mut rig, "k").expect("it exists");
        assert_eq!(rig.reply(&format!("SET k d KEEPTTL IFVER {kept}")), "+OK");
        assert_eq!(rig.reply("TTL k"), ":100");
        assert_eq!(rig.reply(&format!("SET none v IFVER {kept}")), "$-1");
        assert_eq!(rig.reply("EXISTS none"), ":0");
    }

    #[test]
    fn version_0_is_that_of_an_absent_key() {
        let number = "-ERR '1x' is not a version (0 to 18446744073709551615)";
        check(&[
            ("SET k a IFVER 0", "+OK"),
            ("SET k b IFVER 0", "$-1"),
            ("SET k b IFVER 0 GET", "$1 a"),
            ("SET new b IFVER 0 GET", "$-1"),
            ("GET new", "$1 b"),
            ("SET k v PX 10", "+OK"),
            ("@after 10", ""),
            ("SET k c IFVER 0 PX 10", "+OK"),
            ("PTTL k", ":10"),
            ("SET k v IFVER 18446744073709551615", "$-1"),
            ("SET k v IFVER 1x", number),
            ("SET k v IFVER 1x GET", number),
            ("SET k v IFVER", SYNTAX),
            ("SET k v IFVER 0 IFVER 0", SYNTAX),
            ("SET k v IFVER 0 NX", SYNTAX),
            ("SET k v XX IFVER 0", SYNTAX),
            ("SET k v IFEQ c IFVER 0", SYNTAX),
            ("SET k v IFVER 0 IFEQ c", SYNTAX),
            ("SET k v IFVER 1x EX 0", EXPIRE),
            ("GET k", "$1 c"),
        ]);
    }

    #[test]
    fn get_replies_the_old_value() {
        check(&[
            ("SET k a GET", "$-1"),
            ("SET k b GET", "$1 a"),
            ("SET k c GET NX", "$1 b"),
            ("SET k c XX GET", "$1 b"),
            ("SET none c XX GET", "$-1"),
            ("SET k d GET IFEQ x", "$1 c"),
            ("GET k", "$1 c"),
            ("SET k d GET IFEQ c", "$1 c"),
            ("GET k", "$1 d"),
            ("SET new v NX GET", "$-1"),
            ("GET new", "$1 v"),
            ("@resp 3", ""),
            ("SET other v GET", "_"),
            ("SET other v NX", "_"),
        ]);
    }

    #[test]
    fn times_to_live_are_set_kept_and_cleared() {
        check(&[
            ("SET k v EX 10", "+OK"),
            ("PTTL k", ":10000"),
            ("SET k w KEEPTTL", "+OK"),
            ("PTTL k", ":10000"),
            ("SET k w", "+OK"),
            ("PTTL k", ":-1"),
            ("SET k v PX 1500", "+OK"),
            ("PTTL k", ":1500"),
            ("SET k v EXAT 1700000100", "+OK"),
            ("PTTL k", ":100000"),
            ("SET k v PXAT 1700000000001 XX GET", "$1 v"),
            ("PTTL k", ":1"),
            ("@after 1", ""),
            ("SET k v KEEPTTL", "+OK"),
            ("PTTL k", ":-1"),
            ("SET k v EX 10 EX 20", "+OK"),
            ("PTTL k", ":20000"),
            ("SET k v PXAT 1", "+OK"),
            ("GET k", "$-1"),
        ]);
    }

    #[test]
    fn invalid_times_are_refused() {
        check(&[
            ("SET k v EX 0", EXPIRE),
            ("SET k v EX -1", EXPIRE),
            ("SET k v PX 0", EXPIRE),
            ("SET k v EXAT 0", EXPIRE),
            ("SET k v EX 9223372036854775807", EXPIRE),
            ("SET k v EX 9223372036854775", EXPIRE),
            ("SET k v PX 9223372036854775807", EXPIRE),
            ("SET k v EX ten", INTEGER),
            ("SET k v EX 1.5", INTEGER),
            ("SET k v EX 9223372036854775808", INTEGER),
            ("SET k v EX", SYNTAX),
            ("SET k v EX 10 PX 10", SYNTAX),
            ("SET k v EX 10 KEEPTTL", SYNTAX),
            ("SET k v KEEPTTL EX 10", SYNTAX),
            ("SET k v PERSIST", SYNTAX),
            ("GET k", "$-1"),
        ]);
    }
}
