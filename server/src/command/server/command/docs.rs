//! COMMAND DOCS: what people need to know of commands.

use locksley_wire::resp::Reply;

use super::{SUBCOMMAND, find, subcommands};
use crate::command::context::Context;
use crate::command::row::{Args, Command, Outcome, Run};
use crate::command::syntax::{self, Argument, Kind};
use crate::command::table::{Entry, table};

pub(super) const DOCS: Command = Command {
    name: "docs",
    arity: -2,
    since: "7.0.0",
    summary: "Returns what people need to know of the commands",
    complexity: "O(N), N the number of commands asked for",
    syntax: "[command-name [command-name ...]]",
    run: Run::Home(docs),
    ..SUBCOMMAND
};

fn docs(_: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let names = &args[2..];
    let found: Vec<Entry> = match names {
        [] => table().commands().to_vec(),
        names => names.iter().filter_map(|name| find(name)).collect(),
    };
    reply.map(found.len());
    for entry in &found {
        describe(*entry, reply);
    }
    Ok(())
}

fn describe(entry: Entry, reply: &mut Reply<'_>) {
    let row = entry.row;
    let arguments = syntax::parse(row.syntax);
    let subcommands: Vec<Entry> = subcommands(entry).collect();
    reply.bulk(entry.full_name().as_bytes());
    reply.map(4 + usize::from(!arguments.is_empty()) + usize::from(!subcommands.is_empty()));
    for (name, text) in
        [("summary", row.summary), ("since", row.since), ("group", row.group.name()), ("complexity", row.complexity)]
    {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    if !arguments.is_empty() {
        reply.bulk(b"arguments");
        write_arguments(&arguments, reply);
    }
    if !subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(subcommands.len());
        for entry in &subcommands {
            describe(*entry, reply);
        }
    }
}

fn write_arguments(arguments: &[Argument], reply: &mut Reply<'_>) {
    reply.array(arguments.len());
    for argument in arguments {
        let flags: Vec<&str> = [(argument.is_optional, "optional"), (argument.is_multiple, "multiple")]
            .iter()
            .filter(|(is_set, _)| *is_set)
            .map(|(_, name)| *name)
            .collect();
        let has_parts = !argument.parts.is_empty();
        let is_key = argument.kind == Kind::Key;
        let count =
            2 + [argument.token.is_some(), !flags.is_empty(), has_parts, is_key].iter().filter(|is| **is).count();
        reply.map(count);
        for (name, value) in [("name", argument.name.as_str()), ("type", argument.kind.name())] {
            reply.bulk(name.as_bytes());
            reply.bulk(value.as_bytes());
        }
        if is_key {
            reply.bulk(b"key_spec_index");
            reply.integer(argument.key_index as i64);
        }
        if let Some(token) = &argument.token {
            reply.bulk(b"token");
            reply.bulk(token.as_bytes());
        }
        if !flags.is_empty() {
            reply.bulk(b"flags");
            reply.set(flags.len());
            for flag in &flags {
                reply.simple(flag);
            }
        }
        if has_parts {
            reply.bulk(b"arguments");
            write_arguments(&argument.parts, reply);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Rig, check};

    #[test]
    fn a_command_is_explained() {
        check(&[
            ("COMMAND DOCS nothing", "*0"),
            (
                "COMMAND DOCS echo",
                "*2 $4 echo *10 $7 summary $31 Returns the message it is given $5 since $5 1.0.0 $5 group $10 \
                 connection $10 complexity $4 O(1) $9 arguments *1 *4 $4 name $7 message $4 type $6 string",
            ),
        ]);
        let mut rig = Rig::new(1);
        rig.reply("@resp 3");
        let text = rig.reply("COMMAND DOCS client");
        assert!(text.starts_with("%1 $6 client %5 $7 summary "), "{text}");
        assert!(text.contains(" $11 subcommands %18 $14 client|caching %5 "), "{text}");
    }
}
