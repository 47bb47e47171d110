//! What one shard says of itself when all are asked: numbers that are added up, and a few facts of the client's own
//! thread.
//!
//! A report travels as the bytes of a [`ReplyPart`]: a mark, then integers of 8 bytes and strings with their length,
//! in the order in which both sides list them. Both sides are one program, so there is no version.

mod durability;
mod home;
mod numbers;

use super::curve;
use super::pack::{Reader, write_bytes, write_number, write_numbers, write_text};
use crate::client::Door;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::join::check_parts;
use crate::command::row::{Args, Outcome, ReplyPart};
use crate::observe::CommandCounters;
use crate::observe::errors::ErrorCounts;
use crate::observe::histogram::{BUCKET_COUNT, Histogram};
use crate::observe::load::processor_time;
use crate::observe::stages::{Stage, Stages};
use locksley_engine::{Db, MissCurve, SIZE_BIN_COUNT};
use locksley_wire::resp::Reply;

pub(in crate::command) use durability::Durability;
pub(in crate::command) use home::Home;
pub(in crate::command) use numbers::{LogNumbers, Numbers};

/// The first byte of a report: whatever an error reply does not begin with.
const MARK: u8 = b'R';

/// One database of one shard, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::command) struct DatabaseReport {
    /// Entries.
    pub keys: u64,
    /// Those that have an expiry.
    pub expiring: u64,
    /// The sum of their times to live, in milliseconds.
    pub ttl_sum: u64,
    /// Strings by their length: of 0 bytes, of 1, of 2 to 3, of 4 to 7, and so on.
    pub string_sizes: [u64; SIZE_BIN_COUNT],
}

/// Keys that a shard is deleting by what they begin with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::command) struct PrefixReport {
    /// The database.
    pub db: u64,
    /// What they begin with.
    pub prefix: Vec<u8>,
}

/// The newest entry of a slow log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::command) struct LastSlow {
    /// Its number, by which entries of all shards are ordered.
    pub id: u64,
    /// How long the command took, in nanoseconds.
    pub nanos: u64,
}

/// What one shard reported.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::command) struct Report {
    /// Which shard.
    pub shard: u64,
    /// What is added up.
    pub numbers: Numbers,
    /// By database.
    pub databases: Vec<DatabaseReport>,
    /// Pending deletions.
    pub prefixes: Vec<PrefixReport>,
    /// By [`Entry::index`](crate::command::table::Entry::index).
    pub commands: Vec<CommandCounters>,
    /// Where the time of requests goes beside their commands.
    pub stages: Stages,
    /// The newest entry of its slow log.
    pub last_slow: Option<LastSlow>,
    /// Error replies.
    pub errors: ErrorCounts,
    /// What more memory would bring, or less.
    pub curve: MissCurve,
    /// Only in the report of the client's own thread.
    pub home: Option<Home>,
}

/// The part of a command that asks every shard for its report.
pub(in crate::command) fn part(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    Report::of(context).write(reply.buffer());
    Ok(())
}

