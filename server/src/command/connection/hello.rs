//! HELLO: agrees on a dialect, and may log in and name the client in the same step.

use locksley_wire::number::parse_i64;
use locksley_wire::resp::{Protocol, Reply};

use super::client::name::{BAD_NAME, is_name};
use super::{ALWAYS, password};
use crate::client::Door;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::version::REDIS_VERSION;

pub(super) static HELLO: Command = Command {
    name: "hello",
    arity: -1,
    flags: ALWAYS.union(Flags::NO_AUTH),
    keys: Keys::None,
    categories: &["connection"],
    group: Group::Connection,
    since: "6.0.0",
    summary: "Greets the server and chooses the dialect of its replies",
    complexity: "O(1)",
    syntax: "[protover [AUTH username password] [SETNAME clientname]]",
    run: Run::Home(hello),
};

const NOT_A_VERSION: Failure = Failure::fixed("ERR Protocol version is not an integer or out of range");
const UNKNOWN_VERSION: Failure = Failure::fixed("NOPROTO unsupported protocol version");
const NO_AUTH: Failure = Failure::fixed(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> \
     <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
);

/// What a HELLO asks for.
#[derive(Default)]
struct Wishes<'a> {
    protocol: Option<Protocol>,
    login: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

fn hello(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let wishes = parse(args)?;
    if let Some((user, password)) = wishes.login {
        password::check(&context.thread.config, user, password)?;
        context.client().authenticated = true;
    }
    if !context.client().authenticated {
        return Err(NO_AUTH);
    }
    if let Some(name) = wishes.name {
        context.thread.set_client_name(context.caller.slot, name);
    }
    let client = context.client();
    client.protocol = wishes.protocol.unwrap_or(client.protocol);
    let protocol = client.protocol;
    greet(context, &mut Reply::new(reply.buffer(), protocol));
    Ok(())
}

fn parse<'a>(args: Args<'a>) -> Result<Wishes<'a>, Failure> {
    let mut wishes = Wishes::default();
    let [_, version, options @ ..] = args else { return Ok(wishes) };
    wishes.protocol = match parse_i64(version) {
        Some(2) => Some(Protocol::Resp2),
        Some(3) => Some(Protocol::Resp3),
        Some(_) => return Err(UNKNOWN_VERSION),
        None => return Err(NOT_A_VERSION),
    };
    let mut rest: Args<'a> = options;
    while let [option, values @ ..] = rest {
        rest = match values {
            [user, password, rest @ ..] if option.eq_ignore_ascii_case(b"auth") => {
                wishes.login = Some((user, password));
                rest
            }
            [name, rest @ ..] if option.eq_ignore_ascii_case(b"setname") => {
                if !is_name(name) {
                    return Err(BAD_NAME);
                }
                wishes.name = Some(name);
                rest
            }
            _ => {
                let option = String::from_utf8_lossy(option);
                return Err(Failure::new(format_args!("ERR Syntax error in HELLO option '{option}'")));
            }
        };
    }
    Ok(wishes)
}

fn greet(context: &mut Context<'_>, reply: &mut Reply<'_>) {
    let id = context.caller.id;
    let version = if reply.protocol() == Protocol::Resp3 { 3 } else { 2 };
    let mode = if context.client().door == Door::Shard { "cluster" } else { "standalone" };
    reply.map(7);
    let mut field = |name: &str, value: &str| {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    };
    field("server", "redis");
    field("version", REDIS_VERSION);
    reply.bulk(b"proto");
    reply.integer(version);
    reply.bulk(b"id");
    reply.integer(id.0 as i64);
    let mut field = |name: &str, value: &str| {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    };
    field("mode", mode);
    field("role", "master");
    reply.bulk(b"modules");
    reply.array(0);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Rig, check};

    #[test]
    fn the_dialect_changes_with_the_greeting() {
        let mut rig = Rig::new(1);
        assert!(rig.reply("HELLO").starts_with("*14 $6 server $5 redis $7 version "));
        assert!(rig.reply("HELLO 3 SETNAME me").starts_with("%7 $6 server "));
        assert_eq!(rig.client().name, b"me");
        assert_eq!(rig.reply("CLIENT GETNAME"), "$2 me");
        assert!(rig.reply("HELLO 2").contains("$5 proto :2 "));
    }

    #[test]
    fn a_bad_greeting_changes_nothing() {
        check(&[
            ("HELLO x", "-ERR Protocol version is not an integer or out of range"),
            ("HELLO 4", "-NOPROTO unsupported protocol version"),
            ("HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'"),
            ("HELLO 3 auth a", "-ERR Syntax error in HELLO option 'auth'"),
            ("HELLO 3 SETNAME \"a b\"", "-ERR Client names cannot contain spaces, newlines or special characters."),
            ("CLIENT GETNAME", "$-1"),
        ]);
    }

    #[test]
    fn a_stranger_is_asked_for_the_password() {
        let mut rig = Rig::new(1);
        rig.configure(|config| config.requirepass = "secret".to_owned());
        rig.client().authenticated = false;
        assert!(rig.reply("HELLO 3").starts_with("-NOAUTH HELLO must be called"));
        assert!(rig.reply("HELLO 3 AUTH default wrong").starts_with("-WRONGPASS "));
        assert!(rig.reply("HELLO 3 AUTH default secret").starts_with("%7"));
    }
}
