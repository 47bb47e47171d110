//! COMMAND LIST: the names of commands.

use locksley_wire::glob;
use locksley_wire::resp::Reply;

use super::SUBCOMMAND;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::hints;
use crate::command::row::{Args, Command, Outcome, Run};
use crate::command::table::{Entry, table};

pub(super) const LIST: Command = Command {
    name: "list",
    arity: -2,
    since: "7.0.0",
    summary: "Returns the names of all commands, or of some",
    complexity: "O(N), N the number of commands",
    syntax: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
    run: Run::Home(list),
    ..SUBCOMMAND
};

/// Which names are wanted.
enum Filter<'a> {
    All,
    None,
    Category(&'a [u8]),
    Pattern(&'a [u8]),
}

impl Filter<'_> {
    fn takes(&self, entry: Entry) -> bool {
        match self {
            Filter::All => true,
            Filter::None => false,
            Filter::Category(category) => {
                hints::categories(entry.row).iter().any(|name| category.eq_ignore_ascii_case(name.as_bytes()))
            }
            Filter::Pattern(pattern) => glob::matches(pattern, entry.full_name().as_bytes(), glob::Case::Insensitive),
        }
    }
}

fn parse<'a>(words: &[&'a [u8]]) -> Result<Filter<'a>, Failure> {
    let [filter_by, kind, value] = *words else {
        return if words.is_empty() { Ok(Filter::All) } else { Err(Failure::SYNTAX) };
    };
    if !filter_by.eq_ignore_ascii_case(b"filterby") {
        return Err(Failure::SYNTAX);
    }
    if kind.eq_ignore_ascii_case(b"module") {
        Ok(Filter::None)
    } else if kind.eq_ignore_ascii_case(b"aclcat") {
        Ok(Filter::Category(value))
    } else if kind.eq_ignore_ascii_case(b"pattern") {
        Ok(Filter::Pattern(value))
    } else {
        Err(Failure::SYNTAX)
    }
}

fn list(_: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let filter = parse(&args[2..])?;
    let named = table().resp_entries().iter().filter(|entry| !entry.row.name.is_empty());
    let found: Vec<_> = named.filter(|entry| filter.takes(**entry)).collect();
    reply.array(found.len());
    for entry in &found {
        reply.bulk(entry.full_name().as_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn names_are_filtered() {
        check(&[
            ("COMMAND LIST FILTERBY PATTERN s?t", "*1 $3 set"),
            ("COMMAND LIST FILTERBY PATTERN CLIENT|*T", "*2 $11 client|list $15 client|no-evict"),
            ("COMMAND LIST FILTERBY MODULE any", "*0"),
            ("COMMAND LIST FILTERBY ACLCAT nothing", "*0"),
            ("COMMAND LIST FILTERBY nothing x", "-ERR syntax error"),
            ("COMMAND LIST x", "-ERR syntax error"),
        ]);
    }
}
