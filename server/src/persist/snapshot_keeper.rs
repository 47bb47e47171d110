//! The snapshot keeper: a thread that has snapshots taken, and sees to whatever needs all shards: the load at the
//! start, reloads, logs begun and ended in a running server.
//!
//! It does one thing at a time, from beginning to end; what is ordered meanwhile is looked at afterwards. Once a second
//! it looks whether a snapshot is due by itself.
//!
//! ```text
//! Start ─▶ load ─▶ idle ─┬─ wished or due ──────────▶ take a snapshot   (taking.rs)
//!                  ▲     ├─ reload wished ──────────▶ empty, plan, load (loading.rs)
//!                  │     └─ `appendonly` is not so ─▶ begin or end logs
//!                  └──────────────────────────────────────┘
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use locksley_engine::recover::{Fault, Loaded, Plan};
use locksley_engine::snapshot::{Block, Footer};
use locksley_engine::store::SnapshotStore;
use locksley_engine::{Lsn, Millis};

use super::disk::Files;
use super::face::{Persist, Status};
use super::log_keeper::LogOrder;
use super::mailbox::{Letter, Urgency};
use crate::config::Config;
use crate::limits::SNAPSHOT_RETRY_SECONDS;

/// What may be ordered of the snapshot keeper, or told to it.
pub(super) enum Order {
    /// Load what is in the data directory, then serve.
    Start(Box<Plan>),
    /// Wishes or settings changed.
    Look,
    /// A shard's log is closed and durable.
    LogClosed,
    /// A shard is empty and keeps no log.
    Emptied,
    /// A shard is filled, or cannot be.
    Loaded(Box<Result<Loaded, Fault>>),
    /// A shard serves.
    Serving,
    /// A shard keeps a log.
    LogOpened,
    /// A shard takes part in a snapshot.
    Walk {
        /// Which.
        shard: u16,
        /// In which attempt.
        attempt: u64,
        /// How far.
        walk: WalkNews,
    },
    /// Stop.
    Stop,
}

/// What a shard tells of its part in a snapshot.
pub(super) enum WalkNews {
    /// It began.
    Began {
        /// The instant.
        lsn: Lsn,
        /// The highest fencing token given by then.
        fence: u64,
        /// Changes so far.
        change_count: u64,
        /// Bytes in the log.
        log_bytes: u64,
    },
    /// A block is to be written.
    Block(Block),
    /// All blocks are sent.
    Walked(Footer),
    /// It was given up.
    GaveUp,
}

/// The server is stopping.
#[derive(Debug)]
pub(super) struct Stopping;

/// See the module.
pub(super) struct SnapshotKeeper {
    pub(super) files: Files,
    pub(super) persist: Arc<Persist>,
    pub(super) config: Box<dyn Fn() -> Arc<Config> + Send>,
    orders: Receiver<Order>,
    /// What was ordered in the middle of something else.
    later: VecDeque<Order>,
    pub(super) store: Option<SnapshotStore<Files>>,
    pub(super) generation: u64,
    pub(super) is_logging: bool,
    /// Bytes of logs that the last load had to read: what the next would have to read again.
    pub(super) replayed_bytes: u64,
    pub(super) attempt: u64,
    failed_at: Option<Instant>,
}

impl SnapshotKeeper {
    /// A keeper of the snapshots in `files`.
    pub(super) fn new(
        files: Files,
        persist: Arc<Persist>,
        config: Box<dyn Fn() -> Arc<Config> + Send>,
        orders: Receiver<Order>,
    ) -> SnapshotKeeper {
        SnapshotKeeper {
            files,
            persist,
            config,
            orders,
            later: VecDeque::new(),
            store: None,
            generation: 0,
            is_logging: false,
            replayed_bytes: 0,
            attempt: 0,
            failed_at: None,
        }
    }

    /// Works until it is told to stop.
    pub(super) fn run(mut self) {
        while self.turn().is_ok() {}
    }

    fn turn(&mut self) -> Result<(), Stopping> {
        let order = match self.later.pop_front() {
            Some(order) => Some(order),
            None => self.receive(Duration::from_secs(1))?,
        };
        match order {
            Some(Order::Start(plan)) => self.start(*plan)?,
            Some(Order::Look) => {}
            // What shards tell of something that was given up meanwhile.
            Some(_) => return Ok(()),
            None => self.look_at_clock(),
        }
        self.look()
    }

