//! The members of a state that are made from the shards' reports.

use locksley_engine::CurvePoint;
use serde::Serialize;

use crate::command::server::curve::GOOD_HIT_RATE;
use crate::command::server::process::{machine_memory_bytes, system_name};
use crate::command::server::report::{Numbers, Report};
use crate::command::server::source::Source;
use crate::command::table::table;
use crate::config::Config;
use crate::observe::CommandCounters;
use crate::observe::histogram::Histogram;
use crate::observe::quote::quote;
use crate::observe::stages::Stage;
use crate::version::{LOCKSLEY_VERSION, REDIS_VERSION};

/// What the server is, and how it is set up.
#[derive(Debug, Serialize)]
pub(super) struct ServerFigures<'a> {
    version: &'static str,
    redis_version: &'static str,
    /// Forty hexadecimal digits that name this run: with another one all counters began anew.
    run_id: &'a str,
    started_at_ms: u64,
    uptime_ms: u64,
    process_id: u32,
    system: String,
    shard_count: u64,
    bind: &'a str,
    port: u64,
    memcached_port: u64,
    http_port: u64,
    /// 0: there is no limit.
    memory_max_bytes: u64,
    memory_policy: &'a str,
    clients_max: u64,
    directory: String,
    config_file: &'a str,
    machine_memory_bytes: u64,
    resident_bytes: u64,
    /// Seconds of processor time, of all threads.
    cpu_user_seconds: f64,
    cpu_system_seconds: f64,
}

impl<'a> ServerFigures<'a> {
    /// Of the server that `source` is about.
    pub(super) fn of(source: &'a Source, config: &Config) -> ServerFigures<'a> {
        let home = source.home();
        ServerFigures {
            version: LOCKSLEY_VERSION,
            redis_version: REDIS_VERSION,
            run_id: &home.run_id,
            started_at_ms: home.started_at_ms,
            uptime_ms: home.uptime_ms,
            process_id: std::process::id(),
            system: system_name(),
            shard_count: home.turns_ms.len() as u64,
            bind: &home.bind,
            port: home.port,
            memcached_port: home.memcached_port,
            http_port: home.http_port,
            memory_max_bytes: home.maxmemory,
            memory_policy: &home.policy,
            clients_max: home.maxclients,
            directory: config.dir.display().to_string(),
            config_file: &home.config_file,
            machine_memory_bytes: machine_memory_bytes(),
            resident_bytes: source.usage.resident_bytes,
            cpu_user_seconds: source.usage.user_seconds,
            cpu_system_seconds: source.usage.system_seconds,
        }
    }
}

/// What all shards count together.
#[derive(Debug, Serialize)]
pub(super) struct TotalFigures<'a> {
    #[serde(flatten)]
    numbers: &'a Numbers,
    /// Clients of all doors.
    clients: u64,
    /// Deletions by prefix that are under way.
    pending_prefixes: usize,
    /// Error replies.
    errors: u64,
}

impl<'a> TotalFigures<'a> {
    /// Of the report that stands for all.
    pub(super) fn of(total: &'a Report) -> TotalFigures<'a> {
        let numbers = &total.numbers;
        TotalFigures {
            numbers,
            clients: numbers.clients(),
            pending_prefixes: total.prefixes.len(),
            errors: total.errors.total(),
        }
    }
}

/// What one shard counts.
#[derive(Debug, Serialize)]
pub(super) struct ShardFigures<'a> {
    id: u64,
    /// It did not answer: these are its numbers of before, and nothing is here of one that never answered.
    is_silent: bool,
    /// For how long its thread has been at its turn, in milliseconds; 0 while it rests.
    turn_ms: u64,
    #[serde(flatten)]
    numbers: Option<&'a Numbers>,
    /// How many commands took at most 2^n nanoseconds and more than 2^(n-1), by n.
    histogram: Option<Vec<u64>>,
}

