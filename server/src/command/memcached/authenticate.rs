//! The password of a memcached client: the block of its first `set`, `user password`.
//!
//! The door lets nothing else through before. The rule is that of AUTH with two arguments: the one user there is is
//! called `default`.

use locksley_wire::memcached::reply;
use locksley_wire::resp::Reply;

use crate::command::connection::password;
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static AUTHENTICATE: Command = Command {
    name: "authenticate",
    arity: 2,
    flags: Flags::NO_AUTH
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::FAST)
        .union(Flags::SKIP_MONITOR)
        .union(Flags::SKIP_SLOWLOG),
    keys: Keys::None,
    categories: &["connection"],
    group: Group::Memcached,
    since: "Locksley 0.1.0",
    summary: "Authenticates the connection by a set whose block is a user's name and password",
    complexity: "O(N), N the length of the password",
    syntax: "key flags exptime bytes",
    run: Run::Home(run),
};

const FORMAT_TEXT: &str = "bad authentication token format";
const FAILURE_TEXT: &str = "authentication failure";

fn run(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let block = args[1];
    let Some(separator) = block.iter().position(|byte| *byte == b' ') else {
        context.thread.counters.cache.auth_errors += 1;
        reply::client_error(FORMAT_TEXT, reply.buffer());
        return Ok(());
    };
    let (user, password) = (&block[..separator], &block[separator + 1..]);
    if password::check(&context.thread.config, user, password).is_ok() {
        context.client().authenticated = true;
        reply.buffer().extend_from_slice(b"STORED\r\n");
    } else {
        context.thread.counters.cache.auth_errors += 1;
        reply::client_error(FAILURE_TEXT, reply.buffer());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::memcached::testing::Rig;

    #[test]
    fn the_first_set_says_the_password() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            rig.inner.configure(|config| config.requirepass = "the secret".to_owned());
            rig.inner.client().authenticated = false;
            for (line, expected) in [
                ("get k", "CLIENT_ERROR unauthenticated"),
                ("set k 0 0 7|default", "CLIENT_ERROR bad authentication token format"),
                ("set k 0 0 13|default wrong", "CLIENT_ERROR authentication failure"),
                ("set k 0 0 16|alice the secret", "CLIENT_ERROR authentication failure"),
                ("stats", "CLIENT_ERROR unauthenticated"),
                ("set k 0 0 18|default the secret", "STORED"),
                ("get k", "END"),
            ] {
                assert_eq!(rig.reply(line), expected, "{line}");
            }
        }
    }
}
