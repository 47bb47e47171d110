//! COMMAND: the commands of this server, as their rows describe them.

mod docs;
mod info;
mod keys;
mod list;

use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::help;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::table::{Entry, table};

pub(super) static COMMAND: Command = Command {
    name: "command",
    arity: -1,
    summary: "A container for commands on commands",
    complexity: "Depends on subcommand",
    run: Run::Container(&[
        info::ALL,
        COUNT,
        docs::DOCS,
        keys::GETKEYS,
        keys::GETKEYSANDFLAGS,
        HELP,
        info::INFO,
        list::LIST,
    ]),
    ..SUBCOMMAND
};

/// What the subcommands share.
const SUBCOMMAND: Command = Command {
    name: "",
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    keys: Keys::None,
    categories: &["connection"],
    group: Group::Server,
    since: "2.8.13",
    summary: "",
    complexity: "O(1)",
    syntax: "",
    run: Run::Home(help),
};

const COUNT: Command =
    Command { name: "count", summary: "Returns how many commands there are", run: Run::Home(count), ..SUBCOMMAND };

const HELP: Command = Command { name: "help", since: "5.0.0", summary: "Says what the subcommands do", ..SUBCOMMAND };

fn count(_: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.integer(table().commands().len() as i64);
    Ok(())
}

/// The command with this full name: `get`, or `client|list`.
fn find(name: &[u8]) -> Option<Entry> {
    match name.iter().position(|byte| *byte == b'|') {
        None => table().find_name(name),
        Some(bar) => {
            let container = table().find_name(&name[..bar])?;
            let is_meant = |entry: &Entry| entry.row.name.as_bytes().eq_ignore_ascii_case(&name[bar + 1..]);
            subcommands(container).find(is_meant)
        }
    }
}

/// The subcommands of a container that have a name.
fn subcommands(container: Entry) -> impl Iterator<Item = Entry> {
    table().subcommands(container.row).filter(|entry| !entry.row.name.is_empty())
}

fn help(_: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let lines = [
        "(no subcommand)",
        "    Return what clients need to know of all commands.",
        "COUNT",
        "    Return how many commands there are.",
        "DOCS [<command-name> ...]",
        "    Return what people need to know of the commands (default: all).",
        "GETKEYS <full-command>",
        "    Return the keys of a request.",
        "GETKEYSANDFLAGS <full-command>",
        "    Return the keys of a request and what happens to them.",
        "INFO [<command-name> ...]",
        "    Return what clients need to know of the commands (default: all).",
        "LIST [FILTERBY (MODULE <module>|ACLCAT <category>|PATTERN <pattern>)]",
        "    Return the names of all commands, or of some.",
    ];
    help::help("COMMAND", &lines, reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::Rig;

    #[test]
    fn subcommands_are_found_by_their_full_name() {
        for (name, found) in [("get", true), ("CLIENT|list", true), ("client|", false), ("get|x", false), ("x", false)]
        {
            assert_eq!(find(name.as_bytes()).is_some(), found, "{name}");
        }
        assert_eq!(Rig::new(1).reply("COMMAND COUNT"), format!(":{}", table().commands().len()));
    }
}
