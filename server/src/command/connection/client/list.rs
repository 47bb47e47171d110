//! CLIENT LIST, INFO: what the server knows of its connections, a line each.

use std::io::Write;

use locksley_engine::Millis;
use locksley_wire::number::parse_i64;
use locksley_wire::resp::{Protocol, Reply};

use super::select::ClientType;
use super::{ADMIN, SUBCOMMAND};
use crate::client::{Client, ClientSlot};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::join;
use crate::command::row::{Args, Command, JoinInput, Memory, Outcome, Run};

pub(super) const INFO: Command = Command {
    name: "info",
    since: "6.2.0",
    summary: "Returns what is known of the connection",
    run: Run::Home(info),
    ..SUBCOMMAND
};

pub(super) const LIST: Command = Command {
    name: "list",
    arity: -2,
    flags: ADMIN,
    since: "2.4.0",
    summary: "Returns what is known of all connections",
    complexity: "O(N log N), N the number of clients",
    syntax: "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
    run: Run::Survey { part: list, join: merge, memory: Memory::None },
    ..SUBCOMMAND
};

const BAD_ID: Failure = Failure::fixed("ERR Invalid client ID");

fn info(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (now, slot) = (context.now(), context.caller.slot);
    let mut line = Vec::new();
    describe(context.client(), slot, "client|info", now, &mut line);
    reply.verbatim("txt", &line);
    Ok(())
}

/// Whom a CLIENT LIST asks for.
enum Asked {
    All,
    Nobody,
    Ids(Vec<u64>),
}

fn list(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let asked = parse(args)?;
    let (now, caller) = (context.now(), context.caller.id);
    for (slot, client) in context.thread.clients.iter() {
        let is_asked = match &asked {
            Asked::All => true,
            Asked::Nobody => false,
            Asked::Ids(ids) => ids.contains(&client.id.0),
        };
        if is_asked {
            let command = if client.id == caller { "client|list" } else { client.last_command };
            describe(client, slot, command, now, reply.buffer());
        }
    }
    Ok(())
}

fn parse(args: Args<'_>) -> Result<Asked, Failure> {
    match &args[2..] {
        [] => Ok(Asked::All),
        [option, name] if option.eq_ignore_ascii_case(b"type") => {
            let is_normal = ClientType::from_name(name)? == ClientType::Normal;
            Ok(if is_normal { Asked::All } else { Asked::Nobody })
        }
        [option, ids @ ..] if option.eq_ignore_ascii_case(b"id") && !ids.is_empty() => {
            let ids = ids.iter().map(|id| parse_i64(id).map(|id| id as u64).ok_or(BAD_ID));
            Ok(Asked::Ids(ids.collect::<Result<_, _>>()?))
        }
        _ => Err(Failure::SYNTAX),
    }
}

/// All threads' lines, by the clients' numbers.
fn merge(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    join::check_parts(input.parts)?;
    let mut lines: Vec<&[u8]> =
        input.parts.iter().flat_map(|part| part.bytes.split_inclusive(|byte| *byte == b'\n')).collect();
    lines.sort_by_key(|line| id_of(line));
    reply.verbatim("txt", &lines.concat());
    Ok(())
}

/// The number in `id=3 addr=...`.
fn id_of(line: &[u8]) -> Option<i64> {
    let (id, _) = line.strip_prefix(b"id=")?.split_at(line.iter().position(|byte| *byte == b' ')? - b"id=".len());
    parse_i64(id)
}

/// Appends the line of `client`, whose last command was `command`; fields that have no meaning here are as of an idle
/// client.
fn describe(client: &Client, slot: ClientSlot, command: &str, now: Millis, out: &mut Vec<u8>) {
    let seconds = |since: Millis| now.0.saturating_sub(since.0) / 1_000;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let total = size_of::<Client>() + client.name.len() + client.input_bytes + client.output_bytes;
    writeln!(
        out,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub=0 psub=0 ssub=0 multi=-1 qbuf={} \
         qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll={} omem={} tot-mem={total} events=r cmd={} \
         user=default redir=-1 resp={} lib-name={} lib-ver={}",
        client.id.0,
        client.address,
        client.local_address,
        slot.0,
        text(&client.name),
        seconds(client.connected_at),
        seconds(client.active_at),
        flags(client),
        client.db.0,
        client.input_bytes,
        u8::from(client.output_bytes > 0),
        client.output_bytes,
        command,
        if client.protocol == Protocol::Resp3 { 3 } else { 2 },
        text(&client.library_name),
        text(&client.library_version),
    )
    .expect("a vector takes all that is written");
}

fn flags(client: &Client) -> String {
    let known = [(client.is_monitor, 'O'), (client.is_readonly, 'r'), (client.no_evict, 'e'), (client.no_touch, 'T')];
    let set: String = known.iter().filter(|(is_set, _)| *is_set).map(|(_, letter)| *letter).collect();
    if set.is_empty() { "N".to_owned() } else { set }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{Rig, check};

    #[test]
    fn a_connection_is_a_line_of_fields() {
        let mut rig = Rig::new(3);
        assert_eq!(rig.reply("CLIENT SETNAME me"), "+OK");
        assert_eq!(rig.reply("CLIENT NO-TOUCH on"), "+OK");
        rig.reply("@after 2500");
        let text = rig.reply("CLIENT LIST");
        for field in [
            "id=1 addr=127.0.0.1:50000 laddr=127.0.0.1:6379 ",
            " name=me age=2 ",
            " flags=T db=0 ",
            " cmd=client|list ",
        ] {
            assert!(text.contains(field), "{field} in {text}");
        }
        assert!(text.ends_with("user=default redir=-1 resp=2 lib-name= lib-ver=\\n"), "{text}");
        rig.reply("@resp 3");
        assert!(rig.reply("CLIENT INFO").starts_with('='));
    }

    #[test]
    fn lists_are_narrowed_by_type_and_number() {
        check(&[
            ("CLIENT LIST TYPE pubsub", "$0 "),
            ("CLIENT LIST ID 7 8", "$0 "),
            ("CLIENT LIST TYPE x", "-ERR Unknown client type 'x'"),
            ("CLIENT LIST ID x", "-ERR Invalid client ID"),
            ("CLIENT LIST ID", "-ERR syntax error"),
            ("CLIENT LIST x", "-ERR syntax error"),
        ]);
        let mut rig = Rig::new(1);
        assert!(rig.reply("CLIENT LIST ID 2 1").contains("id=1 "));
    }

    #[test]
    fn lines_are_ordered_by_number() {
        let ids = [&b"id=10 addr=x\n"[..], b"id=9 addr=y\n"].map(id_of);
        assert_eq!(ids, [Some(10), Some(9)]);
    }
}
