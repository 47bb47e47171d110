//! Runs one command on this thread and turns a failure into its reply.

use std::array;

use locksley_engine::wal::Log;
use locksley_wire::resp::Reply;

use super::batch::{GROUP_KEYS, prefetch};
use super::context::{Caller, Context};
use super::dialect::write_failure;
use super::effect::{Effect, apply_all, check_effects, log_bytes};
use super::failure::Failure;
use super::park::{Attempt, Parking};
use super::row::{
    Args, DecideInput, FAILED_PART, Flags, Join, JoinInput, Outcome, PlanInput, PlanRead, ReplyPart, Run,
};
use super::table::Entry;
use super::wait::Wait;
use crate::limits::{QUICK_BYTES_MAX, TIMED_TOGETHER_NANOS_MIN};
use crate::thread::Thread;

/// Runs `entry` on this thread, which owns every key in `args` (or the command needs none), writes exactly one
/// reply (a handler may leave the reply empty only where the protocol has none), and counts it.
#[inline]
pub(crate) fn execute(thread: &mut Thread, caller: Caller, entry: Entry, args: Args<'_>, reply: &mut Reply<'_>) {
    let start = reply.len();
    thread.settle_others(entry.index());
    let outcome = run(thread, caller, entry, args, reply);
    if let Err(failure) = outcome {
        fail(thread, caller, entry, &failure, start, reply);
    }
    count(thread, caller, entry, args, reply.len() - start);
}

/// Counts a command that has run; several quick ones share a look at the clock.
#[inline]
fn count(thread: &mut Thread, caller: Caller, entry: Entry, args: Args<'_>, reply_bytes: usize) {
    let is_quick = entry.is_quick()
        && reply_bytes <= QUICK_BYTES_MAX
        && args.last().is_none_or(|last| last.len() <= QUICK_BYTES_MAX);
    if !is_quick || !thread.counters.defer(entry.index()) {
        finish(thread, caller, entry, args);
    }
}

/// Runs this shard's part of a command that several shards take part in. Only its time is counted: [`join`] counts
/// the call, once for all parts. Where there is one shard only, its time is the join's.
pub(crate) fn execute_part(thread: &mut Thread, caller: Caller, entry: Entry, args: Args<'_>, reply: &mut Reply<'_>) {
    let start = reply.len();
    thread.settle();
    match run(thread, caller, entry, args, reply) {
        Ok(()) => remember(thread, entry, &reply.buffer()[start..]),
        Err(failure) => {
            reply.truncate(start);
            if matches!(entry.row.run, Run::Spread { .. }) {
                reply.buffer().push(FAILED_PART);
                reply.buffer().extend_from_slice(failure.text().as_bytes());
            } else {
                write_failure(caller.dialect, &thread.config, &failure, reply);
            }
        }
    }
    if thread.shared.shard_count > 1 {
        let took = thread.counters.add_part(entry.index());
        // The join notes the command; a part is noted besides only if it was slow by any measure.
        if took >= thread.attention && took.0 >= TIMED_TOGETHER_NANOS_MIN {
            thread.note_slow(caller, entry.row, args, took);
        }
    }
}

/// Keeps what this shard wrote for a survey, for the time when it is silent; with one shard nobody would ask for it.
fn remember(thread: &Thread, entry: Entry, part: &[u8]) {
    if let Run::Survey { memory, .. } = entry.row.run
        && thread.shared.shard_count > 1
    {
        thread.shared.remembered.keep(thread.id.0, memory, part);
    }
}

/// What is joined.
pub(crate) struct Joined<'a> {
    /// The parts.
    pub parts: &'a [ReplyPart<'a>],
    /// The shards that are silent.
    pub silent: &'a [u16],
}

/// Makes one reply of the parts of several shards, on the thread of the client, and counts the command; its time is
/// that of the joining thread alone.
pub(crate) fn join(
    thread: &mut Thread,
    caller: Caller,
    entry: Entry,
    join: Join,
    args: Args<'_>,
    joined: &Joined<'_>,
    reply: &mut Reply<'_>,
) {
    let start = reply.len();
    thread.settle_others(entry.index());
    let random = thread.random.next();
    let input = JoinInput {
        args,
        parts: joined.parts,
        silent: joined.silent,
        random,
        dialect: caller.dialect,
        config: &thread.config,
    };
    if let Err(failure) = join(&input, reply) {
        fail(thread, caller, entry, &failure, start, reply);
    }
    finish(thread, caller, entry, args);
}

/// Runs a command that may have to wait. Its call is counted here if it replied at once, else by [`conclude`].
pub(crate) fn begin_wait(
    thread: &mut Thread,
    caller: Caller,
    entry: Entry,
    args: Args<'_>,
    reply: &mut Reply<'_>,
) -> Option<Wait> {
    let Run::Wait(begin) = entry.row.run else { unreachable!("called for commands that may wait") };
    let start = reply.len();
    thread.settle();
    let outcome = begin(&mut Context { thread, caller }, args, reply);
    match outcome {
        Ok(Some(wait)) => {
            assert_eq!(reply.len(), start, "a reply that waits is not begun");
            return Some(wait);
        }
        Ok(None) => {}
        Err(failure) => fail(thread, caller, entry, &failure, start, reply),
    }
    finish(thread, caller, entry, args);
    None
}

