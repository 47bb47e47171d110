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
    poll(&mut probe).unwrap_or_else(|| panic!("waited {PATIENCE:?} in vain: {what}"))
}

/// Asks `condition` again and again until it holds.
///
/// # Panics
///
/// If it did not hold within [`PATIENCE`]; the message names `what` was waited for.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    until_or(&mut condition, || what.to_owned());
}

/// Asks `condition` again and again until it holds.
///
/// # Panics
///
/// If it did not hold within [`PATIENCE`]; `what` then tells what was waited for and how things stand.
pub fn until_or(mut condition: impl FnMut() -> bool, what: impl FnOnce() -> String) {
    let held = poll(&mut || condition().then_some(()));
    assert!(held.is_some(), "waited {PATIENCE:?} in vain: {}", what());
}

fn poll<T>(probe: &mut impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(value) = probe() {
            return Some(value);
        }
        thread::sleep(POLL);
    }
    None
}
