//! Which version this is, and which version of Redis it answers like.

/// The version of Redis whose commands and replies are these; clients decide by it what they may use.
pub(crate) const REDIS_VERSION: &str = "7.2.4";

/// The version of Locksley.
pub(crate) const LOCKSLEY_VERSION: &str = env!("CARGO_PKG_VERSION");
