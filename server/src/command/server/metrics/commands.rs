//! Metrics of commands: how many, how long, how they failed.

use super::samples::Samples;
use super::{COUNTER, Kind, Metric, SHARD, Unit};
use crate::command::server::source::Source;
use crate::command::table::{Entry, table};
use crate::observe::CommandCounters;

/// Label of what is told by command.
const COMMAND: &[&str] = &["command"];

/// The group's rows.
pub(super) static METRICS: &[Metric] = &[
    Metric {
        name: "locksley_commands_total",
        labels: SHARD,
        help: "Commands run, by the shard that counted them: the one that has the key, or the client's for commands of \
               several shards",
        write: |source, samples| samples.shards(source, |numbers| numbers.calls),
        ..COUNTER
    },
    Metric {
        name: "locksley_command_duration_seconds",
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        labels: COMMAND,
        help: "How long commands took to execute, all shards together",
        write: |source, samples| {
            for (entry, command) in used(source).filter(|(_, command)| command.calls > 0) {
                samples.histogram(&[&entry.label()], &command.histogram, command.nanos);
            }
        },
    },
    Metric {
        name: "locksley_commands_failed_total",
        labels: COMMAND,
        help: "Commands that ran and replied with an error",
        write: |source, samples| each(source, samples, |command| command.failed),
        ..COUNTER
    },
    Metric {
        name: "locksley_commands_rejected_total",
        labels: COMMAND,
        help: "Commands that were refused before they ran: no permission, wrong number of arguments",
        write: |source, samples| each(source, samples, |command| command.rejected),
        ..COUNTER
    },
    Metric {
        name: "locksley_errors_total",
        labels: &["code"],
        help: "Error replies by their first word",
        write: |source, samples| {
            let mut errors: Vec<_> = source.total.errors.iter().collect();
            errors.sort_unstable();
            for (code, count) in errors {
                samples.sample(&[&code], count);
            }
        },
        ..COUNTER
    },
    Metric {
        name: "locksley_slow_commands_total",
        help: "Commands that took longer than slowlog-log-slower-than",
        write: |source, samples| samples.value(source.home().slow_commands),
        ..COUNTER
    },
    Metric {
        name: "locksley_stage_duration_seconds",
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        labels: &["stage"],
        help: "Where the time of requests goes (stage: queue, from when the thread could have known of a request until its \
               batch began, an upper bound; execute, all commands together; log, replies that waited for the log under \
               appendfsync always; send, until the kernel took the replies of a turn)",
        write: |source, samples| {
            let execution = source.total.execution();
            samples.histogram(&[&"execute"], &execution.histogram, execution.nanos);
            for (name, stage) in source.total.stages.named() {
                samples.histogram(&[&name], &stage.histogram, stage.nanos);
            }
        },
    },
];

/// The commands that somebody asked for, with what all shards counted of them.
pub(super) fn used(source: &Source) -> impl Iterator<Item = (Entry, &CommandCounters)> {
    let commands = table().entries().iter().copied().zip(&source.total.commands);
    commands.filter(|(_, command)| command.calls + command.failed + command.rejected > 0)
}

/// A sample for each command that somebody asked for.
fn each(source: &Source, samples: &mut Samples<'_>, value: impl Fn(&CommandCounters) -> u64) {
    for (entry, command) in used(source) {
        samples.sample(&[&entry.label()], value(command));
    }
}
