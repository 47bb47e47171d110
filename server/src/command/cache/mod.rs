//! What application caches need: leases against stampedes, notes of absence, deletion by prefix, locks, rate limits.

mod arguments;
mod dell;
mod delprefix;
mod early_refresh;
mod gcra;
mod getl;
mod keywords;
mod lock;
mod lockinfo;
#[cfg(test)]
mod model;
mod relock;
mod setabsent;
mod setl;
#[cfg(test)]
pub(in crate::command) mod testing;
mod throttle;
#[cfg(test)]
mod ttl;
mod unlock;

use super::row::Command;

pub(crate) use delprefix::check_prefix;

/// The group's rows.
pub(super) static COMMANDS: &[&Command] = &[
    &dell::DELL,
    &delprefix::DELPREFIX,
    &getl::GETL,
    &lock::LOCK,
    &lockinfo::LOCKINFO,
    &relock::RELOCK,
    &setabsent::SETABSENT,
    &setl::SETL,
    &throttle::THROTTLE,
    &unlock::UNLOCK,
];