impl<'a> ShardFigures<'a> {
    /// All shards, whether they answered or not; `turns` has how long each has been at its turn.
    pub(super) fn list(source: &'a Source, turns: &[u64]) -> Vec<ShardFigures<'a>> {
        let figures = |(id, turn_ms): (u64, &u64)| {
            let report = source.shards.iter().find(|report| report.shard == id);
            ShardFigures {
                id,
                is_silent: source.silent.iter().any(|silent| u64::from(*silent) == id),
                turn_ms: *turn_ms,
                numbers: report.map(|report| &report.numbers),
                histogram: report.map(histogram),
            }
        };
        (0..).zip(turns).map(figures).collect()
    }
}

/// How long the commands of a shard took, whichever they were.
fn histogram(report: &Report) -> Vec<u64> {
    let mut all = Histogram::default();
    report.commands.iter().for_each(|command| all.add(&command.histogram));
    all.buckets().to_vec()
}

/// How often requests passed a stage, and how long they took there in all.
#[derive(Debug, Serialize)]
pub(super) struct StageFigures {
    count: u64,
    nanos: u64,
}

/// Where the time of requests goes.
#[derive(Debug, Serialize)]
pub(super) struct StagesFigures {
    queue: StageFigures,
    execute: StageFigures,
    log: StageFigures,
    send: StageFigures,
}

impl StagesFigures {
    /// Of all shards; `execute` is what their commands took.
    pub(super) fn of(total: &Report) -> StagesFigures {
        let stage = |stage: &Stage| StageFigures { count: stage.histogram.count(), nanos: stage.nanos };
        let nanos = total.commands.iter().map(|command| command.nanos).sum();
        StagesFigures {
            queue: stage(&total.stages.queue),
            execute: StageFigures { count: total.numbers.calls, nanos },
            log: stage(&total.stages.log),
            send: stage(&total.stages.send),
        }
    }
}

/// What hit rate other sizes of the memory would give: MEMORY CURVE.
#[derive(Debug, Serialize)]
pub(super) struct CurveFigures {
    sample_rate: f64,
    window_ms: u64,
    references: u64,
    memory_bytes: u64,
    points: Vec<PointFigures>,
    memory_for_95_bytes: Option<u64>,
}

/// A point of it.
#[derive(Debug, Serialize)]
struct PointFigures {
    /// The memory, as a multiple of what there is.
    ratio: f64,
    bytes: u64,
    hit_rate: f64,
}

impl CurveFigures {
    /// Of all shards.
    pub(super) fn of(total: &Report) -> CurveFigures {
        let curve = &total.curve;
        let point =
            |point: CurvePoint| PointFigures { ratio: point.size, bytes: point.bytes, hit_rate: point.hit_rate };
        CurveFigures {
            sample_rate: curve.sample_rate(),
            window_ms: curve.window_ms,
            references: curve.read_count,
            memory_bytes: curve.memory_bytes,
            points: curve.points().map(point).collect(),
            memory_for_95_bytes: curve.memory_for(GOOD_HIT_RATE),
        }
    }
}

/// One database that has keys.
#[derive(Debug, Serialize)]
pub(super) struct DatabaseFigures {
    db: usize,
    keys: u64,
    expiring: u64,
    /// The mean of the times to live of those that expire.
    ttl_mean_ms: u64,
}

impl DatabaseFigures {
    /// Those that have keys.
    pub(super) fn list(total: &Report) -> Vec<DatabaseFigures> {
        let databases = total.databases.iter().enumerate().filter(|(_, database)| database.keys > 0);
        let figures = databases.map(|(db, database)| DatabaseFigures {
            db,
            keys: database.keys,
            expiring: database.expiring,
            ttl_mean_ms: database.ttl_sum.checked_div(database.expiring).unwrap_or(0),
        });
        figures.collect()
    }
}

/// A deletion by prefix that is under way.
#[derive(Debug, Serialize)]
pub(super) struct PrefixFigures {
    db: u64,
    /// In quotation marks, escaped.
    prefix: String,
}

impl PrefixFigures {
    /// All of them.
    pub(super) fn list(total: &Report) -> Vec<PrefixFigures> {
        let quoted = |bytes: &[u8]| {
            let mut text = Vec::new();
            quote(bytes, &mut text);
            String::from_utf8(text).expect("what is not ASCII is escaped")
        };
        total.prefixes.iter().map(|prefix| PrefixFigures { db: prefix.db, prefix: quoted(&prefix.prefix) }).collect()
    }
}

/// A command that was asked for.
#[derive(Debug, Serialize)]
pub(super) struct CommandFigures {
    name: String,
    calls: u64,
    rejected: u64,
    failed: u64,
    nanos: u64,
    /// Since the counters began, in microseconds.
    p50_micros: f64,
    p99_micros: f64,
}

impl CommandFigures {
    /// Those that were asked for, in the order of the table.
    pub(super) fn list(total: &Report) -> Vec<CommandFigures> {
        let is_used = |command: &CommandCounters| command.calls + command.rejected + command.failed > 0;
        let used = table().entries().iter().zip(&total.commands).filter(|(_, command)| is_used(command));
        let figures = used.map(|(entry, command)| CommandFigures {
            name: entry.full_name(),
            calls: command.calls,
            rejected: command.rejected,
            failed: command.failed,
            nanos: command.nanos,
            p50_micros: micros(&command.histogram, 50.0),
            p99_micros: micros(&command.histogram, 99.0),
        });
        figures.collect()
    }
}

fn micros(histogram: &Histogram, percent: f64) -> f64 {
    (histogram.percentile(percent)).round() / 1_000.0
}

/// Error replies by their code.
#[derive(Debug, Serialize)]
pub(super) struct ErrorFigures {
    code: String,
    count: u64,
}

/// Error replies, the most frequent first.
pub(super) fn errors(total: &Report) -> Vec<ErrorFigures> {
    let mut errors: Vec<ErrorFigures> =
        total.errors.iter().map(|(code, count)| ErrorFigures { code: code.to_string(), count }).collect();
    errors.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.code.cmp(&b.code)));
    errors
}
