//! Metrics of what application caches need: leases, locks, limits.

use super::{COUNTER, GAUGE, Metric};

/// The group's rows.
pub(super) static METRICS: &[Metric] = &[
    Metric {
        name: "locksley_leases",
        help: "Leases there are: values that somebody is making",
        write: |source, samples| samples.value(source.total.numbers.leases),
        ..GAUGE
    },
    Metric {
        name: "locksley_lease_grants_total",
        labels: &["kind"],
        help: "Leases given (kind: win, for a value that was missing or over; refresh, for one that was soon over or out of \
               date)",
        write: |source, samples| {
            samples.sample(&[&"win"], source.total.numbers.lease_wins);
            samples.sample(&[&"refresh"], source.total.numbers.lease_refreshes);
        },
        ..COUNTER
    },
    Metric {
        name: "locksley_lease_waits_total",
        help: "Callers of GETL that were told to wait, or waited",
        write: |source, samples| samples.value(source.total.numbers.lease_waits),
        ..COUNTER
    },
    Metric {
        name: "locksley_lease_stale_total",
        help: "Values shown in their grace to those who have no lease",
        write: |source, samples| samples.value(source.total.numbers.lease_stale),
        ..COUNTER
    },
    Metric {
        name: "locksley_lease_refused_total",
        help: "Tokens that were not those of a lease",
        write: |source, samples| samples.value(source.total.numbers.lease_refused),
        ..COUNTER
    },
    Metric {
        name: "locksley_lock_grants_total",
        help: "Locks that were given to somebody",
        write: |source, samples| samples.value(source.total.numbers.lock_grants),
        ..COUNTER
    },
    Metric {
        name: "locksley_lock_waits_total",
        help: "Requests for a lock that had to wait",
        write: |source, samples| samples.value(source.total.numbers.lock_waits),
        ..COUNTER
    },
    Metric {
        name: "locksley_lock_refused_total",
        help: "Requests for a lock that were answered without it",
        write: |source, samples| samples.value(source.total.numbers.lock_refused),
        ..COUNTER
    },
    Metric {
        name: "locksley_throttled_total",
        help: "Requests beyond a rate limit (THROTTLE)",
        write: |source, samples| samples.value(source.total.numbers.throttled),
        ..COUNTER
    },
];
