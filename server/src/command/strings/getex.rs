//! GETEX: returns a value and changes its time to live.

use locksley_engine::Op;
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::expire_options::ExpiryOption;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;

pub(super) static GETEX: Command = Command {
    name: "getex",
    arity: -2,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["string"],
    group: Group::String,
    since: "6.2.0",
    summary: "Returns the string value of a key and sets or removes its expiry",
    complexity: "O(1)",
    syntax: "key [EX seconds | PX milliseconds | EXAT unix-seconds | PXAT unix-milliseconds | PERSIST]",
    run: Run::Owner(getex),
};

fn getex(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let option = parse(&args[2..])?;
    let key = context.key(args[1]);
    let (now, touch) = (context.now(), context.caller.touch);
    let Some(entry) = context.shard().get(key, now, touch) else {
        reply.null();
        return Ok(());
    };
    let value = string_value(&entry)?;
    let expiry = match option {
        ExpiryOption::None | ExpiryOption::Keep => entry.expiry,
        ExpiryOption::Persist => None,
        ExpiryOption::At(text) => Some(text.instant(GETEX.name, now)?),
    };
    value.write(reply);
    if expiry != entry.expiry {
        context.shard().apply(Op::SetExpiry { key, expiry }, now)?;
    }
    Ok(())
}

fn parse<'a>(words: &[&'a [u8]]) -> Result<ExpiryOption<'a>, Failure> {
    let mut option = ExpiryOption::None;
    let mut at = 0;
    while at < words.len() {
        at += option.take(&words[at..]).ok_or(Failure::SYNTAX)?;
    }
    if option == ExpiryOption::Keep { Err(Failure::SYNTAX) } else { Ok(option) }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn the_time_to_live_changes_as_the_option_says() {
        check(&[
            ("GETEX k EX 10", "$-1"),
            ("SET k v", "+OK"),
            ("GETEX k", "$1 v"),
            ("PTTL k", ":-1"),
            ("GETEX k EX 10", "$1 v"),
            ("PTTL k", ":10000"),
            ("GETEX k", "$1 v"),
            ("PTTL k", ":10000"),
            ("GETEX k px 500", "$1 v"),
            ("PTTL k", ":500"),
            ("GETEX k EXAT 1700000100", "$1 v"),
            ("PTTL k", ":100000"),
            ("GETEX k PXAT 1700000000007", "$1 v"),
            ("PTTL k", ":7"),
            ("GETEX k PERSIST", "$1 v"),
            ("PTTL k", ":-1"),
            ("GETEX k PXAT 5", "$1 v"),
            ("EXISTS k", ":0"),
        ]);
    }

    #[test]
    fn bad_options_are_refused_and_bad_times_only_of_a_key_that_is_there() {
        const SYNTAX: &str = "-ERR syntax error";
        check(&[
            ("GETEX k EX 0", "$-1"),
            ("SET k v", "+OK"),
            ("GETEX k EX 0", "-ERR invalid expire time in 'getex' command"),
            ("GETEX k EX ten", "-ERR value is not an integer or out of range"),
            ("GETEX k EX", SYNTAX),
            ("GETEX k EX 1 PERSIST", SYNTAX),
            ("GETEX k PERSIST PX 1", SYNTAX),
            ("GETEX k KEEPTTL", SYNTAX),
            ("GETEX k NX", SYNTAX),
            ("TTL k", ":-1"),
        ]);
    }
}
