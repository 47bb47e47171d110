//! CLIENT KILL: closes connections.

use locksley_wire::resp::Reply;

use super::select::Selection;
use super::{ADMIN, SUBCOMMAND};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::join;
use crate::command::row::{Args, Command, JoinInput, Outcome, Run};
use crate::thread::Order;

pub(super) const KILL: Command = Command {
    name: "kill",
    arity: -3,
    flags: ADMIN,
    since: "2.4.0",
    summary: "Closes the connections that fit",
    complexity: "O(N), N the number of clients",
    syntax: "<ip:port | [ID client-id] [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] [USER username] \
             [ADDR ip:port] [LADDR ip:port] [SKIPME <YES | NO>] [MAXAGE maxage]>",
    run: Run::Every { part: kill, join: count },
    ..SUBCOMMAND
};

fn kill(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let selection = match args {
        [_, _, address] => Selection::of_address(address),
        _ => Selection::parse(&args[2..])?,
    };
    let (caller, now) = (context.caller, context.now());
    let thread = &mut *context.thread;
    let mut killed = 0;
    for (slot, client) in thread.clients.iter().filter(|(_, client)| selection.takes(client, caller.id, now)) {
        let is_caller = client.id == caller.id;
        // The caller is still owed this command's reply.
        thread.orders.push(if is_caller { Order::CloseAfterReplies(slot) } else { Order::Close(slot) });
        killed += 1;
    }
    reply.integer(killed);
    Ok(())
}

/// The old form names one client and replies OK; the new one replies how many it closed.
fn count(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let killed = join::total(input.parts)?;
    match (input.args, killed) {
        ([_, _, _], 0) => return Err(Failure::fixed("ERR No such client")),
        ([_, _, _], _) => reply.ok(),
        _ => reply.integer(killed),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::client::ClientSlot;
    use crate::command::testing::{Rig, check};
    use crate::thread::Order;

    #[test]
    fn options_choose_whom_to_close() {
        check(&[
            ("CLIENT KILL 10.0.0.1:1", "-ERR No such client"),
            ("CLIENT KILL 127.0.0.1:50000", "+OK"),
            ("CLIENT KILL ID 1", ":0"),
            ("CLIENT KILL ID 1 SKIPME no", ":1"),
            ("CLIENT KILL ADDR 127.0.0.1:50000 SKIPME no", ":1"),
            ("CLIENT KILL LADDR 127.0.0.1:6379 USER default SKIPME no", ":1"),
            ("CLIENT KILL LADDR 127.0.0.1:6380 SKIPME no", ":0"),
            ("CLIENT KILL TYPE normal SKIPME no", ":1"),
            ("CLIENT KILL TYPE pubsub SKIPME no", ":0"),
            ("CLIENT KILL MAXAGE 1 SKIPME no", ":0"),
            ("@after 1000", ""),
            ("CLIENT KILL MAXAGE 1 SKIPME no", ":1"),
            ("CLIENT KILL ID x", "-ERR client-id should be greater than 0"),
            ("CLIENT KILL ID 0", "-ERR client-id should be greater than 0"),
            ("CLIENT KILL TYPE x", "-ERR Unknown client type 'x'"),
            ("CLIENT KILL USER x", "-ERR No such user 'x'"),
            ("CLIENT KILL SKIPME x", "-ERR syntax error"),
            ("CLIENT KILL ID 1 SKIPME", "-ERR syntax error"),
            ("CLIENT KILL MAXAGE x", "-ERR maxage is not an integer or out of range"),
        ]);
    }

    #[test]
    fn who_closes_itself_still_gets_the_reply() {
        let mut rig = Rig::new(1);
        assert_eq!(rig.reply("CLIENT KILL ID 1 SKIPME no"), ":1");
        assert_eq!(rig.threads[0].orders, [Order::CloseAfterReplies(ClientSlot(0))]);
    }
}