    /// The next order, if one comes in time.
    fn receive(&mut self, longest: Duration) -> Result<Option<Order>, Stopping> {
        match self.orders.recv_timeout(longest) {
            Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => Err(Stopping),
            Ok(order) => Ok(Some(order)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
        }
    }

    /// The next thing a shard tells; orders are for later. `None` when a second has passed without.
    pub(super) fn news(&mut self) -> Result<Option<Order>, Stopping> {
        loop {
            match self.receive(Duration::from_secs(1))? {
                Some(order @ (Order::Start(_) | Order::Look)) => self.later.push_back(order),
                news => return Ok(news),
            }
        }
    }

    /// Waits until `is_awaited` was true of news from each shard.
    pub(super) fn await_all(&mut self, is_awaited: impl Fn(&Order) -> bool) -> Result<(), Stopping> {
        let mut left = self.shard_count();
        while left > 0 {
            left -= u16::from(self.news()?.is_some_and(|news| is_awaited(&news)));
        }
        Ok(())
    }

    /// Writes to all data threads.
    pub(super) fn broadcast(&self, letter: impl Fn() -> Letter) {
        (0..self.shard_count()).for_each(|shard| self.persist.write_to(shard, letter(), Urgency::Now));
    }

    /// Shards of the server.
    pub(super) fn shard_count(&self) -> u16 {
        self.persist.shards().len() as u16
    }

    /// Does what was wished.
    fn look(&mut self) -> Result<(), Stopping> {
        if self.store.is_none() {
            return Ok(());
        }
        loop {
            // A log that begins in a running server is of use only with its snapshot: a reload has to find both.
            if (self.config)().appendonly != self.is_logging {
                self.switch_log()?;
                continue;
            }
            if self.persist.wishes().begin_snapshot().is_some() {
                let outcome = self.take_snapshot()?;
                self.failed_at = outcome.is_err().then(Instant::now);
                self.persist.wishes().end_snapshot(outcome);
                self.persist.wake_all();
                continue;
            }
            let reload = self.persist.wishes().begin_reload();
            let Some(reload) = reload else { return Ok(()) };
            self.reload(reload)?;
        }
    }

    /// Begins or ends the logs of a running server.
    fn switch_log(&mut self) -> Result<(), Stopping> {
        // A generation for each stretch of time with or without a log: what is not logged is in no generation of logs.
        self.generation += 1;
        if self.is_logging {
            self.broadcast(|| Letter::CloseLog);
            self.await_all(|news| matches!(news, Order::LogClosed))?;
            self.is_logging = false;
            tracing::info!("changes are logged no more");
            return Ok(());
        }
        self.persist.tell_log(LogOrder::Begin { generation: self.generation, needs_snapshot: true });
        self.await_all(|news| matches!(news, Order::LogOpened))?;
        self.is_logging = true;
        tracing::info!("changes are logged from now on; a snapshot of what there is begins");
        self.persist.wishes().schedule_snapshot();
        Ok(())
    }

    /// Wants a snapshot if one is due by itself.
    fn look_at_clock(&mut self) {
        let retry = Duration::from_secs(SNAPSHOT_RETRY_SECONDS);
        if self.store.is_none() || self.failed_at.is_some_and(|at| at.elapsed() < retry) {
            return;
        }
        let log_bytes = self.persist.shards().iter().map(|shard| shard.log_bytes.load(Ordering::Relaxed)).sum();
        let standing = Standing {
            status: self.persist.status(),
            now: now(),
            change_count: self.persist.changes_since_snapshot(),
            log_bytes,
            replayed_bytes: self.replayed_bytes,
        };
        if let Some(reason) = standing.due(&(self.config)()) {
            tracing::info!("{reason}: a snapshot begins");
            self.persist.wishes().schedule_snapshot();
        }
    }
}

/// What decides whether a snapshot is due.
struct Standing {
    status: Status,
    now: Millis,
    change_count: u64,
    log_bytes: u64,
    replayed_bytes: u64,
}

impl Standing {
    /// Why a snapshot is due, if one is.
    fn due(&self, config: &Config) -> Option<String> {
        let seconds = self.now.0.saturating_sub(self.status.last_snapshot_at.0) / 1000;
        for (after, least) in &config.save.0 {
            if seconds >= *after && self.change_count >= (*least).max(1) {
                return Some(format!("{} changes in {seconds} seconds", self.change_count));
            }
        }
        let grown = self.log_bytes.saturating_sub(self.status.log_bytes_at_snapshot) + self.replayed_bytes;
        let percentage = u64::from(config.auto_aof_rewrite_percentage);
        let share = u128::from(self.status.last_snapshot_bytes) * u128::from(percentage) / 100;
        let is_grown = percentage > 0 && grown > 0 && grown >= config.auto_aof_rewrite_min_size;
        let is_due = is_grown && u128::from(grown) >= share;
        is_due.then(|| format!("{grown} bytes of log since the last snapshot"))
    }
}

/// The wall clock.
pub(super) fn now() -> Millis {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(elapsed.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::save_points::SavePoints;

    #[test]
    fn a_snapshot_is_due_by_time_or_by_growth() {
        let mut config = Config { save: SavePoints(vec![(60, 10)]), ..Config::default() };
        config.auto_aof_rewrite_percentage = 100;
        config.auto_aof_rewrite_min_size = 1000;
        for (seconds, change_count, log_bytes, replayed_bytes, expected) in [
            (59, 100, 0, 0, false),
            (60, 9, 0, 0, false),
            (60, 10, 0, 0, true),
            (0, 1, 5_999, 0, false),
            (0, 1, 6_000, 0, true),
            (0, 1, 3_000, 3_000, true),
            (0, 0, 0, 0, false),
        ] {
            let status = Status { last_snapshot_bytes: 5_000, log_bytes_at_snapshot: 1_000, ..Status::default() };
            let standing = Standing { status, now: Millis(seconds * 1000), change_count, log_bytes, replayed_bytes };
            assert_eq!(standing.due(&config).is_some(), expected, "{seconds} s, {change_count}, {log_bytes}");
        }
        config.auto_aof_rewrite_percentage = 0;
        let status = Status::default();
        let standing = Standing { status, now: Millis(0), change_count: 1, log_bytes: 1 << 40, replayed_bytes: 0 };
        assert!(standing.due(&config).is_none());
    }
}
