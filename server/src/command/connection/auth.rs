//! AUTH: shows the password.

use locksley_wire::resp::Reply;

use super::{ALWAYS, password};
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static AUTH: Command = Command {
    name: "auth",
    arity: -2,
    flags: ALWAYS.union(Flags::NO_AUTH),
    keys: Keys::None,
    categories: &["connection"],
    group: Group::Connection,
    since: "1.0.0",
    summary: "Authenticates the connection",
    complexity: "O(N), N the length of the password",
    syntax: "[username] password",
    run: Run::Home(auth),
};

const NO_PASSWORD: Failure = Failure::fixed(
    "ERR AUTH <password> called without any password configured for the default user. \
     Are you sure your configuration is correct?",
);

fn auth(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (user, password) = match args {
        [_, _] if context.thread.config.requirepass.is_empty() => return Err(NO_PASSWORD),
        [_, password] => (&b"default"[..], *password),
        [_, user, password] => (*user, *password),
        _ => return Err(Failure::SYNTAX),
    };
    password::check(&context.thread.config, user, password)?;
    context.client().authenticated = true;
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Rig;

    #[test]
    fn the_password_opens_the_door() {
        let mut rig = Rig::new(1);
        assert!(rig.reply("AUTH secret").starts_with("-ERR AUTH <password> called without any password"));
        assert_eq!(rig.reply("AUTH default any"), "+OK");
        rig.configure(|config| config.requirepass = "secret".to_owned());
        rig.client().authenticated = false;
        for wrong in ["AUTH wrong", "AUTH alice secret", "AUTH default wrong"] {
            assert_eq!(rig.reply(wrong), "-WRONGPASS invalid username-password pair or user is disabled.");
        }
        assert_eq!(rig.reply("AUTH a b c"), "-ERR syntax error");
        assert!(!rig.client().authenticated);
        assert_eq!(rig.reply("AUTH secret"), "+OK");
        assert!(rig.client().authenticated);
    }
}
