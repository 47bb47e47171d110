//! QUIT: says OK and hangs up.

use locksley_wire::resp::Reply;

use super::ALWAYS;
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::thread::Order;

pub(super) static QUIT: Command = Command {
    name: "quit",
    arity: -1,
    flags: ALWAYS.union(Flags::NO_AUTH),
    keys: Keys::None,
    categories: &["connection"],
    group: Group::Connection,
    since: "1.0.0",
    summary: "Closes the connection",
    complexity: "O(1)",
    syntax: "",
    run: Run::Home(quit),
};

fn quit(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    context.thread.orders.push(Order::CloseAfterReplies(context.caller.slot));
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::client::ClientSlot;
    use crate::command::testing::Rig;
    use crate::thread::Order;

    #[test]
    fn the_reply_precedes_the_close() {
        let mut rig = Rig::new(1);
        assert_eq!(rig.reply("QUIT"), "+OK");
        assert_eq!(rig.threads[0].orders, [Order::CloseAfterReplies(ClientSlot(0))]);
    }
}
