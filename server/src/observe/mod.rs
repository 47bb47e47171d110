//! What a thread counts about the commands it runs and the clients it serves.
//!
//! Every counter belongs to one thread, which alone writes it: no lock and no atomic stands on the path of a
//! request. Who asks for the server's numbers asks every thread for a copy and adds them up.

pub(crate) mod cache;
pub(crate) mod clock;
pub(crate) mod errors;
pub(crate) mod events;
pub(crate) mod histogram;
pub(crate) mod hot_keys;
pub(crate) mod leases;
pub(crate) mod load;
pub(crate) mod locks;
pub(crate) mod monitor;
pub(crate) mod pulse;
pub(crate) mod quote;
pub(crate) mod rates;
pub(crate) mod slow_log;
pub(crate) mod stages;

use locksley_engine::Millis;

use crate::limits::TIMED_TOGETHER_COUNT_MAX;

use cache::CacheCounters;
use clock::{Clock, Nanos};
use errors::ErrorCounts;
use histogram::Histogram;
use leases::LeaseCounters;
use load::Load;
use locks::LockCounters;
use rates::{Rates, Samples, Totals};
use stages::Stages;

/// Counters of one command or subcommand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CommandCounters {
    /// Times it ran.
    pub calls: u64,
    /// Nanoseconds it took in all.
    pub nanos: u64,
    /// Times it was refused before it ran.
    pub rejected: u64,
    /// Times it ran and failed.
    pub failed: u64,
    /// How long it took.
    pub histogram: Histogram,
}

impl CommandCounters {
    /// Adds what another thread counted.
    pub(crate) fn add(&mut self, other: &CommandCounters) {
        self.calls += other.calls;
        self.nanos += other.nanos;
        self.rejected += other.rejected;
        self.failed += other.failed;
        self.histogram.add(&other.histogram);
    }
}

/// The counters of one thread.
#[derive(Clone, Debug)]
pub(crate) struct Counters {
    /// By [`Entry::index`](crate::command::table::Entry::index).
    pub commands: Vec<CommandCounters>,
    /// Error replies by their code.
    pub errors: ErrorCounts,
    /// Requests answered.
    pub requests: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections refused.
    pub rejected_connections: u64,
    /// Bytes received from clients.
    pub received_bytes: u64,
    /// Bytes sent to clients.
    pub sent_bytes: u64,
    /// Clients closed because their replies passed `client-output-buffer-limit`.
    pub output_limit_disconnections: u64,
    /// Clients closed because their requests passed `client-query-buffer-limit`.
    pub query_limit_disconnections: u64,
    /// Writes that waited for room in the log.
    pub log_stalls: u64,
    /// What the commands of memcached came to.
    pub cache: CacheCounters,
    /// What came of leases.
    pub leases: LeaseCounters,
    /// What came of locks and rate limits.
    pub locks: LockCounters,
    /// How busy the thread was.
    pub load: Load,
    /// Where the time of requests went.
    pub stages: Stages,
    /// Most memory the shard was seen to use, in bytes.
    pub peak_memory_bytes: u64,
    /// Whether every command is timed by itself.
    pub times_each: bool,
    samples: Samples,
    clock: Clock,
    last: Nanos,
    deferred_index: usize,
    deferred_count: u32,
}

impl Counters {
    /// Zeroed counters for `command_count` commands and subcommands.
    pub(crate) fn new(command_count: usize) -> Counters {
        let clock = Clock::of_process();
        Counters {
            commands: vec![CommandCounters::default(); command_count],
            errors: ErrorCounts::default(),
            requests: 0,
            connections: 0,
            rejected_connections: 0,
            received_bytes: 0,
            sent_bytes: 0,
            output_limit_disconnections: 0,
            query_limit_disconnections: 0,
            log_stalls: 0,
            cache: CacheCounters::default(),
            leases: LeaseCounters::default(),
            locks: LockCounters::default(),
            load: Load::default(),
            stages: Stages::default(),
            peak_memory_bytes: 0,
            times_each: false,
            samples: Samples::default(),
            clock,
            last: clock.now(),
            deferred_index: usize::MAX,
            deferred_count: 0,
        }
    }

    /// Starts timing: what follows counts for the next command that finishes. To be called before a batch of
    /// commands runs.
    #[inline]
    pub(crate) fn start_timing(&mut self) {
        self.last = self.clock.now();
    }

    /// When timing was started or a command last finished.
    #[inline]
    pub(crate) fn timed_until(&self) -> Nanos {
        self.last
    }

    /// The time by the clock of all timing.
    #[inline]
    pub(crate) fn now(&self) -> Nanos {
        self.clock.now()
    }

    /// The time since timing was started or a command last finished.
    #[inline]
    pub(crate) fn lap(&mut self) -> Nanos {
        let now = self.clock.now();
        let took = now.0.saturating_sub(self.last.0);
        self.last = now;
        Nanos(took)
    }