/// All shards' reports in the order of the shards.
///
/// # Errors
/// The error that a shard replied in place of its report.
pub(in crate::command) fn read_all(parts: &[ReplyPart<'_>]) -> Result<Vec<Report>, Failure> {
    check_parts(parts)?;
    let mut reports: Vec<Report> = parts.iter().map(read).collect();
    reports.sort_by_key(|report| report.shard);
    Ok(reports)
}

/// What is remembered of a shard was asked for by another client, and says nothing of this one's thread.
fn read(part: &ReplyPart<'_>) -> Report {
    let report = Report::read(part.bytes);
    if part.is_remembered { Report { home: None, ..report } } else { report }
}

/// What all reports say together; `home` is the one report's that has it.
pub(in crate::command) fn total(reports: &[Report]) -> Report {
    let (first, others) = reports.split_first().expect("at least one shard reports");
    let mut total = first.clone();
    for report in others {
        total.numbers.add(&report.numbers);
        for (mine, theirs) in total.databases.iter_mut().zip(&report.databases) {
            mine.keys += theirs.keys;
            mine.expiring += theirs.expiring;
            mine.ttl_sum += theirs.ttl_sum;
            for (mine, theirs) in mine.string_sizes.iter_mut().zip(theirs.string_sizes) {
                *mine += theirs;
            }
        }
        for (mine, theirs) in total.commands.iter_mut().zip(&report.commands) {
            mine.add(theirs);
        }
        total.stages.add(&report.stages);
        total.last_slow = total.last_slow.max(report.last_slow);
        for (code, count) in report.errors.iter() {
            total.errors.add(code, count);
        }
        total.curve.add(&report.curve);
        total.prefixes.extend_from_slice(&report.prefixes);
        total.home = total.home.or_else(|| report.home.clone());
    }
    // What several shards are deleting is one deletion.
    total.prefixes.sort_unstable();
    total.prefixes.dedup();
    total
}

impl Report {
    /// How long its commands took, all together.
    pub(in crate::command) fn execution(&self) -> Stage {
        let mut all = Stage::default();
        for CommandCounters { nanos, histogram, .. } in &self.commands {
            all.add(&Stage { nanos: *nanos, histogram: *histogram });
        }
        all
    }

    /// What the shard of `context` has to say.
    pub(in crate::command) fn of(context: &mut Context<'_>) -> Report {
        let (caller, now) = (context.caller, context.now());
        let thread = &mut *context.thread;
        thread.settle();
        let memory = thread.shard.memory();
        thread.counters.peak_memory_bytes = thread.counters.peak_memory_bytes.max(memory.used);
        let databases: Vec<DatabaseReport> = (0..thread.config.databases)
            .map(|index| {
                let (expiring, ttl_mean) = thread.shard.expiring(Db(index), now);
                let ttl_sum = expiring.saturating_mul(ttl_mean);
                let (keys, string_sizes) = (thread.shard.len(Db(index)), thread.shard.string_sizes(Db(index)));
                DatabaseReport { keys, expiring, ttl_sum, string_sizes }
            })
            .collect();
        let (counters, stats) = (&thread.counters, thread.shard.stats());
        let rates = counters.rates(now);
        let client_bytes = thread.clients.iter().map(|(_, client)| client.input_bytes + client.output_bytes);
        let clients_at =
            |doors: &[Door]| thread.clients.iter().filter(|(_, client)| doors.contains(&client.door)).count() as u64;
        let numbers = Numbers {
            resp_clients: clients_at(&[Door::Shared, Door::Shard]),
            memcached_clients: clients_at(&[Door::Memcached]),
            http_clients: clients_at(&[Door::Http]),
            client_bytes: client_bytes.sum::<usize>() as u64,
            connections: counters.connections,
            rejected_connections: counters.rejected_connections,
            requests: counters.requests,
            calls: counters.call_count(),
            calls_per_kilosecond: (rates.commands * 1_000.0) as u64,
            received_per_second: rates.received_bytes as u64,
            sent_per_second: rates.sent_bytes as u64,
            received_bytes: counters.received_bytes,
            sent_bytes: counters.sent_bytes,
            output_limit_disconnections: counters.output_limit_disconnections,
            query_limit_disconnections: counters.query_limit_disconnections,
            hits: stats.hits,
            misses: stats.misses,
            evicted: stats.evicted,
            expired: stats.expired,
            memory_used: memory.used,
            memory_payload: memory.payload,
            memory_cells: memory.cells,
            memory_slab: memory.slab,
            memory_tables: memory.tables,
            memory_bookkeeping: memory.bookkeeping,
            memory_peak: counters.peak_memory_bytes,
            keys: databases.iter().map(|database| database.keys).sum(),
            expiring: databases.iter().map(|database| database.expiring).sum(),
            log_stalls: counters.log_stalls,
            unlogged_removals: thread.shard.unlogged_removal_count(),
            negative_hits: stats.negative_hits,
            leases: thread.leases.live_count(now) as u64,
            lease_wins: counters.leases.wins,
            lease_refreshes: counters.leases.refreshes,
            lease_waits: counters.leases.waits,
            lease_stale: counters.leases.stale,
            lease_refused: counters.leases.refused,
            waiters: thread.waiters.len() as u64,
            lock_grants: counters.locks.granted,
            lock_waits: counters.locks.waits,
            lock_refused: counters.locks.refused,
            throttled: counters.locks.throttled,
            slow_log_entries: thread.slow_log.len() as u64,
            turns: counters.load.turns,
            wake_ups: counters.load.wake_ups,
            busy_nanos: counters.load.busy_nanos,
            cpu_nanos: processor_time().0,
            hops_sent: counters.load.hops_sent,
            hops_answered: counters.load.hops_answered,
            takeovers: counters.load.takeovers,
            cut_surveys: counters.load.cut_surveys,
            hot_keys: thread.shard.hot_key_count(now),
            hot_keys_found: thread.shard.hot_key_total(),
            recent_turn_nanos_max: counters.load.recent_turn_nanos_max(),
            turn_nanos_max: counters.load.turn_nanos_max(),
        };
        let pending = thread.shard.prefixes();
        let prefixes = pending.map(|pending| PrefixReport { db: pending.db.0.into(), prefix: pending.prefix.to_vec() });
        let prefixes = prefixes.collect();
        let (commands, errors) = (counters.commands.clone(), counters.errors.clone());
        let (shard, stages) = (u64::from(thread.id.0), counters.stages);
        let curve = thread.shard.miss_curve(now);
        let last_slow = thread.slow_log.iter().next().map(|entry| LastSlow { id: entry.id, nanos: entry.took.0 });
        let home = (caller.home == thread.id).then(|| Home::of(context));
        Report { shard, numbers, databases, prefixes, commands, stages, last_slow, errors, curve, home }
    }

    /// Appends the report as it travels.
    pub(in crate::command::server) fn write(&self, out: &mut Vec<u8>) {
        out.push(MARK);
        write_number(self.shard, out);
        self.numbers.write(out);
        write_number(self.databases.len() as u64, out);
        for database in &self.databases {
            write_numbers(&[database.keys, database.expiring, database.ttl_sum], out);
            let bins = database.string_sizes.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
            write_number(bins as u64, out);
            write_numbers(&database.string_sizes[..bins], out);
        }
        write_number(self.prefixes.len() as u64, out);
        for PrefixReport { db, prefix } in &self.prefixes {
            write_number(*db, out);
            write_bytes(prefix, out);
        }
        write_number(self.commands.len() as u64, out);
        for command in &self.commands {
            write_command(command, out);
        }
        for (_, stage) in self.stages.named() {
            write_stage(stage, out);
        }
        write_number(u64::from(self.last_slow.is_some()), out);
        if let Some(LastSlow { id, nanos }) = self.last_slow {
            write_numbers(&[id, nanos], out);
        }
        write_number(self.errors.len() as u64, out);
        for (code, count) in self.errors.iter() {
            write_text(code, out);
            write_number(count, out);
        }
        curve::write(&self.curve, out);
        write_number(u64::from(self.home.is_some()), out);
        if let Some(home) = &self.home {
            home.write(out);
        }
    }

    fn read(bytes: &[u8]) -> Report {
        assert_eq!(bytes.first(), Some(&MARK), "a part is a report");
        let mut reader = Reader::new(&bytes[1..]);
        let shard = reader.number();
        let numbers = Numbers::read(&mut reader);
        let databases = (0..reader.number()).map(|_| read_database(&mut reader)).collect();
        let prefixes = (0..reader.number())
            .map(|_| PrefixReport { db: reader.number(), prefix: reader.bytes().to_vec() })
            .collect();
        let commands = (0..reader.number()).map(|_| read_command(&mut reader)).collect();
        let mut stage = || read_stage(&mut reader);
        let stages = Stages { queue: stage(), log: stage(), send: stage() };
        let last_slow = (reader.number() == 1).then(|| LastSlow { id: reader.number(), nanos: reader.number() });
        let mut errors = ErrorCounts::default();
        for _ in 0..reader.number() {
            let code = reader.text();
            errors.add(&code, reader.number());
        }
        let curve = curve::read(&mut reader);
        let home = (reader.number() == 1).then(|| Home::read(&mut reader));
        assert!(reader.is_at_end(), "a report is read to its end");
        Report { shard, numbers, databases, prefixes, commands, stages, last_slow, errors, curve, home }
    }
}

/// A command that was never asked for, the usual case, is one number.
fn write_command(command: &CommandCounters, out: &mut Vec<u8>) {
    let is_used = command.calls + command.rejected + command.failed > 0;
    write_number(u64::from(is_used), out);
    if is_used {
        write_numbers(&[command.calls, command.nanos, command.rejected, command.failed], out);
        write_numbers(command.histogram.buckets(), out);
    }
}

fn read_command(reader: &mut Reader<'_>) -> CommandCounters {
    if reader.number() == 0 {
        return CommandCounters::default();
    }
    CommandCounters {
        calls: reader.number(),
        nanos: reader.number(),
        rejected: reader.number(),
        failed: reader.number(),
        histogram: read_histogram(reader),
    }
}

/// A stage that nothing passed through, as that of the log often is, is one number.
fn write_stage(stage: &Stage, out: &mut Vec<u8>) {
    let is_used = stage.histogram.count() > 0;
    write_number(u64::from(is_used), out);
    if is_used {
        write_number(stage.nanos, out);
        write_numbers(stage.histogram.buckets(), out);
    }
}

fn read_stage(reader: &mut Reader<'_>) -> Stage {
    if reader.number() == 0 {
        return Stage::default();
    }
    Stage { nanos: reader.number(), histogram: read_histogram(reader) }
}

fn read_histogram(reader: &mut Reader<'_>) -> Histogram {
    Histogram::from_buckets(&[(); BUCKET_COUNT].map(|()| reader.number()))
}

fn read_database(reader: &mut Reader<'_>) -> DatabaseReport {
    let mut database = DatabaseReport {
        keys: reader.number(),
        expiring: reader.number(),
        ttl_sum: reader.number(),
        ..DatabaseReport::default()
    };
    let bins = reader.number() as usize;
    database.string_sizes[..bins].fill_with(|| reader.number());
    database
}

#[cfg(test)]
mod tests {
    use locksley_engine::Touch;

    use super::*;
    use crate::client::{ClientId, ClientSlot};
    use crate::command::context::Caller;
    use crate::command::dialect::Dialect;
    use crate::command::testing::Rig;
    use crate::thread::ShardId;
    use locksley_wire::resp::Protocol;

    fn reports(rig: &mut Rig) -> Vec<Report> {
        let (home, slot, id) = (ShardId(0), ClientSlot(0), ClientId(1));
        let caller = Caller {
            home,
            slot,
            id,
            db: Db(0),
            dialect: Dialect::Resp,
            protocol: Protocol::Resp2,
            touch: Touch::Count,
            door: Door::Shared,
        };
        rig.threads.iter_mut().map(|thread| Report::of(&mut Context { thread, caller })).collect()
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let mut rig = Rig::new(3);
        for line in ["SET a 1", "SET b 2 PX 1000", "GET c", "SET d 1 x", "GET"] {
            rig.reply(line);
        }
        for report in reports(&mut rig) {
            let mut bytes = Vec::new();
            report.write(&mut bytes);
            assert_eq!(Report::read(&bytes), report);
        }
    }

    #[test]
    fn reports_add_up() {
        let mut rig = Rig::new(3);
        for line in ["SET a 1", "SET b 2 PX 1000", "GET c", "GET a"] {
            rig.reply(line);
        }
        let total = total(&reports(&mut rig));
        assert_eq!((total.numbers.hits, total.numbers.misses), (1, 1));
        let database = &total.databases[0];
        assert_eq!((database.keys, database.expiring, database.ttl_sum), (2, 1, 1_000));
        assert_eq!(database.string_sizes[..3], [0, 2, 0]);
        assert_eq!((total.numbers.keys, total.numbers.clients(), total.numbers.calls), (2, 1, 4));
        assert!(total.home.is_some());
    }
}
