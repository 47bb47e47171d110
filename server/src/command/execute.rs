//! Runs one command on this thread and turns a failure into its reply.

use locksley_wire::resp::Reply;

use super::context::{Caller, Context};
use super::row::{Args, DecideInput, Outcome, PlanInput, PlanRead, Run};
use super::table::Entry;
use crate::thread::Thread;

/// Runs `entry` on this thread, which owns every key in `args` (or the command needs none), and writes exactly one
/// reply (a handler may leave the reply empty only where the protocol has none).
#[inline]
pub(crate) fn execute(thread: &mut Thread, caller: Caller, entry: Entry, args: Args<'_>, reply: &mut Reply<'_>) {
    let start = reply.len();
    let mut context = Context { thread, caller };
    let outcome = match &entry.row.run {
        Run::Home(run) | Run::Owner(run) | Run::Chosen { run, .. } | Run::Split { run, .. } => {
            run(&mut context, args, reply)
        }
        Run::Every { part, .. } => part(&mut context, args, reply),
        Run::Atomic { .. } => decide_here(&mut context, entry, args, reply),
        Run::Container(_) => unreachable!("the table resolves containers to their subcommands"),
    };
    let counters = &mut context.thread.counters.commands[entry.index()];
    counters.calls += 1;
    if let Err(failure) = outcome {
        counters.failed += 1;
        reply.truncate(start);
        reply.error(failure.text());
        context.thread.counters.count_error(failure.code());
    }
}

/// Runs an atomic command whose keys are all on this shard: nothing can come in between.
fn decide_here(context: &mut Context<'_>, entry: Entry, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let Run::Atomic { plan, decide } = &entry.row.run else { unreachable!("called for atomic commands") };
    let db = context.caller.db;
    let now = context.now();
    let mut planned = Vec::new();
    let database_count = context.thread.config.databases;
    plan(&PlanInput { args, db, database_count }, &mut planned)?;
    let shard = &mut context.thread.shard;
    let mut effects = Vec::new();
    {
        let reads: Vec<_> = planned
            .iter()
            .map(|planned| match planned.read {
                PlanRead::Nothing => None,
                PlanRead::Presence | PlanRead::Value => shard.peek(shard.key(planned.db, args[planned.argument]), now),
            })
            .collect();
        decide(&DecideInput { args, db, reads: &reads, now }, &mut effects, reply)?;
    }
    for effect in &effects {
        effect.apply(shard, now)?;
    }
    Ok(())
}
