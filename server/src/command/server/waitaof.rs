//! WAITAOF: replies when what its client wrote is on disk.
//!
//! There are no replicas, so none ever has it: who waits for one waits until the time is over, as with a Redis that has
//! none.

use locksley_engine::Millis;
use locksley_wire::number::parse_i64;
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::wait::{Over, Until, Wait, are_durable};

pub(super) static WAITAOF: Command = Command {
    name: "waitaof",
    arity: 4,
    flags: Flags::NOSCRIPT.union(Flags::BLOCKING),
    keys: Keys::None,
    categories: &["connection"],
    group: Group::Generic,
    since: "7.2.0",
    summary: "Waits until all earlier writes of this connection are durable, whatever appendfsync says",
    complexity: "O(1)",
    syntax: "numlocal numreplicas timeout",
    run: Run::Wait(wait),
};

const BAD_LOCAL: Failure = Failure::fixed("ERR value is out of range, value must between 0 and 1");
const BAD_REPLICAS: Failure = Failure::fixed("ERR value is out of range, must be positive");
const NOT_A_TIMEOUT: Failure = Failure::fixed("ERR timeout is not an integer or out of range");
const NEGATIVE: Failure = Failure::fixed("ERR timeout is negative");
const TOO_LONG: Failure = Failure::fixed("ERR timeout is out of range");
const NO_LOG: Failure = Failure::fixed("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");

fn wait(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Result<Option<Wait>, Failure> {
    let number = |arg: &[u8]| parse_i64(arg).ok_or(Failure::NOT_INTEGER);
    let local_count = number(args[1])?;
    if !(0..=1).contains(&local_count) {
        return Err(BAD_LOCAL);
    }
    let replica_count = number(args[2])?;
    if replica_count < 0 {
        return Err(BAD_REPLICAS);
    }
    let timeout = parse_i64(args[3]).ok_or(NOT_A_TIMEOUT)?;
    let timeout = u64::try_from(timeout).map_err(|_| NEGATIVE)?;
    let now = context.now();
    let at = now.0.checked_add(timeout).filter(|at| i64::try_from(*at).is_ok()).ok_or(TOO_LONG)?;
    let is_logged = context.thread.config.appendonly;
    if local_count > 0 && !is_logged {
        return Err(NO_LOG);
    }
    if local_count == 0 && replica_count == 0 {
        // Nothing is waited for; it is only asked how things stand.
        let persist = &context.thread.shared.persist;
        write(is_logged && are_durable(&Until::all_changes(context.thread), persist), reply);
        return Ok(None);
    }
    let changes = Until::all_changes(context.thread);
    let until = if replica_count > 0 { Until::Deadline(changes) } else { Until::Durable(changes) };
    Ok(Some(Wait { until, deadline: (timeout > 0).then_some(Millis(at)), then: waited }))
}

#[expect(clippy::needless_pass_by_value, reason = "whatever ends a wait has this signature")]
fn waited(context: &mut Context<'_>, _: Args<'_>, over: Over, reply: &mut Reply<'_>) -> Outcome {
    write(over == Over::Durable && context.thread.config.appendonly, reply);
    Ok(())
}

/// How many logs have it: this server's, and replicas'.
fn write(is_durable: bool, reply: &mut Reply<'_>) {
    reply.array(2);
    reply.integer(i64::from(is_durable));
    reply.integer(0);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Rig, check};

    #[test]
    fn without_a_log_nothing_can_be_waited_for() {
        let mut rig = Rig::new(3);
        rig.configure(|config| config.appendonly = false);
        let reply = rig.reply("WAITAOF 1 0 0");
        assert_eq!(reply, "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
    }

    #[test]
    fn numbers_are_checked() {
        check(&[
            ("WAITAOF 2 0 0", "-ERR value is out of range, value must between 0 and 1"),
            ("WAITAOF x 0 0", "-ERR value is not an integer or out of range"),
            ("WAITAOF 1 -1 0", "-ERR value is out of range, must be positive"),
            ("WAITAOF 1 0 x", "-ERR timeout is not an integer or out of range"),
            ("WAITAOF 1 0 -1", "-ERR timeout is negative"),
            ("WAITAOF 1 0 9223372036854775807", "-ERR timeout is out of range"),
            ("WAITAOF 1 0", "-ERR wrong number of arguments for 'waitaof' command"),
        ]);
    }

    #[test]
    fn what_is_durable_is_told_by_shard_and_replicas_never_come() {
        use std::sync::atomic::Ordering;
        let mut rig = Rig::new(3);
        rig.configure(|config| config.appendonly = true);
        for shard in rig.threads[0].shared.persist.shards() {
            shard.appended.store(5, Ordering::Release);
            shard.durable.store(5, Ordering::Release);
        }
        assert_eq!(rig.reply("WAITAOF 1 0 0"), "*2 :1 :0");
        assert_eq!(rig.reply("WAITAOF 0 0 0"), "*2 :1 :0");
        assert_eq!(rig.reply("WAITAOF 0 1 1"), "*2 :0 :0", "the time is not over yet where nobody waits");
        rig.threads[0].shared.persist.shards()[2].appended.store(6, Ordering::Release);
        assert_eq!(rig.reply("WAITAOF 1 0 1"), "*2 :0 :0");
        assert_eq!(rig.reply("WAITAOF 0 0 1"), "*2 :0 :0");
    }
}
