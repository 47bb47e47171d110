//! COPY: a second key, or the same key of another database, with the same value.

use locksley_engine::Db;
use locksley_wire::resp::Reply;

use super::move_db::SAME_OBJECT;
use super::rename::put_entry;
use crate::command::effect::Effects;
use crate::command::failure::Failure;
use crate::command::number::database;
use crate::command::row::{
    Args, Command, DecideInput, Flags, Group, Keys, Outcome, PlanInput, PlanRead, PlannedKey, Run,
};

pub(super) static COPY: Command = Command {
    name: "copy",
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: Keys::FIRST_TWO,
    categories: &["keyspace"],
    group: Group::Generic,
    since: "6.2.0",
    summary: "Copies the value and the expiry of a key to another key",
    complexity: "O(N), N the length of the value",
    syntax: "source destination [DB db] [REPLACE]",
    run: Run::Atomic { plan, decide },
};

struct Options {
    target_db: Db,
    replaces: bool,
}

fn plan(input: &PlanInput<'_>, planned: &mut Vec<PlannedKey>) -> Outcome {
    let args = input.args;
    let options = Options::parse(args, input.db, input.database_count)?;
    if options.target_db == input.db && args[1] == args[2] {
        return Err(SAME_OBJECT);
    }
    planned.push(PlannedKey { argument: 1, db: input.db, read: PlanRead::Value });
    planned.push(PlannedKey { argument: 2, db: options.target_db, read: PlanRead::Presence });
    Ok(())
}

fn decide<'a>(input: &DecideInput<'a, '_>, effects: &mut Effects<'a>, reply: &mut Reply<'_>) -> Outcome {
    let options = Options::parse(input.args, input.db, u8::MAX)?;
    let is_copied = match input.reads {
        [Some(source), None] => Some(source),
        [Some(source), Some(_)] if options.replaces => Some(source),
        _ => None,
    };
    if let Some(source) = is_copied {
        effects.push(put_entry(source, options.target_db, input.args[2])?);
    }
    reply.integer(i64::from(is_copied.is_some()));
    Ok(())
}

impl Options {
    fn parse(args: Args<'_>, db: Db, database_count: u8) -> Result<Options, Failure> {
        let mut options = Options { target_db: db, replaces: false };
        let mut words = args[3..].iter();
        while let Some(word) = words.next() {
            if word.eq_ignore_ascii_case(b"REPLACE") {
                options.replaces = true;
            } else if word.eq_ignore_ascii_case(b"DB") {
                options.target_db = database(words.next().ok_or(Failure::SYNTAX)?, database_count)?;
            } else {
                return Err(Failure::SYNTAX);
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn a_copy_has_all_that_the_source_has() {
        check(&[
            ("COPY a b", ":0"),
            ("SET a v PX 100", "+OK"),
            ("APPEND a w", ":2"),
            ("COPY a b", ":1"),
            ("GET b", "$2 vw"),
            ("PTTL b", ":100"),
            ("OBJECT ENCODING b", "$3 raw"),
            ("SET a 7", "+OK"),
            ("COPY a b", ":0"),
            ("COPY a b REPLACE", ":1"),
            ("GET b", "$1 7"),
            ("PTTL b", ":-1"),
            ("OBJECT ENCODING b", "$3 int"),
            ("COPY a a DB 3", ":1"),
            ("COPY a a DB 3 ", ":0"),
            ("COPY a a replace db 3", ":1"),
            ("@db 3", ""),
            ("GET a", "$1 7"),
            ("EXISTS b", ":0"),
        ]);
    }

    #[test]
    fn bad_requests_are_refused() {
        check(&[
            ("COPY a a", "-ERR source and destination objects are the same"),
            ("COPY a a DB 0", "-ERR source and destination objects are the same"),
            ("COPY a b DB 16", "-ERR DB index is out of range"),
            ("COPY a b DB x", "-ERR value is not an integer or out of range"),
            ("COPY a b DB", "-ERR syntax error"),
            ("COPY a b WHAT", "-ERR syntax error"),
        ]);
    }
}
