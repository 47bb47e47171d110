//! A thread's part in a shutdown that waits for a snapshot; see [`crate::persist::Shutdown`].

use std::sync::Arc;

use locksley_engine::Millis;

use super::desk::Desk;
use crate::pause::{Pause, PauseMode};
use crate::persist::Phase;

/// The requests of this thread's clients are held for a shutdown.
pub(crate) struct Lull {
    /// For which.
    serial: u64,
    /// What was held before.
    before: Pause,
    /// No request is under way any more.
    is_quiet: bool,
}

/// When a pause ends that only a shutdown's end ends.
const NEVER: Millis = Millis(i64::MAX as u64);

impl Desk {
    /// Follows a shutdown that is under way, and lets requests go on behind one that was given up.
    #[inline]
    pub(super) fn look_at_shutdown(&mut self) {
        if self.lull.is_some() || self.thread.shared.persist.shutdown.is_pending() {
            self.follow_shutdown();
        }
    }

    #[cold]
    fn follow_shutdown(&mut self) {
        let shared = Arc::clone(&self.thread.shared);
        let (persist, now) = (&*shared.persist, self.thread.now);
        if persist.shutdown.is_due(persist) {
            return shared.stop();
        }
        let holding = persist.shutdown.holding();
        if let Some(lull) = self.lull.take_if(|lull| holding.is_none_or(|(serial, _)| serial != lull.serial)) {
            self.thread.pause = lull.before;
            self.unstall = true;
        }
        let Some((serial, phase)) = holding else { return };
        let lull = self.lull.get_or_insert_with(|| {
            let before = self.thread.pause;
            self.thread.pause.extend(NEVER, PauseMode::All, now);
            Lull { serial, before, is_quiet: false }
        });
        if phase == Phase::Quieting && !lull.is_quiet && self.owed_count == 0 {
            lull.is_quiet = true;
            // Requests that only read may go on.
            self.thread.pause.end_now();
            self.thread.pause.extend(NEVER, PauseMode::Write, now);
            self.unstall = true;
            persist.shutdown.note_quiet(persist, serial, shared.shard_count);
        }
    }
}
