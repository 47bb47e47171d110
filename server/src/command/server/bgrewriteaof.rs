//! BGREWRITEAOF: a snapshot, which takes the place of the log behind it.

use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Run};
use crate::command::wait::Wait;

pub(super) static BGREWRITEAOF: Command = Command {
    name: "bgrewriteaof",
    arity: 1,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT),
    keys: Keys::None,
    categories: &[],
    group: Group::Server,
    since: "1.0.0",
    summary: "Begins a snapshot, behind which the log is recycled",
    complexity: "O(1)",
    syntax: "",
    run: Run::Wait(rewrite),
};

/// Waits for nothing, but for earlier writes of its client, which are to be in the snapshot.
fn rewrite(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Result<Option<Wait>, Failure> {
    let persist = &context.thread.shared.persist;
    if persist.request_snapshot().is_ok() {
        reply.simple("Background append only file rewriting started");
    } else {
        persist.schedule_snapshot();
        reply.simple("Background append only file rewriting scheduled");
    }
    Ok(None)
}
