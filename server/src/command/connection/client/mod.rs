//! CLIENT: what the server knows of connections, and what it can do to them.

mod kill;
mod list;
mod mode;
pub(super) mod name;
mod pause;
mod select;
mod tracking;

use locksley_wire::number::parse_i64;
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::help;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static CLIENT: Command = Command {
    name: "client",
    arity: -2,
    flags: Flags::empty(),
    keys: Keys::None,
    categories: &[],
    group: Group::Connection,
    since: "2.4.0",
    summary: "A container for commands on connections",
    complexity: "Depends on subcommand",
    syntax: "",
    run: Run::Container(&[
        tracking::CACHING,
        name::GETNAME,
        tracking::GETREDIR,
        HELP,
        ID,
        list::INFO,
        kill::KILL,
        list::LIST,
        mode::NO_EVICT,
        mode::NO_TOUCH,
        pause::PAUSE,
        mode::REPLY,
        name::SETINFO,
        name::SETNAME,
        tracking::TRACKING,
        tracking::TRACKINGINFO,
        UNBLOCK,
        pause::UNPAUSE,
    ]),
};

/// What a client may always do to itself.
const OWN: Flags = Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE);

/// What an administrator may do to others.
const ADMIN: Flags = OWN.union(Flags::ADMIN);

/// What the subcommands share.
const SUBCOMMAND: Command = Command {
    name: "",
    arity: 2,
    flags: OWN,
    keys: Keys::None,
    categories: &["connection"],
    group: Group::Connection,
    since: "5.0.0",
    summary: "",
    complexity: "O(1)",
    syntax: "",
    run: Run::Home(help),
};

const HELP: Command = Command {
    name: "help",
    flags: Flags::LOADING.union(Flags::STALE),
    summary: "Says what the subcommands do",
    ..SUBCOMMAND
};

const ID: Command =
    Command { name: "id", summary: "Returns the connection's number", run: Run::Home(id), ..SUBCOMMAND };

const UNBLOCK: Command = Command {
    name: "unblock",
    arity: -3,
    flags: ADMIN,
    summary: "Wakes a client that waits in a blocking command; those that wait for a key are not woken yet, so it finds none",
    complexity: "O(log N), N the number of clients",
    syntax: "client-id [TIMEOUT | ERROR]",
    run: Run::Home(unblock),
    ..SUBCOMMAND
};

fn id(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.integer(context.caller.id.0 as i64);
    Ok(())
}

fn unblock(_: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    const BAD_REASON: Failure = Failure::fixed("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    match args {
        [_, _, _] => {}
        [_, _, _, reason] if reason.eq_ignore_ascii_case(b"timeout") || reason.eq_ignore_ascii_case(b"error") => {}
        [_, _, _, _] => return Err(BAD_REASON),
        _ => return Err(Failure::SYNTAX),
    }
    parse_i64(args[2]).ok_or(Failure::NOT_INTEGER)?;
    reply.integer(0);
    Ok(())
}

fn help(_: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let lines = [
        "CACHING (YES|NO)",
        "    Say whether the keys of the next command are tracked.",
        "GETNAME",
        "    Return the name of this connection.",
        "GETREDIR",
        "    Return the client that invalidations go to, or -1.",
        "ID",
        "    Return the number of this connection.",
        "INFO",
        "    Return what is known of this connection.",
        "KILL <ip:port>",
        "    Close the connection made from <ip:port>.",
        "KILL <option> <value> [<option> <value> [...]]",
        "    Close all connections that fit. Options are:",
        "    * ADDR <ip:port>, LADDR <ip:port>",
        "      Made from, or to, this address.",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Of this type.",
        "    * USER <username>",
        "      Logged in as this user.",
        "    * ID <client-id>",
        "      The one with this number.",
        "    * MAXAGE <seconds>",
        "      Open for at least so long.",
        "    * SKIPME (YES|NO)",
        "      Whether to spare this connection (default: yes).",
        "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <client-id> [<client-id> ...]]",
        "    Return what is known of all connections, or of those named.",
        "NO-EVICT (ON|OFF)",
        "    Keep this connection when connections are closed to save memory.",
        "NO-TOUCH (ON|OFF)",
        "    Let reads of this connection leave the age of keys alone.",
        "PAUSE <timeout> [WRITE|ALL]",
        "    Let all requests, or those that write, wait for <timeout> milliseconds.",
        "REPLY (ON|OFF|SKIP)",
        "    Say which replies this connection wants.",
        "SETINFO <option> <value>",
        "    Name the client's library (LIB-NAME) or its version (LIB-VER).",
        "SETNAME <name>",
        "    Name this connection.",
        "TRACKING (ON|OFF) [option ...]",
        "    Turn tracking of keys off; it cannot be turned on here.",
        "TRACKINGINFO",
        "    Return how keys are tracked for this connection.",
        "UNBLOCK <clientid> [TIMEOUT|ERROR]",
        "    Wake a client that waits in a blocking command.",
        "UNPAUSE",
        "    End a pause.",
    ];
    help::help("CLIENT", &lines, reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn nobody_is_ever_blocked() {
        check(&[
            ("CLIENT ID", ":1"),
            ("CLIENT UNBLOCK 1", ":0"),
            ("CLIENT UNBLOCK 1 error", ":0"),
            ("CLIENT UNBLOCK x", "-ERR value is not an integer or out of range"),
            ("CLIENT UNBLOCK 1 x", "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
        ]);
    }
}
