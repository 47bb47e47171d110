//! Wall-clock time as the engine sees it: a number that its caller supplies.

/// A wall-clock instant in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);
