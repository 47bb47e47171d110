//! Stopping the server: at once, or behind a snapshot.
//!
//! ```text
//! running ──begin──▶ quieting ──every thread is quiet──▶ saving ──snapshot complete──▶ the threads stop
//!    ▲                  │                                  │
//!    └──────abort───────┴──────── abort, or it failed ─────┘
//! ```
//!
//! Without a log, what is written behind the snapshot's instant would be lost though it was acknowledged; so requests
//! that write are held first, until each thread has seen the end of those it sent to other shards, and stay held until
//! the server stops or goes on. With a log nothing needs to be quiet: what comes later is in the log.
//!
//! A shutdown does not depend on the client that asked for it, which may go away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::face::{Persist, Ticket};
use crate::config::Config;

/// Whether a shutdown takes a snapshot first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saving {
    /// If there are save points.
    AsConfigured,
    /// In any case.
    Always,
    /// No.
    Never,
}

/// How the server is to be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShutdownWish {
    /// Whether there is a snapshot first.
    pub saving: Saving,
    /// Whether it stops even if the snapshot fails.
    pub is_forced: bool,
}

/// What became of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// The server is to be stopped now.
    Stop,
    /// The shutdown of this number is under way.
    Pending(u64),
}

/// What a thread has to do about the shutdown that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Hold requests, and say so by [`Shutdown::note_quiet`] when nothing is owed by other shards.
    Quieting,
    /// Nothing: the snapshot is being taken.
    Saving,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Shutdown {
    is_pending: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The number of the last shutdown that was begun.
    serial: u64,
    is_forced: bool,
    /// Whether it holds the requests that write.
    holds: bool,
    stage: Stage,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Running,
    Quieting {
        quiet_count: u16,
    },
    Saving(Ticket),
}

impl Shutdown {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a shutdown, or joins the one that is under way.
    pub(crate) fn begin(&self, persist: &Persist, config: &Config, wish: ShutdownWish) -> Begun {
        let is_saved = match wish.saving {
            // What is loaded in part must not become a snapshot.
            _ if persist.is_loading() => false,
            Saving::AsConfigured => !config.save.0.is_empty(),
            Saving::Always => true,
            Saving::Never => false,
        };
        if !is_saved {
            return Begun::Stop;
        }
        let mut inner = self.inner();
        inner.is_forced |= wish.is_forced;
        if matches!(inner.stage, Stage::Running) {
            inner.serial += 1;
            inner.is_forced = wish.is_forced;
            inner.holds = !config.appendonly;
            inner.stage = if inner.holds {
                Stage::Quieting { quiet_count: 0 }
            } else {
                Stage::Saving(persist.schedule_snapshot())
            };
            self.is_pending.store(true, Ordering::Release);
        }
        let serial = inner.serial;
        drop(inner);
        persist.wake_all();
        Begun::Pending(serial)
    }

    /// Gives up the shutdown that is under way; `false` if there is none.
    pub(crate) fn abort(&self, persist: &Persist) -> bool {
        let was_pending = self.end(&mut self.inner());
        if was_pending {
            persist.wake_all();
        }
        was_pending
    }

    /// Whether one is under way.
    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        self.is_pending.load(Ordering::Acquire)
    }

    /// Whether the shutdown of this number is under way no more, and the server goes on.
    pub(crate) fn is_given_up(&self, serial: u64) -> bool {
        let inner = self.inner();
        inner.serial != serial || matches!(inner.stage, Stage::Running)
    }

    /// The shutdown that is under way, if it holds the requests that write, and its phase.
    pub(crate) fn holding(&self) -> Option<(u64, Phase)> {
        let inner = self.inner();
        let phase = match inner.stage {
            Stage::Running => return None,
            Stage::Quieting { .. } => Phase::Quieting,
            Stage::Saving(_) => Phase::Saving,
        };
        inner.holds.then_some((inner.serial, phase))
    }

    /// A thread holds requests, and none of its clients' is under way; to be said once by each of `thread_count`.
    pub(crate) fn note_quiet(&self, persist: &Persist, serial: u64, thread_count: u16) {
        let mut inner = self.inner();
        if inner.serial != serial {
            return;
        }
        if let Stage::Quieting { quiet_count } = &mut inner.stage {
            *quiet_count += 1;
            if *quiet_count == thread_count {
                inner.stage = Stage::Saving(persist.schedule_snapshot());
            }
        }
    }

    /// Whether the server is to be stopped now. A snapshot that failed ends the shutdown, unless it is forced.
    pub(crate) fn is_due(&self, persist: &Persist) -> bool {
        let mut inner = self.inner();
        let Stage::Saving(ticket) = inner.stage else { return false };
        match persist.snapshot_outcome(ticket) {
            None => false,
            Some(Ok(())) => true,
            Some(Err(sentence)) if inner.is_forced => {
                tracing::warn!("the snapshot before the shutdown failed ({sentence}): stopping without it");
                true
            }
            Some(Err(sentence)) => {
                tracing::error!(
                    "the snapshot before the shutdown failed ({sentence}): going on; SHUTDOWN NOSAVE or a second \
                     signal stops without it"
                );
                self.end(&mut inner);
                drop(inner);
                persist.wake_all();
                false
            }
        }
    }

    fn end(&self, inner: &mut Inner) -> bool {
        let was_pending = !matches!(inner.stage, Stage::Running);
        inner.stage = Stage::Running;
        self.is_pending.store(false, Ordering::Release);
        was_pending
    }
}
