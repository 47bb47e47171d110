//! Waiting for conditions instead of for time.

use std::thread;
use std::time::{Duration, Instant};

use crate::limits::PATIENCE;

/// How often a condition is looked at again.
const POLL: Duration = Duration::from_millis(5);

/// Asks `probe` again and again until it gives a value.
///
/// # Panics
///
/// If it gave none within [`PATIENCE`]; the message names `what` was waited for.
pub fn until_some<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        thread::sleep(POLL);
    }
}

/// Asks `condition` again and again until it holds.
///
/// # Panics
///
/// If it did not hold within [`PATIENCE`]; the message names `what` was waited for.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    until_some(what, || condition().then_some(()));
}
