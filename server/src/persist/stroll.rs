//! A shard's part in a snapshot: its walk, so much a turn that its clients hardly notice, and the blocks on their way.
//!
//! While clients are served, the walk takes a share of the time between two turns and never more than a fraction of a
//! millisecond at once; without them, it takes what it gets. When too many blocks are on their way to the disk it
//! waits: the thread may sleep, and is rung at when a block comes back.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use locksley_engine::Shard;
use locksley_engine::snapshot::{Block, Footer, Progress, SnapshotOptions};

use super::face::Persist;
use super::local::Pace;
use super::snapshot_keeper::{Order, WalkNews};
use crate::limits::{
    SNAPSHOT_IN_FLIGHT_BYTES_MAX, SNAPSHOT_WAITING_BYTES_MAX, WALK_IDLE_MICROS, WALK_QUIET_MS, WALK_SERVING_MICROS_MAX,
    WALK_SERVING_MICROS_MIN, WALK_STEP_SLOTS, WALK_TIME_SHARE,
};

/// Whether a part in a snapshot is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It goes on.
    Walking,
    /// It is over.
    Over,
}

impl Outcome {
    /// Whether it is over.
    pub(super) fn is_over(self) -> bool {
        self == Outcome::Over
    }
}

/// See the module.
pub(super) struct Stroll {
    shard: u16,
    attempt: u64,
    /// The foot of the file, once all entries are in blocks.
    footer: Option<Footer>,
    /// Bytes of each block that was sent and has not come back, in order, and of all of them.
    in_flight: VecDeque<usize>,
    in_flight_bytes: usize,
    /// When a step last ended, and when clients were last served.
    stepped_at: Instant,
    served_at: Instant,
    is_waiting: bool,
}

impl Stroll {
    /// Begins the part of a shard, whose changes so far are `change_count`.
    pub(super) fn begin(shard: &mut Shard, number: u16, attempt: u64, change_count: u64, persist: &Persist) -> Stroll {
        let lsn = shard.begin_snapshot(SnapshotOptions { waiting_bytes_max: SNAPSHOT_WAITING_BYTES_MAX });
        let log_bytes = shard.log().map_or(0, locksley_engine::wal::Log::appended_bytes);
        let now = Instant::now();
        let stroll = Stroll {
            shard: number,
            attempt,
            footer: None,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            stepped_at: now,
            served_at: now,
            is_waiting: false,
        };
        stroll.tell(persist, WalkNews::Began { lsn, fence: shard.fence(), change_count, log_bytes });
        stroll
    }

    /// Goes on for a while.
    pub(super) fn step(&mut self, shard: &mut Shard, persist: &Persist, pace: Pace) -> Outcome {
        let start = Instant::now();
        if pace == Pace::Serving {
            self.served_at = start;
        }
        let budget = self.budget(start, pace);
        loop {
            self.send_blocks(shard, persist);
            if self.in_flight_bytes >= SNAPSHOT_IN_FLIGHT_BYTES_MAX {
                self.is_waiting = persist.mailboxes[usize::from(self.shard)].await_letters();
                break;
            }
            self.is_waiting = false;
            if let Some(footer) = self.footer {
                // All blocks are sent.
                shard.end_snapshot();
                self.tell(persist, WalkNews::Walked(footer));
                return Outcome::Over;
            }
            match shard.step_snapshot(WALK_STEP_SLOTS) {
                Progress::Walking => {}
                Progress::Done(footer) => self.footer = Some(footer),
                Progress::GivenUp => {
                    shard.end_snapshot();
                    self.tell(persist, WalkNews::GaveUp);
                    return Outcome::Over;
                }
            }
            if self.footer.is_none() && start.elapsed() >= budget {
                break;
            }
        }
        self.stepped_at = Instant::now();
        Outcome::Walking
    }

    /// Whether the loop must not sleep.
    pub(super) fn has_work(&self) -> bool {
        !self.is_waiting
    }

    /// Takes a written block's buffer back.
    pub(super) fn take_back(&mut self, shard: &mut Shard, block: Block) {
        self.in_flight_bytes -= self.in_flight.pop_front().expect("what comes back was sent");
        self.is_waiting = false;
        shard.reuse_block(block);
    }

    /// How long to walk at `now`.
    fn budget(&self, now: Instant, pace: Pace) -> Duration {
        let idle = Duration::from_micros(WALK_IDLE_MICROS);
        let (least, most) =
            (Duration::from_micros(WALK_SERVING_MICROS_MIN), Duration::from_micros(WALK_SERVING_MICROS_MAX));
        match pace {
            Pace::Idle if now - self.served_at > Duration::from_millis(WALK_QUIET_MS) => idle,
            // Who is served now and then must not find the thread away for long.
            Pace::Idle => most.min(idle) / 2,
            Pace::Serving => ((now - self.stepped_at) / WALK_TIME_SHARE).clamp(least, most),
        }
    }

    fn send_blocks(&mut self, shard: &mut Shard, persist: &Persist) {
        while self.in_flight_bytes < SNAPSHOT_IN_FLIGHT_BYTES_MAX {
            let Some(block) = shard.take_block() else { return };
            let bytes = block.as_bytes().len();
            self.in_flight.push_back(bytes);
            self.in_flight_bytes += bytes;
            self.tell(persist, WalkNews::Block(block));
        }
    }

    fn tell(&self, persist: &Persist, walk: WalkNews) {
        persist.tell_snapshots(Order::Walk { shard: self.shard, attempt: self.attempt, walk });
    }
}
