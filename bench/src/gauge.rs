//! What a client thread shows of itself while it runs, for the line a second and for the measured window.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// What is asked of all threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Make load.
    Warm,
    /// Make load and count.
    Measure,
    /// Ask for nothing more and come to an end.
    Stop,
}

/// The stage, shared by all threads.
#[derive(Debug)]
pub(crate) struct Signal(AtomicU8);

impl Signal {
    /// A signal that says `stage`.
    pub(crate) fn new(stage: Stage) -> Self {
        Self(AtomicU8::new(stage as u8))
    }

    /// Asks for `stage`.
    pub(crate) fn set(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Release);
    }

    /// What is asked for.
    #[inline]
    pub(crate) fn get(&self) -> Stage {
        match self.0.load(Ordering::Acquire) {
            0 => Stage::Warm,
            1 => Stage::Measure,
            _ => Stage::Stop,
        }
    }
}

/// Counts since the start of a phase.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Requests answered.
    pub(crate) operations: u64,
    /// Reads that found a value.
    pub(crate) hits: u64,
    /// Reads that found none.
    pub(crate) misses: u64,
    /// Requests answered with an error.
    pub(crate) refused: u64,
    /// The latencies of all requests together.
    pub(crate) latency_ns: u64,
    /// Bytes sent.
    pub(crate) sent_bytes: u64,
    /// Bytes received.
    pub(crate) received_bytes: u64,
}

impl Counts {
    /// Each count combined with that of `other`.
    fn zip(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            operations: combine(self.operations, other.operations),
            hits: combine(self.hits, other.hits),
            misses: combine(self.misses, other.misses),
            refused: combine(self.refused, other.refused),
            latency_ns: combine(self.latency_ns, other.latency_ns),
            sent_bytes: combine(self.sent_bytes, other.sent_bytes),
            received_bytes: combine(self.received_bytes, other.received_bytes),
        }
    }

    /// What was counted since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        self.zip(earlier, u64::wrapping_sub)
    }

    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_add)
    }
}

/// The counts of one thread, written by it and read by another; on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Gauge {
    operations: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    refused: AtomicU64,
    latency_ns: AtomicU64,
    sent_bytes: AtomicU64,
    received_bytes: AtomicU64,
}

impl Gauge {
    /// Shows `counts`.
    #[inline]
    pub(crate) fn show(&self, counts: &Counts) {
        self.operations.store(counts.operations, Ordering::Relaxed);
        self.hits.store(counts.hits, Ordering::Relaxed);
        self.misses.store(counts.misses, Ordering::Relaxed);
        self.refused.store(counts.refused, Ordering::Relaxed);
        self.latency_ns.store(counts.latency_ns, Ordering::Relaxed);
        self.sent_bytes.store(counts.sent_bytes, Ordering::Relaxed);
        self.received_bytes.store(counts.received_bytes, Ordering::Relaxed);
    }

    /// What is shown.
    pub(crate) fn read(&self) -> Counts {
        Counts {
            operations: self.operations.load(Ordering::Relaxed),
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            latency_ns: self.latency_ns.load(Ordering::Relaxed),
            sent_bytes: self.sent_bytes.load(Ordering::Relaxed),
            received_bytes: self.received_bytes.load(Ordering::Relaxed),
        }
    }
}
