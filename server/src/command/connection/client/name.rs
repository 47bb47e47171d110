//! CLIENT GETNAME, SETNAME, SETINFO: who a client says it is.

use locksley_wire::resp::Reply;

use super::SUBCOMMAND;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Outcome, Run};

pub(super) const GETNAME: Command = Command {
    name: "getname",
    since: "2.6.9",
    summary: "Returns the name of the connection",
    run: Run::Home(get_name),
    ..SUBCOMMAND
};

pub(super) const SETNAME: Command = Command {
    name: "setname",
    arity: 3,
    since: "2.6.9",
    summary: "Names the connection",
    syntax: "connection-name",
    run: Run::Home(set_name),
    ..SUBCOMMAND
};

pub(super) const SETINFO: Command = Command {
    name: "setinfo",
    arity: 4,
    since: "7.2.0",
    summary: "Names the library that the client uses, or its version",
    syntax: "<LIB-NAME libname | LIB-VER libver>",
    run: Run::Home(set_info),
    ..SUBCOMMAND
};

/// The name has characters that would break a line of CLIENT LIST.
pub(in crate::command::connection) const BAD_NAME: Failure =
    Failure::fixed("ERR Client names cannot contain spaces, newlines or special characters.");

/// Whether a line of CLIENT LIST can show `bytes` as they are.
pub(in crate::command::connection) fn is_name(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_graphic)
}

fn get_name(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    match context.client().name.as_slice() {
        b"" => reply.null(),
        name => reply.bulk(name),
    }
    Ok(())
}

fn set_name(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if !is_name(args[2]) {
        return Err(BAD_NAME);
    }
    context.thread.set_client_name(context.caller.slot, args[2]);
    reply.ok();
    Ok(())
}

fn set_info(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (option, value) = (args[2], args[3]);
    let shown = String::from_utf8_lossy(option);
    let client = context.client();
    let place = if option.eq_ignore_ascii_case(b"lib-name") {
        &mut client.library_name
    } else if option.eq_ignore_ascii_case(b"lib-ver") {
        &mut client.library_version
    } else {
        return Err(Failure::new(format_args!("ERR Unrecognized option '{shown}'")));
    };
    if !is_name(value) {
        return Err(Failure::new(format_args!("ERR {shown} cannot contain spaces, newlines or special characters.")));
    }
    *place = value.to_vec();
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn a_name_is_one_word() {
        check(&[
            ("CLIENT GETNAME", "$-1"),
            ("CLIENT SETNAME me", "+OK"),
            ("CLIENT GETNAME", "$2 me"),
            ("CLIENT SETNAME \"a b\"", "-ERR Client names cannot contain spaces, newlines or special characters."),
            ("CLIENT GETNAME", "$2 me"),
            ("CLIENT SETNAME \"\"", "+OK"),
            ("@resp 3", ""),
            ("CLIENT GETNAME", "_"),
        ]);
    }

    #[test]
    fn a_library_names_itself() {
        check(&[
            ("CLIENT SETINFO LIB-NAME lib", "+OK"),
            ("CLIENT SETINFO lib-ver 1.0", "+OK"),
            ("CLIENT SETINFO lib-ver \"1 0\"", "-ERR lib-ver cannot contain spaces, newlines or special characters."),
            ("CLIENT SETINFO colour red", "-ERR Unrecognized option 'colour'"),
        ]);
    }
}
