//! COMMAND, COMMAND INFO: what clients need to know of commands.

use locksley_wire::resp::Reply;

use super::{SUBCOMMAND, find, subcommands};
use crate::command::context::Context;
use crate::command::hints::{self, KeySpec};
use crate::command::row::{Args, Command, Keys, Outcome, Run};
use crate::command::table::{Entry, table};

/// COMMAND without a subcommand.
pub(super) const ALL: Command = Command {
    arity: 1,
    summary: "Returns what clients need to know of all commands",
    complexity: "O(N), N the number of commands",
    run: Run::Home(info),
    ..SUBCOMMAND
};

pub(super) const INFO: Command = Command {
    name: "info",
    arity: -2,
    summary: "Returns what clients need to know of the commands",
    complexity: "O(N), N the number of commands asked for",
    syntax: "[command-name [command-name ...]]",
    run: Run::Home(info),
    ..SUBCOMMAND
};

fn info(_: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let names = args.get(2..).unwrap_or_default();
    if names.is_empty() {
        reply.array(table().commands().len());
        for entry in table().commands() {
            describe(*entry, reply);
        }
        return Ok(());
    }
    reply.array(names.len());
    for name in names {
        match find(name) {
            Some(entry) => describe(entry, reply),
            None => reply.null(),
        }
    }
    Ok(())
}

fn describe(entry: Entry, reply: &mut Reply<'_>) {
    let row = entry.row;
    let (first, last, step) = match row.keys {
        Keys::None => (0, 0, 0),
        Keys::Range { first, last, step } => (first as i64, last as i64, step as i64),
    };
    reply.array(10);
    reply.bulk(entry.full_name().as_bytes());
    reply.integer(i64::from(row.arity));
    write_set(&hints::flag_names(row.flags), reply);
    for position in [first, last, step] {
        reply.integer(position);
    }
    let categories: Vec<String> = hints::categories(row).iter().map(|name| format!("@{name}")).collect();
    write_set(&categories, reply);
    let tips = hints::tips(entry);
    reply.set(tips.len());
    for tip in tips {
        reply.bulk(tip.as_bytes());
    }
    let specs = hints::key_specs(entry);
    reply.set(specs.len());
    for spec in &specs {
        write_key_spec(spec, reply);
    }
    let subcommands: Vec<Entry> = subcommands(entry).collect();
    // Redis sends the rows as an array, and none of them as a set.
    if subcommands.is_empty() {
        reply.set(0);
    } else {
        reply.array(subcommands.len());
    }
    for entry in &subcommands {
        describe(*entry, reply);
    }
}

fn write_set(words: &[String], reply: &mut Reply<'_>) {
    reply.set(words.len());
    for word in words {
        reply.simple(word);
    }
}

fn write_key_spec(spec: &KeySpec, reply: &mut Reply<'_>) {
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(spec.usage.len());
    for word in spec.usage {
        reply.simple(word);
    }
    reply.bulk(b"begin_search");
    write_method("index", &[("index", spec.first as i64)], reply);
    reply.bulk(b"find_keys");
    let range = [("lastkey", spec.last as i64), ("keystep", spec.step as i64), ("limit", 0)];
    write_method("range", &range, reply);
}

fn write_method(kind: &str, numbers: &[(&str, i64)], reply: &mut Reply<'_>) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(numbers.len());
    for (name, number) in numbers {
        reply.bulk(name.as_bytes());
        reply.integer(*number);
    }
}

#[cfg(test)]
mod tests {
    use crate::command::table::table;
    use crate::command::testing::{Rig, check};

    #[test]
    fn a_command_is_described_as_in_redis() {
        check(&[
            (
                "COMMAND INFO get nothing",
                "*2 *10 $3 get :2 *2 +readonly +fast :1 :1 :1 *3 +@read +@string +@fast *0 *1 *6 $5 flags *2 +RO \
                 +access $12 begin_search *4 $4 type $5 index $4 spec *2 $5 index :1 $9 find_keys *4 $4 type $5 range \
                 $4 spec *6 $7 lastkey :0 $7 keystep :1 $5 limit :0 *0 $-1",
            ),
            ("@resp 3", ""),
            (
                "COMMAND INFO time",
                "*1 *10 $4 time :1 ~3 +loading +stale +fast :0 :0 :0 ~1 +@fast ~1 $23 nondeterministic_output ~0 ~0",
            ),
        ]);
    }

    #[test]
    fn all_commands_are_described_at_once() {
        let mut rig = Rig::new(1);
        let all = rig.reply("COMMAND");
        assert!(all.starts_with(&format!("*{} *10 ", table().commands().len())));
        assert_eq!(all, rig.reply("COMMAND INFO"));
        assert!(all.contains(" $11 client|list :-2 "), "subcommands are with their container");
    }
}
