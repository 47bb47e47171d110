//! RESET: makes the connection as it was when it was opened.

use locksley_engine::Db;
use locksley_wire::resp::{Protocol, Reply};

use super::ALWAYS;
use crate::client::ReplyMode;
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static RESET: Command = Command {
    name: "reset",
    arity: 1,
    flags: ALWAYS.union(Flags::NO_AUTH),
    keys: Keys::None,
    categories: &["connection"],
    group: Group::Connection,
    since: "6.2.0",
    summary: "Resets the connection: database, dialect, name, login and modes",
    complexity: "O(1)",
    syntax: "",
    run: Run::Home(reset),
};

fn reset(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let slot = context.caller.slot;
    context.thread.set_monitor(slot, false);
    context.thread.set_client_name(slot, b"");
    let needs_password = !context.thread.config.requirepass.is_empty();
    let client = context.client();
    client.db = Db(0);
    client.protocol = Protocol::Resp2;
    client.authenticated = !needs_password;
    client.reply_mode = ReplyMode::On;
    client.no_evict = false;
    client.no_touch = false;
    client.is_readonly = false;
    reply.simple("RESET");
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Rig;

    #[test]
    fn nothing_of_the_connection_stays() {
        let mut rig = Rig::new(1);
        for line in ["HELLO 3 SETNAME me", "SELECT 3", "CLIENT NO-EVICT ON", "CLIENT NO-TOUCH ON", "MONITOR"] {
            assert!(!rig.reply(line).starts_with('-'), "{line}");
        }
        rig.configure(|config| config.requirepass = "secret".to_owned());
        assert_eq!(rig.reply("RESET"), "+RESET");
        let client = rig.client();
        assert!(!client.authenticated && !client.is_monitor && !client.no_evict && !client.no_touch);
        assert!(client.name.is_empty());
        assert_eq!((client.db.0, client.protocol), (0, locksley_wire::resp::Protocol::Resp2));
    }
}