/// Runs a command that may have to wait for its key, which this thread owns. It is counted once it replied.
#[inline]
pub(crate) fn execute_parkable(
    thread: &mut Thread,
    caller: Caller,
    entry: Entry,
    args: Args<'_>,
    attempt: Attempt,
    reply: &mut Reply<'_>,
) -> Option<Parking> {
    let Run::Park { run, .. } = entry.row.run else { unreachable!("called for commands that may wait for a key") };
    let start = reply.len();
    thread.settle_others(entry.index());
    let outcome = admit(thread, entry, args).and_then(|()| run(&mut Context { thread, caller }, args, attempt, reply));
    match outcome {
        Ok(Some(parking)) => {
            assert!(attempt != Attempt::Last && reply.len() == start, "a reply that waits is not begun, and may wait");
            return Some(parking);
        }
        Ok(None) => {}
        Err(failure) => fail(thread, caller, entry, &failure, start, reply),
    }
    count(thread, caller, entry, args, reply.len() - start);
    None
}

/// Counts a command that was decided outside [`execute`], at home for several shards, and writes its failure if it
/// failed.
pub(crate) fn conclude(
    thread: &mut Thread,
    caller: Caller,
    entry: Entry,
    args: Args<'_>,
    outcome: Outcome,
    reply: &mut Reply<'_>,
) {
    thread.settle_others(entry.index());
    if let Err(failure) = outcome {
        fail(thread, caller, entry, &failure, reply.len(), reply);
    }
    finish(thread, caller, entry, args);
}

/// Replaces what a handler wrote by the failure's text.
#[cold]
fn fail(thread: &mut Thread, caller: Caller, entry: Entry, failure: &Failure, start: usize, reply: &mut Reply<'_>) {
    thread.counters.count_failure(entry.index(), failure.code());
    reply.truncate(start);
    write_failure(caller.dialect, &thread.config, failure, reply);
}

/// Counts a command that has run.
#[inline]
fn finish(thread: &mut Thread, caller: Caller, entry: Entry, args: Args<'_>) {
    let took = thread.counters.count_call(entry.index());
    if took >= thread.attention {
        thread.note_slow(caller, entry.row, args, took);
    }
}

/// Whether a command may run at all, as far as memory, the data directory and the log are concerned.
#[inline]
fn admit(thread: &mut Thread, entry: Entry, args: Args<'_>) -> Outcome {
    if entry.row.flags.contains(Flags::DENYOOM) && thread.config.maxmemory != 0 {
        thread.evicted_before = thread.shard.stats().evicted;
        // Even a write that needs no memory of its own is refused while the store is over its limit.
        thread.shard.reserve(0, thread.now)?;
    }
    if thread.is_loading && !entry.row.runs_while_loading() {
        return Err(Failure::LOADING);
    }
    if entry.row.flags.contains(Flags::WRITE) {
        if thread.shard.log().is_some() {
            thread.ensure_log_room(request_log_bytes(args))?;
        }
        if thread.is_snapshot_failing {
            return Err(Failure::SNAPSHOTS_FAIL);
        }
    }
    Ok(())
}

#[inline]
fn run(thread: &mut Thread, caller: Caller, entry: Entry, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    admit(thread, entry, args)?;
    let mut context = Context { thread, caller };
    match &entry.row.run {
        Run::Home(run) | Run::Owner(run) | Run::Chosen { run, .. } | Run::Split { run, .. } => {
            run(&mut context, args, reply)
        }
        Run::Every { part, .. } | Run::Survey { part, .. } | Run::Spread { part, .. } => {
            part(&mut context, args, reply)
        }
        Run::Atomic { .. } => decide_here(&mut context, entry, args, reply),
        Run::Park { .. } => unreachable!("these are run by `execute_parkable`"),
        Run::Wait(_) => unreachable!("these are begun by `begin_wait`"),
        Run::Container(_) => unreachable!("the table resolves containers to their subcommands"),
    }
}

/// Bytes of the log that a request may take, if what it writes is in its arguments.
#[inline]
pub(crate) fn request_log_bytes(args: Args<'_>) -> u64 {
    let bytes = args.iter().map(|arg| arg.len()).sum();
    Log::record_bytes(0, bytes) + Log::record_bytes(0, 0) * args.len() as u64
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
        let mut reads = Vec::with_capacity(planned.len());
        for group in planned.chunks(GROUP_KEYS) {
            let named: [_; GROUP_KEYS] = array::from_fn(|index| {
                let planned = group.get(index).filter(|planned| planned.read != PlanRead::Nothing)?;
                Some(shard.key(planned.db, args[planned.argument]))
            });
            prefetch(shard, named.iter().copied().flatten());
            reads.extend(named[..group.len()].iter().map(|key| key.and_then(|key| shard.peek(key, now))));
        }
        decide(&DecideInput { args, db, reads: &reads }, &mut effects, reply)?;
    }
    check_effects(&effects, &shard.options().ttl)?;
    if effects.len() > 1 {
        shard.reserve(effects.iter().map(Effect::memory_bytes).sum(), now)?;
    }
    let log_bytes = log_bytes(&effects, &context.thread.shard);
    context.thread.ensure_log_room(log_bytes)?;
    apply_all(&effects, context.shard(), now)?;
    Ok(())
}
