//! COMMAND GETKEYS, GETKEYSANDFLAGS: the keys of a request.

use locksley_wire::resp::Reply;

use super::SUBCOMMAND;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::hints;
use crate::command::row::{Args, Command, Outcome, Run};
use crate::command::table::{Entry, Lookup, table};

pub(super) const GETKEYS: Command = Command {
    name: "getkeys",
    arity: -4,
    summary: "Returns the keys of a request",
    complexity: "O(N), N the number of arguments",
    syntax: "command arg [arg ...]",
    run: Run::Home(get_keys),
    ..SUBCOMMAND
};

pub(super) const GETKEYSANDFLAGS: Command = Command {
    name: "getkeysandflags",
    arity: -4,
    since: "7.0.0",
    summary: "Returns the keys of a request and what happens to them",
    complexity: "O(N), N the number of arguments",
    syntax: "command arg [arg ...]",
    run: Run::Home(get_keys_and_flags),
    ..SUBCOMMAND
};

const NO_COMMAND: Failure = Failure::fixed("ERR Invalid command specified");
const NO_KEYS: Failure = Failure::fixed("ERR The command has no key arguments");
const BAD_COUNT: Failure = Failure::fixed("ERR Invalid number of arguments specified for command");

/// The command of a request, and where its keys are.
fn positions(request: &[&[u8]]) -> Result<(Entry, Vec<usize>), Failure> {
    let Lookup::Found(entry) = table().find(request) else { return Err(NO_COMMAND) };
    let positions: Vec<usize> = entry.row.keys.positions(request.len()).collect();
    match (entry.row.keys, entry.row.takes(request.len())) {
        (super::Keys::None, _) => Err(NO_KEYS),
        (_, false) => Err(BAD_COUNT),
        (_, true) => Ok((entry, positions)),
    }
}

fn get_keys(_: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let request = &args[2..];
    let (_, positions) = positions(request)?;
    reply.array(positions.len());
    for position in &positions {
        reply.bulk(request[*position]);
    }
    Ok(())
}

fn get_keys_and_flags(_: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let request = &args[2..];
    let (entry, positions) = positions(request)?;
    let specs = hints::key_specs(entry);
    reply.array(positions.len());
    for position in positions {
        let spec = specs.iter().rfind(|spec| spec.first <= position).expect("a key is of some spec");
        reply.array(2);
        reply.bulk(request[position]);
        let usage = hints::usage_in(entry, spec.usage, request);
        reply.set(usage.len());
        for word in usage {
            reply.simple(word);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn keys_are_told_from_other_arguments() {
        check(&[
            ("COMMAND GETKEYS MSET a 1 b 2", "*2 $1 a $1 b"),
            ("COMMAND GETKEYS MEMORY USAGE k", "*1 $1 k"),
            ("COMMAND GETKEYS BITOP AND d a b", "*3 $1 d $1 a $1 b"),
            ("COMMAND GETKEYS PING hi", "-ERR The command has no key arguments"),
            ("COMMAND GETKEYS CONFIG GET x", "-ERR The command has no key arguments"),
            ("COMMAND GETKEYS GET a b", "-ERR Invalid number of arguments specified for command"),
            ("COMMAND GETKEYS NOTHING a", "-ERR Invalid command specified"),
            ("COMMAND GETKEYSANDFLAGS SET a b", "*1 *2 $1 a *2 +OW +update"),
            ("COMMAND GETKEYSANDFLAGS SET a b GET", "*1 *2 $1 a *3 +RW +access +update"),
            ("COMMAND GETKEYSANDFLAGS RENAME a b", "*2 *2 $1 a *3 +RW +access +delete *2 $1 b *2 +OW +update"),
        ]);
    }
}
