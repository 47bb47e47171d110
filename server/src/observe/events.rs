//! Moments in which the server was slow: a bounded history for each kind of event, of one sample a second at most.
//!
//! Source: Redis's latency monitor, whose rules these are: an event counts from `latency-monitor-threshold` on, and
//! of several in one second the longest is kept.

use std::collections::VecDeque;

use crate::limits::EVENT_SAMPLE_COUNT_MAX;

/// What was slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A command whose cost grows with what it is given.
    Command,
    /// A command of constant or logarithmic cost.
    FastCommand,
    /// A sync of the log, under whichever policy: how long the disk took; the thread served meanwhile.
    LogSync,
    /// A command waited for room in the log.
    LogStall,
    /// A step of a snapshot.
    SnapshotStep,
    /// A turn of the loop, whatever it did: nobody else was served by the thread.
    LoopStall,
    /// Many entries were evicted at once, by a command that needed memory or in the background.
    EvictionCycle,
    /// Entries were removed whose time was over.
    ExpireCycle,
    /// A table was growing, or shrinking.
    TableGrowth,
}

impl Event {
    /// All kinds, by their names.
    pub(crate) const ALL: [Event; 9] = [
        Event::Command,
        Event::FastCommand,
        Event::LogSync,
        Event::LogStall,
        Event::SnapshotStep,
        Event::LoopStall,
        Event::EvictionCycle,
        Event::ExpireCycle,
        Event::TableGrowth,
    ];

    /// The name as LATENCY shows it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Event::Command => "command",
            Event::FastCommand => "fast-command",
            Event::LogSync => "aof-fsync-always",
            Event::LogStall => "aof-write",
            Event::SnapshotStep => "snapshot-step",
            Event::LoopStall => "event-loop-stall",
            Event::EvictionCycle => "eviction-cycle",
            Event::ExpireCycle => "expire-cycle",
            Event::TableGrowth => "table-growth",
        }
    }
}

/// One slow moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// When, in seconds since 1970.
    pub second: u64,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// The slow moments of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    samples: VecDeque<Sample>,
    millis_max: u64,
}

impl History {
    /// The samples, oldest first.
    pub(crate) fn samples(&self) -> impl ExactSizeIterator<Item = Sample> + '_ {
        self.samples.iter().copied()
    }

    /// The longest there ever was, in milliseconds.
    pub(crate) fn millis_max(&self) -> u64 {
        self.millis_max
    }

    /// Adds a sample that is not older than those before.
    pub(crate) fn add(&mut self, sample: Sample) {
        self.millis_max = self.millis_max.max(sample.millis);
        match self.samples.back_mut() {
            Some(last) if last.second == sample.second => last.millis = last.millis.max(sample.millis),
            _ => self.samples.push_back(sample),
        }
        if self.samples.len() > EVENT_SAMPLE_COUNT_MAX {
            self.samples.pop_front();
        }
    }

    /// The history of several threads as one, `millis_max` being the longest of them.
    pub(crate) fn merge(mut samples: Vec<Sample>, millis_max: u64) -> History {
        samples.sort_by_key(|sample| sample.second);
        let mut history = History { samples: VecDeque::new(), millis_max };
        for sample in samples {
            history.add(sample);
        }
        history
    }
}

/// The slow moments of one thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    histories: [History; Event::ALL.len()],
}

impl Events {
    /// Notes a slow moment.
    pub(crate) fn note(&mut self, event: Event, sample: Sample) {
        self.histories[event as usize].add(sample);
    }

    /// The history of one kind.
    pub(crate) fn history(&self, event: Event) -> &History {
        &self.histories[event as usize]
    }

    /// Forgets one kind; returns whether there was something to forget.
    pub(crate) fn forget(&mut self, event: Event) -> bool {
        let history = std::mem::take(&mut self.histories[event as usize]);
        !history.samples.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_of_a_second_is_kept() {
        let mut events = Events::default();
        for (second, millis) in [(1, 5), (1, 9), (1, 7), (2, 3)] {
            events.note(Event::Command, Sample { second, millis });
        }
        let history = events.history(Event::Command);
        let samples: Vec<_> = history.samples().map(|sample| (sample.second, sample.millis)).collect();
        assert_eq!((samples, history.millis_max()), (vec![(1, 9), (2, 3)], 9));
        assert!(events.forget(Event::Command));
        assert!(!events.forget(Event::Command));
        assert!(!events.forget(Event::FastCommand));
    }

    #[test]
    fn histories_are_bounded_and_merge_in_time() {
        let samples = (0..200).rev().map(|second| Sample { second, millis: 1 }).collect();
        let history = History::merge(samples, 8);
        assert_eq!(history.samples().len(), EVENT_SAMPLE_COUNT_MAX);
        assert_eq!(history.samples().last(), Some(Sample { second: 199, millis: 1 }));
        assert_eq!(history.millis_max(), 8);
    }
}
