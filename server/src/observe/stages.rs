//! Where the time of a request goes beside its command: waiting for its turn, for the log, and for its client's socket.
//!
//! ```text
//! arrives ──queue──▶ its batch begins ──(the command's own time)──▶ reply ──log──▶ may leave ──send──▶ with the kernel
//! ```
//!
//! A reading of the clock a request would cost more than some requests do, so there are a few a turn:
//!
//! - `queue` is an upper bound, of each request of a batch the same: from when the thread woke (or looked at its sockets
//!   before, if something had arrived by the time it went back to the kernel) until the batch was cut;
//! - `log` is counted once for all replies of a connection that a turn holds back for `appendfsync always`: from the end
//!   of that turn until the log is durable so far;
//! - `send` is counted once a send. One that the kernel took at once, the usual case, counts as no time; others from when
//!   the socket had no room until all was taken.

use super::histogram::Histogram;

/// Durations with their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stage {
    /// Nanoseconds in all.
    pub nanos: u64,
    /// How many took how long.
    pub histogram: Histogram,
}

impl Stage {
    /// Counts `times` durations of `nanos` each.
    #[inline]
    pub(crate) fn record(&mut self, nanos: u64, times: u64) {
        self.nanos += nanos * times;
        self.histogram.record(nanos, times);
    }

    /// Adds what another thread counted.
    pub(crate) fn add(&mut self, other: &Stage) {
        self.nanos += other.nanos;
        self.histogram.add(&other.histogram);
    }
}

/// The stages of a thread's requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stages {
    /// Until its batch began.
    pub queue: Stage,
    /// Until the log was durable.
    pub log: Stage,
    /// Until the kernel took the reply.
    pub send: Stage,
}

impl Stages {
    /// The stages by their names.
    pub(crate) fn named(&self) -> [(&'static str, &Stage); 3] {
        [("queue", &self.queue), ("log", &self.log), ("send", &self.send)]
    }

    /// Adds what another thread counted.
    pub(crate) fn add(&mut self, other: &Stages) {
        self.queue.add(&other.queue);
        self.log.add(&other.log);
        self.send.add(&other.send);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_of_threads_add_up() {
        let (mut one, mut other) = (Stages::default(), Stages::default());
        one.queue.record(100, 3);
        other.queue.record(1_000, 1);
        other.send.record(0, 5);
        one.add(&other);
        let seen = one.named().map(|(name, stage)| (name, stage.nanos, stage.histogram.count()));
        assert_eq!(seen, [("queue", 1_300, 4), ("log", 0, 0), ("send", 0, 5)]);
    }
}
