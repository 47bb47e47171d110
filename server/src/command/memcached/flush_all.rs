//! `flush_all`: empties database 0 of every shard, at once or later.
//!
//! A delay is kept as a time by each thread, whose loop sees to it; there is one such time, and a later command takes its
//! place. It is not kept over a restart. As the time comes everything goes, what was stored after the command included.

use locksley_engine::wal::Log;
use locksley_engine::{Db, Millis, Op};
use locksley_wire::resp::Reply;

use super::exptime;
use super::parts::check_parts;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, JoinInput, Keys, Outcome, Run};
use crate::limits::FLUSH_RETRY_MS;
use crate::thread::Thread;

pub(super) static FLUSH_ALL: Command = Command {
    name: "flush_all",
    arity: 2,
    flags: Flags::WRITE,
    keys: Keys::None,
    categories: &["keyspace", "dangerous"],
    group: Group::Memcached,
    since: "Locksley 0.1.0",
    summary: "Removes all keys of database 0, now or at a time",
    complexity: "O(1), and O(N) in the background, N the number of keys",
    syntax: "[delay] [noreply]",
    run: Run::Every { part, join },
};

/// The database that memcached's clients see.
const DB: Db = Db(0);

const OK: &[u8] = b"OK\r\n";

fn part(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let now = context.now();
    let exptime = exptime::decode(args[1]);
    let at = if exptime == 0 { now } else { exptime::instant(exptime, now) };
    if at <= now {
        flush(context.thread)?;
    } else {
        context.thread.flush_at = Some(at);
    }
    reply.buffer().extend_from_slice(OK);
    Ok(())
}

fn join(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_parts(input.parts, |bytes| bytes == OK)?;
    reply.buffer().extend_from_slice(OK);
    Ok(())
}

/// Carries out a flush whose time has come; one for which the log has no room is tried again a little later.
#[cold]
pub(crate) fn flush_due(thread: &mut Thread) {
    if flush(thread).is_err() {
        thread.flush_at = Some(Millis(thread.now.0 + FLUSH_RETRY_MS));
    }
}

fn flush(thread: &mut Thread) -> Result<(), Failure> {
    thread.ensure_log_room(Log::record_bytes(0, 0))?;
    thread.shard.apply(Op::Flush { db: Some(DB) }, thread.now)?;
    thread.flush_at = None;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::memcached::testing::check;

    #[test]
    fn database_0_is_emptied_at_once() {
        for line in ["flush_all", "flush_all 0", "flush_all -1", "flush_all 1600000000"] {
            check(&[
                ("set a 0 0 1|1", "STORED"),
                ("set b 0 0 1|2", "STORED"),
                ("@db 1", ""),
                ("RESP SET c 3", "+OK"),
                (line, "OK"),
                ("get a b", "END"),
                ("RESP GET c", "$1 3"),
                ("set a 0 0 1|4", "STORED"),
                ("get a", "VALUE a 0 1|4|END"),
                ("flush_all noreply", ""),
                ("get a", "END"),
            ]);
        }
    }

    #[test]
    fn a_delayed_flush_takes_what_is_there_when_its_time_comes() {
        check(&[
            ("set a 0 0 1|1", "STORED"),
            ("flush_all 10", "OK"),
            ("@after 9999", ""),
            ("set b 0 0 1|2", "STORED"),
            ("get a b", "VALUE a 0 1|1|VALUE b 0 1|2|END"),
            ("@after 1", ""),
            ("get a b", "END"),
            ("set a 0 0 1|1", "STORED"),
            ("@after 100000", ""),
            ("get a", "VALUE a 0 1|1|END"),
            ("flush_all 1700000200", "OK"),
            ("@after 89999", ""),
            ("get a", "VALUE a 0 1|1|END"),
            ("@after 1", ""),
            ("get a", "END"),
        ]);
    }

    #[test]
    fn a_later_command_takes_the_place_of_an_earlier() {
        check(&[
            ("flush_all 10", "OK"),
            ("flush_all 20", "OK"),
            ("set a 0 0 1|1", "STORED"),
            ("@after 19999", ""),
            ("get a", "VALUE a 0 1|1|END"),
            ("flush_all", "OK"),
            ("set a 0 0 1|1", "STORED"),
            ("@after 1", ""),
            ("get a", "VALUE a 0 1|1|END"),
        ]);
    }
}
