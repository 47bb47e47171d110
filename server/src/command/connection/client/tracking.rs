//! CLIENT CACHING, GETREDIR, TRACKING, TRACKINGINFO: the answers of a server that tracks no keys.

use locksley_wire::resp::Reply;

use super::SUBCOMMAND;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Outcome, Run};

pub(super) const CACHING: Command = Command {
    name: "caching",
    arity: 3,
    since: "6.0.0",
    summary: "Says whether the keys of the next command are tracked; refused, as no client's keys are",
    syntax: "<YES | NO>",
    run: Run::Home(caching),
    ..SUBCOMMAND
};

pub(super) const GETREDIR: Command = Command {
    name: "getredir",
    since: "6.0.0",
    summary: "Returns the client that invalidations go to; -1, as there are none",
    run: Run::Home(get_redirection),
    ..SUBCOMMAND
};

pub(super) const TRACKING: Command = Command {
    name: "tracking",
    arity: -3,
    since: "6.0.0",
    summary: "Turns tracking of keys off; it cannot be turned on",
    syntax: "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
    run: Run::Home(tracking),
    ..SUBCOMMAND
};

pub(super) const TRACKINGINFO: Command = Command {
    name: "trackinginfo",
    since: "6.2.0",
    summary: "Returns how keys are tracked for the connection",
    run: Run::Home(tracking_info),
    ..SUBCOMMAND
};

const NOT_TRACKING: Failure = Failure::fixed(
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
);
const NO_TRACKING: Failure = Failure::fixed("ERR Locksley does not track keys for client-side caching");

fn caching(_: &mut Context<'_>, _: Args<'_>, _: &mut Reply<'_>) -> Outcome {
    Err(NOT_TRACKING)
}

fn get_redirection(_: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.integer(-1);
    Ok(())
}

fn tracking(_: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if args[2].eq_ignore_ascii_case(b"on") {
        return Err(NO_TRACKING);
    }
    if !args[2].eq_ignore_ascii_case(b"off") {
        return Err(Failure::SYNTAX);
    }
    reply.ok();
    Ok(())
}

fn tracking_info(_: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(1);
    reply.bulk(b"off");
    reply.bulk(b"redirect");
    reply.integer(-1);
    reply.bulk(b"prefixes");
    reply.array(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn nothing_is_tracked() {
        check(&[
            ("CLIENT TRACKING off", "+OK"),
            ("CLIENT TRACKING maybe", "-ERR syntax error"),
            ("CLIENT TRACKING on", "-ERR Locksley does not track keys for client-side caching"),
            ("CLIENT GETREDIR", ":-1"),
            ("CLIENT TRACKINGINFO", "*6 $5 flags *1 $3 off $8 redirect :-1 $8 prefixes *0"),
            ("@resp 3", ""),
            ("CLIENT TRACKINGINFO", "%3 $5 flags ~1 $3 off $8 redirect :-1 $8 prefixes *0"),
        ]);
    }
}
