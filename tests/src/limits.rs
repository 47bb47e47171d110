//! How long the suites wait, and how much slack their counts have.

use std::time::Duration;

/// How long any single condition may take to come true before the suite gives up on it.
///
/// Nothing is measured with it: it only has to be longer than the slowest machine ever needs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long a conformance case waits for one reply, or for a close.
pub const REPLY_PATIENCE: Duration = Duration::from_secs(10);

/// How long a socket stays silent before the suite believes that nothing more comes.
pub const SILENCE: Duration = Duration::from_millis(200);

/// How much more `used_memory` may be after a server was ill-treated and emptied.
pub const USED_SLACK_BYTES: i64 = 8 * 1024 * 1024;

/// How much more resident memory a server may have after it was ill-treated and emptied.
pub const RESIDENT_SLACK_BYTES: u64 = 64 * 1024 * 1024;

/// Lines of a server's output that a failing test shows.
pub const OUTPUT_LINES_SHOWN: usize = 40;

/// Characters of a reply that a failure shows.
pub const REPLY_CHARS_SHOWN: usize = 1000;

/// Failures of one conformance run that are shown in full.
pub const FAILURES_SHOWN: usize = 60;
