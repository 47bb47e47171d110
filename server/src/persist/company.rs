//! How long a sync under `appendfsync always` waits for company.
//!
//! When a sync ends its replies leave, and the clients that get them send their next requests a moment later, while
//! others, whose changes came during the sync, wait for the next one already. A sync that began at once would be for
//! those others alone, the one after it for the first again: two syncs for what one could do. So a sync waits until
//! about as many changes are there as the larger of the last two syncs was for, but no longer than half of what the
//! last one took. A lone client never waits: what it sends is all that is expected.

use std::time::{Duration, Instant};

use locksley_engine::Lsn;

/// The longest wait, however slow the disk is.
const PATIENCE_MAX: Duration = Duration::from_micros(500);
/// The part of what is expected that may be missing.
const MISSING_SHARE: u64 = 8;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Company {
    /// Changes that the last two syncs were for.
    counts: [u64; 2],
    /// The number up to which the last one made the log durable.
    durable: Lsn,
    ended: Option<Instant>,
    patience: Duration,
}

impl Company {
    /// How long a sync of a log whose last number is `last` should wait still, at `now`.
    #[inline]
    pub(crate) fn wait(&self, last: Lsn, now: Instant) -> Option<Duration> {
        let expected_count = self.counts[0].max(self.counts[1]);
        let count = last.0.saturating_sub(self.durable.0);
        if count >= expected_count - expected_count / MISSING_SHARE {
            return None;
        }
        self.patience.checked_sub(now.duration_since(self.ended?)).filter(|left| !left.is_zero())
    }

    /// Notes that a sync began that will make the log durable up to `durable`.
    pub(crate) fn began(&mut self, durable: Lsn) {
        self.counts = [durable.0.saturating_sub(self.durable.0), self.counts[0]];
        self.durable = durable;
    }

    /// Notes that it ended at `now`, after `took`.
    pub(crate) fn ended(&mut self, took: Duration, now: Instant) {
        self.ended = Some(now);
        self.patience = (took / 2).min(PATIENCE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNC: Duration = Duration::from_micros(400);

    /// A company whose last two syncs were for so many changes, and the instant the last one ended.
    fn after(counts: [u64; 2]) -> (Company, Lsn, Instant) {
        let (mut company, mut durable, now) = (Company::default(), Lsn(0), Instant::now());
        for count in counts {
            durable = Lsn(durable.0 + count);
            company.began(durable);
            company.ended(SYNC, now);
        }
        (company, durable, now)
    }

    #[test]
    fn a_sync_waits_for_as_many_as_came_lately_but_not_long() {
        let (company, durable, now) = after([40, 10]);
        assert_eq!(company.wait(Lsn(durable.0 + 10), now), Some(SYNC / 2));
        assert_eq!(company.wait(Lsn(durable.0 + 35), now), None, "nearly all are there");
        assert_eq!(company.wait(Lsn(durable.0 + 10), now + SYNC / 2), None, "the rest does not come");
    }

    #[test]
    fn a_lone_client_and_a_first_change_wait_for_nobody() {
        let (company, durable, now) = after([2, 2]);
        assert_eq!(company.wait(Lsn(durable.0 + 2), now), None);
        assert_eq!(Company::default().wait(Lsn(1), now), None);
    }

    #[test]
    fn a_slow_disk_makes_nobody_wait_longer_than_the_bound() {
        let (mut company, durable, now) = after([100, 100]);
        company.ended(Duration::from_secs(1), now);
        assert_eq!(company.wait(Lsn(durable.0 + 1), now), Some(PATIENCE_MAX));
    }
}
