//! The turn loop of a data thread: from completions to replies.
//!
//! ```text
//! sleep ─▶ completions ─▶ ready inputs ─▶ batch ─▶ run ─▶ leftovers kept ─▶ sends queued ─▶ background work ─┐
//!   ▲                                      └──── again while inputs are left ────┘                           │
//!   └────────────────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! One turn costs one system call, which submits the turn's sends and sleeps until the next request.

mod accept;
mod arrival;
mod cut;
mod desk;
mod dispatch;
mod durable;
mod hand;
mod inbox;
#[cfg(test)]
mod model;
mod parking;
mod prefetch;
mod reactor;
mod shutdown;
mod steps;
mod streams;
mod surveys;
mod timing;
mod waits;

pub(crate) use reactor::{Reactor, ReactorOptions};
