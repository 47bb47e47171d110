//! SAVE, BGSAVE, LASTSAVE: snapshots.

use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::wait::{Over, Until, Wait};

pub(super) static SAVE: Command = Command {
    name: "save",
    arity: 1,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::NO_MULTI),
    keys: Keys::None,
    categories: &[],
    group: Group::Server,
    since: "1.0.0",
    summary: "Takes a snapshot and replies when it is complete; other clients are served meanwhile",
    complexity: "O(N), N the number of keys",
    syntax: "",
    run: Run::Wait(save),
};

pub(super) static BGSAVE: Command = Command {
    name: "bgsave",
    arity: -1,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT),
    summary: "Begins a snapshot, or with SCHEDULE one after the one that is being taken",
    complexity: "O(1)",
    syntax: "[SCHEDULE]",
    run: Run::Wait(bgsave),
    ..SAVE
};

pub(super) static LASTSAVE: Command = Command {
    name: "lastsave",
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
    categories: &["admin", "dangerous"],
    summary: "Returns when the last snapshot was complete, in seconds since 1970",
    complexity: "O(1)",
    run: Run::Home(lastsave),
    ..SAVE
};

/// A snapshot is being taken.
pub(super) const IN_PROGRESS: Failure = Failure::fixed("ERR Background save already in progress");

fn save(context: &mut Context<'_>, _: Args<'_>, _: &mut Reply<'_>) -> Result<Option<Wait>, Failure> {
    let ticket = context.thread.shared.persist.request_snapshot().map_err(|_| IN_PROGRESS)?;
    Ok(Some(Wait { until: Until::Snapshot(ticket), deadline: None, then: saved }))
}

fn saved(_: &mut Context<'_>, _: Args<'_>, over: Over, reply: &mut Reply<'_>) -> Outcome {
    match over {
        Over::Snapshot(Ok(())) => reply.ok(),
        Over::Snapshot(Err(sentence)) => return Err(Failure::new(format_args!("ERR {sentence}"))),
        _ => unreachable!("a snapshot is waited for until it has ended"),
    }
    Ok(())
}

/// Waits for nothing, but for earlier writes of its client, which are to be in the snapshot.
fn bgsave(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Result<Option<Wait>, Failure> {
    let is_scheduled = match args[1..] {
        [] => false,
        [word] if word.eq_ignore_ascii_case(b"schedule") => true,
        _ => return Err(Failure::SYNTAX),
    };
    let persist = &context.thread.shared.persist;
    match persist.request_snapshot() {
        Ok(_) => reply.simple("Background saving started"),
        Err(_) if is_scheduled => {
            persist.schedule_snapshot();
            reply.simple("Background saving scheduled");
        }
        Err(_) => return Err(IN_PROGRESS),
    }
    Ok(None)
}

fn lastsave(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let at = context.thread.shared.persist.status().last_snapshot_at;
    reply.integer((at.0 / 1_000) as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn a_server_without_a_snapshot_was_saved_when_it_started() {
        check(&[("LASTSAVE", ":1700000000")]);
    }

    #[test]
    fn the_only_option_is_schedule() {
        check(&[
            ("BGSAVE x", "-ERR syntax error"),
            ("BGSAVE SCHEDULE x", "-ERR syntax error"),
            ("SAVE x", "-ERR wrong number of arguments for 'save' command"),
        ]);
    }
}