    /// Puts off the timing of a quick command that has run, so that up to
    /// [`TIMED_TOGETHER_COUNT_MAX`] of one kind in a row cost one reading of the clock. Not if this is the last of
    /// them, or if each is to be timed: then it is to be counted at once.
    #[inline]
    pub(crate) fn defer(&mut self, index: usize) -> bool {
        debug_assert!(self.deferred_count == 0 || self.deferred_index == index, "another kind is settled first");
        if self.times_each || self.deferred_count + 1 >= TIMED_TOGETHER_COUNT_MAX {
            return false;
        }
        self.deferred_index = index;
        self.deferred_count += 1;
        true
    }

    /// Whether commands were put off of which `index` is none.
    #[inline]
    pub(crate) fn has_deferred_other_than(&self, index: usize) -> bool {
        self.deferred_count > 0 && self.deferred_index != index
    }

    /// Counts the commands that were put off; says which they were and how long they took together.
    #[inline]
    pub(crate) fn settle(&mut self) -> Option<(usize, Nanos)> {
        if self.deferred_count == 0 {
            return None;
        }
        let index = self.deferred_index;
        self.deferred_count -= 1;
        Some((index, self.count_call(index)))
    }

    /// Counts a command that has just run, and those of its kind that were put off; returns how long they took
    /// together.
    #[inline]
    pub(crate) fn count_call(&mut self, index: usize) -> Nanos {
        let took = self.lap();
        let calls = u64::from(std::mem::take(&mut self.deferred_count)) + 1;
        let counters = &mut self.commands[index];
        counters.calls += calls;
        counters.nanos += took.0;
        counters.histogram.record(took.0 / calls, calls);
        took
    }

    /// Adds the time of one shard's part to a command that another thread counts.
    pub(crate) fn add_part(&mut self, index: usize) -> Nanos {
        let took = self.lap();
        self.commands[index].nanos += took.0;
        took
    }

    /// Counts a command that was run and failed with this code; the call itself is counted beside.
    #[cold]
    pub(crate) fn count_failure(&mut self, index: usize, code: &str) {
        self.commands[index].failed += 1;
        self.errors.add(code, 1);
    }

    /// Counts a command that was refused with this code before it ran.
    #[cold]
    pub(crate) fn count_rejection(&mut self, index: usize, code: &str) {
        self.commands[index].rejected += 1;
        self.errors.add(code, 1);
    }

    /// Counts an error reply that belongs to no command, as for a name that is unknown.
    #[cold]
    pub(crate) fn count_error(&mut self, code: &str) {
        self.errors.add(code, 1);
    }

    /// Whether a sample of the rates and of the memory in use should be taken in this turn.
    #[inline]
    pub(crate) fn is_sample_due(&self, now: Millis) -> bool {
        self.samples.is_due(now)
    }

    /// Takes a sample of the rates and of the memory in use.
    pub(crate) fn take_sample(&mut self, now: Millis, memory_bytes: u64) {
        self.peak_memory_bytes = self.peak_memory_bytes.max(memory_bytes);
        self.samples.take(now, self.totals());
    }

    /// The rates of the last moments.
    pub(crate) fn rates(&self, now: Millis) -> Rates {
        self.samples.rates(now, self.totals())
    }

    /// Commands run.
    pub(crate) fn call_count(&self) -> u64 {
        self.commands.iter().map(|command| command.calls).sum()
    }

    /// Sets to zero what CONFIG RESETSTAT sets to zero.
    pub(crate) fn reset(&mut self, memory_bytes: u64) {
        let times_each = self.times_each;
        *self = Counters { peak_memory_bytes: memory_bytes, times_each, ..Counters::new(self.commands.len()) };
    }

    fn totals(&self) -> Totals {
        Totals { commands: self.call_count(), received_bytes: self.received_bytes, sent_bytes: self.sent_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_commands_of_one_kind_are_timed_together() {
        let mut counters = Counters::new(2);
        for _ in 0..TIMED_TOGETHER_COUNT_MAX - 1 {
            assert!(!counters.has_deferred_other_than(1));
            assert!(counters.defer(1));
        }
        assert_eq!(counters.commands[1].calls, 0, "nothing is counted yet");
        assert!(!counters.defer(1), "enough were put off");
        counters.count_call(1);
        assert_eq!(counters.commands[1].calls, u64::from(TIMED_TOGETHER_COUNT_MAX));
        assert_eq!(counters.commands[1].histogram.count(), u64::from(TIMED_TOGETHER_COUNT_MAX));
        assert_eq!(counters.settle(), None);
    }

    #[test]
    fn what_was_put_off_is_settled_before_another_kind_runs() {
        let mut counters = Counters::new(2);
        assert!(counters.defer(0) && counters.defer(0));
        assert!(counters.has_deferred_other_than(1));
        assert!(matches!(counters.settle(), Some((0, _))));
        assert!(!counters.has_deferred_other_than(1));
        counters.count_call(1);
        assert_eq!([counters.commands[0].calls, counters.commands[1].calls], [2, 1]);
    }

    #[test]
    fn each_command_is_timed_by_itself_on_demand() {
        let mut counters = Counters::new(1);
        counters.times_each = true;
        assert!(!counters.defer(0));
    }
}
